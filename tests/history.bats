load helpers

setup()
{
    start_redis
    TOKEN=$(token '{"sub":"u1","rooms":["*"],"publish":["*"],"exp":4102444800}')
}

teardown()
{
    stop_all
}

# Numbered events of a type that is kept, from FIRST to LAST, on standard output.
numbered() # ROOM FIRST LAST
{
    seq "$2" "$3" | sed "s/.*/{\"type\":\"comment:created\",\"room\":\"$1\",\"data\":{\"taskId\":\"t1\",\"commentId\":\"c\",\"n\":&}}/"
}

emit_numbered()
{
    numbered "$@" | collab-emit
}

# COUNT clients that follow a room on these nodes; what client N is told is in followers.N.
follow() # COUNT ROOMS URL...
{
    local count=$1 rooms=$2
    shift 2
    start followers node "$BATS_TEST_DIRNAME/clients/follower.mjs" "$TOKEN" "$count" \
        "$BATS_TEST_TMPDIR/followers" "$rooms" "$@"
}

told() # N
{
    cat "$BATS_TEST_TMPDIR/followers.${1:-0}"
}

# The numbers that a client got, in order.
numbers() # N
{
    told "${1:-0}" | sed -n 's/.*"n":\([0-9]*\)}}$/\1/p'
}

# Waits for a number that a client gets; what it was told last is shown where it gets none.
gets_number() # N NUMBER
{
    wait_for_line "$BATS_TEST_TMPDIR/followers.$1" "\"n\":$2}}"
}

has_joined() # N TIMES
{
    [ "$(told "$1" | grep -c '"type":"subscribed"')" -ge "$2" ]
}

have_joined() # COUNT TIMES
{
    local n
    for ((n = 0; n < $1; n++)); do
        has_joined "$n" "$2" || return
    done
}

reads()
{
    redis info commandstats | sed -n 's/^cmdstat_xrange:calls=\([0-9]*\).*/\1/p'
}

@test "what is published by the catalog is kept, with ids that receipts carry" {
    start_collabd
    run -0 collab-emit --receipts -t comment:created -d '{"taskId":"t1","commentId":"c1"}'
    [[ $output =~ '"rooms":["task:t1"]'.*'"ids":["'[0-9]+'-0"]}'$ ]]
    run -0 collab-emit --receipts -t comment:created -d '{"taskId":"t1","commentId":"c2"}'
    [[ $output =~ '-1"]}'$ ]]
    [ "$(redis xlen 'collab:history:{task:t1}')" = 2 ]
    run -0 collab-emit --receipts -r task:t1 -t other
    [[ $output != *ids* ]]
    run -1 collab-emit -t comment:created -d '{"taskId":"t1"}'
    [[ $output = *commentId* ]]
}

@test "a dry run shows the rooms that the catalog finds" {
    start_collabd
    run -0 collab-emit -n -t task:updated -d '{"taskId":"t1","projectId":"p1"}'
    [[ $output = *'"room":"task:t1","rooms":["task:t1","project:p1"],'* ]]
    run -0 collab-emit -n -c "$BATS_TEST_DIRNAME/../examples/versions/catalog.json" \
        -t task:updated -d '{"taskId":"t1","projectId":"p1"}'
    [[ $output = *'"room":"project:p1","time"'* ]]
}

@test "a key publishes once" {
    start_collabd
    run -0 collab-emit --receipts -k k1 -t comment:created -d '{"taskId":"t1","commentId":"c1"}'
    local first=$output
    run -0 collab-emit --receipts -k k1 -t comment:created -d '{"taskId":"t1","commentId":"c1"}'
    [ "$(jq -c .ids <<<"$output")" = "$(jq -c .ids <<<"$first")" ]
    [ "$(jq .again <<<"$output")" = true ]
    numbered task:t1 1 3 >"$BATS_TEST_TMPDIR/events"
    collab-emit -k k2 "$BATS_TEST_TMPDIR/events"
    collab-emit -k k2 "$BATS_TEST_TMPDIR/events"
    [ "$(redis xlen 'collab:history:{task:t1}')" = 4 ]
}

