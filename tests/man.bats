# A program and its manual page name the same options: in the page each is an item of a list,
#
#     .It Fl C , -count Ar N        .It Fl -format Ar text | json

bats_require_minimum_version 1.5.0

setup()
{
    BUILD=${BUILD:-$(realpath "$BATS_TEST_DIRNAME/../build")}
    MAN=$BATS_TEST_DIRNAME/../man
}

page_of() # PROGRAM
{
    ls "$MAN/$(basename "$1")".[18]
}

# LETTER NAME of each option; "-" for no letter.
options_in_help() # PROGRAM
{
    "$1" --help all | sed -En 's/^ +(-(.), )?--([a-z0-9-]+).*/\2 \3/p' | sed 's/^ /- /' | sort
}

options_in_page() # PAGE
{
    sed -En -e 's/^\.It Fl ([^-]) (.* )?, (Fl )?-([a-z0-9-]+).*/\1 \4/p' \
        -e 's/^\.It Fl -([a-z0-9-]+).*/- \1/p' "$1" | sort
}

@test "every program has a manual page" {
    local program
    for program in "$BUILD"/bin/*; do
        page_of "$program"
    done
}

@test "a program's help and its page have the same options" {
    local program
    for program in "$BUILD"/bin/*; do
        echo "$program: help, and page:"
        [ -n "$(options_in_help "$program")" ]
        diff <(options_in_help "$program") <(options_in_page "$(page_of "$program")")
    done
}

@test "every page is named in its own NAME line" {
    local page name
    for page in "$MAN"/*.[1-8]; do
        name=$(basename "${page%.*}")
        echo "$page"
        grep -qx "\.Nm $name" "$page"
    done
}

# As man(1) renders it, whose tables are wider than mandoc's. Examples are as wide as they are.
@test "a page's text and tables fit 80 columns" {
    local page
    for page in "$MAN"/*.[1-8]; do
        echo "$page"
        sed '/^\.Bd -literal/,/^\.Ed/d' "$page" |
            groff -mandoc -Tutf8 -P-cbou -rLL=78n -ww >"$BATS_TEST_TMPDIR/page" 2>"$BATS_TEST_TMPDIR/said"
        [ "$(LC_ALL=C.UTF-8 wc -L <"$BATS_TEST_TMPDIR/page")" -le 80 ]
        run ! grep "can't break line" "$BATS_TEST_TMPDIR/said"
    done
}

@test "a program's help fits a screen of 80 by 24, with the prompt" {
    local program
    for program in "$BUILD"/bin/collab*; do
        echo "$program: $("$program" --help | wc -lL)"
        [ "$("$program" --help | wc -l)" -le 23 ]
        [ "$("$program" --help | sed 1d | wc -L)" -le 80 ]
    done
}

# What it shows at first is part of all, line by line; where something is hidden, it says how to
# see it, and how much there is.
@test "--help all shows every option that --help shows, and those that it says are hidden" {
    local program hidden told
    for program in "$BUILD"/bin/collab*; do
        "$program" --help all >"$BATS_TEST_TMPDIR/all"
        "$program" --help=all | cmp - "$BATS_TEST_TMPDIR/all"
        "$program" -h all | cmp - "$BATS_TEST_TMPDIR/all"
        "$program" --help >"$BATS_TEST_TMPDIR/first"
        hidden=$(($(grep -c '^ *-' "$BATS_TEST_TMPDIR/all") -
            $(grep -c '^ *-' "$BATS_TEST_TMPDIR/first")))
        told=$(sed -n 's/.* --help all shows \([0-9]*\) more; man .*/\1/p' "$BATS_TEST_TMPDIR/first")
        echo "$program: $hidden hidden, $told told"
        [ "$hidden" -eq "${told:-0}" ]
        sed '/ --help all shows /d' "$BATS_TEST_TMPDIR/first" >"$BATS_TEST_TMPDIR/rows"
        run -1 grep -vxFf "$BATS_TEST_TMPDIR/all" "$BATS_TEST_TMPDIR/rows"
    done
    [ "$("$BUILD/bin/collabd" --help all | wc -l)" -gt 100 ]
}
