# Neighbours: two gateways that share rooms with Node servers of socket.io, and hear programs that emit
# by Redis; both are npm's.

load helpers
load cluster

CLIENTS=$BATS_TEST_DIRNAME/clients
EVERYTHING='"rooms":["*"],"publish":["*"]'

setup_file()
{
    export COLLAB_CATALOG=$BATS_FILE_TMPDIR/catalog.json URLS
    echo '{"name":"plain","rooms":{"*":{"history":{"length":0}}},"events":{"*":{"class":"live"}},
        "socketio":{"namespaces":["/","/admin"]}}' >"$COLLAB_CATALOG"
    start_redis
    start_node a --socketio-redis socket.io
    URLS=http://$GATEWAY
    start_node b --socketio-redis socket.io
    URLS+=" http://$GATEWAY"
}

teardown_file()
{
    stop_all
}

teardown()
{
    stop_all
}

# A check of tests/clients/neighbours.js passes.
check() # NAME [URL]...
{
    local name=$1
    shift
    [ $# -gt 0 ] || read -ra urls <<<"$URLS"
    in_time node "$CLIENTS/neighbours.js" "$name" "$REDIS_SOCKET" \
        "$(token '{"sub":"ann",'"${GRANTS:-$EVERYTHING}"'}')" "${@:-${urls[@]}}"
}

@test "an emitter reaches rooms, all but some, everybody and one connection" {
    check emitter
}

@test "an emitter's bytes arrive as bytes" {
    check binary
}

@test "clients without Socket.IO get the first argument as an event" {
    check plain
}

@test "who is disconnected leaves the namespace; the connection only where that is wanted" {
    check parting
}

@test "an emitter puts clients into rooms and takes them out" {
    check rooms
}

listeners_are() # ROOM NUMBER
{
    [ "$(redis pubsub numsub "collab:room:$1" | tail -n 1)" = "$2" ]
}

@test "who was put into a room stays, whatever becomes of a membership, until thrown out" {
    echo '{"name":"team","rooms":{"team:{id}":{"join":["member"],"history":{"length":0}}},
        "events":{"*":{"class":"live"}}}' >"$BATS_TEST_TMPDIR/catalog.json"
    start_redis
    start_node c --socketio-redis socket.io --catalog "$BATS_TEST_TMPDIR/catalog.json"
    start_client one c '{"sub":"ann","rooms":[]}'
    tell one '{"type":"subscribe","data":["team:1"],"ref":1}'
    hears one '"code":"forbidden"'
    redis publish 'socket.io-request#/#' '{"type":2,"opts":{"rooms":[]},"rooms":["team:1"]}'
    wait_until listeners_are team:1 1
    collab-member add team:1 ann
    collab-member remove team:1 ann
    # Told after the change, on the same channel: what it would have ended has ended.
    run -1 collab-kick --user nobody
    collab-emit -r team:1 -t first
    hears one '"type":"first"'
    collab-kick --user ann --room team:1
    wait_until listeners_are team:1 0
    collab-emit -r team:1 -t second
    redis publish 'socket.io-request#/#' '{"type":2,"opts":{"rooms":[]},"rooms":["team:1"]}'
    wait_until listeners_are team:1 1
    collab-emit -r team:1 -t third
    hears one '"type":"third"'
    [ "$(heard one '"type":"second"')" -eq 0 ]
}

@test "an emitter disconnects clients" {
    check disconnecting
}

@test "what is for programs in Node is passed over, and nobody waits" {
    check serverSide
}

@test "rooms are shared with Node servers, both ways, and each event comes once" {
    check bothWays
}

@test "what Node servers ask is answered: sockets, rooms, joins, ends" {
    check requests
}

@test "so is what old ones ask" {
    check oldRequests
}

@test "a gateway that was killed keeps nobody waiting" {
    start_redis
    start_node c --socketio-redis socket.io
    urls=("http://$GATEWAY")
    start_node d --socketio-redis socket.io
    VICTIM=$(pid_of d) check killed "${urls[0]}" "http://$GATEWAY"
}

@test "a namespace that a new catalog brings is one of theirs from then on" {
    local file=$BATS_TEST_TMPDIR/catalog.json
    cp "$COLLAB_CATALOG" "$file"
    start_redis
    start_node c --socketio-redis socket.io --catalog "$file"
    sed -i 's,"/admin"],"/admin"\,"/new"],' "$file"
    kill -HUP "$(pid_of c)"
    wait_for_line "$BATS_TEST_TMPDIR/c.err" 'SIGHUP: catalog'
    check reloaded "http://$GATEWAY"
}

@test "acknowledgements of clients come back to the Node server" {
    check questions
}

