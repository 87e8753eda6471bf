# The authorization helper that asks PostgreSQL, and what happens when it cannot.

load helpers
load postgres

setup()
{
    start_redis
    start_database
    AUTHZ=$BATS_TEST_DIRNAME/../examples/authz-postgres
    psql -qv ON_ERROR_STOP=1 -f "$AUTHZ/schema.sql"
    psql -qc "INSERT INTO users VALUES ('ann', 'ann@example.org', true), ('bob', 'bob@example.org', true),
        ('eve', 'eve@example.org', false)" \
        -c "INSERT INTO memberships VALUES ('project:p1', 'ann'), ('project:p1', 'bob'), ('project:p1', 'eve')"
    jq '.notices.ack = "hello" | .auth.helper = "always"
        | .rooms["project:{projectId}"] = {join: "helper"}' \
        "$BATS_TEST_DIRNAME/../examples/kanban/catalog.json" >"$BATS_TEST_TMPDIR/catalog.json"
    start_gateway a
}

teardown()
{
    stop_all
    rm -rf "$PGHOST"
}

start_gateway() # NAME
{
    start_node "$1" --node "$1" --catalog "$BATS_TEST_TMPDIR/catalog.json" --authz-time 20s \
        --authz "exec '$AUTHZ/authz-postgres'"
    wait_until listeners "${2:-1}"
}

listeners() # COUNT
{
    [ "$(psql -Atc "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN %' OR query LIKE '%may_%'
        AND pid <> pg_backend_pid()")" -ge "$1" ]
}

connect() # NAME NODE [USER]
{
    start_client "$1" "$2" "{\"sub\":\"${3:-$1}\",\"rooms\":[]}"
}

join() # NAME ROOM REF
{
    tell "$1" "{\"type\":\"subscribe\",\"data\":[\"$2\"],\"ref\":\"$3\"}"
    hears "$1" "\"ref\":\"$3\""
}

@test "who has no verified address does not get in, until it is" {
    connect eve a
    hears eve '"code":"forbidden","message":"the authorization helper says no"'
    hears eve 'close 1008'
    psql -qc "UPDATE users SET email_verified = true WHERE id = 'eve'"
    tries=0
    lets_in()
    {
        local name=eve$((++tries))
        connect $name a eve
        wait_until grep -qE 'hello|close' "$(here)/$name.out"
        grep -qF '"type":"hello"' "$(here)/$name.out"
    }
    wait_until lets_in
}

@test "a membership that SQL grants and revokes counts on every node, at once" {
    start_gateway b 2
    connect ann a
    connect bob b
    join ann project:p1 1
    join bob project:p1 1
    hears ann '"type":"subscribed"'
    hears bob '"type":"subscribed"'
    join ann project:p2 2
    hears ann '"code":"forbidden"'
    psql -qc "DELETE FROM memberships WHERE user_id = 'bob'" \
        -c "INSERT INTO memberships VALUES ('project:p2', 'ann')"
    hears bob '"code":"forbidden","message":"the authorization helper says no","data":{"rooms":["project:p1"]}'
    granted()
    {
        join ann project:p2 "$RANDOM"
        grep -qF '"rooms":["project:p2"]' "$(here)/ann.out"
    }
    wait_until granted
    join bob project:p1 3
    collab-emit -r project:p1 -t task:created -d '{"taskId":"t1","projectId":"p1"}'
    hears ann '"task:created"'
    join bob project:p1 4
    [ "$(heard bob '"task:created"')" -eq 0 ]
    [ "$(heard ann forbidden)" -ge 1 ]
}

@test "a user who is taken back goes at once" {
    connect ann a
    hears ann '"type":"hello"'
    psql -qc "DELETE FROM users WHERE id = 'ann'"
    hears ann '"code":"forbidden"'
    hears ann 'close 1008'
}

@test "without the database nobody is let in, those within stay, and all is judged when it is back" {
    connect ann a
    connect bob a
    join ann project:p1 1
    join bob project:p1 1
    hears ann '"type":"subscribed"'
    hears bob '"type":"subscribed"'
    stop postgres QUIT
    connect late a ann2
    hears late '"code":"unavailable"'
    hears late 'close 4004'
    join ann project:p3 2
    hears ann '"code":"unavailable","message":"the authorization helper'
    [ "$(heard ann 'close ')" -eq 0 ]
    start_postgres
    psql -qc "DELETE FROM memberships WHERE user_id = 'bob'"
    hears bob '"code":"forbidden","message":"the authorization helper says no","data":{"rooms":["project:p1"]}'
    connect back a ann
    hears back '"type":"hello"'
    collab-emit -r project:p1 -t task:created -d '{"taskId":"t1","projectId":"p1"}'
    hears ann '"task:created"'
    [ "$(heard bob '"task:created"')" -eq 0 ]
}
