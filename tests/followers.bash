# shellcheck shell=bash
# For tests in which numbered events are published all the while, whatever happens: four clients that
# follow the rooms, and what they were told. A test has DIR, CATALOG, and a function publish FIRST LAST
# that goes by a spool in $DIR/spool, so that each event is accepted once.

start_followers() # ROOMS URL...
{
    start followers node "$BATS_TEST_DIRNAME/clients/follower.mjs" \
        "$(token '{"sub":"u1","rooms":["*"],"exp":4102444800}')" 4 "$DIR/told" "$@"
    wait_until all have_joined
}

all() # FUNCTION ARGUMENT...
{
    local n
    for n in 0 1 2 3; do
        "$1" "$n" "${@:2}" || return
    done
}

have_joined() # N
{
    grep -qs '"type":"subscribed"' "$DIR/told.$1"
}

numbers() # N
{
    sed -n 's/.*"n":\([0-9]*\)}}$/\1/p' "$DIR/told.$1"
}

has_number() # N NUMBER
{
    grep -qs "\"n\":$2}}\$" "$DIR/told.$1"
}

no_gap() # N
{
    ! grep -E '"type":"gap"|"recovered":false' "$DIR/told.$1"
}

# In small pieces, in the background.
keep_publishing() # FIRST LAST
{
    export -f publish
    export DIR CATALOG
    start publisher bash -c 'for ((i = $0; i <= $1; i += 5)); do
        publish $i $((i + 4)) || exit
        done' "$1" "$2"
}

# All that was accepted is published, also what had to wait.
publishing_ends()
{
    finish publisher
    [ "$status" -eq 0 ]
    wait_until publish_rest
}

publish_rest()
{
    publish 1 0 && [ ! -e "$DIR/spool/events" ]
}
