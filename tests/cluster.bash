# shellcheck shell=bash
# For tests over a Redis Cluster, beside helpers: servers in cluster mode on loopback ports, which
# stop_all ends. Server 1 is server-1, and so on.

# Runs a server of the cluster, or runs it again where it was.
run_server() # N
{
    local dir
    dir=$(here)/server-$1
    mkdir -p "$dir"
    start "server-$1" redis-server --port "${PORT[$1]}" --bind 127.0.0.1 --dir "$dir" --save '' \
        --appendonly yes --appendfsync no --cluster-enabled yes --cluster-node-timeout 1500 \
        --cluster-replica-validity-factor 0 --repl-diskless-sync-delay 0 \
        --cluster-allow-replica-migration no
    wait_until server_answers "$1"
}

server() # N WORD...
{
    redis-cli -p "${PORT[$1]}" "${@:2}"
}

server_answers() # N
{
    [ "$(server "$1" ping 2>&1)" = PONG ]
}

server_id() # N
{
    server "$1" cluster myid
}

# As all of them see it.
cluster_is_up() # SERVERS
{
    local n
    for ((n = 1; n <= $1; n++)); do
        server "$n" cluster info | grep -q 'cluster_state:ok' || return
        [ "$(server "$n" cluster nodes | grep -c ' connected')" = "$1" ] || return
    done
}

# As many masters as are said, and after them as many replicas, the first of the first master.
# Gateways and tools find it by $COLLAB_REDIS, which names the first two.
start_cluster() # MASTERS REPLICAS
{
    local n masters=$1 all=$(($1 + $2)) share=$(((16384 + $1 - 1) / $1)) last
    PORT=()
    for ((n = 1; n <= all; n++)); do
        PORT[n]=$(free_port)
        run_server "$n"
        server "$n" cluster set-config-epoch "$n" >/dev/null
    done
    for ((n = 1; n <= masters; n++)); do
        last=$((n * share - 1))
        server "$n" cluster addslotsrange $(((n - 1) * share)) $((last > 16383 ? 16383 : last)) >/dev/null
    done
    for ((n = 2; n <= all; n++)); do
        server 1 cluster meet 127.0.0.1 "${PORT[n]}" >/dev/null
    done
    wait_until cluster_is_up "$all"
    for ((n = 1; n <= $2; n++)); do
        server $((masters + n)) cluster replicate "$(server_id "$n")" >/dev/null
        wait_until is_linked $((masters + n))
    done
    export COLLAB_REDIS=redis://127.0.0.1:${PORT[1]},127.0.0.1:${PORT[2]}
}

is_linked() # N
{
    server "$1" info replication | grep -q 'master_link_status:up'
}

is_master() # N
{
    server "$1" role | head -n 1 | grep -q master
}

# Makes a replica its master's master. One that has just been voted for, or whose master was too busy
# to hear it, has to ask again.
takes_over() # N
{
    local tries
    is_master "$1" || server "$1" cluster failover
    for ((tries = 0; tries < 100; tries++)); do
        is_master "$1" && return
        sleep 0.05
    done
    return 1
}

slot_of() # ROOM
{
    server 1 cluster keyslot "$1"
}

# Who serves a room, of the servers that run.
server_of() # ROOM
{
    local n
    for n in "${!PORT[@]}"; do
        [[ $(server "$n" get "{$1}" 2>&1) != @(MOVED|Could|CLUSTERDOWN)* ]] && break
    done
    echo "$n"
}

# Moves a room's slot, and the keys in it, while all goes on.
move_slot() # ROOM FROM TO
{
    local slot n key
    slot=$(slot_of "$1")
    server "$3" cluster setslot "$slot" importing "$(server_id "$2")" >/dev/null
    server "$2" cluster setslot "$slot" migrating "$(server_id "$3")" >/dev/null
    while key=$(server "$2" cluster getkeysinslot "$slot" 1) && [ -n "$key" ]; do
        server "$2" migrate 127.0.0.1 "${PORT[$3]}" "$key" 0 5000 >/dev/null
    done
    server "$3" cluster setslot "$slot" node "$(server_id "$3")" >/dev/null
    server "$2" cluster setslot "$slot" node "$(server_id "$3")" >/dev/null
}
