# Recovery of Socket.IO sessions: what a client missed comes, whatever became of its node.

load helpers

CLIENTS=$BATS_TEST_DIRNAME/clients
EVERYTHING='"rooms":["*"],"publish":["*"]'

setup()
{
    export COLLAB_CATALOG=$BATS_TEST_TMPDIR/catalog.json
    echo '{"name":"kept","rooms":{"*":{},"short:{id}":{"history":{"length":2}}},
        "events":{"*":{},"live":{"class":"live"}}}' >"$COLLAB_CATALOG"
    start_redis
}

teardown()
{
    stop_all
}

ann()
{
    token '{"sub":"ann",'"$EVERYTHING"'}'
}

# Clients of these that come back to another; $RECOVERY_CLIENTS is how many.
start_storm() # URL URL
{
    start storm timeout "$PATIENCE_S" node "$CLIENTS/recovery.js" storm "http://$1" "http://$2" "$(ann)" \
        "${RECOVERY_CLIENTS:-200}"
    wait_for_line "$BATS_TEST_TMPDIR/storm.out" connected
}

storm_passes()
{
    finish storm
    cat "$BATS_TEST_TMPDIR/storm.err"
    [ "$status" -eq 0 ]
}

check() # NAME [URL]...
{
    in_time node "$CLIENTS/recovery.js" "$1" "http://$GATEWAY" "${@:2}" "$(ann)"
}

@test "all are recovered on another node after a kill, and miss nothing" {
    local first
    start_node first
    first=$GATEWAY
    start_node second
    start_storm "$first" "$GATEWAY"
    stop first KILL
    storm_passes
}

@test "all are recovered after a restart, and miss nothing" {
    start_collabd
    start_storm "$GATEWAY" "$GATEWAY"
    stop collabd
    start_node again --port "${GATEWAY##*:}"
    storm_passes
}

@test "who is back before the node has heard from Redis is recovered when it has" {
    start_collabd
    start client check restarted
    wait_for_line "$BATS_TEST_TMPDIR/client.out" connected
    kill -STOP "$(pid_of redis)"
    stop collabd KILL
    start collabd collabd --port "${GATEWAY##*:}" --key-file "$(key_file)"
    wait_until has_visitor
    [ ! -s "$BATS_TEST_TMPDIR/collabd.out" ]
    kill -CONT "$(pid_of redis)"
    finish client
    cat "$BATS_TEST_TMPDIR/client.err"
    [ "$status" -eq 0 ]
}

has_visitor()
{
    curl -fs "http://$GATEWAY/metrics" | grep -q '^collab_connections{.*} 1'
}

@test "what was published while a client was away comes first" {
    start_collabd
    check away
}

@test "what is kept no more is not passed over in silence" {
    start_collabd
    check trimmed
}

@test "a Redis that has forgotten makes clients begin anew" {
    start_collabd
    check forgotten
}

@test "who disconnects begins anew" {
    start_collabd
    check left
}

@test "who is told to go for good begins anew" {
    start_collabd
    check dismissed
}

@test "a private id is of no use without the token, nor with an offset that is none" {
    start_collabd
    in_time node "$CLIENTS/recovery.js" strangers "http://$GATEWAY" \
        "$(token '{"sub":"bob",'"$EVERYTHING"'}')" "$(ann)"
}

@test "nothing is promised where nothing is kept" {
    echo '{"name":"live","rooms":{"*":{"history":{"length":0}}},"events":{"*":{"class":"live"}}}' \
        >"$COLLAB_CATALOG"
    start_collabd
    check off
}
