#!/bin/zsh -f
# typed.zsh SHELL SHARE LINE...: types lines, in which \t is the Tab key, at the prompt of a real,
# interactive bash, zsh or fish that finds completions below SHARE, and prints all it shows.
#
# Each line has to run something that prints the word "finished".

zmodload zsh/zpty
local shell=$1 share=$2 home seen all
shift 2

home=$(mktemp -d)
trap 'zpty -d terminal; rm -rf $home' EXIT

# The prompt is put together, so that it is seen only when it is one.
<<END >$home/.bashrc
PS1=ready
PS1+='> '
XDG_DATA_DIRS=$share
bind 'set show-all-if-ambiguous on' 'set completion-query-items 0' 'set page-completions off'
. /usr/share/bash-completion/bash_completion
END
<<END >$home/.zshrc
PS1=ready
PS1+='> '
LISTMAX=1000
fpath=($share/zsh/site-functions \$fpath)
autoload -Uz compinit
compinit -u -D
END
<<'END' >$home/config.fish
set fish_greeting
function fish_prompt
    echo -n ready; echo -n '> '
end
END

typeset -A start
start=(
    bash "bash --noprofile --rcfile $home/.bashrc -i"
    zsh "ZDOTDIR=$home zsh -d -i"
    fish "XDG_DATA_DIRS=$share:/usr/share XDG_CONFIG_HOME=$home fish --private -i \
          -C 'source $home/config.fish'"
)
zpty terminal "stty rows 400 columns 200; HOME=$home TERM=vt100 HISTFILE= exec env $start[$shell]"

zpty -r terminal seen '*ready> ' && all=$seen
for line; do
    zpty -w terminal ${(g::)line}
    zpty -r terminal seen '*finished*' && all+=$seen
done
print -r -- $all
