# A program and its manual page name the same options: in the page each is an item of a list,
#
#     .It Fl C , -count Ar N        .It Fl -format Ar text | json

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
    "$1" --help | sed -En 's/^ +(-(.), )?--([a-z0-9-]+).*/\2 \3/p' | sed 's/^ /- /' | sort
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

# Two have more settings than that, and their pages have them in order.
@test "a tool's help fits a screen of 80 by 24, with the prompt" {
    local program
    for program in "$BUILD"/bin/*; do
        case ${program##*/} in collabd | collab-bench | fuzz_*) continue ;; esac
        echo "$program: $("$program" --help | wc -lL)"
        [ "$("$program" --help | wc -l)" -le 23 ]
        [ "$("$program" --help | sed 1d | wc -L)" -le 80 ]
    done
}
