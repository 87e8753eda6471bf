load helpers

setup()
{
    CLIENTS=$BATS_TEST_DIRNAME/clients
    EXAMPLES=$BATS_TEST_DIRNAME/../examples
    KANBAN=$EXAMPLES/kanban/catalog.json
    cd "$BATS_TEST_TMPDIR" || return
}

teardown()
{
    stop_all
}

# The command fails with this status and message, and prints nothing else.
fails() # STATUS MESSAGE COMMAND...
{
    local status=$1 message=$2
    shift 2
    run --separate-stderr "-$status" "$@"
    [ -z "$output" ]
    echo "$stderr"
    [ "$stderr" = "collab-catalog: $message" ]
}

put() # CATALOG
{
    cat >catalog.json <<<"$1"
}

@test "check: a right catalog passes without a word" {
    local catalog
    for catalog in "$EXAMPLES"/*/catalog.json; do
        run -0 collab-catalog check "$catalog"
        [ -z "$output" ]
        run -0 collab-catalog check - <"$catalog"
        [ -z "$output" ]
    done
}

@test "every command says what is wrong with a faulty one" {
    local command
    put '{"rooms": {"project:{projectId}": {"jion": "any"}}}'
    for command in check types asyncapi show; do
        fails 1 'catalog.json:1:36: unknown key "jion" in a room (did you mean join?)' \
            collab-catalog "$command" catalog.json
        fails 1 'standard input:1:36: unknown key "jion" in a room (did you mean join?)' \
            collab-catalog "$command" - <catalog.json
    done
}

@test "wrong usage" {
    fails 2 'a command is missing: types, asyncapi, show or check' collab-catalog
    fails 2 'types takes one FILE' \
        collab-catalog types "$KANBAN" "$KANBAN"
    fails 2 'unknown command "tpyes" (did you mean types?)' collab-catalog tpyes
    fails 2 'unknown command "x": types, asyncapi, show or check' collab-catalog x
    fails 2 'no-such-file: no such file or directory' collab-catalog check no-such-file
    fails 2 '/: illegal operation on a directory' collab-catalog check /
}

@test "more than a catalog may be" {
    head -c 1048577 /dev/zero | tr '\0' ' ' >large
    fails 1 'large: larger than 1m, which a catalog may be' collab-catalog check large
    fails 1 'standard input: larger than 1m, which a catalog may be' collab-catalog check - <large
}

@test "show: the catalog, on one line" {
    collab-catalog show "$KANBAN" >shown
    [ "$(wc -l <shown)" -eq 1 ]
    diff <(jq -S . shown) <(jq -S . "$KANBAN")
}

# --- the one in force ---

@test "the catalog in force is the gateway's" {
    start_redis
    fails 1 'no catalog is in force: no collabd has run on this Redis' collab-catalog show
    start_collabd --catalog "$EXAMPLES/todo/catalog.json"
    wait_until collab-catalog check 2>/dev/null
    diff <(collab-catalog show) <(collab-catalog show "$EXAMPLES/todo/catalog.json")
    diff <(collab-catalog types) <(collab-catalog types "$EXAMPLES/todo/catalog.json")
    diff <(collab-catalog asyncapi) <(collab-catalog asyncapi "$EXAMPLES/todo/catalog.json")
}

@test "the catalog in force can be faulty only by another's hand" {
    start_redis
    redis set collab:catalog '{"rooms": 1}' >/dev/null
    run -1 collab-catalog check
    [[ $output = 'collab-catalog: the catalog in force:1:11: rooms: must be '* ]]
}

@test "without Redis there is none in force" {
    fails 3 "unix:$BATS_TEST_TMPDIR/none: no such file or directory" \
        collab-catalog show --redis "unix:$BATS_TEST_TMPDIR/none"
}

@test "a Redis that does not answer is not waited for without end" {
    start_redis
    kill -STOP "$(pid_of redis)"
    run -6 collab-catalog show --limit 100ms
}

# --- types ---

compile() # FILE
{
    mkdir -p modules
    collab-catalog types "$KANBAN" >modules/kanban.ts
    collab-catalog types "$EXAMPLES/versions/catalog.json" >modules/versions.ts
    cp "$EXAMPLES/web/collab.d.ts" .
    ln -s "$CLIENTS/node_modules" .
    cp "$1" program.ts
    cat >tsconfig.json <<'END'
{
  "compilerOptions": {
    "strict": true, "noEmit": true, "target": "es2022", "module": "esnext",
    "moduleResolution": "bundler", "types": [],
    "paths": {
      "kanban": ["./modules/kanban.ts"], "versions": ["./modules/versions.ts"],
      "collab": ["./collab.d.ts"]
    }
  },
  "files": ["program.ts"]
}
END
    node_modules/.bin/tsc
}

@test "types: what is right compiles, and what is wrong does not" {
    compile "$CLIENTS/types.ts"
}

@test "types: of every example they compile" {
    local catalog
    for catalog in "$EXAMPLES"/*/catalog.json; do
        collab-catalog types "$catalog" >"$(basename "$(dirname "$catalog")").ts"
    done
    "$CLIENTS/node_modules/.bin/tsc" --strict --noEmit --target es2022 ./*.ts
}

@test "types: names and texts that are odd" {
    put '{
        "about": "ends */ here",
        "events": {
            "a\"b\\c`${d}": {"about": "*/ x", "need": {"x.y": "id", "x.z-1": ["p\"q", "r"], "9": "any"}},
            "`${e}*": {"need": ["k"]},
            "f:*": {"need": ["k"]},
            "f:g": {"need": {"l": "number"}}
        }
    }'
    collab-catalog types catalog.json >odd.ts
    cat odd.ts
    "$CLIENTS/node_modules/.bin/tsc" --strict --noEmit --target es2022 odd.ts
    grep -qF '"a\"b\\c`${d}": (data: { x: { y: string | number; "z-1": "p\"q" | "r";' odd.ts
    grep -qF '[type: `f:${string}`]: (data: any) => void;' odd.ts
}

@test "types: the second argument of events, where the catalog says so" {
    put '{"events": {"x": {}}, "socketio": {"meta": true}}'
    collab-catalog types catalog.json | grep -qF '"x": (data: unknown, meta: EventMeta) => void;'
    put '{"events": {"x": {}}}'
    collab-catalog types catalog.json | grep -qF '"x": (data: unknown) => void;'
}

# --- AsyncAPI ---

@test "asyncapi: its own parser takes it, of every example" {
    local catalog
    for catalog in "$EXAMPLES"/*/catalog.json; do
        collab-catalog asyncapi "$catalog" | node "$CLIENTS/asyncapi.mjs" >found
        jq -r '(.events | keys[] | "send " + .)' "$catalog" | sort >events
        diff events <(grep '^send ' found | sort)
        jq -r '(.messages // {} | keys[] | "receive " + .)' "$catalog" >messages
        while read -r message; do
            grep -qxF "$message" found
        done <messages
    done
}

@test "asyncapi: payloads have the catalog's names" {
    collab-catalog asyncapi "$EXAMPLES/issues/catalog.json" >document
    jq -e '.channels.websocket.address == "/ws"' document
    jq -e '[.components.messages[] | select(.name == "issue.created") | .payload.properties
        | has("payload") and has("timestamp") and has("userId")] == [true]' document
    jq -e '[.components.messages[] | select(.name == "issue.created") | .payload
        | .properties.payload.required] == [["issueId", "teamId"]]' document
}
