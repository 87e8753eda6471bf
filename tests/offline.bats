# What waits for who was away: in rooms of users, and in rooms that they are members of.
load helpers
load gateway

setup()
{
    export COLLAB_CATALOG=$BATS_TEST_TMPDIR/catalog.json
    catalog 7d
    start_redis
    start_player
}

teardown()
{
    stop_all
}

catalog() # AGE
{
    cat >"$COLLAB_CATALOG" <<END
{"name": "offline",
 "rooms": {
   "user:{user}": {"join": "self", "auto": true, "offline": true, "history": {"age": "$1", "length": 100000}},
   "team:{team}": {"join": "member", "auto": true, "offline": true, "history": {"age": "$1"}},
   "*": {}},
 "events": {"*": {}, "live:*": {"class": "live"}},
 "socketio": {"meta": true}}
END
}

# Events for a room, numbered from FIRST to LAST.
emit() # ROOM FIRST LAST
{
    seq "$2" "$3" | sed "s/.*/{\"type\":\"note\",\"room\":\"$1\",\"data\":{\"n\":&}}/" |
        collab-emit --catalog "$COLLAB_CATALOG"
}

# A client of ann's on a device; "" is none.
come() # NAME DEVICE [NODE]
{
    tell "$1" connect "ws://${3:-$GATEWAY}/ws${2:+?device=$2}" protocol=collab.v1 \
        "header=Authorization:Bearer%20$(token '{"sub":"ann"}')"
    hear "$1" 'open collab.v1'
    next_line "$1"
    [[ $line == *'"type":"connection.ack"'* ]]
}

# What the client hears next are these events, which had waited.
waited() # NAME ROOM FIRST LAST
{
    hear_events "$1" '"offline":true,' "$2" "$3" "$4"
}

# And these are new.
new() # NAME ROOM FIRST LAST
{
    hear_events "$1" '' "$2" "$3" "$4"
}

# The last one's id is in $id.
hear_events() # NAME MARK ROOM FIRST LAST
{
    local from=$((${heard[$1]:-0} + 1)) file=$BATS_TEST_TMPDIR/$1.heard
    local to=$((from + $5 - $4))
    wait_until has_heard "$1" $to || cat "$file"
    heard[$1]=$to
    diff <(sed -n "$from,${to}s/\"id\":\"ID-[0-9]*\",\|\"time\":\"NOW\",//gp" "$file") \
        <(seq "$4" "$5" | sed "s/.*/{$2\"type\":\"note\",\"room\":\"$3\",\"data\":{\"n\":&}}/")
    id=$(last_id "$3")
    id=${id%-*}$(sed -n "${to}s/.*\"id\":\"ID\(-[0-9]*\)\".*/\1/p" "$file")
}

# Of the newest event in a room.
last_id() # ROOM
{
    redis xrevrange "collab:history:{$1}" + - count 1 | sed -n 1p
}

acknowledge() # NAME ROOM ID
{
    say "$1" '{"type":"acknowledge","data":{"ids":{"'"$2"'":"'"$3"'"}}}'
    settled "$1"
}

go() # NAME
{
    tell "$1" close
    next_line "$1"
    [[ $line == close* ]]
    wait_until sessions_are 0
}

# How far a device has come, as it stands in Redis.
stands() # DEVICE ROOM
{
    redis hget 'collab:devices:{ann}' "$1 $2"
}

stands_at() # DEVICE ROOM ID
{
    [ "$(stands "$1" "$2")" = "$3" ]
}

@test "what waited comes first, in order and marked, and then what is new" {
    start_collabd
    emit user:ann 1 600
    come ann phone
    start emitter emit user:ann 601 700
    waited ann user:ann 1 600
    finish emitter
    # Of these some may have been published before the history was read to its end.
    wait_until has_heard ann 702
    sed -n '603,702s/.*"n":\([0-9]*\)}}$/\1/p' "$BATS_TEST_TMPDIR/ann.heard" | diff - <(seq 601 700)
    heard[ann]=702
    emit user:ann 701 702
    new ann user:ann 701 702
}

@test "what was not acknowledged comes again" {
    start_collabd
    emit user:ann 1 4
    come ann phone
    waited ann user:ann 1 2
    local second=$id
    waited ann user:ann 3 4
    acknowledge ann user:ann "$second"
    go ann
    stands_at phone user:ann "$second"
    emit user:ann 5 6
    come ann phone
    waited ann user:ann 3 6
    acknowledge ann user:ann "$id"
    emit user:ann 7 7
    new ann user:ann 7 7
    go ann
    come ann phone
    waited ann user:ann 7 7
}