@test "an expected version that is not the current one: status 5, and both" {
    start_collabd
    collab-emit -t task:created -d '{"taskId":"t1","projectId":"p1"}'
    run -0 collab-emit --receipts -e 0 -t task:moved -d '{"taskId":"t1","projectId":"p1","n":1}'
    [ "$(jq .version <<<"$output")" = 1 ]
    run --separate-stderr -5 collab-emit -e 0 -t task:moved -d '{"taskId":"t1","projectId":"p1"}'
    [ "$(jq -c '[.version, .event.version, .event.data.n]' <<<"$output")" = '[1,1,1]' ]
    [ "$stderr" = 'collab-emit: version conflict: the current version is 1' ]
    run -1 collab-emit -e 0 -t comment:created -d '{"taskId":"t1","commentId":"c"}'
    [[ $output = *'gives this event no version' ]]
}

@test "every accepted update of many writers has its own consecutive version" {
    start_collabd
    collab-emit -t task:created -d '{"taskId":"t1","projectId":"p1"}'
    local writer
    for writer in 1 2 3 4 5 6; do
        start "writer$writer" bash -c '
            for ((i = 0; i < 25; i++)); do
                v=$(redis-cli -s "$REDIS_SOCKET" hget "collab:entity:{task:t1}" version)
                collab-emit --receipts -e "$v" -t task:moved \
                    -d "{\"taskId\":\"t1\",\"projectId\":\"p1\"}" || [ $? = 5 ] || exit 1
            done'
    done
    for writer in 1 2 3 4 5 6; do
        finish "writer$writer"
        [ "$status" -eq 0 ]
    done
    cat "$BATS_TEST_TMPDIR"/writer*.out | jq 'select(.ids) | .version' | sort -n >"$BATS_TEST_TMPDIR/versions"
    local count
    count=$(wc -l <"$BATS_TEST_TMPDIR/versions")
    [ "$count" -ge 25 ]
    seq "$count" | diff - "$BATS_TEST_TMPDIR/versions"
    redis xrange 'collab:history:{project:p1}' - + | grep -o '"version":[0-9]*' | cut -d: -f2 |
        diff - <(seq 0 "$count")
}

@test "a client that was away gets what it missed, once and in order, before what is new" {
    start_collabd
    follow 1 task:t1 "ws://$GATEWAY/ws"
    wait_until has_joined 0 1
    emit_numbered task:t1 1 10
    gets_number 0 10
    kill -USR2 "$(pid_of followers)"
    wait_until sessions_are 0
    emit_numbered task:t1 11 600
    kill -USR1 "$(pid_of followers)"
    emit_numbered task:t1 601 1000
    gets_number 0 1000
    numbers | diff - <(seq 1000)
    told | grep '"type":"subscribed"' | jq -e .data.recovered
}

# Ann comes into a room with nobody in it, and an event is published after it was seen where its
# history ends, but before it is listened to.
resume_late() # SINCE N
{
    kill -STOP "$(pid_of redis)"
    tell ann '{"type":"subscribe","ref":1,"data":{"rooms":["task:t1"],"since":{"task:t1":"'"$1"'"}}}'
    tell ann '{"type":"publish","data":'"$(numbered task:t1 "$2" "$2")}"
    tell ann '{"type":"ping","ref":2}'
    hears ann '"ref":2'
    kill -CONT "$(pid_of redis)"
    hears ann '"ref":1'
    hears ann "\"n\":$2}}"
}

@test "what is published as a room is joined comes too, also where a page of the history ends" {
    local first
    start_collabd
    emit_numbered task:t1 1 200
    first=$(redis xrange 'collab:history:{task:t1}' - + count 1 | head -n 1)
    start_client ann collabd '{"sub":"u1","rooms":["*"],"publish":["*"]}'
    hears ann connection.ack
    resume_late "$first" 201
    [ "$(sed -n 's/.*"n":\([0-9]*\)}}$/\1/p' "$BATS_TEST_TMPDIR/ann.out")" = "$(seq 2 201)" ]
}

@test "what is published as a room is joined comes too, also where its history was read just now" {
    local first last
    start_collabd
    emit_numbered task:t1 1 5
    first=$(redis xrange 'collab:history:{task:t1}' - + count 1 | head -n 1)
    last=$(redis xrevrange 'collab:history:{task:t1}' + - count 1 | head -n 1)
    start_client ann collabd '{"sub":"u1","rooms":["*"],"publish":["*"]}'
    hears ann connection.ack
    tell ann '{"type":"subscribe","data":{"rooms":["task:t1"],"since":{"task:t1":"'"$first"'"}}}'
    hears ann subscribed
    tell ann '{"type":"unsubscribe","ref":3,"data":["task:t1"]}'
    hears ann '"ref":3'
    resume_late "$last" 6
    [ "$(sed -n 's/.*"n":\([0-9]*\)}}$/\1/p' "$BATS_TEST_TMPDIR/ann.out")" = "$(seq 2 6)" ]
}

