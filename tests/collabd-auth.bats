# Who a client is: the ways to bring a token, what is wrong with one, its end and its renewal.

load helpers
load gateway

setup_file()
{
    use_plain_catalog
    start_redis
    # More attempts fail here than anybody needs.
    export COLLAB_AUTH_RATE=off
}

teardown_file()
{
    stop_all
}

setup()
{
    start_player
    ANN=$(token '{"sub":"ann","rooms":["*"],"publish":["*"]}')
    OLD=$(token '{"sub":"ann","exp":1000000000}')
    EXPIRED='{"type":"error","code":"unauthenticated","message":"expired 2001-09-09T01:46:40Z (...)"}'
}

teardown()
{
    stop_all
}

# A client that connects as told has this said to it, and is sent away with 1008.
is_sent_away() # NAME MESSAGE CONNECT_OPTION...
{
    local name=$1 message=$2
    shift 2
    tell "$name" connect "$@"
    hear "$name" "open${OPEN_WITH-" collab.v1"}" \
        '{"type":"error","code":"unauthenticated","message":"'"$message"'"}' \
        'close 1008 not authenticated'
}

# --- bringing it ---

@test "a token in the query" {
    start_collabd --node n1
    tell ann connect "ws://$GATEWAY/ws?token=$ANN" protocol=collab.v1
    tell bob connect "ws://$GATEWAY/ws?x=1&y&token=$ANN&token=no" protocol=collab.v1
    hear ann 'open collab.v1' "$(welcome ann)"
    hear bob 'open collab.v1' "$(welcome ann)"
    is_sent_away eve 'expired 2001-09-09T01:46:40Z (...)' "ws://$GATEWAY/ws?token=$OLD" \
        protocol=collab.v1
}

@test "a token in the Authorization header" {
    start_collabd --node n1
    tell ann connect "ws://$GATEWAY/ws" "header=Authorization:Bearer%20$ANN"
    tell bob connect "ws://$GATEWAY/ws" "header=authorization:BEARER%20%20$ANN"
    hear ann open "$(welcome ann)"
    hear bob open "$(welcome ann)"
    OPEN_WITH='' is_sent_away eve 'expired 2001-09-09T01:46:40Z (...)' "ws://$GATEWAY/ws" \
        "header=Authorization:Bearer%20$OLD"
}

@test "a token among the subprotocols, of which collab.v1 is selected" {
    start_collabd --node n1
    tell ann connect "ws://$GATEWAY/ws" protocol=collab.v1 "protocol=bearer.$ANN"
    tell bob connect "ws://$GATEWAY/ws" protocol=other "protocol=bearer.$ANN" protocol=collab.v1
    hear ann 'open collab.v1' "$(welcome ann)"
    hear bob 'open collab.v1' "$(welcome ann)"
    is_sent_away eve 'expired 2001-09-09T01:46:40Z (...)' "ws://$GATEWAY/ws" protocol=collab.v1 \
        "protocol=bearer.$OLD"
}

@test "a token in the first message" {
    start_collabd --node n1
    for name in ann eve; do
        tell $name connect "ws://$GATEWAY/ws" protocol=collab.v1
        hear $name 'open collab.v1'
    done
    say ann '{"type":"authenticate","ref":1,"data":{"token":"'"$ANN"'"}}'
    hear ann "$(welcome ann '' 1)"
    say eve '{"type":"authenticate","ref":"r","data":{"token":"'"$OLD"'"}}'
    hear eve "${EXPIRED%?},\"ref\":\"r\"}" 'close 1008 not authenticated'
}

@test "of several tokens the first in the order of query, header, subprotocol counts" {
    start_collabd --node n1
    tell ann connect "ws://$GATEWAY/ws?token=$ANN" protocol=collab.v1 "protocol=bearer.$OLD" \
        "header=Authorization:Bearer%20$OLD"
    hear ann 'open collab.v1' "$(welcome ann)"
    tell bob connect "ws://$GATEWAY/ws?token=" protocol=collab.v1 "protocol=bearer.$OLD" \
        "header=Authorization:Bearer%20$ANN"
    hear bob 'open collab.v1' "$(welcome ann)"
    is_sent_away eve 'expired 2001-09-09T01:46:40Z (...)' "ws://$GATEWAY/ws?token=$OLD" \
        protocol=collab.v1 "protocol=bearer.$ANN" "header=Authorization:Bearer%20$ANN"
}

