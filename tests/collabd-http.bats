# HTTP: health, metrics, statistics, publishing; and requests as no library sends them.

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
    ANSWER=$BATS_TEST_TMPDIR/answer
}

teardown()
{
    stop_all
}

# --- what is asked for ---

@test "health of a node that is ready" {
    start_collabd --node n1
    run -0 curl -sS -D "$ANSWER" "http://$GATEWAY/health"
    [ "$output" = '{"node":"n1","live":true,"ready":true,"degraded":false,"reasons":[]}' ]
    grep -q '^HTTP/1.1 200 OK' "$ANSWER"
    grep -qi '^content-type: application/json' "$ANSWER"
}

@test "metrics, as promtool likes them" {
    start_player
    start_collabd --node n1
    enter ann a:1 a:2
    enter bob a:1
    curl -sS -D "$BATS_TEST_TMPDIR/head" "http://$GATEWAY/metrics" >"$ANSWER"
    grep -qi '^content-type: text/plain; version=0.0.4' "$BATS_TEST_TMPDIR/head"
    promtool check metrics <"$ANSWER"
    grep -qx 'collab_connections{node="n1"} 2' "$ANSWER"
    grep -qx 'collab_sessions{node="n1"} 2' "$ANSWER"
    grep -qx 'collab_rooms{node="n1"} 2' "$ANSWER"
    grep -qx 'collab_joins{node="n1"} 3' "$ANSWER"
    grep -qx 'collab_redis_up{node="n1"} 1' "$ANSWER"
    [ "$(grep -c '^# TYPE' "$ANSWER")" -eq "$(grep -vc '^#' "$ANSWER")" ]
}

@test "statistics, with the clients of each room" {
    start_player
    start_collabd --node n1
    enter ann a:1 a:2
    enter bob a:1
    curl -sS "http://$GATEWAY/api/v1/ws/stats" >"$ANSWER"
    [ "$(jq -cS '[.node, .state, .clients, .rooms, .clients_per_room]' "$ANSWER")" = \
        '["n1","ready",2,2,{"a:1":2,"a:2":1}]' ]
    [ "$(jq -c '[.metrics.connections, .metrics.joins]' "$ANSWER")" = '[2,3]' ]
    [ "$(jq -r '.pid' "$ANSWER")" = "$(pid_of collabd)" ]
    [ "$(jq -r '.address' "$ANSWER")" = "http://$GATEWAY" ]
    wait_until redis exists collab:node:n1
}

status_of() # CURL_ARGUMENT...
{
    curl -sS -o "$ANSWER" -w '%{http_code}' "$@"
}

