# The system `todo` of examples: what its clients send and get, in its own words.

load helpers
load gateway

setup_file()
{
    load helpers
    export COLLAB_CATALOG=$BATS_TEST_DIRNAME/../examples/todo/catalog.json
    start_redis
}

# As they stand in Redis, without a word to anybody.
set_members() # ROOM USER...
{
    local user
    for user in "${@:2}"; do
        redis hset "collab:members:{$1}" "$user" member >/dev/null
        redis sadd "collab:member-of:{$user}" "$1" >/dev/null
    done
}

# Nothing of another test waits for anybody.
setup()
{
    redis flushall >/dev/null
    start_collabd --node n1
    set_members workspace:w1 ann ben
    set_members workspace:w2 ann
    set_members workspace:w3 cid
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

# As the application's own client: no subprotocol, no token but in the first message.
come() # NAME [USER]
{
    tell "$1" connect "ws://$GATEWAY/api/v1/ws"
    hear "$1" open
    say "$1" '{"type":"AUTHENTICATE","data":{"token":"'"$(token "{\"sub\":\"${2:-$1}\"}")"'"},"timestamp":"2026-11-20T18:00:00.000Z"}'
    hear "$1" "$(ack "${2:-$1}")"
}

ack() # USER
{
    local ping=${PING:-30000 60000}
    printf '{"type":"CONNECT","data":{"connection":"ID","user":"%s","node":"%s",' "$1" "${NODE:-n1}"
    printf '"heartbeat":{"interval_ms":%s,"timeout_ms":%s}},"timestamp":"NOW"}' \
        "${ping% *}" "${ping#* }"
}

# What comes next but presence, wherever it stands in its room's history.
hear_next() # NAME LINE...
{
    local name=$1 wanted
    shift
    for wanted; do
        next_line "$name"
        while [[ $line = *'"type":"USER_PRESENCE"'* ]]; do
            next_line "$name"
        done
        [ "$(sed 's/"ID-[0-9]*"/"ID"/g' <<<"$line")" = "$wanted" ] || {
            printf '%s heard:   %s\ninstead of: %s\n' "$name" "$line" "$wanted"
            return 1
        }
    done
}

# Nothing came, and nothing is under way.
hears_nothing() # NAME...
{
    local name
    for name; do
        say "$name" '{"type":"PING"}'
        hear_next "$name" '{"type":"PONG","timestamp":"NOW"}'
    done
}

error() # CODE MESSAGE [MORE]
{
    printf '{"type":"ERROR","data":{"code":"%s","message":"%s"%s},"timestamp":"NOW"}' \
        "$1" "$2" "${3:-}"
}

# A task's event in w1, by ann.
event() # TYPE VERSION FIELDS
{
    echo '{"id":"ID","type":"'"$1"'","room":"workspace:w1","user":"ann","timestamp":"NOW","version":'"$2"',"data":{"userId":"ann","workspaceId":"w1","taskId":"'"$TASK"'"'"${3:+,$3}"'}}'
}

# Says that of a task in w1.
task() # NAME TYPE [FIELDS]
{
    say "$1" '{"type":"'"$2"'","data":{"workspaceId":"w1","taskId":"'"$TASK"'"'"${3:+,$3}"'},"timestamp":"2026-11-20T18:00:00.000Z"}'
}

emit() # TYPE DATA
{
    collab-emit -q -u app -t "$1" -d "$2"
}

# A gateway of the test's own, on the file's Redis.
start_own()
{
    NODE=n2
    start_node own --node n2
}

@test "the token comes in the first message, and not in the address" {
    come ann
    tell query connect "ws://$GATEWAY/api/v1/ws?token=$(token '{"sub":"ann"}')"
    hear query open
    hears_nothing query
    say query '{"type":"SYNC_REQUEST","data":{}}'
    hear query "$(error unauthenticated 'authenticate first')"
}

@test "a token that is not valid" {
    tell ann connect "ws://$GATEWAY/api/v1/ws"
    hear ann open
    say ann '{"type":"AUTHENTICATE","data":{"token":"nonsense"},"timestamp":"2026-11-20T18:00:00.000Z"}'
    hear ann "$(error unauthenticated 'not a token: must have 3 parts with a dot between, found 1')" \
        'close 1008 not authenticated'
}

