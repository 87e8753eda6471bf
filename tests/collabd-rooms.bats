# collab.v1: who may join and publish what, what is answered, who gets an event.

load helpers
load gateway

setup_file()
{
    use_plain_catalog
    start_redis
}

teardown_file()
{
    stop_all
}

setup()
{
    start_player
}

teardown()
{
    stop_all
}

# --- subscribe, unsubscribe, ping ---

@test "a request's ref comes back as it was" {
    local ref
    start_collabd --node n1
    enter ann
    for ref in '"r-1"' 1 -0.0 1e2 12345678901234567890 '"\u00e9\ud83d\ude00\/"' '""'; do
        say ann '{"ref":'"$ref"',"type":"ping"}'
        hear ann '{"type":"pong","ref":'"$ref"'}'
    done
    say ann '{"type":"ping"}'
    hear ann '{"type":"pong"}'
    say ann '{"type":"subscribe","ref":"a","data":{"rooms":["a:1"]}}'
    hear ann '{"type":"subscribed","data":{"rooms":["a:1"]},"ref":"a"}'
    say ann '{"type":"unsubscribe","ref":-7,"data":["a:1"]}'
    hear ann '{"type":"unsubscribed","data":{"rooms":["a:1"]},"ref":-7}'
    say ann '{"type":"publish","ref":0.5,"data":{"type":"x","room":"a:1"}}'
    hear ann '{"type":"published","data":{"rooms":["a:1"]},"ref":0.5}'
}

@test "a ref that is too long or neither string nor number is refused" {
    local ref
    start_collabd --node n1
    enter ann
    for ref in true null '{}' '[1]' "\"$(printf '%065d' 0)\"" "$(printf '1%064d' 0)"; do
        say ann '{"type":"ping","ref":'"$ref"'}'
        hear ann "$(error bad_message 'ref: must be a string or a number of at most 64 bytes')"
    done
}

@test "rooms are asked for by a list, in rooms or as the data itself" {
    start_collabd --node n1
    enter ann
    say ann '{"type":"subscribe","data":{"rooms":["a:1","b:2:c:3"]}}'
    hear ann '{"type":"subscribed","data":{"rooms":["a:1","b:2:c:3"]}}'
    say ann '{"type":"subscribe","data":["a:1","c:._~@-Z9"]}'
    hear ann '{"type":"subscribed","data":{"rooms":["a:1","c:._~@-Z9"]}}'
    say ann '{"type":"subscribe","data":[]}'
    hear ann '{"type":"subscribed","data":{"rooms":[]}}'
    metric_is joins 3
}

@test "a room subscribed to twice is joined once, and left at once" {
    start_collabd --node n1
    enter ann a:1 a:1
    enter bob a:1
    redis_publish a:1 '{"type":"first","room":"a:1"}'
    hear ann '{"type":"first","room":"a:1"}'
    say ann '{"type":"unsubscribe","data":["a:1","never:joined"]}'
    hear ann '{"type":"unsubscribed","data":{"rooms":["a:1","never:joined"]}}'
    redis_publish a:1 '{"type":"second","room":"a:1"}'
    hear bob '{"type":"first","room":"a:1"}' '{"type":"second","room":"a:1"}'
    settled ann
}

@test "what is no list of rooms is refused" {
    local data
    start_collabd --node n1
    enter ann
    for data in '' ',"data":null' ',"data":"a:1"' ',"data":{}' ',"data":{"rooms":"a:1"}' \
        ',"data":{"rooms":{"0":"a:1"}}' ',"data":{"rooms":null}'; do
        say ann '{"type":"subscribe"'"$data"'}'
        hear ann "$(error bad_message 'data: must be a list of rooms, or have one')"
        say ann '{"type":"unsubscribe","ref":1'"$data"'}'
        hear ann "$(error bad_message 'data: must be a list of rooms, or have one' ',"ref":1')"
    done
}

refused() # ROOM CODE MESSAGE
{
    printf '{"room":%s,"code":"%s","message":"%s"}' "$1" "$2" "$3"
}

# A room as JSON is refused with this message.
is_refused() # ROOM CODE MESSAGE
{
    say ann '{"type":"subscribe","data":['"$1"']}'
    hear ann "$(error "$2" "$3" ',"data":{"rooms":[],"refused":['"$(refused "$@")"']}')"
}

