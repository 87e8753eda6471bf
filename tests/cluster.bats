load helpers
load followers
load cluster

# A Redis Cluster of three masters, the first with a replica. Gateways, tools and clients over it do
# what they do over one server; and while it changes, numbered events get to all, once and in order.

setup()
{
    export DIR=$BATS_TEST_TMPDIR
    export CATALOG=$BATS_TEST_DIRNAME/../examples/kanban/catalog.json
    export -f numbered
    start_cluster 3 1
}

teardown()
{
    stop_all
}

start_nodes() # NAME...
{
    local name
    URLS=()
    for name; do
        start_node "$name" --node "$name" --probe-interval 500ms --catalog "$CATALOG"
        URLS+=("ws://$GATEWAY/ws")
    done
}

# To the task of that number modulo 6: their slots are all over the cluster.
numbered() # FIRST LAST
{
    local n
    for ((n = $1; n <= $2; n++)); do
        printf '{"type":"comment:created","room":"task:t%d",' $((n % 6))
        printf '"data":{"taskId":"t%d","commentId":"c","n":%d}}\n' $((n % 6)) "$n"
    done
}

publish() # FIRST LAST
{
    numbered "$@" | collab-emit --spool "$DIR/spool" -c "$CATALOG" 2>>"$DIR/emit.err"
}

# All that was accepted has come, also what had to wait.
arrived() # LAST
{
    publishing_ends
    wait_until all has_all "$1"
}

has_all() # N LAST
{
    [ "$(numbers "$1" | sort -u | wc -l)" -ge "$2" ]
}

# Nothing lost, nothing twice, and in each room all in order.
is_complete() # N LAST
{
    local room
    numbers "$1" | sort -n | diff - <(seq "$2") || return
    for room in 0 1 2 3 4 5; do
        numbers "$1" | awk -v room=$room '$1 % 6 == room' | sort -nc || return
    done
}

ROOMS=task:t0,task:t1,task:t2,task:t3,task:t4,task:t5

@test "tools meet, wherever the rooms are" {
    start tail collab-tail --verbose '*'
    start one collab-tail --verbose task:t1 task:t2 'project:*'
    wait_for_line "$(here)/tail.err" 'listening to 1 pattern'
    wait_for_line "$(here)/one.err" 'listening to 2 rooms and 1 pattern'
    for room in task:t1 task:t2 task:t3 project:p1 project:p2; do
        collab-emit --room "$room" --type x --data '"live"'
        collab-emit --catalog "$CATALOG" --room "$room" --type comment:created \
            --data '{"taskId":"t1","commentId":"c"}'
    done
    collab-emit --room task:t1 --room task:t4 --type both
    wait_until has_lines tail 11
    wait_until has_lines one 9
    [ "$(sort "$(here)/tail.out" | uniq -d | wc -l)" -eq 0 ]
    run collab-tail --since 1h --exit 'task:*'
    [ "$(grep -c comment:created <<<"$output")" -eq 3 ]
}

has_lines() # NAME COUNT
{
    [ "$(wc -l <"$(here)/$1.out")" -eq "$2" ]
}

@test "gateways know each other, who is there, and who may be" {
    start_nodes one two
    start_client ann one '{"sub":"ann","rooms":["*"],"publish":["*"]}'
    start_client bob two '{"sub":"bob","rooms":["*"],"publish":["*"]}'
    for NAME in ann bob; do
        tell $NAME '{"type":"subscribe","data":["project:p1","task:t1"]}'
        hears $NAME '"type":"subscribed"'
    done
    wait_until who_is ann bob
    tell bob '{"type":"presence:update","data":{"status":"away"}}'
    wait_until eval 'collab-who project:p1 | grep -q away'
    tell ann '{"type":"who","data":{"rooms":["project:p1","task:t1"]}}'
    hears ann '"type":"who"'
    run -0 jq -c 'select(.type == "who") | .data.rooms[] | [.room, .users, .status.ann, .status.bob]' \
        "$(here)/ann.out"
    [ "${lines[0]}" = '["project:p1",["ann","bob"],"online","away"]' ]
    [ "${lines[1]}" = '["task:t1",["ann","bob"],"online","away"]' ]
    run collab-stats
    [[ "$output" == *one*two* ]]
    collab-member add project:p9 ann
    run collab-member list project:p9
    [[ "$output" == *ann* ]]
    run collab-kick --user bob
    [ "$status" -eq 0 ]
    wait_until who_is ann
    stop one
    wait_until who_is
}

who_is() # USER...
{
    [ "$(collab-who project:p1 | awk '{ print $1 }' | xargs)" = "$*" ]
}

@test "a master hands over to its replica while events flow" {
    start_nodes one two
    start_followers "$ROOMS" "${URLS[@]}"
    keep_publishing 1 600
    wait_until all has_all 100
    wait_until takes_over 4
    arrived 600
    all is_complete 600
}

@test "slots move while events flow" {
    start_nodes one two
    start_followers "$ROOMS" "${URLS[@]}"
    keep_publishing 1 600
    wait_until all has_all 100
    for room in task:t0 task:t1 task:t2; do
        from=$(server_of $room)
        move_slot $room "$from" $((from % 3 + 1))
    done
    arrived 600
    all is_complete 600
    all no_gap
}

@test "a master is killed while events flow" {
    start_nodes one two
    start_followers "$ROOMS" "${URLS[@]}"
    keep_publishing 1 600
    wait_until all has_all 100
    stop server-1 KILL
    wait_until is_master 4
    arrived 600
    all is_complete 600
}

