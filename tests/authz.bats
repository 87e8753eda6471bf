# The authorization helper: a program that says yes and no, and one that does not.

load helpers

setup_file()
{
    start_redis
    jq '.notices.ack = "hello"' "$BATS_TEST_DIRNAME/../examples/kanban/catalog.json" \
        >"$BATS_FILE_TMPDIR/catalog.json"
    # By the room: yes for a while, yes once, no, silence, lies of several kinds, or death.
    cat >"$BATS_FILE_TMPDIR/helper" <<'END'
#!/bin/bash
echo $$ >>"$0.starts"
while IFS= read -r line; do
    echo "$line" >>"$0.asked"
    id=$(sed 's/^{"id":\([0-9]*\),.*/\1/' <<<"$line")
    case $line in
    *:keep*) echo "{\"id\":$id,\"allow\":true,\"for\":60}" ;;
    *:yes*) echo "{\"id\":$id,\"allow\":true}" ;;
    *:no*) echo "{\"id\":$id,\"allow\":false}" ;;
    *:silent*) ;;
    *:other*) echo "{\"id\":$((id + 1000)),\"allow\":true}" ;;
    *:text*) echo "{\"id\":$id,\"allow\":\"true\"}" ;;
    *:garbage*) echo "yes, of course" ;;
    *:die*) exit 3 ;;
    *:flood*) head -c 100000 /dev/zero | tr '\0' x ;;
    esac
done
END
    chmod +x "$BATS_FILE_TMPDIR/helper"
    start_node a --node a --catalog "$BATS_FILE_TMPDIR/catalog.json" \
        --authz "exec '$BATS_FILE_TMPDIR/helper'" --authz-time 500ms
}

teardown_file()
{
    stop_all
}

setup()
{
    : >"$BATS_FILE_TMPDIR/helper.asked"
    start_client ann a '{"sub":"ann","rooms":[]}'
    hears ann '"type":"hello"'
}

teardown()
{
    stop_all
}

join() # ROOM [REF]
{
    tell ann "{\"type\":\"subscribe\",\"data\":[\"$1\"],\"ref\":\"${2:-$1}\"}"
    hears ann "\"ref\":\"${2:-$1}\""
}

metric() # NAME
{
    curl -fsS "http://$(sed -n 's,^ready http://\([^ ]*\).*,\1,p' "$BATS_FILE_TMPDIR/a.out")/metrics" |
        sed -n "s/^collab_$1{.*} //p"
}

@test "the helper says yes and no" {
    join project:yes1
    hears ann '"type":"subscribed","data":{"rooms":["project:yes1"]}'
    join project:no1
    hears ann '"code":"forbidden","message":"the authorization helper says no"'
    grep -qx '{"id":[0-9]*,"ask":"join","user":"ann","room":"project:no1"}' \
        "$BATS_FILE_TMPDIR/helper.asked"
}

@test "a member and a bearer of a grant need no helper" {
    collab-member -q add project:no2 ann
    join project:no2
    hears ann '"rooms":["project:no2"]'
    [ ! -s "$BATS_FILE_TMPDIR/helper.asked" ]
}

@test "an answer is used again for the time that it says, and no other" {
    join project:keep1 1
    join project:keep1 2
    join project:yes2 3
    join project:yes2 4
    [ "$(grep -c keep1 "$BATS_FILE_TMPDIR/helper.asked")" -eq 1 ]
    [ "$(grep -c yes2 "$BATS_FILE_TMPDIR/helper.asked")" -eq 2 ]
}

@test "silence and lies mean no" {
    local bad
    bad=$(metric authz_bad_answers_total)
    for room in silent other text garbage; do
        tell ann "{\"type\":\"subscribe\",\"data\":[\"project:$room\"],\"ref\":\"$room\"}"
    done
    for room in silent other text garbage; do
        hears ann "\"ref\":\"$room\""
    done
    [ "$(heard ann '"type":"subscribed"')" -eq 0 ]
    [ "$(heard ann '"message":"the authorization helper did not answer in time"')" -eq 4 ]
    [ "$(metric authz_bad_answers_total)" -eq $((bad + 3)) ]
    join project:yes3
    hears ann '"rooms":["project:yes3"]'
}

@test "nobody waits for it but those whom it is asked about" {
    tell ann '{"type":"subscribe","data":["project:silent2"],"ref":"slow"}'
    tell ann '{"type":"ping","ref":"quick"}'
    hears ann '"ref":"slow"'
    [ "$(grep -nF '"quick"' "$(here)/ann.out" | cut -d: -f1)" -lt \
        "$(grep -nF '"slow"' "$(here)/ann.out" | cut -d: -f1)" ]
}

@test "a helper that dies means no, and is started again" {
    local starts
    starts=$(wc -l <"$BATS_FILE_TMPDIR/helper.starts")
    join project:die
    hears ann '"code":"unavailable"'
    started_again()
    {
        [ "$(wc -l <"$BATS_FILE_TMPDIR/helper.starts")" -gt "$starts" ]
    }
    wait_until started_again
    join project:yes4
    hears ann '"rooms":["project:yes4"]'
    join project:flood
    hears ann '"code":"unavailable","message":"an answer is longer than 64 KiB"'
    [ "$(metric authz_restarts_total)" -ge 2 ]
}

@test "without a helper its rooms are closed" {
    start_node b --node b --catalog "$BATS_FILE_TMPDIR/catalog.json"
    start_client bob b '{"sub":"bob","rooms":[]}'
    hears bob '"type":"hello"'
    tell bob '{"type":"subscribe","data":["project:yes1"],"ref":1}'
    hears bob '"code":"forbidden","message":"not allowed in this room"'
}

@test "a helper that can't be started closes its rooms, and nothing else" {
    start_node c --node c --catalog "$BATS_FILE_TMPDIR/catalog.json" --authz /nonexistent/helper
    start_client bob c '{"sub":"bob","rooms":["task:*"]}'
    hears bob '"type":"hello"'
    tell bob '{"type":"subscribe","data":["project:yes1"],"ref":1}'
    hears bob '"code":"unavailable"'
    tell bob '{"type":"subscribe","data":["task:t1"],"ref":2}'
    hears bob '"rooms":["task:t1"]'
}

@test "claims that the catalog wants" {
    jq '.endpoints.websocket = "/ws" | .notices.ack = "hello"' \
        "$BATS_TEST_DIRNAME/../examples/tenants/catalog.json" >"$BATS_TEST_TMPDIR/tenants.json"
    start_node e --node e --catalog "$BATS_TEST_TMPDIR/tenants.json"
    start_client good e '{"sub":"ann","rooms":["tenant:t1"],"email_verified":true}'
    hears good '"type":"hello"'
    start_client bad e '{"sub":"ann","rooms":["tenant:t1"],"email_verified":false}'
    hears bad '"code":"unauthenticated"'
    hears bad 'close 1008'
    start_client worse e '{"sub":"ann","rooms":["tenant:t1"]}'
    hears worse 'close 1008'
}
