# --proxy-protocol: connections that trusted proxies bring, and others that say they did.

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
    cd "$BATS_TEST_TMPDIR" || return
}

teardown()
{
    stop_all
}

# 127.0.0.1, from which we come, is a proxy; a second failed attempt of one address is one too many.
start_behind_proxy() # [OPTION]...
{
    start_collabd --node n1 --trusted-proxy 127.0.0.1 --proxy-protocol --auth-rate 1/1h "$@"
}

V2='\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x09\xc0\x00\x02\x01\x12\x34\x01\xbb'

# The status of an attempt to authenticate behind a header.
attempt() # HEADER [HEADER_LINE]
{
    send_raw "$1POST /api/v1/events HTTP/1.1\r\nHost: h\r\nConnection: close\r\n${2:-X: y}\r\n$(
        )Authorization: Bearer bad\r\nContent-Length: 0\r\n\r\n" |
        sed -n '1s/^HTTP\/1.1 \([0-9]*\).*/\1/p'
}

from() # ADDRESS
{
    printf 'PROXY TCP4 %s 192.0.2.1 4660 443\\r\\n' "$1"
}

@test "the client is whom the header names, in either version" {
    start_behind_proxy
    [ "$(attempt "$(from 192.0.2.7)")" = 401 ]
    [ "$(attempt "$(from 192.0.2.7)")" = 429 ]
    [ "$(attempt "$(from 192.0.2.8)")" = 401 ]
    [ "$(attempt "$V2")" = 401 ]
    [ "$(attempt "$(from 192.0.2.9)")" = 429 ]
    [ "$(attempt 'PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n')" = 401 ]
    [ "$(attempt 'PROXY TCP6 2001:db8::ffff 2001:db8::2 1 2\r\n')" = 429 ]
    # The client's own word counts for nothing, a proxy's before it does.
    [ "$(attempt "$(from 192.0.2.7)" 'X-Forwarded-For: 192.0.2.20')" = 429 ]
    [ "$(attempt "$(from 127.0.0.1)" 'X-Forwarded-For: 192.0.2.20')" = 401 ]
    # The proxy speaks for itself.
    [ "$(attempt 'PROXY UNKNOWN\r\n')" = 401 ]
    [ "$(attempt "$(from 127.0.0.1)")" = 429 ]
}

@test "limits of connections are those of the client" {
    start_player
    start_behind_proxy --max-address-connections 1
    exec 7<>"/dev/tcp/${GATEWAY%:*}/${GATEWAY##*:}"
    # shellcheck disable=SC2059
    printf "$(from 192.0.2.7)GET /health HTTP/1.1\r\nHost: h\r\n\r\n" >&7
    read -r line <&7
    [ "$line" = $'HTTP/1.1 200 OK\r' ]
    [[ $(send_raw "$(from 192.0.2.7)GET /health HTTP/1.1\r\nHost: h\r\n\r\n") = 'HTTP/1.1 503 '* ]]
    [[ $(send_raw "$(from 192.0.2.8)GET /health HTTP/1.0\r\n\r\n") = 'HTTP/1.1 200 '* ]]
    exec 7>&-
}

@test "a proxy that sends no header, or one that is none, is closed" {
    start_behind_proxy --handshake-time 500ms
    [ -z "$(send_raw 'GET /health HTTP/1.1\r\nHost: h\r\n\r\n')" ]
    wait_for_line collabd.err "a trusted proxy's connection is closed: PROXY: the header is missing"
    [ -z "$(attempt 'PROXY TCP4 192.0.2.7 192.0.2.1 4660\r\n')" ]
    [ -z "$(attempt "$(printf 'PROXY UNKNOWN %0200d' 0)")" ]
    [ -z "$(attempt "${V2/x21/x23}")" ]
    # It stalls: within the header, and before it.
    [ -z "$(send_raw 'PROXY TCP4 192.0.2.7')" ]
    [ -z "$(send_raw '')" ]
    [ "$(curl -s --interface 127.0.0.2 "http://$GATEWAY/metrics" |
        sed -n 's/^collab_handshake_failures_total{.*} //p')" = 6 ]
}

@test "who is no proxy needs no header, and has none" {
    start_behind_proxy
    [ "$(curl -s --interface 127.0.0.2 -o answer -w '%{http_code}' "http://$GATEWAY/health")" = 200 ]
    run -0 node -e '
        const [host, port] = process.argv[1].split(":");
        const socket = require("net").connect({ host, port, localAddress: "127.0.0.2" });
        socket.write("PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\nGET /health HTTP/1.1\r\nHost: h\r\n\r\n");
        socket.on("data", (bytes) => process.stdout.write(bytes));
        socket.on("error", () => {});' "$GATEWAY"
    [[ ${lines[0]} = 'HTTP/1.1 400 Bad Request'* ]]
}

@test "without a trusted proxy there is nobody to send a header" {
    run -2 collabd --port 0 --key-file "$(key_file)" --proxy-protocol
    [ "$output" = 'collabd: --proxy-protocol: only with --trusted-proxy' ]
}

@test "a header that comes a byte at a time, at a Unix socket too" {
    local socket=$BATS_TEST_TMPDIR/s
    start_behind_proxy --listen "unix:$socket" --listen 127.0.0.1:0 --trusted-proxy unix
    run -0 node -e '
        const socket = require("net").connect(process.argv[1]);
        let rest = "PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\nGET /health HTTP/1.0\r\n\r\n";
        (function next() {
            if (rest) socket.write(rest[0], () => setImmediate(next));
            rest = rest.slice(1);
        })();
        socket.on("data", (bytes) => process.stdout.write(bytes));' "$socket"
    [[ ${lines[0]} = 'HTTP/1.1 200 OK'* ]]
}