@test "a client that is killed before it has acknowledged gets it again, from another node" {
    start_node one
    local first=$GATEWAY
    start_node two
    emit user:ann 1 3
    start mortal node "$CLIENTS/lines.js" "ws://$first/ws?device=phone" "$(token '{"sub":"ann"}')"
    hears mortal '"n":3}'
    stop mortal KILL
    emit user:ann 4 4
    come ann phone
    waited ann user:ann 1 4
    acknowledge ann user:ann "$id"
    wait_until stands_at phone user:ann "$id"
    emit user:ann 5 5
    new ann user:ann 5 5
    stop two KILL
    next_line ann
    come ann phone "$first"
    waited ann user:ann 5 5
}

@test "a client that resumes by itself gets nothing twice" {
    start_collabd
    emit user:ann 1 2
    come ann ''
    waited ann user:ann 1 2
    wait_until stands_at default user:ann "$id"
    local second=$id
    go ann
    emit user:ann 3 4
    come ann ''
    say ann '{"type":"subscribe","data":{"rooms":["user:ann"],"since":{"user:ann":"'"$second"'"}}}'
    wait_for_line "$BATS_TEST_TMPDIR/ann.heard" '"type":"subscribed","data":{"rooms":["user:ann"],"recovered":true'
    wait_for_line "$BATS_TEST_TMPDIR/ann.heard" '"n":4}'
    emit user:ann 5 5
    wait_for_line "$BATS_TEST_TMPDIR/ann.heard" '"n":5}'
    sed -n 's/.*"n":\([0-9]*\)}}$/\1/p' "$BATS_TEST_TMPDIR/ann.heard" | diff - <(seq 5)
}

@test "each device gets all; one that the token names is that one" {
    start_collabd
    emit user:ann 1 2
    come ann phone
    waited ann user:ann 1 2
    acknowledge ann user:ann "$id"
    come desk desk
    waited desk user:ann 1 2
    acknowledge desk user:ann "$id"
    emit user:ann 3 3
    new ann user:ann 3 3
    new desk user:ann 3 3
    tell named connect "ws://$GATEWAY/ws?device=phone" protocol=collab.v1 \
        "header=Authorization:Bearer%20$(token '{"sub":"ann","device":"car"}')"
    hear named 'open collab.v1'
    next_line named
    waited named user:ann 1 3
}

@test "a client that names no device has what it was sent before it answered a ping" {
    start_collabd
    emit user:ann 1 3
    come ann ''
    waited ann user:ann 1 3
    wait_until stands_at default user:ann "$id"
    emit user:ann 4 4
    new ann user:ann 4 4
    wait_until stands_at default user:ann "$id"
    go ann
    emit user:ann 5 5
    tell ann connect "ws://$GATEWAY/ws" protocol=collab.v1 silent \
        "header=Authorization:Bearer%20$(token '{"sub":"ann"}')"
    hear ann 'open collab.v1'
    next_line ann
    waited ann user:ann 5 5
    go ann
    come ann ''
    waited ann user:ann 5 5
}

@test "in rooms of members: what was kept since they became one, and nothing once they are none" {
    start_collabd
    emit team:t1 1 2
    collab-member add team:t1 ann
    emit team:t1 3 4
    come ann phone
    waited ann team:t1 3 4
    acknowledge ann team:t1 "$id"
    go ann
    emit team:t1 5 5
    collab-member remove team:t1 ann
    emit team:t1 6 6
    come ann phone
    settled ann
    go ann
    collab-member add team:t1 ann
    emit team:t1 7 7
    come ann phone
    waited ann team:t1 7 7
}

@test "what is too old is lost, and a device that missed it is told" {
    start_collabd
    emit user:ann 1 1
    come ann phone
    waited ann user:ann 1 1
    acknowledge ann user:ann "$id"
    go ann
    catalog 1s
    emit user:ann 2 3
    wait_until is_gone 'collab:history:{user:ann}'
    catalog 7d
    start_node other # which has not read that history
    come ann phone
    hear ann '{"type":"gap","data":{"room":"user:ann","after":"ID-0"}}'
    go ann
    emit user:ann 4 4
    come ann phone
    waited ann user:ann 4 4
}

is_gone() # KEY
{
    [ "$(redis exists "$1")" = 0 ]
}

