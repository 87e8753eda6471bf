# Limits at work: rates of clients, users, rooms and addresses, numbers of connections, who is
# believed to be a proxy.

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
    start_player
}

teardown()
{
    stop_all
}

# Whatever a client hears next; in LINE.
hear_something() # NAME
{
    heard[$1]=$((${heard[$1]:-0} + 1))
    wait_until has_heard "$1" "${heard[$1]}"
    LINE=$(sed -n "${heard[$1]}p" "$BATS_TEST_TMPDIR/$1.heard")
    echo "$LINE"
}

# A message that goes over a rate, and what it has to say about when it is allowed again.
is_refused() # NAME MESSAGE WHAT WHOM
{
    say "$1" "$2"
    hear_something "$1"
    jq -e --arg what "$3" --arg whom "$4" '.type == "error" and .code == "rate_limited" and
        (.message | startswith("more " + $what + " of one " + $whom + "; allowed again in ")) and
        .data.limit == $whom and .data.retry_after_ms > 0 and .data.retry_after_ms <= 3600000' \
        <<<"$LINE"
}

ASK='{"type":"ping"}'
ANSWER='{"type":"pong"}'

@test "a client's messages, and another client's are not its own" {
    start_collabd --node n1 --client-rate 3/1m
    enter ann p:1
    say ann "$ASK"
    hear ann "$ANSWER"
    say ann 'no JSON'
    hear_something ann
    [[ $LINE = *'"code":"bad_message"'* ]]
    is_refused ann "$ASK" 'messages than 3/1m' client
    is_refused ann '{"type":' 'messages than 3/1m' client
    is_refused ann '{"type":"nonsense","ref":7}' 'messages than 3/1m' client
    enter ben
    say ben "$ASK"
    hear ben "$ANSWER"
    metric_is client_rate_refused_total 3
    # It still gets what others say.
    say ben '{"type":"publish","data":{"type":"a","room":"p:1"}}'
    wait_until grep -q '"type":"a"' "$BATS_TEST_TMPDIR/ann.heard"
}

is_answered() # NAME
{
    say "$1" "$ASK"
    hear_something "$1"
    [ "$LINE" = "$ANSWER" ]
}

@test "the time is over, and it goes on" {
    start_collabd --node n1 --client-rate 1/300ms
    enter ann
    say ann "$ASK"
    hear ann "$ANSWER"
    wait_until is_answered ann
}

@test "who goes on regardless is closed" {
    local i
    start_collabd --node n1 --client-rate 1/1h
    enter ann
    for ((i = 0; i < 110; i++)); do
        say ann "$ASK"
    done
    wait_until grep -q '^close' "$BATS_TEST_TMPDIR/ann.heard"
    grep -qx 'close 4003 too much for too long: come back later' "$BATS_TEST_TMPDIR/ann.heard"
    [ "$(grep -c rate_limited "$BATS_TEST_TMPDIR/ann.heard")" -eq 100 ]
    metric_is abusive_clients_closed_total 1
}

counted_is() # N
{
    [ "$(redis get collab:count:u:eve)" = "$1" ]
}

are_refused() # NAME...
{
    local name
    for name; do
        say "$name" "$ASK"
        grep -q rate_limited "$BATS_TEST_TMPDIR/$name.heard" || return
    done
}

@test "a user's messages, on all nodes together" {
    local token
    start_node one --node n1 --user-rate 4/1h
    token=$(token '{"sub":"eve"}')
    connect here "$token"
    hear here 'open collab.v1' "$(welcome eve)"
    start_node two --node n2 --user-rate 4/1h
    connect there "$token"
    NODE=n2 hear there 'open collab.v1' "$(NODE=n2 welcome eve)"
    say here "$ASK"
    say here "$ASK"
    say there "$ASK"
    say there "$ASK"
    hear here "$ANSWER" "$ANSWER"
    hear there "$ANSWER" "$ANSWER"
    wait_until counted_is 4
    wait_until are_refused here there
    [ "$(redis pttl collab:count:u:eve)" -gt 3000000 ]
    # Another user is not concerned.
    NODE=n2 enter ann
    say ann "$ASK"
    hear ann "$ANSWER"
}

@test "events to a room" {
    start_collabd --node n1 --room-rate 2/1h
    enter ann p:1
    enter ben p:2
    for name in ann ben; do
        say $name '{"type":"publish","ref":1,"data":{"type":"a","room":"p:9"}}'
        hear $name '{"type":"published","data":{"rooms":["p:9"]},"ref":1}'
    done
    is_refused ann '{"type":"publish","data":{"type":"a","room":"p:9"}}' 'events than 2/1h' room
    say ann '{"type":"publish","ref":2,"data":{"type":"a","room":"p:8"}}'
    hear ann '{"type":"published","data":{"rooms":["p:8"]},"ref":2}'
    metric_is room_rate_refused_total 1
}