@test "unauthenticated connections are closed after a time limit" {
    COLLAB_AUTH_TIME=300ms start_own
    tell ann connect "ws://$GATEWAY/api/v1/ws"
    hear ann open 'close 4500 no token within the time limit'
}

@test "who authenticates is in every workspace that they may see, and no other" {
    come ann
    emit WORKSPACE_UPDATED '{"workspaceId":"w1"}'
    emit WORKSPACE_UPDATED '{"workspaceId":"w3"}'
    emit WORKSPACE_UPDATED '{"workspaceId":"w2"}'
    for room in w1 w2; do
        hear_next ann '{"id":"ID","type":"WORKSPACE_UPDATED","room":"workspace:'$room'","user":"app","timestamp":"NOW","data":{"workspaceId":"'$room'"}}'
    done
    hears_nothing ann
}

@test "WORKSPACE_MEMBER_ADDED and _REMOVED: its events come, and come no more" {
    come ann
    come cid
    collab-member -q add workspace:w3 ann
    hear_next ann '{"id":"ID","type":"WORKSPACE_MEMBER_ADDED","room":"user:ann","rooms":["workspace:w3","user:ann"],"user":"ann","timestamp":"NOW","data":{"workspaceId":"w3","userId":"ann","role":"member"}}'
    hear_next cid '{"id":"ID","type":"WORKSPACE_MEMBER_ADDED","room":"workspace:w3","rooms":["workspace:w3","user:ann"],"user":"ann","timestamp":"NOW","data":{"workspaceId":"w3","userId":"ann","role":"member"}}'
    emit WORKSPACE_UPDATED '{"workspaceId":"w3"}'
    hear_next ann '{"id":"ID","type":"WORKSPACE_UPDATED","room":"workspace:w3","user":"app","timestamp":"NOW","data":{"workspaceId":"w3"}}'
    collab-member -q remove workspace:w3 ann
    hear_next ann "$(error forbidden 'a membership has changed' ',"detail":{"rooms":["workspace:w3"]}')" \
        '{"id":"ID","type":"WORKSPACE_MEMBER_REMOVED","room":"user:ann","rooms":["workspace:w3","user:ann"],"user":"ann","timestamp":"NOW","data":{"workspaceId":"w3","userId":"ann"}}'
    emit WORKSPACE_UPDATED '{"workspaceId":"w3"}'
    hears_nothing ann
}

@test "tasks, from one member to all, each with its version" {
    TASK=t-all
    come ann
    come ben
    come cid
    task ann TASK_CREATED '"title":"Buy milk"'
    task ann TASK_UPDATED '"title":"Buy oat milk"'
    task ann TASK_MOVED '"position":3'
    task ann TASK_COMPLETED
    task ann TASK_DELETED
    for name in ann ben; do
        hear_next $name "$(event TASK_CREATED 0 '"title":"Buy milk"')" \
            "$(event TASK_UPDATED 1 '"title":"Buy oat milk"')" "$(event TASK_MOVED 2 '"position":3')" \
            "$(event TASK_COMPLETED 3)" "$(event TASK_DELETED 3)"
    done
    hears_nothing ann ben cid
}

@test "who is no member of a workspace says nothing there" {
    TASK=t-foreign
    come ben
    come cid
    task cid TASK_CREATED '"title":"Mine"'
    hear_next cid "$(error forbidden 'not allowed to publish to workspace:w1')"
    say cid '{"type":"USER_TYPING","data":{"workspaceId":"w1"}}'
    hear_next cid "$(error forbidden 'not allowed to publish to workspace:w1')"
    say cid '{"type":"CURSOR_POSITION","data":{"workspaceId":"w1"}}'
    hear_next cid "$(error forbidden 'not allowed to publish to workspace:w1')"
    hears_nothing ben
}

