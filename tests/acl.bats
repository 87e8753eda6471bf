# The rights that collab-redis(7) says each program needs: with those alone it does all that it does,
# and Redis refuses it nothing.

load helpers

CLIENTS=$BATS_TEST_DIRNAME/clients

setup()
{
    cd "$BATS_TEST_TMPDIR" || return
    start_redis
    grant
}

teardown()
{
    stop_all
}

# The rules of the page, on a line each.
rules()
{
    awk '/^ACL SETUSER/ { rule = "" ; reading = 1 }
        /^\.Ed/ { if (reading) print rule; reading = 0 }
        reading { rule = rule " " $0 }' "$BATS_TEST_DIRNAME/../man/collab-redis.7"
}

grant()
{
    rules | sed -n 's/ on >SECRET / on >pw /p' | redis >granted.out
    [ "$(grep -c '^OK' granted.out)" -ge 8 ]
    [ "$(redis acl users | wc -l)" -ge 9 ]
}

# What one needs for something more.
grant_more() # USER
{
    rules | grep "ACL SETUSER $1 [^o]" | redis >granted.out
    grep -q '^OK' granted.out
}

as() # USER COMMAND...
{
    COLLAB_REDIS=unix://$1:pw@$REDIS_SOCKET "${@:2}"
}

nothing_was_refused()
{
    redis acl log >refused
    if grep -q . refused; then
        paste -sd ' ' refused
        return 1
    fi
}

start_granted() # NAME [OPTION]...
{
    as node start_node "$1" --node "$1" --lease 10s --user-rate 1000/1m --room-rate 1000/1m \
        --probe-interval 500ms "${@:2}"
}

start_user() # NAME NODE [USER]
{
    start_client "$1" "$2" '{"sub":"'"${3:-$1}"'","rooms":["project:*","task:*"]}'
    hears "$1" '"type":"connection.ack"'
}

join() # NAME ROOM
{
    tell "$1" '{"type":"subscribe","data":["'"$2"'"],"ref":"'"$2"'"}'
    hears "$1" "\"ref\":\"$2\""
}

nobody_is_left() # USER
{
    ! as who collab-who --user "$1" >who.out 2>&1 || ! grep -q . who.out
}

post() # EVENT
{
    curl -sS "http://$GATEWAY/api/v1/events" --data-binary "$1" \
        -H "Authorization: Bearer $(token '{"sub":"root","role":"admin","publish":["*"]}')" >answer
}

