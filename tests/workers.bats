# --workers: several processes on one port, started, watched and ended by one.

load helpers
load gateway

setup_file()
{
    use_plain_catalog
    start_redis
}

teardown_file()
{
    stop_all
}

setup()
{
    ERR=$BATS_TEST_TMPDIR/collabd.err
    start_player
}

teardown()
{
    stop_all
}

workers()
{
    pgrep -P "$(pid_of collabd)" -x collabd
}

nodes_are() # NAMES
{
    [ "$(redis keys 'collab:node:*' | sed 's/.*://' | sort | xargs)" = "$1" ]
}

# Asks who answers at the port; whether by now these all have.
have_answered() # NAMES
{
    curl -fsS "http://$GATEWAY/health" | jq -r .node >>"$BATS_TEST_TMPDIR/nodes"
    [ "$(sort -u "$BATS_TEST_TMPDIR/nodes" | xargs)" = "$1" ]
}

@test "they are ready when all are, listen on one port, and end together" {
    local pids
    start_collabd --workers 3 --node w
    [ "$(cat "$BATS_TEST_TMPDIR/collabd.out")" = "ready http://$GATEWAY" ]
    [ "$(workers | wc -l)" -eq 3 ]
    pids=$(workers)
    wait_until nodes_are 'w-1 w-2 w-3'
    wait_until have_answered 'w-1 w-2 w-3'
    stop collabd
    [ "$status" -eq 0 ]
    nodes_are ''
    for pid in $pids; do
        has_ended "$pid"
    done
}

@test "clients of different workers are in one room" {
    local name i
    start_collabd --workers 2 --node w
    for name in a b c d e f; do
        connect $name "$(token '{"sub":"ann","rooms":["*"],"publish":["*"]}')"
        wait_until has_heard $name 2
        say $name '{"type":"subscribe","data":["p:1"]}'
        wait_until has_heard $name 3
    done
    say a '{"type":"publish","data":{"type":"t","room":"p:1"}}'
    for name in a b c d e f; do
        wait_until grep -q '"type":"t"' "$BATS_TEST_TMPDIR/$name.heard"
    done
}

@test "in place of one that is killed another is started" {
    local victim before
    start_collabd --workers 2 --node w
    before=$(workers)
    victim=$(head -n 1 <<<"$before")
    kill -KILL "$victim"
    replaced()
    {
        [ "$(workers | grep -vxc -e "$victim")" -eq 2 ] && [ "$(workers | wc -l)" -eq 2 ]
    }
    wait_for_line "$ERR" ' ended with signal 9; another is started'
    wait_until replaced
    wait_until have_answered 'w-1 w-2'
    [ "$(wc -l <"$BATS_TEST_TMPDIR/collabd.out")" -eq 1 ]
}

@test "without the one that started them they end" {
    local pids pid
    start_collabd --workers 2
    pids=$(workers)
    stop collabd KILL
    for pid in $pids; do
        wait_until has_ended "$pid"
    done
}

@test "SIGHUP reaches all" {
    start_collabd --workers 2
    kill -HUP "$(pid_of collabd)"
    told_both()
    {
        [ "$(grep -c 'SIGHUP: catalog plain' "$ERR")" -eq 2 ]
    }
    wait_until told_both
}

@test "what is wrong is told once, and ends all" {
    start_collabd
    run --separate-stderr -2 in_time collabd --listen "$GATEWAY" --workers 2 \
        --key-file "$(key_file)"
    [ "$stderr" = "collabd: --listen $GATEWAY: address already in use" ]
    run --separate-stderr -2 in_time collabd --listen unix:ws.sock --workers 2
    [ "$(tail -n 1 <<<"$stderr")" = \
        'collabd: --listen unix:ws.sock: several processes cannot share a Unix socket' ]
    run --separate-stderr -2 in_time collabd --port 0 --workers 2 --key-file "$(key_file)" \
        --redis http://nowhere
    [[ $stderr = *'collabd: --redis'* ]]
}

@test "one embedded Redis for all, and one token" {
    unset COLLAB_REDIS COLLAB_CATALOG
    start collabd collabd --port 0 --workers 2
    wait_for_line "$BATS_TEST_TMPDIR/collabd.out" 'ready '
    [ "$(pgrep -P "$(pid_of collabd)" redis-server | wc -l)" -eq 1 ]
    [ "$(grep -c 'a token for user dev' "$ERR")" -eq 1 ]
    stop collabd
    [ "$status" -eq 0 ]
}
