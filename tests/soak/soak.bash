# shellcheck shell=bash
# What the soaks have in common, beside helpers.

# The seed, the catalog, a token.
begin()
{
    SEED=${SOAK_SEED:-$(date +%s)}
    SECONDS_LONG=${SOAK_SECONDS:-60}
    echo "# SOAK_SEED=$SEED SOAK_SECONDS=$SECONDS_LONG" >&3
    RANDOM=$SEED
    DIR=$BATS_TEST_TMPDIR
    CLIENTS=$BATS_TEST_DIRNAME/../clients
    CATALOG=$DIR/catalog.json
    echo '{"name":"soak","rooms":{"*":{"history":{"length":1000000}}},"events":{"*":{}}}' >"$CATALOG"
    TOKEN=$(token '{"sub":"u1","rooms":["*"],"exp":4102444800}')
}

# Two nodes, and clients that follow two rooms.
start_clients()
{
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

# To nodes and clients.
something_happens_here() # WHAT
{
    case $1 in
    4) stop one KILL && publish && run_node one "${PORTS[1]}" ;;
    5) stop two && publish && run_node two "${PORTS[2]}" ;;
    6) kill -STOP "$(pid_of one)" && publish && kill -CONT "$(pid_of one)" ;;
    7) kill -USR1 "$(pid_of followers)" ;;
    8) kill -USR2 "$(pid_of followers)" && publish && kill -USR1 "$(pid_of followers)" ;;
    *) sleep "0.$RANDOM" ;;
    esac >/dev/null
}

# Publishes while things happen, until the time is over and all is there that will be.
go_through()
{
    local tries
    N=0
    while ((SECONDS < SECONDS_LONG)); do
        publish
        something_happens $((RANDOM % 12))
    done
    wait_until publish_rest
    echo "# $N events" >&3
    for tries in {1..60}; do
        all_have "$N" && break
        sleep 0.2
    done
}