@test "a token where the catalog doesn't look for one is none" {
    local url file=$BATS_TEST_TMPDIR/catalog.json
    jq '.auth = {from: ["header"]}' "$COLLAB_CATALOG" >"$file"
    start_collabd --node n1 --catalog "$file"
    url=ws://$GATEWAY/ws
    is_sent_away bob 'a token is needed: Authorization: Bearer' "$url?token=$ANN" protocol=collab.v1
    is_sent_away eve 'a token is needed: Authorization: Bearer' "$url" protocol=collab.v1 \
        "protocol=bearer.$ANN"
    connect ann "$ANN"
    hear ann 'open collab.v1' "$(welcome ann)"
    say ann '{"type":"authenticate","data":{"token":"'"$ANN"'"},"ref":1}'
    hear ann "$(welcome ann '' 1)"
    jq '.auth = {from: ["auth"]}' "$COLLAB_CATALOG" >"$file"
    kill -HUP "$(pid_of collabd)"
    wait_for_line "$BATS_TEST_TMPDIR/collabd.err" 'SIGHUP: catalog'
    is_sent_away dan 'a token is needed, and none is taken in this way' "$url?token=$ANN" \
        protocol=collab.v1
}

@test "before authentication a client may authenticate and ping, no more" {
    local type
    start_collabd --node n1
    tell ann connect "ws://$GATEWAY/ws" "header=Authorization:Basic%20YTpi"
    hear ann open
    say ann '{"type":"ping","ref":1}'
    hear ann '{"type":"pong","ref":1}'
    for type in subscribe unsubscribe publish; do
        say ann '{"type":"'$type'","ref":2,"data":["a:1"]}'
        hear ann \
            '{"type":"error","code":"unauthenticated","message":"authenticate first","ref":2}'
    done
    for data in '' ',"data":{}' ',"data":"'"$ANN"'"' ',"data":{"token":null}'; do
        say ann '{"type":"authenticate"'"$data"'}'
        hear ann '{"type":"error","code":"bad_message","message":"data: the token must be a string"}'
    done
    metric_is sessions 0
    say ann '{"type":"authenticate","data":{"token":"'"$ANN"'"}}'
    hear ann "$(welcome ann)"
    metric_is sessions 1
}

@test "no token within the time limit" {
    start_collabd --node n1 --auth-time 100ms
    tell ann connect "ws://$GATEWAY/ws" protocol=collab.v1
    hear ann 'open collab.v1' 'close 4500 no token within the time limit'
    metric_is auth_failures_total 1
}

# --- what is wrong with it ---

@test "a token that is not valid, and why" {
    local token
    start_collabd --node n1 --audience app --issuer idp
    sends() # TOKEN MESSAGE
    {
        OPEN_WITH='' is_sent_away eve "$2" "ws://$GATEWAY/ws?token=$1"
    }
    local good='"aud":["x","app"],"iss":"idp"'
    sends nonsense 'not a token: must have 3 parts with a dot between, found 1'
    sends "${ANN%?}" 'signature: does not end as base64url does: is it cut short?'
    sends "$(token "{$good,\"sub\":\"ann\"}" '' <(printf %032d 0))" \
        'the signature does not match the key'
    sends "$(token "{$good,\"sub\":\"ann\"}" '{"alg":"RS256"}')" \
        'algorithm \"RS256\" is not for the key (HMAC)'
    token=$(token "{$good,\"sub\":\"ann\"}" '{"alg":"none"}')
    sends "$token" 'algorithm \"none\" is not for the key (HMAC)'
    sends "${token%.*}." "the token's signature part is empty"
    sends "$(token '{"sub":"ann","iss":"idp"}')" 'not for \"app\": it names no audience'
    sends "$(token '{"sub":"ann","aud":"app","iss":"x"}')" \
        'not from \"idp\": its issuer is \"x\"'
    sends "$(token "{$good}")" 'names no user: neither sub nor userId'
    sends "$(token "{$good,\"sub\":\"ann\",\"nbf\":32503680000}")" \
        'not valid before 3000-01-01T00:00:00Z (...)'
    sends "$(token "{$good,\"sub\":\"ann\",\"exp\":1e18}")" \
        'exp: must be a number of seconds since 1970, found 1e18'
    sends "$(token "{$good,\"sub\":\"ann\",\"rooms\":[\"a:*b\"]}")" \
        'rooms: pattern \"a:*b\": * may only end a segment'
    token=$(token "{$good,\"sub\":\"$(printf '%07000d' 0)\"}")
    sends "$token" "the token has ${#token} bytes, more than 8192"
}