attempt() # TOKEN [HEADER]
{
    curl -s -o /dev/null -w '%{http_code}\n' "http://$GATEWAY/api/v1/events" --data '' \
        --header "Authorization: Bearer $1" --header "${2:-X: y}"
}

@test "failed attempts to authenticate from an address" {
    local i good
    good=$(token '{"sub":"ann"}')
    start_collabd --node n1
    enter early
    for ((i = 0; i < 12; i++)); do
        [ "$(attempt "$good")" = 200 ]
    done
    for ((i = 0; i < 10; i++)); do
        [ "$(attempt bad)" = 401 ]
    done
    [ "$(attempt bad)" = 429 ]
    [ "$(attempt "$good")" = 429 ]
    connect late "$good"
    wait_until has_heard late 1
    grep -q '^refused 429: too many attempts to authenticate from this address; allowed again in ' \
        "$BATS_TEST_TMPDIR/late.heard"
    # One that is connected already is told, and stays.
    tell quiet connect "ws://$GATEWAY/ws"
    hear quiet 'open'
    is_refused quiet '{"type":"authenticate","data":{"token":"'"$good"'"}}' \
        'attempts to authenticate than 10/1m' address
    settled early
    settled quiet
    metric_is auth_rate_refused_total 4
}

@test "X-Forwarded-For counts from a trusted proxy alone" {
    start_collabd --auth-rate 1/1h
    [ "$(attempt bad 'X-Forwarded-For: 192.0.2.1')" = 401 ]
    [ "$(attempt bad 'X-Forwarded-For: 192.0.2.2')" = 429 ]
    stop collabd
    start_collabd --auth-rate 1/1h --trusted-proxy 127.0.0.0/8
    [ "$(attempt bad 'X-Forwarded-For: 192.0.2.1')" = 401 ]
    [ "$(attempt bad 'X-Forwarded-For: 192.0.2.2')" = 401 ]
    [ "$(attempt bad 'X-Forwarded-For: 192.0.2.9, 192.0.2.2')" = 429 ]
    [ "$(attempt bad 'X-Forwarded-For: 2001:db8::1')" = 401 ]
    [ "$(attempt bad 'X-Forwarded-For: 2001:db8::2')" = 429 ]
    [ "$(attempt bad)" = 401 ]
    stop collabd
    run --separate-stderr -2 collabd --trusted-proxy proxy.example.org
    [ "$stderr" = "collabd: --trusted-proxy proxy.example.org: neither an IP address, nor a network \
like 10.0.0.0/8, nor unix" ]
}

@test "connections of a user" {
    start_collabd --node n1 --max-user-connections 2
    enter ann
    connect two "$(token '{"sub":"ann"}')"
    hear two 'open collab.v1' "$(welcome ann)"
    connect three "$(token '{"sub":"ann"}')"
    hear three 'open collab.v1' 'close 4502 more connections than a user may have'
    enter ben
    tell two close
    hear two 'close 1005'
    wait_until metric_is connections 2
    connect four "$(token '{"sub":"ann"}')"
    hear four 'open collab.v1' "$(welcome ann)"
}

@test "connections from an address" {
    start_collabd --node n1 --max-address-connections 2 --trusted-proxy unix \
        --listen 127.0.0.1 --listen "unix:$BATS_TEST_TMPDIR/ws.sock"
    enter ann
    enter ben
    connect three "$(token '{"sub":"eve"}')"
    hear three 'refused 503: as many connections as allowed'
    curl -fsS --unix-socket "$BATS_TEST_TMPDIR/ws.sock" http://h/metrics |
        grep -q '^collab_connections_refused_total{.*} 1'
    tell ben close
    hear ben 'close 1005'
    goes_in()
    {
        curl -fsS "http://$GATEWAY/health"
    }
    wait_until goes_in
}

@test "a limit that is set wins over the catalog's, which a reload changes" {
    local catalog=$BATS_TEST_TMPDIR/limits.json
    limited()
    {
        echo '{"name":"l","rooms":{"*":{}},"events":{"*":{}},"limits":{"client":"'"$1"'"}}' >"$catalog"
    }
    limited 1/1h
    start_collabd --node n1 --catalog "$catalog"
    enter ann
    say ann "$ASK"
    hear ann "$ANSWER"
    is_refused ann "$ASK" 'messages than 1/1h' client
    limited 3/1h
    kill -HUP "$(pid_of collabd)"
    wait_for_line "$BATS_TEST_TMPDIR/collabd.err" 'SIGHUP: catalog l'
    say ann "$ASK"
    hear ann "$ANSWER"
    stop collabd
    start_collabd --node n1 --catalog "$catalog" --client-rate off
    enter ben
    for ((i = 0; i < 5; i++)); do
        say ben "$ASK"
        hear ben "$ANSWER"
    done
}
