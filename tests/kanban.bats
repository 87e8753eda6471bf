# The system of examples/kanban, by the client library of its clients: the table in
# examples/README.md says which test is for what.

load helpers

EXAMPLE=$BATS_TEST_DIRNAME/../examples/kanban

setup_file()
{
    start_redis
    export KEY_FILE
    KEY_FILE=$(key_file)
    start_node a --node a --catalog "$EXAMPLE/catalog.json" --origin https://app.example.org \
        --origin http://localhost:5173
    A=http://$GATEWAY
    start_node b --node b --catalog "$EXAMPLE/catalog.json"
    export A B=http://$GATEWAY
}

teardown_file()
{
    stop_all
}

teardown()
{
    stop_all
}

check() # NAME [URL]...
{
    in_time node "$BATS_TEST_DIRNAME/clients/kanban.js" "$@"
}

@test "WebSocket, long-polling, and the one after the other" {
    check transports "$A"
}

@test "pinged every 25 s, gone after 20 s" {
    check heartbeat "$A"
}

@test "the port is 4000" {
    collabd --help | grep -A1 -e '--port=' | grep -F '(default: 4000)'
}

@test "pages of listed origins" {
    cors()
    {
        curl -fsS -D - -o /dev/null -H "Origin: $1" "$A/socket.io/?EIO=4&transport=polling" |
            tr -d '\r' | sed -n 's/^Access-Control-Allow-Origin: //p'
    }
    for origin in https://app.example.org http://localhost:5173; do
        [ "$(cors "$origin")" = "$origin" ]
    done
    [ -z "$(cors https://evil.example.org)" ]
}

@test "the token in auth or the query, the user in userId or sub" {
    check token "$A"
}

@test "a refusal says why" {
    check refused "$A"
}

@test "who comes, is away and goes, of two devices on two nodes" {
    check presence "$A" "$B"
}

@test "rooms are for members, and left" {
    check joining "$A"
}

@test "what is stored in a database decides" {
    echo 'ann-database project:mine' >"$BATS_TEST_TMPDIR/stored"
    cat >"$BATS_TEST_TMPDIR/helper" <<'END'
#!/bin/bash
while IFS= read -r line; do
    read -r id user room < <(jq -r '"\(.id) \(.user) \(.room)"' <<<"$line")
    grep -qx "$user $room" "${0%/*}/stored" && allow=true || allow=false
    echo "{\"id\":$id,\"allow\":$allow}"
done
END
    chmod +x "$BATS_TEST_TMPDIR/helper"
    start_node asking --catalog "$EXAMPLE/catalog.json" --authz "exec '$BATS_TEST_TMPDIR/helper'"
    check database "http://$GATEWAY"
}

@test "every event goes where it belongs, and to each once" {
    check routing "$A" "$B"
}

@test "changes of membership are told" {
    check members "$A"
}

@test "who looks at a task" {
    check viewing "$A" "$B"
}

@test "who types" {
    check typing "$A" "$B"
}

@test "connection:error says what is wrong" {
    check errors "$A"
}

@test "ids and payloads are checked" {
    jq '(.events[].need | objects | .[]) |= if . == "id" then "cuid" else . end' \
        "$EXAMPLE/catalog.json" >"$BATS_TEST_TMPDIR/strict.json"
    STRICT=$BATS_TEST_TMPDIR/strict.json check ids
}

@test "limits of a user and of a room" {
    jq '.limits = {user: "5/1m", room: "6/1m"}' "$EXAMPLE/catalog.json" >"$BATS_TEST_TMPDIR/low.json"
    start_node low --catalog "$BATS_TEST_TMPDIR/low.json"
    check limits "http://$GATEWAY"
}

@test "connections are counted" {
    start_node counted --catalog "$EXAMPLE/catalog.json"
    check metrics "http://$GATEWAY"
}

@test "large payloads are compressed" {
    start_node compressing --catalog "$EXAMPLE/catalog.json"
    check compression "http://$GATEWAY"
}

@test "what is for a user who is away waits" {
    check offline "$A" "$B"
}

@test "who comes back goes on where it was" {
    check reconnecting "$A"
}

@test "a client as its README has it" {
    check readme "$A"
}

@test "two edits of one task" {
    check conflicts "$A" "$B"
}

@test "without Redis a node serves its own, says so, and is well again by itself" {
    local a
    start_redis
    start_node a2 --catalog "$EXAMPLE/catalog.json"
    a=http://$GATEWAY
    start_node b2 --catalog "$EXAMPLE/catalog.json"
    start clients check alone "$a" "http://$GATEWAY"
    wait_for_line "$BATS_TEST_TMPDIR/clients.out" connected
    stop redis
    wait_for_line "$BATS_TEST_TMPDIR/clients.out" alone
    start_redis
    finish clients
    cat "$BATS_TEST_TMPDIR/clients.err"
    [ "$status" -eq 0 ]
}
