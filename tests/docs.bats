# The manual is right: commands that README and pages show are run as they are written (but for the
# port, which is a free one), and tables are held against the code that they are about.

load helpers

setup()
{
    ROOT=$(realpath "$BATS_TEST_DIRNAME/..")
    MAN=$ROOT/man
    CLIENTS=$ROOT/tests/clients
    export HOME=$BATS_TEST_TMPDIR/home XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR/run
    unset XDG_STATE_HOME
    mkdir -m 700 "$HOME" "$XDG_RUNTIME_DIR"
    cd "$BATS_TEST_TMPDIR" || return
}

teardown()
{
    stop_examples
    stop_all
}

# --- what the pages show ---

# What mdoc writes otherwise in its source.
plain()
{
    sed -e 's/\\e/\\/g' -e 's/\\(dq/"/g' -e 's/\\&//g' "$@"
}

# Writes each command of a page to N.cmd, and what is shown to come of it to N.out.
split_examples() # PAGE
{
    rm -f ./*.cmd ./*.out
    plain "$1" | sed 's/^\.Dl \$ /$ /' | awk '
        match($0, /^ *\$ /) {
            file = sprintf("%03d", ++n)
            printf "" >file ".cmd"
            printf "" >file ".out"
            indent = RLENGTH - 1
            sub(/\$ /, "")
            more = 1
        }
        /^\.|^$/ { file = "" }
        !file { next }
        { line = substr($0, indent) }
        document { print line >file ".cmd"; document = line != document ? document : ""; next }
        more {
            print line >file ".cmd"
            more = /[\\|]$/
            document = match(line, /<<[A-Z]+$/) ? substr(line, RSTART + 2) : ""
            next
        }
        { print line >file ".out" }'
}

# --- running them ---

# The sum of what tools and gateway listen to: it grows when a listener begins to listen.
subscriptions()
{
    redis-cli -s "$XDG_RUNTIME_DIR/collab/redis.sock" client list 2>/dev/null |
        grep -o 'sub=[0-9]*' | cut -d= -f2 >subscriptions
    [ -z "$PORT" ] || curl -fsS "http://127.0.0.1:$PORT/metrics" |
        sed -n 's/^collab_joins{.*} //p' >>subscriptions
    awk '{ n += $1 } END { print n + 0 }' subscriptions
}

listens_more() # THAN
{
    [ "$(subscriptions)" -gt "$1" ]
}

# Runs a command in a process group of its own, and says so that its end can be waited for.
run_in_background() # NAME COMMAND
{
    setsid bash -c "$2" >>"$OUT" 2>&1 3>&- &
    echo $! >"$1.group"
}

group_has_ended() # NAME
{
    ! kill -0 -- "-$(cat "$1.group")" 2>/dev/null
}

stop_group() # NAME
{
    kill -- "-$(cat "$1.group")" 2>/dev/null || true
    wait_until group_has_ended "$1"
    rm "$1.group"
}

stop_examples()
{
    local file
    for file in ./*.group; do
        [ ! -e "$file" ] || stop_group "${file%.group}"
    done
}

# One gateway at a time: the next that is shown takes the place of the last.
run_gateway() # COMMAND
{
    [ ! -e gateway.group ] || stop_group gateway
    : >ready
    COLLAB_PORT=0 setsid bash -c "exec $(sed 's/ --port [0-9]*//; s/&$//' <<<"$1")" 2>>"$OUT" >ready 3>&- &
    echo $! >gateway.group
    wait_for_line ready 'ready http'
    PORT=$(sed -n 's,^ready http://[^ ]*:\([0-9]*\).*,\1,p' ready)
    cat ready >>"$OUT"
}

run_listener() # NAME COMMAND
{
    local before
    before=$(subscriptions)
    run_in_background "$1" "$2"
    wait_until listens_more "$before"
}

has_grown() # BYTES
{
    [ "$(wc -c <"$OUT")" -gt "$1" ]
}

