# The table of examples/README.md: what the five systems do, and the tests that show it.

TABLE=$BATS_TEST_DIRNAME/../examples/README.md

# SYSTEM TAB TEST, of each line.
rows()
{
    awk -F ' *[|] *' 'p && NF == 5 { print $2 "\t" $4 } /^[|] system / { getline; p = 1 }' "$TABLE"
}

@test "each line names a test that there is" {
    local system proof missing=0
    [ "$(rows | wc -l)" -gt 20 ]
    while IFS=$'\t' read -r system proof; do
        grep -qsF "@test \"${proof#*: }\" {" "$BATS_TEST_DIRNAME/${proof%%: *}" || {
            echo "$system: no such test: $proof"
            missing=1
        }
    done < <(rows)
    [ "$missing" -eq 0 ]
}