@test "what a cluster that goes down has not taken waits in the order in which it was read" {
    local first=0
    until [ "$(server_of "task:t$first")" -eq 3 ]; do
        first=$((first + 1))
    done
    mkfifo "$DIR/in"
    exec 8<>"$DIR/in"
    start emit bash -c 'exec collab-emit -c "$CATALOG" --receipts --spool "$DIR/spool" "$DIR/in" 8>&-'
    numbered 0 5 >&8
    wait_until has_lines emit 6
    server 3 cluster delslots 16383 >/dev/null
    wait_until is_down 3
    numbered $((first + 6)) $((first + 17)) >"$DIR/at-once"
    cat "$DIR/at-once" >&8
    wait_for_line "$(here)/emit.err" 'the cluster is down'
    numbered $((first + 18)) $((first + 23)) >&8
    exec 8>&-
    finish emit
    [ "$status" -eq 0 ]
    sed -n 's/.*"n":\([0-9]*\)}}}$/\1/p' "$DIR/spool/events" >"$DIR/waiting"
    sort -n "$DIR/waiting" | diff - "$DIR/waiting"
    [ "$(head -n 1 "$DIR/waiting")" -eq $((first + 6)) ]
    server 3 cluster addslots 16383 >/dev/null
    wait_until publish_rest
    [ "$(collab-tail --since 1h --exit 'task:*' | wc -l)" -eq 24 ]
}

is_down() # N
{
    server "$1" cluster info | grep -q 'cluster_state:fail'
}

task_updated() # TITLE [OPTION]...
{
    collab-emit --catalog "$CATALOG" --receipts --type task:updated "${@:2}" \
        --data '{"taskId":"t1","projectId":"p1","title":"'"$1"'"}'
}

@test "versions count one by one, in all rooms, and conflicts are told" {
    start tail collab-tail --verbose '*'
    wait_for_line "$(here)/tail.err" 'listening to'
    collab-emit --catalog "$CATALOG" --type task:created \
        --data '{"taskId":"t1","projectId":"p1","title":"a"}'
    run -0 task_updated b --expect-version 0
    [[ "$output" == *'"version":1'* ]]
    run -5 task_updated c --expect-version 0
    [[ "$output" == *'"version":1'*'"title":"b"'* ]]
    run -0 task_updated d --key k1
    [[ "$output" == *'"version":2'* ]]
    run -0 task_updated d --key k1
    [[ "$output" == *'"version":2'*'"again":true'* ]]
    for _ in 1 2 3 4 5; do
        writers=()
        for _ in 1 2 3 4; do
            task_updated e >/dev/null 3>&- &
            writers+=($!)
        done
        wait "${writers[@]}"
    done
    run -0 collab-tail --since 1h --exit project:p1
    [ "$(sed -n 's/.*"version":\([0-9]*\).*/\1/p' <<<"$output" | xargs)" = "$(seq 0 22 | xargs)" ]
    run -0 collab-tail --since 1h --exit task:t1
    [ "$(sed -n 's/.*"version":\([0-9]*\).*/\1/p' <<<"$output" | xargs)" = "$(seq 1 22 | xargs)" ]
    wait_until has_lines tail 23
}

@test "what a publisher left between its version and its rooms, the next one publishes first" {
    start_nodes one
    collab-emit --catalog "$CATALOG" --type task:created \
        --data '{"taskId":"t1","projectId":"p1","title":"a"}'
    step=$(server "$(server_of collab:scripts)" -c hget collab:scripts step)
    server 1 -c eval "$step" 1 'collab:entity:{task:t1}' '' next '' reject 0 \
        project:p1 '"type":"task:updated","room":"project:p1"' ',"data":{"title":"left"}}' 100 86400000 \
        >/dev/null
    run -0 task_updated b
    [[ "$output" == *'"version":2'* ]]
    run -0 collab-tail --since 1h --exit project:p1
    [[ "${lines[1]}" == *'"version":1,"data":{"title":"left"}}' ]]
    [[ "${lines[2]}" == *'"version":2,'* ]]
    [ "${#lines[@]}" -eq 3 ]
}

@test "users of Redis with no more rights than the manual names" {
    local n url=${COLLAB_REDIS#redis://}
    local cluster=(+cluster\|info +cluster\|slots +asking)
    for n in 1 2 3; do
        server "$n" acl setuser emit on '>pw' resetchannels '&collab:room:*' '&collab:probe:*' \
            '&collab:slot:*' '~collab:*' +ping +publish +subscribe +info +get +set +evalsha +eval \
            '+script|load' +time +xadd +xtrim +xrange +xrevrange +pexpire +hmget +hget +hset +hdel \
            +del +spublish "${cluster[@]}" >/dev/null
        server "$n" acl setuser tail on '>pw' resetchannels '&collab:room:*' '&collab:probe:*' \
            '&collab:slot:*' '%R~collab:history:*' +ping +subscribe +ssubscribe +info +xrange \
            +xrevrange +scan "${cluster[@]}" >/dev/null
    done
    start tail env COLLAB_REDIS="redis://tail:pw@$url" collab-tail --verbose '*' task:t1
    wait_for_line "$(here)/tail.err" 'listening to'
    export COLLAB_REDIS="redis://emit:pw@$url"
    collab-emit --room task:t9 --type live
    collab-emit --catalog "$CATALOG" --type task:created \
        --data '{"taskId":"t1","projectId":"p1","title":"a"}'
    task_updated b --key k1
    wait_until has_lines tail 3
}