# What there is to hear, for who listens.
something_happens()
{
    local room
    for room in repo:collab project:p1; do
        printf '{"type":"build:done","room":"%s","user":"ann","data":%s}\n' "$room" \
            '{"id":7,"ok":true,"subject":"done"}'
    done | collab-emit
}

# A listener in the foreground hears something until it ends, or has printed if it doesn't.
run_reader() # NAME COMMAND
{
    local size tries
    size=$(wc -c <"$OUT")
    run_listener "$1" "$2"
    for ((tries = 0; tries < 200; tries++)); do
        something_happens
        group_has_ended "$1" && break
        [[ $2 = *--count* || $2 = *-C* ]] || ! has_grown "$size" || break
    done
    wait_until has_grown "$size"
    [[ $2 != *--count* && $2 != *-C* ]] || wait_until group_has_ended "$1"
    stop_group "$1"
}

# A variable that is set stays set.
run_to_end() # COMMAND
{
    if [[ $1 =~ ^(export )?[A-Za-z_]+= ]]; then
        set -a
        eval "$1"
        set +a
    else
        in_time bash -o pipefail -c "$1" >>"$OUT" 2>&1 3>&-
    fi
}

run_command() # N COMMAND
{
    case $2 in
    collabd* | examples/*/run*) run_gateway "$2" ;;
    redis-server*'&') run_in_background "$1" "${2%&}" && wait_until test -S new.sock ;;
    collab-tail*--exit* | collab-tail*' -e '*) run_to_end "$2" ;;
    collab-tail*'&') run_listener "$1" "${2%&}" ;;
    collab-tail* | *' PSUBSCRIBE '*) run_reader "$1" "$2" ;;
    *) run_to_end "$2" ;;
    esac
}

# shellcheck disable=SC2016 # the $ is sed's
# Each line that is shown has come; a time in it, and "...", stand for what differs.
has_shown() # FILE
{
    local line
    while IFS= read -r line; do
        line=$(sed 's/[][\.*^$(){}?+|]/\\&/g; s/\\\.\\\.\\\./.*/g' <<<"$line")
        wait_until grep -Eqx -e "$line" "$OUT" || return
    done < <(sed -E "s/127\.0\.0\.1:[34]00[01]/127.0.0.1:$PORT/
        s/[0-9]{4}-[0-9-]{5}T[0-9:.]+Z|\b1[0-9]{9}\b/.../g
        s/\(in [0-9]+ [a-z]+\)|\([0-9]+ [a-z]+ ago\)/(...)/g" "$1")
}

examples_fail() # WHY
{
    echo "$1; all output:"
    cat "$OUT"
    return 1
}

run_examples() # PAGE
{
    local file
    cd "$(mktemp -d -p "$BATS_TEST_TMPDIR")" || return
    ln -s "$ROOT/examples" .
    OUT=$PWD/all-output
    PORT=
    : >"$OUT"
    git init -q . && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m first
    split_examples "$1"
    [ -e 001.cmd ] || return 0
    grep -Eq '^(collabd|examples/.*/run)' ./*.cmd || run_gateway 'collabd &'
    for file in ./*.cmd; do
        echo "$1: $(cat "$file")"
        run_command "${file%.cmd}" "$(sed "s/127\.0\.0\.1:[34]00[01]/127.0.0.1:$PORT/g" "$file")" ||
            examples_fail "status $?"
        has_shown "${file%.cmd}.out" || examples_fail 'not what is shown'
    done
    stop_examples
}

@test "examples: collab(7)" {
    run_examples "$MAN/collab.7"
}

@test "examples: collabd(8)" {
    run_examples "$MAN/collabd.8"
}

@test "examples: collab-redis(7)" {
    run_examples "$MAN/collab-redis.7"
}

# Those of collab-bench(1) are loads of minutes, and for a server of others: not to be run here.
@test "examples: options in those of collab-bench(1)" {
    local option
    sed -n '/^.Sh EXAMPLES/,/^.Sh SEE/p' "$MAN/collab-bench.1" | grep -o -e '--[a-z-]*' >options
    while read -r option; do
        echo "$option"
        collab-bench --help all | grep -q -e " $option\b"
    done <options
}

@test "examples: the tools' pages" {
    local page
    for page in "$MAN"/*.1; do
        run_examples "$page"
    done
}

# That of `make` itself is to be seen in demo.bats; `make check` is what runs this.
@test "examples: README" {
    grep -v '^ *\$ make' "$ROOT/README.md" >README
    run_examples "$PWD/README"
}

@test "examples: READMEs of the five systems and the board" {
    local system
    for system in issues kanban todo tenants versions web; do
        run_examples "$ROOT/examples/$system/README.md"
    done
}

@test "examples: emitters in Python and Go" {
    run_examples "$ROOT/examples/emitters/README.md"
}

@test "README names no file of the tree that is not there" {
    local name
    grep -oE '\b(lib|cmd|man|tests|examples)/[A-Za-z0-9_./-]*[A-Za-z0-9]' "$ROOT/README.md" >names
    while read -r name; do
        echo "$name"
        [ -e "$ROOT/$name" ]
    done <names
}

@test "every page that a page names is there" {
    local name
    sed -n 's/^\.Xr \(collab[a-z-]*\) \([1-8]\).*/\1.\2/p' "$MAN"/*.[1-8] >names
    while read -r name; do
        echo "$name"
        [ -e "$MAN/$name" ]
    done <names
}

# --- tables ---

# The rows of a table of X(...) in a header, as its fields with a bar between.
rows_of() # HEADER TABLE
{
    printf '#include "%s"\n%s(X)\n' "$1" "$2" | gcc -E -P -I"$ROOT/lib" - | tr '\n' ' ' |
        sed 's/ X(/\nX(/g' | sed -n 's/^X(\(.*\)).*/\1/p' |
        sed -E 's/" "//g; s/, *"/|/g; s/"//g; s/^([A-Z0-9_]+), */\1|/'
}

# The items of a list whose tag begins with a text, as "TAG|TEXT".
items_of() # PAGE TAG
{
    plain "$1" | awk -v tag="$2" '
        index($0, ".It " tag) == 1 {
            item = substr($0, 5)
            sub(/^Li /, "", item)
            next
        }
        /^\./ { item = "" }
        item { print item "|" $0; item = "" }'
}

capital()
{
    sed -E 's/\|([^|]*)$/|\u\1./'
}

@test "collab-protocol(7): close codes" {
    diff <(rows_of protocol.h CLOSE_CODES | cut -d'|' -f2-) \
        <(items_of "$MAN/collab-protocol.7" '' | grep -E '^[1-4][0-9]{3}\|' )
}

@test "collab-protocol(7): error codes" {
    diff <(rows_of protocol.h ERROR_CODES | cut -d'|' -f2- | capital) \
        <(sed -n '/^.Ss Errors/,/^.Sh/p' "$MAN/collab-protocol.7" >errors
            items_of errors Li)
}

@test "exit statuses, on every page" {
    local page
    rows_of status.h EXIT_STATUSES | cut -d'|' -f2- >statuses
    [ "$(wc -l <statuses)" -eq 8 ]
    for page in "$MAN"/collab.7 "$MAN"/collabd.8; do
        diff statuses <(sed -n '/^.Sh EXIT/,/^.El/p' "$page" >section && items_of section '')
    done
    for page in "$MAN"/*.1; do
        echo "$page"
        sed -n '/^.Sh EXIT/,/^.El/p' "$page" >section
        [ -s section ]
        sed -n 's/^\.It \([0-9]*\).*/\1/p' section >listed
        run -1 grep -vx '[0-7]' listed
    done
}

@test "collabd(8): metrics" {
    diff <(rows_of metric.h METRICS |
            awk -F'|' '{ print "collab_" $3 " Pq " tolower($2) "|" $4 }') \
        <(items_of "$MAN/collabd.8" 'Li collab_')
}

# NAME DEFAULT VARIABLE of each setting that --help all shows; "-" where there is none.
settings_in_help()
{
    collabd --help all | tr '\n' ' ' | sed -E 's/ +(-., )?--([a-z])/\n\2/g' | tail -n +2 |
        sed -E 's/^([a-z-]+)[^ ]* .*/& \1/' | awk '{
            value = variable = "-"
            if (match($0, /\(default: [^)]*\)/))
                value = substr($0, RSTART + 10, RLENGTH - 11)
            gsub(/ +/, " ", value)
            sub(/^ /, "", value)
            sub(/^the catalog.s, else /, "", value)
            if (match($0, /\[\$[A-Z_]*\]/))
                variable = substr($0, RSTART + 2, RLENGTH - 3)
            print $NF, value == "a random one" ? "-" : value, variable
        }'
}