@test "who leaves and comes back while the history is read gets it once" {
    start_collabd
    emit_numbered task:t1 1 10
    start_client ann collabd '{"sub":"u1","rooms":["*"]}'
    hears ann connection.ack
    local since text
    since=$(redis xrange 'collab:history:{task:t1}' - + count 1 | head -n 1)
    text='{"type":"subscribe","ref":%d,"data":{"rooms":["task:t1"],"since":{"task:t1":"'$since'"}}}'
    kill -STOP "$(pid_of redis)"
    # shellcheck disable=SC2059
    tell ann "$(printf "$text" 1)"
    tell ann '{"type":"unsubscribe","ref":2,"data":["task:t1"]}'
    # shellcheck disable=SC2059
    tell ann "$(printf "$text" 3)"
    tell ann '{"type":"ping","ref":4}'
    hears ann '"ref":4'
    kill -CONT "$(pid_of redis)"
    hears ann '"ref":1'
    hears ann '"ref":3'
    emit_numbered task:t1 11 12
    hears ann '"n":12'
    [ "$(sed -n 's/.*"n":\([0-9]*\)}}$/\1/p' "$BATS_TEST_TMPDIR/ann.out")" = "$(seq 2 12)" ]
    [ "$(grep -F '"ref":1' "$BATS_TEST_TMPDIR/ann.out" | jq -c '.data | [.recovered, .gaps]')" = \
        '[false,[{"room":"task:t1","why":"left"}]]' ]
    grep -F '"ref":3' "$BATS_TEST_TMPDIR/ann.out" | jq -e .data.recovered
}

@test "a client resumes on another node" {
    start_node one
    local first=$GATEWAY
    start_node two
    follow 3 task:t1 "ws://$first/ws" "ws://$GATEWAY/ws"
    wait_until have_joined 3 1
    emit_numbered task:t1 1 10
    gets_number 2 10
    kill -USR1 "$(pid_of followers)"
    emit_numbered task:t1 11 300
    stop one KILL
    emit_numbered task:t1 301 400
    local n
    for n in 0 1 2; do
        gets_number $n 400
        numbers $n | diff - <(seq 400)
    done
}

@test "what is lost to a client is told it" {
    start_collabd
    follow 1 project:p1,task:t1 "ws://$GATEWAY/ws"
    wait_until has_joined 0 1
    emit_numbered task:t1 1 10
    gets_number 0 10
    kill -USR2 "$(pid_of followers)"
    wait_until sessions_are 0
    emit_numbered task:t1 11 1101
    kill -USR1 "$(pid_of followers)"
    gets_number 0 1101
    wait_until has_joined 0 2
    numbers | sed -n '11,$p' | diff - <(seq 102 1101)
    [ "$(told | grep '"type":"subscribed"' | tail -n 1 |
        jq -c '.data | [.recovered, .gaps[0].room, .gaps[0].why, .gaps[0].lost.missing]')" = \
        '[false,"task:t1","trimmed",91]' ]
}

@test "an event for several rooms comes once, also to who resumes" {
    start_collabd
    follow 1 project:p1,task:t1 "ws://$GATEWAY/ws"
    wait_until has_joined 0 1
    local event='{"type":"task:updated","data":{"taskId":"t1","projectId":"p1","n":N}}'
    sed s/N/1/ <<<"$event" | collab-emit
    gets_number 0 1
    kill -USR2 "$(pid_of followers)"
    wait_until sessions_are 0
    for n in 2 3; do sed s/N/$n/ <<<"$event" | collab-emit; done
    kill -USR1 "$(pid_of followers)"
    wait_until has_joined 0 2
    sed s/N/4/ <<<"$event" | collab-emit
    gets_number 0 4
    numbers | diff - <(seq 4)
}

# The processor's time that a program has used, in ms.
cpu_ms() # NAME
{
    local stat
    read -ra stat <"/proc/$(pid_of "$1")/stat"
    echo $(((stat[13] + stat[14]) * 1000 / $(getconf CLK_TCK)))
}

