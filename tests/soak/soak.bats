# For SOAK_SECONDS, numbered events are published while things happen to Redis, to two nodes and to
# their clients, by a chance that SOAK_SEED decides: the same seed, the same things in the same order.
# At the end each client must have had every event, once and in order.

load ../helpers

setup()
{
    SEED=${SOAK_SEED:-$(date +%s)}
    SECONDS_LONG=${SOAK_SECONDS:-60}
    echo "# SOAK_SEED=$SEED SOAK_SECONDS=$SECONDS_LONG" >&3
    RANDOM=$SEED
    DIR=$BATS_TEST_TMPDIR
    CLIENTS=$BATS_TEST_DIRNAME/../clients
    CATALOG=$DIR/catalog.json
    echo '{"name":"soak","rooms":{"*":{"history":{"length":1000000}}},"events":{"*":{}}}' >"$CATALOG"
    run_redis
    TOKEN=$(token '{"sub":"u1","rooms":["*"],"exp":4102444800}')
    run_node one 0
    PORTS[1]=${GATEWAY##*:}
    run_node two 0
    PORTS[2]=${GATEWAY##*:}
    start followers node "$CLIENTS/follower.mjs" "$TOKEN" 6 "$DIR/told" room:1,room:2 \
        "ws://127.0.0.1:${PORTS[1]}/ws" "ws://127.0.0.1:${PORTS[2]}/ws"
    wait_until all_have_joined
}

all_have_joined()
{
    [ "$(cat "$DIR"/told.* | grep -c '"type":"subscribed"')" -ge 6 ]
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

run_node() # NAME PORT
{
    start_node "$1" --listen "127.0.0.1:$2" --catalog "$CATALOG" --probe-interval 500ms
}

# The next events, some to one room, some to both.
publish()
{
    local last=$((N + RANDOM % 40)) n
    for ((n = N + 1; n <= last; n++)); do
        case $((n % 3)) in
        0) printf '{"type":"x","room":"room:1","data":{"n":%d}}\n' "$n" ;;
        1) printf '{"type":"x","room":"room:2","data":{"n":%d}}\n' "$n" ;;
        2) printf '{"type":"x","rooms":["room:1","room:2"],"data":{"n":%d}}\n' "$n" ;;
        esac
    done | collab-emit --spool "$DIR/spool" -c "$CATALOG" 2>>"$DIR/emit.err"
    N=$last
}

something_happens()
{
    local what=$((RANDOM % 12))
    case $what in
    0) stop redis KILL && publish && run_redis ;;
    1) redis client kill type pubsub ;;
    2) redis client kill type normal ;;
    3) kill -STOP "$(pid_of redis)" && sleep 1.5 && kill -CONT "$(pid_of redis)" ;;
    4) stop one KILL && publish && run_node one "${PORTS[1]}" ;;
    5) stop two && publish && run_node two "${PORTS[2]}" ;;
    6) kill -STOP "$(pid_of one)" && publish && kill -CONT "$(pid_of one)" ;;
    7) kill -USR1 "$(pid_of followers)" ;;
    8) kill -USR2 "$(pid_of followers)" && publish && kill -USR1 "$(pid_of followers)" ;;
    *) sleep "0.$RANDOM" ;;
    esac >/dev/null
}

publish_rest()
{
    collab-emit --spool "$DIR/spool" -c "$CATALOG" /dev/null && [ ! -e "$DIR/spool/events" ]
}

numbers() # N ROOM
{
    grep "\"room\":\"$2\"" "$DIR/told.$1" | sed -n 's/.*"n":\([0-9]*\)}}$/\1/p'
}

# What a client got of a room: in order; and of both rooms together everything, once.
all_have() # COUNT
{
    local n
    for n in {0..5}; do
        [ "$(sed -n 's/.*"n":\([0-9]*\)}}$/\1/p' "$DIR/told.$n" | sort -un | wc -l)" -ge "$1" ] || return
    done
}

@test "soak" {
    N=0
    while ((SECONDS < SECONDS_LONG)); do
        publish
        something_happens
    done
    wait_until publish_rest
    echo "# $N events" >&3
    local n room tries
    for tries in {1..60}; do
        all_have "$N" && break
        sleep 0.2
    done
    for n in {0..5}; do
        sed -n 's/.*"n":\([0-9]*\)}}$/\1/p' "$DIR/told.$n" | sort -n | diff - <(seq "$N")
        for room in room:1 room:2; do
            numbers "$n" $room | sort -nc
        done
        ! grep -E '"type":"gap"|"recovered":false' "$DIR/told.$n" | grep -v '"degraded":true'
    done
}
