load helpers
load followers
load cluster

# A master, two replicas, and three sentinels that watch it. Gateways and tools are told of the
# sentinels alone, and follow whom these make the master.

setup()
{
    DIR=$BATS_TEST_TMPDIR
    CATALOG=$BATS_TEST_DIRNAME/../examples/kanban/catalog.json
    PORT=()
    for n in 1 2 3; do
        PORT[n]=$(free_port)
        mkdir "$DIR/server-$n"
        start "server-$n" redis-server --port "${PORT[n]}" --bind 127.0.0.1 --dir "$DIR/server-$n" \
            --save '' --appendonly yes --appendfsync no --repl-diskless-sync-delay 0 \
            --repl-ping-replica-period 1
        wait_until server_answers "$n"
    done
    for n in 2 3; do
        server "$n" replicaof 127.0.0.1 "${PORT[1]}" >/dev/null
        wait_until is_linked "$n"
    done
    for n in 4 5 6; do
        start_sentinel "$n"
    done
    wait_until sentinels_know
    export COLLAB_REDIS=redis+sentinel://127.0.0.1:${PORT[4]},127.0.0.1:${PORT[5]}/main
}

teardown()
{
    stop_all
}

start_sentinel() # N
{
    local file=$DIR/sentinel-$1.conf
    PORT[$1]=$(free_port)
    cat >"$file" <<END
port ${PORT[$1]}
bind 127.0.0.1
dir $DIR
sentinel monitor main 127.0.0.1 ${PORT[1]} 2
sentinel down-after-milliseconds main 1500
sentinel failover-timeout main 6000
END
    start "sentinel-$1" redis-server "$file" --sentinel
    wait_until server_answers "$1"
}

sentinels_know()
{
    local n
    for n in 4 5 6; do
        server "$n" sentinel ckquorum main | grep -q '^OK 3' || return
        [ "$(server "$n" sentinel replicas main | grep -c '^name$')" -eq 2 ] || return
    done
}

follow()
{
    local name url=()
    for name in one two; do
        start_node "$name" --node "$name" --probe-interval 500ms --catalog "$CATALOG"
        url+=("ws://$GATEWAY/ws")
    done
    start_followers task:t1 "${url[@]}"
}

publish() # FIRST LAST
{
    seq "$1" "$2" |
        sed 's/.*/{"type":"comment:created","room":"task:t1","data":{"taskId":"t1","commentId":"c","n":&}}/' |
        collab-emit --spool "$DIR/spool" -c "$CATALOG" 2>>"$DIR/emit.err"
}

# Once and in order; what is not there, a gap was told of.
is_complete_but_for_gaps() # N LAST
{
    numbers "$1" | sort -nuc || return
    numbers "$1" | diff - <(seq "$2") >/dev/null || grep -q '"type":"gap"' "$DIR/told.$1"
}

another_is_master()
{
    [ "$(server 4 sentinel get-master-addr-by-name main | tail -n 1)" != "${PORT[1]}" ]
}

@test "the master is found, by gateways and tools" {
    start_node one --node one
    start tail collab-tail --verbose '*'
    wait_for_line "$(here)/tail.err" 'listening to'
    collab-emit --room task:t1 --type x
    wait_for_line "$(here)/tail.out" '"type":"x"'
    [ "$(server 1 pubsub numpat)" -ge 1 ]
}

@test "who names a sentinel as a server, or a master that is not there, is told" {
    run -3 collab-emit --redis "redis://127.0.0.1:${PORT[4]}" --room task:t1 --type x
    [[ "$output" == *"is a sentinel: redis+sentinel://host[:port]/master"* ]]
    run -3 collab-emit --redis "redis+sentinel://127.0.0.1:${PORT[4]}/other" --room task:t1 --type x
    [[ "$output" == *"knows no master other"* ]]
}

@test "sentinels that want a password, and a user" {
    local where=redis+sentinel://127.0.0.1:${PORT[4]}/main
    server 4 acl setuser watcher on '>of us' +@all >/dev/null
    server 4 acl setuser default '>of all' >/dev/null
    run -3 collab-emit --redis "$where" --room task:t1 --type x
    [[ "$output" == *"NOAUTH"* ]]
    run -3 collab-emit --redis "$where?sentinel-password=other" --room task:t1 --type x
    [[ "$output" == *"WRONGPASS"* && "$output" != *"=other"* ]]
    collab-emit --redis "$where?sentinel-password=of%20all" --room task:t1 --type x
    start_node one --node one --redis "$where?sentinel-user=watcher&sentinel-password=of%20us"
    [ "$(server 4 acl log | grep -c watcher)" -eq 0 ]
}

@test "the master is killed while events flow" {
    follow
    keep_publishing 1 400
    wait_until all has_number 100
    stop server-1 KILL
    wait_until another_is_master
    publishing_ends
    wait_until all has_number 400
    all is_complete_but_for_gaps 400
}

@test "a replica that lagged is made the master: what is missing is told" {
    follow
    publish 1 50
    wait_until all has_number 50
    # Nothing reaches the replicas any more.
    for n in 2 3; do
        kill -STOP "$(pid_of "server-$n")"
    done
    server 1 client kill type replica >/dev/null
    publish 51 60
    wait_until all has_number 60
    stop server-1 KILL
    for n in 2 3; do
        kill -CONT "$(pid_of "server-$n")"
    done
    wait_until another_is_master
    wait_until publish 61 70
    wait_until all has_number 70
    all is_complete_but_for_gaps 70
    all has_gap
    [ "$(collab-tail --since 1h --exit task:t1 | grep -c comment)" -eq 60 ]
}

has_gap() # N
{
    grep -q '"type":"gap"' "$DIR/told.$1"
}
