# The authorization helper: a program that says yes and no, and one that does not.

load helpers

setup_file()
{
    start_redis
    jq '.notices.ack = "hello"' "$BATS_TEST_DIRNAME/../examples/kanban/catalog.json" \
        >"$BATS_FILE_TMPDIR/catalog.json"
    # By the room: yes for a while, yes once, no, silence, lies of several kinds, or death.
    cat >"$BATS_FILE_TMPDIR/helper" <<'END'
#!/bin/bash
echo $$ >>"$0.starts"
while IFS= read -r line; do
    echo "$line" >>"$0.asked"
    id=$(sed 's/^{"id":\([0-9]*\),.*/\1/' <<<"$line")
    case $line in
    *:keep*) echo "{\"id\":$id,\"allow\":true,\"for\":60}" ;;
    *:yes*) echo "{\"id\":$id,\"allow\":true}" ;;
    *:no*) echo "{\"id\":$id,\"allow\":false}" ;;
    *:silent*) ;;
    *:other*) echo "{\"id\":$((id + 1000)),\"allow\":true}" ;;
    *:text*) echo "{\"id\":$id,\"allow\":\"true\"}" ;;
    *:garbage*) echo "yes, of course" ;;
    *:die*) exit 3 ;;
    *:flood*) head -c 100000 /dev/zero | tr '\0' x ;;
    esac
done
END
    chmod +x "$BATS_FILE_TMPDIR/helper"
    start_asking a 60s
}

# A node with that helper, which is given so long for an answer: not long where it gives none.
start_asking() # NAME TIME
{
    start_node "$1" --node "$1" --catalog "$BATS_FILE_TMPDIR/catalog.json" \
        --authz "exec '$BATS_FILE_TMPDIR/helper'" --authz-time "$2"
}

teardown_file()
{
    stop_all
}

setup()
{
    : >"$BATS_FILE_TMPDIR/helper.asked"
    start_client ann a '{"sub":"ann","rooms":[]}'
    hears ann '"type":"hello"'
}

teardown()
{
    stop_all
}

join() # ROOM [REF]
{
    tell ann "{\"type\":\"subscribe\",\"data\":[\"$1\"],\"ref\":\"${2:-$1}\"}"
    hears ann "\"ref\":\"${2:-$1}\""
}

metric() # NAME [NODE]
{
    curl -fsS "http://$(address_of "${2:-a}")/metrics" |
        sed -n "s/^collab_$1{.*} //p"
}

@test "the helper says yes and no" {
    join project:yes1
    hears ann '"type":"subscribed","data":{"rooms":["project:yes1"]}'
    join project:no1
    hears ann '"code":"forbidden","message":"the authorization helper says no"'
    grep -qx '{"id":[0-9]*,"ask":"join","user":"ann","room":"project:no1"}' \
        "$BATS_FILE_TMPDIR/helper.asked"
}

@test "a member and a bearer of a grant need no helper" {
    collab-member -q add project:no2 ann
    join project:no2
    hears ann '"rooms":["project:no2"]'
    [ ! -s "$BATS_FILE_TMPDIR/helper.asked" ]
}

@test "an answer is used again for the time that it says, and no other" {
    join project:keep1 1
    join project:keep1 2
    join project:yes2 3
    join project:yes2 4
    [ "$(grep -c keep1 "$BATS_FILE_TMPDIR/helper.asked")" -eq 1 ]
    [ "$(grep -c yes2 "$BATS_FILE_TMPDIR/helper.asked")" -eq 2 ]
}

@test "silence and lies mean no" {
    start_asking hasty 500ms
    start_client eve hasty '{"sub":"eve","rooms":[]}'
    for room in silent other text garbage; do
        tell eve "{\"type\":\"subscribe\",\"data\":[\"project:$room\"],\"ref\":\"$room\"}"
    done
    for room in silent other text garbage; do
        hears eve "\"ref\":\"$room\""
    done
    [ "$(heard eve '"type":"subscribed"')" -eq 0 ]
    [ "$(heard eve '"message":"the authorization helper did not answer in time"')" -eq 4 ]
    wait_until has_bad_answers 3 hasty
}

