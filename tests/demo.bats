# make demo: its script, in a copy of what it needs of the tree, so that the history is ours.

load helpers

setup()
{
    ROOT=$(realpath "$BATS_TEST_DIRNAME/..")
    COPY=$BATS_TEST_TMPDIR/copy
    mkdir -p "$COPY/examples" "$BATS_TEST_TMPDIR/tmp"
    cp -r "$ROOT"/examples/{demo,web} "$COPY/examples"
    export BUILD TMPDIR=$BATS_TEST_TMPDIR/tmp
}

teardown()
{
    stop_all
}

# With three commits, two of which change something in lib.
make_history()
{
    cd "$COPY" || return
    git init -q .
    commit 'Ann Berg' 'Begin' lib/a.c README
    commit 'Zoë "Z" 李' $'A "quoted"\tsubject \\ and more' 'doc/ä b.txt' 'doc/c'
    commit 'Ann Berg' 'Go on' lib/a.c lib/b.c tests/x
}

commit() # AUTHOR SUBJECT FILE...
{
    local author=$1 subject=$2 file
    shift 2
    for file; do
        mkdir -p "$(dirname "$file")"
        echo "$subject" >>"$file"
        git add "$file"
    done
    GIT_COMMITTER_NAME=c GIT_COMMITTER_EMAIL=c@d \
        git commit -q --author "$author <a@b>" -m "$subject"
}

# Neither a file nor a process of the demo's.
left_nothing()
{
    [ -z "$(ls "$TMPDIR")" ]
    ! grep -lsza "^XDG_RUNTIME_DIR=$TMPDIR" /proc/[0-9]*/environ
}

# A directory of programs as the build's, one of which is a script from standard input.
replace_program() # NAME
{
    mkdir -p "$BATS_TEST_TMPDIR/build/bin"
    ln -s "$BUILD"/bin/collab* "$BATS_TEST_TMPDIR/build/bin"
    rm "$BATS_TEST_TMPDIR/build/bin/$1"
    { echo '#!/bin/bash' && cat; } >"$BATS_TEST_TMPDIR/build/bin/$1"
    chmod +x "$BATS_TEST_TMPDIR/build/bin/$1"
    REAL=$BUILD/bin/$1
    BUILD=$BATS_TEST_TMPDIR/build
    export REAL
}

@test "make demo, as README says" {
    cd "$ROOT"
    unset MAKEFLAGS MAKELEVEL
    run -0 make demo BUILD="$BUILD"
    [[ $output = *'Each got each of its events once'* ]]
    left_nothing
}

@test "the history of the repository becomes events in rooms" {
    make_history
    run -0 examples/demo/run
    [[ $output = *'git log | jq'* ]]
    [[ $output = *'3 events'* ]]
    [[ $output =~ 'repo:collab '\ +3\ +3\ +-$'\n' ]]
    [[ $output =~ 'author:Ann-Berg '\ +2\ +2\ +-$'\n' ]]
    [[ $output =~ 'area:lib '\ +2\ +2\ +2$'\n' ]]
    [[ $output =~ 'area:top '\ +1\ +1\ +-$'\n' ]]
    [[ $output = *'Ann Berg: Go on'* ]]
    [[ $output = *'Zoë "Z" 李: A "quoted"'* ]]
    [[ $output =~ 'TOTAL '\ +1\ +2\ +2\  ]]
    left_nothing
}

@test "on a terminal of 80 columns it ends by itself, and fits two screens" {
    make_history
    run -0 timeout 60 script -qec 'stty cols 80; examples/demo/run' /dev/null
    output=$(sed $'s/\033\\[[0-9;]*m//g; s/\r//g' <<<"$output")
    [[ $output =~ 'TOTAL '\ +1\ +2\ +2\  ]]
    [ "$(grep -v token= <<<"$output" | wc -L)" -le 80 ]
    [ "$(grep -c . <<<"$output")" -le 48 ]
}