@test "names that break the rule are refused, by the rule" {
    local rule='only letters, digits and . _ ~ @ - may stand between the colons' zeros name
    zeros=$(printf '%0199d' 0)
    start_collabd --node n1
    enter ann
    is_refused '""' bad_room 'room \"\": is empty'
    is_refused '"a"' bad_room 'room \"a\": must be kind:id or longer'
    for name in a: :a a::b; do
        is_refused "\"$name\"" bad_room 'room \"'$name'\": has an empty segment'
    done
    is_refused '"a b:1"' bad_room 'room \"a b:1\": '"$rule"
    is_refused '"a:é"' bad_room 'room \"a:é\": '"$rule"
    is_refused '"a:\u0031"' bad_room 'room \"a:\\\\u0031\": '"$rule"
    is_refused "\"a:$zeros\"" bad_room \
        'room \"a:'"${zeros:0:38}"'\"...: longer than 200 bytes'
    for name in '*' 'a:*' 'a:*:b'; do
        is_refused "\"$name\"" bad_room 'room \"'"$name"'\": a pattern where a room is asked for'
    done
    is_refused 1 bad_room 'a room is a string'
    is_refused '{"a":[null,-0.0]}' bad_room 'a room is a string'
}

@test "of rooms some of which are refused the others are joined, and left" {
    local bad
    start_collabd --node n1
    connect ann "$(token '{"sub":"ann","rooms":["a:*"]}')"
    hear ann 'open collab.v1' "$(welcome ann)"
    bad=$(refused '"a:"' bad_room 'room \"a:\": has an empty segment')
    say ann '{"type":"subscribe","ref":1,"data":["a:1","b:1","a:","a:2"]}'
    hear ann '{"type":"subscribed","data":{"rooms":["a:1","a:2"],"refused":['"$(
        refused '"b:1"' forbidden 'not allowed in this room')"','"$bad"']},"ref":1}'
    say ann '{"type":"unsubscribe","data":["a:","a:1"]}'
    hear ann '{"type":"unsubscribed","data":{"rooms":["a:1"]}}'
    metric_is joins 1
}

# --- grants ---

@test "a token grants what its patterns take, and its user's own room when it has none" {
    start_collabd --node n1
    connect ann "$(token '{"sub":"ann","rooms":["project:*","team:eu-*","note:1","t:*:x"]}')"
    hear ann 'open collab.v1' "$(welcome ann)"
    say ann '{"type":"subscribe","data":["project:p1:task:t1","team:eu-1","note:1","t:1:x"]}'
    hear ann '{"type":"subscribed","data":{"rooms":["project:p1:task:t1","team:eu-1","note:1","t:1:x"]}}'
    for room in projects:p1 team:us-1 team:eu-1:x note:2 t:1:y user:ann; do
        is_refused "\"$room\"" forbidden 'not allowed in this room'
    done
    connect bob "$(token '{"sub":"bob"}')"
    hear bob 'open collab.v1' "$(welcome bob)"
    say bob '{"type":"subscribe","data":["user:bob","user:ann"]}'
    hear bob '{"type":"subscribed","data":{"rooms":["user:bob"],"refused":['"$(
        refused '"user:ann"' forbidden 'not allowed in this room')"']}}'
}

@test "publishing is granted apart from joining, and for every room or not at all" {
    start_collabd --node n1
    enter bob a:1 a:2
    connect ann "$(token '{"sub":"ann","rooms":["a:*"],"publish":["a:2"]}')"
    hear ann 'open collab.v1' "$(welcome ann)"
    say ann '{"type":"publish","ref":1,"data":{"type":"x","room":"a:1"}}'
    hear ann "$(error forbidden 'not allowed to publish to a:1' ',"ref":1')"
    say ann '{"type":"publish","data":{"type":"x","rooms":["a:2","a:1"]}}'
    hear ann "$(error forbidden 'not allowed to publish to a:1')"
    say ann '{"type":"publish","data":{"type":"y","room":"a:2"}}'
    hear ann '{"type":"published","data":{"rooms":["a:2"]}}'
    hear bob '{"type":"y","room":"a:2","user":"ann","time":"NOW","data":null}'
    connect eve "$(token '{"sub":"eve","rooms":["*"]}')"
    hear eve 'open collab.v1' "$(welcome eve)"
    say eve '{"type":"publish","data":{"type":"x","room":"a:1"}}'
    hear eve "$(error forbidden 'not allowed to publish to a:1')"
    settled bob
}

# --- publish ---

