load helpers

CLIENTS=$BATS_TEST_DIRNAME/clients

setup_file()
{
    start_redis
    # All clients are one user here, and in a hurry.
    start_collabd --client-rate off --user-rate off --room-rate off --auth-rate off
    export COLLAB_TOKEN COLLABD_PID
    COLLAB_TOKEN=$(token '{"sub":"u1","rooms":["*"],"publish":["*"]}')
    COLLABD_PID=$(pid_of collabd)
}

teardown_file()
{
    stop_all
}

teardown()
{
    stop_all
}

# A short run against the gateway.
bench()
{
    run --separate-stderr collab-bench --url "ws://$GATEWAY/ws" -c 20 --warmup 0 --settle 50ms "$@"
    echo "$output"
    echo "$stderr"
}

# The same against one whose faults are known.
bench_faulty() # FAULT OPTION...
{
    local fault=$1 at
    shift
    start faulty node "$CLIENTS/faulty.js"
    wait_for_line "$(here)/faulty.out" 'ready '
    at=$(sed -n 's/^ready //p' "$(here)/faulty.out")
    run --separate-stderr collab-bench --url "ws://$at/none" --publish ws \
        --publish-url "ws://$at/$fault" -c 20 -n 100 --warmup 0 --settle 50ms --format json "$@"
    echo "$output"
    echo "$stderr"
}

field() # PATH
{
    jq -e ".$1" <<<"$output"
}

@test "help is on standard output" {
    run --separate-stderr -0 collab-bench --help
    [[ ${lines[0]} = 'usage: collab-bench '* ]]
    [ -z "$stderr" ]
}

@test "all events arrive, through Redis" {
    bench -m 4 -n 200 --format json
    [ "$status" -eq 0 ]
    [ "$(field events)" -eq 200 ]
    [ "$(field deliveries)" -eq 1000 ]
    [ "$(field expected)" -eq 1000 ]
    [ "$(field 'lost + .duplicated + .out_of_order + .astray + .clients_gone')" -eq 0 ]
    [ "$(field 'latency_ms | .p50 > 0 and .p50 <= .p99 and .p99 <= .max')" = true ]
    [ "$(field cpu_seconds)" = null ]
}

@test "all events arrive, by WebSocket" {
    bench -m 4 -n 200 --publish ws --format json
    [ "$status" -eq 0 ]
    [ "$(field deliveries)" -eq 1000 ]
}

@test "by WebSocket, each room may have its own connection" {
    start_collabd --redis "$COLLAB_REDIS"
    bench -m 20 -n 200 --publish ws --publish-url "ws://$GATEWAY/ws?room=%r"
    [ "$status" -eq 0 ]
    curl -fsS "http://$GATEWAY/metrics" | grep -q '^collab_connections_opened_total{.*} 40$'
}

@test "events can be published at a rate" {
    bench -n 20 -r 200
    [ "$status" -eq 0 ]
    [[ $output = *'events      20 of 128 bytes in '* ]]
}

@test "a run of a given length" {
    bench -d 200ms --warmup 100ms --format json
    [ "$status" -eq 0 ]
    [ "$(field 'expected > .deliveries')" = true ] # the warm-up is accounted for, too
}

@test "the events are of the size that was asked for" {
    start heard redis-cli -s "$REDIS_SOCKET" psubscribe 'collab:room:*'
    wait_for_line "$(here)/heard.out" psubscribe
    bench -n 10 -m 10 -s 1000
    [ "$status" -eq 0 ]
    wait_until eval '[ "$(grep -c "^{" "$(here)/heard.out")" -eq 10 ]'
    awk '/^\{/ && length != 1000 { exit 1 }' "$(here)/heard.out"
}

@test "the report in text" {
    bench -c 1000 -m 2 -n 10 --pid "$COLLABD_PID"
    [ "$status" -eq 0 ]
    [[ ${lines[0]} = "clients     1,000 in 2 rooms, ready in "* ]]
    [[ ${lines[1]} = "each        "*" us of the server's CPU to connect, "*" bytes of memory" ]]
    [[ ${lines[2]} = "events      10 of 128 bytes in "* ]]
    [[ ${lines[3]} = "deliveries  5,000, "*"/s" ]]
    [[ ${lines[4]} = "server      "*" s of CPU, "*"% of a core, "*" deliveries for each second" ]]
    [[ ${lines[5]} = "latency     p50 "*" ms, p99 "*" ms, max "*" ms" ]]
    [ "${lines[6]}" = 'lost        0; duplicated 0, out of order 0, astray 0' ]
    [ -z "$stderr" ]
}

@test "with no duration it only connects, and needs no Redis" {
    COLLAB_REDIS=redis://127.0.0.1:1 bench -d 0 --pid "$COLLABD_PID" --format json
    [ "$status" -eq 0 ]
    [ "$(field connect.cpu_us_each)" != null ]
    [ "$(field connect.memory_bytes_each)" != null ]
    [ "$(field events)" = null ]
}

@test "by a Unix socket" {
    local socket=$BATS_TEST_TMPDIR/gateway.sock
    start unix collabd --listen "unix:$socket" --key-file "$(key_file)" --redis "$COLLAB_REDIS"
    wait_until test -S "$socket"
    run -0 collab-bench --url "ws+unix:$socket:/ws" -c 5 -n 10 --warmup 0
}

