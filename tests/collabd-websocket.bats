# The WebSocket itself: handshakes, frames as no library sends them, sizes, heartbeats, clients that
# are slow or many.

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
    start_player
}

teardown()
{
    stop_all
}

# --- handshakes ---

# The handshake but for a line, which is replaced or left out.
handshake_but() # REGEX [LINE]
{
    handshake /ws | sed -E "s/\\\\r\\\\n/\n/g" | sed -E "s/^$1.*/${2:-LEAVE OUT}/" |
        grep -v 'LEAVE OUT' | sed -z 's/\n/\\r\\n/g'
}

@test "a handshake is answered as RFC 6455 says" {
    start_collabd
    send_raw "$(handshake_but Sec-WebSocket-Key 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==')$(
        bytes "$(frame 88 '')")" >"$ANSWER"
    [ "$(sed -n 1p "$ANSWER")" = 'HTTP/1.1 101 Switching Protocols' ]
    grep -aqix 'upgrade: websocket' "$ANSWER"
    grep -aqix 'connection: upgrade' "$ANSWER"
    grep -aqx 'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=' "$ANSWER"
    lacks Sec-WebSocket-Protocol "$ANSWER"
}

@test "a handshake that is none is refused, and why is said" {
    start_collabd
    answers '400 Bad Request' 'Sec-WebSocket-Version: must be 13' \
        "$(handshake_but Sec-WebSocket-Version)"
    answers '400 Bad Request' 'Sec-WebSocket-Version: must be 13' \
        "$(handshake_but Sec-WebSocket-Version 'Sec-WebSocket-Version: 8')"
    for key in '' AAAA 'AAAAAAAAAAAAAAAAAAAAA(==' AAAAAAAAAAAAAAAAAAAAAAAA==; do
        answers '400 Bad Request' 'Sec-WebSocket-Key: must be 16 bytes in base64' \
            "$(handshake_but Sec-WebSocket-Key "Sec-WebSocket-Key: $key")"
    done
    send_raw "$(handshake_but Sec-WebSocket-Version)" >"$ANSWER"
    grep -qx 'Sec-WebSocket-Version: 13' "$ANSWER"
    for path in / /ws/ /WS /ws2 //ws; do
        answers '404 Not Found' 'no WebSocket is here' "$(handshake $path)"
    done
    answers '400 Bad Request' 'Host: missing' "$(handshake_but Host)"
    metric_is handshake_failures_total 13
    metric_is connections_opened_total 0
}

