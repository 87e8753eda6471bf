# Nodes whose clocks are wrong: one is 20 seconds ahead, one 20 seconds behind.

load helpers

setup_file()
{
    start_redis
    jq '.notices.ack = "hello" | .presence += {grace: "100ms", join: "room:in", leave: "room:out"}
        | .events += {"room:in": {class: "live"}, "room:out": {class: "live"}}' \
        "$BATS_TEST_DIRNAME/../examples/kanban/catalog.json" >"$BATS_FILE_TMPDIR/catalog.json"
    start_clocked true
    start_clocked fast +20s
    start_clocked slow -20s
}

teardown_file()
{
    stop_all
}

teardown()
{
    stop_all
}

# The library is found as faketime(1) finds it. A sanitizer wants to be loaded first, and need not be.
start_clocked() # NAME [OFFSET]
{
    local library=
    [ -z "${2:-}" ] || library=$(find /usr/lib -name libfaketime.so.1 | head -n 1)
    LD_PRELOAD=$library FAKETIME=${2:-} FAKETIME_DONT_FAKE_MONOTONIC=1 \
        ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0 \
        start_node "$1" --node "$1" --catalog "$BATS_FILE_TMPDIR/catalog.json" --lease 5s \
        --leeway 30s
}

start_user() # NAME NODE
{
    start_client "$1" "$2" "{\"sub\":\"$1\",\"rooms\":[\"project:*\"]}"
    hears "$1" '"type":"hello"'
    tell "$1" '{"type":"subscribe","data":["project:p1"],"ref":"in"}'
    hears "$1" '"ref":"in"'
}

# The lease of each life has been renewed, again and again.
renewed() # TIMES
{
    local now
    now=$(redis info commandstats | sed -n 's/^cmdstat_set:calls=\([0-9]*\).*/\1/p')
    [ "$now" -ge $((${sets_before:=$now} + $1)) ]
}

clock_ms() # of Redis
{
    redis time | paste -sd' ' | awk '{ printf "%.0f\n", $1 * 1000 + $2 / 1000 }'
}

post() # NODE ROOM: prints the id
{
    curl -fsS -H "Authorization: Bearer $(token '{"sub":"ops","publish":["*"],"role":"admin"}')" \
        -d '{"type":"comment:created","room":"'"$2"'","data":{"taskId":"t1","commentId":"c1"}}' \
        "http://$(address_of "$1")/api/v1/events" | jq -r '.receipts[0].ids[0]'
}

@test "the clocks do differ" {
    local ahead behind
    ahead=$(jq -r .time < <(start_user a1 fast >&2; grep -m 1 hello "$(here)/a1.out"))
    behind=$(jq -r .time < <(start_user a2 slow >&2; grep -m 1 hello "$(here)/a2.out"))
    [ $(($(date -d "$ahead" +%s) - $(date +%s))) -ge 10 ]
    [ $(($(date +%s) - $(date -d "$behind" +%s))) -ge 10 ]
}

@test "nobody is taken for dead, and who is killed is gone once for all" {
    start_user watch true
    start_clocked doomed +20s
    start_user ann doomed
    start_user bob slow
    hears watch '"room:in","room":"project:p1","user":"ann"'
    hears watch '"room:in","room":"project:p1","user":"bob"'
    wait_until renewed 12
    [ "$(heard watch '"room:out"')" -eq 0 ]
    stop doomed KILL
    expire_lease doomed
    hears watch '"room:out","room":"project:p1","user":"ann"'
    hears bob '"room:out","room":"project:p1","user":"ann"'
    sets_before=
    wait_until renewed 12
    [ "$(heard watch '"room:out"')" -eq 1 ]
    [ "$(heard bob '"room:out"')" -eq 1 ]
    run -0 collab-who project:p1
    [[ $output == *bob* && $output != *ann* ]]
}

@test "a token is good and bad within the leeway, by each node's own clock" {
    # By the fast node's clock, and by the true one, this second has passed.
    start_client good fast '{"sub":"ann","exp":'$(($(date +%s) + 18))'}'
    hears good '"type":"hello"'
    tell good '{"type":"ping","ref":1}'
    hears good '"ref":1'
    [ "$(heard good close)" -eq 0 ]
    start_client late true '{"sub":"ann","exp":'$(($(date +%s) - 2))'}'
    hears late '"type":"hello"'
    start_client early slow '{"sub":"ann","iat":'"$(date +%s)"',"nbf":'"$(date +%s)"'}'
    hears early '"type":"hello"'
    start_client bad fast '{"sub":"ann","exp":'$(($(date +%s) - 15))'}'
    hears bad '"code":"unauthenticated"'
}

@test "ids are by the clock of Redis, and one after the other" {
    local before after ids
    before=$(clock_ms)
    ids=$(post fast task:c1; post slow task:c1; post true task:c1)
    after=$(clock_ms)
    [ "$(cut -d- -f1 <<<"$ids" | sort -u | wc -l)" -eq 1 ]
    [ "$(cut -d- -f2 <<<"$ids" | paste -sd' ')" = '0 1 2' ]
    [ "$(head -n 1 <<<"$ids" | cut -d- -f1)" -ge "$before" ]
    [ "$(head -n 1 <<<"$ids" | cut -d- -f1)" -le "$after" ]
    before=$(clock_ms)
    ids=$(post slow task:c2)
    [ "${ids%-*}" -ge "$before" ]
}