@test "by TLS, if the certificate is good" {
    local cert=$BATS_TEST_TMPDIR/cert key=$BATS_TEST_TMPDIR/cert.key at
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=test \
        -addext 'subjectAltName=DNS:localhost' -keyout "$key" -out "$cert" 2>/dev/null
    start faulty node "$CLIENTS/faulty.js" "$cert" "$key"
    wait_for_line "$(here)/faulty.out" 'ready '
    at=localhost:$(sed -n 's/^ready .*://p' "$(here)/faulty.out")
    SSL_CERT_FILE=$cert run -0 collab-bench --url "wss://$at/none" --publish ws -c 20 -n 100 \
        --warmup 0 -s 20000
    run -3 collab-bench --url "wss://$at/none" --publish ws -c 1 -n 1
    [ "$output" = "collab-bench: wss://$at/none: TLS: certificate: self-signed certificate" ]
    SSL_CERT_FILE=$cert run -3 collab-bench --url "wss://127.0.0.1:${at#*:}/none" -d 0 -c 1
    [[ $output = *': TLS: certificate: IP address mismatch' ]]
}

@test "several events in one message count as several" {
    bench_faulty batches
    [ "$status" -eq 0 ]
    [ "$(field deliveries)" -eq 2000 ]
}

@test "lost events are counted" {
    bench_faulty lossy
    [ "$status" -eq 7 ]
    [ "$(field lost)" -eq 200 ]
    [ "$(field deliveries)" -eq 1800 ]
    [ "$(field 'duplicated + .out_of_order + .astray')" -eq 0 ]
}

@test "duplicated events are counted" {
    bench_faulty twice
    [ "$status" -eq 1 ]
    [ "$(field duplicated)" -eq 200 ]
    [ "$(field deliveries)" -eq 2000 ]
    [ "$(field 'lost + .out_of_order + .astray')" -eq 0 ]
}

@test "events out of order are counted" {
    bench_faulty swapped
    [ "$status" -eq 1 ]
    [ "$(field out_of_order)" -eq 1000 ]
    [ "$(field deliveries)" -eq 2000 ]
    [ "$(field 'lost + .duplicated + .astray')" -eq 0 ]
}

@test "events that go astray are counted" {
    bench_faulty astray -m 2
    [ "$status" -eq 1 ]
    [ "$(field astray)" -eq 1000 ]
    [ "$(field deliveries)" -eq 1000 ]
    [ "$(field 'lost + .duplicated + .out_of_order')" -eq 0 ]
}

@test "clients that are closed are counted" {
    bench_faulty closing
    [ "$status" -eq 7 ]
    [ "$(field clients_gone)" -eq 20 ]
    [[ $stderr = collab-bench:\ ws://*/none:\ gave\ up\ \(close\ code\ 1011\) ]]
}

@test "a gateway that is not there" {
    run -3 collab-bench --url ws://127.0.0.1:1/ws -d 0
    [ "$output" = 'collab-bench: ws://127.0.0.1:1/ws: connection refused' ]
}

@test "a gateway that does not take the token" {
    COLLAB_TOKEN=bad run -4 collab-bench --url "ws://$GATEWAY/ws" -d 0
    [[ $output = "collab-bench: ws://$GATEWAY/ws: "* ]]
}

@test "a gateway that does not let the clients in" {
    start faulty node "$CLIENTS/faulty.js"
    wait_for_line "$(here)/faulty.out" 'ready '
    run -3 collab-bench --url "ws://$(sed -n 's/^ready //p' "$(here)/faulty.out")/mute" -c 3 -d 0
    [[ $output = *'0 of 3 clients are ready, '*'"{\"type\":\"error\",\"code\":\"forbidden\"}"' ]]
}

@test "Redis that is not there" {
    run -3 collab-bench --url "ws://$GATEWAY/ws" --redis redis://127.0.0.1:1
    [[ $output = 'collab-bench: redis://127.0.0.1:1: connection refused'* ]]
}

@test "wrong usage" {
    local url=ws://127.0.0.1:1/
    usage()
    {
        local says=$1
        shift
        run -2 collab-bench "$@"
        echo "$output"
        [ "$output" = "collab-bench: $says" ]
    }
    usage '--url is missing: where is the gateway?'
    usage 'unexpected operand x' --url "$url" x
    usage '--rooms: 3 rooms for 2 clients' --url "$url" -c 2 -m 3
    usage '--size: 100: an event in bench:0 needs 105 bytes' --url "$url" -s 100
    usage '--room-name: room "a b": only letters, digits and . _ ~ @ - may stand between the colons' \
        --url "$url" --room-name 'a b'
    usage '--subscribe: "\\q": not an escape: it takes \r, \n, \t, \\ and \xHH' --url "$url" \
        --subscribe '\q'
    usage '--pid: x: not a whole number' --url "$url" --pid x
    usage '--url: "http://a/": it must begin with ws://, wss:// or ws+unix:' --url http://a/ -d 0
}

@test "a process that is not there" {
    run -2 collab-bench --url "ws://$GATEWAY/ws" -d 0 --pid 999999999
    [ "$output" = 'collab-bench: --pid: process 999999999: there is none' ]
}