@test "an event reaches the members of its room, its sender among them, as it was sent" {
    local data='[12345678901234567890,-0.0,1e400,"\ud83d\ude00\/",{"b":1,"a":2,"b":3}]'
    start_collabd --node n1
    enter ann a:1
    enter bob a:1
    enter eve a:2
    say ann '{"type":"publish","ref":1,"data":{"data":'"$data"',"room":"a:1","type":"\u0074:x"}}'
    hear_both ann '{"type":"published","data":{"rooms":["a:1"]},"ref":1}' \
        '{"type":"\u0074:x","room":"a:1","user":"ann","time":"NOW","data":'"$data"'}'
    hear bob '{"type":"\u0074:x","room":"a:1","user":"ann","time":"NOW","data":'"$data"'}'
    say ann '{"type":"publish","data":{"type":"y","room":"a:2"}}'
    hear ann '{"type":"published","data":{"rooms":["a:2"]}}'
    hear eve '{"type":"y","room":"a:2","user":"ann","time":"NOW","data":null}'
    settled bob
}

@test "an event in several of a client's rooms comes to it once, as the copy for the first" {
    local tail='"rooms":["c:1","a:1","b:1"],"user":"ann","time":"NOW","data":1}'
    start_collabd --node n1
    enter bob a:1 b:1
    enter eve b:1 c:1 a:1
    enter zoe b:1
    enter ann
    say ann '{"type":"publish","data":{"type":"x","rooms":["c:1","a:1","b:1"],"data":1}}'
    hear ann '{"type":"published","data":{"rooms":["c:1","a:1","b:1"]}}'
    hear bob '{"type":"x","room":"a:1",'"$tail"
    hear eve '{"type":"x","room":"c:1",'"$tail"
    hear zoe '{"type":"x","room":"b:1",'"$tail"
    redis_publish b:1 '{"type":"end","room":"b:1"}'
    hear bob '{"type":"end","room":"b:1"}'
    hear eve '{"type":"end","room":"b:1"}'
    hear zoe '{"type":"end","room":"b:1"}'
}

@test "a client cannot say who it is, nor when, nor where in the history" {
    start_collabd --node n1
    enter ann a:1
    say ann '{"type":"publish","data":{"type":"x","room":"a:1","user":"root","id":"1-1",'"$(
        )"'"time":"2001-01-01T00:00:00.000Z","version":7,"data":{"user":"root"}}}'
    hear_both ann '{"type":"published","data":{"rooms":["a:1"]}}' \
        '{"type":"x","room":"a:1","user":"ann","time":"NOW","data":{"user":"root"}}'
}

is_no_event() # DATA MESSAGE
{
    say ann '{"type":"publish","ref":"e","data":'"$1"'}'
    hear ann "$(error bad_event "$2" ',"ref":"e"')"
}

@test "what is no event is refused, and why is said" {
    start_collabd --node n1
    enter ann
    say ann '{"type":"publish"}'
    hear ann "$(error bad_event 'data: must be an event')"
    is_no_event null 'an event must be an object, found null'
    is_no_event '[{"type":"x","room":"a:1"}]' 'an event must be an object, found an array'
    is_no_event '{"room":"a:1"}' 'type: missing'
    is_no_event '{"type":1,"room":"a:1"}' 'type: must be a string of 1 to 128 bytes, found a number'
    is_no_event '{"type":"'"$(printf '%0129d' 0)"'","room":"a:1"}' \
        'type: must be a string of 1 to 128 bytes, found one of 129'
    is_no_event '{"type":"x\n","room":"a:1"}' 'type: must hold no control characters'
    is_no_event '{"type":"x"}' 'event \"x\": leads to no room by itself: name one'
    is_no_event '{"type":"x","room":["a:1"]}' 'room: must be the name of a room, found an array'
    is_no_event '{"type":"x","room":"a:*"}' 'room \"a:*\": a pattern where a room is asked for'
    is_no_event '{"type":"x","rooms":[]}' 'rooms: must hold 1 to 16 rooms, found none'
    is_no_event '{"type":"x","rooms":['"$(seq -s, 17 | sed -E 's/([0-9]+)/"a:\1"/g')"']}' \
        'rooms: more than 16'
    is_no_event '{"type":"x","room":"a:1","userr":"u"}' 'unknown field \"userr\" (did you mean user?)'
    is_no_event '{"type":"x","room":"a:1","time":"yesterday"}' \
        'time: must be a string such as 2026-11-20T18:00:00.123Z (RFC 3339)'
}

# --- limits ---

