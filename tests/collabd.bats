# collabd: settings, where it listens, its key of development, its log, its end.

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
    OUT=$BATS_TEST_TMPDIR/collabd.out
    ERR=$BATS_TEST_TMPDIR/collabd.err
}

teardown()
{
    stop_all
}

# It ends with status 2 and this message.
is_wrong() # MESSAGE ARGUMENT...
{
    local message=$1
    shift
    run --separate-stderr -2 in_time collabd --port 0 --key-file "$(key_file)" "$@"
    echo "$stderr"
    [ -z "$output" ]
    [ "$stderr" = "collabd: $message" ]
}

# --- settings ---

@test "help and version" {
    run --separate-stderr -0 collabd --help
    [[ ${lines[0]} = 'usage: collabd '* ]]
    [ -z "$stderr" ]
    run --separate-stderr -0 collabd -V
    [[ $output =~ ^collabd\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
    run -1 bash -c 'collabd --help >/dev/full'
}

name_is() # NAME
{
    [[ $(health) = '{"node":"'"$1"'",'* ]]
}

@test "a setting is taken from the flag, the environment, the file, the default, in this order" {
    local file=$BATS_TEST_TMPDIR/conf
    cat >"$file" <<'END'
# a comment
node = file # and another
probe-interval = 1s
END
    start_collabd
    name_is "$(health | jq -r .node)"
    [[ $(health | jq -r .node) =~ ^[a-z2-7]{8}$ ]]
    stop collabd
    start_collabd --config "$file"
    name_is file
    stop collabd
    COLLAB_CONFIG=$file start_collabd
    name_is file
    stop collabd
    COLLAB_NODE=environment start_collabd --config "$file"
    name_is environment
    stop collabd
    COLLAB_NODE=environment start_collabd --config "$file" --node flag
    name_is flag
}

@test "lists are split at commas in the environment and the file" {
    local dir=$BATS_TEST_TMPDIR
    echo "listen = 127.0.0.1:0, unix:$dir/a, unix:$dir/b" >"$dir/conf"
    start_collabd --config "$dir/conf"
    [[ $(cat "$OUT") = "ready http://127.0.0.1:"*" unix:$dir/a unix:$dir/b" ]]
    stop collabd
    COLLAB_LISTEN=unix:$dir/c,127.0.0.1:0 start_collabd --config "$dir/conf"
    [[ $(cat "$OUT") = "ready unix:$dir/c http://127.0.0.1:"* ]]
    stop collabd
    start_collabd -l "unix:$dir/d" --listen=127.0.0.1 --config "$dir/conf"
    [[ $(cat "$OUT") = "ready unix:$dir/d http://127.0.0.1:"* ]]
}

@test "settings that are not known" {
    local file=$BATS_TEST_TMPDIR/conf
    is_wrong 'unknown option --nod (did you mean --node?)' --nod x
    is_wrong 'unknown option -x' -x
    is_wrong 'unexpected operand word' word
    printf '\nnod = x\n' >"$file"
    is_wrong "$file:2: unknown setting 'nod' (did you mean node?)" -c "$file"
    echo 'listen' >"$file"
    is_wrong "$file:1: not of the form: name = value" -c "$file"
    is_wrong "$BATS_TEST_TMPDIR/none: no such file or directory" -c "$BATS_TEST_TMPDIR/none"
}

@test "values that a setting does not take" {
    local file=$BATS_TEST_TMPDIR/conf
    is_wrong '--port=70000: out of range 0 to 65535' --port 70000
    COLLAB_MAX_ROOMS=0 is_wrong '$COLLAB_MAX_ROOMS=0: out of range 1 to 1000000'
    is_wrong '--ping-interval=50ms: out of range 100ms to 1h' --ping-interval 50ms
    is_wrong '--log-format=xml: not one of text, json' --log-format xml
    is_wrong '--leeway=31s: out of range 0s to 30s' --leeway 31s
    is_wrong '--node="a b": only letters, digits and . _ ~ @ -' --node 'a b'
    is_wrong '--origin=example.org: not like https://app.example.org, nor *' --origin example.org
    is_wrong '--origin=https://a.org/: an origin is only scheme, host and port' \
        --origin https://a.org/
    is_wrong '--origin=https://A.org: must be in lower case, as browsers send it' \
        --origin https://A.org
    is_wrong '--origin=https://*.a.org: * stands by itself, for all origins' \
        --origin 'https://*.a.org'
    is_wrong '--origin=https://a.org:0x: port: not a whole number' --origin https://a.org:0x
    is_wrong '--origin=http://[::1]:0: port: out of range 1 to 65535' --origin 'http://[::1]:0'
    is_wrong '--socketio-redis="a\n": 1 to 100 bytes, no control characters' \
        --socketio-redis $'a\n'
    echo 'max-message = 1t' >"$file"
    is_wrong "$file:1: max-message=1t: not a size (like 4096, 64k, 16m or 1g)" -c "$file"
}

@test "a wrong value is told by where it stands" {
    local file=$BATS_TEST_TMPDIR/conf
    COLLAB_ORIGIN=https://a.org,b.org \
        is_wrong '$COLLAB_ORIGIN=b.org: not like https://app.example.org, nor *'
    COLLAB_REDIS=:s3cret@host \
        is_wrong '$COLLAB_REDIS: Redis URL: must begin with redis://, redis+sentinel:// or unix:'
    echo 'redis = :s3cret@host' >"$file"
    is_wrong "$file:1: redis: Redis URL: must begin with redis://, redis+sentinel:// or unix:" \
        -c "$file"
    echo 'origin = https://a.org, null, *, http://[::1], http://[::1]:80' >"$file"
    run -0 collabd --check -c "$file"
}

@test "a Redis URL that is none, without showing its password" {
    is_wrong '--redis: Redis URL: must begin with redis://, redis+sentinel:// or unix:' --redis localhost:6379
    is_wrong '--redis: Redis URL: port: not a whole number' --redis redis://:s3cret@host:port
    is_wrong '--redis: Redis URL: a user needs a password: user:password@' \
        --redis redis://s3cret@host
}

@test "a check finds what is wrong with addresses, keys and Redis, and makes nothing" {
    is_wrong '--listen 127.0.0.1:x: not a whole number' --check --listen 127.0.0.1:x
    is_wrong 'nokey: no such file or directory' --check --key-file nokey
    is_wrong '--redis: Redis URL: must begin with redis://, redis+sentinel:// or unix:' \
        --check --redis localhost
    run -2 collabd --check --listen 0.0.0.0
    [ "$output" = 'collabd: --listen 0.0.0.0: beyond loopback only with --key-file' ]
    XDG_STATE_HOME=$BATS_TEST_TMPDIR/state
    run -0 collabd --check
    [ ! -e "$XDG_STATE_HOME/collab" ]
}

# --- listening ---

@test "one line says that it is ready, and then it is" {
    start_collabd --node n1
    health_is '{"node":"n1","live":true,"ready":true,"degraded":false,"reasons":[]}'
    [ "$(cat "$OUT")" = "ready http://$GATEWAY" ]
    stop collabd
    [ "$(cat "$OUT")" = "ready http://$GATEWAY" ]
}

at_socket() # PATH
{
    curl -sS --unix-socket "$1" http://h/health
}

@test "it is not ready before Redis has answered, or could not be reached" {
    local socket=$BATS_TEST_TMPDIR/s
    start_redis
    kill -STOP "$(pid_of redis)"
    start collabd collabd --key-file "$(key_file)" --node n1 --listen "unix:$socket"
    wait_until test -S "$socket"
    [ "$(at_socket "$socket")" = '{"node":"n1","live":true,"ready":false,"degraded":true,"reasons":["'"$(
        )$COLLAB_REDIS"': not connected yet"]}' ]
    [ ! -s "$OUT" ]
    kill -CONT "$(pid_of redis)"
    wait_for_line "$OUT" "ready unix:$socket"
    [ "$(at_socket "$socket")" = \
        '{"node":"n1","live":true,"ready":true,"degraded":false,"reasons":[]}' ]
}

