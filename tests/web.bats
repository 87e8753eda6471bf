# What runs in browsers: the client library of examples/web, and the types of it.

load helpers

setup_file()
{
    load helpers
    start_redis
}

setup()
{
    CLIENTS=$BATS_TEST_DIRNAME/clients
    WEB=$BATS_TEST_DIRNAME/../examples/web
}

teardown_file()
{
    stop_all
}

@test "collab.js" {
    node --test "$CLIENTS/collab.test.mjs"
}
