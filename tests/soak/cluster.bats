# The same over a cluster, to whose servers it happens: masters are killed and hand over, slots move.
# Redis may lose what it had taken, when a master is killed before its replica has it; a client is
# told of each such gap, and but for that gets all in order and nothing twice.

load ../helpers
load ../cluster
load soak

setup()
{
    begin
    start_cluster 3 1
    start_clients
}

teardown()
{
    stop_all
}

# Of the two that have the same slots, 1 and 4.
replica()
{
    is_master 1 && echo 4 || echo 1
}

kill_master()
{
    local replica master
    replica=$(replica)
    master=$((5 - replica))
    stop "server-$master" KILL
    publish
    wait_until is_master "$replica"
    run_server "$master"
    wait_until is_linked "$master"
}

hand_over()
{
    local replica
    replica=$(replica)
    wait_until takes_over "$replica"
    wait_until is_linked $((5 - replica))
}

move_room() # ROOM
{
    local from to
    from=$(server_of "$1")
    to=2
    [ "$from" -ne 2 ] || to=3
    move_slot "$1" "$from" "$to" 3>&- &
    publish
    wait $!
}

something_happens() # WHAT
{
    local n=$((RANDOM % 4 + 1))
    case $1 in
    0) kill_master ;;
    1) hand_over ;;
    2) server $n client kill type pubsub && server $n client kill type normal ;;
    3) move_room "room:$((RANDOM % 2 + 1))" ;;
    *) something_happens_here "$1" ;;
    esac >/dev/null
}

# What a client got of a room: in order and once, but that it may be behind after it was told of a
# gap. What was lost and never confirmed is published again, as nobody knows of its key any more.
in_order() # N ROOM
{
    awk -v room="\"room\":\"$2\"" '
        index($0, "\"type\":\"gap\"") && index($0, room) || /"recovered":false/ { last = 0 }
        index($0, room) && match($0, /"n":[0-9]+}}$/) {
            n = substr($0, RSTART + 4) + 0
            if (n <= last) { print FILENAME ": " room ": " n " after " last; exit 1 }
            last = n
        }' "$DIR/told.$1"
}

@test "soak over a cluster" {
    local n room
    go_through
    for n in {0..5}; do
        for room in room:1 room:2; do
            in_order "$n" $room
        done
        all_have "$N" || grep -qE '"type":"gap"|"recovered":false' "$DIR/told.$n"
    done
}