@test "several addresses: IPv4, IPv6, a Unix socket" {
    local socket=$BATS_TEST_TMPDIR/s url
    start_player
    start_collabd --node n1 -l 127.0.0.1:0 -l '[::1]:0' -l ::1 -l 127.0.0.2 -l "unix:$socket"
    [[ $(cat "$OUT") =~ ^ready\ (http://127\.0\.0\.1:[0-9]+)\ (http://\[::1\]:[0-9]+)\ http://\[::1\]:[0-9]+\ (http://127\.0\.0\.2:[0-9]+)\ unix:$socket$ ]]
    for url in "${BASH_REMATCH[@]:1}"; do
        [[ $(curl -sS "$url/health") = '{"node":"n1","live":true,"ready":true,'* ]]
    done
    tell ann connect "ws+unix:$socket:/ws?token=$(token '{"sub":"ann"}')"
    hear ann open "$(welcome ann)"
    tell bob connect "${BASH_REMATCH[2]/http/ws}/ws?token=$(token '{"sub":"bob"}')"
    hear bob open "$(welcome bob)"
}

@test "a port in use" {
    start_collabd
    is_wrong "--listen $GATEWAY: address already in use" --listen "$GATEWAY"
    is_wrong "--listen $GATEWAY: address already in use" --listen 127.0.0.1:0 --listen "$GATEWAY"
    is_wrong "--listen 127.0.0.1: port ${GATEWAY##*:}: address already in use" \
        --port "${GATEWAY##*:}"
}

@test "addresses that are none" {
    local why='not an IP address, [IPv6 address] or unix:PATH' address
    for address in localhost:4000 4000 '' 1.2.3 1.2.3.4.5:1 '[::1' '[::1]x' ftp://127.0.0.1:1; do
        is_wrong "--listen $address: $why" --listen "$address"
    done
    is_wrong '--listen 127.0.0.1:65536: out of range 0 to 65535' --listen 127.0.0.1:65536
    is_wrong '--listen [::1]:x: not a whole number' --listen '[::1]:x'
    is_wrong '--listen 192.0.2.1:1: address not available' --listen 192.0.2.1:1
    is_wrong '--listen unix:: the path is missing' --listen unix:
    is_wrong '--listen unix:/missing/socket: no such file or directory' --listen unix:/missing/socket
    is_wrong "--listen unix:/$(printf %0108d 0): the path is longer than 107 bytes" \
        --listen "unix:/$(printf %0108d 0)"
}

@test "a Unix socket that a killed one left is taken over, one in use is not" {
    local socket=$BATS_TEST_TMPDIR/s
    start_collabd -l "unix:$socket"
    is_wrong "--listen unix:$socket: address already in use" --listen "unix:$socket"
    at_socket "$socket"
    stop collabd KILL
    [ -S "$socket" ]
    start_collabd -l "unix:$socket"
    at_socket "$socket"
    stop collabd
    [ ! -e "$socket" ]
}

@test "a file that is no socket is left alone" {
    echo precious >"$BATS_TEST_TMPDIR/file"
    is_wrong "--listen unix:$BATS_TEST_TMPDIR/file: address already in use" \
        --listen "unix:$BATS_TEST_TMPDIR/file"
    [ "$(cat "$BATS_TEST_TMPDIR/file")" = precious ]
}

# --- development mode ---

@test "without a key it makes one, keeps it, and prints a token that may do everything" {
    export NODE=n1
    start_player
    start collabd collabd --port 0 --node n1
    wait_for_line "$OUT" 'ready '
    GATEWAY=$(sed 's,^ready http://,,' "$OUT")
    local key=$XDG_STATE_HOME/collab/dev.key token
    token=$(grep '^eyJ' "$ERR")
    grep -qx "collabd: development mode: no --key-file, so tokens are checked with $key" "$ERR"
    [ "$(stat -c %a "$key")" = 600 ]
    connect dev "$token"
    hear dev 'open collab.v1' "$(welcome dev)"
    say dev '{"type":"subscribe","data":["any:room"]}'
    hear dev '{"type":"subscribed","data":{"rooms":["any:room"]}}'
    say dev '{"type":"publish","data":{"type":"x","room":"other:room"}}'
    hear dev '{"type":"published","data":{"rooms":["other:room"]}}'
    curl -fsS "http://$GATEWAY/api/v1/events?token=$token" \
        -d '{"type":"x","room":"any:room","user":"another","data":1}'
    hear dev '{"type":"x","room":"any:room","user":"another","time":"NOW","data":1}'
    cp "$key" "$BATS_TEST_TMPDIR/key"
    stop collabd
    start collabd collabd --port 0
    wait_for_line "$OUT" 'ready '
    cmp "$key" "$BATS_TEST_TMPDIR/key"
}

@test "a key that cannot be made is told as that" {
    XDG_STATE_HOME=/dev/null run -2 collabd --port 0
    [ "$output" = 'collabd: no --key-file, and none can be made: /dev/null/collab: not a directory' ]
}

@test "without a key it listens on nothing beyond loopback" {
    local address
    for address in 0.0.0.0:0 '[::]:0' 192.0.2.1:0 '[::ffff:127.0.0.1]:0'; do
        run --separate-stderr -2 collabd --listen 127.0.0.1:0 --listen "$address"
        [ -z "$output" ]
        [ "${stderr_lines[-1]}" = "collabd: --listen $address: beyond loopback only with --key-file" ]
    done
}

# --- its log ---

@test "the log: lines of text, or of JSON" {
    local line
    start_collabd
    stop collabd
    [ -s "$ERR" ]
    while read -r line; do
        [[ $line =~ ^20[0-9-]{8}T[0-9:.]{12}Z\ info\ collabd:\ [^\ ] ]]
    done <"$ERR"
    start_collabd --log-format json
    stop collabd
    [ "$(jq -r '[.level, .program, (.message | type), (keys | join(","))] | join(" ")' "$ERR" |
        sort -u)" = 'info collabd string level,message,program,time' ]
    start_collabd --log-level error
    stop collabd
    [ ! -s "$ERR" ]
}

@test "no token, key or password gets into the log or what is answered" {
    local good old secret=s3cret-p4ss
    good=$(token '{"sub":"ann","rooms":["*"]}')
    old=$(token '{"sub":"ann","exp":1}')
    start_redis
    redis config set requirepass "$secret"
    start_player
    start_collabd --node n1 --log-level debug --redis "unix://:$secret@$REDIS_SOCKET"
    tell a connect "ws://$GATEWAY/ws?token=$old"
    tell b connect "ws://$GATEWAY/ws" protocol=collab.v1 "protocol=bearer.$good"
    tell c connect "ws://$GATEWAY/ws?token=$good"
    connect d "$old"
    tell e connect "ws://$GATEWAY/ws"
    hear e open
    say e '{"type":"authenticate","data":{"token":"'"$old"'"}}'
    for name in a d e; do
        wait_for_line "$BATS_TEST_TMPDIR/$name.heard" 'close 1008'
    done
    wait_for_line "$BATS_TEST_TMPDIR/b.heard" connection.ack
    wait_for_line "$BATS_TEST_TMPDIR/c.heard" connection.ack
    curl -sS "http://$GATEWAY/api/v1/events?token=$old" -d '{}'
    curl -sS "http://$GATEWAY/nowhere?token=$good" -H "Authorization: Bearer $old"
    health
    curl -sS "http://$GATEWAY/api/v1/ws/stats"
    answers '400 Bad Request' 'Host: missing' 'GET /?token=%s HTTP/1.1\r\n\r\n' "$good"
    stop collabd
    [ -s "$ERR" ]
    for text in "$secret" "$(cat "$(key_file)")" "${good##*.}" "${old##*.}" eyJ; do
        lacks "$text" "$ERR" "$BATS_TEST_TMPDIR"/*.heard
    done
}

# --- its end ---

ends_by() # SIGNAL
{
    start_player
    start_collabd --node n1
    enter ann a:1
    enter bob
    tell eve connect "ws://$GATEWAY/ws"
    hear eve open
    [ "$(redis exists collab:node:n1)" = 1 ]
    stop collabd "$1"
    [ "$status" -eq 0 ]
    hear ann 'close 1012 the gateway restarts'
    hear bob 'close 1012 the gateway restarts'
    hear eve 'close 1012 the gateway restarts'
    grep -q " info collabd: SIG$1: closing 3 connections\$" "$ERR"
    [ "$(redis exists collab:node:n1)" = 0 ]
}

@test "SIGTERM: clients are told to come back, and the status is 0" {
    ends_by TERM
}

@test "SIGINT: clients are told to come back, and the status is 0" {
    ends_by INT
}

@test "a client that does not go, and a Redis that does not answer, keep nothing from ending" {
    start_redis
    start_player
    start_collabd --node n1
    enter ann a:1
    enter bob
    tell ann pause
    settled bob
    kill -STOP "$(pid_of redis)"
    stop collabd
    [ "$status" -eq 0 ]
    hear bob 'close 1012 the gateway restarts'
}

@test "valgrind finds nothing in a short life" {
    # A sanitizer finds it as well, and does not go together with valgrind.
    local under=(valgrind --quiet --error-exitcode=99 --leak-check=full)
    if ldd "$(command -v collabd)" | grep -q libasan; then under=(); fi
    start_player
    start collabd "${under[@]}" collabd --port 0 --key-file "$(key_file)" --node n1
    wait_for_line "$OUT" 'ready '
    GATEWAY=$(sed 's,^ready http://,,' "$OUT")
    enter ann a:1 a:2
    enter bob a:1
    say ann '{"type":"publish","data":{"type":"x","rooms":["a:1","a:2"]}}'
    hear bob '{"type":"x","room":"a:1","rooms":["a:1","a:2"],"user":"ann","time":"NOW","data":null}'
    curl -sS "http://$GATEWAY/api/v1/events?token=$(token '{"sub":"ci","publish":["a:1"]}')" \
        -d $'{"type":"y","room":"a:1"}\nnonsense'
    hear bob '{"type":"y","room":"a:1","user":"ci","time":"NOW","data":null}'
    tell eve connect "ws://$GATEWAY/ws?token=nonsense"
    wait_for_line "$BATS_TEST_TMPDIR/eve.heard" 'close 1008'
    answers '404 Not Found' 'no WebSocket is here' "$(handshake /nowhere)"
    answers '400 Bad Request' 'Host: missing' 'GET / HTTP/1.1\r\n\r\n'
    say bob nonsense
    tell bob close
    stop collabd
    [ "$status" -eq 0 ]
    lacks '==' "$ERR"
}