@test "workspaces are told of by the application alone; an event for one user" {
    come ann
    come ben
    emit WORKSPACE_CREATED '{"workspaceId":"w8","userId":"ann"}'
    emit WORKSPACE_UPDATED '{"workspaceId":"w1","name":"Home"}'
    emit WORKSPACE_DELETED '{"workspaceId":"w1"}'
    hear_next ann '{"id":"ID","type":"WORKSPACE_CREATED","room":"user:ann","user":"app","timestamp":"NOW","data":{"workspaceId":"w8","userId":"ann"}}'
    for name in ann ben; do
        hear_next $name '{"id":"ID","type":"WORKSPACE_UPDATED","room":"workspace:w1","user":"app","timestamp":"NOW","data":{"workspaceId":"w1","name":"Home"}}' \
            '{"id":"ID","type":"WORKSPACE_DELETED","room":"workspace:w1","user":"app","timestamp":"NOW","data":{"workspaceId":"w1"}}'
    done
    say ann '{"type":"WORKSPACE_DELETED","data":{"workspaceId":"w1"}}'
    say ann '{"type":"publish","data":{"type":"WORKSPACE_DELETED","data":{"workspaceId":"w1"}}}'
    hear_next ann "$(error forbidden 'clients do not publish WORKSPACE_DELETED')"
    hears_nothing ann ben
}

@test "USER_PRESENCE: online, away, offline" {
    local told='{"type":"USER_PRESENCE","room":"workspace:w5","user":"eve","timestamp":"NOW","data":{"userId":"eve","status":'
    set_members workspace:w5 eve dan
    come dan
    next_line dan
    come eve
    hear dan "$told"'"online"}}'
    say eve '{"type":"USER_PRESENCE","data":{"status":"away"}}'
    hear dan "$told"'"away"}}'
    say eve '{"type":"USER_PRESENCE","data":{"status":"asleep"}}'
    next_line eve
    hear eve "$told"'"away"}}'
    next_line eve
    [[ $line = '{"type":"ERROR","data":{"code":"bad_message"'*status* ]]
    tell eve close
    hear dan "$told"'"offline"}}'
}

@test "USER_TYPING and CURSOR_POSITION, to the others in the workspace" {
    come ann
    come ben
    say ann '{"type":"USER_TYPING","data":{"workspaceId":"w1","taskId":"t1","isTyping":true}}'
    say ann '{"type":"CURSOR_POSITION","data":{"workspaceId":"w1","position":{"x":7,"y":9}}}'
    hear_next ben '{"type":"USER_TYPING","room":"workspace:w1","user":"ann","timestamp":"NOW","data":{"userId":"ann","workspaceId":"w1","taskId":"t1","isTyping":true}}' \
        '{"type":"CURSOR_POSITION","room":"workspace:w1","user":"ann","timestamp":"NOW","data":{"userId":"ann","workspaceId":"w1","position":{"x":7,"y":9}}}'
    hears_nothing ann
}

@test "PING, DISCONNECT, malformed JSON, types that are not known" {
    come ann
    hears_nothing ann
    say ann '{"type":"TASK_CREATED",'
    hear_next ann "$(error bad_message 'column 24: expected a key, found the end')"
    say ann '{"type":"TASK_SHREDDED","data":{}}'
    hears_nothing ann
    say ann '{"type":"TASK_CREATED","data":{"workspaceId":"w1"}}'
    next_line ann
    [[ $line = '{"type":"ERROR","data":{"code":"bad_event"'*taskId* ]]
    say ann '{"type":"DISCONNECT"}'
    hear_next ann 'close 1000 closed as asked'
}

# What comes next had waited, and is this.
hear_waited() # NAME LINE
{
    marked_line "$1"
    while [[ $line = *'"type":"USER_PRESENCE"'* ]]; do
        marked_line "$1"
    done
    [ "$(sed 's/"ID-[0-9]*"/"ID"/' <<<"$line")" = "${2/'{'/'{"offline":true,'}" ] || {
        echo "$line"
        return 1
    }
}

