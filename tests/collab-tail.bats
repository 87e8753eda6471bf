load helpers

setup_file()
{
    start_redis
}

teardown_file()
{
    stop_all
}

setup()
{
    OUT=$BATS_TEST_TMPDIR/tail.out
    ERR=$BATS_TEST_TMPDIR/tail.err
}

teardown()
{
    stop_all
}

# Starts collab-tail, and waits until it listens.
tail_start() # ARGUMENT...
{
    start tail collab-tail -v "$@"
    wait_for_line "$ERR" 'collab-tail: listening to'
}

# Publishes one more event, which all of these tests' tails see, and waits for it: so all that was
# published before has been printed, or never will be.
mark=0
settle()
{
    mark=$((mark + 1))
    redis_publish all:marks '{"type":"mark","room":"all:marks","data":'$mark'}'
    wait_for_line "$OUT" '"type":"mark","room":"all:marks","data":'$mark'}'
}

# What was printed, without the marks.
printed()
{
    grep -v '"type":"mark"' "$OUT"
}

@test "an event comes as it is" {
    local event='{"id":"1763660000000-42","type":"task:moved","room":"project:p1","user":"\u0075/1",'
    event+='"time":"2026-11-20T18:00:00.123Z","version":4,"data":[12345678901234567890,-0.0,"\ud83d\ude00é"]}'
    tail_start project:p1 all:marks
    grep -qx 'collab-tail: listening to 2 rooms' "$ERR"
    redis_publish project:p1 "$event"
    redis_publish project:p2 '{"type":"x","room":"project:p2"}'
    settle
    [ "$(printed)" = "$event" ]
}

@test "without operands every room is listened to" {
    tail_start
    grep -qx 'collab-tail: listening to 1 pattern' "$ERR"
    redis_publish a:1 '{"type":"x","room":"a:1"}'
    redis_publish b:1:c:2 '{"type":"x","room":"b:1:c:2"}'
    settle
    [ "$(printed | wc -l)" -eq 2 ]
}

@test "a pattern takes what its rule says, no more" {
    tail_start 'team:eu-*' 'tenant:*' all:marks
    grep -qx 'collab-tail: listening to 1 room and 2 patterns' "$ERR"
    for room in team:eu-1 team:eu-1:x team:us-1 tenant:1 tenant:1:project:2 tenants:1; do
        redis_publish "$room" '{"type":"x","room":"'$room'"}'
    done
    settle
    [ "$(printed | sed 's/.*room":"\(.*\)"}/\1/' | tr '\n' ' ')" = \
        'team:eu-1 tenant:1 tenant:1:project:2 ' ]
}

publish_copies() # ROOM...
{
    local room
    for room; do
        redis_publish "$room" \
            '{"type":"x","room":"'"$room"'","rooms":["task:t1","project:p1","user:u1"]}'
    done
}

