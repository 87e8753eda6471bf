# The scripts of examples/recipes.

load helpers

setup()
{
    PATH=$(realpath "$BATS_TEST_DIRNAME/../examples/recipes"):$PATH
    cd "$BATS_TEST_TMPDIR" || return
    start_redis
    start_collabd
    wait_until collab-catalog check 2>/dev/null
}

teardown()
{
    stop_all
    [ -z "${POSTGRES:-}" ] || rm -rf "$POSTGRES"
}

# A tool that listens to Redis by now.
listens()
{
    [ "$(redis pubsub numpat)" -gt 0 ] || [ -n "$(redis pubsub channels 'collab:room:*')" ]
}

# A tail whose output is in heard.out.
listen() # [OPTION|ROOM]...
{
    start heard collab-tail "$@"
    wait_until listens
}

emit() # ROOM TYPE DATA [OPTION]...
{
    collab-emit -q --room "$1" --type "$2" --data "$3" "${@:4}"
}

has_lines() # FILE COUNT
{
    [ "$(wc -l <"$1")" -eq "$2" ]
}

comment() # N [OPTION]...
{
    emit task:t1 comment:created "{\"taskId\":\"t1\",\"commentId\":\"c$1\",\"n\":$1}" "${@:2}"
}

@test "cron-report" {
    listen host:web1
    cron-report host:web1
    wait_for_line heard.out '"type":"disk:usage"'
    jq -es 'all(.room == "host:web1" and (.data.mount | startswith("/"))
        and .data.percent >= 0 and .data.percent <= 100)' heard.out
}

@test "ci-result" {
    COLLAB_TOKEN=$(token '{"sub":"ci","publish":["repo:*"]}')
    export COLLAB_TOKEN
    listen repo:web
    run -0 ci-result "http://$GATEWAY/api/v1/events" repo:web echo 'all "well"'
    [ "$output" = 'all "well"' ]
    run -3 ci-result "http://$GATEWAY/api/v1/events" repo:web sh -c 'exit 3'
    wait_until has_lines heard.out 2
    jq -c '[.type, .user, .data.command, .data.ok, .data.status]' heard.out >found
    diff found - <<'END'
["build:done","ci","echo all \"well\"",true,0]
["build:done","ci","sh -c exit 3",false,3]
END
}

@test "follow-user" {
    start heard follow-user ann
    wait_until listens
    emit a:1 x 1 --user bob
    emit a:1 x 1 --user ann
    emit b:2 y 1 --user ann
    wait_until has_lines heard.out 2
    diff <(cut -d' ' -f2- heard.out) - <<'END'
a:1 x
b:2 y
END
}

@test "record-meeting and replay-meeting" {
    local n
    start recorder record-meeting task:t1 meeting
    wait_until listens
    for n in 1 2; do comment $n; done
    wait_until has_lines meeting 2
    stop recorder
    comment 3
    start recorder record-meeting task:t1 meeting
    comment 4
    wait_until has_lines meeting 4
    stop recorder
    listen task:t2
    replay-meeting meeting task:t2 1000
    wait_until has_lines heard.out 4
    [ "$(jq .data.n heard.out | tr '\n' ' ')" = '1 2 3 4 ' ]
    [ "$(jq -r .room heard.out | sort -u)" = task:t2 ]
}

@test "move-room" {
    local n other=$BATS_TEST_TMPDIR/other.sock
    for n in 1 2 3; do comment $n; done
    start other redis-server --port 0 --unixsocket "$other" --save '' --dir "$BATS_TEST_TMPDIR"
    wait_until test -S "$other"
    move-room task:t1 "unix:$REDIS_SOCKET" "unix:$other"
    comment 4
    move-room task:t1 "unix:$REDIS_SOCKET" "unix:$other"
    collab-tail --redis "unix:$other" --since beginning --exit task:t1 >moved
    [ "$(jq .data.n moved | tr '\n' ' ')" = '1 2 3 4 ' ]
}

@test "watch-silence" {
    start watch watch-silence sensor:roof 100ms sh -c 'echo silent >>alarms'
    wait_until test -s alarms
    wait_until grep -c silent alarms
    stop watch
}

@test "count-types" {
    start heard count-types 1s
    wait_until listens
    emit a:1 x 1
    emit a:1 y 1
    emit b:1 x 1
    finish heard
    diff <(awk '{ print $1, $2 }' heard.out) - <<'END'
2 x
1 y
END
}

# --- PostgreSQL ---

# PostgreSQL refuses to be root's.
as_nobody()
{
    [ "$(id -u)" -ne 0 ] || set -- setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"
    exec "$@"
}

start_postgres()
{
    PATH=$PATH:$(echo /usr/lib/postgresql/*/bin)
    POSTGRES=$(mktemp -d)
    [ "$(id -u)" -ne 0 ] || chown nobody "$POSTGRES"
    export PGHOST=$POSTGRES PGDATABASE=postgres PGUSER=app
    cd "$POSTGRES" || return
    (as_nobody initdb -D "$POSTGRES/db" -A trust -U app >/dev/null)
    start postgres as_nobody postgres -D "$POSTGRES/db" -k "$POSTGRES" -c listen_addresses= -c fsync=off
    wait_until pg_isready -q
    cd "$BATS_TEST_TMPDIR" || return
}

outbox_is_empty()
{
    [ "$(psql -qAtc 'select count(*) from outbox')" = 0 ]
}

@test "postgres-outbox" {
    command -v psql >/dev/null || skip 'no PostgreSQL'
    start_postgres
    listen task:t1
    PERIOD=0.05 start outbox postgres-outbox
    wait_until outbox_is_empty 2>/dev/null
    psql -qc "insert into outbox (event) select format('{\"type\":\"comment:created\",
        \"data\":{\"taskId\":\"t1\",\"commentId\":\"c%s\",\"n\":%s,\"text\":\"a\\\\nb\"}}', n, n)::json
        from generate_series(1, 1500) n"
    psql -qc "begin; insert into outbox (event) values ('{}'); rollback"
    wait_until has_lines heard.out 1500
    diff <(jq .data.n heard.out) <(seq 1500)
    wait_until outbox_is_empty
    stop outbox
    stop postgres
}
