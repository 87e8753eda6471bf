load helpers

setup()
{
    start_redis
    start_collabd
    OUT=$BATS_TEST_TMPDIR/out
    STATE=$BATS_TEST_TMPDIR/state
    touch "$OUT"
}

teardown()
{
    stop_all
}

numbered() # ROOM FIRST LAST
{
    seq "$2" "$3" | sed "s/.*/{\"type\":\"comment:created\",\"room\":\"$1\",\"data\":{\"taskId\":\"t1\",\"commentId\":\"c\",\"n\":&}}/"
}

emit_numbered()
{
    numbered "$@" | collab-emit
}

numbers()
{
    sed -n 's/.*"n":\([0-9]*\)}}$/\1/p' "$@"
}

# A tail that appends to $OUT and keeps its state.
start_tail() # OPERAND...
{
    start tail bash -c 'exec collab-tail -v --state "$0" "${@:2}" >>"$1"' "$STATE" "$OUT" "$@"
    wait_for_line "$BATS_TEST_TMPDIR/tail.err" 'listening to'
}

@test "tail: the history from its beginning, the last N, an id, a time" {
    emit_numbered task:t1 1 20
    [ "$(collab-tail -e task:t1 | numbers)" = "$(seq 20)" ]
    [ "$(collab-tail -e --since beginning task:t1 | numbers)" = "$(seq 20)" ]
    [ "$(collab-tail -e --since -3 task:t1 | numbers)" = "$(seq 18 20)" ]
    [ "$(collab-tail -e --since -99 'task:*' | numbers)" = "$(seq 20)" ]
    local id
    id=$(collab-tail -e task:t1 | sed -n 7p | jq -r .id)
    [ "$(collab-tail -e --since "$id" task:t1 | numbers)" = "$(seq 8 20)" ]
    [ "$(collab-tail -e --since 1h task:t1 | numbers)" = "$(seq 20)" ]
    run -1 collab-tail -e --since @2100-01-01T00:00:00Z task:t1
    run -1 collab-tail -e none:1
    [ -z "$output" ]
}

@test "tail: history goes on live, without a hole" {
    emit_numbered task:t1 1 600
    start tail collab-tail --since beginning -C 950 '*'
    emit_numbered task:t1 601 950
    finish tail
    [ "$status" -eq 0 ]
    numbers "$BATS_TEST_TMPDIR/tail.out" | diff - <(seq 950)
}

@test "tail: an event for several rooms is printed once" {
    collab-emit -t task:updated -d '{"taskId":"t1","projectId":"p1"}'
    [ "$(collab-tail -e 'task:*' project:p1 | jq -r .room)" = task:t1 ]
    [ "$(collab-tail -e 'project:*' | jq -r .room)" = project:p1 ]
}

@test "tail: with a state it goes on where its output ended" {
    emit_numbered task:t1 1 5
    start_tail 'task:*'
    wait_until [ -e "$STATE" ]
    emit_numbered task:t1 6 10
    wait_for_line "$OUT" '"n":10}'
    stop tail
    emit_numbered task:t1 11 15
    emit_numbered task:t2 16 20
    start_tail 'task:*'
    emit_numbered task:t1 21 25
    wait_for_line "$OUT" '"n":25}'
    stop tail
    numbers "$OUT" | sort -n | diff - <(seq 6 25)
}

@test "tail: also when it is killed, again and again" {
    start_tail task:t1
    wait_until [ -e "$STATE" ]
    local round
    start emitter bash -c 'for i in {1..40}; do
        seq $((i * 20 - 19)) $((i * 20)) |
            sed "s/.*/{\"type\":\"comment:created\",\"room\":\"task:t1\",\"data\":{\"taskId\":\"t1\",\"commentId\":\"c\",\"n\":&}}/" |
            collab-emit || exit
        done'
    for round in {1..6}; do
        wait_for_line "$OUT" "\"n\":$((round * 100))}"
        stop tail KILL
        start_tail task:t1
    done
    finish emitter
    wait_for_line "$OUT" '"n":800}'
    stop tail
    numbers "$OUT" | diff - <(seq 800)
}

