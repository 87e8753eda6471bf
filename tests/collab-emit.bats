load helpers

setup_file()
{
    start_redis
}

teardown_file()
{
    stop_all
}

setup()
{
    OUT=$BATS_TEST_TMPDIR/heard.out
}

teardown()
{
    exec 8>&-
    stop_all
}

# Listens by a client that is not ours; $OUT has what was published, each on a line.
listen()
{
    start heard redis-cli -s "$REDIS_SOCKET" psubscribe 'collab:room:*'
    wait_for_line "$OUT" psubscribe
}

without_time()
{
    sed 's/"time":"[^"]*",//'
}

# What would be published, without its time.
dry()
{
    collab-emit --dry-run "$@" | without_time
}

@test "help is on standard output" {
    run --separate-stderr -0 collab-emit --help
    [[ ${lines[0]} = 'usage: collab-emit '* ]]
    [ -z "$stderr" ]
}

@test "an event from options reaches its room" {
    listen
    run -0 collab-emit -r project:p1 -t task:moved -u u1 -d '{"task": "t1"}'
    [ -z "$output" ]
    wait_for_line "$OUT" '"data":{"task":"t1"}}'
    grep -qx collab:room:project:p1 "$OUT"
    [ "$(tail -n 1 "$OUT" | without_time)" = \
        '{"type":"task:moved","room":"project:p1","user":"u1","data":{"task":"t1"}}' ]
}

@test "an event goes to every room, as the copy for that room" {
    listen
    collab-emit -r task:t1 -r project:p1 -t a
    wait_for_line "$OUT" '"room":"task:t1","rooms":["task:t1","project:p1"]'
    wait_for_line "$OUT" '"room":"project:p1","rooms":["task:t1","project:p1"]'
}

