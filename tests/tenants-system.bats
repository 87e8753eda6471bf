# The system of examples/tenants, by the client library of its clients: the table in
# examples/README.md says which test is for what.

load helpers

EXAMPLE=$BATS_TEST_DIRNAME/../examples/tenants

setup_file()
{
    start_redis
    export KEY_FILE
    KEY_FILE=$(key_file)
    start_node a --node a --catalog "$EXAMPLE/catalog.json"
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
    in_time node "$BATS_TEST_DIRNAME/clients/tenants-system.js" "$@"
}

@test "the token in auth, the header or the query" {
    check places "$A"
}

@test "no entry without a verified address" {
    check unverified "$A"
}

@test "of others a database says whether they exist and are verified" {
    printf '%s\n' 'verified-asked true' 'unverified-asked false' >"$BATS_TEST_TMPDIR/stored"
    cat >"$BATS_TEST_TMPDIR/helper" <<'END'
#!/bin/bash
while IFS= read -r line; do
    read -r id ask user < <(jq -r '"\(.id) \(.ask) \(.user)"' <<<"$line")
    [ "$ask" = connect ] && grep -qx "$user true" "${0%/*}/stored" && allow=true || allow=false
    echo "{\"id\":$id,\"allow\":$allow}"
done
END
    chmod +x "$BATS_TEST_TMPDIR/helper"
    start_node asking --catalog "$EXAMPLE/catalog.json" --authz "exec '$BATS_TEST_TMPDIR/helper'"
    check asked "http://$GATEWAY"
}

@test "in the user's and the tenant's room by itself, in others by membership" {
    check joining "$A"
}

@test "events of projects, channels and users" {
    check events "$A" "$B"
}

@test "typing in a channel" {
    check typing "$A" "$B"
}

@test "how many are in a room, and who is online, away and offline" {
    check people "$A" "$B"
}

@test "who knows all names of another tenant hears nothing of it" {
    check isolation "$A" "$B"
}

@test "a ping every 25 s" {
    check heartbeat "$A"
}

@test "the README's client queues, backs off, shows its state and drops what has changed" {
    local port
    start_node mine --catalog "$EXAMPLE/catalog.json"
    port=${GATEWAY##*:}
    start clients check readme "http://$GATEWAY"
    wait_for_line "$BATS_TEST_TMPDIR/clients.out" connected
    stop mine KILL
    wait_for_line "$BATS_TEST_TMPDIR/clients.out" written
    start_node mine --port "$port" --catalog "$EXAMPLE/catalog.json"
    finish clients
    cat "$BATS_TEST_TMPDIR/clients.err"
    [ "$status" -eq 0 ]
}

@test "REDIS_URL and FRONTEND_URL" {
    local origin=https://app.example.org url=$COLLAB_REDIS
    unset COLLAB_REDIS
    REDIS_URL=$url FRONTEND_URL=$origin \
        start run "$EXAMPLE/run" --port 0 --key-file "$KEY_FILE" --node by-run
    wait_for_line "$(here)/run.out" 'ready '
    GATEWAY=$(sed -n 's,^ready http://,,p' "$(here)/run.out")
    curl -fsS -D - -o /dev/null -H "Origin: $origin" \
        "http://$GATEWAY/socket.io/?EIO=4&transport=polling" | tr -d '\r' |
        grep -x "Access-Control-Allow-Origin: $origin"
    collab-stats --redis "$url" | grep by-run
}
