# Who is where, on three nodes: told once, whatever happens to a node.

load helpers

setup_file()
{
    start_redis
    jq '.notices.ack = "hello" | .presence += {grace: "500ms", crowd: 5, period: "200ms",
            join: "room:in", leave: "room:out", count: "room:count"}
        | .events += {"room:in": {class: "live"}, "room:out": {class: "live"},
            "room:count": {class: "live"}}
        | .messages["room:who"] = {action: "who"}' \
        "$BATS_TEST_DIRNAME/../examples/kanban/catalog.json" >"$BATS_FILE_TMPDIR/catalog.json"
    start_cluster_node a
    start_cluster_node b
}

start_cluster_node() # NAME
{
    start_node "$1" --node "$1" --catalog "$BATS_FILE_TMPDIR/catalog.json" --lease 10s
}

teardown_file()
{
    stop_all
}

teardown()
{
    stop_all
    wait_until nobody_is_there
}

nobody_is_there()
{
    [ -z "$(redis --scan --pattern 'collab:present:*')" ] &&
        [ -z "$(redis --scan --pattern 'collab:user:*')" ] &&
        [ -z "$(redis --scan --pattern 'collab:viewing:*')" ]
}

# Of a device of a user.
start_user() # NAME NODE [USER]
{
    start_client "$1" "$2" "{\"sub\":\"${3:-$1}\",\"rooms\":[\"project:*\",\"task:*\"]}"
    hears "$1" '"type":"hello"'
}

join() # NAME ROOM
{
    tell "$1" "{\"type\":\"subscribe\",\"data\":[\"$2\"],\"ref\":\"$2\"}"
    hears "$1" "\"ref\":\"$2\""
}

# All that a client will have heard of what was published before.
sync_room() # ROOM NAME...
{
    local room=$1 mark
    mark=sync-$RANDOM$RANDOM
    shift
    collab-emit -r "$room" -t "$mark"
    for name; do
        hears "$name" "$mark"
    done
}

has_lines() # NAME TEXT COUNT
{
    [ "$(heard "$1" "$2")" -eq "$3" ]
}

@test "joins and leaves are told to the room, once for all devices of a user" {
    start_user watch a
    join watch project:p1
    start_user ann a
    start_user ann2 b ann
    join ann project:p1
    hears watch '"type":"room:in","room":"project:p1","user":"ann"'
    hears watch '"data":{"projectId":"p1","room":"project:p1","userId":"ann"}'
    join ann2 project:p1
    tell ann '{"type":"unsubscribe","data":["project:p1"],"ref":9}'
    hears ann '"ref":9'
    sync_room project:p1 watch ann2
    has_lines watch '"room:in","room":"project:p1","user":"ann"' 1
    has_lines watch '"room:out"' 0
    tell ann2 end
    hears watch '"type":"room:out","room":"project:p1","user":"ann"'
    sync_room project:p1 watch
    has_lines watch '"room:out"' 1
}

@test "a page that is reloaded within the grace is not told of" {
    local node
    start_redis # where nobody needs to have gone in the end
    jq '.presence.grace = "8s"' "$BATS_FILE_TMPDIR/catalog.json" >"$BATS_TEST_TMPDIR/patient.json"
    for node in c d; do
        start_node $node --node $node --catalog "$BATS_TEST_TMPDIR/patient.json"
    done
    start_user watch c
    join watch project:p1
    start_user ann c
    join ann project:p1
    hears watch '"room:in","room":"project:p1","user":"ann"'
    tell ann end
    hears ann 'close 1000'
    start_user ann2 d ann
    join ann2 project:p1
    tell ann2 '{"type":"presence:update","data":{"status":"away"}}'
    hears watch '"type":"presence:user_online"'
    sync_room project:p1 watch
    has_lines watch '"room:in","room":"project:p1","user":"ann"' 1
    has_lines watch '"room:out"' 0
}

