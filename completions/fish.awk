# The completion for fish.

function values(what)
{
    if (kind(what) == "words")
        return "-x -a " fish_quoted(choices(what))
    if (kind(what) == "command")
        return "-x -a '(__fish_complete_command)'"
    if (kind(what) == "dir")
        return "-x -a '(__fish_complete_directories)'"
    return kind(what) == "file" ? "-r -F" : "-x"
}

function fish_quoted(text)
{
    gsub(/\\/, "&&", text)
    gsub(/'/, "\\'", text)
    return "'" text "'"
}

function emit(    i, line)
{
    print "# fish completion of " program
    if (kind(operands) != "file")
        print "complete -c " program " -f"
    if (kind(operands) == "dir")
        print "complete -c " program " -a '(__fish_complete_directories)'"
    if (kind(first_operand()) == "words")
        print "complete -c " program " -n __fish_is_first_arg -f -a " \
            fish_quoted(choices(first_operand()))
    for (i = 1; i <= count; i++) {
        line = "complete -c " program
        if (letter[i] != "")
            line = line " -s " letter[i]
        line = line " -l " name[i]
        if (arg[i] != "")
            line = line " " values(arg[i])
        print line " -d " fish_quoted(help[i])
        if (extra[i] != "")
            print "complete -c " program " -n '__fish_prev_arg_in " \
                (letter[i] == "" ? "" : "-" letter[i] " ") "--" name[i] "' -f -a " extra[i]
    }
}