@test "a message that acknowledges nothing is told why" {
    start_collabd
    come ann phone
    local wrong='ids: must be an object: the last id of each room'
    say ann '{"type":"acknowledge"}'
    hear ann "$(error bad_message "$wrong")"
    say ann '{"type":"acknowledge","data":{"ids":{"user:ann":7}}}'
    hear ann "$(error bad_message "$wrong")"
    say ann '{"type":"acknowledge","data":{"ids":{"user:bob":"1-1"}},"ref":1}'
    hear ann "$(error bad_message 'ids: \"user:bob\": no room of yours where events wait' ',"ref":1')"
    tell ben connect "ws://$GATEWAY/ws?device=a%20b" protocol=collab.v1
    hear ben 'open collab.v1' \
        "$(error bad_message 'device \"a%20b\": only letters, digits and ._~@- are allowed')" \
        'close 1008 not authenticated'
}

# A Socket.IO client of ann's; what it prints is in NAME.out.
start_socketio() # NAME TRANSPORT DEVICE COUNT END
{
    start "$1" node "$CLIENTS/offline.js" "http://$GATEWAY" "$(token '{"sub":"ann"}')" "${@:2}"
}

prints() # NAME LINE...
{
    finish "$1"
    diff "$BATS_TEST_TMPDIR/$1.out" <(printf '%s\n' "${@:2}")
}

@test "Socket.IO clients: what waited comes first, and again until it is acknowledged" {
    start_collabd
    emit user:ann 1 2
    start_socketio dies websocket phone 2 die
    prints dies '1 waited' '2 waited'
    start_socketio polls polling phone 3 acknowledge
    wait_for_line "$BATS_TEST_TMPDIR/polls.out" '2 waited'
    emit user:ann 3 3
    prints polls '1 waited' '2 waited' '3 new' acknowledged
    emit user:ann 4 4
    start_socketio last websocket phone 1 acknowledge
    prints last '4 waited' acknowledged
    start_socketio wrong websocket 'my phone' 0 stay
    prints wrong 'refused: auth: device "my phone": only letters, digits and ._~@- are allowed'
}

@test "Socket.IO clients that name no device acknowledge by their heartbeat" {
    local transport n=0
    start_collabd
    for transport in websocket polling; do
        emit user:ann $((++n)) $n
        start_socketio "$transport" "$transport" '' 2 stay
        wait_for_line "$BATS_TEST_TMPDIR/$transport.out" "$n waited"
        emit user:ann $((++n)) $n
        wait_for_line "$BATS_TEST_TMPDIR/$transport.out" "$n new"
        wait_until stands_at default user:ann "$(last_id user:ann)"
        stop "$transport"
    done
}

@test "while Redis is away nothing that waits is lost" {
    start_collabd --probe-interval 1s
    emit user:ann 1 3
    come ann phone
    waited ann user:ann 1 1
    local first=$id
    waited ann user:ann 2 3
    acknowledge ann user:ann "$first"
    go ann
    kill -STOP "$(pid_of redis)"
    wait_until redis_is_lost
    come ann phone
    kill -CONT "$(pid_of redis)"
    waited ann user:ann 2 3
    emit user:ann 4 4
    new ann user:ann 4 4
}

redis_is_lost()
{
    metric_is redis_up 0
}

# $WAITING_EVENTS is how many.
@test "who takes slowly what waits harms nobody, and gets it all" {
    local count=${WAITING_EVENTS:-16000} most pad
    start_collabd --node n1 --outbox-size 256k
    pad=$(printf %01000d 0)
    seq "$count" | sed "s/.*/{\"type\":\"note\",\"room\":\"user:ann\",\"data\":{\"pad\":\"$pad\",\"n\":&}}/" |
        collab-emit --catalog "$COLLAB_CATALOG"
    tell ann connect "ws://$GATEWAY/ws?device=phone" protocol=collab.v1 paused \
        "header=Authorization:Bearer%20$(token '{"sub":"ann"}')"
    wait_until metric_is catching_up 1
    enter bob
    emit user:bob 1 1
    new bob user:bob 1 1
    most=$(metric outbox_bytes)
    [ "$most" -le $((256 * 1024)) ]
    metric_is catching_up 1
    tell ann resume
    hear ann 'open collab.v1'
    next_line ann
    wait_until has_heard ann $((count + 2))
    diff <(sed -n 's/^{"offline":true,.*,"n":\([0-9]*\)}}$/\1/p' "$BATS_TEST_TMPDIR/ann.heard") <(seq "$count")
    wait_until metric_is catching_up 0
    heard[ann]=$((count + 2))
    emit user:ann 0 0
    new ann user:ann 0 0
}