@test "an event in several of the rooms is printed once" {
    tail_start project:p1 user:u1 'all:*'
    publish_copies task:t1 project:p1 user:u1
    settle
    [ "$(printed | grep -o '"room":"[^"]*"')" = '"room":"project:p1"' ]
}

@test "an event in every room is printed once" {
    tail_start '*'
    publish_copies task:t1 project:p1 user:u1
    settle
    [ "$(printed | grep -o '"room":"[^"]*"')" = '"room":"task:t1"' ]
}

@test "operands that overlap print an event once" {
    tail_start 'project:*' project:p1 project:p1 'project:p*' all:marks
    redis_publish project:p1 '{"type":"x","room":"project:p1","data":1}'
    redis_publish project:p1 '{"type":"x","room":"project:p1","data":2}'
    settle
    [ "$(printed | wc -l)" -eq 2 ]
}

@test "types are chosen, with * for any text" {
    tail_start -t 'task:*' -t note -t mark '*'
    for type in task:moved task: tasks note notes 't\u0061sk:x'; do
        redis_publish a:1 '{"type":"'$type'","room":"a:1"}'
    done
    settle
    [ "$(printed | sed 's/.*type":"\([^"]*\).*/\1/' | tr '\n' ' ')" = \
        'task:moved task: note t\u0061sk:x ' ]
}

@test "fields are compared" {
    tail_start -f 'data.task.id=t1' -f 'user!=u1' -C 2 '*'
    redis_publish a:1 '{"type":"1","room":"a:1","user":"u2","data":{"task":{"id":"t1"}}}'
    redis_publish a:1 '{"type":"2","room":"a:1","user":"u1","data":{"task":{"id":"t1"}}}'
    redis_publish a:1 '{"type":"3","room":"a:1","user":"u2","data":{"task":{"id":"t2"}}}'
    redis_publish a:1 '{"type":"4","room":"a:1","data":{"task":{"id":"t1"}}}'
    finish tail
    [ "$status" -eq 0 ]
    [ "$(grep -o '"type":"."' "$OUT" | tr -d '\n')" = '"type":"1""type":"4"' ]
}

@test "a format prints fields, strings as their text" {
    tail_start -F '{type}\t{data.title}|{data.list}|{user}\{{version}\}' -C 1 '*'
    redis_publish a:1 \
        '{"type":"x","room":"a:1","version":4,"data":{"title":"a\"b\u00e9","list":[1, "\u00e9"]}}'
    finish tail
    [ "$(cat "$OUT")" = $'x\ta"bé|[1,"\\u00e9"]|{4}' ]
}

@test "records end with a NUL on request" {
    tail_start -0 -F '{data}' -C 2 '*'
    redis_publish a:1 '{"type":"x","room":"a:1","data":"1\n"}'
    redis_publish a:1 '{"type":"x","room":"a:1","data":"2"}'
    finish tail
    [ "$(od -An -c "$OUT" | tr -d ' ')" = '1\n\02\0' ]
}

@test "it stops after so many events, and not before" {
    tail_start -C 2 '*'
    redis_publish a:1 '{"type":"1","room":"a:1"}'
    wait_for_line "$OUT" '"type":"1"'
    redis_publish a:1 '{"type":"2","room":"a:1"}'
    redis_publish a:1 '{"type":"3","room":"a:1"}'
    finish tail
    [ "$status" -eq 0 ]
    [ "$(wc -l <"$OUT")" -eq 2 ]
}

@test "the time limit is status 6" {
    run -6 collab-tail -W 0.1 '*'
    [ -z "$output" ]
}

@test "an event written over several lines is printed on one" {
    tail_start -C 1 '*'
    redis_publish a:1 $'{"type":"x",\n "room":"a:1",\n "data":"a b"}'
    finish tail
    [ "$(cat "$OUT")" = '{"type":"x","room":"a:1","data":"a b"}' ]
}

@test "what is no event is reported and passed over" {
    tail_start '*'
    redis_publish a:1 '{"type":'
    wait_for_line "$ERR" 'collab-tail: room "a:1": not an event: '
    redis_publish a:1 '[]'
    redis_publish a:1 '{"type":"x","room":"a:1","later":1}'
    settle
    [ "$(printed)" = '{"type":"x","room":"a:1","later":1}' ]
}

@test "what is printed goes in again unchanged" {
    printf '%s\n' '{"type":"a","room":"x:1","user":"u","time":"2026-11-20T18:00:00.123Z","version":3,"data":{"n":1e400}}' \
        '{"type":"b","room":"x:1","rooms":["x:1","y:1"],"time":"2026-11-20T18:00:01Z","data":"\/"}' \
        >"$BATS_TEST_TMPDIR/events"
    tail_start -C 4 '*'
    collab-emit "$BATS_TEST_TMPDIR/events"
    wait_until eval '[ "$(wc -l <"$OUT")" -eq 2 ]'
    cp "$OUT" "$BATS_TEST_TMPDIR/again"
    collab-emit "$BATS_TEST_TMPDIR/again"
    finish tail
    diff "$OUT" <(cat "$BATS_TEST_TMPDIR/events" "$BATS_TEST_TMPDIR/events")
}

@test "many events come complete and in order" {
    seq 100000 | sed 's/.*/{"type":"n","room":"a:1","data":&}/' >"$BATS_TEST_TMPDIR/events"
    tail_start -F '{data}' -C 100000 'a:*'
    collab-emit "$BATS_TEST_TMPDIR/events"
    finish tail
    diff <(seq 100000) "$OUT"
}

@test "a signal ends it, with what was printed" {
    tail_start '*'
    redis_publish a:1 '{"type":"x","room":"a:1"}'
    wait_for_line "$OUT" '"type":"x"'
    stop tail TERM
    [ "$status" -eq 143 ]
    [ "$(cat "$OUT")" = '{"type":"x","room":"a:1"}' ]
}

@test "it changes no count" {
    tail_start '*'
    run -1 collab-stats
    [ "$output" = "collab-stats: $COLLAB_REDIS: no node found" ]
}

@test "on a terminal no event gives orders" {
    start tail script -qfec "collab-tail -v -C 2 -F '{data}' '*'" /dev/null
    wait_for_line "$OUT" 'listening to'
    redis_publish a:1 '{"type":"x","room":"a:1","data":"\u001b[2Jé"}'
    redis_publish a:1 '{"type":"x","room":"a:1","data":"end"}'
    finish tail
    grep -q '^\\u001b\[2Jé' "$OUT"
}

@test "Redis lost and back: it says so and goes on" {
    start_redis
    tail_start 'a:*' b:1
    stop redis
    wait_for_line "$ERR" 'what is not kept is missed now; trying again'
    start_redis
    wait_for_line "$ERR" "collab-tail: $COLLAB_REDIS: connected again"
    wait_until eval '[ "$(grep -c "listening to" "$ERR")" -eq 2 ]'
    redis_publish a:1 '{"type":"x","room":"a:1"}'
    redis_publish b:1 '{"type":"y","room":"b:1"}'
    wait_for_line "$OUT" '"type":"x"'
    wait_for_line "$OUT" '"type":"y"'
}

@test "Redis that is not there at the start is status 3" {
    run -3 collab-tail -W 30 --redis "unix:$BATS_TEST_TMPDIR/none"
    [ "$output" = "collab-tail: unix:$BATS_TEST_TMPDIR/none: no such file or directory" ]
}

@test "Redis that lets nobody listen is status 4" {
    start_redis
    redis acl setuser default resetchannels '&collab:probe:*'
    run -4 collab-tail -W 30 a:1
    [[ $output = "collab-tail: $COLLAB_REDIS: "*NOPERM* ]]
}

@test "usage errors" {
    run -2 collab-tail 'a b'
    [[ $output = 'collab-tail: room "a b": '* ]]
    run -2 collab-tail 'a:*b'
    [[ $output = 'collab-tail: '*'"a:*b": '* ]]
    run -2 collab-tail -f =x
    [ "$output" = 'collab-tail: --filter: a path is missing' ]
    run -2 collab-tail -F '{a'
    [ "$output" = 'collab-tail: --format: "{a": its closing brace is missing (a brace itself is \{)' ]
    run -2 collab-tail -C 0
    [[ $output = 'collab-tail: --count'* ]]
    run -2 collab-tail --token-file x
    [ "$output" = 'collab-tail: --token-file goes with --url' ]
    run -2 collab-tail --url ws://127.0.0.1:1 --redis redis://127.0.0.1:1 a:1
    [ "$output" = 'collab-tail: --url and --redis exclude each other' ]
    run -2 collab-tail --url ws://127.0.0.1:1
    [ "$output" = 'collab-tail: --url needs rooms by name: a gateway takes no pattern' ]
    run -2 collab-tail --url ws://127.0.0.1:1 a:1 'b:*'
    [ "$output" = 'collab-tail: --url needs rooms by name: a gateway takes no pattern' ]
    run -2 collab-tail --url http://127.0.0.1:1 a:1
    [[ $output = 'collab-tail: --url: '* ]]
}

# From here on through a gateway

# Starts collab-tail as a client whose token has these claims.
client_start() # CLAIMS ARGUMENT...
{
    token "$1" >"$BATS_TEST_TMPDIR/token"
    shift
    tail_start --url "ws://$GATEWAY/ws" --token-file "$BATS_TEST_TMPDIR/token" "$@"
}

@test "through a gateway: events of the rooms that the token grants" {
    start_collabd
    client_start '{"sub":"u1","rooms":["project:*","all:*"]}' project:p1 project:p2 all:marks
    grep -qx 'collab-tail: listening to 3 rooms' "$ERR"
    redis_publish project:p1 '{"type":"x","room":"project:p1","data":12345678901234567890}'
    redis_publish project:p3 '{"type":"y","room":"project:p3"}'
    settle
    [ "$(printed)" = '{"type":"x","room":"project:p1","data":12345678901234567890}' ]
}

@test "through a gateway: an event in several rooms is printed once" {
    start_collabd
    client_start '{"sub":"u1","rooms":["*"]}' user:u1 project:p1 all:marks
    publish_copies task:t1 project:p1 user:u1
    settle
    [ "$(printed | grep -o '"room":"[^"]*"')" = '"room":"project:p1"' ]
}

@test "through a gateway: a refused room is reported, the others are listened to" {
    start_collabd
    client_start '{"sub":"u1","rooms":["project:*"]}' project:p1 team:t1
    grep -q '^collab-tail: team:t1: .' "$ERR"
    grep -qx 'collab-tail: listening to 1 room' "$ERR"
}

@test "through a gateway: no room granted is status 4" {
    start_collabd
    token '{"sub":"u1","rooms":["project:*"]}' >"$BATS_TEST_TMPDIR/token"
    run -4 collab-tail -W 30 --url "ws://$GATEWAY/ws" --token-file "$BATS_TEST_TMPDIR/token" team:t1
    [[ $output = 'collab-tail: team:t1: '?* ]]
}

@test "through a gateway: a token comes from a file, the environment or standard input" {
    start_collabd
    local token
    token=$(token '{"sub":"u1","rooms":["*"]}')
    COLLAB_TOKEN=$token tail_start --url "ws://$GATEWAY/ws" a:1
    stop tail
    run -6 collab-tail -v --url "ws://$GATEWAY/ws" -W 1 --token-file - a:1 <<<"$token"
    [[ $output = ?('collab-tail: listening to 1 room') ]] # it may take longer than that
    run -2 collab-tail --url "ws://$GATEWAY/ws" --token-file /nonexistent/token a:1
    [ "$output" = 'collab-tail: /nonexistent/token: no such file or directory' ]
}

@test "through a gateway: a token that is not valid is status 4" {
    start_collabd
    COLLAB_TOKEN=$(token '{"sub":"u1","rooms":["*"],"exp":1000000000}') \
        run -4 collab-tail -W 30 --url "ws://$GATEWAY/ws" a:1
    [[ $output = "collab-tail: ws://$GATEWAY/ws: expired 2001-09-09"* ]]
    [ ${#lines[@]} -eq 1 ]
    COLLAB_TOKEN=nonsense run -4 collab-tail -W 30 --url "ws://$GATEWAY/ws" a:1
    [[ $output = "collab-tail: ws://$GATEWAY/ws: not a token: "* ]]
    [ ${#lines[@]} -eq 1 ]
}

@test "through a gateway: without a token, it says how one is given" {
    start_collabd --auth-time 100ms
    run -4 collab-tail -W 30 --url "ws://$GATEWAY/ws" a:1
    [ "$output" = "collab-tail: ws://$GATEWAY/ws: no token within the time limit (--token-file or \$COLLAB_TOKEN gives one)" ]
}

@test "through a gateway: one that is not there is status 3" {
    COLLAB_TOKEN=x run -3 collab-tail -W 30 --url "ws+unix:$BATS_TEST_TMPDIR/none" a:1
    [[ $output = "collab-tail: ws+unix:$BATS_TEST_TMPDIR/none: "* ]]
}

@test "through a gateway: lost and back, it says so and goes on" {
    start_collabd
    client_start '{"sub":"u1","rooms":["*"]}' a:1
    stop collabd
    wait_for_line "$ERR" 'what is not kept is missed now; trying again'
    start_collabd --port "${GATEWAY##*:}"
    wait_for_line "$ERR" "collab-tail: ws://$GATEWAY/ws: connected again"
    wait_until eval '[ "$(grep -c "listening to" "$ERR")" -eq 2 ]'
    redis_publish a:1 '{"type":"x","room":"a:1"}'
    wait_for_line "$OUT" '"type":"x"'
}
