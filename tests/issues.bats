# The system `issues` of examples: what its clients send and get, in its own words.

load helpers
load gateway

setup_file()
{
    load helpers
    export COLLAB_CATALOG=$BATS_TEST_DIRNAME/../examples/issues/catalog.json
    start_redis
}

# Nothing of another test waits for anybody.
setup()
{
    redis flushall >/dev/null
    start_collabd --node n1
    collab-member load -q <<'END'
{"room":"workspace:w1","user":"ann"}
{"room":"team:t1","user":"ann"}
{"room":"issue:i1","user":"ann"}
{"room":"project:p1","user":"ann"}
{"room":"cycle:c1","user":"ann"}
{"room":"team:t1","user":"ben"}
{"room":"issue:i1","user":"ben"}
{"room":"issue:i1","user":"cid"}
END
    start_player
}

teardown()
{
    stop_all
}

teardown_file()
{
    stop_all
}

# What is published while a client comes may be marked as having waited for it.
eval "marked_line() $(declare -f next_line | tail -n +2)"
next_line() # NAME
{
    marked_line "$1" || return
    line=${line/'{"offline":true,'/'{'}
}

# As the application's own client: no subprotocol, the token in the query.
come() # NAME [USER]
{
    tell "$1" connect "ws://$GATEWAY/ws?token=$(token "{\"sub\":\"${2:-$1}\"}")"
    hear "$1" open "$(ack "${2:-$1}")"
}

ack() # USER
{
    local ping=${PING:-30000 60000}
    printf '{"type":"connection.ack","payload":{"connection":"ID","user":"%s","node":"%s",' "$1" "${NODE:-n1}"
    printf '"heartbeat":{"interval_ms":%s,"timeout_ms":%s}},"timestamp":"NOW"}' \
        "${ping% *}" "${ping#* }"
}

list() # ROOM...
{
    local rooms
    rooms=$(printf ',"%s"' "$@")
    echo "[${rooms:1}]"
}

subscribe() # NAME ROOM...
{
    say "$1" '{"type":"subscribe","payload":'"$(list "${@:2}")"'}'
    hear "$1" '{"type":"subscribed","payload":{"rooms":'"$(list "${@:2}")"'},"timestamp":"NOW"}'
}

error() # CODE MESSAGE [MORE]
{
    printf '{"type":"error","payload":{"code":"%s","message":"%s"%s},"timestamp":"NOW"}' \
        "$1" "$2" "${3:-}"
}

emit() # TYPE PAYLOAD
{
    collab-emit -q -u app -t "$1" -d "$2"
}

# An event that goes to one room, or to several.
event() # TYPE ROOMS PAYLOAD [VERSION]
{
    local rooms="\"room\":\"${2%% *}\""
    # shellcheck disable=SC2086
    [ "$2" = "${2%% *}" ] || rooms="$rooms,\"rooms\":$(list $2)"
    echo '{"id":"ID","type":"'"$1"'",'"$rooms"',"userId":"app","timestamp":"NOW",'"${4:+\"version\":$4,}"'"payload":'"$3"'}'
}

# An event, wherever it stands in its room's history.
hear_event() # NAME EVENT
{
    next_line "$1"
    [ "$(sed 's/"ID-[0-9]*"/"ID"/' <<<"$line")" = "$2" ] || {
        printf '%s heard:   %s\ninstead of: %s\n' "$1" "$line" "$2"
        return 1
    }
}

PONG='{"type":"pong","timestamp":"NOW"}'

@test "a token in the query or the header; connection.ack" {
    local token
    token=$(token '{"sub":"ann"}')
    tell query connect "ws://$GATEWAY/ws?token=$token"
    hear query open "$(ack ann)"
    tell header connect "ws://$GATEWAY/ws" "header=Authorization:Bearer%20$token"
    hear header open "$(ack ann)"
}