@test "10,000 rooms in one request" {
    local rooms
    rooms=$(seq -s, 10000 | sed -E 's/[0-9]+/"r:&"/g')
    start_collabd --node n1 --max-rooms 10000
    enter ann
    say ann '{"type":"subscribe","data":['"$rooms"']}'
    hear ann '{"type":"subscribed","data":{"rooms":['"$rooms"']}}'
    metric_is joins 10000
    redis_publish r:1 '{"type":"x","room":"r:1"}'
    redis_publish r:10000 '{"type":"x","room":"r:10000"}'
    hear ann '{"type":"x","room":"r:1"}' '{"type":"x","room":"r:10000"}'
    say ann '{"type":"unsubscribe","data":['"$rooms"']}'
    hear ann '{"type":"unsubscribed","data":{"rooms":['"$rooms"']}}'
    metric_is rooms 0
}

@test "10,000 rooms in one request, and 1,000 are allowed" {
    start_collabd --node n1
    enter ann
    say ann '{"type":"subscribe","ref":1,"data":['"$(seq -s, 10000 | sed -E 's/[0-9]+/"r:&"/g')"']}'
    hear ann "$(error too_many '10000 rooms; at most 1000 may be joined' ',"ref":1')"
    metric_is rooms 0
}

@test "no more rooms than allowed in all, however they are asked for" {
    local why='in as many rooms as allowed'
    start_collabd --node n1 --max-rooms 3
    enter ann a:1 a:2
    say ann '{"type":"subscribe","data":["a:3","a:4","a:1"]}'
    hear ann '{"type":"subscribed","data":{"rooms":["a:3","a:1"],"refused":['"$(
        refused '"a:4"' too_many "$why")"']}}'
    is_refused '"a:5"' too_many "$why"
    say ann '{"type":"unsubscribe","data":["a:2"]}'
    hear ann '{"type":"unsubscribed","data":{"rooms":["a:2"]}}'
    say ann '{"type":"subscribe","data":["a:5"]}'
    hear ann '{"type":"subscribed","data":{"rooms":["a:5"]}}'
    metric_is joins 3
}

# --- other nodes and tools ---

@test "clients of two nodes on one Redis hear each other" {
    start_node second --node n2
    NODE=n2 enter bob a:1
    start_collabd --node n1
    enter ann a:1
    say ann '{"type":"publish","data":{"type":"x","room":"a:1"}}'
    hear bob '{"type":"x","room":"a:1","user":"ann","time":"NOW","data":null}'
    hear_both ann '{"type":"published","data":{"rooms":["a:1"]}}' \
        '{"type":"x","room":"a:1","user":"ann","time":"NOW","data":null}'
    say bob '{"type":"publish","data":{"type":"y","room":"a:1"}}'
    hear ann '{"type":"y","room":"a:1","user":"bob","time":"NOW","data":null}'
}

@test "what a client publishes collab-tail prints, and what collab-emit emits a client gets" {
    start_collabd --node n1
    enter ann a:1
    start tail collab-tail -v 'a:*'
    wait_for_line "$BATS_TEST_TMPDIR/tail.err" 'collab-tail: listening to'
    say ann '{"type":"publish","data":{"type":"x","room":"a:2","data":{"n":1}}}'
    hear ann '{"type":"published","data":{"rooms":["a:2"]}}'
    wait_for_line "$BATS_TEST_TMPDIR/tail.out" '"type":"x","room":"a:2","user":"ann","time":"'
    collab-emit -r a:1 -t y -u shell -d '{"n": 2}'
    hear ann '{"type":"y","room":"a:1","user":"shell","time":"NOW","data":{"n":2}}'
}

@test "what is no event in Redis reaches nobody, and is counted" {
    start_collabd --node n1
    enter ann a:1
    redis_publish a:1 '{"type":'
    redis_publish a:1 'nonsense'
    redis_publish a:1 '{"type":"x","room":"a:1","later":true}'
    hear ann '{"type":"x","room":"a:1","later":true}'
    metric_is events_malformed_total 2
    wait_for_line "$BATS_TEST_TMPDIR/collabd.err" 'warning collabd: a:1: not an event: '
}

@test "a room without members is listened to no longer" {
    start_collabd --node n1
    enter ann a:1 a:2
    enter bob a:2
    [ "$(redis pubsub channels 'collab:room:*' | sort | tr '\n' ' ')" = \
        'collab:room:a:1 collab:room:a:2 ' ]
    tell ann close
    wait_until metric_is sessions 1
    wait_until eval '[ "$(redis pubsub channels "collab:room:*")" = collab:room:a:2 ]'
    say bob '{"type":"unsubscribe","data":["a:2"]}'
    hear bob '{"type":"unsubscribed","data":{"rooms":["a:2"]}}'
    wait_until eval '[ -z "$(redis pubsub channels "collab:room:*")" ]'
}