@test "tail: what is lost is told, as a record and by status 7 where that is asked for" {
    start_tail task:t1
    emit_numbered task:t1 1 5
    wait_for_line "$STATE" '-4"'
    stop tail
    emit_numbered task:t1 6 1101
    run --separate-stderr -7 collab-tail -e --gaps --state "$STATE" task:t1
    [ "$(jq -r .type <<<"${lines[0]}")" = gap ]
    [ "$(numbers <<<"$output")" = "$(seq 102 1101)" ]
    echo "$stderr"
    [[ $stderr = 'collab-tail: task:t1: events are lost after '*-4 ]]
}

@test "tail: Redis lost and back, nothing is missed" {
    redis config set appendonly yes
    wait_until eval '[ "$(redis info persistence | grep -c "aof_rewrite_in_progress:0\|aof_rewrite_scheduled:0")" = 2 ]'
    start_tail task:t1
    emit_numbered task:t1 1 50
    wait_for_line "$OUT" '"n":50}'
    redis client kill type pubsub
    emit_numbered task:t1 51 100
    wait_for_line "$OUT" '"n":100}'
    numbers "$OUT" | diff - <(seq 100)
}

@test "tail: through a gateway, with a state" {
    COLLAB_TOKEN=$(token '{"sub":"u1","rooms":["*"]}')
    export COLLAB_TOKEN
    emit_numbered task:t1 1 10
    run -0 collab-tail --url "ws://$GATEWAY/ws" -e --since beginning task:t1
    [ "$(numbers <<<"$output")" = "$(seq 10)" ]
    start_tail --url "ws://$GATEWAY/ws" task:t1
    emit_numbered task:t1 11 20
    wait_for_line "$OUT" '"n":20}'
    stop tail KILL
    emit_numbered task:t1 21 30
    start_tail --url "ws://$GATEWAY/ws" task:t1
    wait_for_line "$OUT" '"n":30}'
    numbers "$OUT" | diff - <(seq 11 30)
}

@test "tail: through a gateway that has no Redis just now, nothing is passed over" {
    COLLAB_TOKEN=$(token '{"sub":"u1","rooms":["*"]}')
    export COLLAB_TOKEN
    start_node other --probe-interval 500ms
    start_tail --url "ws://$GATEWAY/ws" task:t1
    emit_numbered task:t1 1 10
    wait_for_line "$OUT" '"n":10}'
    stop tail KILL
    emit_numbered task:t1 11 20
    kill -STOP "$(pid_of redis)"
    wait_until eval '[[ $(curl -s "http://$GATEWAY/health") = *degraded* ]]'
    start tail bash -c 'exec collab-tail --state "$0" --url "$2" task:t1 >>"$1"' "$STATE" "$OUT" \
        "ws://$GATEWAY/ws"
    wait_for_line "$BATS_TEST_TMPDIR/tail.err" 'and with it the history; trying again'
    kill -CONT "$(pid_of redis)"
    wait_for_line "$OUT" '"n":20}'
    emit_numbered task:t1 21 30
    wait_for_line "$OUT" '"n":30}'
    numbers "$OUT" | diff - <(seq 30)
}

@test "tail: wrong words for --since" {
    run -2 collab-tail --since yesterday task:t1
    run -2 collab-tail --since 17-0 'task:*'
    run -2 collab-tail --since @yesterday task:t1
    run -2 collab-tail --since -0 task:t1
    run -2 collab-tail --url ws://127.0.0.1:1/ --since -5 task:t1
}

@test "emit: with Redis away events wait in the spool, and go first, in order and once" {
    local spool=$BATS_TEST_TMPDIR/spool
    stop collabd
    stop redis
    run -0 --separate-stderr collab-emit --spool "$spool" -t comment:created \
        -d '{"taskId":"t1","commentId":"c","n":1}'
    [[ $stderr = *'1 events wait there'* ]]
    numbered task:t1 2 5 >"$BATS_TEST_TMPDIR/events"
    collab-emit --spool "$spool" "$BATS_TEST_TMPDIR/events"
    start_redis
    start_collabd
    numbered task:t1 6 8 | collab-emit --spool "$spool"
    [ ! -e "$spool/events" ]
    [ "$(collab-tail -e task:t1 | numbers)" = "$(seq 8)" ]
}

