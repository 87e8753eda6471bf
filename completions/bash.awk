# The completion for bash. It splits --name=value at the "=": see COMP_WORDBREAKS in bash(1).

function flags_of(i)
{
    return (letter[i] == "" ? "" : "-" letter[i] "|") "--" name[i]
}

# What completes `word` as such a thing; nothing if anything goes.
function reply(what)
{
    if (kind(what) == "words")
        return "mapfile -t COMPREPLY < <(compgen -W " quoted(choices(what)) " -- \"$word\")"
    if (kind(what) == "command")
        return "mapfile -t COMPREPLY < <(compgen -c -- \"$word\")"
    if (kind(what) == "dir")
        return "compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- \"$word\")"
    if (kind(what) == "file")
        return "compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$word\")"
    return ""
}

function emit(    i, all, function_name)
{
    function_name = "_" program
    gsub(/-/, "_", function_name)

    print "# bash completion of " program
    print function_name "()"
    print "{"
    print "    local word=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]}"
    print "    if [ \"$word\" = = ]; then"
    print "        word="
    print "    elif [ \"$option\" = = ]; then"
    print "        option=${COMP_WORDS[COMP_CWORD - 2]}"
    print "    fi"
    print "    COMPREPLY=()"
    print "    case $option in"
    for (i = 1; i <= count; i++) {
        all = all (i > 1 ? " " : "") "--" name[i] (arg[i] == "" ? "" : "=")
        if (arg[i] == "" && extra[i] == "")
            continue
        print "    " flags_of(i) ")"
        if (extra[i] != "")
            print "        COMPREPLY=(" extra[i] ")"
        else if (reply(arg[i]) != "")
            print "        " reply(arg[i])
        print "        return"
        print "        ;;"
    }
    print "    esac"
    print "    if [[ $word == -* ]]; then"
    print "        mapfile -t COMPREPLY < <(compgen -W " quoted(all) " -- \"$word\")"
    print "        [[ ${#COMPREPLY[@]} -ne 1 || ${COMPREPLY[0]} != *= ]] || compopt -o nospace"
    if (kind(first_operand()) == "words") {
        print "    elif [ \"$COMP_CWORD\" -eq 1 ]; then"
        print "        " reply(first_operand())
    }
    if (kind(operands) == "file" || kind(operands) == "dir") {
        print "    else"
        print "        " reply(operands)
    }
    print "    fi"
    print "}"
    print "complete -F " function_name " " program
}
