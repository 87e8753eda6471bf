# The end of a gateway, and its successor: clients are sent away one after the other, another process
# takes over the port; settings are read afresh.

load helpers
load gateway

setup_file()
{
    use_plain_catalog
    start_redis
}

teardown_file()
{
    stop_all
}

setup()
{
    ERR=$BATS_TEST_TMPDIR/collabd.err
    cd "$BATS_TEST_TMPDIR" || return
    start_player
}

teardown()
{
    stop_all
}

# --- SIGTERM ---

are_closed() # NAME...
{
    [ "$(closed "$@")" = "$(printf '%s\n' "$@")" ]
}

closed() # NAME...
{
    local name
    for name; do
        if grep -q '^close' "$BATS_TEST_TMPDIR/$name.heard"; then echo "$name"; fi
    done
}

is_any_closed() # NAME...
{
    [ -n "$(closed "$@")" ]
}

@test "clients are sent away one after the other, and told when to come back" {
    local name first other=d
    start_collabd --node n1 --drain 1h
    for name in a b c d; do
        enter $name "p:$name"
    done
    kill -TERM "$(pid_of collabd)"
    wait_until is_any_closed a b c d
    first=$(closed a b c d)
    [ "${#first}" -eq 1 ]
    # The others are served meanwhile.
    [ "$first" = "$other" ] && other=c
    say "$other" '{"type":"publish","ref":1,"data":{"type":"t","room":"p:1"}}'
    hear "$other" '{"type":"published","data":{"rooms":["p:1"]},"ref":1}'
    [ "$(redis exists collab:node:n1)" = 1 ]
    stop collabd KILL
    start_collabd --node n1 --drain 400ms
    for name in e f g h; do
        enter $name "p:$name"
    done
    stop collabd
    [ "$status" -eq 0 ]
    wait_until are_closed "$first" e f g h
    for name in "$first" e f g h; do
        tail -n 2 "$BATS_TEST_TMPDIR/$name.heard" >last
        jq -e '.code == "restarting" and .data.retry_after_ms >= 0' <(head -n 1 last)
        [ "$(tail -n 1 last)" = 'close 1012 the gateway restarts' ]
    done
    [ "$(redis exists collab:node:n1)" = 0 ]
}

@test "a second signal ends it at once" {
    start_collabd --node n1 --drain 1h
    enter a
    enter b
    kill -TERM "$(pid_of collabd)"
    wait_until is_any_closed a b
    [ "$(closed a b | wc -l)" -eq 1 ]
    kill -TERM "$(pid_of collabd)"
    finish collabd
    [ "$status" -eq 0 ]
    wait_until are_closed a b
}

@test "without clients there is nothing to wait for" {
    start_collabd --drain 1h
    stop collabd
    [ "$status" -eq 0 ]
}

@test "health says that it is draining, to those who are still connected" {
    start_collabd --node n1 --drain 1h
    enter a
    enter b
    exec 7<>"/dev/tcp/${GATEWAY%:*}/${GATEWAY##*:}"
    printf 'GET /health HTTP/1.1\r\nHost: h\r\n\r\n' >&7
    grep -q -m 1 '"ready":true' <&7
    kill -TERM "$(pid_of collabd)"
    wait_until is_any_closed a b
    printf 'GET /health HTTP/1.1\r\nHost: h\r\n\r\n' >&7
    in_time cat <&7 >answer
    exec 7>&-
    grep -q '^HTTP/1.1 503 ' answer
    grep -q '"reasons":\["draining: no new connections"\]' answer
    kill -TERM "$(pid_of collabd)"
    finish collabd
}

# --- taking over ---