@test "what waits for a user is told, by device and room" {
    start_collabd
    run -1 collab-who --waiting ann
    emit user:ann 1 3
    collab-member -q add team:t1 ann
    emit team:t1 1 2
    run -0 collab-who --waiting ann
    [ "$(tr -s ' ' <<<"$output")" = $'default team:t1 2\ndefault user:ann 3' ]
    come ann phone
    wait_until has_heard ann 7
    acknowledge_first ann
    run -0 collab-who --waiting --format json ann
    [ "$output" = '{"user":"ann","device":"phone","room":"team:t1","waiting":2}
{"user":"ann","device":"phone","room":"user:ann","waiting":2}' ]
    collab-member -q remove team:t1 ann
    run -0 collab-who --waiting --format json ann
    [ "$output" = '{"user":"ann","device":"phone","room":"user:ann","waiting":2}' ]
    run -0 collab-stats --waiting
    [ "$output" = '1 users, 2 events' ]
    run -0 collab-stats --waiting --format json
    [ "$output" = '{"users":1,"waiting":2}' ]
    run -0 collab-stats --waiting --format prometheus
    [[ $output = *$'\ncollab_waiting_events 2' ]]
    run -2 collab-who --waiting
    [ "$output" = 'collab-who: --waiting is of a USER, and not for --watch' ]
}

# That of the user's own room.
acknowledge_first() # NAME
{
    heard[$1]=7
    local epoch
    epoch=$(last_id user:ann)
    acknowledge "$1" user:ann "${epoch%-*}-0"
    wait_until stands_at phone user:ann "${epoch%-*}-0"
}

@test "todo: who was made a member while away hears of it, and of what came then" {
    export COLLAB_CATALOG=$BATS_TEST_DIRNAME/../examples/todo/catalog.json
    start_collabd
    collab-emit -t TASK_CREATED -d '{"workspaceId":"w1","taskId":"t1"}'
    collab-member -q add workspace:w1 bob
    collab-emit -t TASK_CREATED -d '{"workspaceId":"w1","taskId":"t2"}'
    tell bob connect "ws://$GATEWAY/api/v1/ws"
    hear bob 'open'
    say bob '{"type":"AUTHENTICATE","data":{"token":"'"$(token '{"sub":"bob"}')"'"}}'
    next_line bob
    [[ $line == *'"type":"CONNECT"'* ]]
    wait_until has_heard bob 5 # one of them is of its own presence
    sed -n 's/^{"offline":true,.*"type":"\([A-Z_]*\)","room":"\([a-z0-9:]*\)".*/\1 \2/p' \
        "$BATS_TEST_TMPDIR/bob.heard" >"$BATS_TEST_TMPDIR/waited"
    diff "$BATS_TEST_TMPDIR/waited" - <<END
WORKSPACE_MEMBER_ADDED workspace:w1
TASK_CREATED workspace:w1
END
    # One who is there hears of it once, and is in the workspace from then on.
    heard[bob]=5
    collab-member -q add workspace:w2 bob
    collab-emit -t TASK_CREATED -d '{"workspaceId":"w2","taskId":"t3"}'
    next_line bob
    [[ $line == *'"type":"WORKSPACE_MEMBER_ADDED","room":"user:bob"'* ]]
    next_line bob
    [[ $line == *'"type":"TASK_CREATED","room":"workspace:w2"'* ]]
}

@test "collab-tail prints what it was asked for, and takes nothing that waits for the user" {
    start_collabd
    emit user:ann 1 3
    COLLAB_TOKEN=$(token '{"sub":"ann","rooms":["p:1"]}') \
        start tail collab-tail --verbose --url "ws://$GATEWAY/ws" p:1
    wait_for_line "$BATS_TEST_TMPDIR/tail.err" 'listening to'
    emit p:1 4 4
    wait_for_line "$BATS_TEST_TMPDIR/tail.out" '"n":4'
    stop tail
    [ "$(wc -l <"$BATS_TEST_TMPDIR/tail.out")" -eq 1 ]
    [ "$(redis exists 'collab:devices:{ann}')" -eq 0 ]
    come ann ''
    waited ann user:ann 1 3
}
