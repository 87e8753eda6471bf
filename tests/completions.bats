# Completion, typed in the shells that people use. The completed line is run, and a stand-in for
# the program notes its arguments.

load helpers

setup_file()
{
    export SHARE=$BATS_FILE_TMPDIR/share STUBS=$BATS_FILE_TMPDIR/bin
    mkdir -p "$SHARE"/{bash-completion/completions,zsh/site-functions,fish/vendor_completions.d} \
        "$STUBS"
    export BUILD=${BUILD:-$(realpath "$BATS_TEST_DIRNAME/../build")}
    export PATH=$STUBS:$BUILD/bin:$PATH

    cat >"$STUBS/collab-sample" <<'END'
#!/bin/sh
if [ "$*" = '--help all' ] && [ -z "${NOTES:-}" ]; then
    cat <<'HELP'
usage: collab-sample [options] sign|verify [FILE]
Shows how completion's done.

  -r, --room=ROOM              a room: [kind:id]; may be repeated
  -k, --key-file=FILE          where the key's kept
      --keys=DIR               where they all are
  -F, --format=text|json|prometheus
                               how to print what comes back,
                               for a person or a program (default: text)
      --since=ID|-N|beginning  where to begin
      --authz=COMMAND          who decides
  -n, --dry-run                say what would be done, C:\else
  -h, --help[=all]             show this help, or all of it
  -V, --version                show the version
HELP
    exit
fi
printf '%s\n' "$*" >>"$NOTES"
echo finished
END
    chmod +x "$STUBS/collab-sample"
    install_completions "$STUBS/collab-sample"

    cd "$BATS_FILE_TMPDIR" || return
    mkdir 'keys of old'
    touch "the key.pem"
}

setup()
{
    export NOTES=$BATS_TEST_TMPDIR/notes
    cd "$BATS_FILE_TMPDIR" || return
}

install_completions() # PROGRAM
{
    local name generate="$BATS_TEST_DIRNAME/../completions/generate"
    name=$(basename "$1")
    "$generate" bash "$1" >"$SHARE/bash-completion/completions/$name"
    "$generate" zsh "$1" >"$SHARE/zsh/site-functions/_$name"
    "$generate" fish "$1" >"$SHARE/fish/vendor_completions.d/$name.fish"
}

# What SHELL shows when LINE is typed.
typed() # SHELL LINE
{
    in_time "$BATS_TEST_DIRNAME/typed.zsh" "$1" "$SHARE" "$2" | tr -d '\0' >shown
    echo "typed: $2"
    echo "shown: $(cat shown)"
}

# A line typed in SHELL runs the program with these arguments.
completes() # SHELL LINE ARGUMENTS
{
    rm -f "$NOTES"
    typed "$1" "collab-sample $2"
    echo "noted: $(cat "$NOTES")"
    # Shells differ in how they write a value, and a directory.
    [ "$(sed 's/\(--[a-z-]*\) /\1=/; s/[ /]$//' "$NOTES")" = "$3" ]
}

completes_all() # SHELL
{
    completes "$1" '--form\tjs\t' '--format=json'
    completes "$1" '-F prom\t' '-F prometheus'
    completes "$1" '--dry\t' '--dry-run'
    completes "$1" '--key-f\tthe\t' '--key-file=the key.pem'
    completes "$1" '--keys keys\t' '--keys=keys of old'
    completes "$1" '--auth\tcollab-sam\t' '--authz=collab-sample'
    completes "$1" 'ver\tthe\t' 'verify the key.pem'
    completes "$1" '--he\ta\t' '--help=all'
    completes "$1" '-h al\t' '-h all'
}

@test "bash completes options, choices, files, directories, commands and operands" {
    completes_all bash
}

@test "zsh completes options, choices, files, directories, commands and operands" {
    completes_all zsh
}

@test "fish completes options, choices, files, directories, commands and operands" {
    completes_all fish
}

# A terminal shows what fish offers only while nothing more is typed, so fish is asked for it.
offers() # SHELL TEXT
{
    case $1 in
    fish) typed fish "complete -C '$2'; echo finish\"\"ed" ;;
    *) typed "$1" "$2\t\025echo finish\"\"ed" ;;
    esac
}

options_of() # PROGRAM
{
    "$1" --help all | sed -n 's/^ *\(-., \)\?--\([a-z0-9-]*\).*/\2/p'
}

@test "every shell offers all options of every program" {
    local program shell option
    for program in "$BUILD"/bin/*; do
        install_completions "$program"
        for shell in bash zsh fish; do
            offers $shell "$(basename "$program") --"
            for option in $(options_of "$program"); do
                echo "looking for --$option"
                grep -q -e "--$option\([^a-z0-9-]\|$\)" shown
            done
        done
    done
}