# $RESUME_CLIENTS is how many.
@test "however many resume, a page is read once" {
    local count=${RESUME_CLIENTS:-500} before n
    start_collabd --max-connections 2000 --user-rate off
    follow "$count" task:t1 "ws://$GATEWAY/ws"
    wait_until sessions_are "$count"
    wait_until have_joined "$count" 1
    emit_numbered task:t1 1 1
    gets_number $((count - 1)) 1
    kill -USR2 "$(pid_of followers)"
    wait_until sessions_are 0
    emit_numbered task:t1 2 101
    redis config resetstat
    before=$(cpu_ms collabd)
    kill -USR1 "$(pid_of followers)"
    for ((n = 0; n < count; n += count / 4)); do gets_number $n 101; done
    wait_until have_joined "$count" 2
    for ((n = 0; n < count; n++)); do numbers "$n" | cmp -s - <(seq 101); done
    echo "# $count clients that missed 100 events each: $(reads) reads of histories," \
        "$(($(cpu_ms collabd) - before)) ms of the gateway's processor" >&3
    [ "$(reads)" -le 60 ]
}

@test "a bad since is refused" {
    start_collabd
    follow 1 'a b' "ws://$GATEWAY/ws"
    wait_until grep -qs bad_room "$BATS_TEST_TMPDIR/followers.0"
}

# What a client says first, and hears for it.
ask() # MESSAGE
{
    node -e '
        const WebSocket = require(process.argv[1] + "/node_modules/ws");
        const [, , url, token, text] = process.argv;
        const s = new WebSocket(url, ["collab.v1"], { headers: { Authorization: "Bearer " + token } });
        s.on("open", () => s.send(text));
        s.on("message", (m) => {
            const message = JSON.parse(m);
            if (message.ref === undefined) return;
            console.log(JSON.stringify(message));
            process.exit(0);
        });
        setTimeout(() => process.exit(1), require(process.argv[1] + "/patience.js"));
    ' "$BATS_TEST_DIRNAME/clients" "ws://$GATEWAY/ws" "$TOKEN" "$1"
}

@test "an update of an old version: a conflict, with the current version and event" {
    start_collabd --catalog "$BATS_TEST_DIRNAME/../examples/kanban/catalog.json"
    collab-emit -t task:created -d '{"taskId":"t1","projectId":"p1"}'
    run -0 collab-emit --receipts -t task:updated \
        -d '{"taskId":"t1","projectId":"p1","expectedVersion":0,"title":"a"}'
    [ "$(jq .version <<<"$output")" = 1 ]
    run -0 collab-emit --receipts -t task:updated \
        -d '{"taskId":"t1","projectId":"p1","expectedVersion":0,"color":"b"}'
    [ "$(jq .version <<<"$output")" = 2 ]
    run -5 --separate-stderr collab-emit -t task:updated \
        -d '{"taskId":"t1","projectId":"p1","expectedVersion":0,"title":"c"}'
    [ "$(jq -c '[.version, .event.data.color]' <<<"$output")" = '[2,"b"]' ]
}

@test "a client's conflict has the current version and event; a key is its user's" {
    sed '/"publish": "none"/d; s/"entity": "task/"publish": "grant", &/' \
        "$BATS_TEST_DIRNAME/../examples/versions/catalog.json" >"$BATS_TEST_TMPDIR/catalog.json"
    start_collabd --catalog "$BATS_TEST_TMPDIR/catalog.json"
    local data='{"projectId":"p1","taskId":"t1","n":N,"expectedVersion":E}' text
    text='{"type":"publish","ref":1,"data":{"type":"task:updated","data":'$data'}}'
    run -0 ask "$(sed 's/N/1/; s/E/0/' <<<"$text")"
    [ "$(jq -c '[.type, .data.version]' <<<"$output")" = '["published",1]' ]
    run -0 ask "$(sed 's/N/2/; s/E/0/' <<<"$text")"
    [ "$(jq -c '[.code, .data.version, .data.event.data.n]' <<<"$output")" = '["conflict",1,1]' ]
    text='{"type":"publish","ref":1,"data":{"key":"k","type":"task:updated","data":'$data'}}'
    run -0 ask "$(sed 's/N/3/; s/E/1/' <<<"$text")"
    [ "$(jq .data.version <<<"$output")" = 2 ]
    run -0 ask "$(sed 's/N/3/; s/E/1/' <<<"$text")"
    [ "$(jq .data.version <<<"$output")" = 2 ]
    TOKEN=$(token '{"sub":"u2","rooms":["*"],"publish":["*"]}')
    run -0 ask "$(sed 's/N/3/; s/E/1/' <<<"$text")"
    [ "$(jq -r .code <<<"$output")" = conflict ]
}

