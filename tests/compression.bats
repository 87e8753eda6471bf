# Compression of messages, permessage-deflate, with the clients that there are.

load helpers

CLIENTS=$BATS_TEST_DIRNAME/clients

setup_file()
{
    start_redis
}

teardown_file()
{
    stop_all
}

@test "ws, socket.io-client and a browser, compressed and not" {
    CHROMIUM=$(command -v chromium chromium-browser google-chrome | head -n 1)
    export CHROMIUM
    [ -n "$CHROMIUM" ]
    node --test "$CLIENTS/compression.test.mjs"
}
