# One event a commit, as collab-emit reads them, from the output of
#
#     git log --name-only --format='commit%x09%h%x09%an%x09%aI%x09%s'

# Any text as a room of that kind: what may not stand in a room's name becomes a dash.
def room($kind): "\($kind):\(if . == "" then "-" else gsub("[^A-Za-z0-9._~@-]+"; "-")[:100] end)";

# Where in the tree a file is: its top directory.
def area: if contains("/") then split("/")[0] else "top" end;

def event: {
    type: "commit:pushed",
    rooms: (["repo:collab", (.author | room("author"))]
        + (.files | map(area | room("area")) | unique)[:14]),
    user: .author,
    time,
    data: {hash, subject, author, files: .files[:40]}
};

reduce inputs as $line ([];
    if $line | startswith("commit\t") then
        . + [$line | split("\t") | {
            hash: .[1], author: .[2][:50], time: .[3], subject: (.[4:] | join(" ")), files: []
        }]
    elif $line == "" then .
    else .[-1].files += [$line]
    end)
| .[] | event