has_bad_answers() # COUNT [NODE]
{
    [ "$(metric authz_bad_answers_total "${2:-a}")" -eq "$1" ]
}

@test "after lies the truth is taken" {
    local bad
    bad=$(metric authz_bad_answers_total)
    for room in other text garbage; do
        tell ann "{\"type\":\"subscribe\",\"data\":[\"project:$room\"],\"ref\":\"$room\"}"
    done
    join project:yes3
    hears ann '"rooms":["project:yes3"]'
    has_bad_answers $((bad + 3))
}

@test "nobody waits for it but those whom it is asked about" {
    tell ann '{"type":"subscribe","data":["project:silent2"],"ref":"slow"}'
    tell ann '{"type":"ping","ref":"quick"}'
    hears ann '"ref":"quick"'
    [ "$(heard ann '"ref":"slow"')" -eq 0 ]
}

@test "a helper that dies means no, and is started again" {
    local starts
    starts=$(wc -l <"$BATS_FILE_TMPDIR/helper.starts")
    join project:die
    hears ann '"code":"unavailable"'
    started_again()
    {
        [ "$(wc -l <"$BATS_FILE_TMPDIR/helper.starts")" -gt "$starts" ]
    }
    wait_until started_again
    join project:yes4
    hears ann '"rooms":["project:yes4"]'
    join project:flood
    hears ann '"code":"unavailable","message":"the authorization helper: an answer is longer than 64 KiB"'
    [ "$(metric authz_restarts_total)" -ge 2 ]
}

@test "without a helper its rooms are closed" {
    start_node b --node b --catalog "$BATS_FILE_TMPDIR/catalog.json"
    start_client bob b '{"sub":"bob","rooms":[]}'
    hears bob '"type":"hello"'
    tell bob '{"type":"subscribe","data":["project:yes1"],"ref":1}'
    hears bob '"code":"forbidden","message":"not allowed in this room"'
}

@test "a helper that can't be started closes its rooms, and nothing else" {
    start_node c --node c --catalog "$BATS_FILE_TMPDIR/catalog.json" --authz /nonexistent/helper
    start_client bob c '{"sub":"bob","rooms":["task:*"]}'
    hears bob '"type":"hello"'
    tell bob '{"type":"subscribe","data":["project:yes1"],"ref":1}'
    hears bob '"code":"unavailable"'
    tell bob '{"type":"subscribe","data":["task:t1"],"ref":2}'
    hears bob '"rooms":["task:t1"]'
}

@test "claims that the catalog wants" {
    jq '.endpoints.websocket = "/ws" | .notices.ack = "hello"' \
        "$BATS_TEST_DIRNAME/../examples/tenants/catalog.json" >"$BATS_TEST_TMPDIR/tenants.json"
    start_node e --node e --catalog "$BATS_TEST_TMPDIR/tenants.json"
    start_client good e '{"sub":"ann","rooms":["tenant:t1"],"email_verified":true}'
    hears good '"type":"hello"'
    start_client bad e '{"sub":"ann","rooms":["tenant:t1"],"email_verified":false}'
    hears bad '"code":"unauthenticated"'
    hears bad 'close 1008'
    start_client worse e '{"sub":"ann","rooms":["tenant:t1"]}'
    hears worse 'close 1008'
}

# --- who may connect ---

