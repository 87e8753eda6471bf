load helpers

setup_file()
{
    start_redis
}

teardown_file()
{
    stop_all
}

setup()
{
    redis flushall >/dev/null
}

teardown()
{
    stop_all
}

# Everything that is published, a line each.
watch_redis()
{
    start watch redis-cli -s "$REDIS_SOCKET" psubscribe 'collab:room:*' collab:control
    wait_for_line "$(here)/watch.out" psubscribe
}

watched() # TEXT
{
    wait_for_line "$(here)/watch.out" "$1"
}

@test "a member is added, gets another role, and is removed" {
    run -0 collab-member add workspace:w1 ann
    [ "$output" = '{"change":"added","room":"workspace:w1","user":"ann"}' ]
    run -0 collab-member list workspace:w1
    [ "$output" = $'ann\tmember' ]
    run -0 collab-member role workspace:w1 ann admin
    [ "$output" = '{"change":"changed","room":"workspace:w1","user":"ann","role":"admin"}' ]
    run -0 collab-member add workspace:w1 ann
    [ "$output" = '{"change":"unchanged","room":"workspace:w1","user":"ann"}' ]
    run -0 collab-member list workspace:w1 --format json
    [ "$output" = '{"user":"ann","role":"admin"}' ]
    run -0 collab-member remove workspace:w1 ann
    [ "$output" = '{"change":"removed","room":"workspace:w1","user":"ann"}' ]
    run -1 collab-member list workspace:w1
    [ -z "$output" ]
}

@test "who is no member has no role and can't be removed" {
    run -1 collab-member role workspace:w1 ann admin
    [ "$output" = 'collab-member: ann is no member of workspace:w1' ]
    run -1 collab-member remove workspace:w1 ann
    [ "$output" = 'collab-member: ann is no member of workspace:w1' ]
    run -1 collab-member rooms ann
    [ -z "$output" ]
}

@test "the rooms of a user, as the rooms have it" {
    collab-member -q add workspace:w1 ann admin
    collab-member -q add project:p1 ann
    collab-member -q add project:p2 bob
    redis sadd 'collab:member-of:{ann}' project:p3 >/dev/null
    run -0 collab-member rooms ann
    [ "$output" = $'project:p1\tmember\nworkspace:w1\tadmin' ]
}

@test "the catalog's events tell of each change, in the same step" {
    watch_redis
    collab-member -q add workspace:w1 ann
    watched '"type":"member:joined","room":"workspace:w1","user":"ann","time":'
    watched '"data":{"workspaceId":"w1","userId":"ann","role":"member"}}'
    collab-member -q role workspace:w1 ann admin
    watched '"data":{"workspaceId":"w1","userId":"ann","role":"admin"}}'
    watched '{"do":"member","room":"workspace:w1","user":"ann","role":"admin"}'
    collab-member -q remove workspace:w1 ann
    watched '"type":"member:left"'
    watched '{"do":"member","room":"workspace:w1","user":"ann"}'
}

@test "an event that goes to several rooms is told in each" {
    watch_redis
    collab-member -q -c "$BATS_TEST_DIRNAME/../examples/todo/catalog.json" add workspace:w1 ann
    watched '"room":"user:ann","rooms":["workspace:w1","user:ann"]'
    watched '"room":"workspace:w1","rooms":["workspace:w1","user:ann"]'
}

@test "the catalog in force names the events" {
    jq -c '.rooms["workspace:{workspaceId}"].members.added = "hello"
        | .events.hello = {"class": "live"}' \
        "$BATS_TEST_DIRNAME/../examples/kanban/catalog.json" |
        redis -x set collab:catalog >/dev/null
    watch_redis
    collab-member -q add workspace:w1 ann
    watched '"type":"hello"'
}

@test "many from lines of JSON, and each fault with its line" {
    printf '%s\n' '{"room":"workspace:w1","user":"ann","role":"admin"}' \
        '{"op":"add","room":"workspace:w1","user":"bob"}' \
        '' \
        '{"op":"drop","room":"workspace:w1","user":"bob"}' \
        '{"room":"workspace w1","user":"bob"}' \
        '{"op":"remove","room":"workspace:w1","user":"bob"}' \
        '{"op":"remove","room":"workspace:w1","user":"eve"}' \
        '{"room":"workspace:w1","user":"eve","rolle":"x"}' \
        '{"room":"workspace:w1"' >"$BATS_TEST_TMPDIR/in"
    run -1 --separate-stderr collab-member load "$BATS_TEST_TMPDIR/in"
    [ "$(sort -u <<<"$output" | wc -l)" -eq 3 ]
    [[ "$stderr" = *'line 4: op: must be add, role or remove'* ]]
    [[ "$stderr" = *'line 5: '* ]]
    [[ "$stderr" = *'line 7: eve is no member of workspace:w1'* ]]
    [[ "$stderr" = *'line 8: "rolle": no such field'* ]]
    [[ "$stderr" = *'line 9: '* ]]
    run -0 collab-member list workspace:w1
    [ "$output" = $'ann\tadmin' ]
}

@test "thousands from standard input" {
    seq 5000 | sed 's/.*/{"room":"project:p1","user":"u&"}/' | collab-member -q load
    [ "$(collab-member list project:p1 | wc -l)" -eq 5000 ]
    [ "$(redis hlen 'collab:members:{project:p1}')" -eq 5000 ]
}

@test "scripts that Redis was made to forget are sent again" {
    seq 3000 | sed 's/.*/{"room":"project:p1","user":"u&"}/' >"$BATS_TEST_TMPDIR/in"
    start flush bash -c 'for i in {1..50}; do redis-cli -s "$REDIS_SOCKET" script flush; done'
    collab-member -q load "$BATS_TEST_TMPDIR/in"
    finish flush
    [ "$(redis hlen 'collab:members:{project:p1}')" -eq 3000 ]
}

@test "usage is checked" {
    run -2 collab-member
    [ "$output" = 'collab-member: a command is missing: add, remove, role, list, rooms or load' ]
    run -2 collab-member ad workspace:w1 ann
    [ "$output" = 'collab-member: unknown command "ad" (did you mean add?)' ]
    run -2 collab-member role workspace:w1 ann
    [ "$output" = 'collab-member: usage: collab-member role ROOM USER ROLE' ]
    run -2 collab-member add 'workspace:*' ann
    [[ "$output" = 'collab-member: room "workspace:*": '* ]]
    run -2 collab-member remove workspace:w1 ''
    [ "$output" = 'collab-member: user: must be a string of 1 to 200 bytes, found one of 0' ]
    run -2 collab-member list 'workspace:*'
    run -3 collab-member --redis unix:/nonexistent list workspace:w1
}