@test "a token that fails, or none: closed with 1008" {
    tell bad connect "ws://$GATEWAY/ws?token=$(token '{"sub":"ann","exp":1000000000}')"
    hear bad open
    next_line bad
    [[ $line = '{"type":"error","payload":{"code":"unauthenticated","message":"expired '* ]]
    hear bad 'close 1008 not authenticated'
    tell none connect "ws://$GATEWAY/ws"
    hear none open "$(error unauthenticated "a token is needed: token in the query or \
Authorization: Bearer")" 'close 1008 not authenticated'
}

@test "the envelope, both ways; nobody is believed to be another" {
    come ann
    come ben
    subscribe ann issue:i1
    subscribe ben issue:i1
    say ben '{"type":"user.typing","payload":{"issueId":"i1","userId":"ann"},"timestamp":"2020-01-01T00:00:00Z","userId":"ann"}'
    hear ann '{"type":"user.typing","room":"issue:i1","userId":"ben","timestamp":"NOW","payload":{"userId":"ben","issueId":"i1"}}'
    say ben '{"type":"ping","payload":{},"timestamp":"2020-01-01T00:00:00Z","userId":"ann"}'
    hear ben "$PONG"
}

@test "subscribe and unsubscribe with a list of rooms, ping" {
    come ann
    subscribe ann team:t1 issue:i1
    say ann '{"type":"unsubscribe","payload":["issue:i1"]}'
    hear ann '{"type":"unsubscribed","payload":{"rooms":["issue:i1"]},"timestamp":"NOW"}'
    emit comment.created '{"commentId":"c1","issueId":"i1","teamId":"t9"}'
    say ann '{"type":"ping"}'
    hear ann "$PONG"
    say ann '{"type":"subscribe","payload":{"rooms":["issue:i1"]},"ref":1}'
    hear ann '{"type":"subscribed","payload":{"rooms":["issue:i1"]},"ref":1,"timestamp":"NOW"}'
}

@test "rooms of six kinds, for their members; a user's own by itself" {
    local room forbidden='"code":"forbidden","message":"not allowed in this room"'
    come ann
    subscribe ann workspace:w1 team:t1 issue:i1 project:p1 cycle:c1
    for room in workspace:w2 team:t2 issue:i2 project:p2 cycle:c2 user:ben; do
        say ann '{"type":"subscribe","payload":["'$room'"]}'
        hear ann '{"type":"error","payload":{'"$forbidden"',"detail":{"rooms":[],"refused":[{"room":"'$room'",'"$forbidden"'}]}},"timestamp":"NOW"}'
    done
    say ann '{"type":"subscribe","payload":["board:b1"]}'
    next_line ann
    [[ $line = *'"code":"forbidden"'* ]]
}

@test "who is a member no longer leaves the room at once" {
    come cid
    subscribe cid issue:i1
    collab-member -q remove issue:i1 cid
    hear cid "$(error forbidden 'a membership has changed' ',"detail":{"rooms":["issue:i1"]}')"
    emit comment.created '{"commentId":"c1","issueId":"i1","teamId":"t1"}'
    say cid '{"type":"ping"}'
    hear cid "$PONG"
}

@test "an issue is created, to its team alone" {
    come ann
    come ben
    subscribe ann team:t1
    subscribe ben issue:i1
    emit issue.created '{"issueId":"i1","teamId":"t1","title":"It breaks"}'
    hear_event ann "$(event issue.created team:t1 \
        '{"issueId":"i1","teamId":"t1","title":"It breaks"}' 0)"
    say ben '{"type":"ping"}'
    hear ben "$PONG"
}

