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
    redis flushall >/dev/null
}

teardown()
{
    stop_all
}

# A node's record as a gateway would put it.
put_node() # NAME STATE CONNECTIONS DELIVERIES_PER_S [UPTIME_S]
{
    local record
    record=$(jq -nc --arg node "$1" --arg state "$2" --argjson connections "$3" \
        --argjson deliveries "$4" --argjson uptime "${5:-61}" '{
            $node, version: "0.1.0", host: "h\"1", pid: 7, address: "http://127.0.0.1:4000",
            started: "2026-11-20T18:00:00.000Z", uptime_s: $uptime, $state,
            metrics: {connections: $connections, rooms: 2, joins: 3, outbox_bytes: 0,
                redis_up: 1, deliveries_total: 123456789012},
            rates: {events_in: 1.5, events_out: 0, $deliveries, messages_in: 4, sent_bytes: 0}}')
    redis set "collab:node:$1" "$record" PX 60000 >/dev/null
    redis sadd collab:nodes "$1" >/dev/null # after it: who finds no record takes the name off
}

@test "a table of all nodes, with their total" {
    put_node b ready 10 1500000 90061
    put_node a degraded 5 0.4
    put_node c draining 1 2000000000 3725
    run -0 collab-stats
    [ "${#lines[@]}" -eq 5 ]
    local words
    read -ra words <<<"${lines[0]}"
    [ "${words[*]}" = \
        'NODE STATE UPTIME CLIENTS ROOMS JOINS EVENTS/S DELIV/S MESSAGES/S WAITING' ]
    read -ra words <<<"${lines[1]}"
    [ "${words[*]}" = 'a degraded 1m01s 5 2 3 2 0 4 0' ]
    read -ra words <<<"${lines[2]}"
    [ "${words[*]}" = 'b ready 1d01h 10 2 3 2 1.5M 4 0' ]
    read -ra words <<<"${lines[3]}"
    [ "${words[*]}" = 'c draining 1h02m 1 2 3 2 2.0G 4 0' ]
    read -ra words <<<"${lines[4]}"
    [ "${words[*]}" = 'TOTAL 16 6 9 4 2.0G 12 0' ]
}

@test "the columns stand under their titles" {
    put_node a-node-with-a-long-name ready 1234567 1
    run -0 collab-stats
    [ "${#lines[0]}" -eq "${#lines[1]}" ]
    [ "${#lines[0]}" -eq "${#lines[2]}" ]
}

@test "nodes are sorted as asked" {
    put_node a ready 1 30
    put_node b ready 3 10
    put_node c ready 2 20
    names()
    {
        collab-stats "$@" | sed -n '2,4s/ .*//p' | tr -d '\n'
    }
    [ "$(names)" = abc ]
    [ "$(names -s clients)" = bca ]
    [ "$(names --sort=deliveries)" = acb ]
    [ "$(names -s rooms)" = abc ]
}

@test "JSON has the records and their totals" {
    put_node a ready 10 1
    put_node b ready 5 2.5
    run -0 collab-stats --format json
    [ "${#lines[@]}" -eq 1 ]
    jq -e '.time | test("^[0-9-]+T[0-9:.]+Z$")' <<<"$output"
    jq -e '[.nodes[].node] == ["a", "b"] and .nodes[0].host == "h\"1"' <<<"$output"
    jq -e '.totals.nodes == 2 and .totals.metrics.connections == 15' <<<"$output"
    jq -e '.totals.rates == {events_in: 3, events_out: 0, deliveries: 3.5, messages_in: 8,
        sent_bytes: 0}' <<<"$output"
}

@test "Prometheus text has every metric of every node, and no fault" {
    put_node a ready 10 1
    put_node "b\"\\" ready 5 2
    collab-stats --format prometheus >"$BATS_TEST_TMPDIR/metrics"
    promtool check metrics <"$BATS_TEST_TMPDIR/metrics"
    grep -qx 'collab_connections{node="a"} 10' "$BATS_TEST_TMPDIR/metrics"
    grep -qxF 'collab_connections{node="b\"\\"} 5' "$BATS_TEST_TMPDIR/metrics"
    grep -qx 'collab_deliveries_total{node="a"} 123456789012' "$BATS_TEST_TMPDIR/metrics"
    grep -qxF 'collab_node_info{node="a",version="0.1.0",host="h\"1",address="http://127.0.0.1:4000"} 1' \
        "$BATS_TEST_TMPDIR/metrics"
}

@test "several samples, one after the other" {
    put_node a ready 10 1
    run -0 collab-stats -C 3 -i 100ms --format json
    [ "${#lines[@]}" -eq 3 ]
    run -0 collab-stats -C 2 -i 100ms
    [ "$(grep -c '^NODE' <<<"$output")" -eq 2 ]
}

@test "without a node the answer is no" {
    run -1 collab-stats
    [ "$output" = "collab-stats: $COLLAB_REDIS: no node found" ]
    run -1 collab-stats --format prometheus
    run -1 collab-stats --format json
    jq -e '.nodes == [] and .totals.nodes == 0' <<<"$output"
}

@test "a record that is none is reported and passed over" {
    put_node a ready 10 1
    redis sadd collab:nodes b >/dev/null
    redis set collab:node:b '{"node":' >/dev/null
    run --separate-stderr -0 collab-stats
    [ "$stderr" = 'collab-stats: node "b": its record is no JSON object' ]
    [ "${#lines[@]}" -eq 3 ]
}

