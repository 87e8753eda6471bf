# The gateway and Redis: gone and back, passwords and rules, one of its own.

load helpers
load gateway

setup_file()
{
    use_plain_catalog
}

setup()
{
    ERR=$BATS_TEST_TMPDIR/collabd.err
    OUT=$BATS_TEST_TMPDIR/collabd.out
    start_player
}

teardown()
{
    stop_all
}

READY='{"node":"n1","live":true,"ready":true,"degraded":false,"reasons":[]}'

degraded() # WHY
{
    printf '{"node":"n1","live":true,"ready":true,"degraded":true,"reasons":["%s"]}' "$1"
}

is_degraded()
{
    [[ $(health) = *'"degraded":true'* ]]
}

# A room is joined, and the answer says that Redis is away, by its state at that moment.
join_degraded() # NAME ROOM
{
    local line
    say "$1" '{"type":"subscribe","ref":2,"data":["'"$2"'"]}'
    next_line "$1"
    [[ $line = '{"type":"subscribed","data":{"rooms":["'"$2"'"],"degraded":true,"reason":"'"$(
        )$COLLAB_REDIS: "*'"},"ref":2}' ]]
}

# Ann and Bob are in a room, and Redis does not answer: served by this node, they are told.
are_served_without_redis() # WHY
{
    wait_until is_degraded
    health_is "$(degraded "$1")"
    [[ $(tail -n 1 "$ERR") = *" warning collabd: degraded: $1" ]]
    metric_is redis_up 0
    say ann '{"type":"publish","ref":1,"data":{"type":"x","room":"a:1","data":1}}'
    hear_both ann '{"type":"x","room":"a:1","user":"ann","time":"NOW","data":1}' \
        '{"type":"published","data":{"rooms":["a:1"],"degraded":true,"reason":"'"$1"'"},"ref":1}'
    hear bob '{"type":"x","room":"a:1","user":"ann","time":"NOW","data":1}'
    join_degraded bob b:1
    enter eve
    join_degraded eve c:2
    say eve '{"type":"publish","data":{"type":"y","rooms":["b:1","c:1"]}}'
    hear eve '{"type":"published","data":{"rooms":["b:1","c:1"],"degraded":true,"reason":"'"$1"'"}}'
    hear bob '{"type":"y","room":"b:1","rooms":["b:1","c:1"],"user":"eve","time":"NOW","data":null}'
    [ "$(curl -sS "http://$GATEWAY/api/v1/events?token=$(token '{"sub":"ci","publish":["*"]}')" \
        -d '{"type":"z","room":"a:1"}')" = '{"refused":[],"accepted":1,"degraded":true}' ]
    hear ann '{"type":"z","room":"a:1","user":"ci","time":"NOW","data":null}'
    hear bob '{"type":"z","room":"a:1","user":"ci","time":"NOW","data":null}'
    metric_is events_local_total 3
    [ "$(curl -sS "http://$GATEWAY/api/v1/ws/stats" | jq -r .state)" = degraded ]
}

# Redis is back: nobody reconnects, and events of all rooms flow, those joined meanwhile too.
are_served_again()
{
    wait_until health_is "$READY"
    metric_is redis_up 1
    metric_is redis_reconnects_total 1
    metric_is connections_opened_total 3
    collab-emit -r a:1 -t back
    collab-emit -r b:1 -t back
    hear ann '{"type":"back","room":"a:1","time":"NOW","data":null}'
    hear bob '{"type":"back","room":"a:1","time":"NOW","data":null}' \
        '{"type":"back","room":"b:1","time":"NOW","data":null}'
    say ann '{"type":"publish","ref":3,"data":{"type":"x","room":"b:1"}}'
    hear ann '{"type":"published","data":{"rooms":["b:1"]},"ref":3}'
    hear bob '{"type":"x","room":"b:1","user":"ann","time":"NOW","data":null}'
}

@test "Redis killed: clients are served and told, and all is well when it is back" {
    start_redis
    start_collabd --node n1
    enter ann a:1
    enter bob a:1
    stop redis KILL
    are_served_without_redis "$COLLAB_REDIS: connection closed by the server"
    start_redis
    are_served_again
}

@test "Redis frozen: noticed by the probe, and all is well when it goes on" {
    start_redis
    start_collabd --node n1 --probe-interval 500ms
    enter ann a:1
    enter bob a:1
    kill -STOP "$(pid_of redis)"
    are_served_without_redis "$COLLAB_REDIS: the probe was not answered"
    kill -CONT "$(pid_of redis)"
    are_served_again
}

@test "a Redis that is not there at the start is waited for, degraded" {
    local socket=$BATS_TEST_TMPDIR/redis.sock
    COLLAB_REDIS=unix:$socket start_collabd --node n1
    health_is "$(degraded "unix:$socket: no such file or directory")"
    enter ann
    say ann '{"type":"subscribe","data":["a:1"]}'
    hear ann '{"type":"subscribed","data":{"rooms":["a:1"],"degraded":true,"reason":"'"$(
        )unix:$socket: no such file or directory"'"}}'
    start_redis
    wait_until health_is "$READY"
    metric_is redis_reconnects_total 0
    collab-emit -r a:1 -t x
    hear ann '{"type":"x","room":"a:1","time":"NOW","data":null}'
}

