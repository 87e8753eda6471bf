# shellcheck shell=bash
# For tests of the gateway, beside helpers: clients that say and hear things one after the other,
# requests byte by byte. A test file's setup calls start_player, its teardown stop_all.

CLIENTS=$(realpath "$BATS_TEST_DIRNAME/clients")

# A catalog that leaves every name as it is, every room to the tokens, and keeps no event. For a file's
# setup_file: gateways find it by $COLLAB_CATALOG.
use_plain_catalog()
{
    export COLLAB_CATALOG=$BATS_FILE_TMPDIR/catalog.json
    echo '{"name":"plain","rooms":{"*":{}},"events":{"*":{"class":"live"}}}' >"$COLLAB_CATALOG"
}

# --- WebSocket clients ---

# What the clients named below are: connections of one process, clients/ws-player.mjs.
start_player()
{
    local fifo=$BATS_TEST_TMPDIR/player.in
    declare -gA heard=() # lines that were looked at, of each client
    mkfifo "$fifo"
    exec 9<>"$fifo"
    start player node "$CLIENTS/ws-player.mjs" "$fifo" "$BATS_TEST_TMPDIR"
}

tell() # NAME COMMAND...
{
    printf '%s\n' "$*" >&9
}

say() # NAME MESSAGE
{
    tell "$1" send "$2"
}

has_heard() # NAME LINES
{
    local file=$BATS_TEST_TMPDIR/$1.heard
    [ -e "$file" ] && [ "$(wc -l <"$file")" -ge "$2" ]
}

# Sets $line to what a client hears next.
next_line() # NAME
{
    heard[$1]=$((${heard[$1]:-0} + 1))
    wait_until has_heard "$1" "${heard[$1]}" || {
        cat "$BATS_TEST_TMPDIR/player.err"
        return 1
    }
    line=$(sed -n "${heard[$1]}p" "$BATS_TEST_TMPDIR/$1.heard")
}

# What a client hears next is this and nothing else.
hear() # NAME LINE...
{
    local name=$1 wanted line
    shift
    for wanted; do
        next_line "$name" && [ "$line" = "$wanted" ] || {
            printf '%s heard:   %s\ninstead of: %s\n' "$name" "$line" "$wanted"
            return 1
        }
    done
}

# What a client hears next are these, in any order.
hear_both() # NAME LINE LINE
{
    local next=$((${heard[$1]:-0} + 1))
    wait_until has_heard "$1" $((next + 1))
    if [ "$(sed -n "${next}p" "$BATS_TEST_TMPDIR/$1.heard")" = "$2" ]; then
        hear "$1" "$2" "$3"
    else
        hear "$1" "$3" "$2"
    fi
}

# What the gateway says first; EXPIRES is the token's exp. $NODE and $PING, two times in ms, are for
# what is set otherwise.
welcome() # USER [EXPIRES [REF]]
{
    local ping=${PING:-30000 60000}
    printf '{"type":"connection.ack","data":{"connection":"ID","user":"%s","node":"%s",%s%s}%s}' \
        "$1" "${NODE:-n1}" "\"heartbeat\":{\"interval_ms\":${ping% *},\"timeout_ms\":${ping#* }}" \
        "${2:+,\"expires_s\":$2}" "${3:+,\"ref\":$3}"
}

error() # CODE MESSAGE [MORE]
{
    printf '{"type":"error","code":"%s","message":"%s"%s}' "$1" "$2" "${3:-}"
}

# Connects to $GATEWAY with a token in a header.
connect() # NAME TOKEN [OPTION]...
{
    local name=$1 token=$2
    shift 2
    tell "$name" connect "ws://$GATEWAY/ws" protocol=collab.v1 \
        "header=Authorization:Bearer%20$token" "$@"
}

# Lets a user of that name in, who may do everything, and who joins these rooms.
enter() # NAME [ROOM]...
{
    local name=$1 rooms
    shift
    connect "$name" "$(token '{"sub":"'"$name"'","rooms":["*"],"publish":["*"]}')"
    hear "$name" 'open collab.v1' "$(welcome "$name")"
    [ $# -gt 0 ] || return 0
    rooms=$(printf ',"%s"' "$@")
    say "$name" '{"type":"subscribe","data":['"${rooms:1}"']}'
    hear "$name" '{"type":"subscribed","data":{"rooms":['"${rooms:1}"']}}'
}

lacks() # TEXT FILE...
{
    if grep -aF -e "$1" "${@:2}"; then
        echo "has: $1"
        return 1
    fi
}

# All that was said before, and told to others, has been done.
settled() # NAME
{
    say "$1" '{"type":"ping","ref":"settled"}'
    hear "$1" '{"type":"pong","ref":"settled"}'
}

# The request that opens a WebSocket, as a format for send_raw.
handshake() # PATH [HEADER_LINE]...
{
    printf '%s\\r\\n' "GET $1 HTTP/1.1" 'Host: h' 'Connection: Upgrade' 'Upgrade: websocket' \
        'Sec-WebSocket-Version: 13' 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==' "${@:2}" ''
}

# A masked frame in hex, its mask being zero. HEAD is its first byte: 81 for a whole text message.
frame() # HEAD TEXT
{
    local payload len
    payload=$(printf %b "$2" | od -An -v -tx1 | tr -d ' \n')
    len=$((${#payload} / 2))
    if [ $len -lt 126 ]; then
        printf '%s%02x00000000%s' "$1" $((0x80 + len)) "$payload"
    else
        printf '%sfe%04x00000000%s' "$1" $len "$payload"
    fi
}

# Hex as a format for send_raw.
bytes() # HEX
{
    sed 's/../\\x&/g' <<<"$1"
}

# --- HTTP ---

# Sends bytes as they are, and prints what comes until the connection ends.
send_raw() # FORMAT [ARGUMENT]...
{
    exec 8<>"/dev/tcp/${GATEWAY%:*}/${GATEWAY##*:}"
    # shellcheck disable=SC2059
    printf "$@" 2>/dev/null | cat >&8
    in_time cat <&8 | tr -d '\r'
    exec 8>&-
}

# The answer to bytes is of this status, and has this text in its last line.
answers() # STATUS TEXT FORMAT [ARGUMENT]...
{
    local status=$1 text=$2 answer
    shift 2
    answer=$(send_raw "$@")
    [ "$(sed -n '1s/^HTTP\/1\.1 //p' <<<"$answer")" = "$status" ] &&
        [ "$(tail -n 1 <<<"$answer")" = "$text" ] || {
        echo "$answer"
        return 1
    }
}

health()
{
    curl -s "http://$GATEWAY/health"
}

health_is() # JSON
{
    [ "$(health)" = "$1" ]
}

# A metric of the node, without its prefix.
metric() # NAME
{
    curl -fs "http://$GATEWAY/metrics" | sed -n "s/^collab_$1{.*} //p"
}

metric_is() # NAME VALUE
{
    [ "$(metric "$1")" = "$2" ]
}
