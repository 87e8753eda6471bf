load helpers
load cluster

# Twenty gateways on one cluster, and a room with a member on each.

NODES=20

setup()
{
    DIR=$BATS_TEST_TMPDIR
    start_cluster 3 0
    echo '{"name":"n","presence":{"grace":"1s"},"rooms":{"*":{"presence":true}},"events":{"*":{}}}' >"$DIR/catalog.json"
    TOKENS=()
    for n in $(seq "$NODES"); do
        start_node "n$n" --node "n$n" --catalog "$DIR/catalog.json" --probe-interval 500ms \
            --lease 5s
        join "$n" "$GATEWAY"
    done
    wait_until present "$(seq "$NODES")"
}

teardown()
{
    stop_all
}

# A member on a node, which comes again when it is turned away.
join() # N GATEWAY
{
    token '{"sub":"u'"$1"'","rooms":["*"],"publish":["*"],"exp":4102444800}' >"$DIR/token.$1"
    start "tail-$1" collab-tail --url "ws://$2/ws" --token-file "$DIR/token.$1" project:p1
}

# Who is in the room: these and nobody else.
present() # "N..."
{
    [ "$(collab-who project:p1 | awk '{ print $1 }' | sort -V | xargs)" = \
        "$(sed 's/^/u/' <<<"$1" | xargs)" ]
}

got() # NUMBER N...
{
    local n
    for n in "${@:2}"; do
        grep -qs "\"data\":$1}" "$DIR/tail-$n.out" || return
    done
}

emit() # NUMBER
{
    collab-emit --catalog "$DIR/catalog.json" --room project:p1 --type x --data "$1"
}

@test "nodes are killed, paused, cut off, and come back" {
    local others
    emit 1
    wait_until got 1 $(seq "$NODES")

    for n in 1 2 3; do
        stop "n$n" KILL
        stop "tail-$n" || true
    done
    wait_until present "$(seq 4 "$NODES")"

    for n in 4 5; do
        kill -STOP "$(pid_of "n$n")"
    done
    wait_until present "$(seq 6 "$NODES")"
    emit 2
    wait_until got 2 $(seq 6 "$NODES")
    for n in 4 5; do
        kill -CONT "$(pid_of "n$n")"
    done
    wait_until present "$(seq 4 "$NODES")"
    wait_until got 2 4 5

    # All are cut off from a server of the cluster, say so, and are told when it is back.
    for n in 1 2 3; do
        server "$n" client kill type normal >/dev/null
        server "$n" client kill type pubsub >/dev/null
    done
    for n in 6 "$NODES"; do
        wait_for_line "$DIR/n$n.err" 'connection closed by the server'
    done
    wait_until present "$(seq 4 "$NODES")"
    emit 3
    wait_until got 3 $(seq 4 "$NODES")
    for n in $(seq 6 "$NODES"); do
        [ "$(grep -c '"data":' "$DIR/tail-$n.out")" -eq 3 ]
    done
}