@test "events for who is away are kept for 7 days and delivered on return, once" {
    TASK=t-away
    come ann
    task ann TASK_CREATED '"title":"Buy milk"'
    task ann TASK_COMPLETED
    emit WORKSPACE_CREATED '{"workspaceId":"w8","userId":"ben"}'
    hear_next ann "$(event TASK_CREATED 0 '"title":"Buy milk"')" "$(event TASK_COMPLETED 1)"
    come ben
    hear_waited ben '{"id":"ID","type":"WORKSPACE_CREATED","room":"user:ben","user":"app","timestamp":"NOW","data":{"workspaceId":"w8","userId":"ben"}}'
    hear_waited ben "$(event TASK_CREATED 0 '"title":"Buy milk"')"
    hear_waited ben "$(event TASK_COMPLETED 1)"
    [ "$(redis pttl 'collab:history:{workspace:w1}')" -gt $((6 * 86400000)) ]
    # Acknowledged, by a client that says which device it is on; then it has no more to come.
    tell phone connect "ws://$GATEWAY/api/v1/ws?device=phone" \
        "header=Authorization:Bearer%20$(token '{"sub":"ben"}')"
    hear phone open "$(ack ben)"
    hear_waited phone '{"id":"ID","type":"WORKSPACE_CREATED","room":"user:ben","user":"app","timestamp":"NOW","data":{"workspaceId":"w8","userId":"ben"}}'
    hear_waited phone "$(event TASK_CREATED 0 '"title":"Buy milk"')"
    hear_waited phone "$(event TASK_COMPLETED 1)"
    say phone '{"type":"acknowledge","data":{"ids":{"user:ben":"'"$(last_id user:ben)"'","workspace:w1":"'"$(last_id workspace:w1)"'"}}}'
    hears_nothing phone
    tell phone close
    wait_until grep -q '^close' "$BATS_TEST_TMPDIR/phone.heard"
    tell again connect "ws://$GATEWAY/api/v1/ws?device=phone" \
        "header=Authorization:Bearer%20$(token '{"sub":"ben"}')"
    hear again open "$(ack ben)"
    hears_nothing again
}

# Of the newest event in a room.
last_id() # ROOM
{
    redis xrevrange "collab:history:{$1}" + - count 1 | sed -n 1p
}

# Asks, and prints the types and versions of what comes.
synced() # NAME DATA
{
    say "$1" '{"type":"SYNC_REQUEST","data":'"$2"',"timestamp":"2026-11-20T18:00:00.000Z"}'
    next_line "$1"
    while [[ $line != *'"type":"SYNC_RESPONSE"'* ]]; do next_line "$1"; done
}

@test "SYNC_REQUEST: everything since a point, in the names of the protocol" {
    TASK=t-sync
    come ann
    synced ann '{"workspaceId":"w1"}'
    since=$(jq -c '.data.rooms | map_values(.last) | {since: (. // {})}' <<<"$line")
    task ann TASK_CREATED '"title":"a"'
    task ann TASK_COMPLETED
    hear_next ann "$(event TASK_CREATED 0 '"title":"a"')" "$(event TASK_COMPLETED 1)"
    come ben
    synced ben '{"workspaceId":"w1","since":0,"order":"newest","limit":1}'
    jq -e '.data.rooms["workspace:w1"] | .more == true' <<<"$line"
    diff <(jq -c '.data.events[]' <<<"$line" | sed 's/"ID-[0-9]*"/"ID"/') \
        <(event TASK_COMPLETED 1)
    synced ben '{"workspaceId":"w1","since":0}'
    diff <(jq -c '.data.events[]' <<<"$line" | sed 's/"ID-[0-9]*"/"ID"/') - <<END
$(event TASK_CREATED 0 '"title":"a"')
$(event TASK_COMPLETED 1)
END
    synced ben '{"workspaceId":"w1","since":"2100-01-01T00:00:00Z"}'
    jq -e '.data.events == [] and .data.rooms["workspace:w1"].complete' <<<"$line"
    synced ben '{"workspaceId":"w3","since":0}'
    jq -e '.data == {rooms: {"workspace:w3": {code: "forbidden"}}, events: []}' <<<"$line"
    synced ben '{"since":0}'
    jq -e '.data.rooms | keys == ["user:ben", "workspace:w1"]' <<<"$line"
}

