# Members of rooms, and what becomes of their clients on two nodes.

load helpers

setup_file()
{
    start_redis
    jq '.rooms["team:{teamId}"] = {join: "member", roles: ["admin", "editor"]}
        | .rooms["team:{teamId}:board:{boardId}"] =
            {join: "member", parent: "team:{teamId}", roles: ["admin"], auto: true}
        | .rooms["club:{clubId}"] = {join: "member", auto: true}
        | .events.note = {class: "live", to: "club:{clubId}", publish: "member"}
        | .events.order = {class: "live", to: "team:{teamId}", publish: "member", roles: ["admin"]}
        | .messages.note = {action: "publish", event: "note"}
        | .messages.order = {action: "publish", event: "order"}
        | .notices.ack = "hello"' \
        "$BATS_TEST_DIRNAME/../examples/kanban/catalog.json" >"$BATS_FILE_TMPDIR/catalog.json"
    start_node a --node a --catalog "$BATS_FILE_TMPDIR/catalog.json"
    start_node b --node b --catalog "$BATS_FILE_TMPDIR/catalog.json"
}

teardown_file()
{
    stop_all
}

setup()
{
    local keys
    keys=$(redis --scan --pattern 'collab:member*')
    [ -z "$keys" ] || xargs redis-cli -s "$REDIS_SOCKET" del <<<"$keys" >/dev/null
}

teardown()
{
    stop_all
}

# A user on a node, greeted.
start_user() # NAME NODE [MORE CLAIMS]
{
    start_client "$1" "$2" "{\"sub\":\"$1\",\"rooms\":[]${3:+,$3}}"
    hears "$1" '"type":"hello"'
}

join() # NAME ROOM
{
    tell "$1" "{\"type\":\"subscribe\",\"data\":[\"$2\"],\"ref\":\"$2\"}"
    hears "$1" "\"ref\":\"$2\""
}

@test "a member may join, who is none may not" {
    collab-member -q add workspace:w1 ann
    start_user ann a
    start_user eve b
    join ann workspace:w1
    hears ann '{"type":"subscribed","data":{"rooms":["workspace:w1"]},"ref":"workspace:w1"'
    join eve workspace:w1
    hears eve '"code":"forbidden","message":"not allowed in this room"'
    collab-emit -r workspace:w1 -t memo
    hears ann '"type":"memo"'
    [ "$(heard eve memo)" -eq 0 ]
}

@test "a role that is too low is told, a higher one is enough" {
    collab-member -q add team:t1 ann viewer
    start_user ann a
    join ann team:t1
    hears ann '"message":"not allowed in this room as viewer"'
    collab-member -q role team:t1 ann editor
    tell ann '{"type":"subscribe","data":["team:t1"],"ref":2}'
    hears ann '{"type":"subscribed","data":{"rooms":["team:t1"]},"ref":2'
}

@test "removing a member ends its joins on every node, of all its devices, at once" {
    collab-member -q add workspace:w1 ann
    collab-member -q add workspace:w1 bob
    start_user ann a
    start_client ann2 b '{"sub":"ann","rooms":[]}'
    start_user bob b
    join ann workspace:w1
    join ann2 workspace:w1
    join bob workspace:w1
    collab-member -q remove workspace:w1 ann
    collab-emit -r workspace:w1 -t memo
    hears bob '"type":"memo"'
    hears ann '"code":"forbidden","message":"a membership has changed","data":{"rooms":["workspace:w1"]}'
    hears ann2 '"message":"a membership has changed"'
    hears bob '"type":"member:left"'
    collab-emit -r user:ann -t last
    hears ann '"type":"last"'
    hears ann2 '"type":"last"'
    [ "$(heard ann '"memo"')" -eq 0 ]
    [ "$(heard ann2 '"memo"')" -eq 0 ]
    [ "$(heard ann 'member:left')" -eq 0 ]
}

@test "a role that falls ends joins, one that is still enough does not" {
    collab-member -q add team:t1 ann admin
    start_user ann a
    join ann team:t1
    collab-member -q role team:t1 ann editor
    collab-emit -r team:t1 -t one
    hears ann '"type":"one"'
    collab-member -q role team:t1 ann viewer
    hears ann '"message":"a membership has changed"'
    collab-emit -r team:t1 -t two
    collab-emit -r user:ann -t last
    hears ann '"type":"last"'
    [ "$(heard ann '"two"')" -eq 0 ]
}

@test "a grant of the token outlives the membership" {
    collab-member -q add workspace:w1 ann
    start_client ann a '{"sub":"ann","rooms":["workspace:*"]}'
    hears ann '"type":"hello"'
    join ann workspace:w1
    collab-member -q remove workspace:w1 ann
    hears ann '"type":"member:left"'
    collab-emit -r workspace:w1 -t memo
    hears ann '"type":"memo"'
}

@test "members of the parent room are members, and lose it with the parent" {
    collab-member -q add team:t1 ann admin
    collab-member -q add team:t1 bob editor
    start_user ann a
    start_user bob a
    join ann team:t1:board:b1
    hears ann '"rooms":["team:t1:board:b1"]'
    join bob team:t1:board:b1
    hears bob '"message":"not allowed in this room as editor"'
    join ann team:t2:board:b1
    hears ann '"room":"team:t2:board:b1","code":"forbidden"'
    collab-member -q remove team:t1 ann
    hears ann '"message":"a membership has changed","data":{"rooms":["team:t1:board:b1"]}'
}

