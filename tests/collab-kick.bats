load helpers

setup_file()
{
    start_redis
    jq '.notices.ack = "hello"' "$BATS_TEST_DIRNAME/../examples/kanban/catalog.json" \
        >"$BATS_FILE_TMPDIR/catalog.json"
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

start_user() # NAME NODE [USER]
{
    start_client "$1" "$2" "{\"sub\":\"${3:-$1}\",\"rooms\":[\"project:*\"]}"
    hears "$1" '"type":"hello"'
}

@test "a user is disconnected on every node, and told why" {
    start_user ann a
    start_user ann2 b ann
    start_user bob b
    run -0 collab-kick --user ann --reason 'come back "tomorrow"'
    [ "$output" = '{"disconnected":2}' ]
    hears ann '"code":"forbidden","message":"come back \"tomorrow\""'
    hears ann 'close 4501 disconnected by an administrator'
    hears ann2 'close 4501 disconnected by an administrator'
    run -1 collab-kick --user ann
    [ "$output" = '{"disconnected":0}' ]
    tell bob '{"type":"ping","ref":1}'
    hears bob '"ref":1'
}

@test "one connection, with a code that lets it come back" {
    local id
    start_user ann a
    start_user ann2 b ann
    id=$(sed -n 's/.*"connection":"\([a-z2-7]*\)".*/\1/p' "$(here)/ann.out")
    run -0 collab-kick --connection "$id" --code 4100 -q
    [ -z "$output" ]
    hears ann 'close 4100 closed by an administrator'
    tell ann2 '{"type":"ping","ref":1}'
    hears ann2 '"ref":1'
}

@test "a connection of another user is not meant" {
    start_user ann a
    id=$(sed -n 's/.*"connection":"\([a-z2-7]*\)".*/\1/p' "$(here)/ann.out")
    run -1 collab-kick --user bob --connection "$id"
    tell ann '{"type":"ping","ref":1}'
    hears ann '"ref":1'
}

@test "out of a room, with all other rooms left alone" {
    start_user ann a
    start_user ann2 b ann
    for name in ann ann2; do
        tell "$name" '{"type":"subscribe","data":["project:p1","project:p2"],"ref":1}'
        hears "$name" '"ref":1'
    done
    run -0 collab-kick --user ann --room project:p1 --reason 'too loud'
    [ "$output" = '{"left":2}' ]
    hears ann '"message":"too loud","data":{"rooms":["project:p1"]}'
    collab-emit -r project:p1 -t one
    collab-emit -r project:p2 -t two
    hears ann '"type":"two"'
    hears ann2 '"type":"two"'
    [ "$(heard ann '"one"')" -eq 0 ]
}

@test "orders that are none harm nobody" {
    start_user ann a
    redis publish collab:control '{"do":"kick","user":"ann","code":1000}' >/dev/null
    redis publish collab:control '{"do":"dance","user":"ann"}' >/dev/null
    redis publish collab:control '{"do":"kick"}' >/dev/null
    redis publish collab:control '{"do":"kick","user":7}' >/dev/null
    redis publish collab:control '{"do":"member","user":"ann","room":"a b"}' >/dev/null
    redis publish collab:control 'nonsense' >/dev/null
    tell ann '{"type":"ping","ref":1}'
    hears ann '"ref":1'
    wait_for_line "$BATS_FILE_TMPDIR/a.err" 'control: no such order'
}

@test "usage is checked" {
    run -2 collab-kick
    [ "$output" = 'collab-kick: whom? --user or --connection' ]
    run -2 collab-kick --user ann --room 'project:*'
    run -2 collab-kick --user ann --room project:p1 --code 4100
    run -2 collab-kick --user ann --code 1000
    run -3 collab-kick --user ann --redis unix:/nonexistent
}