@test "a token of 8,000 bytes comes by every way" {
    local token
    start_collabd --node n1
    token=$(token '{"sub":"ann","x":"'"$(printf %05800d 0)"'"}')
    [ ${#token} -gt 7800 ]
    tell a connect "ws://$GATEWAY/ws?token=$token"
    tell b connect "ws://$GATEWAY/ws" "header=Authorization:Bearer%20$token"
    tell c connect "ws://$GATEWAY/ws" protocol=x protocol=collab.v1 "protocol=bearer.$token"
    tell d connect "ws://$GATEWAY/ws"
    hear a open "$(welcome ann)"
    hear b open "$(welcome ann)"
    hear c 'open collab.v1' "$(welcome ann)"
    hear d open
    say d '{"type":"authenticate","data":{"token":"'"$token"'"}}'
    hear d "$(welcome ann)"
}

@test "more connections than allowed are refused, until one goes" {
    start_collabd --node n1 --max-connections 2
    enter ann
    enter bob
    tell eve connect "ws://$GATEWAY/ws"
    hear eve 'refused 503: as many connections as allowed'
    settled ann
    tell bob close
    wait_until metric_is connections 1
    enter eve
}

# --- frames ---

@test "frames that come with the handshake are read" {
    start_collabd
    send_raw "$(handshake /ws)$(bytes "$(frame 81 '{"type":"ping","ref":1}')$(
        frame 81 '{"type":"ping","ref":2}')$(frame 88 '')")" >"$ANSWER"
    [ "$(grep -ao '"ref":.' "$ANSWER" | tr '\n' ' ')" = '"ref":1 "ref":2 ' ]
}

# What comes over the connection in one piece, or in one for each argument.
sends() # NAME FRAME...
{
    local name=$1 frame
    shift
    for frame; do
        tell "$name" raw "$frame"
    done
}

@test "a message in fragments, with pings between them, cut anywhere" {
    local frames
    start_collabd --node n1
    enter ann
    frames=$(frame 01 '{"type":"pi')$(frame 89 hello)$(frame 00 'ng","ref":"\xc3')$(frame 00 '')$(
        frame 80 '\xa9"}')
    sends ann "$frames"
    hear ann '{"type":"pong","ref":"é"}'
    # shellcheck disable=SC2046
    sends ann $(sed 's/../& /g' <<<"$frames")
    hear ann '{"type":"pong","ref":"é"}'
    sends ann "$(frame 01 '')$(frame 00 '')$(frame 80 '{"type":"ping"}')"
    hear ann '{"type":"pong"}'
}

@test "a text that is not UTF-8 ends its connection" {
    local bad
    start_collabd --node n1
    enter bob
    for bad in '\xff' '\xc3' 'a\xc0\x80' '\xed\xa0\x80' '\xf4\x90\x80\x80' '{"type":"ping","ref":"\xe9"}'; do
        enter ann
        sends ann "$(frame 81 "$bad")"
        hear ann 'close 1007 a text message is not UTF-8'
    done
    enter ann
    sends ann "$(frame 01 '\xc3')" "$(frame 80 '"')"
    hear ann 'close 1007 a text message is not UTF-8'
    settled bob
}

@test "binary messages are refused" {
    start_collabd --node n1
    enter ann
    tell ann binary '{"type":"ping"}'
    hear ann "$(error bad_message 'binary messages are not part of collab.v1')"
    sends ann "$(frame 02 '{"type":')$(frame 80 '"ping"}')"
    hear ann "$(error bad_message 'binary messages are not part of collab.v1')"
    settled ann
}

@test "what is no message is refused, and why is said" {
    local text none='a message is a JSON object with a type'
    start_collabd --node n1
    enter ann
    is_refused()
    {
        say ann "$1"
        hear ann "$(error bad_message "$2")"
    }
    is_refused '' 'column 1: expected a value, found the end'
    is_refused '{"type":"ping"' "column 15: expected ',' or '}', found the end"
    is_refused '{"type":"ping",}' 'column 16: expected a key, found \"}\"'
    is_refused '{"type":"ping"} {}' 'column 17: expected the end, found \"{\"'
    is_refused '{"type":"ping","x":NaN}' 'column 20: expected a value, found \"N\"'
    is_refused "$(printf '[%.0s' {1..65})" \
        'column 65: expected at most 64 levels, found \"[\"'
    for text in '[]' '"ping"' 1 null true; do
        is_refused "$text" "$none"
    done
    for text in '{}' '{"type":1}' '{"type":null}' '{"type":["ping"]}' '{"Type":"ping"}'; do
        is_refused "$text" 'type: must be a string'
    done
    say ann '{"type":{},"ref":7}'
    hear ann "$(error bad_message 'type: must be a string' ',"ref":7')"
}

@test "a type that no message has" {
    start_collabd --node n1
    enter ann
    for type in '' Ping connection.ack; do
        say ann '{"type":"'"$type"'","ref":1}'
        hear ann "$(error unknown_type 'no message has the type \"'$type'\"' ',"ref":1')"
    done
    say ann '{"type":"a\u0000"}'
    hear ann "$(error unknown_type 'no message has the type \"a\\\\u0000\"')"
    say ann '{"type":"'"$(printf '%0100d' 0)"'"}'
    hear ann "$(error unknown_type "no message has the type \\\"$(printf '%040d' 0)\\\"...")"
    say ann '{"type":"\u0070ing"}'
    hear ann '{"type":"pong"}'
}

@test "a message may be as large as allowed, and no larger" {
    local pad
    start_collabd --node n1 --max-message 1k
    enter ann
    enter bob
    pad=$(printf "%$((1024 - 15))s" '')
    say ann '{"type":"ping"}'"$pad"
    hear ann '{"type":"pong"}'
    say ann '{"type":"ping"}'"$pad "
    hear ann 'close 1009 message too big'
    sends bob "$(frame 01 "{\"type\":\"ping\"}$pad")" "$(frame 80 '')"
    hear bob '{"type":"pong"}'
    sends bob "$(frame 01 "{\"type\":\"ping\"}$pad")" "$(frame 00 ' ')"
    hear bob 'close 1009 message too big'
}

@test "who claims to send a gigabyte is closed as soon as the limit is reached" {
    start_collabd --node n1 --max-message 1k
    enter ann
    sends ann 81ff000000004000000000000000 "$(printf '20%.0s' {1..1025})"
    hear ann 'close 1009 message too big'
}

has_ended_badly() # NAME
{
    grep -Eqsx 'close (1002.*|1006)' "$BATS_TEST_TMPDIR/$1.heard"
}

@test "frames against the protocol end their connection, and no other" {
    local n=0 frames
    start_collabd --node n1
    enter bob a:1
    for frames in "$(frame c1 '{"type":"ping"}')" "$(frame a1 x)" "$(frame 91 x)" "$(frame 83 x)" \
        "$(frame 87 x)" "$(frame 8b x)" "$(frame 8f x)" "$(frame 80 x)" "$(frame 00 x)" \
        "$(frame 01 x)$(frame 81 y)" "$(frame 09 x)" "$(frame 08 '')" \
        "$(frame 89 "$(printf %0126d 0)")" 81ffffffffffffffffff00000000; do
        n=$((n + 1))
        enter "c$n"
        sends "c$n" "$frames"
        wait_until has_ended_badly "c$n"
    done
    settled bob
    wait_until metric_is connections 1
}

@test "a client's close is answered with its code" {
    start_collabd --node n1
    for code in 1000 1001 3000 4999; do
        enter ann
        tell ann close $code
        hear ann "close $code"
    done
    enter ann
    tell ann close
    hear ann 'close 1005'
    wait_until metric_is connections_closed_total 5
}

@test "clients whose process is killed are gone" {
    start_collabd --node n1
    enter ann a:1 a:2
    enter bob a:1
    metric_is joins 3
    stop player KILL
    wait_until metric_is connections 0
    metric_is sessions 0
    metric_is joins 0
    metric_is rooms 0
}

# --- heartbeats ---

@test "a peer that gives no sign of life is closed; pongs and messages are such signs" {
    local PING='100 3000'
    start_collabd --node n1 --ping-interval 100ms --ping-timeout 3s
    connect ann "$(token '{"sub":"ann"}')" silent
    connect bob "$(token '{"sub":"bob"}')" pings
    connect eve "$(token '{"sub":"eve"}')" silent chatty
    hear ann 'open collab.v1' "$(welcome ann)" 'close 4000 nothing heard for too long'
    metric_is silent_clients_closed_total 1
    wait_until has_heard bob 42
    wait_until has_heard eve 42
    lacks close "$BATS_TEST_TMPDIR/bob.heard" "$BATS_TEST_TMPDIR/eve.heard"
}

# --- slow clients, many clients ---

# Ann and Bob are in a room, connected by a socket whose buffers are small, and Ann reads nothing.
ann_reads_nothing() # OPTION...
{
    local PING=${PING:-'100 60000'} name
    start_collabd --node n1 --listen 127.0.0.1:0 --listen "unix:$BATS_TEST_TMPDIR/s" \
        --ping-interval 100ms "$@"
    for name in ann bob; do
        tell $name connect "ws+unix:$BATS_TEST_TMPDIR/s:/ws?token=$(
            token '{"sub":"'$name'","rooms":["*"]}')"
        hear $name open "$(welcome $name)"
        say $name '{"type":"subscribe","data":["a:1"]}'
        hear $name '{"type":"subscribed","data":{"rooms":["a:1"]}}'
    done
    tell ann pause
    settled bob
}