@test "an event gets the time of now when it has none" {
    run -0 collab-emit -n -r a:1 -t x
    [[ $output =~ \"time\":\"([0-9T:.Z-]{24})\" ]]
    local s
    s=$(date -d "${BASH_REMATCH[1]}" +%s)
    [ "$s" -gt $(($(date +%s) - 100)) ]
}

@test "data comes from the option, a file, or standard input, and stays as it is" {
    local data='[12345678901234567890,-0.0,1e2,"\ud83d\ude00\/","é"]'
    printf '[12345678901234567890, -0.0, 1e2,\n"\\ud83d\\ude00\\/", "é"]\n' >"$BATS_TEST_TMPDIR/data"
    cd "$BATS_TEST_TMPDIR"
    [ "$(dry -r a:1 -t x -d "$data")" = '{"type":"x","room":"a:1","data":'"$data}" ]
    [ "$(dry -r a:1 -t x -d @data)" = '{"type":"x","room":"a:1","data":'"$data}" ]
    [ "$(dry -r a:1 -t x -d - <data)" = '{"type":"x","room":"a:1","data":'"$data}" ]
    [ "$(dry -r a:1 -t x)" = '{"type":"x","room":"a:1","data":null}' ]
}

@test "data that is no JSON is refused" {
    run -1 collab-emit -r a:1 -t x -d '{"a":1},"user":"root"'
    [[ $output = 'collab-emit: data: '* ]]
    run -1 collab-emit -r a:1 -t x -d @/nonexistent/data
    [ "$output" = 'collab-emit: /nonexistent/data: no such file or directory' ]
    run -1 collab-emit -r a:1 -t x -d - </dev/null
    [[ $output = 'collab-emit: data: '* ]]
}

@test "events on standard input go out in order" {
    listen
    seq 5000 | sed 's/.*/{"type":"n","room":"a:1","data":&}/' >"$BATS_TEST_TMPDIR/events"
    collab-emit <"$BATS_TEST_TMPDIR/events"
    wait_for_line "$OUT" '"data":5000}'
    sed -n 's/.*"data":\([0-9]*\)}$/\1/p' "$OUT" | diff - <(seq 5000)
}

@test "a bad line is reported by its number, and the rest goes on" {
    printf '%s\n' '{"type":"a","room":"a:1"}' '' '{"type":"b","room":"a b"}' nonsense \
        '{"type":"c"}' '{"type":"d","room":"a:1","rom":"a:2"}' '{"type":"e","room":"a:1"}' \
        >"$BATS_TEST_TMPDIR/events"
    run --separate-stderr -1 collab-emit -n "$BATS_TEST_TMPDIR/events"
    [ "$(without_time <<<"$output")" = '{"type":"a","room":"a:1","data":null}
{"type":"e","room":"a:1","data":null}' ]
    cd "$BATS_TEST_TMPDIR"
    run --separate-stderr -1 collab-emit -n - <events
    echo "$stderr"
    [[ ${stderr_lines[0]} = 'collab-emit: line 3: '*'room "a b"'* ]]
    [[ ${stderr_lines[1]} = 'collab-emit: line 4: '* ]]
    [ "${stderr_lines[2]}" = \
        'collab-emit: line 5: no room: name one with --room, or in the event' ]
    [ "${stderr_lines[3]}" = \
        'collab-emit: line 6: unknown field "rom" (did you mean room?)' ]
    [ ${#stderr_lines[@]} -eq 4 ]
    run --separate-stderr -1 collab-emit -n events
    [[ ${stderr_lines[0]} = 'collab-emit: events: line 3: '* ]]
}

@test "files are read one after the other, - is standard input" {
    cd "$BATS_TEST_TMPDIR"
    echo '{"type":"1","room":"a:1"}' >one
    printf '{"type":"2","room":"a:1"}' >two
    [ "$(echo '{"type":"0","room":"a:1"}' | dry one - two | grep -o '"type":"."' | tr -d '\n')" = \
        '"type":"1""type":"0""type":"2"' ]
}

@test "a file that cannot be read is reported, and the rest goes on" {
    cd "$BATS_TEST_TMPDIR"
    echo '{"type":"1","room":"a:1"}' >one
    run --separate-stderr -1 collab-emit -n none . one
    [ "${stderr_lines[0]}" = 'collab-emit: none: no such file or directory' ]
    [ "${stderr_lines[1]}" = 'collab-emit: .: illegal operation on a directory' ]
    [ "$(without_time <<<"$output")" = '{"type":"1","room":"a:1","data":null}' ]
}

@test "rooms from options override, type and user stand in" {
    [ "$(dry -r b:1 -r b:2 -t t -u u - <<'END'
{"room":"a:1"}
{}
{"type":"x","user":"v","data":{"type":1}}
END
    )" = '{"type":"t","room":"b:1","rooms":["b:1","b:2"],"user":"u","data":null}
{"type":"t","room":"b:1","rooms":["b:1","b:2"],"user":"u","data":null}
{"type":"x","room":"b:1","rooms":["b:1","b:2"],"user":"v","data":{"type":1}}' ]
}

@test "an event of a history loses its id and keeps its time" {
    run -0 collab-emit -n <<'END'
{"id":"1763660000000-42","type":"x","room":"a:1","time":"2026-11-20T18:00:00.123Z","data":1}
END
    [ "$output" = '{"type":"x","room":"a:1","time":"2026-11-20T18:00:00.123Z","data":1}' ]
}

@test "receipts tell what Redis has taken" {
    cd "$BATS_TEST_TMPDIR"
    printf '%s\n' '{"type":"a","room":"a:1","time":"2026-11-20T18:00:00Z"}' bad \
        '{"type":"b","rooms":["a:1","a:2"],"time":"2026-11-20T18:00:01Z"}' >events
    run --separate-stderr -1 collab-emit --receipts - <events
    [ "$output" = '{"line":1,"type":"a","rooms":["a:1"],"time":"2026-11-20T18:00:00Z"}
{"line":3,"type":"b","rooms":["a:1","a:2"],"time":"2026-11-20T18:00:01Z"}' ]
    run --separate-stderr -1 collab-emit --receipts events
    [[ $output = '{"file":"events","line":1,'* ]]
    run --separate-stderr -0 collab-emit --receipts -r a:1 -t x
    [ "$(sed 's/,"time":"[^"]*"//' <<<"$output")" = '{"type":"x","rooms":["a:1"]}' ]
}

@test "an event leaves as soon as its line is whole" {
    mkfifo "$BATS_TEST_TMPDIR/events"
    start emit collab-emit --receipts "$BATS_TEST_TMPDIR/events"
    exec 8<>"$BATS_TEST_TMPDIR/events"
    printf '{"type":"a","room":"a:1"}\n{"type":"b",' >&8
    wait_for_line "$BATS_TEST_TMPDIR/emit.out" '"line":1'
    printf '"room":"a:1"}\n' >&8
    wait_for_line "$BATS_TEST_TMPDIR/emit.out" '"line":2'
    exec 8>&-
    finish emit
    [ "$status" -eq 0 ]
}

@test "a line without end is passed over" {
    {
        head -c 40000000 /dev/zero | tr '\0' x
        printf '\n{"type":"b","room":"a:1"}\n'
    } >"$BATS_TEST_TMPDIR/events"
    run --separate-stderr -1 collab-emit -n - <"$BATS_TEST_TMPDIR/events"
    [ "$stderr" = 'collab-emit: line 1: longer than 16 MiB: passed over' ]
    [ "$(without_time <<<"$output")" = '{"type":"b","room":"a:1","data":null}' ]
}

@test "an event of a megabyte gets through" {
    listen
    printf '{"type":"big","room":"a:1","data":"%s!"}\n' \
        "$(head -c 1000000 /dev/zero | tr '\0' x)" | collab-emit
    wait_for_line "$OUT" '!"}'
    [ "$(grep -c 'x\{30000\}' "$OUT")" -eq 1 ]
}

# What the command shows on a terminal, which it has as standard input, output and error.
on_terminal() # COMMAND
{
    script -qec "$1" /dev/null
}

@test "a terminal as input gets a hint" {
    run -0 on_terminal 'printf "\004" | script -qec "collab-emit -n" /dev/null'
    [[ $output = *'collab-emit: reading events, one a line, from the terminal; Ctrl-D ends it'* ]]
    run -0 on_terminal 'printf "\004" | script -qec "collab-emit -n -q" /dev/null'
    [[ $output != *reading* ]]
}

@test "a long input shows its progress on a terminal, and clears it" {
    seq 400000 | sed 's/.*/{"type":"n","room":"a:1","data":&}/' >"$BATS_TEST_TMPDIR/events"
    run -0 on_terminal "collab-emit $BATS_TEST_TMPDIR/events"
    [[ $output =~ [0-9]+\ events,\ [0-9]+\ events/s ]]
    [[ $output = *$'\r\033[K' ]]
    run -0 on_terminal "collab-emit -q $BATS_TEST_TMPDIR/events"
    [ -z "$output" ]
}

@test "usage errors" {
    run -2 collab-emit -d 1 -r a:1
    [ "$output" = 'collab-emit: --data is for one event, and needs --type' ]
    run -2 collab-emit -d 1 -t x file
    [ "$output" = 'collab-emit: --data is for one event: no FILE can stand beside it' ]
    run -2 collab-emit -t x -r 'project:*'
    [[ $output = 'collab-emit: '*'room "project:*": '* ]]
    run -2 collab-emit -t x -r a:1 -r a:1
    [ "$output" = 'collab-emit: rooms: room "a:1": given twice' ]
    run -2 collab-emit -t $'a\nb' -r a:1
    [ "$output" = 'collab-emit: type: must hold no control characters' ]
    run -2 collab-emit -t x -r a:1 -W soon
    [[ $output = 'collab-emit: --limit'* ]]
    run -2 collab-emit -t x -r a:1 --redis http://x
    [[ $output = 'collab-emit: --redis: '* ]]
}

@test "no room for the one event" {
    run -1 collab-emit -t x
    [ "$output" = 'collab-emit: no room: name one with --room, or in the event' ]
}

@test "Redis that is not there is status 3" {
    run -3 collab-emit -t x -r a:1 --redis "unix:$BATS_TEST_TMPDIR/none"
    [ "$output" = "collab-emit: unix:$BATS_TEST_TMPDIR/none: no such file or directory" ]
}

@test "a frozen Redis is given up after the limit" {
    start_redis
    kill -STOP "$(pid_of redis)"
    run -6 collab-emit -W 0.2 -t x -r a:1
    [ -z "$output" ]
}

@test "what Redis refuses is reported" {
    start_redis
    redis acl setuser default -publish
    run -1 collab-emit - <<<'{"type":"x","room":"a:1"}'
    [[ $output = 'collab-emit: line 1: NOPERM '* ]]
}

has_closed_events() # PID
{
    ! readlink "/proc/$1/fd/"* | grep -q events
}

@test "Redis lost in the middle: what is confirmed and what is not is told" {
    start_redis
    mkfifo "$BATS_TEST_TMPDIR/events"
    start emit collab-emit --receipts "$BATS_TEST_TMPDIR/events"
    exec 8<>"$BATS_TEST_TMPDIR/events"
    echo '{"type":"a","room":"a:1"}' >&8
    wait_for_line "$BATS_TEST_TMPDIR/emit.out" '"line":1'
    kill -STOP "$(pid_of redis)"
    printf '\n{"type":"b","room":"a:1"}\n{"type":"c","room":"a:1"}\n' >&8
    exec 8>&-
    wait_until has_closed_events "$(pid_of emit)"
    stop redis KILL
    finish emit
    cat "$BATS_TEST_TMPDIR/emit.err"
    [ "$status" -eq 3 ]
    grep -q "^collab-emit: unix:$BATS_TEST_TMPDIR/redis.sock: connection" "$BATS_TEST_TMPDIR/emit.err"
    [ "$(tail -n 1 "$BATS_TEST_TMPDIR/emit.err")" = "collab-emit: events confirmed: 1; what \
arrived from $BATS_TEST_TMPDIR/events: line 3 on is unknown" ]
    [ "$(wc -l <"$BATS_TEST_TMPDIR/emit.out")" -eq 1 ]
}

@test "Redis lost while nothing is under way" {
    start_redis
    mkfifo "$BATS_TEST_TMPDIR/events"
    start emit collab-emit --receipts "$BATS_TEST_TMPDIR/events"
    exec 8<>"$BATS_TEST_TMPDIR/events"
    printf '{"type":"%s","room":"a:1"}\n' a b >&8
    wait_for_line "$BATS_TEST_TMPDIR/emit.out" '"line":2'
    stop redis
    finish emit
    [ "$status" -eq 3 ]
    [ "$(tail -n 1 "$BATS_TEST_TMPDIR/emit.err")" = \
        'collab-emit: events confirmed: 2; no more were sent' ]
}

@test "a closed standard output ends it quietly" {
    seq 100000 | sed 's/.*/{"type":"n","room":"a:1","data":&}/' >"$BATS_TEST_TMPDIR/events"
    run -0 bash -c 'collab-emit -n "$1" | head -n 1; [ "${PIPESTATUS[0]}" -eq 141 ]' - \
        "$BATS_TEST_TMPDIR/events"
    [ ${#lines[@]} -eq 1 ]
}
