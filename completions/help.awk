# Reads a program's help, as lib/opt.c prints it:
#
#     usage: collab-emit [options] [FILE]
#     Publish events to rooms.
#
#       -r, --room=ROOM          the room to publish to; may be repeated
#           --format=text|json   how to print what comes back,
#                                for a person or a program
#
#       -h, --help[=all]         show this help, or all of it
#
# into: program, operands, and for 1..count the letter ("" without one), name, arg ("" of a flag),
# extra (the word that may follow a flag, "" of others) and help of each option. Then calls emit(),
# which each shell's file defines.

/^usage: / {
    program = $2
    operands = $0
    sub(/^usage: [^ ]+ */, "", operands)
    sub(/^\[options\] */, "", operands)
    next
}

/^ +-/ {
    count++
    read_option($0)
    next
}

/^ / && count {
    sub(/^ +/, "")
    help[count] = help[count] (help[count] == "" ? "" : " ") $0
}

END {
    if (program == "" || !count) {
        print "completions/help.awk: this is not a help text" >"/dev/stderr"
        exit 1
    }
    # The environment variable is not for a line of hints.
    for (i = 1; i <= count; i++)
        sub(/ \[\$[A-Z_]+\]$/, "", help[i])
    emit()
}

# The flags end where two blanks stand, or with the line.
function read_option(line,    flags)
{
    sub(/^ +/, "", line)
    flags = line
    sub(/  .*/, "", flags)
    help[count] = substr(line, length(flags) + 1)
    sub(/^ +/, "", help[count])

    letter[count] = ""
    if (flags ~ /^-[^-]/) {
        letter[count] = substr(flags, 2, 1)
        sub(/^-., /, "", flags)
    }
    sub(/^--/, "", flags)
    extra[count] = ""
    if (match(flags, /\[=.*\]$/)) {
        extra[count] = substr(flags, RSTART + 2, RLENGTH - 3)
        flags = substr(flags, 1, RSTART - 1)
    }
    name[count] = arg[count] = flags
    sub(/=.*/, "", name[count])
    if (!sub(/^[^=]*=/, "", arg[count]))
        arg[count] = ""
}

# The words to choose from if that is what "text|json" says, else "". ID|-N is not a choice of words.
function choices(what,    words, n, i, all)
{
    n = split(what, words, "|")
    if (n < 2)
        return ""
    for (i = 1; i <= n; i++) {
        if (words[i] !~ /^[a-z][a-z0-9-]*$/)
            return ""
        all = all (i > 1 ? " " : "") words[i]
    }
    return all
}

# What completes an argument, FILE|-, or one of the operands, [FILE]...: file, dir, command, words,
# or "" for anything else.
function kind(what,    words, n, i)
{
    if (choices(what) != "")
        return "words"
    gsub(/[][]|\.\.\./, "", what)
    n = split(what, words, /[ |]+/)
    for (i = 1; i <= n; i++) {
        if (words[i] == "FILE" || words[i] == "PATH")
            return "file"
        if (words[i] == "DIR")
            return "dir"
        if (words[i] == "COMMAND")
            return "command"
    }
    return ""
}

# The first operand without its brackets: "sign|verify" of "sign|verify [FILE]".
function first_operand(    words)
{
    split(operands, words, " ")
    gsub(/[][.]/, "", words[1])
    return words[1]
}

# For use within '...'.
function quoted(text)
{
    gsub(/'/, "'\\''", text)
    return "'" text "'"
}