AT_ONCE=300 # events of 1 KiB: less than an outbox holds

# Emits the events after FIRST, and waits for Bob to have heard them.
emit_after() # FIRST
{
    seq $(($1 + 1)) $(($1 + AT_ONCE)) |
        sed "s/.*/{\"type\":\"n\",\"room\":\"a:1\",\"data\":{\"n\":&,\"pad\":\"$(printf %01000d 0)\"}}/" |
        collab-emit
    wait_until has_heard bob $(($1 + AT_ONCE + 4))
}

numbers_heard() # NAME
{
    sed -n 's/^{"type":"n",.*"n":\([0-9]*\),.*/\1/p' "$BATS_TEST_TMPDIR/$1.heard"
}

# More and more waits for Ann, but no more than this, until she is closed: she is told why, and has
# heard what came before without a hole. Bob hears everything.
ann_is_closed() # OUTBOX_BYTES
{
    local n
    for ((n = 0; n < 30000; n += AT_ONCE)); do
        emit_after $n
        [ "$(metric outbox_bytes)" -le "$1" ]
        if metric_is slow_clients_closed_total 1; then break; fi
    done
    tell ann resume
    wait_for_line "$BATS_TEST_TMPDIR/ann.heard" 'close 4001 too slow: come back and resume'
    [ "$(tail -n 1 "$BATS_TEST_TMPDIR/ann.heard")" = 'close 4001 too slow: come back and resume' ]
    [ "$(numbers_heard ann | wc -l)" -lt $((n + AT_ONCE)) ]
    cmp <(numbers_heard ann) <(seq "$(numbers_heard ann | wc -l)")
    emit_after $((n + AT_ONCE))
    cmp <(numbers_heard bob) <(seq $((n + 2 * AT_ONCE)))
    metric_is outbox_bytes 0
}

@test "who never reads is closed by --outbox-size, while others get every event" {
    ann_reads_nothing --outbox-size 512k
    ann_is_closed $((2 * 512 * 1024))
}

@test "who never reads is closed by --outbox-time, while others get every event" {
    PING='3600000 7200000' ann_reads_nothing --outbox-size 1g --outbox-time 1s \
        --ping-interval 1h --ping-timeout 2h
    ann_is_closed $((1 << 30))
}

@test "1,000 connections at once" {
    ulimit -n 4096
    start_collabd
    start many node "$CLIENTS/ws-many.mjs" "ws://$GATEWAY/ws" "$(token '{"sub":"u","rooms":["*"]}')" \
        1000 a:1
    wait_for_line "$BATS_TEST_TMPDIR/many.out" 'joined 1000'
    metric_is connections 1000
    metric_is joins 1000
    collab-emit -r a:1 -t x
    collab-emit -r a:1 -t y
    wait_for_line "$BATS_TEST_TMPDIR/many.out" 'heard 2 1000'
    metric_is deliveries_total 2000
    stop collabd
    [ "$status" -eq 0 ]
    wait_for_line "$BATS_TEST_TMPDIR/many.out" 'closed 1012 1000'
    [ ! -s "$BATS_TEST_TMPDIR/many.err" ]
}