@test "who is told to be in gets what is published in the rooms joined by itself" {
    local line
    start_redis
    echo '{"rooms":{"*":{},"self:{id}":{"join":"self","auto":true},"all:0":{"join":"any","auto":true}},
        "events":{"*":{"class":"live"}}}' >"$BATS_TEST_TMPDIR/catalog.json"
    start_collabd --node n1 --catalog "$BATS_TEST_TMPDIR/catalog.json" --probe-interval 30s
    enter ann
    kill -STOP "$(pid_of redis)"
    connect ann2 "$(token '{"sub":"ann"}')" # in rooms that are listened to
    hear ann2 'open collab.v1' "$(welcome ann)"
    connect bob "$(token '{"sub":"bob"}')"
    hear bob 'open collab.v1'
    say bob '{"type":"ping","ref":1}'
    tell eve connect "ws://$GATEWAY/socket.io/?EIO=4&transport=websocket"
    next_line eve && next_line eve && [[ $line = '0{'* ]]
    say eve '40{"token":"'"$(token '{"sub":"eve"}')"'"}'
    say eve '42["ping"]'
    wait_until metric_is messages_received_total 2
    run ! has_heard bob 2
    run ! has_heard eve 3
    kill -CONT "$(pid_of redis)"
    hear bob "$(welcome bob)" '{"type":"pong","ref":1}'
    next_line eve && [[ $line = '40{"sid":'* ]]
    next_line eve && [[ $line = '42["connection.ack",'* ]]
    hear eve '42["pong",null]'
    collab-emit -r self:bob -t x
    collab-emit -r self:eve -t x
    hear bob '{"type":"x","room":"self:bob","time":"NOW","data":null}'
    next_line eve && [[ $line = '42["x",null,'* ]]
}

@test "Redis frozen: who comes meanwhile is served when that is noticed" {
    start_redis
    echo '{"rooms":{"self:{id}":{"join":"self","auto":true}},"events":{"*":{"class":"live"}}}' \
        >"$BATS_TEST_TMPDIR/catalog.json"
    start_collabd --node n1 --catalog "$BATS_TEST_TMPDIR/catalog.json" --probe-interval 200ms
    kill -STOP "$(pid_of redis)"
    enter ann
    kill -CONT "$(pid_of redis)"
    wait_until health_is "$READY"
    collab-emit -r self:ann -t x
    hear ann '{"type":"x","room":"self:ann","time":"NOW","data":null}'
}

