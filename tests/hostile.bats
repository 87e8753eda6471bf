# What hostile and broken peers do: the cases are in hostile/, as data.

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

teardown()
{
    stop_all
}

# With UNDER_VALGRIND set, collabd is run by it: what it finds is a status of 99.
use_valgrind()
{
    local program
    program=$(command -v collabd)
    mkdir "$BATS_TEST_TMPDIR/bin"
    printf '#!/bin/sh\nexec valgrind --error-exitcode=99 --leak-check=full %s "$@"\n' "$program" \
        >"$BATS_TEST_TMPDIR/bin/collabd"
    chmod +x "$BATS_TEST_TMPDIR/bin/collabd"
    export PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

# A sanitizer keeps what was freed for a while, and makes no statement of memory.
more_bytes()
{
    if [ -n "${UNDER_VALGRIND:-}" ] || grep -qa __asan_init "$BUILD/bin/collabd"; then
        echo $((256 << 20))
    else
        echo $((4 << 20))
    fi
}

@test "every case is answered as it states, a control client is served, memory stays flat" {
    [ -z "${UNDER_VALGRIND:-}" ] || use_valgrind
    start_collabd --handshake-time 500ms --auth-time 500ms --auth-rate off
    MORE_BYTES=$(more_bytes) node "$CLIENTS/hostile.mjs" "$GATEWAY" \
        "$(token '{"sub":"ann","rooms":["*"],"publish":["*"]}')" "$BATS_TEST_DIRNAME"/hostile/*.json
    stop collabd
    [ "$status" -eq 0 ] || cat "$BATS_TEST_TMPDIR/collabd.err"
    [ "$status" -eq 0 ]
}