@test "issues and comments, to team and issue; who is in both gets one" {
    local name type payload
    for name in both team issue; do come $name ann; done
    subscribe both issue:i1 team:t1
    subscribe team team:t1
    subscribe issue issue:i1
    for type in issue.updated issue.archived issue.deleted \
        comment.created comment.updated comment.deleted; do
        payload='{"issueId":"i1","teamId":"t1"}'
        [[ $type = comment.* ]] && payload='{"commentId":"c1","issueId":"i1","teamId":"t1"}'
        emit $type "$payload"
        for name in both team issue; do
            next_line $name
            echo "$line"
            jq -e --arg type $type --arg room "$([ $name = issue ] && echo issue:i1 || echo team:t1)" \
                --argjson payload "$payload" '.type == $type and .room == $room and
                .rooms == ["team:t1", "issue:i1"] and .payload == $payload' <<<"$line"
        done
    done
    for name in both team issue; do
        say $name '{"type":"ping"}'
        hear $name "$PONG"
    done
}

@test "projects, cycles, notifications" {
    come ann
    come ben
    subscribe ann workspace:w1 project:p1 cycle:c1
    emit project.updated '{"projectId":"p1","workspaceId":"w1"}'
    emit cycle.updated '{"cycleId":"c1","teamId":"t1"}'
    emit notification '{"userId":"ann","text":"You were named"}'
    emit notification '{"userId":"ben","text":"Assigned"}'
    hear_event ann "$(event project.updated 'workspace:w1 project:p1' \
        '{"projectId":"p1","workspaceId":"w1"}')"
    hear_event ann "$(event cycle.updated 'team:t1 cycle:c1' '{"cycleId":"c1","teamId":"t1"}' |
        sed 's/"room":"team:t1"/"room":"cycle:c1"/')"
    hear_event ann "$(event notification user:ann '{"userId":"ann","text":"You were named"}')"
    hear_event ben "$(event notification user:ben '{"userId":"ben","text":"Assigned"}')"
}

@test "user.typing, to the others in the issue" {
    come ann
    come ben
    subscribe ann issue:i1
    subscribe ben issue:i1
    say ann '{"type":"user.typing","payload":{"issueId":"i1"}}'
    hear ben '{"type":"user.typing","room":"issue:i1","userId":"ann","timestamp":"NOW","payload":{"userId":"ann","issueId":"i1"}}'
    say ann '{"type":"user.typing","payload":{"issueId":"i2"}}'
    hear ann "$(error forbidden 'not allowed to publish to issue:i2')"
    say ann '{"type":"ping"}'
    hear ann "$PONG"
}

@test "clients are told events, and publish none but that they type" {
    come ann
    subscribe ann team:t1
    say ann '{"type":"publish","payload":{"type":"issue.created","data":{"issueId":"i2","teamId":"t1"}}}'
    hear ann "$(error forbidden 'not allowed to publish to team:t1')"
}

@test "an event without its fields is refused" {
    run -1 --separate-stderr collab-emit -q -t issue.updated -d '{"issueId":"i1"}'
    [[ $stderr = *teamId* ]]
    run -1 collab-emit -q -t notification -d '{"text":"hello"}'
    run -1 collab-emit -q -t issue.moved -d '{"issueId":"i1","teamId":"t1"}'
}

@test "malformed JSON gets an error, unknown types are logged and ignored" {
    come ann
    say ann '{"type":'
    hear ann "$(error bad_message 'column 9: expected a value, found the end')"
    say ann '{"type":"issue.explode","payload":1}'
    say ann '{"type":"ping"}'
    hear ann "$PONG"
    grep -q 'info collabd: .*: unknown message "issue.explode" left out' \
        "$BATS_TEST_TMPDIR/collabd.err"
}

@test "100 messages a minute: the time until reset is told, the connection stays" {
    local i
    come ann
    subscribe ann team:t1
    for ((i = 0; i < 99; i++)); do say ann '{"type":"ping"}'; done
    for ((i = 0; i < 99; i++)); do echo "$PONG"; done >"$BATS_TEST_TMPDIR/pongs"
    wait_until has_heard ann 102
    diff <(tail -n +4 "$BATS_TEST_TMPDIR/ann.heard") "$BATS_TEST_TMPDIR/pongs"
    heard[ann]=102
    say ann '{"type":"ping"}'
    next_line ann
    jq -e '.type == "error" and .payload.code == "rate_limited" and (.payload.message |
        startswith("more messages than 100/1m of one client; allowed again in ")) and
        .payload.detail.retry_after_ms > 0 and .payload.detail.retry_after_ms <= 60000' <<<"$line"
    emit notification '{"userId":"ann","text":"still here"}'
    hear_event ann "$(event notification user:ann '{"userId":"ann","text":"still here"}')"
}