@test "publishing when Redis freezes is not answered with a lie" {
    start_redis
    start_collabd --node n1 --probe-interval 500ms
    enter ann a:1
    kill -STOP "$(pid_of redis)"
    say ann '{"type":"publish","ref":1,"data":{"type":"x","room":"a:2"}}'
    hear ann "$(error unavailable "$COLLAB_REDIS: the probe was not answered" ',"ref":1')"
}

# --- passwords and rules ---

@test "a Redis with a password" {
    start_redis
    redis config set requirepass 's3cret:/@?%'
    COLLAB_REDIS=unix:$REDIS_SOCKET start_collabd --node n1
    health_is "$(degraded "unix:$REDIS_SOCKET: NOAUTH Authentication required.")"
    stop collabd
    COLLAB_REDIS=unix://:wrong@$REDIS_SOCKET start_collabd --node n1
    health_is "$(degraded "unix:$REDIS_SOCKET: $(
        )WRONGPASS invalid username-password pair or user is disabled.")"
    stop collabd
    COLLAB_REDIS=unix://:s3cret%3a%2F%40%3f%25@$REDIS_SOCKET start_collabd --node n1
    health_is "$READY"
    enter ann a:1
    say ann '{"type":"publish","data":{"type":"x","room":"a:1"}}'
    hear_both ann '{"type":"published","data":{"rooms":["a:1"]}}' \
        '{"type":"x","room":"a:1","user":"ann","time":"NOW","data":null}'
}

@test "a Redis user with no more rights than needed" {
    start_redis
    redis acl setuser gateway on '>pw' resetchannels '~collab:*' '&collab:*' +@all -@admin -@dangerous
    COLLAB_REDIS=unix://gateway:pw@$REDIS_SOCKET start_collabd --node n1 --probe-interval 500ms
    enter ann a:1
    say ann '{"type":"publish","data":{"type":"x","room":"a:1"}}'
    hear_both ann '{"type":"published","data":{"rooms":["a:1"]}}' \
        '{"type":"x","room":"a:1","user":"ann","time":"NOW","data":null}'
    health_is "$READY"
    wait_until eval '[ "$(redis exists collab:node:n1)" = 1 ]'
}

@test "a Redis user who may not have every room" {
    local why='NOPERM this user has no permissions to access one of the channels used as arguments'
    start_redis
    redis acl setuser gateway on '>pw' resetchannels '~collab:*' '&collab:probe:*' \
        '&collab:room:a:*' +@all
    COLLAB_REDIS=unix://gateway:pw@$REDIS_SOCKET start_collabd --node n1
    enter ann a:1
    say ann '{"type":"subscribe","ref":1,"data":["b:1"]}'
    hear ann "$(error unavailable "b:1: $why" ',"ref":1')"
    # Nobody is in a room whose events would not come: nor in another of the same request.
    metric_is joins 1
    say ann '{"type":"subscribe","ref":2,"data":["a:1","a:3","b:1"]}'
    hear ann "$(error unavailable "b:1: $why" ',"ref":2')"
    metric_is joins 1
    say ann '{"type":"subscribe","ref":3,"data":["a:3"]}'
    hear ann '{"type":"subscribed","data":{"rooms":["a:3"]},"ref":3}'
    say ann '{"type":"publish","ref":2,"data":{"type":"x","room":"b:1"}}'
    hear ann "$(error unavailable "$why" ',"ref":2')"
    say ann '{"type":"publish","ref":3,"data":{"type":"x","room":"a:2"}}'
    hear ann '{"type":"published","data":{"rooms":["a:2"]},"ref":3}'
}

# --- one of its own ---

# As without any setting: no Redis, no key. Its directories are the test's.
start_embedded() # NAME [OPTION]...
{
    unset COLLAB_REDIS
    export XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR/run XDG_STATE_HOME=$BATS_TEST_TMPDIR/state
    mkdir -p "$XDG_RUNTIME_DIR"
    chmod 700 "$XDG_RUNTIME_DIR"
    REDIS_SOCKET=$XDG_RUNTIME_DIR/collab/redis.sock
    start_node "$@"
}

