# What runs in browsers: the client library and the board of examples/web, the hooks of examples/react.

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

@test "the board's model" {
    node --test "$CLIENTS/model.test.mjs"
}

# Debian's chromium, from tests/deps; elsewhere it may have another name.
@test "the board, in two browsers" {
    CHROMIUM=$(command -v chromium chromium-browser google-chrome | head -n 1)
    export CHROMIUM
    [ -n "$CHROMIUM" ] || skip 'no chromium'
    node --test "$CLIENTS/board.test.mjs"
}

@test "the React hooks" {
    node --test "$CLIENTS/react.test.mjs"
}

@test "the board's catalog is right" {
    collab-catalog check "$WEB/catalog.json"
}

@test "the hooks' types, over both clients" {
    local modules
    modules=$(realpath "$CLIENTS/node_modules")
    cat >"$BATS_TEST_TMPDIR/tsconfig.json" <<END
{
  "compilerOptions": {
    "strict": true, "noEmit": true, "target": "es2022", "module": "esnext", "jsx": "react-jsx",
    "moduleResolution": "bundler", "types": [],
    "paths": {
      "react": ["$modules/@types/react"], "react/*": ["$modules/@types/react/*"],
      "socket.io-client": ["$modules/socket.io-client"]
    }
  },
  "files": ["$CLIENTS/hooks.tsx"]
}
END
    "$modules/.bin/tsc" --project "$BATS_TEST_TMPDIR"
}
