# Typing and cursors, on two nodes.

load helpers

setup_file()
{
    start_redis
    jq '.notices.ack = "hello"
        | .events["typing:user_typing"].expires = "1s"
        | .events.cursor = {class: "signal", need: {taskId: "id"}, to: "task:{taskId}",
            publish: "joined", user: "userId", entity: "task:{taskId}", rate: "5/1s"}
        | .messages.cursor = {action: "signal", event: "cursor"}' \
        "$BATS_TEST_DIRNAME/../examples/kanban/catalog.json" >"$BATS_FILE_TMPDIR/catalog.json"
    start_node a --node a --catalog "$BATS_FILE_TMPDIR/catalog.json"
    start_node b --node b --catalog "$BATS_FILE_TMPDIR/catalog.json"
}

teardown_file()
{
    stop_all
}

teardown()
{
    stop_all
}

# A user on a node, in task:t1.
start_user() # NAME NODE [USER]
{
    start_client "$1" "$2" "{\"sub\":\"${3:-$1}\",\"rooms\":[\"task:*\"]}"
    hears "$1" '"type":"hello"'
    tell "$1" '{"type":"subscribe","data":["task:t1"],"ref":"in"}'
    hears "$1" '"ref":"in"'
}

@test "typing goes to all in the room but the one who types, and shows no connection" {
    start_user ann a
    start_user ann2 b ann
    start_user bob b
    tell ann '{"type":"typing:start","data":{"taskId":"t1","userId":"eve"}}'
    hears bob '{"type":"typing:user_typing","room":"task:t1","user":"ann","time":'
    hears bob '"data":{"userId":"ann","taskId":"t1"}'
    hears ann2 '"typing:user_typing"'
    tell ann '{"type":"typing:stop","data":{"taskId":"t1"}}'
    hears bob '"typing:user_stopped"'
    hears ann2 '"typing:user_stopped"'
    [ "$(heard ann 'typing:')" -eq 0 ]
    [ "$(heard bob '"from"')" -eq 0 ]
    [ "$(heard bob '"id":')" -eq 0 ]
}

@test "typing ends by itself" {
    start_user ann a
    start_user bob b
    tell ann '{"type":"typing:start","data":{"taskId":"t1","commentId":"c1"}}'
    hears bob '"typing:user_typing"'
    hears bob '{"type":"typing:user_stopped","room":"task:t1","user":"ann"'
    hears bob '"data":{"userId":"ann","taskId":"t1","commentId":"c1"}'
    [ "$(heard bob '"typing:user_stopped"')" -eq 1 ]
}

@test "typing ends with the connection, and once" {
    start_user ann a
    start_user bob b
    tell ann '{"type":"typing:start","data":{"taskId":"t1"}}'
    hears bob '"typing:user_typing"'
    tell ann end
    hears bob '"typing:user_stopped"'
    tell bob '{"type":"typing:start","data":{"taskId":"t1"}}'
    collab-emit -r task:t1 -t mark
    hears bob '"type":"mark"'
    [ "$(heard bob '"typing:user_stopped"')" -eq 1 ]
}

@test "typing ends though its node is killed, once for each who heard it" {
    start_node c --node c --catalog "$BATS_FILE_TMPDIR/catalog.json"
    start_user ann c
    start_user bob a
    start_user eve b
    tell ann '{"type":"typing:start","data":{"taskId":"t1","commentId":"c9"}}'
    hears bob '"commentId":"c9"'
    hears eve '"commentId":"c9"'
    stop c KILL
    hears bob '{"type":"typing:user_stopped","room":"task:t1","user":"ann"'
    hears bob '"data":{"userId":"ann","taskId":"t1","commentId":"c9"}'
    hears eve '"typing:user_stopped"'
    start_user dan a
    tell dan '{"type":"typing:start","data":{"taskId":"t1"}}'
    hears eve '"typing:user_stopped","room":"task:t1","user":"dan"'
    [ "$(heard bob '"typing:user_stopped","room":"task:t1","user":"ann"')" -eq 1 ]
    [ "$(heard eve '"typing:user_stopped","room":"task:t1","user":"ann"')" -eq 1 ]
    [ "$(heard eve '"typing:user_stopped","room":"task:t1","user":"dan"')" -eq 1 ]
}