# A node that asks about everybody: by the user's name it hears what rooms hear above.
start_gate() # NAME [JQ_FILTER]
{
    cat >"$BATS_TEST_TMPDIR/gate" <<'END'
#!/bin/bash
while IFS= read -r line; do
    id=$(sed 's/^{"id":\([0-9]*\),.*/\1/' <<<"$line")
    case $line in
    *'"join"'*:p1*) [ -e "$0.closed" ] && allow=false || allow=true; echo "{\"id\":$id,\"allow\":$allow,\"for\":60}" ;;
    *'"user":"yes'*) [ -e "$0.closed" ] && allow=false || allow=true; echo "{\"id\":$id,\"allow\":$allow,\"for\":60}" ;;
    *'"user":"slow'*) until [ -e "$0.go" ]; do sleep 0.02; done; echo "{\"id\":$id,\"allow\":true}" ;;
    *'"user":"no"'*) echo "{\"id\":$id,\"allow\":false}" ;;
    *'"user":"silent"'*) ;;
    *'"user":"other"'*) echo "{\"id\":$((id + 1000)),\"allow\":true}" ;;
    *'"user":"text"'*) echo "{\"id\":$id,\"allow\":\"true\"}" ;;
    *'"user":"change"'*) touch "$0.closed"; echo '{"changed":7}'; echo "$(cat "$0.changed")"; echo "{\"id\":$id,\"allow\":true}" ;;
    *'"user":"die"'*) exit 3 ;;
    esac
done
END
    chmod +x "$BATS_TEST_TMPDIR/gate"
    jq '.notices.ack = "hello" | .auth.helper = "always" | .socketio.namespaces = "/"'"${2:-}" \
        "$BATS_TEST_DIRNAME/../examples/kanban/catalog.json" >"$BATS_TEST_TMPDIR/gate.json"
    start_node "$1" --node "$1" --catalog "$BATS_TEST_TMPDIR/gate.json" \
        --authz "exec '$BATS_TEST_TMPDIR/gate'" --authz-time "${TIME_TO_ANSWER:-60s}"
}

knock() # USER [CLAIMS [NODE]]
{
    start_client "$1" "${3:-gate}" "{\"sub\":\"$1\",\"rooms\":[]${2:-}}"
}

# What a Socket.IO client hears as it connects.
knock_by_polling() # USER
{
    local url sid
    url="http://$GATEWAY/socket.io/?EIO=4&transport=polling"
    sid=$(curl -fsS "$url" | sed 's/.*"sid":"\([^"]*\)".*/\1/')
    curl -fsS -o /dev/null -d "40{\"token\":\"$(token "{\"sub\":\"$1\"}")\"}" "$url&sid=$sid"
    curl -fsS "$url&sid=$sid"
}

post_as() # CLAIMS
{
    curl -sS -w '%{http_code}' -H "Authorization: Bearer $(token "$1")" \
        -d '{"type":"task:created","data":{"taskId":"t1","projectId":"p1"}}' \
        "http://$GATEWAY/api/v1/events"
}

@test "the helper says who may connect" {
    start_gate gate
    knock yes
    hears yes '"type":"hello"'
    knock no
    hears no '"code":"forbidden","message":"the authorization helper says no"'
    hears no 'close 1008'
    run -0 knock_by_polling yes
    [[ $output == '40{"sid":'* ]]
    run -0 knock_by_polling no
    [ "$output" = '44{"message":"the authorization helper says no","data":{"code":"forbidden"}}' ]
}

@test "helper silent, lying or dead: nobody connects, and all may try again" {
    local user
    TIME_TO_ANSWER=500ms start_gate gate
    for user in silent other text; do
        knock "$user"
    done
    for user in silent other text; do
        hears "$user" '"code":"unavailable","message":"the authorization helper did not answer in time"'
        hears "$user" 'close 4004'
    done
    run -0 knock_by_polling silent
    [ "$output" = '44{"message":"the authorization helper did not answer in time","data":{"code":"unavailable"}}' ]
    knock die
    hears die '"code":"unavailable"'
    hears die 'close 4004'
    run -0 knock_by_polling silent
    [[ $output == '44{'*'"code":"unavailable"}}' ]]
}

