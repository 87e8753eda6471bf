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

# Asks, and is answered, or over its rate.
ask() # NAME REF
{
    tell "$1" '{"type":"ping","ref":"'"$2"'"}'
}

is_served() # NAME REF...
{
    local ref
    for ref in "${@:2}"; do
        ask "$1" "$ref"
        hears "$1" '"type":"pong","ref":"'"$ref"'"'
    done
}

is_limited() # NAME REF
{
    ask "$1" "$2"
    hears "$1" '"ref":"'"$2"'"'
    grep -q '"code":"rate_limited".*"ref":"'"$2"'"' "$(here)/$1.out"
}

counted_is() # NAME N
{
    [ "$(redis get "collab:count:$1")" = "$2" ]
}

@test "a client's limit is lifted" {
    local id
    start_node c --node c --catalog "$BATS_FILE_TMPDIR/catalog.json" --client-rate 2/1h
    start_user ann c
    start_user ben c
    for name in ann ben; do
        is_served $name 1 2
        is_limited $name 3
    done
    id=$(sed -n 's/.*"connection":"\([a-z2-7]*\)".*/\1/p' "$(here)/ann.out")
    run -0 collab-kick --reset --connection "$id"
    [ "$output" = '{"reset":1}' ]
    is_served ann 4 5
    is_limited ben 4
}

@test "a user's limit is lifted, on all nodes" {
    local node
    for node in c d; do
        start_node $node --node $node --catalog "$BATS_FILE_TMPDIR/catalog.json" \
            --client-rate 3/1h --user-rate 4/1h
        start_user zoe-$node $node zoe
    done
    is_served zoe-c 1 2 3
    is_served zoe-d 1
    is_limited zoe-c 4
    wait_until counted_is u:zoe 4
    run -0 collab-kick --reset --user zoe
    # Two clients', and the user's on each node.
    [ "$output" = '{"reset":4}' ]
    run -1 collab-kick --reset --user zoe
    [ "$output" = '{"reset":0}' ]
    is_served zoe-c 5 6 7
    is_served zoe-d 2
}

publish() # NAME REF CODE
{
    tell "$1" '{"type":"publish","ref":"'"$2"'","data":{"type":"a","room":"project:p1"}}'
    hears "$1" '"ref":"'"$2"'"'
    grep -q "$3"'.*"ref":"'"$2"'"' "$(here)/$1.out"
}

@test "a room's limit is lifted, and an address'" {
    local i attempt
    start_node c --node c --catalog "$BATS_FILE_TMPDIR/catalog.json" --room-rate 1/1h --auth-rate 2/1h
    attempt="curl -s -o /dev/null -w %{http_code} http://$GATEWAY/api/v1/events -d x"
    for i in 401 401 429; do
        [ "$($attempt -H 'Authorization: Bearer none')" = $i ]
    done
    run -0 collab-kick --reset --address 127.0.0.1
    [ "$output" = '{"reset":1}' ]
    [ "$($attempt -H 'Authorization: Bearer none')" = 401 ]
    run -1 collab-kick --reset --address 2001:db8::1
    start_client pub c '{"sub":"pub","rooms":["project:*"],"publish":["project:*"]}'
    hears pub '"type":"hello"'
    publish pub 1 '"type":"published"'
    publish pub 2 '"code":"rate_limited"'
    run -0 collab-kick --reset --room project:p1
    publish pub 3 '"type":"published"'
}

@test "a gateway is drained by its name" {
    start_node c --node c --catalog "$BATS_FILE_TMPDIR/catalog.json" --drain 50ms
    start_user ann c
    start_user ben a
    run -0 collab-kick --drain c
    [ "$output" = '{"draining":1}' ]
    hears ann '"code":"restarting"'
    hears ann 'close 1012 the gateway restarts'
    finish c
    [ "$status" -eq 0 ]
    run -1 collab-kick --drain c
    is_served ben 1
}

@test "orders that are none harm nobody" {
    start_user ann a
    redis publish collab:control '{"do":"kick","user":"ann","code":1000}' >/dev/null
    redis publish collab:control '{"do":"dance","user":"ann"}' >/dev/null
    redis publish collab:control '{"do":"kick"}' >/dev/null
    redis publish collab:control '{"do":"kick","user":7}' >/dev/null
    redis publish collab:control '{"do":"member","user":"ann","room":"a b"}' >/dev/null
    redis publish collab:control '{"do":"drain"}' >/dev/null
    redis publish collab:control '{"do":"drain","node":"nobody"}' >/dev/null
    redis publish collab:control '{"do":"reset"}' >/dev/null
    redis publish collab:control '{"do":"reset","address":"nowhere"}' >/dev/null
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
    run -2 collab-kick --reset
    [ "$output" = 'collab-kick: whose? --user, --connection, --address or --room' ]
    run -2 collab-kick --address 127.0.0.1
    run -2 collab-kick --reset --address localhost
    [ "$output" = 'collab-kick: --address: "localhost": not an IP address' ]
    run -2 collab-kick ann
    [ "$output" = 'collab-kick: unexpected operand ann' ]
    run -2 collab-kick --reset --user ann --reason why
    run -2 collab-kick --drain a --user ann
    run -2 collab-kick --drain 'a b'
    run -3 collab-kick --user ann --redis unix:/nonexistent
}
