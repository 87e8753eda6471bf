# The table of examples/README.md: what the five systems do, and the tests that show it.

TABLE=$BATS_TEST_DIRNAME/../examples/README.md

# SYSTEM TAB TEST, of each line.
rows()
{
    awk -F ' *[|] *' 'p && NF == 5 { print $2 "\t" $4 } /^[|] system / { getline; p = 1 }' "$TABLE"
}

@test "each line names a test that there is" {
    local system proof missing=0
    [ "$(rows | cut -f 1 | sort -u | tr '\n' ' ')" = 'issues kanban tenants todo versions ' ]
    while IFS=$'\t' read -r system proof; do
        grep -qsF "@test \"${proof#*: }\" {" "$BATS_TEST_DIRNAME/${proof%%: *}" || {
            echo "$system: no such test: $proof"
            missing=1
        }
    done < <(rows)
    [ "$missing" -eq 0 ]
}

@test "each test of a system's own file is in a line" {
    local system file name missing=0
    for file in kanban issues todo tenants-system versions-system; do
        system=${file%-system}
        while IFS= read -r name; do
            rows | grep -qxF -e "$system"$'\t'"$file.bats: $name" || {
                echo "$file.bats: $name"
                missing=1
            }
        done < <(sed -n 's/^@test "\(.*\)" {$/\1/p' "$BATS_TEST_DIRNAME/$file.bats")
    done
    [ "$missing" -eq 0 ]
}
