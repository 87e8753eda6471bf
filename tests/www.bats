# Files for browsers: collabd --www.

load helpers

setup_file()
{
    load helpers
    start_redis
    export WWW=$BATS_FILE_TMPDIR/www
    mkdir -p "$WWW/sub/deep" "$BATS_FILE_TMPDIR/outside" "$WWW/.git" "$WWW/empty"
    echo '<!doctype html>' >"$WWW/index.html"
    echo 'sub' >"$WWW/sub/index.html"
    echo 'export {}' >"$WWW/sub/deep/app.js"
    echo 'body {}' >"$WWW/style.CSS"
    echo 'odd' >"$WWW/a b%.txt"
    echo 'what' >"$WWW/unknown"
    echo 'mine' >"$WWW/health"
    : >"$WWW/nothing.svg"
    echo secret | tee "$WWW/.hidden" "$WWW/.git/config" >"$BATS_FILE_TMPDIR/outside/secret"
    ln -s ../outside/secret "$WWW/link"
    ln -s ../outside "$WWW/linked"
    ln -s index.html "$WWW/inside"
    mkfifo "$WWW/fifo"
    truncate -s 16M "$WWW/large.png"
    truncate -s $(((16 << 20) + 1)) "$WWW/larger.png"
    start_collabd --www "$WWW"
}

teardown_file()
{
    stop_all
}

get() # PATH [CURL OPTION]...
{
    local path=$1
    shift
    curl -sS --path-as-is -D "$BATS_TEST_TMPDIR/head" -w '%{stderr}%{http_code} ' "$@" \
        "http://$GATEWAY$path" 2>"$BATS_TEST_TMPDIR/status"
}

status()
{
    cat "$BATS_TEST_TMPDIR/status"
}

header() # NAME
{
    sed -n "s/^$1: \(.*\)\r/\1/Ip" "$BATS_TEST_TMPDIR/head"
}

is_missing() # PATH
{
    echo "$1"
    [ "$(get "$1")" = '{"code":"not_found","message":"nothing is here"}' ]
    [ "$(status)" = '404 ' ]
}

@test "files, and index.html for a directory" {
    [ "$(get /)" = '<!doctype html>' ]
    [ "$(get /index.html)" = '<!doctype html>' ]
    [ "$(get '/?token=1')" = '<!doctype html>' ]
    [ "$(get /sub/)" = sub ]
    [ "$(get /sub/deep/app.js)" = 'export {}' ]
    [ "$(get '/%73ub/deep/app%2Ejs')" = 'export {}' ]
    [ "$(get '/a%20b%25.txt')" = odd ]
    [ "$(status)" = '200 ' ]
}

@test "types" {
    local path type
    while read -r path type; do
        get "$path" >/dev/null
        echo "$path: $(header content-type)"
        [ "$(header content-type)" = "$type" ]
    done <<'END'
/ text/html; charset=utf-8
/sub/deep/app.js text/javascript; charset=utf-8
/style.CSS text/css; charset=utf-8
/nothing.svg image/svg+xml
/unknown application/octet-stream
END
}

@test "headers keep a page to itself, and nothing is kept" {
    get / >/dev/null
    [[ $(header content-security-policy) = "default-src 'none'; "*"script-src 'self'; "* ]]
    [[ $(header content-security-policy) = *"frame-ancestors 'none'" ]]
    [ "$(header referrer-policy)" = no-referrer ]
    [ "$(header cache-control)" = no-store ]
    [ "$(header x-content-type-options)" = nosniff ]
}

@test "a directory without its slash" {
    get '/sub?a=b' >/dev/null
    [ "$(status)" = '301 ' ]
    [ "$(header location)" = '/sub/?a=b' ]
    [ "$(get /sub -L)" = sub ]
}

@test "HEAD: as GET, without the body" {
    [ -z "$(get /index.html -I -o /dev/null)" ]
    [ "$(status)" = '200 ' ]
    [ "$(header content-length)" -eq 16 ]
}

@test "what the gateway answers itself comes first" {
    [[ $(get /health) = *'"ready":true'* ]]
    is_missing /healthy
    get /index.html -X POST >/dev/null
    [ "$(status)" = '404 ' ]
}

@test "no path climbs out of the directory" {
    local path
    for path in /../outside/secret /sub/../../outside/secret /%2e%2e/outside/secret \
        /..%2foutside%2fsecret /sub/..%2f..%2foutside/secret '/..\outside\secret' \
        '/..%5coutside' /./index.html /sub/./index.html /sub/../index.html //index.html \
        /sub//index.html "//$WWW/index.html" /... /.; do
        is_missing "$path"
    done
}

@test "nothing hidden, no link, and only what is a file" {
    local path
    for path in /.hidden /.git/config /%2ehidden /link /linked/secret /linked/ /linked /inside \
        /fifo /empty/ /sub/none /index.html/ /index.html/x /larger.png; do
        is_missing "$path"
    done
    [ "$(get /large.png | wc -c)" -eq $((16 << 20)) ]
}

@test "paths that are no text" {
    local path
    for path in /index.html%00 /index%0a.html /%zz /% /%2 /index.htm%6 /%7f /%ff; do
        is_missing "$path"
    done
    is_missing "/$(printf 'a%.0s' {1..256})"
    is_missing "/$(printf '%%61%.0s' {1..256})"
}

@test "without --www there are no files" {
    start_node plain
    is_missing /
    is_missing /index.html
    stop_all
}

@test "a directory that is not there" {
    local dir
    for dir in "$BATS_TEST_TMPDIR/none" "$WWW/index.html"; do
        run -2 collabd --check --www "$dir"
        [[ $output = "collabd: --www: $dir: no"* ]]
    done
}