@test "conflicts: other fields are merged, the same field is refused with what is current" {
    TASK=t-merge
    come ann
    task ann TASK_CREATED '"title":"a"'
    task ann TASK_UPDATED '"title":"b","version":0'
    task ann TASK_UPDATED '"due":"Friday","version":0'
    hear_next ann "$(event TASK_CREATED 0 '"title":"a"')" \
        "$(event TASK_UPDATED 1 '"title":"b","version":0')" \
        "$(event TASK_UPDATED 2 '"due":"Friday","version":0')"
    task ann TASK_UPDATED '"title":"c","version":0'
    next_line ann
    jq -e '.type == "ERROR" and .data.code == "conflict" and .data.detail.version == 2 and
        (.data.detail.event | .type == "TASK_UPDATED" and .timestamp == "NOW")' <<<"$line"
    task ann TASK_UPDATED '"title":"c","version":2'
    hear_next ann "$(event TASK_UPDATED 3 '"title":"c","version":2')"
}

@test "conflicts: of moves and completions the last one counts" {
    TASK=t-last
    come ann
    task ann TASK_CREATED
    task ann TASK_MOVED '"position":1,"version":0'
    task ann TASK_MOVED '"position":2,"version":0'
    task ann TASK_COMPLETED '"version":0'
    hear_next ann "$(event TASK_CREATED 0)" "$(event TASK_MOVED 1 '"position":1,"version":0')" \
        "$(event TASK_MOVED 2 '"position":2,"version":0')" "$(event TASK_COMPLETED 3 '"version":0')"
}

@test "ping interval, timeout, connections and health check by the environment" {
    COLLAB_PING_INTERVAL=100ms COLLAB_PING_TIMEOUT=3s COLLAB_MAX_CONNECTIONS=2 \
        COLLAB_PROBE_INTERVAL=1s start_own
    PING='100 3000'
    come ann
    tell silent connect "ws://$GATEWAY/api/v1/ws" silent
    hear silent open
    tell more connect "ws://$GATEWAY/api/v1/ws"
    next_line more
    [[ $line = 'refused 503: '* ]]
    say silent '{"type":"AUTHENTICATE","data":{"token":"'"$(token '{"sub":"cid"}')"'"}}'
    hear silent "$(ack cid)"
    hear_next silent 'close 4000 nothing heard for too long'
    hears_nothing ann
}

@test "presence, typing and cursors, each turned off by the environment" {
    COLLAB_WITHOUT=USER_PRESENCE start_own
    come ann
    come ben
    say ben '{"type":"USER_PRESENCE","data":{"status":"away"}}'
    say ann '{"type":"USER_TYPING","data":{"workspaceId":"w1"}}'
    hear ben '{"type":"USER_TYPING","room":"workspace:w1","user":"ann","timestamp":"NOW","data":{"userId":"ann","workspaceId":"w1"}}'
    say ben '{"type":"PING"}'
    hear ben '{"type":"PONG","timestamp":"NOW"}'
    say ann '{"type":"PING"}'
    hear ann '{"type":"PONG","timestamp":"NOW"}'
    stop own
    COLLAB_WITHOUT=USER_TYPING,CURSOR_POSITION start_own
    come cay ann
    come dan ben
    say cay '{"type":"USER_TYPING","data":{"workspaceId":"w1"}}'
    say cay '{"type":"CURSOR_POSITION","data":{"workspaceId":"w1"}}'
    say cay '{"type":"signal","data":{"type":"USER_TYPING","room":"workspace:w1"}}'
    hear_next cay "$(error forbidden 'not allowed to publish to workspace:w1')"
    hears_nothing cay dan
    run -2 collabd --without USER_TPYING --check
    [ "$output" = 'collabd: --without: no event and no message has the name "USER_TPYING"' ]
}

@test "health and metrics" {
    local path
    come ann
    for path in /api/v1/ws/health /health; do
        [ "$(curl -fsS "http://$GATEWAY$path")" = \
            '{"node":"n1","live":true,"ready":true,"degraded":false,"reasons":[]}' ]
    done
    for path in /api/v1/ws/metrics /metrics; do
        curl -fsS "http://$GATEWAY$path" | grep -qx 'collab_sessions{node="n1"} [1-9].*'
    done
}

@test "a client library: connects, comes back, typed handlers, presence and typing" {
    node --test "$CLIENTS/todo.test.mjs"
}