@test "online, away and offline, in all connections taken together" {
    collab-member -q add project:p1 ann
    start_user watch a
    join watch project:p1
    start_user ann a
    hears watch '"type":"presence:user_online","room":"project:p1","user":"ann"'
    hears watch '"data":{"userId":"ann","status":"online"}'
    start_user ann2 b ann
    tell ann '{"type":"presence:update","data":{"status":"away"}}'
    tell ann '{"type":"ping","ref":1}'
    hears ann '"ref":1'
    sync_room project:p1 watch
    has_lines watch '"status":"away"' 0
    tell ann2 '{"type":"presence:update","data":{"status":"away"}}'
    hears watch '"data":{"userId":"ann","status":"away"}'
    tell ann end
    tell ann2 end
    hears watch '"type":"presence:user_offline","room":"project:p1","user":"ann"'
    sync_room project:p1 watch
    has_lines watch '"type":"presence:user_offline"' 1
    has_lines watch '"user":"ann","time"' 3
    collab-member -q remove project:p1 ann
}

@test "a node that is killed leaves no ghost, and its users' going is told once" {
    start_cluster_node c
    start_user watch a
    start_user other b
    join watch project:p1
    join other project:p1
    start_user ann c
    start_user bob c
    start_user bob2 b bob
    join ann project:p1
    join bob project:p1
    join bob2 project:p1
    join watch task:t1
    tell ann '{"type":"presence:viewing","data":{"taskId":"t1"}}'
    hears watch '"type":"presence:users_viewing","room":"task:t1"'
    stop c KILL
    expire_lease c
    hears watch '"type":"room:out","room":"project:p1","user":"ann"'
    hears watch '"type":"presence:user_offline","room":"project:p1","user":"ann"'
    hears watch '"data":{"taskId":"t1","room":"task:t1","users":[]}'
    wait_until no_owner_but 2
    sync_room project:p1 watch other
    for name in watch other; do
        has_lines "$name" '"room:out"' 1
        has_lines "$name" '"presence:user_offline"' 1
    done
    run -0 redis hkeys 'collab:present:{project:p1}'
    [ "$(sort <<<"$output" | tr '\n' ' ')" = 'bob other watch ' ]
}

no_owner_but() # COUNT
{
    [ "$(redis scard collab:owners)" -eq "$1" ]
}

# By which a user looks at the task t1.
has_two_nodes() # USER
{
    [[ $(redis hget 'collab:viewing:{task:t1}' "$1") = *' '* ]]
}

# Says that a user looks at a task, and waits for who does then, as a client hears it.
look() # NAME TASK CLIENT USERS
{
    tell "$1" "{\"type\":\"presence:viewing\",\"data\":{\"taskId\":\"$2\"}}"
    hears "$3" "\"data\":{\"taskId\":\"$2\",\"room\":\"task:$2\",\"users\":$4}"
}

@test "who looked by a node that is killed looks no longer, which is told once" {
    local name node user
    start_cluster_node c
    for name in watch:a other:b ann:c bob:c bob2:b:bob cleo:b; do
        IFS=: read -r name node user <<<"$name"
        start_user "$name" "$node" "$user"
    done
    for name in watch other; do
        join "$name" task:t1
        join "$name" task:t2
    done
    look ann t1 watch '["ann"]'
    look bob t1 watch '["ann","bob"]'
    look cleo t2 watch '["cleo"]'
    tell bob2 '{"type":"presence:viewing","data":{"taskId":"t1"}}'
    wait_until has_two_nodes bob
    stop c KILL
    hears watch '"data":{"taskId":"t1","room":"task:t1","users":["bob"]}'
    wait_until no_owner_but 2
    sync_room task:t1 watch other
    sync_room task:t2 watch other
    for name in watch other; do
        has_lines "$name" '"users":["bob"]' 1
        has_lines "$name" '"presence:users_viewing","room":"task:t1"' 3
        has_lines "$name" '"presence:users_viewing","room":"task:t2"' 1
    done
    [ "$(redis hkeys 'collab:viewing:{task:t1}')" = bob ]
    [ "$(redis hkeys 'collab:viewing:{task:t2}')" = cleo ]
}

