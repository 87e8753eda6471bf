# shellcheck shell=bash
# For tests of programs: servers of their own, and waiting for what must come. A test file loads it,
# and has a teardown (or teardown_file, for what setup_file started) that calls stop_all.

bats_require_minimum_version 1.5.0

BUILD=${BUILD:-$(realpath "$BATS_TEST_DIRNAME/../build")}
PATH=$BUILD/bin:$PATH

# No setting of the one who runs the tests is to count, and no server of theirs to be found. Done
# once: a test loads this file anew, with what setup_file has set.
if [ -z "${HELPERS_LOADED:-}" ]; then
    for variable in "${!COLLAB_@}"; do
        [ "$variable" = COLLAB_TEST ] || unset "$variable"
    done
    unset PYTHONUNBUFFERED # with it a line is two writes, and what another writes comes between
    export XDG_RUNTIME_DIR=$BATS_FILE_TMPDIR/run XDG_STATE_HOME=$BATS_FILE_TMPDIR/state
    mkdir "$XDG_RUNTIME_DIR" && chmod 700 "$XDG_RUNTIME_DIR"
    export HELPERS_LOADED=1
fi

# Where what was started leaves its traces: the test's directory, or the file's.
here()
{
    echo "${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}"
}

# How long anything is waited for: a machine may be ten times slower at times.
export PATIENCE_S=90

wait_until() # COMMAND...
{
    local end=$((SECONDS + PATIENCE_S))
    until "$@"; do
        [ $SECONDS -lt $end ] || {
            echo "waited in vain for: $*"
            return 1
        }
        sleep 0.02
    done
}

# As wait_until: ends a command that has not ended by then.
in_time() # COMMAND...
{
    timeout "$PATIENCE_S" "$@"
}

# The text, anywhere in a line.
wait_for_line() # FILE TEXT
{
    wait_until grep -qsF -e "$2" "$1" || {
        echo "$1 ends with:"
        tail -n 20 "$1"
        return 1
    }
}

# Runs a command in the background; NAME.out and NAME.err have what it prints.
start() # NAME COMMAND...
{
    local file
    file=$(here)/$1
    shift
    # Emptied here already, so that nobody takes for this one's what one before it printed.
    : >"$file.out"
    : >"$file.err"
    "$@" >"$file.out" 2>"$file.err" 3>&- &
    echo $! >"$file.pid"
}

pid_of() # NAME
{
    cat "$(here)/$1.pid"
}

has_ended() # PID
{
    ! kill -0 "$1" 2>/dev/null
}

# Waits for the end of what was started; its exit status is in $status, as after run.
finish() # NAME
{
    local pid
    pid=$(pid_of "$1")
    wait_until has_ended "$pid"
    rm "$(here)/$1.pid"
    status=0
    wait "$pid" || status=$?
}

stop() # NAME [SIGNAL]
{
    kill -"${2:-TERM}" "$(pid_of "$1")" 2>/dev/null || true
    finish "$1"
}