@test "another process takes over the port, and no connection is refused" {
    local port name
    COLLAB_TOKEN=$(token '{"sub":"eve"}')
    export COLLAB_TOKEN
    start_node before --node n1 --reuse-port
    port=${GATEWAY##*:}
    start churn node "$CLIENTS/churn.mjs" "ws://$GATEWAY/ws" 20
    wait_for_line "$BATS_TEST_TMPDIR/churn.out" going
    for name in first second third; do
        start "$name" collabd --port "$port" --key-file "$(key_file)" --node "$name" --reuse-port
        wait_for_line "$BATS_TEST_TMPDIR/$name.out" 'ready '
        stop before
        [ "$status" -eq 0 ]
        mv "$BATS_TEST_TMPDIR/$name.pid" "$BATS_TEST_TMPDIR/before.pid"
    done
    [ "$(metric connections_opened_total)" -gt 0 ]
    stop churn
    cat "$BATS_TEST_TMPDIR/churn.out"
    grep -q ' welcomed, 0 failed$' "$BATS_TEST_TMPDIR/churn.out"
    [ "$(sed -n 's/ welcomed.*//p' "$BATS_TEST_TMPDIR/churn.out")" -gt 100 ]
}

@test "without --reuse-port a port is one process's" {
    start_collabd
    run --separate-stderr -2 collabd --listen "$GATEWAY" --key-file "$(key_file)" --reuse-port
    [ "$stderr" = "collabd: --listen $GATEWAY: address already in use" ]
}

# --- SIGHUP ---

hang_up() # TEXT
{
    kill -HUP "$(pid_of collabd)"
    wait_for_line "$ERR" "$1"
}

@test "SIGHUP: keys" {
    local keys=$BATS_TEST_TMPDIR/keys old new
    mkdir "$keys"
    cp "$(key_file)" "$keys/old.key"
    (umask 077 && openssl rand -hex 32 >new.key)
    old=$(token '{"sub":"ann"}' '{"alg":"HS256","kid":"old"}')
    new=$(token '{"sub":"ann"}' '{"alg":"HS256","kid":"new"}' new.key)
    start collabd collabd --port 0 --key-file "$keys" --node n1
    wait_for_line "$BATS_TEST_TMPDIR/collabd.out" 'ready '
    GATEWAY=$(sed -n 's,^ready http://,,p' "$BATS_TEST_TMPDIR/collabd.out")
    connect early "$old"
    hear early 'open collab.v1' "$(welcome ann)"
    cp new.key "$keys/"
    rm "$keys/old.key"
    hang_up 'SIGHUP: catalog'
    connect ann "$new"
    hear ann 'open collab.v1' "$(welcome ann)"
    connect eve "$old"
    hear eve 'open collab.v1'
    wait_until grep -q '^close 1008' "$BATS_TEST_TMPDIR/eve.heard"
    settled early
}

@test "SIGHUP: the settings file; the command line stays" {
    local conf=$BATS_TEST_TMPDIR/conf
    echo 'client-rate = 1/1h' >"$conf"
    start_collabd --node n1 --config "$conf" --max-rooms 1
    enter ann p:1
    say ann '{"type":"ping"}'
    wait_until grep -q rate_limited "$BATS_TEST_TMPDIR/ann.heard"
    printf 'client-rate = off\nmax-rooms = 5\n' >"$conf"
    hang_up 'SIGHUP: catalog'
    enter ben
    say ben '{"type":"ping"}'
    hear ben '{"type":"pong"}'
    say ben '{"type":"subscribe","data":["p:1"]}'
    hear ben '{"type":"subscribed","data":{"rooms":["p:1"]}}'
    say ben '{"type":"subscribe","data":["p:2"]}'
    wait_until grep -q too_many "$BATS_TEST_TMPDIR/ben.heard"
}

@test "SIGHUP: as many connections as there is room for since the start" {
    local conf=$BATS_TEST_TMPDIR/collabd.conf
    echo 'max-connections = 2' >"$conf"
    start_collabd --node n1 --config "$conf"
    echo 'max-connections = 9' >"$conf"
    hang_up 'SIGHUP: 9 connections take a restart: 2, as at the start, stay the limit'
    enter ann
    enter ben
    connect eve "$(token '{"sub":"eve","rooms":["*"]}')"
    hear eve 'refused 503: as many connections as allowed'
}

@test "SIGHUP: with anything wrong nothing is changed" {
    local conf=$BATS_TEST_TMPDIR/conf catalog=$BATS_TEST_TMPDIR/c.json
    echo '{"name":"one","rooms":{"*":{}},"events":{"*":{}}}' >"$catalog"
    : >"$conf"
    start_collabd --node n1 --config "$conf" --catalog "$catalog"
    printf 'client-rate = 1/1h\nno-such = 1\n' >"$conf"
    echo '{"name":"two","rooms":{"*":{}},"events":{"*":{}}}' >"$catalog"
    hang_up "SIGHUP: nothing is changed: $conf:2: unknown setting 'no-such'"
    printf 'client-rate = 1/1h\n' >"$conf"
    echo '{"name":' >"$catalog"
    hang_up "SIGHUP: nothing is changed: $catalog:"
    enter ann
    say ann '{"type":"ping"}'
    say ann '{"type":"ping"}'
    hear ann '{"type":"pong"}' '{"type":"pong"}'
    echo '{"name":"two","rooms":{"*":{}},"events":{"*":{}}}' >"$catalog"
    hang_up 'SIGHUP: catalog two'
    say ann '{"type":"ping"}'
    hear ann '{"type":"pong"}'
    say ann '{"type":"ping"}'
    wait_until grep -q rate_limited "$BATS_TEST_TMPDIR/ann.heard"
}