@test "a node that is stopped hands its users over without a word" {
    start_cluster_node c
    start_user watch a
    join watch project:p1
    start_user ann c
    join ann project:p1
    hears watch '"room:in","room":"project:p1","user":"ann"'
    start_user ann2 b ann
    join ann2 project:p1
    start_user bob c
    join bob project:p1
    stop c
    hears watch '"room:out","room":"project:p1","user":"bob"'
    wait_until no_owner_but 2
    sync_room project:p1 watch
    has_lines watch '"room:out"' 1
}

@test "a node that was held up for longer than its lease comes back to life" {
    start_cluster_node c
    start_user watch a
    join watch project:p1
    start_user ann c
    join ann project:p1
    hears watch '"room:in","room":"project:p1","user":"ann"'
    kill -STOP "$(pid_of c)"
    expire_lease c
    hears watch '"room:out","room":"project:p1","user":"ann"'
    wait_until no_owner_but 2
    tell ann '{"type":"subscribe","data":["project:p2"],"ref":2}' # before it knows that it is dead
    kill -CONT "$(pid_of c)"
    wait_until has_lines watch '"room:in","room":"project:p1","user":"ann"' 2
    run -0 redis hkeys 'collab:present:{project:p1}'
    [ "$(sort <<<"$output" | tr '\n' ' ')" = 'ann watch ' ]
    hears ann '"ref":2'
    tell ann '{"type":"unsubscribe","data":["project:p2"],"ref":3}'
    hears ann '"ref":3'
    wait_until eval '[ "$(redis exists "collab:present:{project:p2}")" = 0 ]'
    wait_until nothing_is_owned_but 3
}

# Nothing is left of an owner that nobody would clear away.
nothing_is_owned_but() # COUNT
{
    no_owner_but "$1" && [ "$(redis --scan --pattern 'collab:owned:*' | wc -l)" -le "$1" ]
}

@test "what a node owned when it lost Redis is set right when it has it again" {
    start_user watch a
    start_user ann b
    join watch project:p1
    join ann project:p1
    hears watch '"room:in","room":"project:p1","user":"ann"'
    redis client kill type normal skipme yes >/dev/null
    redis client kill type pubsub >/dev/null
    wait_until collab-emit -r project:p1 -t ping
    tell ann '{"type":"unsubscribe","data":["project:p1"],"ref":9}'
    hears ann '"ref":9'
    hears watch '"room:out","room":"project:p1","user":"ann"'
    wait_until no_owner_but 2
    run -0 redis hkeys 'collab:present:{project:p1}'
    [ "$output" = watch ]
}

@test "who is looking at an entity" {
    start_user ann a
    start_user bob b
    join ann task:t1
    join bob task:t1
    tell ann '{"type":"presence:viewing","data":{"taskId":"t1"}}'
    hears bob '"data":{"taskId":"t1","room":"task:t1","users":["ann"]}'
    tell bob '{"type":"presence:viewing","data":{"taskId":"t1"}}'
    hears ann '"users":["ann","bob"]'
    tell ann '{"type":"presence:viewing","data":{"taskId":"t2"}}'
    hears bob '"users":["bob"]'
    tell bob '{"type":"room:who","data":["task:t1"],"ref":1}'
    hears bob '{"rooms":[{"room":"task:t1","users":["ann","bob"],"status":{"ann":"online","bob":"online"},"count":2,"viewing":["bob"]}]},"ref":1'
    tell bob '{"type":"presence:viewing","data":{}}'
    hears ann '"taskId":"t1","room":"task:t1","users":[]'
}

