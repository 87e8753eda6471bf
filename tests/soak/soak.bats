# For SOAK_SECONDS, numbered events are published while things happen to Redis, to two nodes and to
# their clients, by a chance that SOAK_SEED decides: the same seed, the same things in the same order.
# At the end each client must have had every event, once and in order.

load ../helpers
load soak

setup()
{
    begin
    run_redis
    start_clients
}

teardown()
{
    stop_all
}

run_redis()
{
    export REDIS_SOCKET=$DIR/redis.sock COLLAB_REDIS=unix:$DIR/redis.sock
    start redis redis-server --port 0 --unixsocket "$REDIS_SOCKET" --dir "$DIR" --save '' \
        --appendonly yes
    wait_until redis_answers
}

something_happens() # WHAT
{
    case $1 in
    0) stop redis KILL && publish && run_redis ;;
    1) redis client kill type pubsub ;;
    2) redis client kill type normal ;;
    3) kill -STOP "$(pid_of redis)" && sleep 1.5 && kill -CONT "$(pid_of redis)" ;;
    *) something_happens_here "$1" ;;
    esac >/dev/null
}

@test "soak" {
    local n room
    go_through
    for n in {0..5}; do
        sed -n 's/.*"n":\([0-9]*\)}}$/\1/p' "$DIR/told.$n" | sort -n | diff - <(seq "$N")
        for room in room:1 room:2; do
            numbers "$n" $room | sort -nc
        done
        ! grep -E '"type":"gap"|"recovered":false' "$DIR/told.$n" | grep -v '"degraded":true'
    done
}
