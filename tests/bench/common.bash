# shellcheck shell=bash
# For benchmarks: servers of our own on loopback, one core for the server, one for Redis and the
# load, and the six loads. Every server is started afresh for each load, and ended by its pid.
# Whoever loads this has BUILD set.

scratch=$(mktemp -d)
trap clean_up EXIT
mapfile -t cpus < <(taskset -pc $$ | sed 's/.*: //' |
    awk -F, '{ for (i = 1; i <= NF; i++) { n = split($i, r, "-");
               for (c = r[1]; c <= r[n]; c++) print c } }')
server_cpu=${cpus[0]}
load_cpu=${cpus[1]:-${cpus[0]}}
started=()  # pids of all that run
measured=() # those of the server under load
load_args=() # how collab-bench speaks to it

die()
{
    echo "$0: $*" >&2
    exit 1
}

# What is in package.json.
need_modules()
{
    [ -d node_modules ] || npm ci --silent || die "npm ci failed"
}

clean_up()
{
    stop "${started[@]}"
    rm -rf "$scratch"
}

stop() # PID...
{
    local pid
    for pid; do
        kill "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    started=()
}

# Runs a command on a core, in the background; what it prints is in $scratch/NAME.
start() # NAME CPU COMMAND...
{
    local name=$1 cpu=$2
    shift 2
    : >"$scratch/$name" # now: what the one before printed must not be taken for its own
    taskset -c "$cpu" "$@" >"$scratch/$name" 2>&1 &
    started+=($!)
}

wait_until() # WHAT COMMAND...
{
    local what=$1 tries
    shift
    for ((tries = 0; tries < 1000; tries++)); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.01
    done
    cat "$scratch"/* >&2 2>/dev/null
    die "waited in vain for $what"
}

accepts() # PORT
{
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# A port on which nothing listens; for servers that can't be asked to take one.
free_port()
{
    local port
    for (( ; ; )); do
        port=$((20000 + RANDOM % 10000))
        accepts "$port" || break
    done
    echo "$port"
}

# The URL in the line "ready URL" of what was started, as ws://.
ready_url() # NAME
{
    wait_until "$1" grep -q '^ready http' "$scratch/$1"
    sed -n 's/^ready http/ws/p' "$scratch/$1"
}

start_redis()
{
    redis_port=$(free_port)
    start redis "$load_cpu" redis-server --port "$redis_port" --bind 127.0.0.1 --save '' \
        --appendonly no --client-output-buffer-limit 'pubsub 256mb 128mb 60'
    wait_until Redis redis-cli -p "$redis_port" ping
    redis=redis://127.0.0.1:$redis_port
}

# --- the servers: each sets measured and load_args ---

start_collabd()
{
    head -c 48 /dev/urandom | base64 -w 0 >"$scratch/key"
    chmod 600 "$scratch/key"
    "$BUILD/bin/collab-token" sign --key-file "$scratch/key" --user bench --room '*' --publish '*' \
        >"$scratch/token"
    start collabd "$server_cpu" "$BUILD/bin/collabd" --port 0 --key-file "$scratch/key" \
        --redis "$redis" --max-connections 20000 --log-level warning \
        --client-rate off --user-rate off --room-rate off
    measured=("${started[-1]}")
    load_args=(--url "$(ready_url collabd)/ws" --token-file "$scratch/token")
}

# With clients of Socket.IO, which join the one room by themselves: collab-bench has one message for
# its hello. It answers no ping, for which it has 45 s.
start_collabd_socketio()
{
    local url
    echo '{"rooms":{"*":{},"bench:{id}":{"join":"any","auto":true}},"events":{"*":{}}}' \
        >"$scratch/catalog.json"
    COLLAB_CATALOG=$scratch/catalog.json start_collabd
    "$BUILD/bin/collab-token" sign --key-file "$scratch/key" --user bench --room bench:0 \
        >"$scratch/token"
    url=${load_args[1]%/ws}
    load_args=(--url "$url/socket.io/?EIO=4&transport=websocket" --token-file "$scratch/token"
        --subscribe 40 --subscribed connection.ack)
}

start_bare()
{
    start bare "$server_cpu" "$BUILD/bench/bare" "$redis_port"
    measured=("${started[-1]}")
    load_args=(--url "$(ready_url bare)/%r" --subscribe '' --subscribed '')
}

# --- the loads ---

# Runs one against the server that is up; prints the report as JSON.
bench() # ARGUMENT...
{
    local pid args=()
    for pid in "${measured[@]}"; do args+=(--pid "$pid"); done
    taskset -c "$load_cpu" "$BUILD/bin/collab-bench" --redis "$redis" --format json --warmup 500ms \
        --duration 3s "${args[@]}" "${load_args[@]}" "$@" 2>"$scratch/bench.err"
}

field() # NAME JSON
{
    sed -n "s/.*\"$1\":\\([-0-9.e+]*\\).*/\\1/p" <<<"$2"
}

# name|arguments of collab-bench|fields of the report that count
loads=(
    "1 room of 1,000, window 64|-c 1000 -m 1 -w 64|deliveries_per_cpu_second"
    "1,000 rooms of 5, window 256|-c 5000 -m 1000 -w 256|deliveries_per_cpu_second"
    "1 room of 200, 1 KiB, window 64|-c 200 -m 1 -s 1k -w 64|deliveries_per_cpu_second"
    "1 room of 500, 100 events/s|-c 500 -m 1 -r 100|p50 cpu_percent"
    "5,000 idle in 1,000 rooms|-c 5000 -m 1000 -d 0|memory_bytes_each cpu_us_each"
)

socketio_loads=(
    "Socket.IO: 1 room of 1,000|-c 1000 -m 1 -w 64|deliveries_per_cpu_second"
    "Socket.IO: 1,000 idle in 1 room|-c 1000 -m 1 -d 0|memory_bytes_each cpu_us_each"
)

# Runs a load against a server started for it; sets report to what came out.
run_load() # SERVER LOAD
{
    local status=0 args
    IFS='|' read -r _ args _ <<<"$2"
    start_redis
    "start_$1"
    wait_until "$1 to take a client" bench -c 1 -d 0 --settle 0 # nchan's Redis takes a moment
    # shellcheck disable=SC2086 # several arguments
    report=$(bench $args) || status=$?
    stop "${started[@]}"
    [ -n "$report" ] || die "$1: $(cat "$scratch/bench.err")"
    [ "$status" -eq 0 ] || echo "$1: $2: $(tail -n 1 "$scratch/bench.err") (status $status)" >&2
}

# 12345678.9 as 12,345,679; small numbers with a digit or two after the point.
show() # NUMBER
{
    awk -v n="${1:-0}" 'BEGIN {
        if (n < 10) printf "%.2f", n
        else if (n < 1000) printf "%.0f", n
        else {
            s = sprintf("%.0f", n)
            while (length(s) > 3) { out = "," substr(s, length(s) - 2) out; s = substr(s, 1, length(s) - 3) }
            printf "%s%s", s, out
        }
    }'
}