@test "who comes with a bad token gets no second chance" {
    local answer=$BATS_TEST_TMPDIR/answer
    start_collabd --node n1
    send_raw "$(handshake "/ws?token=$OLD")$(
        bytes "$(frame 81 '{"type":"authenticate","data":{"token":"'"$ANN"'"}}')$(frame 88 '')")" \
        >"$answer"
    grep -aq 'expired 2001-09-09' "$answer"
    lacks 'connection.ack' "$answer"
    metric_is auth_failures_total 1
    metric_is messages_received_total 0
}

# --- its end ---

@test "a token that expires ends its connection, unless it was renewed in band" {
    local soon later=32503680000
    start_collabd --node n1
    soon=$(($(date +%s) + 2))
    for name in ann bob; do
        connect $name "$(token '{"sub":"'$name'","rooms":["a:*"],"exp":'$soon'}')"
        hear $name 'open collab.v1' "$(welcome $name $soon)"
    done
    say bob '{"type":"subscribe","data":["a:1","a:3"]}'
    hear bob '{"type":"subscribed","data":{"rooms":["a:1","a:3"]}}'
    say bob '{"type":"authenticate","ref":1,"data":{"token":"'"$(
        token '{"sub":"bob","rooms":["a:1","b:*"],"exp":'$later'}')"'"}}'
    hear bob "$(error forbidden 'not allowed in this room' ',"data":{"rooms":["a:3"]}')" \
        "$(welcome bob $later 1)"
    hear ann 'close 4002 token expired'
    redis_publish a:3 '{"type":"x","room":"a:3"}'
    redis_publish a:1 '{"type":"x","room":"a:1"}'
    hear bob '{"type":"x","room":"a:1"}'
    say bob '{"type":"subscribe","data":["b:1","a:2"]}'
    hear bob '{"type":"subscribed","data":{"rooms":["b:1"],"refused":[{"room":"a:2",'"$(
        )"'"code":"forbidden","message":"not allowed in this room"}]}}'
}

@test "a renewal that is refused leaves the old token in force" {
    start_collabd --node n1
    enter ann a:1
    say ann '{"type":"authenticate","ref":1,"data":{"token":"'"$(token '{"sub":"bob"}')"'"}}'
    hear ann '{"type":"error","code":"forbidden","message":"the token is another user'"'s"'","ref":1}'
    say ann '{"type":"authenticate","data":{"token":"'"$OLD"'"}}'
    hear ann "$EXPIRED"
    say ann '{"type":"subscribe","data":["b:1"]}'
    hear ann '{"type":"subscribed","data":{"rooms":["b:1"]}}'
}

@test "a token just expired is taken within the leeway, and not without" {
    local exp=$(($(date +%s) - 1))
    start_collabd --node n1 --leeway 0
    is_sent_away eve "expired $(date -u -d @$exp +%FT%TZ) (...)" \
        "ws://$GATEWAY/ws?token=$(token '{"sub":"eve","exp":'$exp'}')" protocol=collab.v1
}

# --- keys ---

keys_by_kid()
{
    local keys=$BATS_TEST_TMPDIR/keys
    mkdir "$keys"
    (umask 077 && printf '%032d' 1 >"$keys/k1.key" && printf '%032d' 2 >"$keys/k2.key" &&
        echo short >"$keys/.hidden")
    echo "$keys"
}

signed_by() # KID KEY_FILE
{
    token '{"sub":"ann"}' '{"alg":"HS256","kid":"'"$1"'"}' "$2"
}

