load helpers
load followers

# Events are published all the while, numbered, through a spool: each is accepted once. Two nodes
# have clients that follow the room. Whatever happens to Redis, each of them gets every event, once
# and in order; or is told where some are missing.

setup()
{
    DIR=$BATS_TEST_TMPDIR
    CATALOG=$BATS_TEST_DIRNAME/../examples/kanban/catalog.json
    start_redis
    mv "$REDIS_SOCKET" "$DIR/a.sock" # what it is known by can be made another's
    ln -s a.sock "$REDIS_SOCKET"
    redis config set appendonly yes >/dev/null
    wait_until aof_is_on
    URLS=()
    for NODE in one two; do
        start_node "$NODE" --probe-interval 500ms
        URLS+=("ws://$GATEWAY/ws")
    done
    start_followers task:t1 "${URLS[@]}"
}

teardown()
{
    stop_all
}

aof_is_on()
{
    redis info persistence | grep -q 'aof_enabled:1' &&
        redis info persistence | grep -q 'aof_rewrite_in_progress:0'
}

publish() # FIRST LAST
{
    seq "$1" "$2" |
        sed 's/.*/{"type":"comment:created","room":"task:t1","data":{"taskId":"t1","commentId":"c","n":&}}/' |
        collab-emit --spool "$DIR/spool" -c "$CATALOG" 2>>"$DIR/emit.err"
}

# All that was accepted has come, also what had to wait.
arrived() # LAST
{
    publishing_ends
    wait_until all has_number "$1"
}

# Nothing lost, nothing twice, all in order.
is_complete() # N LAST
{
    numbers "$1" | diff - <(seq "$2")
}

@test "Redis is killed and comes back" {
    keep_publishing 1 600
    wait_until has_number 0 100
    stop redis KILL
    wait_until grep -qs 'wait there' "$DIR/emit.err"
    start redis redis-server --port 0 --unixsocket "$DIR/a.sock" --dir "$DIR" --save '' --appendonly yes
    arrived 600
    all is_complete 600
    all no_gap
}

@test "Redis is killed, and comes back with nothing" {
    publish 1 50
    wait_until all has_number 50
    stop redis KILL
    rm -rf "$DIR"/appendonlydir
    start redis redis-server --port 0 --unixsocket "$DIR/a.sock" --dir "$DIR" --save '' --appendonly yes
    wait_until redis_answers
    keep_publishing 51 100
    arrived 100
    all is_complete 100
    local n
    for n in 0 1 2 3; do # that no more was lost, nobody can know
        grep -E '"type":"gap"|"recovered":false' "$DIR/told.$n"
    done
}

@test "a replica that had lagged behind takes over" {
    start replica redis-server --port 0 --unixsocket "$DIR/b.sock" --dir "$DIR" --save '' \
        --appendonly no --dbfilename b.rdb --replica-announce-ip 127.0.0.1
    wait_until eval '[ "$(redis-cli -s "$DIR/b.sock" ping)" = PONG ]'
    local port
    port=$(free_port)
    redis config set port "$port"
    redis-cli -s "$DIR/b.sock" replicaof 127.0.0.1 "$port"
    publish 1 100
    wait_until eval '[ "$(redis-cli -s "$DIR/b.sock" xlen "collab:history:{task:t1}")" = 100 ]'
    wait_until all has_number 100
    redis-cli -s "$DIR/b.sock" replicaof no one
    publish 101 110
    wait_until all has_number 110
    kill -USR2 "$(pid_of followers)"
    ln -sfn b.sock "$REDIS_SOCKET"
    stop redis KILL
    kill -USR1 "$(pid_of followers)"
    keep_publishing 111 200
    arrived 200
    all is_complete 200
    run -7 --separate-stderr collab-tail -e --gaps --since beginning task:t1
    [ "$(jq -r 'select(.type == "gap") | .data.after' <<<"$output" | cut -d- -f2)" = 99 ]
    [ "$(sed -n 's/.*"n":\([0-9]*\)}}$/\1/p' <<<"$output")" = "$(seq 100; seq 111 200)" ]
}

@test "Redis is stopped for a while: the probe notices" {
    keep_publishing 1 400
    wait_until has_number 0 50
    kill -STOP "$(pid_of redis)"
    wait_for_line "$DIR/one.err" 'probe was not answered'
    kill -CONT "$(pid_of redis)"
    arrived 400
    all is_complete 400
    all no_gap
}

@test "connections are killed, again and again" {
    keep_publishing 1 600
    local i
    for i in {1..12}; do
        redis client kill type pubsub
        redis client kill type normal
        wait_until has_number 0 $((i * 40))
    done
    arrived 600
    all is_complete 600
    all no_gap
}

@test "more is published than Redis keeps for a subscriber" {
    redis config set client-output-buffer-limit 'pubsub 200kb 100kb 1'
    local i pad
    pad=$(printf '%02000d' 0)
    kill -STOP "$(pid_of two)"
    for ((i = 1; i <= 900; i++)); do
        printf '{"type":"comment:created","room":"task:t1","data":{"taskId":"t1","commentId":"c","p":"%s","n":%d}}\n' \
            "$pad" $i
    done | collab-emit
    kill -CONT "$(pid_of two)"
    wait_until all has_number 900
    all is_complete 900
    all no_gap
}

@test "a node is killed: its clients go on at the other" {
    keep_publishing 1 500
    wait_until has_number 0 100
    stop one KILL
    arrived 500
    all is_complete 500
    all no_gap
}