@test "an administrator lifts a client's limit" {
    local i
    come ann
    for ((i = 0; i < 101; i++)); do say ann '{"type":"ping"}'; done
    wait_until has_heard ann 103
    [[ $(sed -n 103p "$BATS_TEST_TMPDIR/ann.heard") = *rate_limited* ]]
    heard[ann]=103
    run -0 collab-kick --reset --user ann
    say ann '{"type":"ping"}'
    hear ann "$PONG"
}

@test "a notification waits for who is away" {
    emit notification '{"userId":"ann","text":"You were named"}'
    come ann
    marked_line ann
    [ "$(sed 's/"ID-[0-9]*"/"ID"/' <<<"$line")" = "$(event notification user:ann \
        '{"userId":"ann","text":"You were named"}' | sed 's/{/{"offline":true,/')" ]
}

# A gateway of the test's own, on the file's Redis.
start_own() # [OPTION]...
{
    NODE=n2
    start_node own --node n2 "$@"
}

@test "10 failed attempts a minute from an address, then none is looked at" {
    local i
    start_own
    for ((i = 0; i < 10; i++)); do
        tell "c$i" connect "ws://$GATEWAY/ws?token=bad"
        hear "c$i" open
        next_line "c$i"
        hear "c$i" 'close 1008 not authenticated'
    done
    tell late connect "ws://$GATEWAY/ws?token=$(token '{"sub":"ann"}')"
    next_line late
    [[ $line = 'refused 429: too many attempts to authenticate from this address; allowed again in '* ]]
    metric_is auth_rate_refused_total 1
}

@test "pinged every 30 s, removed after 60 s of silence" {
    come ann
    start_own --ping-interval 100ms --ping-timeout 3s
    PING='100 3000'
    tell quick connect "ws://$GATEWAY/ws?token=$(token '{"sub":"ann"}')" pings
    hear quick open "$(ack ann)" ping ping
    tell dead connect "ws://$GATEWAY/ws?token=$(token '{"sub":"ann"}')" silent
    hear dead open "$(ack ann)"
    next_line dead
    [[ $line = 'close 4000'* ]]
    hear quick ping
}

@test "statistics: clients, rooms, clients of each, and of the limits" {
    start_own
    tell ann connect "ws://$GATEWAY/ws?token=$(token '{"sub":"ann"}')"
    tell ben connect "ws://$GATEWAY/ws?token=$(token '{"sub":"ben"}')"
    for name in ann ben; do hear $name open "$(ack $name)"; done
    subscribe ann team:t1 issue:i1
    subscribe ben team:t1
    curl -fsS "http://$GATEWAY/api/v1/ws/stats" | jq -e '.clients == 2 and .rooms == 4 and
        .clients_per_room == {"user:ann": 1, "user:ben": 1, "team:t1": 2, "issue:i1": 1} and
        ([.metrics.client_rate_refused_total, .metrics.auth_rate_refused_total] == [0, 0])'
}

ends_cleanly() # SIGNAL
{
    start_own
    tell ann connect "ws://$GATEWAY/ws?token=$(token '{"sub":"ann"}')"
    hear ann open "$(ack ann)"
    stop own "$1"
    [ "$status" -eq 0 ]
    next_line ann
    [[ $line = '{"type":"error","payload":{"code":"restarting",'* ]] && next_line ann
    [[ $line = 'close 1012'* ]]
}

@test "SIGINT closes cleanly" {
    ends_cleanly INT
}

@test "SIGTERM closes cleanly" {
    ends_cleanly TERM
}