@test "namespaces stay apart" {
    check namespaces
}

@test "who can be recovered keeps the gateway's offset; what is published again goes once" {
    echo '{"name":"kept","rooms":{"*":{}},"events":{"*":{}},
        "socketio":{"namespaces":["/","/admin"]}}' >"$BATS_TEST_TMPDIR/catalog.json"
    start_redis
    start_node c --socketio-redis socket.io --catalog "$BATS_TEST_TMPDIR/catalog.json"
    GRANTS='"rooms":["room:1"],"publish":["*"]' check recovery "http://$GATEWAY"
}

# What a Node server's client hears of these lines from collab-emit, and of the end.
emitted() # [OPTION]...
{
    start listener timeout "$PATIENCE_S" node "$CLIENTS/neighbours.js" listening "$REDIS_SOCKET" \
        "$(token '{"sub":"ann",'"$EVERYTHING"'}')" "$@"
    wait_for_line "$BATS_TEST_TMPDIR/listener.out" listening
    { cat; echo '{"type":"end","room":"room:1"}'; } | collab-emit --socketio socket.io
    finish listener
    cat "$BATS_TEST_TMPDIR/listener.err"
    [ "$status" -eq 0 ]
    sed 1d "$BATS_TEST_TMPDIR/listener.out"
}

