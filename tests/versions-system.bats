# The system of examples/versions, by the client library of its clients: the table in
# examples/README.md says which test is for what.

load helpers

EXAMPLE=$BATS_TEST_DIRNAME/../examples/versions

setup_file()
{
    start_redis
    export KEY_FILE
    KEY_FILE=$(key_file)
    start_node a --node a --catalog "$EXAMPLE/catalog.json"
    A=http://$GATEWAY
    start_node b --node b --catalog "$EXAMPLE/catalog.json"
    export A B=http://$GATEWAY
}

teardown_file()
{
    stop_all
}

check() # NAME [URL]...
{
    in_time node "$BATS_TEST_DIRNAME/clients/versions.js" "$@"
}

@test "projects are for members, who come and go; a refusal is an error event" {
    check joining "$A"
}

@test "who disconnects leaves every room" {
    check presence "$A" "$B"
}

@test "every event goes to its project, whole, with who did it" {
    check events "$A" "$B"
}

@test "versions begin at 0 and go up by one" {
    check versions "$A" "$B"
}

@test "a conflicting edit is told" {
    check conflict "$A"
}

@test "a client as its README has it" {
    check readme "$A"
}