@test "statistics for administrators alone" {
    local path
    start_collabd --node n1 --stats admin
    for path in /metrics /api/v1/ws/stats; do
        [ "$(status_of "http://$GATEWAY$path")" = 401 ]
        [ "$(cat "$ANSWER")" = \
            '{"code":"unauthenticated","message":"a token is needed: Authorization: Bearer"}' ]
        [ "$(status_of "http://$GATEWAY$path?token=$(token '{"sub":"ann"}')")" = 403 ]
        [ "$(cat "$ANSWER")" = '{"code":"forbidden","message":"an admin'"'"'s token is needed"}' ]
        [ "$(status_of "http://$GATEWAY$path" \
            -H "Authorization: Bearer $(token '{"sub":"root","role":"admin"}')")" = 200 ]
    done
    [ "$(status_of "http://$GATEWAY/health")" = 200 ]
}

@test "paths and methods that are not there" {
    start_collabd
    for path in / /healthz /health/ /api/v1/events/1 /../etc/passwd '//health'; do
        [ "$(status_of --path-as-is "http://$GATEWAY$path")" = 404 ]
        [ "$(cat "$ANSWER")" = '{"code":"not_found","message":"nothing is here"}' ]
    done
    for method in POST PUT DELETE PATCH OPTIONS PROPFIND; do
        [ "$(status_of -X $method "http://$GATEWAY/health")" = 405 ]
        [ "$(cat "$ANSWER")" = '{"code":"bad_method","message":"this path takes another method"}' ]
    done
    [ "$(status_of "http://$GATEWAY/api/v1/events")" = 405 ]
    grep -qx 'Allow: GET, HEAD' <(send_raw 'POST /health HTTP/1.0\r\n\r\n')
    grep -qx 'Allow: POST' <(send_raw 'GET /api/v1/events HTTP/1.0\r\n\r\n')
    [ "$(status_of "http://$GATEWAY/health?any=query&token=nonsense")" = 200 ]
    run -0 curl -sS -I "http://$GATEWAY/health"
    [[ $output = 'HTTP/1.1 200 OK'* ]]
}

# A header of the answer to a request with a token of these claims; empty: without one.
challenge() # CLAIMS
{
    curl -sS -o "$ANSWER" -D - "http://$GATEWAY/metrics" \
        ${1:+-H "Authorization: Bearer $(token "$1")"} | tr -d '\r' | sed -n 's/^WWW-Authenticate: //p'
}

@test "what a token lacks is said in a header too" {
    start_collabd --stats admin
    [ "$(challenge '')" = 'Bearer realm="collab"' ]
    [ "$(challenge '{"sub":"ann","exp":1}')" = 'Bearer realm="collab", error="invalid_token"' ]
    [ "$(challenge '{"sub":"ann"}')" = 'Bearer realm="collab", error="insufficient_scope"' ]
    [ "$(challenge '{"sub":"root","role":"admin"}')" = '' ]
}

@test "a WebSocket's path, asked without the upgrade" {
    start_collabd
    answers '426 Upgrade Required' 'a WebSocket is here: ask for the upgrade to it' \
        'GET /ws HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n'
    grep -qx 'Upgrade: websocket' <(send_raw 'GET /ws HTTP/1.0\r\n\r\n')
    answers '426 Upgrade Required' 'a WebSocket is here: ask for the upgrade to it' \
        'GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n'
}

@test "a target with scheme and host" {
    local close='Host: h\r\nConnection: close\r\n\r\n'
    start_collabd
    grep -qx 'HTTP/1.1 200 OK' <(send_raw "GET http://$GATEWAY/health HTTP/1.1\r\n$close")
    grep -qx 'HTTP/1.1 200 OK' <(send_raw "GET HTTPS://h:1/health?a=b HTTP/1.1\r\n$close")
    grep -qx 'HTTP/1.1 404 Not Found' <(send_raw "GET http://h HTTP/1.1\r\n$close")
    grep -qx 'HTTP/1.1 404 Not Found' <(send_raw "GET http://h?/health HTTP/1.1\r\n$close")
    grep -qx 'HTTP/1.1 404 Not Found' <(send_raw "GET /a://b/health HTTP/1.1\r\n$close")
}

# --- publishing ---

# Posts what standard input has, with a token of these claims; the answer is in $ANSWER.
post() # CLAIMS [CURL_ARGUMENT]...
{
    local claims=$1
    shift
    status_of "http://$GATEWAY/api/v1/events" --data-binary @- \
        -H "Authorization: Bearer $(token "$claims")" "$@"
}

CI='{"sub":"ci","publish":["a:*"]}'

@test "one event is posted" {
    start_player
    start_collabd --node n1
    enter ann a:1
    [ "$(post "$CI" <<<'{"type":"x","room":"a:1","data":[1.0,"\u00e9"]}')" = 200 ]
    [ "$(cat "$ANSWER")" = '{"refused":[],"accepted":1}' ]
    hear ann '{"type":"x","room":"a:1","user":"ci","time":"NOW","data":[1.0,"\u00e9"]}'
    [ "$(status_of "http://$GATEWAY/api/v1/events?token=$(token "$CI")" \
        -d '{"type":"y","rooms":["a:2","a:1"]}')" = 200 ]
    hear ann '{"type":"y","room":"a:1","rooms":["a:2","a:1"],"user":"ci","time":"NOW","data":null}'
}

@test "events are posted a line each, and what is wrong with one is told by its line" {
    start_player
    start_collabd --node n1
    enter ann a:1
    [ "$(printf '%s\r\n' '{"type":"x","room":"a:1"}' '' what '{"room":"a:1"}' '  ' \
        '{"type":"x","room":"b:1"}' '{"type":"x"}' '{"type":"y","room":"a:1"}' | post "$CI")" = 200 ]
    [ "$(jq -c '[.accepted, (.refused[] | [.line, .code, .message])]' "$ANSWER")" = \
        '[2,[3,"bad_event","column 1: expected a value, found \"w\""],'"$(
        )"'[4,"bad_event","type: missing"],'"$(
        )"'[6,"forbidden","the token does not grant publishing to b:1"],'"$(
        )"'[7,"bad_event","event \"x\": leads to no room by itself: name one"]]' ]
    hear ann '{"type":"x","room":"a:1","user":"ci","time":"NOW","data":null}' \
        '{"type":"y","room":"a:1","user":"ci","time":"NOW","data":null}'
}

@test "under an idempotency key each line is posted once, by one user" {
    start_player
    start_collabd --node n1
    enter ann a:1
    local events key='Idempotency-Key: "k 1"'
    events=$(printf '{"type":"x","room":"a:1","data":%d}\n' 1 2)
    [ "$(post "$CI" -H "$key" <<<"$events")" = 200 ]
    [ "$(jq -c '[.accepted, (.receipts[] | [.line, .again])]' "$ANSWER")" = '[2,[1,null],[2,null]]' ]
    [ "$(post "$CI" -H 'Idempotency-Key: k 1' <<<"$events")" = 200 ]
    [ "$(jq -c '[.accepted, (.receipts[] | [.line, .again])]' "$ANSWER")" = '[2,[1,true],[2,true]]' ]
    [ "$(post '{"sub":"bob","publish":["a:*"]}' -H "$key" <<<"$events")" = 200 ]
    hear ann '{"type":"x","room":"a:1","user":"ci","time":"NOW","data":1}' \
        '{"type":"x","room":"a:1","user":"ci","time":"NOW","data":2}' \
        '{"type":"x","room":"a:1","user":"bob","time":"NOW","data":1}'
    for key in '""' '"a' 'a\b' "$(printf %201s x | tr ' ' x)"; do
        [ "$(post "$CI" -H "Idempotency-Key: $key" <<<"$events")" = 400 ]
        [ "$(jq -r .message "$ANSWER")" = 'Idempotency-Key: must be a string of 1 to 200 characters' ]
    done
}

@test "when every event is refused, the status is that of the first" {
    start_collabd
    [ "$(post "$CI" <<<'{"type":"x","room":"b:1"}')" = 403 ]
    [ "$(post "$CI" <<<'{"type":"x"}')" = 400 ]
    [ "$(printf '%s\n' '{' '{"type":"x","room":"b:1"}' | post "$CI")" = 400 ]
    [ "$(printf '%s\n' '{"type":"x","room":"b:1"}' '{' | post "$CI")" = 403 ]
    [ "$(post "$CI" </dev/null)" = 200 ]
    [ "$(cat "$ANSWER")" = '{"refused":[],"accepted":0}' ]
    metric_is events_published_total 0
}

@test "publishing needs a token, and one that grants it" {
    start_collabd
    [ "$(status_of "http://$GATEWAY/api/v1/events" -d '{"type":"x","room":"a:1"}')" = 401 ]
    [ "$(cat "$ANSWER")" = \
        '{"code":"unauthenticated","message":"a token is needed: Authorization: Bearer"}' ]
    [ "$(post '{"sub":"ci","exp":1000000000}' <<<'{"type":"x","room":"a:1"}')" = 401 ]
    [[ $(cat "$ANSWER") = '{"code":"unauthenticated","message":"expired 2001-09-09T01:46:40Z ('*')"}' ]]
    [ "$(post '{"sub":"ci","rooms":["*"]}' <<<'{"type":"x","room":"a:1"}')" = 403 ]
    [ "$(jq -r '.refused[0].message' "$ANSWER")" = 'the token does not grant publishing to a:1' ]
    metric_is events_published_total 0
}

@test "only an administrator speaks for others" {
    local event='{"type":"x","room":"a:1","user":"bob"}'
    start_player
    start_collabd --node n1
    enter ann a:1
    [ "$(post "$CI" <<<"$event")" = 200 ]
    hear ann '{"type":"x","room":"a:1","user":"ci","time":"NOW","data":null}'
    [ "$(post '{"sub":"root","role":"admin","publish":["*"]}' <<<"$event")" = 200 ]
    hear ann '{"type":"x","room":"a:1","user":"bob","time":"NOW","data":null}'
    [ "$(post '{"sub":"root","role":"admin","publish":["*"]}' <<<'{"type":"x","room":"a:1"}')" = 200 ]
    hear ann '{"type":"x","room":"a:1","user":"root","time":"NOW","data":null}'
    [ "$(post '{"sub":"root","role":"admin"}' <<<"$event")" = 403 ]
}

@test "only an administrator says when it was" {
    local event='{"type":"x","room":"a:1","time":"2001-02-03T04:05:06.789Z"}'
    start_collabd
    start tail collab-tail -C 2 'a:*'
    wait_until eval '[ "$(redis pubsub numpat)" -ge 1 ]'
    [ "$(post "$CI" <<<"$event")" = 200 ]
    [ "$(post '{"sub":"root","role":"admin","publish":["*"]}' <<<"$event")" = 200 ]
    finish tail
    run -0 jq -r .time "$BATS_TEST_TMPDIR/tail.out"
    [ "${lines[0]%%-*}" -gt 2020 ]
    [ "${lines[1]}" = 2001-02-03T04:05:06.789Z ]
}

@test "a body may be as large as allowed, and no larger" {
    local event='{"type":"x","room":"a:1"}'
    start_collabd --max-body 1k
    [ "$(printf "%s%$((1024 - ${#event}))s" "$event" '' | post "$CI")" = 200 ]
    [ "$(printf "%s%$((1025 - ${#event}))s" "$event" '' | post "$CI")" = 413 ]
    [ "$(cat "$ANSWER")" = 'the body is larger than allowed' ]
    [ "$(printf "%s%$((1025 - ${#event}))s" "$event" '' |
        post "$CI" -H 'Transfer-Encoding: chunked')" = 413 ]
    [ "$(printf %s "$event" | post "$CI" -H 'Transfer-Encoding: chunked')" = 200 ]
}

@test "a client that sends a body much too large sees the answer all the same" {
    start_collabd --max-body 1k
    for ((i = 0; i < 10; i++)); do
        exec 7<>"/dev/tcp/${GATEWAY%:*}/${GATEWAY##*:}"
        printf 'POST /api/v1/events HTTP/1.1\r\nHost: h\r\nContent-Length: 8000000\r\n\r\n' >&7
        head -c 8000000 /dev/zero >&7
        in_time cat <&7 >"$ANSWER"
        exec 7>&-
        grep -q '^HTTP/1.1 413 ' "$ANSWER"
    done
}

@test "a client that waits to be asked for its body" {
    local head='POST /api/v1/events HTTP/1.1\r\nHost: h\r\nConnection: close\r\nExpect: '
    start_collabd --max-body 2m
    head -c 1500000 /dev/zero | tr '\0' ' ' >"$BATS_TEST_TMPDIR/body"
    [ "$(post "$CI" -v --expect100-timeout 60 <"$BATS_TEST_TMPDIR/body" \
        2>"$BATS_TEST_TMPDIR/verbose")" = 200 ]
    grep -q '^< HTTP/1.1 100 Continue' "$BATS_TEST_TMPDIR/verbose"
    [ "$(send_raw "${head}100-Continue\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" |
        grep ^HTTP | tr '\n' ' ')" = 'HTTP/1.1 100 Continue HTTP/1.1 401 Unauthorized ' ]
    answers '417 Expectation Failed' 'Expect: only 100-continue can be met' \
        "${head}coffee\r\nContent-Length: 1\r\n\r\n"
    answers '413 Payload Too Large' 'the body is larger than allowed' \
        "${head}100-continue\r\nContent-Length: 1000000000000000000\r\n\r\n"
    # No body, or a client that knows no such answer.
    [ "$(send_raw "${head}100-continue\r\n\r\n" | grep -c ^HTTP)" = 1 ]
    [ "$(send_raw "${head/1.1/1.0}100-continue\r\nContent-Length: 1\r\n\r\n1" | grep -c ^HTTP)" = 1 ]
}

# --- requests byte by byte ---

@test "a connection is kept alive, and used again by Node's own client" {
    start_collabd
    run -0 node "$CLIENTS/http-agent.mjs" "http://$GATEWAY/health" 20
    [ "$output" = 1 ]
    send_raw 'GET /health HTTP/1.0\r\n\r\n' >"$ANSWER"
    grep -qx 'Connection: close' "$ANSWER"
    send_raw 'GET /health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n' >"$ANSWER"
    grep -qx 'Connection: close' "$ANSWER"
}

@test "pipelined requests are answered in order" {
    local host='Host: h\r\n'
    start_collabd
    send_raw "GET /health HTTP/1.1\r\n$host\r\n$(
        )POST /api/v1/events HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nhello$(
        )HEAD /health HTTP/1.1\r\n$host\r\n$(
        )GET /nowhere HTTP/1.1\r\n${host}Connection: close\r\n\r\n$(
        )GET /health HTTP/1.1\r\n$host\r\n" >"$ANSWER"
    [ "$(sed -n 's/.*HTTP\/1.1 \([0-9]*\).*/\1/p' "$ANSWER" | tr '\n' ' ')" = '200 401 200 404 ' ]
}

@test "requests that can be read in two ways are refused" {
    local head='POST /api/v1/events HTTP/1.1\r\nHost: h\r\n'
    local next='GET /health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n'
    start_collabd
    answers '400 Bad Request' 'unexpected content-length header' \
        "${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n$next"
    answers '400 Bad Request' 'unexpected content-length header' \
        "${head}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n$next"
    answers '400 Bad Request' 'unexpected content-length header' \
        "${head}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello$next"
    answers '400 Bad Request' 'invalid character in content-length header' \
        "${head}Content-Length: 5, 5\r\n\r\nhello$next"
    answers '400 Bad Request' 'invalid character in content-length header' \
        "${head}Content-Length: -1\r\n\r\n$next"
    answers '400 Bad Request' 'request has invalid transfer-encoding' \
        "${head}Transfer-Encoding: identity\r\n\r\n$next"
    answers '400 Bad Request' 'white space in the name of a header' \
        "${head}Content-Length : 5\r\n\r\nhello$next"
    answers '400 Bad Request' 'Host: given twice' "${head}Host: h\r\n\r\n$next"
    answers '400 Bad Request' 'invalid character in chunk size header' \
        "${head}Transfer-Encoding: chunked\r\n\r\nx\r\n\r\n$next"
    metric_is handshake_failures_total 9
}

@test "requests that are none" {
    start_collabd
    answers '400 Bad Request' 'Host: missing' 'GET /health HTTP/1.1\r\n\r\n'
    answers '400 Bad Request' 'Host: missing' \
        'POST /api/v1/events HTTP/1.1\r\nContent-Length: 30\r\n\r\nGET /health HTTP/1.1\r\nHost: h\r\n\r\n'
    answers '400 Bad Request' 'invalid HTTP method' 'hello\r\n\r\n'
    answers '400 Bad Request' 'invalid HTTP method' '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'
    answers '400 Bad Request' 'invalid HTTP method' 'get /health HTTP/1.1\r\nHost: h\r\n\r\n'
    answers '505 HTTP Version Not Supported' 'invalid HTTP version' 'GET /health HTTP/x\r\nHost: h\r\n\r\n'
    answers '400 Bad Request' 'invalid character in header' \
        'GET /health HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n'
    answers '400 Bad Request' 'invalid character in header' \
        'GET /health HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n'
}

@test "a header that is too large" {
    start_collabd --max-header 4k
    answers '431 Request Header Fields Too Large' 'too many header bytes seen; overflow detected' \
        'GET /health HTTP/1.1\r\nHost: h\r\nX: %05000d\r\n\r\n' 0
    answers '431 Request Header Fields Too Large' 'too many header bytes seen; overflow detected' \
        'GET /%05000d HTTP/1.1\r\nHost: h\r\n\r\n' 0
    answers '431 Request Header Fields Too Large' 'too many header bytes seen; overflow detected' \
        "GET /health HTTP/1.1\r\nHost: h\r\n$(printf 'X: y\\r\\n%.0s' {1..1000})\r\n"
    stop collabd
    start_collabd --max-header 64k
    answers '414 URI Too Long' 'the request target is longer than allowed' \
        'GET /%020000d HTTP/1.1\r\nHost: h\r\n\r\n' 0
}

@test "a request that takes too long to arrive" {
    start_collabd --handshake-time 200ms
    answers '408 Request Timeout' 'the request took too long to arrive' 'GET /health HTTP/1.1\r\nHos'
    answers '408 Request Timeout' 'the request took too long to arrive' \
        'POST /api/v1/events HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhello'
    run -0 send_raw 'GET /health HTTP/1.1\r\nHost: h\r\n\r\n'
    [ "${lines[0]}" = 'HTTP/1.1 200 OK' ]
    [ "$(grep -c '^HTTP' <<<"$output")" -eq 1 ]
}

@test "bytes of all kinds harm nobody" {
    local i
    start_collabd --node n1 --handshake-time 100ms
    for i in {1..20}; do
        send_raw '%s' "$(head -c 3000 /dev/urandom | tr -d '\0')" >/dev/null
    done 2>/dev/null
    health_is '{"node":"n1","live":true,"ready":true,"degraded":false,"reasons":[]}'
}