@test "emit: what was on its way when Redis was lost is not published twice" {
    local spool=$BATS_TEST_TMPDIR/spool n
    mkfifo "$BATS_TEST_TMPDIR/in"
    exec 8<>"$BATS_TEST_TMPDIR/in"
    start emit bash -c 'exec collab-emit --receipts --spool "$0" "$1" 8>&-' "$spool" \
        "$BATS_TEST_TMPDIR/in"
    numbered task:t1 1 100 >&8
    wait_until eval '[ "$(wc -l <"$BATS_TEST_TMPDIR/emit.out")" -ge 100 ]'
    kill -STOP "$(pid_of redis)"
    numbered task:t1 101 150 >&8
    kill -CONT "$(pid_of redis)"
    redis client kill type normal skipme yes
    for n in {1..5}; do redis client kill type normal skipme yes; done
    wait_for_line "$BATS_TEST_TMPDIR/emit.err" 'connection'
    numbered task:t1 151 200 >&8
    exec 8>&-
    finish emit
    [ "$status" -eq 0 ]
    [ -s "$spool/events" ]
    collab-emit --spool "$spool" /dev/null
    collab-emit --spool "$spool" /dev/null
    [ "$(collab-tail -e task:t1 | numbers)" = "$(seq 200)" ]
}

@test "emit: what is lost after the last line was read waits in the spool" {
    local spool=$BATS_TEST_TMPDIR/spool
    mkfifo "$BATS_TEST_TMPDIR/in"
    exec 8<>"$BATS_TEST_TMPDIR/in"
    start emit bash -c 'exec collab-emit --receipts --spool "$0" "$1" 8>&-' "$spool" \
        "$BATS_TEST_TMPDIR/in"
    numbered task:t1 1 1 >&8
    wait_until eval '[ "$(wc -l <"$BATS_TEST_TMPDIR/emit.out")" -eq 1 ]'
    kill -STOP "$(pid_of redis)"
    numbered task:t1 2 10 >&8
    exec 8>&-
    wait_until has_read_all emit
    stop redis KILL
    finish emit
    [ "$status" -eq 0 ]
    [ "$(wc -l <"$spool/events")" -eq 9 ]
}

has_read_all() # NAME
{
    ! readlink "/proc/$(pid_of "$1")"/fd/* | grep -qx "$BATS_TEST_TMPDIR/in"
}

@test "emit: a recorded tail is replayed at its own pace" {
    cat >"$BATS_TEST_TMPDIR/events" <<'END'
{"type":"comment:created","room":"task:t1","time":"2026-11-20T18:00:00.000Z","data":{"taskId":"t1","commentId":"c","n":1}}
{"type":"comment:created","room":"task:t1","time":"2026-11-20T18:00:20.000Z","data":{"taskId":"t1","commentId":"c","n":2}}
{"type":"comment:created","room":"task:t1","time":"2026-11-20T18:01:00.000Z","data":{"taskId":"t1","commentId":"c","n":3}}
END
    collab-emit --replay --speed 100 "$BATS_TEST_TMPDIR/events"
    collab-tail -e task:t1 | numbers | diff - <(seq 3)
    collab-tail -e task:t1 | jq -s 'map(.time | sub("\\.[0-9]*"; "") | fromdate) | .[0] > 1790000000' |
        grep -qx true
    collab-tail -e task:t1 | jq -r .time | sed 's/.*T..:..:\(.*\)Z/\1/' |
        awk 'NR == 1 { first = $1 } END { d = $1 - first; if (d < 0) d += 60; exit d < 0.55 }'
    run -2 collab-emit --replay -t x
}