@test "without a helper that is to be asked nobody connects" {
    jq '.auth.helper = "always"' "$BATS_TEST_DIRNAME/../examples/kanban/catalog.json" \
        >"$BATS_TEST_TMPDIR/always.json"
    start_node gate --node gate --catalog "$BATS_TEST_TMPDIR/always.json"
    knock yes
    hears yes '"code":"forbidden","message":"there is no authorization helper"'
    hears yes 'close 1008'
}

@test "what a client asks while it is being judged is answered after that" {
    start_gate gate
    knock slow
    tell slow '{"type":"subscribe","data":["user:slow"],"ref":1}'
    tell slow '{"type":"ping","ref":2}'
    knock slow2
    tell slow2 end
    hears slow2 'close'
    [ "$(heard slow hello)" -eq 0 ]
    touch "$BATS_TEST_TMPDIR/gate.go"
    hears slow '"ref":2'
    hears slow '"ref":1'
    [ "$(sed -n '1s/.*"type":"\([^"]*\)".*/\1/p' "$(here)/slow.out")" = hello ]
}

@test "of what a client asks while it is being judged so much is kept, and no more" {
    local i
    TIME_TO_ANSWER=20s start_gate gate
    knock slow
    for ((i = 1; i <= 65; i++)); do
        tell slow "{\"type\":\"ping\",\"ref\":$i}"
    done
    hears slow '"code":"too_many","message":"too much was asked before the session was let in","ref":65'
    touch "$BATS_TEST_TMPDIR/gate.go"
    hears slow '"type":"pong","ref":64'
    [ "$(heard slow '"type":"pong"')" -eq 64 ]
}

@test "the helper instead of a claim" {
    local instead=' | .auth = {claims: {email_verified: true}, helper: "instead"}'
    start_gate gate "$instead"
    knock no ',"email_verified":true'
    hears no '"type":"hello"'
    knock yes ',"email_verified":false'
    hears yes '"type":"hello"'
    TIME_TO_ANSWER=500ms start_gate hasty "$instead"
    knock text '' hasty
    hears text '"code":"unavailable"'
}

@test "who publishes by HTTP is asked about too, but for an admin" {
    start_gate gate
    [ "$(post_as '{"sub":"yes","publish":["*"]}' | tail -c 3)" = 200 ]
    run -0 post_as '{"sub":"no","publish":["*"]}'
    [ "${lines[0]}" = '{"code":"forbidden","message":"the authorization helper says no"}' ]
    [ "${lines[1]}" = 403 ]
    [ "$(post_as '{"sub":"no","publish":["*"],"role":"admin"}' | tail -c 3)" = 200 ]
    TIME_TO_ANSWER=500ms start_gate hasty
    [ "$(post_as '{"sub":"silent","publish":["*"]}' | tail -c 3)" = 503 ]
}

@test "what has changed is asked anew: of a user, of everybody" {
    start_gate gate '| .rooms["project:{projectId}"] = {join: "helper"}'
    echo '{"changed":"yes1"}' >"$BATS_TEST_TMPDIR/gate.changed"
    knock yes1
    knock yes2
    hears yes1 hello
    hears yes2 hello
    tell yes1 '{"type":"subscribe","data":["project:p1"],"ref":1}'
    tell yes2 '{"type":"subscribe","data":["project:p1"],"ref":1}'
    hears yes1 '"ref":1'
    hears yes2 '"ref":1'
    knock change
    hears yes1 '"code":"forbidden","message":"the authorization helper says no","data":{"rooms":["project:p1"]}'
    hears yes1 'close 1008'
    hears change hello
    tell yes2 '{"type":"ping","ref":2}'
    hears yes2 '"ref":2'
    [ "$(heard yes2 forbidden)" -eq 0 ]
    echo '{"changed":true}' >"$BATS_TEST_TMPDIR/gate.changed"
    tell change end
    hears change close
    stop change
    rm "$(here)/change.in"
    knock change
    hears yes2 '"data":{"rooms":["project:p1"]}'
    hears yes2 'close 1008'
}