stop_all()
{
    local file
    for file in "$(here)"/*.pid; do
        [ -e "$file" ] || continue
        file=$(basename "${file%.pid}")
        kill -CONT "$(pid_of "$file")" 2>/dev/null || true
        stop "$file"
    done
}

# A Redis server on a Unix socket, which the tools find by $COLLAB_REDIS.
start_redis()
{
    local dir
    dir=$(here)
    export REDIS_SOCKET=$dir/redis.sock COLLAB_REDIS=unix:$dir/redis.sock
    start redis redis-server --port 0 --unixsocket "$REDIS_SOCKET" --dir "$dir" --save '' \
        --appendonly no
    wait_until redis_answers
}

redis()
{
    redis-cli -s "$REDIS_SOCKET" "$@"
}

redis_answers()
{
    [ "$(redis ping 2>&1)" = PONG ]
}

# An event, as another program would publish it.
redis_publish() # ROOM JSON
{
    redis publish "collab:room:$1" "$2" >/dev/null
}

# A port that is free, and another that is 10000 above it and free too, which a cluster's own
# connections need; below those that the kernel gives away, and where no test file looks that
# tests/run runs at the same time.
free_port()
{
    local port
    while :; do
        port=$((10000 + ${TEST_SLOT:-RANDOM} % 10 * 1000 + RANDOM % 1000))
        ! is_taken $port && ! is_taken $((port + 10000)) && break
    done
    echo $port
}

is_taken() # PORT
{
    (exec 7<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# The key that start_collabd uses and token signs with.
key_file()
{
    local file=$BATS_FILE_TMPDIR/key
    [ -e "$file" ] || (umask 077 && openssl rand -hex 32 >"$file")
    echo "$file"
}

base64url()
{
    base64 -w 0 | tr '+/' '-_' | tr -d =
}

# A token signed by other means than ours, by default with key_file.
token() # CLAIMS [HEADER [KEY_FILE]]
{
    local text header=${2:-'{"alg":"HS256","typ":"JWT"}'} key=${3:-$(key_file)}
    text=$(printf %s "$header" | base64url).$(printf %s "$1" | base64url)
    printf %s.%s "$text" \
        "$(printf %s "$text" | openssl dgst -sha256 -hmac "$(cat "$key")" -binary | base64url)"
}

# A gateway on a free port; $GATEWAY is its HOST:PORT. NAME is for more than one of them.
start_node() # NAME [OPTION]...
{
    local name=$1
    shift
    start "$name" collabd --port 0 --key-file "$(key_file)" "$@"
    wait_for_line "$(here)/$name.out" 'ready '
    GATEWAY=$(sed -n 's,^ready http://\([^ ]*\).*,\1,p' "$(here)/$name.out")
    export GATEWAY
}

start_collabd() # [OPTION]...
{
    start_node collabd "$@"
}

# HOST:PORT of a node.
address_of() # NODE
{
    sed -n 's,^ready http://\([^ ]*\).*,\1,p' "$(dir_of "$1")/$1.out"
}

# How many are connected and known, to the nodes of the test that run: as they say now, and not as it
# stands in Redis, which is what was a moment ago.
sessions_are() # COUNT
{
    local file sum=0 count
    for file in "$(here)"/*.out; do
        grep -q '^ready http:' "$file" || continue
        count=$(curl -fs "http://$(address_of "$(basename "${file%.out}")")/metrics" |
            sed -n 's/^collab_sessions{.*} //p')
        sum=$((sum + ${count:-0}))
    done
    [ "$sum" -eq "$1" ]
}

# What would end by itself in time, and renews itself no more: a node that is killed or stopped is
# taken for dead at once, by nodes whose own lease can be long.
expire_lease() # NODE
{
    local lease
    for lease in $(redis --scan --pattern 'collab:lease:*'); do
        [ "$(redis get "$lease")" != "$1" ] || redis del "$lease" >/dev/null
    done
}

# A client of a node, which prints what comes to NAME.out; tell NAME sends.
start_client() # NAME NODE CLAIMS [PATH]
{
    local gateway
    gateway=$(address_of "$2")
    mkfifo "$(here)/$1.in"
    start "$1" bash -c 'exec node "$@" <>"$0"' "$(here)/$1.in" \
        "$BATS_TEST_DIRNAME/clients/lines.js" "ws://$gateway${4:-/ws}" "$(token "$3")"
}

# Where a node's traces are: it is of the test, or of the whole file.
dir_of() # NAME
{
    [ -e "$(here)/$1.out" ] && here || echo "$BATS_FILE_TMPDIR"
}

tell() # NAME MESSAGE
{
    printf '%s\n' "$2" >"$(here)/$1.in"
}

# What must come to a client.
hears() # NAME TEXT
{
    wait_for_line "$(here)/$1.out" "$2"
}

# How many of its lines have the text.
heard() # NAME TEXT
{
    grep -cF -e "$2" "$(here)/$1.out" || true
}