@test "an end that comes late is not told again" {
    start_user bob a
    # As a node does it that dies, and one that comes to itself again.
    redis_publish task:t1 '{"type":"typing:user_typing","room":"task:t1","user":"zoe","data":{"userId":"zoe","taskId":"t1"}}'
    hears bob '"typing:user_stopped","room":"task:t1","user":"zoe"'
    redis_publish task:t1 '{"type":"typing:user_stopped","room":"task:t1","user":"zoe","data":{"userId":"zoe","taskId":"t1"}}'
    redis_publish task:t1 '{"type":"mark1","room":"task:t1"}'
    hears bob '"type":"mark1"'
    [ "$(heard bob '"typing:user_stopped"')" -eq 1 ]
    redis_publish task:t1 '{"type":"typing:user_stopped","room":"task:t1","user":"zoe","data":{"userId":"zoe","taskId":"t1"}}'
    redis_publish task:t1 '{"type":"mark2","room":"task:t1"}'
    hears bob '"type":"mark2"'
    [ "$(heard bob '"typing:user_stopped"')" -eq 2 ]
}

@test "a receiver gets no more than the rate, and the latest at last" {
    start_user ann a
    start_user bob b
    # All at once, so that not much time goes by.
    tell ann "$(seq 200 | sed 's/.*/{"type":"cursor","data":{"taskId":"t1","at":&}}/')"
    hears bob '"at":200}'
    [ "$(heard bob '"type":"cursor"')" -le 20 ]
}

@test "who is not in the room says nothing there" {
    start_user bob b
    start_client eve a '{"sub":"eve","rooms":["*"]}'
    hears eve '"type":"hello"'
    tell eve '{"type":"typing:start","data":{"taskId":"t1"},"ref":1}'
    hears eve '"code":"forbidden","message":"not allowed to publish to task:t1","ref":1'
    tell eve '{"type":"typing:start","data":{},"ref":2}'
    hears eve '"ref":2'
    [ "$(heard bob 'typing:')" -eq 0 ]
}

@test "nothing of it is kept, and tools read it as any event" {
    start_user ann a
    start tail collab-tail 'task:*'
    wait_until listening
    tell ann '{"type":"typing:start","data":{"taskId":"t1"}}'
    wait_for_line "$(here)/tail.out" '{"type":"typing:user_typing","room":"task:t1","user":"ann"'
    wait_for_line "$(here)/tail.out" '"typing:user_stopped"'
    collab-emit -n <"$(here)/tail.out"
    [ "$(redis exists 'collab:history:{task:t1}')" -eq 0 ]
}

listening()
{
    [ "$(redis pubsub numpat)" -gt 0 ]
}

@test "a slow client gets the latest when it takes something again" {
    local i payload
    start_user ann a
    start_user bob b
    kill -STOP "$(pid_of bob)"
    payload=$(printf '%0100000d' 0)
    for i in {1..60}; do
        collab-emit -r task:t1 -t big -d "\"$payload\"" || true
    done
    for i in {1..300}; do
        tell ann "{\"type\":\"cursor\",\"data\":{\"taskId\":\"t1\",\"at\":$i}}"
    done
    tell ann '{"type":"ping","ref":"last"}'
    hears ann '"ref":"last"'
    kill -CONT "$(pid_of bob)"
    wait_until bob_is_done
}

# It has the latest, or has been closed for being too slow with events that are no signals.
bob_is_done()
{
    grep -qF -e '"at":300}' -e 'close 4001' "$(here)/bob.out"
}
