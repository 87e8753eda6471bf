# TLS for clients: the handshake, who is let in by it and who is not, certificates that change.

load helpers
load gateway

setup_file()
{
    use_plain_catalog
    start_redis
    cd "$BATS_FILE_TMPDIR" || return
    make_authority
    make_certificate one
    make_certificate two
    export SSL_CERT_FILE=$PWD/ca.pem CURL_CA_BUNDLE=$PWD/ca.pem NODE_EXTRA_CA_CERTS=$PWD/ca.pem
}

teardown_file()
{
    stop_all
}

setup()
{
    ERR=$BATS_TEST_TMPDIR/collabd.err
    cd "$BATS_TEST_TMPDIR" || return
    cp "$BATS_FILE_TMPDIR"/*.pem .
}

teardown()
{
    stop_all
}

# An authority, and one below it that signs: servers have to show the latter too.
make_authority()
{
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3 -subj /CN=root \
        -keyout ca.key -out ca.pem
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=between \
        -keyout between.key -out between.csr
    openssl x509 -req -in between.csr -CA ca.pem -CAkey ca.key -days 3 -out between.pem \
        -extfile <(echo basicConstraints=CA:true)
} 2>/dev/null

make_certificate() # NAME
{
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
        -keyout "$1.key.pem" -out "$1.csr"
    openssl x509 -req -in "$1.csr" -CA between.pem -CAkey between.key -days 2 -out "$1.own" \
        -extfile <(echo subjectAltName=IP:127.0.0.1)
    cat "$1.own" between.pem >"$1.pem"
    chmod 600 "$1.key.pem"
} 2>/dev/null

# $GATEWAY is where TLS is spoken, $PLAIN where it is not.
start_secure() # [OPTION]...
{
    start collabd collabd --key-file "$(key_file)" --node n1 --listen https://127.0.0.1:0 \
        --listen http://127.0.0.1:0 --tls-cert one.pem --tls-key one.key.pem "$@"
    wait_for_line collabd.out 'ready '
    read -r _ GATEWAY PLAIN <collabd.out
    [[ $GATEWAY = https://* && $PLAIN = http://* ]]
    GATEWAY=${GATEWAY#https://} PLAIN=${PLAIN#http://}
}

tls_metric_is() # NAME VALUE
{
    [ "$(curl -fs "http://$PLAIN/metrics" | sed -n "s/^collab_$1{.*} //p")" = "$2" ]
}

no_visitor_is_left()
{
    [ "$(curl -fs "http://$PLAIN/metrics" | sed -n 's/^process_open_fds{.*} //p')" = "$1" ]
}

descriptors()
{
    curl -fs "http://$PLAIN/metrics" | sed -n 's/^process_open_fds{.*} //p'
}

# What a handshake by openssl says, with these options besides.
shake_hands() # [OPTION]...
{
    openssl s_client -connect "$GATEWAY" -CAfile ca.pem -verify_return_error "$@" </dev/null 2>&1
}

enter_secure() # NAME [ROOM]
{
    tell "$1" connect "wss://$GATEWAY/ws" protocol=collab.v1 \
        "header=Authorization:Bearer%20$(token '{"sub":"'"$1"'","rooms":["*"],"publish":["*"]}')"
    hear "$1" 'open collab.v1' "$(welcome "$1")"
    say "$1" '{"type":"subscribe","data":["'"${2:-a:1}"'"]}'
    hear "$1" '{"type":"subscribed","data":{"rooms":["'"${2:-a:1}"'"]}}'
}

# --- who comes ---

@test "HTTP, WebSocket, Socket.IO and our own client come by TLS, as without" {
    local event='{"type":"x","room":"a:1","time":"NOW","data":null}'
    start_player
    start_secure
    [ "$(curl -fsS "https://$GATEWAY/health" | jq -r .node)" = n1 ]
    enter_secure ann
    token '{"sub":"bob","rooms":["*"]}' >bob.jwt
    start tail collab-tail --url "wss://$GATEWAY/ws" --token-file bob.jwt -C 1 a:1
    wait_until tls_metric_is joins 2
    collab-emit -r a:1 -t x
    hear ann "$event"
    finish tail
    [ "$status" -eq 0 ]
    [ "$(jq -r .type tail.out)" = x ]
    node "$CLIENTS/socketio.js" acknowledgements "https://$GATEWAY" \
        "$(token '{"sub":"eve","rooms":["*"],"publish":["*"]}')"
    head -c 300000 /dev/zero | tr '\0' ' ' >large
    [ "$(curl -sS -o answer -w '%{http_code}' "https://$GATEWAY/api/v1/events" --data-binary @large \
        -H "Authorization: Bearer $(token '{"sub":"ci","publish":["*"]}')")" = 200 ]
}

@test "an event larger than what waits between the stages arrives whole" {
    start_player
    start_secure --outbox-size 8m
    enter_secure ann
    jq -nc '{type:"x",room:"a:1",data:("0123456789" * 90000)}' >event
    collab-emit <event
    wait_until has_heard ann 4
    [ "$(tail -n 1 ann.heard | wc -c)" -gt 900000 ]
    [ "$(tail -n 1 ann.heard | jq -c .data)" = "$(jq -c .data event)" ]
}

@test "versions, ciphers and protocols" {
    start_secure
    for version in -tls1_3 -tls1_2; do
        run -0 shake_hands $version -alpn h2,http/1.1
        [[ $output = *'ALPN protocol: http/1.1'* ]]
        [[ $output = *'Verify return code: 0 (ok)'* ]]
    done
    [[ $output = *'Secure Renegotiation IS supported'* ]]
    run -1 shake_hands -tls1_1 -cipher ALL:@SECLEVEL=0
    run -1 shake_hands -tls1_2 -cipher AES128-SHA:ECDHE-ECDSA-AES128-SHA256:AES128-GCM-SHA256
    run -1 shake_hands -alpn h2
    [[ $output = *'no application protocol'* ]]
    tls_metric_is tls_handshake_failures_total 3
}

@test "a session is resumed, by TLS 1.3 and 1.2" {
    start_secure
    for version in -tls1_3 -tls1_2; do
        # The ticket of TLS 1.3 comes with what is said after the handshake.
        printf 'GET /health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n' |
            openssl s_client -connect "$GATEWAY" -CAfile ca.pem $version -ign_eof \
                -sess_out session >first 2>&1
        grep -q '^New, TLS' first
        run -0 shake_hands $version -sess_in session
        [[ $output = *'Reused, TLS'* ]]
    done
    tls_metric_is tls_resumptions_total 2
}

# --- certificates ---

shown()
{
    shake_hands -tls1_3 | sed -n 's/^subject=CN = //p'
}

hang_up() # LINE
{
    : >collabd.err
    kill -HUP "$(pid_of collabd)"
    wait_for_line collabd.err "$1"
}

@test "SIGHUP: a new certificate is shown, a faulty one leaves the old, nobody is cut off" {
    start_player
    start_secure
    enter_secure ann
    [ "$(shown)" = one ]
    cp two.pem one.pem
    hang_up 'SIGHUP: nothing is changed: TLS: one.key.pem: is not the certificate'"'s key"
    [ "$(shown)" = one ]
    cp two.key.pem one.key.pem
    hang_up 'SIGHUP: catalog'
    [ "$(shown)" = two ]
    echo nothing >one.pem
    hang_up 'SIGHUP: nothing is changed: TLS: one.pem: holds no certificate that can be used'
    rm one.pem
    hang_up 'SIGHUP: nothing is changed: TLS: one.pem: no such file or directory'
    [ "$(shown)" = two ]
    say ann '{"type":"ping"}'
    hear ann '{"type":"pong"}'
}

is_wrong() # MESSAGE OPTION...
{
    run --separate-stderr -2 in_time collabd --port 0 --key-file "$(key_file)" "${@:2}"
    # The limit of open files may be warned of before.
    [ "${stderr##*$'\n'}" = "collabd: $1" ] || {
        echo "$stderr"
        return 1
    }
}

@test "certificates and keys that cannot be used" {
    local at='--listen https://127.0.0.1'
    # shellcheck disable=SC2086
    {
        is_wrong '--listen https://: only with --tls-cert and --tls-key' $at
        is_wrong '--tls-cert and --tls-key: one is not enough' $at --tls-cert one.pem
        is_wrong '--tls-cert and --tls-key: one is not enough' $at --tls-key one.key.pem
        is_wrong '--tls-cert: TLS is spoken nowhere: --listen https://ADDRESS' \
            --tls-cert one.pem --tls-key one.key.pem
        is_wrong 'TLS: two.key.pem: is not the certificate'"'s key" \
            $at --tls-cert one.pem --tls-key two.key.pem
        is_wrong 'TLS: none: no such file or directory' $at --tls-cert none --tls-key one.key.pem
        is_wrong 'TLS: .: it is no file' $at --tls-cert . --tls-key one.key.pem
        (umask 077 && cp one.pem keyless.pem)
        is_wrong 'TLS: keyless.pem: holds no private key that can be read' \
            $at --tls-cert one.pem --tls-key keyless.pem
        openssl ec -in one.key.pem -out locked.pem -aes128 -passout pass:secret 2>/dev/null
        chmod 600 locked.pem
        is_wrong 'TLS: locked.pem: has a passphrase: only a key without one can be used' \
            $at --tls-cert one.pem --tls-key locked.pem --check
        chmod 640 one.key.pem
        is_wrong 'TLS: one.key.pem: mode 0640 lets others read it: chmod 600 one.key.pem' \
            $at --tls-cert one.pem --tls-key one.key.pem
        chmod 600 one.key.pem
        chmod 666 one.pem
        is_wrong 'TLS: one.pem: mode 0666 lets others change it: chmod 644 one.pem' \
            $at --tls-cert one.pem --tls-key one.key.pem
    }
    is_wrong '--listen https://unix:s: a Unix socket is unix:PATH, without a scheme and without TLS' \
        --listen https://unix:s --tls-cert two.pem --tls-key two.key.pem
}

# --- who should not ---

@test "who speaks something else is told, or closed" {
    start_secure
    run -0 curl -sS -w '%{http_code}' "http://$GATEWAY/health"
    [ "$output" = 'TLS is spoken at this port: https://.
400' ]
    [ -z "$(send_raw '\x00\x01\x02nonsense')" ]
    [ -z "$(send_raw '{"type":"ping"}')" ]
    # A record of a handshake that holds none; one that is longer than may be.
    send_raw '\x16\x03\x01\x00\x05hello' >/dev/null
    send_raw '\x16\x03\x01\xff\xff%070000d' 0 >/dev/null
    tls_metric_is tls_handshake_failures_total 5
    tls_metric_is tls_handshakes_total 0
}

@test "a handshake that stalls is given up in time, and one byte after the other is a handshake" {
    local before
    start_secure --handshake-time 500ms
    before=$(descriptors)
    [ -z "$(send_raw '')" ]
    [ -z "$(send_raw '\x16\x03\x01')" ]
    tls_metric_is tls_handshake_failures_total 2
    wait_until no_visitor_is_left "$before"
    stop collabd
    start_secure --handshake-time 2m
    node "$CLIENTS/tls-slow.mjs" "$GATEWAY" 'GET /health HTTP/1.1\r\nHost: h\r\n\r\n' >answer
    grep -q '^HTTP/1.1 200 OK' answer
}

@test "a client does not renegotiate" {
    start_secure
    mkfifo in
    start client bash -c 'exec openssl s_client -connect "$0" -CAfile ca.pem -tls1_2 <in' "$GATEWAY"
    exec 7>in
    wait_for_line client.out 'Verify return code'
    echo R >&7
    wait_for_line client.err 'no renegotiation'
    exec 7>&-
    [ "$(curl -fsS "https://$GATEWAY/health" | jq -r .node)" = n1 ]
}

@test "an address with as many connections as it may have is turned away before the handshake" {
    start_player
    start_secure --max-address-connections 1
    enter_secure ann
    run -1 shake_hands
    [ "$(curl -s -o answer -w '%{http_code}' --interface 127.0.0.2 "https://$GATEWAY/health")" = 200 ]
}

@test "who never reads is closed as too slow, while others get every event" {
    local n
    start_player
    start_secure --outbox-size 512k
    enter_secure ann
    enter_secure bob
    tell ann pause
    for ((n = 0; n < 60; n++)); do
        seq 300 | sed "s/.*/{\"type\":\"n\",\"room\":\"a:1\",\"data\":\"$(printf %01000d 0)\"}/" |
            collab-emit
        wait_until has_heard bob $((300 * (n + 1) + 3))
        if tls_metric_is slow_clients_closed_total 1; then break; fi
    done
    tls_metric_is slow_clients_closed_total 1
    tell ann resume
    wait_for_line ann.heard 'close 4001 too slow: come back and resume'
}

@test "of who never reads nothing is left when it was closed" {
    local before n
    start_player
    start_secure --outbox-size 512k --outbox-time 1s
    before=$(descriptors)
    enter_secure ann
    tell ann pause
    for ((n = 0; n < 60; n++)); do
        seq 300 | sed "s/.*/{\"type\":\"n\",\"room\":\"a:1\",\"data\":\"$(printf %01000d 0)\"}/" |
            collab-emit
        if tls_metric_is slow_clients_closed_total 1; then break; fi
    done
    wait_until tls_metric_is slow_clients_closed_total 1
    wait_until no_visitor_is_left "$before"
}

# Every case in hostile/, by TLS.
@test "what hostile peers do by TLS is answered as without it" {
    start_secure --handshake-time 500ms --auth-time 500ms --auth-rate off
    ROUNDS=1 TLS_PORT=${GATEWAY##*:} node "$CLIENTS/hostile.mjs" "$PLAIN" \
        "$(token '{"sub":"ann","rooms":["*"],"publish":["*"]}')" "$BATS_TEST_DIRNAME"/hostile/*.json
    stop collabd
    [ "$status" -eq 0 ]
}

# --- the whole ---

@test "at the end clients are told by TLS too" {
    start_player
    start_secure
    enter_secure ann
    stop collabd
    [ "$status" -eq 0 ]
    hear ann 'close 1012 the gateway restarts'
}

@test "workers share a port with TLS" {
    start_player
    start collabd collabd --key-file "$(key_file)" --node n1 --listen https://127.0.0.1:0 \
        --tls-cert one.pem --tls-key one.key.pem --workers 2
    wait_for_line collabd.out 'ready https://127.0.0.1:'
    GATEWAY=$(sed 's,ready https://,,' collabd.out)
    tell ann connect "wss://$GATEWAY/ws?token=$(token '{"sub":"ann","rooms":["*"]}')"
    hear ann open
    [ "$(shown)" = one ]
    cp two.pem one.pem
    cp two.key.pem one.key.pem
    kill -HUP "$(pid_of collabd)"
    wait_until eval '[ "$(grep -c "SIGHUP: catalog" collabd.err)" -eq 2 ]'
    [ "$(shown)" = two ]
}
