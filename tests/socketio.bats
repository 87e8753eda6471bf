# Socket.IO: the npm client, newest and an early one, over WebSocket, polling, and the one after the
# other; and by curl what a client never does.

load helpers

CLIENTS=$BATS_TEST_DIRNAME/clients

# The built-in catalog, but that there is another namespace, and a way out.
setup_file()
{
    start_redis
    jq '.socketio = {namespaces: ["/", "/admin"]} | .messages.goodbye = {action: "close"}' \
        "$BATS_TEST_DIRNAME/../examples/kanban/catalog.json" >"$BATS_FILE_TMPDIR/catalog.json"
    export BATS_FILE_TMPDIR
    start_collabd --catalog "$BATS_FILE_TMPDIR/catalog.json" --origin https://app.example.org \
        --origin http://localhost:5173
}

teardown_file()
{
    stop_all
}

teardown()
{
    stop_all
}

# A check of tests/clients/socketio.js passes.
check() # NAME [URL]
{
    in_time node "$CLIENTS/socketio.js" "$1" "${2:-http://$GATEWAY}" \
        "$(token '{"sub":"ann","rooms":["*"],"publish":["*"]}')"
}

@test "a token from auth, the query or the header" {
    check token
}

@test "who is refused is told why" {
    check refused
}

@test "acknowledgements carry the result, or the error" {
    check acknowledgements
}

@test "events of the rooms arrive as they are" {
    check events
}

@test "both protocols hear each other" {
    check publishing
}

@test "binary data stays binary" {
    check binary
}

@test "namespaces of the catalog, and no others" {
    check namespaces
}

@test "a client disconnects and connects again" {
    check disconnecting
}

@test "who is disconnected by the gateway stays away" {
    check close
}

@test "nothing is lost or out of order, also during the upgrade" {
    check order
}

@test "large events arrive, too large messages end the connection" {
    check large
}

@test "heartbeats" {
    start_collabd --ping-interval 100ms --ping-timeout 5s
    check heartbeat
}

@test "the rest of an event is a second argument where the catalog says so" {
    jq '.socketio = {meta: true}' "$BATS_TEST_DIRNAME/../examples/kanban/catalog.json" \
        >"$BATS_TEST_TMPDIR/catalog.json"
    start_collabd --catalog "$BATS_TEST_TMPDIR/catalog.json"
    check meta
}