@test "a directory of keys, by kid" {
    local keys
    keys=$(keys_by_kid)
    start_collabd --node n1 --key-file "$keys"
    connect ann "$(signed_by k1 "$keys/k1.key")"
    hear ann 'open collab.v1' "$(welcome ann)"
    connect bob "$(signed_by k2 "$keys/k2.key")"
    hear bob 'open collab.v1' "$(welcome ann)"
    connect zoe "$ANN"
    hear zoe 'open collab.v1' "$(welcome ann)"
    is_sent_away eve 'the signature does not match key \"k2\"' \
        "ws://$GATEWAY/ws?token=$(signed_by k2 "$keys/k1.key")" protocol=collab.v1
    is_sent_away eve 'kid \"k3\": there is no such key' \
        "ws://$GATEWAY/ws?token=$(signed_by k3 "$keys/k1.key")" protocol=collab.v1
}

@test "several keys by kid need a kid, one does not" {
    local keys
    keys=$(keys_by_kid)
    COLLAB_KEY_FILE=$keys start two collabd --port 0 --node n1
    wait_for_line "$BATS_TEST_TMPDIR/two.out" 'ready '
    GATEWAY=$(sed 's,^ready http://,,' "$BATS_TEST_TMPDIR/two.out")
    is_sent_away eve 'header: kid: missing, and there are 2 keys' \
        "ws://$GATEWAY/ws?token=$(token '{"sub":"ann"}' '' "$keys/k1.key")" protocol=collab.v1
    COLLAB_KEY_FILE=$keys/k2.key start one collabd --port 0 --node n1
    wait_for_line "$BATS_TEST_TMPDIR/one.out" 'ready '
    GATEWAY=$(sed 's,^ready http://,,' "$BATS_TEST_TMPDIR/one.out")
    connect ann "$(signed_by any "$keys/k2.key")"
    hear ann 'open collab.v1' "$(welcome ann)"
}

@test "a public key is enough for tokens that others signed" {
    local dir=$BATS_TEST_TMPDIR
    openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$dir/private"
    openssl pkey -in "$dir/private" -pubout -out "$dir/public"
    start_collabd --node n1 --key-file "$dir/public"
    connect ann "$(node "$CLIENTS/jwt.js" sign "$dir/private" ES256 '{"sub":"ann"}')"
    hear ann 'open collab.v1' "$(welcome ann)"
    is_sent_away eve 'the signature matches none of the 2 keys' \
        "ws://$GATEWAY/ws?token=$(token '{"sub":"eve"}' '' "$dir/public")" protocol=collab.v1
}

# A file with this mode and content is refused as a key, with this message after its name.
is_no_key() # MODE CONTENT MESSAGE
{
    local file=$BATS_TEST_TMPDIR/bad
    rm -f "$file"
    printf %s "$2" >"$file"
    chmod "$1" "$file"
    run -2 "${without_rights[@]}" collabd --port 0 --key-file "$file"
    [ "$output" = "collabd: $file: $3" ]
}

@test "a key file that is unreadable, too open, too short, none" {
    local without_rights=() secret
    secret=$(printf %032d 0)
    is_no_key 644 "$secret" "mode 0644 lets others read it: chmod 600 $BATS_TEST_TMPDIR/bad"
    is_no_key 602 "$secret" "mode 0602 lets others change it: chmod 600 $BATS_TEST_TMPDIR/bad"
    is_no_key 600 "${secret:1}" 'a secret must have 32 bytes at least, found 31'
    is_no_key 600 '' 'a secret must have 32 bytes at least, found 0'
    is_no_key 600 '-----BEGIN PUBLIC KEY-----' 'holds no private or public key that can be read'
    run -2 collabd --port 0 --key-file "$BATS_TEST_TMPDIR/none"
    [ "$output" = "collabd: $BATS_TEST_TMPDIR/none: no such file or directory" ]
    mkdir "$BATS_TEST_TMPDIR/empty"
    run -2 collabd --port 0 --key-file "$BATS_TEST_TMPDIR/empty"
    [ "$output" = "collabd: $BATS_TEST_TMPDIR/empty: no key in this directory" ]
    [ "$(id -u)" -ne 0 ] ||
        without_rights=(setpriv '--bounding-set=-dac_override,-dac_read_search')
    is_no_key 000 "$secret" 'permission denied'
}