@test "collabd(8): every setting's default, and the rule for its variable" {
    local name value variable
    settings_in_help | grep -vE '^(help|version) ' | sort >settings
    [ "$(wc -l <settings)" -gt 20 ]
    diff <(cut -d' ' -f1,2 settings) <(awk '
        /^\.It Fl / { if (match($0, /-[a-z][a-z-]+/)) name = substr($0, RSTART + 1, RLENGTH - 1)
            if (name != "help" && name != "version") value[name] = "-" }
        /^The default is( the catalog.s, else)?$/ { getline; value[name] = $2 }
        END { for (name in value) print name, value[name] }' "$MAN/collabd.8" | sort)
    # Only --check is something to do, and no setting.
    while read -r name value variable; do
        [ "$name" = check ] || [ "$variable" = "COLLAB_$(tr a-z- A-Z_ <<<"$name")" ]
    done <settings
}

constant() # NAME
{
    sed -nE "s/.*\b$1 = ([0-9]+).*/\1/p" "$ROOT"/lib/*.h
}

limit() # WHAT
{
    plain "$MAN/collab-protocol.7" | sed -n "s/^\.It $1 Ta \([0-9]*\).*/\1/p"
}

@test "collab-protocol(7): limits" {
    local name value
    settings_in_help >settings
    sed -nE 's/^\.It Fl -([a-z-]+) Ta ([0-9a-z/]+) Ta .*/\1 \2/p' \
        "$MAN/collab-protocol.7" >limits
    [ -s limits ]
    while read -r name value; do
        echo "--$name: $value"
        grep -q "^$name $value " settings
    done <limits
    [ "$(limit 'a token')" = "$(constant TOKEN_BYTES_MAX)" ]
    [ "$(limit 'the name of a room')" = "$(constant ROOM_BYTES_MAX)" ]
    [ "$(limit 'the type of an event')" = "$(constant EVENT_TYPE_BYTES_MAX)" ]
    [ "$(limit 'rooms of an event')" = "$(constant EVENT_ROOMS_MAX)" ]
    [ "$(limit 'nesting of JSON')" = "$(constant JSON_DEPTH)" ]
}

# --- bodies and messages ---

@test "collabd(8): what the paths answer" {
    start_collabd --node n1
    [ "$(curl -fsS "http://$GATEWAY/health")" = "$(grep '^{"node":"n1","live"' "$MAN/collabd.8")" ]
    diff <(curl -fsS "http://$GATEWAY/api/v1/ws/stats" | jq -r 'del(.clients_per_room)
            | keys_unsorted[], (.rates | keys_unsorted[])' | sort) \
        <(sed -n '/^{"node":"n1","version"/,/^.Ed/p' "$MAN/collabd.8" |
            sed 's/"metrics":{.*/"metrics":/' | grep -o '"[a-z_]*":' | tr -d '":' |
            grep -vx clients_per_room | sort)
    cp "$(key_file)" key
    diff <(for second in '{"type":"b","room":"project:p1"}' '{"room":"project:p1"}'; do
            printf '{"type":"a","room":"project:p1"}\n%s\n' "$second" |
                curl -fsS "http://$GATEWAY/api/v1/events" --data-binary @- --header \
                    "Authorization: Bearer $(collab-token sign -k key -u ann -p 'project:*')"
        done) <(sed -n '/^{"refused":\[\],"accepted":2/,/^.Ed/p' "$MAN/collabd.8" |
            awk '/^ / { printf "%s", substr($0, 2); next }
                /^{/ { printf "%s%s", n++ ? "\n" : "", $0 }
                END { print "" }')
}

# The dialogues of collab-protocol(7), a message a line.
dialogues()
{
    plain "$MAN/collab-protocol.7" | awk '
        /^[CS]: / { printf "%s%s", n++ ? "\n" : "", $0; open = 1; next }
        open && /^ / { sub(/^ +/, ""); printf "%s", $0; next }
        { open = 0 }
        END { print "" }'
}

# A gateway whose catalog renames nothing.
start_plain_collabd() # [OPTION]...
{
    echo '{"name":"plain","rooms":{"*":{}},"events":{"*":{}}}' >plain.json
    start_collabd --catalog plain.json "$@"
}

claims() # EXPIRES
{
    printf '{"sub":"ann","rooms":["project:*"],"publish":["project:p1"],"exp":%d}' "$1"
}

play() # TOKEN
{
    sed "s/\"TOKEN\"/\"$1\"/" | node "$CLIENTS/dialogue.js" "ws://$GATEWAY/ws" "$1"
}

@test "collab-protocol(7): its dialogues, by a client of others" {
    local token
    start_plain_collabd --node n1
    token=$(token "$(claims "$(($(date +%s) + 3600))")")
    [ "$(dialogues | grep -c '^C: ')" -gt 9 ]
    dialogues | grep -v -e '"expired ' -e '"degraded"' -e '"rate_limited"' | play "$token"
}

@test "collab-protocol(7): a token that is not valid" {
    start_plain_collabd
    { dialogues | grep '"expired ' && echo 'S: 1008'; } | play "$(token "$(claims 1000000000)")"
}

@test "collab-protocol(7): without Redis" {
    start_redis
    start_plain_collabd
    stop redis
    wait_until sh -c "curl -fsS http://$GATEWAY/health | grep -q '\"degraded\":true'"
    {
        dialogues | grep '^C:.*"publish","ref":7'
        dialogues | grep '"degraded"'
    } | play "$(token "$(claims "$(($(date +%s) + 3600))")")"
}

@test "collab-protocol(7): its own names, whatever the catalog's are" {
    start_collabd
    { dialogues | grep '"expired ' && echo 'S: 1008'; } | play "$(token "$(claims 1000000000)")"
}

has_joined() # ROOM
{
    curl -fsS "http://$GATEWAY/api/v1/ws/stats" |
        jq -e --arg room "$1" '.clients_per_room[$room] == 1'
}

@test "collab-protocol(7): the client in EXAMPLES gets events, and comes back" {
    start_collabd
    {
        # A browser's WebSocket throws nothing when a connection cannot be made.
        echo 'globalThis.WebSocket = class extends require("ws") {
            constructor(...args) { super(...args); this.on("error", () => {}); }
        };'
        plain "$MAN/collab-protocol.7" | sed -n '/^function connect/,/^}/p'
        echo "connect('ws://$GATEWAY/ws', async () => '$(token "$(claims 9999999999)")',
            ['project:p1'], (event) => console.log(JSON.stringify(event)));"
    } >client.js
    NODE_PATH=$CLIENTS/node_modules start client node client.js
    wait_until has_joined project:p1
    collab-emit -r project:p1 -t first
    wait_for_line "$BATS_TEST_TMPDIR/client.out" '"type":"first"'
    stop collabd
    start_collabd --port "${GATEWAY##*:}"
    wait_until has_joined project:p1
    collab-emit -r project:p1 -t second
    wait_for_line "$BATS_TEST_TMPDIR/client.out" '"type":"second"'
}