# Of what was asked for of a room, in both orders: whether nothing is missing, and whether there is more.
complete() # MORE
{
    local order
    for order in oldest newest; do
        ask '{"type":"sync","ref":1,"data":{"rooms":["task:t1"],"order":"'$order'"'"$1"'}}' |
            jq -c '.data.rooms["task:t1"] | [.complete, .more]'
    done | uniq
}

@test "a page of a history that no longer begins where it was asked to says so" {
    local first epoch last past=',"since":"2001-01-01T00:00:00Z"' future=',"since":"2100-01-01T00:00:00Z"'
    echo '{"rooms":{"*":{"history":{"length":10}}},"events":{"*":{}}}' >"$BATS_TEST_TMPDIR/catalog.json"
    export COLLAB_CATALOG=$BATS_TEST_TMPDIR/catalog.json
    start_collabd
    [ "$(complete '')" = '[true,false]' ]
    [ "$(complete ',"since":{"task:t1":"1763660000000-3"}')" = '[false,false]' ]
    emit_numbered task:t1 1 5
    [ "$(complete '')" = '[true,false]' ]
    [ "$(complete "$past")" = '[true,false]' ]
    emit_numbered task:t1 6 31
    first=$(redis xrange 'collab:history:{task:t1}' - + count 1 | head -n 1)
    last=$(redis xrevrange 'collab:history:{task:t1}' + - count 1 | head -n 1)
    epoch=${first%-*}
    since()
    {
        complete ',"since":{"task:t1":"'"$1"'"}'"${2:-}"
    }
    [ "$(complete '')" = '[false,false]' ]
    [ "$(complete ',"limit":5')" = '[false,true]' ]
    [ "$(complete ',"since":0')" = '[false,false]' ]
    [ "$(complete "$past")" = '[false,false]' ]
    [ "$(complete "$future")" = '[true,false]' ]
    [ "$(since "$epoch-$((${first#*-} - 2))")" = '[false,false]' ] # the last that was lost is the next
    [ "$(since "$epoch-$((${first#*-} - 1))")" = '[true,false]' ]
    [ "$(since "$first")" = '[true,false]' ]
    [ "$(since "$first" ',"limit":5')" = '[true,true]' ]
    [ "$(since "$last")" = '[true,false]' ]
    [ "$(since "$((epoch - 1))-0")" = '[false,false]' ]
}

@test "a page of the history, oldest or newest first" {
    start_collabd
    emit_numbered task:t1 1 30
    sync()
    {
        ask '{"type":"sync","ref":1,"data":{"rooms":["task:t1"]'"$1"'}}' |
            jq -c '[([.data.events[].data.n] | [length, .[0], .[-1]]), .data.rooms["task:t1"].more]'
    }
    [ "$(sync '')" = '[[30,1,30],false]' ]
    [ "$(sync ',"limit":10')" = '[[10,1,10],true]' ]
    [ "$(sync ',"limit":10,"order":"newest"')" = '[[10,30,21],true]' ]
    local last
    last=$(ask '{"type":"sync","ref":1,"data":{"rooms":["task:t1"],"limit":10}}' |
        jq -c '.data.rooms | map_values(.last)')
    [ "$(sync ',"limit":10,"since":'"$last")" = '[[10,11,20],true]' ]
    [ "$(sync ',"order":"newest","before":'"$last")" = '[[9,9,1],false]' ]
    [ "$(sync ',"since":"2100-01-01T00:00:00Z"')" = '[[0,null,null],false]' ]
    [ "$(sync ',"since":0')" = '[[30,1,30],false]' ]
    run -0 ask '{"type":"sync","ref":1,"data":{"limit":0}}'
    [ "$(jq -r .code <<<"$output")" = bad_message ]
    TOKEN=$(token '{"sub":"u2","rooms":["a:*"]}')
    run -0 ask '{"type":"sync","ref":1,"data":{"rooms":["task:t1"]}}'
    [ "$(jq -r '.data.rooms["task:t1"].code' <<<"$output")" = forbidden ]
}
