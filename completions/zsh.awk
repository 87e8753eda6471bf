# The completion for zsh, by its own _arguments.

# What _arguments calls an action.
function action(what)
{
    if (kind(what) == "words")
        return "(" choices(what) ")"
    if (kind(what) == "command")
        return "_command_names -e"
    if (kind(what) == "dir")
        return "_directories"
    return kind(what) == "file" ? "_files" : " "
}

function escaped(text, characters)
{
    gsub(/\\/, "&&", text)
    gsub(characters, "\\\\&", text)
    return text
}

function value(i)
{
    if (extra[i] != "")
        return "::" name[i] ":(" extra[i] ")"
    return arg[i] == "" ? "" : ":" escaped(arg[i], ":") ":" action(arg[i])
}

# One that may be repeated, or excludes itself once it was given.
function how_often(i)
{
    if (help[i] ~ /repeat/)
        return "'*'"
    return letter[i] == "" ? "" : "'(-" letter[i] " --" name[i] ")'"
}

function emit(    i, flags, text)
{
    print "#compdef " program
    print "# zsh completion of " program
    print "_arguments -s -S \\"
    for (i = 1; i <= count; i++) {
        text = quoted("[" escaped(help[i], "[][]") "]" value(i))
        flags = "--" name[i] (arg[i] == "" ? "" : "=")
        if (letter[i] != "")
            flags = "{-" letter[i] (arg[i] == "" ? "" : "+") "," flags "}"
        print "    " how_often(i) flags text " \\"
    }
    if (kind(first_operand()) == "words")
        print "    " quoted("1:command:" action(first_operand())) " \\"
    print "    " quoted("*:" (kind(operands) == "file" ? "file:_files" : \
                              kind(operands) == "dir" ? "directory:_directories" : "operand: "))
}