embedded_pid()
{
    redis info server | tr -d '\r' | sed -n 's/^process_id://p'
}

@test "without a setting: a Redis of its own, which the tools find" {
    start_embedded collabd --node n1
    health_is "$READY"
    [ "$(stat -c %a "$XDG_RUNTIME_DIR/collab" "$XDG_STATE_HOME/collab" "$REDIS_SOCKET" | tr '\n' ' ')" = \
        '700 700 700 ' ]
    enter ann a:1
    collab-emit -r a:1 -t x
    hear ann '{"type":"x","room":"a:1","time":"NOW","data":null}'
    run -0 collab-stats
    [[ ${lines[1]} = 'n1 '* ]]
    local pid
    pid=$(embedded_pid)
    stop collabd
    [ "$status" -eq 0 ]
    has_ended "$pid"
}

@test "one directory may be for its socket and its state" {
    unset COLLAB_REDIS
    export XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR/run XDG_STATE_HOME=$BATS_TEST_TMPDIR/run
    mkdir -m 700 "$XDG_RUNTIME_DIR"
    start_node collabd --node n1
    health_is "$READY"
    stop collabd
    [ "$status" -eq 0 ]
}

@test "a second one on the same directory is told who holds it" {
    start_embedded collabd --node n1
    run --separate-stderr -3 collabd --port 0 --key-file "$(key_file)"
    [ -z "$output" ]
    [ "$stderr" = "collabd: $XDG_RUNTIME_DIR/collab is in use by collabd, process $(pid_of collabd)" ]
    health_is "$READY"
}

@test "one that is killed leaves nothing that stops the next, and what Redis kept is there" {
    local pid
    start_embedded collabd --node n1
    redis set kept value
    pid=$(embedded_pid)
    stop collabd KILL
    start_embedded collabd --node n1
    [ "$(embedded_pid)" != "$pid" ]
    health_is "$READY"
    [ "$(redis get kept)" = value ]
    stop collabd
    start_embedded collabd --node n1
    [ "$(redis get kept)" = value ]
}

@test "its Redis is started again when it ends" {
    local pid
    start_embedded collabd --node n1
    enter ann a:1
    pid=$(embedded_pid)
    kill -KILL "$pid"
    wait_until metric_is redis_reconnects_total 1
    health_is "$READY"
    collab-emit -r a:1 -t x
    hear ann '{"type":"x","room":"a:1","time":"NOW","data":null}'
    grep -q "error collabd: redis-server ended (signal 9) and is started again: see " "$ERR"
    pid=$(embedded_pid)
    stop collabd
    has_ended "$pid"
}

# Without a setting it cannot start, for this reason.
cannot_start() # MESSAGE
{
    run --separate-stderr -3 in_time env -u COLLAB_REDIS PATH="${BIN_PATH-$PATH}" \
        "$BUILD/bin/collabd" --port 0 --key-file "$(key_file)"
    [ -z "$output" ]
    [ "$stderr" = "collabd: $1" ]
}

@test "no redis-server, a run directory that others can read, a file in its place" {
    local dir=$BATS_TEST_TMPDIR/run
    export XDG_RUNTIME_DIR=$dir XDG_STATE_HOME=$BATS_TEST_TMPDIR/state
    mkdir -m 700 "$dir"
    BIN_PATH=/nonexistent cannot_start \
        'redis-server is not found on PATH: install it, or name a Redis'
    chmod 755 "$dir/collab"
    cannot_start "$dir/collab: open to others (mode 0755): it must have mode 0700"
    rm -r "$dir/collab"
    : >"$dir/collab"
    cannot_start "$dir/collab: not a directory"
}