@test "collab-emit reaches them too, and gateways once" {
    local urls
    read -ra urls <<<"$URLS"
    start_client plain a '{"sub":"ann",'"$EVERYTHING"'}'
    tell plain '{"type":"subscribe","data":["room:1","room:2"],"ref":1}'
    hears plain '"ref":1'
    run emitted "${urls[@]}" <<'END'
{"type":"one","room":"room:1","data":{"n":18446744073709551615,"bytes":{"$binary":"AQI="}}}
{"type":"two","rooms":["room:2","room:1"],"data":"ü"}
{"type":"disconnect","room":"room:1"}
{"type":"three","room":"room:3"}
END
    [ "$status" -eq 0 ]
    echo "$output"
    [ "${lines[0]}" = '["one",{"n":18446744073709552000,"bytes":{"type":"Buffer","data":[1,2]}}]' ]
    [ "${lines[1]}" = '["two","ü"]' ]
    [ ${#lines[@]} -eq 2 ]
    hears plain '"type":"end"'
    [ "$(heard plain '"type":"one"')" -eq 1 ]
    [ "$(heard plain '"type":"two"')" -eq 1 ]
}

@test "collab-emit says when it may not" {
    start_redis
    redis acl setuser shop on '>pw' '~*' '&collab:*' +@all
    run -1 --separate-stderr collab-emit --redis "unix://shop:pw@$REDIS_SOCKET" -r room:1 -t t \
        --socketio socket.io
    [[ $stderr = *NOPERM* ]]
}

# --- what comes over Redis ---

malformed()
{
    curl -fsS "${URLS%% *}/metrics" | sed -n 's/^collab_neighbour_messages_malformed_total{.*} //p'
}

# Bytes, as printf writes them, on a channel; the first gateway counts them as no message.
is_malformed() # CHANNEL FORMAT
{
    local before
    before=$(malformed)
    # shellcheck disable=SC2059
    printf "$2" | redis -x publish "$1" >/dev/null
    wait_until has_counted "$before"
}

has_counted() # BEFORE
{
    [ "$(malformed)" -gt "$1" ]
}

@test "hostile messages are counted and harm nobody" {
    local all='socket.io#/#' requests='socket.io-request#/#' deep
    deep=$(head -c 100000 /dev/zero | tr '\0' '[')
    for message in '' junk '\xc1' '{' '{}' '[]' '\x90' '\x93\xa1a\x80\x80' '\xdd\xff\xff\xff\xff' \
        '\xdf\xff\xff\xff\xff' '\xdb\xff\xff\xff\xffa' '\xc6\xff\xff\xff\xff' \
        '\xc9\xff\xff\xff\xff' "${deep//[/\\x91}" '\x93\xa1a\x81\xa4type\x07\x80' \
        '\x93\xa1a\x82\xa4type\x02\xa4data\x90\x80' '\x93\xa1a\x82\xa4type\x02\xa4data\x91\xc0\x80' \
        '\x93\xa1a\x82\xa4type\x02\xa4data\x91\xa1e\x81\xa5rooms\x05'; do
        is_malformed "$all" "$message"
    done
    for message in '' junk '\xc1' '{' '[1]' '{"type":"x"}' '{"type":9}' '{"type":-1}' '{"type":1.5}' \
        '{"type":1,"requestId":7}' '{"type":2}' '{"type":2,"opts":[]}' '{"type":5}' '{"type":7}' \
        '{"type":2,"opts":{"rooms":7}}' '{"type":2,"opts":{},"rooms":["no room"]}' \
        '{"type":4,"sid":7}' '{"type":1,"a":'"$deep" '{"type":5,"opts":{"except":"x"}}'; do
        is_malformed "$requests" "$message"
    done
    head -c 17000000 /dev/zero >"$BATS_TEST_TMPDIR/large"
    redis -x publish "$all" <"$BATS_TEST_TMPDIR/large"
    # A client library would end its connection over this name.
    printf '\x93\xa1a\x82\xa4type\x02\xa4data\x91\xaadisconnect\x80' | redis -x publish "$all"
    redis publish 'socket.io#/#room:1' x
    redis publish "$requests" '{"type":6,"data":"x","requestId":"__proto__"}'
    check emitter
    check requests
}

@test "they are back after Redis was away" {
    start_redis
    start_node c --socketio-redis socket.io
    stop redis
    wait_for_line "$BATS_TEST_TMPDIR/c.err" degraded
    start_redis
    check emitter "http://$GATEWAY" "http://$GATEWAY"
}

# The lines for a user in collab-redis(7), by what stands before them there.
acl() # ITEM
{
    sed -n "/^\.It $1/,/^\.Ed/p" "$BATS_TEST_DIRNAME/../man/collab-redis.7" |
        sed -n '/^ACL/,/^\.Ed/p' | sed 's/^\.Ed$//' | tr '\n' ' '
}

@test "the rights in collab-redis(7) are enough" {
    local words
    start_redis
    read -ra words <<<"$(acl 'Xr collabd 8')"
    redis "${words[@]/#>SECRET/>pw}"
    read -ra words <<<"$(acl 'that with')"
    redis "${words[@]}"
    read -ra words <<<"$(acl 'that with' | sed 's,#/#,#/admin#,g')"
    redis "${words[@]}"
    COLLAB_REDIS=unix://node:pw@$REDIS_SOCKET start_node c --socketio-redis socket.io
    check requests "http://$GATEWAY" "http://$GATEWAY"
}

@test "rights that lack are told of" {
    start_redis
    redis acl setuser node on '>pw' '~*' '&collab:*' +@all
    COLLAB_REDIS=unix://node:pw@$REDIS_SOCKET start_node c --socketio-redis socket.io
    wait_for_line "$BATS_TEST_TMPDIR/c.err" 'servers of Socket.IO cannot be listened to: socket.io#/#*'
}

@test "a prefix that is none is refused" {
    run -2 --separate-stderr collabd --socketio-redis ''
    [ "$stderr" = 'collabd: --socketio-redis="": 1 to 100 bytes, no control characters' ]
}

# --- over a cluster ---

emit_to_room_1() # SERVER NUMBER
{
    printf '\x93\xa7emitter\x83\xa4type\x02\xa4data\x92\xa2ev%b\xa3nsp\xa1/\x83\xa5rooms\x91\xa6room:1\xa5flags\x80\xa6except\x90' \
        "\\x0$2" | server "$1" -x publish 'socket.io#/#room:1#' >/dev/null
}

has_answered() # SERVER TEXT
{
    server "$1" publish 'socket.io-request#/#' '{"requestId":"q1","type":1}' >/dev/null
    grep -qsF -e "$2" "$BATS_TEST_TMPDIR/responses.out"
}

@test "over a cluster, whatever server they use, also after one has failed" {
    local n
    start_cluster 3 1
    start_node c --socketio-redis socket.io
    start_client one c '{"sub":"ann",'"$EVERYTHING"'}'
    tell one '{"type":"subscribe","data":["room:1"],"ref":1}'
    hears one '"ref":1'
    for n in 1 2 3; do
        emit_to_room_1 "$n" "$n"
        hears one '"data":'"$n"
    done
    start responses redis-cli -p "${PORT[2]}" subscribe 'socket.io-response#/#'
    wait_for_line "$BATS_TEST_TMPDIR/responses.out" subscribe
    wait_until has_answered 3 '"room:1"'
    start broadcasts redis-cli -p "${PORT[3]}" subscribe 'socket.io#/#room:1#'
    wait_for_line "$BATS_TEST_TMPDIR/broadcasts.out" subscribe
    tell one '{"type":"publish","data":{"type":"from here","room":"room:1"}}'
    wait_for_line "$BATS_TEST_TMPDIR/broadcasts.out" 'from here'
    [ "$(heard one '"data":2')" -eq 1 ]
    stop server-1 KILL
    wait_until is_master 4
    wait_until hears_again
}

hears_again()
{
    emit_to_room_1 4 4
    [ "$(heard one '"data":4')" -gt 0 ]
}