@test "each program does its work with the rights that its page gives it" {
    local task='{"type":"task:created","data":{"taskId":"t1","projectId":"p1"}}'
    start_granted a
    start_granted b
    as member collab-member -q add workspace:w1 ann member
    as member collab-member -q add project:p2 ann
    start_user ann a
    start_user bob b
    join ann project:p1
    join ann task:t1
    join bob project:p1
    join bob task:t1
    run -1 as tail collab-tail --since beginning -e project:p1
    start tail as tail collab-tail -C 1 '*'
    wait_until eval '[ "$(redis pubsub numpat)" -ge 1 ]'
    as emit collab-emit -k once <<<"$task"
    finish tail
    [ "$status" -eq 0 ]
    hears ann '"type":"task:created"'
    hears bob '"type":"task:created"'
    as emit collab-emit -k once <<<"$task"
    run -5 as emit collab-emit -e 7 <<<'{"type":"task:moved","data":{"taskId":"t1","projectId":"p1"}}'
    as emit collab-emit -r project:p1 -t live
    post '{"type":"task:updated","data":{"taskId":"t1","projectId":"p1","expectedVersion":0}}'
    [ "$(jq .accepted answer)" = 1 ]
    as tail collab-tail --since beginning -e project:p1 >history.out
    [ "$(wc -l <history.out)" -ge 2 ]
    tell ann '{"type":"typing:start","data":{"taskId":"t1"}}'
    tell ann '{"type":"presence:viewing","data":{"taskId":"t1"}}'
    hears bob '"type":"typing:user_typing"'
    tell ann '{"type":"presence:update","data":{"status":"away"}}'
    tell bob '{"type":"subscribe","data":{"rooms":["project:p1"],"since":{"project:p1":"1-0"}},"ref":5}'
    hears bob '"ref":5'

    # Who is there, how they are, and what the members are.
    tell bob '{"type":"who","data":{"rooms":["project:p1"]},"ref":6}'
    hears bob '"status":{"ann":"'
    as who collab-who >who.out
    grep -q project:p1 who.out
    as who collab-who --user ann >who.out
    as stats collab-stats >stats.out
    grep -q '^a ' stats.out
    as stats collab-stats --check >check.out
    grant_more stats
    as stats collab-stats --waiting >waiting.out
    as member collab-member list workspace:w1 >members.out
    grep -q ann members.out
    as member collab-member rooms ann >members.out
    as member collab-member role workspace:w1 ann admin >members.out
    as member collab-member -q remove workspace:w1 ann

    # Somebody goes, somebody is sent, a node dies.
    as kick collab-kick --reset --user ann
    as kick collab-kick --user ann
    hears ann 'close 4501'
    as emit collab-emit -r user:ann -t user:note --data '{"userId":"ann"}'
    as who collab-who --waiting ann >waiting.out
    start_user again a ann
    hears again '"type":"user:note"'
    stop b KILL
    expire_lease b
    wait_until nobody_is_left bob
    redis del collab:node:b
    as stats collab-stats >stats.out
    nothing_was_refused
}

@test "sessions of Socket.IO are recovered with those rights" {
    echo '{"name":"kept","rooms":{"*":{}},"events":{"*":{}}}' >catalog.json
    export COLLAB_CATALOG=catalog.json
    start_granted a
    as emit in_time node "$CLIENTS/recovery.js" away "http://$GATEWAY" \
        "$(token '{"sub":"ann","rooms":["*"],"publish":["*"]}')"
    stop a
    nothing_was_refused
}

# Their namespaces are / and /admin; the page has the one.
grant_neighbours()
{
    grant_more emit
    grant_more node
    rules | grep 'ACL SETUSER node [^o]' | sed 's,#/#,#/admin#,g' | redis >granted.out
    grep -q '^OK' granted.out
}

as_neighbour() # CHECK
{
    timeout 90 node "$CLIENTS/neighbours.js" "$1" "$REDIS_SOCKET" \
        "$(token '{"sub":"ann","rooms":["*"],"publish":["*"]}')" "${urls[@]}"
}

@test "servers and emitters of Socket.IO are spoken to with what the page adds" {
    local urls check
    echo '{"name":"plain","rooms":{"*":{"history":{"length":0}}},"events":{"*":{"class":"live"}},
        "socketio":{"namespaces":["/","/admin"]}}' >catalog.json
    export COLLAB_CATALOG=catalog.json
    grant_neighbours
    start_granted a --socketio-redis socket.io
    urls=("http://$GATEWAY")
    start_granted b --socketio-redis socket.io
    urls+=("http://$GATEWAY")
    for check in emitter bothWays requests oldRequests questions parting; do
        echo "check: $check"
        as_neighbour $check
    done
    start listener as_neighbour listening
    wait_for_line listener.out listening
    as emit collab-emit --socketio socket.io <<'LINES'
{"type":"one","room":"room:1"}
{"type":"two","rooms":["room:2","room:1"],"data":2}
{"type":"end","room":"room:1"}
LINES
    finish listener
    [ "$status" -eq 0 ]
    [ "$(sed 1d listener.out)" = $'["one",null]\n["two",2]' ]
    nothing_was_refused
}

@test "without what the page adds, neither is" {
    run -1 --separate-stderr as emit collab-emit -r room:1 -t t --socketio socket.io
    [[ $stderr = *NOPERM* ]]
    start_granted a --socketio-redis socket.io
    wait_until eval 'redis acl log | grep -q "^socket.io"'
}