@test "rooms that are joined by themselves, when the list of rooms is right" {
    collab-member -q add club:c1 ann
    collab-member -q add club:c2 ann
    collab-member -q add team:t1 ann admin
    redis hdel 'collab:members:{club:c2}' ann >/dev/null
    start_user ann a
    collab-emit -r club:c1 -t one
    hears ann '"type":"one"'
    collab-emit -r club:c2 -t two
    collab-emit -r team:t1 -t three
    collab-emit -r user:ann -t last
    hears ann '"type":"last"'
    [ "$(heard ann '"two"')" -eq 0 ]
    [ "$(heard ann '"three"')" -eq 0 ]
}

# The room is among those that Redis sends events of.
is_open() # ROOM NODES
{
    [ "$(redis pubsub numsub "collab:room:$1" | tail -n 1)" = "$2" ]
}

@test "a new member is in a room that is joined by itself at once, on every node" {
    start_user ann a
    start_client phone b '{"sub":"ann","rooms":[]}'
    hears phone '"type":"hello"'
    collab-member -q add team:t1 ann admin
    collab-member -q add club:c1 ann
    wait_until is_open club:c1 2
    collab-emit -r club:c1 -t one
    hears ann '"type":"one"'
    hears phone '"type":"one"'
    is_open team:t1 0
    collab-member -q remove club:c1 ann
    wait_until is_open club:c1 0
}

@test "members publish, by their role, without having joined" {
    collab-member -q add club:c1 bob
    start_user bob b
    collab-member -q add club:c1 ann
    collab-member -q add team:t1 ann editor
    start_user ann a
    tell ann '{"type":"note","data":{"clubId":"c1","n":1},"ref":1}'
    hears bob '"type":"note","room":"club:c1","user":"ann"'
    hears ann '"ref":1'
    tell ann '{"type":"note","data":{"clubId":"c2"},"ref":2}'
    hears ann '"code":"forbidden","message":"not allowed to publish to club:c2","ref":2'
    tell ann '{"type":"order","data":{"teamId":"t1"},"ref":3}'
    hears ann '"message":"not allowed to publish to team:t1","ref":3'
    collab-member -q role team:t1 ann admin
    tell ann '{"type":"order","data":{"teamId":"t1"},"ref":4}'
    hears ann '{"type":"published","data":{"rooms":["team:t1"]},"ref":4'
}

@test "a pattern is no room, and a member of a pattern there is none" {
    redis hset 'collab:members:{workspace:*}' ann member >/dev/null
    start_user ann a
    join ann 'workspace:*'
    hears ann '"code":"bad_room"'
    join ann 'workspace'
    hears ann '"ref":"workspace"'
    [ "$(heard ann '"type":"subscribed"')" -eq 0 ]
}

@test "a refreshed token with fewer grants ends the joins that it doesn't give" {
    start_client ann a '{"sub":"ann","rooms":["project:p1","project:p2"]}'
    hears ann '"type":"hello"'
    join ann project:p1
    join ann project:p2
    tell ann "{\"type\":\"authenticate\",\"data\":{\"token\":\"$(token '{"sub":"ann","rooms":["project:p1"]}')\"}}"
    hears ann '"message":"not allowed in this room","data":{"rooms":["project:p2"]}'
    collab-emit -r project:p2 -t two
    collab-emit -r project:p1 -t one
    hears ann '"type":"one"'
    [ "$(heard ann '"two"')" -eq 0 ]
}

@test "an expired grant ends the connection, unless it was refreshed" {
    start_client ann a "{\"sub\":\"ann\",\"rooms\":[\"*\"],\"exp\":$(($(date +%s) + 2))}"
    start_client bob a "{\"sub\":\"bob\",\"rooms\":[\"*\"],\"exp\":$(($(date +%s) + 2))}"
    hears bob '"type":"hello"'
    tell bob "{\"type\":\"authenticate\",\"data\":{\"token\":\"$(token '{"sub":"bob","rooms":["*"]}')\"}}"
    hears ann 'close 4002 token expired'
    join bob project:p1
    hears bob '"rooms":["project:p1"]'
}

@test "what was changed while a node had no Redis is found when it has it again" {
    collab-member -q add workspace:w1 ann
    start_user ann a
    join ann workspace:w1
    redis hdel 'collab:members:{workspace:w1}' ann >/dev/null
    redis client kill type pubsub >/dev/null
    hears ann '"message":"not allowed in this room","data":{"rooms":["workspace:w1"]}'
}

@test "who came while a node had no Redis is in the rooms of their user when it has it again" {
    collab-member -q add club:c1 ann
    start_node c --node c --catalog "$BATS_FILE_TMPDIR/catalog.json" \
        --redis "unix:$BATS_TEST_TMPDIR/late.sock"
    start_user ann c
    ln -s "$REDIS_SOCKET" "$BATS_TEST_TMPDIR/late.sock"
    wait_until is_open club:c1 1
    collab-emit -r club:c1 -t one
    hears ann '"type":"one"'
}

@test "membership that can't be asked for is no" {
    start_node c --node c --catalog "$BATS_FILE_TMPDIR/catalog.json" --redis unix:/nonexistent
    start_user ann c
    join ann workspace:w1
    hears ann '"code":"unavailable"'
}