@test "a terminal gets a table that is redrawn, and cut to its size" {
    local name
    for name in a b c d e f g h i j; do
        put_node $name ready 1 1
    done
    start stats script -qfec 'stty rows 10 cols 40; collab-stats -i 100ms' /dev/null
    wait_for_line "$BATS_TEST_TMPDIR/stats.out" '... and 6 more'
    wait_for_line "$BATS_TEST_TMPDIR/stats.out" '10 nodes'
    grep -q $'\033\[K' "$BATS_TEST_TMPDIR/stats.out"
    [ "$(sed $'s/\033\\[[0-9;]*[A-Za-z]//g; s/\r//g' "$BATS_TEST_TMPDIR/stats.out" | wc -L)" -eq 40 ]
    redis del collab:node:b >/dev/null
    wait_for_line "$BATS_TEST_TMPDIR/stats.out" '9 nodes'
}

@test "a terminal is told when Redis is lost and back" {
    start_redis
    put_node a ready 1 1
    start stats script -qfec 'stty rows 20 cols 200; collab-stats -i 100ms' /dev/null
    wait_for_line "$BATS_TEST_TMPDIR/stats.out" '1 node'
    stop redis
    wait_for_line "$BATS_TEST_TMPDIR/stats.out" '; trying again'
    start_redis
    put_node a ready 77 1
    wait_for_line "$BATS_TEST_TMPDIR/stats.out" ' 77 '
}

@test "one sample on request, also on a terminal" {
    put_node a ready 1 1
    run -0 script -qec 'collab-stats -C 1' /dev/null
    [[ $output != *$'\033[H'* ]]
}

@test "a terminal of 80 columns has all of them, a narrower one the first" {
    put_node abcdefgh degraded 1 1234 8639999
    run -0 script -qec 'stty cols 80; collab-stats -C 1' /dev/null
    [[ ${lines[0]} = *' WAITING'* ]]
    [ "$(sed $'s/\033\\[[0-9;]*m//g; s/\r//g' <<<"$output" | wc -L)" -le 80 ]
    run -0 script -qec 'stty cols 60; collab-stats -C 1' /dev/null
    [[ ${lines[0]} = *' EVENTS/S'* && ${lines[0]} != *DELIV* ]]
}

@test "Redis that is not there is status 3" {
    run -3 collab-stats --redis "unix:$BATS_TEST_TMPDIR/none"
    [ "$output" = "collab-stats: unix:$BATS_TEST_TMPDIR/none: no such file or directory" ]
}

@test "Redis that tells nothing is status 4" {
    start_redis
    redis acl setuser default -smembers
    run -4 collab-stats
    [[ $output = "collab-stats: $COLLAB_REDIS: NOPERM"* ]]
}

@test "usage errors" {
    run -2 collab-stats node
    [ "$output" = 'collab-stats: unexpected operand node' ]
    run -2 collab-stats --check --waiting
    [ "$output" = 'collab-stats: --check and --waiting exclude each other' ]
    run -2 collab-stats -i 1ms
    [[ $output = 'collab-stats: --interval'* ]]
    run -2 collab-stats --format yaml
    [[ $output = 'collab-stats: --format'* ]]
}

is_listed() # NAME CLIENTS
{
    collab-stats --format json |
        jq -e ".nodes[] | select(.node == \"$1\" and .metrics.connections == $2)" >/dev/null
}

@test "gateways are found while they run" {
    start_collabd --node n1
    wait_until is_listed n1 0
    token '{"sub":"u1","rooms":["*"]}' >"$BATS_TEST_TMPDIR/token"
    start tail collab-tail -v --url "ws://$GATEWAY/ws" --token-file "$BATS_TEST_TMPDIR/token" a:1
    wait_until is_listed n1 1
    run -0 collab-stats
    [[ ${lines[1]} = 'n1 '*' ready '* ]]
    stop tail
    stop collabd
    run -1 collab-stats
}

# --- --check ---

checks() # STATUS TEXT OPTION...
{
    local status=$1 text=$2
    shift 2
    run --separate-stderr "-$status" collab-stats --check "$@"
    echo "$output"
    # shellcheck disable=SC2053 # a pattern
    [[ $output = $text ]]
}

@test "check: all is well" {
    put_node a ready 3 1
    put_node b ready 4 1
    checks 0 'COLLAB OK - 2 nodes, 7 clients, delivery in * ms|nodes=2 clients=7 delivery=*ms'
}

@test "check: a node that is not ready is a warning" {
    put_node a ready 3 1
    put_node b degraded 4 1
    put_node c draining 0 1
    checks 1 'COLLAB WARNING - b is degraded, c is draining; 3 nodes, 7 clients, delivery in *'
}

@test "check: no node, no Redis, no answer are critical" {
    checks 2 'COLLAB CRITICAL - no node'
    checks 2 'COLLAB CRITICAL - unix:/nowhere: *' --redis unix:/nowhere
    put_node a ready 3 1
    kill -STOP "$(cat "$BATS_FILE_TMPDIR/redis.pid")"
    run collab-stats --check --limit 300ms
    kill -CONT "$(cat "$BATS_FILE_TMPDIR/redis.pid")"
    [ "$status" -eq 2 ]
    [[ $output = 'COLLAB CRITICAL - unix:'*': no answer within 300ms' ]]
}

@test "check: what Redis does not allow is unknown" {
    put_node a ready 3 1
    redis acl setuser mute on '>secret' allkeys '&collab:*' +@all -publish >/dev/null
    checks 3 'COLLAB UNKNOWN - *' --redis "unix://mute:secret@$REDIS_SOCKET" --limit 60s
    redis acl deluser mute >/dev/null
}

@test "check: of a gateway that runs" {
    has_record()
    {
        [ "$(redis exists collab:node:n1)" = 1 ]
    }
    start_collabd --node n1
    wait_until has_record
    checks 0 'COLLAB OK - 1 node, 0 clients, delivery in * ms|nodes=1 clients=0 delivery=*ms'
}