@test "nobody looks at what they may not join, and status is one of three words" {
    start_client eve a '{"sub":"eve","rooms":[]}'
    hears eve '"type":"hello"'
    tell eve '{"type":"presence:viewing","data":{"taskId":"t1"},"ref":1}'
    hears eve '"code":"forbidden","message":"not allowed in this room","ref":1'
    tell eve '{"type":"room:who","data":["project:p1"],"ref":2}'
    hears eve '"code":"forbidden","message":"not allowed in this room","ref":2'
    tell eve '{"type":"presence:update","data":{"status":"busy"},"ref":3}'
    hears eve '"ref":3'
    tell eve '{"type":"room:who","data":["project:*"],"ref":4}'
    hears eve '"code":"bad_room"'
}

@test "who is in a room, how they are, and how many" {
    start_user ann a
    start_user bob b
    join ann project:p1
    join bob project:p1
    tell ann '{"type":"room:who","data":["project:p1","project:p2"],"ref":1}'
    hears ann '"type":"who","data":{"rooms":[{"room":"project:p1","users":["ann","bob"],"status":{"ann":"online","bob":"online"},"count":2},{"room":"project:p2","users":[],"count":0}]},"ref":1'
}

# By all connections of a user, to whichever node, and for whoever comes later.
@test "a late-comer is told who is away, and who would not be seen" {
    start_user ann a
    start_user bob b
    start_user bob2 a bob
    start_user eve a 'e\"vé'
    join ann project:p1
    join bob project:p1
    hears ann '"room:in","room":"project:p1","user":"bob"'
    join bob2 project:p1
    join eve project:p1
    hears ann '"room:in","room":"project:p1","user":"e\"vé"'
    tell bob '{"type":"presence:update","data":{"status":"away"}}'
    tell eve '{"type":"presence:update","data":{"status":"offline"}}'
    hears ann '"presence:user_offline"'
    start_user cleo b
    tell cleo '{"type":"room:who","data":["project:p1"],"ref":1}'
    hears cleo '"status":{"ann":"online","bob":"online","e\"vé":"offline"},"count":3}'
    tell bob2 '{"type":"presence:update","data":{"status":"away"}}'
    hears ann '"status":"away"'
    tell cleo '{"type":"room:who","data":["project:p1"],"ref":2}'
    hears cleo '"status":{"ann":"online","bob":"away","e\"vé":"offline"},"count":3}'
}

@test "in a crowd only the number is told, and not more often than it may be" {
    local i rooms
    start_user watch a
    join watch project:p1
    hears watch '"data":{"projectId":"p1","room":"project:p1","count":1}'
    rooms='{"type":"subscribe","data":["project:p1"]}'
    for i in {1..12}; do
        start_user "u$i" "$([ $((i % 2)) = 0 ] && echo a || echo b)"
        tell "u$i" "$rooms"
    done
    hears watch '"room":"project:p1","count":13}'
    sync_room project:p1 watch
    [ "$(heard watch '"type":"room:in"')" -le 4 ]
    [ "$(heard watch '"presence:user_online"')" -le 4 ]
    for i in {1..12}; do
        tell "u$i" end
    done
    wait_until has_lines watch '"room":"project:p1","count":1}' 2
    [ "$(heard watch '"type":"room:out"')" -le 5 ]
}

@test "sixty rooms hear of one user" {
    local rooms
    start_user ann a
    rooms=$(printf ',"project:r%d"' {1..70})
    tell ann "{\"type\":\"subscribe\",\"data\":[${rooms:1}],\"ref\":1}"
    hears ann '"ref":1'
    start tail collab-tail '*'
    tailing()
    {
        [ "$(redis pubsub numpat)" -gt 0 ]
    }
    wait_until tailing
    tell ann '{"type":"presence:update","data":{"status":"away"}}'
    wait_for_line "$(here)/tail.out" '"project:r60"'
    wait_for_line "$(here)/tail.out" '"status":"away"'
    collab-emit -r project:r1 -t last
    wait_for_line "$(here)/tail.out" '"last"'
    [ "$(grep -F '"status":"away"' "$(here)/tail.out" | jq '.rooms | length' | jq -s add)" -eq 60 ]
}