@test "clients are back after a restart" {
    local port
    start_collabd
    port=${GATEWAY##*:}
    start clients check reconnecting
    wait_for_line "$BATS_TEST_TMPDIR/clients.out" connected
    stop collabd
    start_collabd --port "$port"
    finish clients
    cat "$BATS_TEST_TMPDIR/clients.err"
    [ "$status" -eq 0 ]
}

@test "the modules by themselves: arguments, bytes and acknowledgements as they were sent" {
    local url
    start echo "$BUILD/echo/eio-echo" 25s 20s
    wait_for_line "$BATS_TEST_TMPDIR/echo.out" ready
    url=$(sed -n 's/^ready //p' "$BATS_TEST_TMPDIR/echo.out")
    check echo "$url"
    stop echo
    [ "$status" -eq 0 ]
}

# --- HTTP ---

# Asks for a path below /socket.io/; what came is in $status_line, $headers and $body.
ask() # QUERY [CURL-OPTION]...
{
    local query=$1
    shift
    curl -sS --max-time 10 -D "$BATS_TEST_TMPDIR/headers" -o "$BATS_TEST_TMPDIR/body" "$@" \
        "http://$GATEWAY/socket.io/?$query"
    headers=$(tr -d '\r' <"$BATS_TEST_TMPDIR/headers")
    body=$(cat "$BATS_TEST_TMPDIR/body")
    code=$(head -1 <<<"$headers" | cut -d' ' -f2)
}

# The request is refused so.
is_refused() # STATUS BODY QUERY [CURL-OPTION]...
{
    local status_code=$1 expected=$2
    shift 2
    ask "$@"
    echo "$code $body"
    [ "$code" = "$status_code" ]
    [ "$body" = "$expected" ]
    grep -qi '^content-type: application/json$' <<<"$headers"
}

new_sid()
{
    ask 'EIO=4&transport=polling'
    jq -r .sid <<<"${body:1}"
}

@test "the handshake says what a client has to know" {
    ask 'EIO=4&transport=polling&t=abc'
    [ "$code" = 200 ]
    [ "${body:0:1}" = 0 ]
    [ "$(jq -c 'del(.sid)' <<<"${body:1}")" = '{"upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":262144}' ]
    [[ $(jq -r .sid <<<"${body:1}") =~ ^[a-z2-7]{20}$ ]]
    grep -qi '^content-type: text/plain; charset=UTF-8$' <<<"$headers"
    grep -qi '^cache-control: no-store$' <<<"$headers"
    run ! grep -qi '^set-cookie:' <<<"$headers"
    run ! grep -qi '^access-control' <<<"$headers"
}

@test "every bad request has its code" {
    local unknown='{"code":1,"message":"Session ID unknown"}' bad='{"code":3,"message":"Bad request"}'
    local transport='{"code":0,"message":"Transport unknown"}'
    local method='{"code":2,"message":"Bad handshake method"}'
    local version='{"code":5,"message":"Unsupported protocol version"}'
    is_refused 400 "$transport" 'EIO=4'
    is_refused 400 "$transport" 'EIO=4&transport=smoke'
    is_refused 400 "$transport" 'EIO=4&transport=' -X POST
    is_refused 400 "$unknown" 'EIO=4&transport=polling&sid=nobody'
    is_refused 400 "$unknown" 'EIO=4&transport=polling&sid=__proto__'
    is_refused 400 "$method" 'EIO=4&transport=polling' -X POST -d x
    is_refused 400 "$method" 'EIO=4&transport=polling' -X PUT
    is_refused 400 "$method" 'EIO=4&transport=polling' -X OPTIONS
    is_refused 400 "$bad" 'EIO=4&transport=websocket'
    is_refused 400 "$version" 'transport=polling'
    is_refused 400 "$version" 'EIO=3&transport=polling'
    is_refused 400 "$version" 'EIO=44&transport=polling'
    ask 'EIO=4&transport=polling' -I
    [ "$code" = 400 ]
    for control in $'\x01' $'\x7f'; do
        ask 'EIO=4&transport=polling' -H "Origin: a${control}b"
        [ "$code" = 400 ]
    done
}

# What a WebSocket handshake with this query is refused with.
refused_upgrade() # QUERY
{
    ask "$1" -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' \
        -H 'Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=='
    echo "$code $body"
}

@test "a bad handshake of WebSocket has the bare message" {
    [ "$(refused_upgrade 'EIO=4')" = '400 Transport unknown' ]
    [ "$(refused_upgrade 'EIO=4&transport=polling')" = '400 Bad request' ]
    [ "$(refused_upgrade 'EIO=3&transport=websocket')" = '400 Unsupported protocol version' ]
    [ "$(refused_upgrade 'EIO=4&transport=websocket&sid=x')" = '400 Session ID unknown' ]
}

@test "a session ends by what it may not do" {
    local sid unknown='{"code":1,"message":"Session ID unknown"}'
    local bad='{"code":3,"message":"Bad request"}' poll='EIO=4&transport=polling'
    for text in abc 2 '' 0 $'4\xff' 'b*'; do
        sid=$(new_sid)
        is_refused 400 "$bad" "$poll&sid=$sid" -d "$text"
        is_refused 400 "$unknown" "$poll&sid=$sid"
    done
    sid=$(new_sid)
    is_refused 400 "$bad" "$poll&sid=$sid" -d 3 -H 'Content-Type: application/octet-stream'
    is_refused 400 "$unknown" "$poll&sid=$sid"
    sid=$(new_sid)
    is_refused 400 '{"code":2,"message":"Bad handshake method"}' "$poll&sid=$sid" -X PUT
    # Of the layer above: the next poll is the last.
    ask "$poll&sid=$sid" -d 42 -H 'Content-Type: text/plain'
    [ "$code $body" = '200 ok' ]
    ask "$poll&sid=$sid"
    [ "$code $body" = '200 1' ]
    is_refused 400 "$unknown" "$poll&sid=$sid"
}

@test "a payload that is too large is refused, with 413" {
    local sid
    sid=$(new_sid)
    head -c 262145 /dev/zero | tr '\0' 4 >"$BATS_TEST_TMPDIR/large"
    is_refused 413 '{"code":3,"message":"Payload too large"}' "EIO=4&transport=polling&sid=$sid" \
        --data-binary @"$BATS_TEST_TMPDIR/large"
    ask "EIO=4&transport=polling&sid=$sid" -d 3
    [ "$code" = 200 ]
}

@test "a client that joins nothing in time is told to go" {
    local sid
    start_collabd --auth-time 200ms
    sid=$(new_sid)
    ask "EIO=4&transport=polling&sid=$sid"
    [ "$code $body" = '200 1' ]
}

@test "no more connections than allowed" {
    start_collabd --max-connections 1
    new_sid
    is_refused 503 '{"code":4,"message":"no more connections now"}' 'EIO=4&transport=polling'
}

@test "other origins: those that are named, with credentials" {
    local poll='EIO=4&transport=polling' origin=https://app.example.org
    ask "$poll" -H "Origin: $origin"
    grep -qx "Access-Control-Allow-Origin: $origin" <<<"$headers"
    grep -qx 'Access-Control-Allow-Credentials: true' <<<"$headers"
    grep -qx 'Vary: Origin' <<<"$headers"
    ask "$poll&sid=x" -H "Origin: $origin"
    [ "$code" = 400 ]
    grep -qx "Access-Control-Allow-Origin: $origin" <<<"$headers"
    ask "$poll" -X OPTIONS -H "Origin: $origin" -H 'Access-Control-Request-Method: POST' \
        -H 'Access-Control-Request-Headers: authorization,content-type'
    [ "$code" = 204 ]
    [ -z "$body" ]
    grep -qx 'Access-Control-Allow-Methods: GET,POST' <<<"$headers"
    grep -qx 'Access-Control-Allow-Headers: authorization,content-type' <<<"$headers"
    run ! grep -qi '^content-length' <<<"$headers"
    for origin in https://app.example.org.evil https://evil http://app.example.org null; do
        ask "$poll" -H "Origin: $origin"
        [ "$code" = 200 ]
        run ! grep -qi '^access-control' <<<"$headers"
    done
    start_collabd --origin '*'
    ask "$poll" -H 'Origin: https://any'
    grep -qx 'Access-Control-Allow-Origin: https://any' <<<"$headers"
}

# --- browsers ---

# Debian's chromium, from tests/deps; elsewhere it may have another name.
@test "a browser connects, polls, upgrades and comes back" {
    CHROMIUM=$(command -v chromium chromium-browser google-chrome | head -n 1)
    export CHROMIUM
    [ -n "$CHROMIUM" ] || skip 'no chromium'
    node --test "$CLIENTS/socketio-browser.test.mjs"
}
