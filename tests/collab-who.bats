load helpers

setup_file()
{
    start_redis
    jq '.notices.ack = "hello" | .presence.grace = "100ms"' \
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
    wait_until nobody_is_there
}

nobody_is_there()
{
    [ "$(collab-who)" = '' ]
}

start_user() # NAME NODE [USER [ROOM]...]
{
    start_client "$1" "$2" "{\"sub\":\"${3:-$1}\",\"rooms\":[\"*\"]}"
    hears "$1" '"type":"hello"'
    local name=$1
    for room in "${@:4}"; do
        tell "$name" "{\"type\":\"subscribe\",\"data\":[\"$room\"],\"ref\":\"$room\"}"
        hears "$name" "\"ref\":\"$room\""
    done
}

@test "nobody is anywhere" {
    run -1 collab-who
    run -1 collab-who project:p1
    run -1 collab-who ann
    [ -z "$output" ]
}

@test "rooms with the number of their users, a room's users, a user's connections" {
    start_user ann a ann project:p1 project:p2
    start_user ann2 b ann project:p1
    start_user bob b 'b\"ob' project:p1
    tell bob '{"type":"presence:update","data":{"status":"away"}}'
    away()
    {
        collab-who project:p1 | grep -q away
    }
    wait_until away
    run -0 collab-who
    [ "$(tr -s ' ' <<<"$output")" = $'project:p1 2\nproject:p2 1' ]
    run -0 collab-who --format json
    [ "$output" = $'{"room":"project:p1","count":2}\n{"room":"project:p2","count":1}' ]
    run -0 collab-who project:p1
    [ "$(tr -s ' ' <<<"$output")" = $'ann online 2\nb"ob away 1' ]
    run -0 collab-who project:p1 --format json
    [ "${lines[1]}" = '{"user":"b\"ob","status":"away","connections":1}' ]
    run -0 collab-who ann --format json
    [ "${#lines[@]}" -eq 2 ]
    [ "$(jq -r .node <<<"$output" | sort | tr '\n' ' ')" = 'a b ' ]
    [ "$(jq -r '.user + .status' <<<"$output" | sort -u)" = annonline ]
    run -0 collab-who 'b"ob'
    [[ "$output" = *' away '* ]]
}

@test "a user whose name could be a room's" {
    start_user ann a user:ann project:p1
    run -1 collab-who user:ann
    run -0 collab-who -u user:ann
    [[ "$output" = *' online '* ]]
}

@test "who comes and goes, and rooms that become occupied and vacated" {
    start all collab-who --watch --format json
    start p1 collab-who --watch project:p1
    start ann collab-who --watch ann -C 2
    for name in all p1 ann; do
        wait_for_line "$(here)/$name.err" watching
    done
    mv "$(here)/ann.pid" "$(here)/watch-ann.pid"
    start_user user a ann project:p1
    wait_for_line "$(here)/all.out" '"type":"occupied","room":"project:p1","count":1}'
    wait_for_line "$(here)/all.out" '"type":"online","user":"ann"}'
    wait_for_line "$(here)/p1.out" ' join project:p1 ann 1'
    start_user user2 b bob project:p1
    wait_for_line "$(here)/p1.out" ' join project:p1 bob 2'
    tell user end
    wait_for_line "$(here)/p1.out" ' leave project:p1 ann 1'
    tell user2 end
    wait_for_line "$(here)/p1.out" ' vacated project:p1 0'
    [ "$(grep -c occupied "$(here)/p1.out")" -eq 1 ]
    run ! grep -q online "$(here)/p1.out"
    finish watch-ann
    [ "$status" -eq 0 ]
}

@test "users of a dead node are not shown" {
    start_node c --node c --catalog "$BATS_FILE_TMPDIR/catalog.json" --lease 10m
    start_user ann c ann project:p1
    stop c KILL
    run -0 collab-who project:p1
    expire_lease c
    run -1 collab-who project:p1
    run -1 collab-who ann
}

@test "usage is checked" {
    run -2 collab-who a b
    run -2 collab-who -C 3
    run -2 collab-who --user
    [ "$output" = 'collab-who: --user says that the operand is a user, and there is none' ]
    run -3 collab-who --redis unix:/nonexistent
    run -3 collab-who --redis "unix://ann:wrong@$REDIS_SOCKET"
    [[ "$output" = "collab-who: unix:$REDIS_SOCKET: WRONGPASS "* ]]
}