@test "without a repository it takes a sample" {
    cd "$COPY"
    run -0 examples/demo/run
    [[ $output = *'this copy has none of its own'* ]]
    [[ $output =~ 'repo:collab '\ +12\ +12\ +-$'\n' ]]
    [[ $output =~ 'area:lib '\ +8\ +8\ +8$'\n' ]]
    left_nothing
}

@test "a shallow clone and another's repository have no history of their own" {
    make_history
    git add examples
    git -c user.name=a -c user.email=a@b commit -q -m examples
    git clone -q --depth 1 "file://$COPY" ../shallow
    run -0 ../shallow/examples/demo/run
    [[ $output = *'this copy has none of its own'* ]]
    mkdir inner
    cp -r examples inner
    run -0 inner/examples/demo/run
    [[ $output = *'this copy has none of its own'* ]]
}

@test "it fails when events come in another order" {
    replace_program collab-emit <<<'tac | "$REAL"'
    run -1 "$COPY/examples/demo/run"
    [[ $output = *'demo: what all got (>) is not what was sent (<)'* ]]
    left_nothing
}

@test "it fails when the client gets what is another's" {
    replace_program collab-tail <<'END'
[ $# -eq 4 ] && set -- "${@:1:3}" area:cmd area:lib
exec "$REAL" "$@"
END
    run -1 "$COPY/examples/demo/run"
    [[ $output = *'demo: what client got (>) is not what was sent (<)'* ]]
}

@test "it fails when events are refused, and when the gateway does not start" {
    replace_program collab-emit <<<'exec "$REAL" --room bad'
    run -1 "$COPY/examples/demo/run"
    [[ $output = *'demo: collab-emit did not publish them all'* ]]
    BUILD=${REAL%/bin/*}
    rm -r "$BATS_TEST_TMPDIR/build"
    replace_program collabd <<<'echo no >&2'
    run -1 "$COPY/examples/demo/run"
    [[ $output = *'demo: collabd ended'*'    no'* ]]
    left_nothing
}

@test "KEEP: it goes on running, and what it prints to type works" {
    local out=$BATS_TEST_TMPDIR/demo.out
    # What runs in the background has no Ctrl-C, unless it is given it.
    KEEP=1 start demo env --default-signal=INT "$COPY/examples/demo/run"
    wait_for_line "$out" 'collab-emit --room room:one'
    eval "$(grep '^   export' "$out")"
    start tail bash -c "$(sed -n 's/^   \(collab-tail .*room:one\) &$/exec \1 --verbose/p' "$out")"
    wait_for_line "$BATS_TEST_TMPDIR/tail.err" listening
    bash -c "$(grep '^   collab-emit' "$out")"
    wait_for_line "$BATS_TEST_TMPDIR/tail.out" '"data":"world"}'
    stop tail
    stop demo INT
    [ "$status" -eq 0 ]
    left_nothing
}

@test "KEEP: the board is open, and two people are at work on it" {
    local out=$BATS_TEST_TMPDIR/demo.out address
    KEEP=1 start demo env --default-signal=INT "$COPY/examples/demo/run"
    wait_for_line "$out" 'They go on'
    address=$(sed -n 's/^   \(http.*\)#board=demo&token=.*/\1/p' "$out")
    curl -fsS "$address" | grep -q '<title>'
    COLLAB_TOKEN=$(sed -n 's/^   http.*&token=//p' "$out")
    export COLLAB_TOKEN
    start you collab-tail --verbose --url "ws${address#http}ws" board:demo
    wait_for_line "$BATS_TEST_TMPDIR/you.out" '"type":"card:created","room":"board:demo","user":"bob"'
    wait_for_line "$BATS_TEST_TMPDIR/you.out" '"type":"cursor:moved"'
    stop you
    stop demo INT
    [ "$status" -eq 0 ]
    left_nothing
}
