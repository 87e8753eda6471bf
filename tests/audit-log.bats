load helpers
load postgres

setup()
{
    start_redis
    start_database
    AUDIT=$BATS_TEST_DIRNAME/../examples/audit-log/audit-log
}

teardown()
{
    stop_all
    rm -rf "$PGHOST"
}

publish() # FIRST LAST
{
    seq "$1" "$2" |
        sed "s/.*/{\"type\":\"comment:created\",\"room\":\"task:t1\",\"data\":{\"taskId\":\"t1\",\"commentId\":\"c\",\"said\":\"it's \\\\\\\\ 'so'\",\"n\":&}}/" |
        collab-emit -c "$BATS_TEST_DIRNAME/../examples/kanban/catalog.json"
}

# In a process group of its own, so that all of its parts can be killed.
start_audit()
{
    start audit setsid "$AUDIT" 'task:*'
}

kill_audit()
{
    kill -KILL -- -"$(pid_of audit)"
    finish audit
}

numbers()
{
    psql -Atc "SELECT event -> 'data' ->> 'n' FROM audit ORDER BY epoch, seq" 2>/dev/null
}

has() # COUNT
{
    [ "$(numbers | wc -l)" -ge "$1" ]
}

@test "every kept event is in the table once, whatever is killed" {
    publish 1 100
    start_audit
    wait_until has 100
    publish 101 300
    wait_until has 120
    kill_audit
    publish 301 400
    start_audit
    wait_until has 310
    kill -KILL "$(pgrep -g "$(pid_of audit)" -x psql)"
    finish audit
    start_audit
    wait_until has 350
    stop postgres QUIT
    publish 401 500 # psql finds it gone when it has something to say
    finish audit
    start_postgres
    start_audit
    wait_until has 500
    kill_audit
    numbers | diff - <(seq 500)
    [ "$(psql -Atc 'SELECT count(*) FROM audit_gap')" = 0 ]
    [ "$(psql -Atc "SELECT DISTINCT event -> 'data' ->> 'said' FROM audit")" = "it's \\ 'so'" ]
}

@test "what was dropped before it was read is in the other table" {
    publish 1 10
    start_audit
    wait_until has 10
    kill_audit
    publish 11 1101
    start_audit
    wait_until has 1010
    kill_audit
    [ "$(psql -Atc "SELECT split_part(after, '-', 2), split_part(before, '-', 2) FROM audit_gap")" = '9|101' ]
}

@test "what clients hear is what is in the table" {
    local catalog=$BATS_TEST_DIRNAME/../examples/versions/catalog.json
    export KEY_FILE
    KEY_FILE=$(key_file)
    start_collabd --catalog "$catalog"
    start audit setsid "$AUDIT" 'project:*'
    run -0 node "$BATS_TEST_DIRNAME/clients/versions.js" audit "http://$GATEWAY"
    [ "${#lines[@]}" -eq 5 ]
    wait_until has 5
    kill_audit
    psql -Atc "SELECT event ->> 'version', event ->> 'user', event -> 'data' ->> 'n' FROM audit
        ORDER BY epoch, seq" | diff - <(printf '%s\n' "${lines[@]}")
}
