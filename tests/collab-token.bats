load helpers

# A key of each kind, made once.
setup_file()
{
    export KEYS=$BATS_FILE_TMPDIR/keys CLIENTS=$BATS_TEST_DIRNAME/clients
    mkdir -m 700 "$KEYS"
    collab-token keygen "$KEYS/hmac"
    collab-token keygen --kind=rsa "$KEYS/rsa"
    collab-token keygen --kind=ec "$KEYS/p256"
    local bits
    for bits in 384 521; do
        (umask 077 && openssl ecparam -name "secp${bits}r1" -genkey -noout -out "$KEYS/p$bits")
        openssl ec -in "$KEYS/p$bits" -pubout -out "$KEYS/p$bits.pub"
    done
}

setup()
{
    cd "$BATS_TEST_TMPDIR" || return
    KEY=$(key_file)
}

# The token on standard input, or in a file, is refused for this reason.
refused() # REASON OPTION...
{
    local reason=$1
    shift
    run --separate-stderr -1 collab-token verify -k "$KEY" "$@"
    [ -z "$output" ]
    echo "$stderr"
    [ "$stderr" = "collab-token: $reason" ]
}

wrong_usage() # REASON ARGUMENT...
{
    local reason=$1
    shift
    run --separate-stderr -2 collab-token "$@" </dev/null
    [ -z "$output" ]
    echo "$stderr"
    [ "$stderr" = "collab-token: $reason" ]
}

# A token with any header, signed with the key.
token_with() # HEADER CLAIMS
{
    local text
    text=$(printf %s "$1" | base64url).$(printf %s "$2" | base64url)
    printf %s.%s "$text" \
        "$(printf %s "$text" | openssl dgst -sha256 -hmac "$(cat "$KEY")" -binary | base64url)"
}

stamp() # SECONDS
{
    date -u -d "@$1" +%Y-%m-%dT%H:%M:%SZ
}

@test "help is on standard output and fits a screen" {
    run --separate-stderr -0 collab-token --help
    [ "${lines[0]}" = 'usage: collab-token [options] sign|verify|explain|keygen [FILE]' ]
    [ "${#lines[@]}" -le 24 ]
    [ -z "$stderr" ]
    run -0 collab-token sign -h
    [ "${lines[0]}" = 'usage: collab-token [options] sign|verify|explain|keygen [FILE]' ]
}

@test "what is signed is accepted" {
    collab-token sign -k "$KEY" -u ann -r 'project:*' -r user:ann -p project:p1 --admin >jwt
    [ "$(wc -l <jwt)" -eq 1 ]
    run --separate-stderr -0 collab-token verify -k "$KEY" jwt
    [ "${lines[0]}" = 'user     ann' ]
    [ "${lines[1]}" = 'rooms    project:* user:ann' ]
    [ "${lines[2]}" = 'publish  project:p1' ]
    [ "${lines[3]}" = 'admin    yes' ]
    [[ ${lines[4]} =~ ^expires\ \ 20[0-9T:-]+Z\ \(in\ (1\ hour|59\ minutes)\)$ ]]
    [ "${#lines[@]}" -eq 5 ]
    [ -z "$stderr" ]
}

@test "a token without rights has its user's room" {
    collab-token sign -k "$KEY" -u ann --expires=never >jwt
    run -0 collab-token verify -k "$KEY" --format=json - <jwt
    [ "$output" = \
        '{"user":"ann","rooms":["user:ann"],"publish":[],"admin":false,"expires_s":null}' ]
    run -0 collab-token verify -k "$KEY" <jwt
    [ "${lines[2]}" = 'publish  none' ]
    [ "${lines[3]}" = 'admin    no' ]
    [ "${lines[4]}" = 'expires  never' ]
}

@test "claims are what was asked for" {
    collab-token sign -k "$KEY" -u ann --expires=90s --not-before=10 --audience=collab \
        --issuer=us --claims='{"email": "a@b", "n": 9007199254740993, "iat": 5}' |
        collab-token explain --format=json 2>/dev/null >parts
    [ "$(jq -c .header parts)" = '{"alg":"HS256","typ":"JWT"}' ]
    [ "$(jq -c '.claims | keys' parts)" = \
        '["aud","email","exp","iat","iss","n","nbf","sub"]' ]
    [ "$(jq '.claims | .exp - .nbf' parts)" -eq 80 ]
    [ "$(jq .claims.iat parts)" -eq 5 ]
    grep -q '"n":9007199254740993,' parts
}

@test "further claims come from a file, or from standard input" {
    echo '{"userId": 17, "exp": 4000000000}' >claims
    run -0 collab-token verify -k "$KEY" --format=json < <(
        collab-token sign -k "$KEY" --claims=@claims)
    [ "$output" = \
        '{"user":"17","rooms":["user:17"],"publish":[],"admin":false,"expires_s":4000000000}' ]
    [ "$(collab-token sign -k "$KEY" --claims=@- <claims | cut -d. -f1)" = \
        "$(collab-token sign -k "$KEY" --claims=@claims | cut -d. -f1)" ]
}

@test "no claim is overridden by accident" {
    wrong_usage '--claims: sub is given by --user too' \
        sign -k "$KEY" -u ann --claims='{"sub":"bob"}'
    wrong_usage '--claims: exp is given by --expires too' \
        sign -k "$KEY" -u ann --expires=1h --claims='{"exp":1}'
    wrong_usage '--claims: rooms is given by --room too' \
        sign -k "$KEY" -u ann -r k:1 --claims='{"r\u006foms":[]}'
    wrong_usage 'claims: a name given twice, or what libjwt cannot write' \
        sign -k "$KEY" -u ann --claims='{"a":1,"a":2}'
}

@test "what cannot be signed is wrong usage" {
    wrong_usage '--user is missing: for whom is the token?' sign -k "$KEY"
    wrong_usage '--user: must hold no control characters' sign -k "$KEY" -u $'a\nb'
    wrong_usage '--user: must be a string of 1 to 200 bytes, found one of 0' sign -k "$KEY" -u ''
    wrong_usage '--room: pattern "lobby": must be kind:id or longer' sign -k "$KEY" -u a -r lobby
    wrong_usage '--publish: pattern "k:**": * may only end a segment' sign -k "$KEY" -u a -p 'k:**'
    wrong_usage '--expires=2x: not a duration (like 500ms, 1.5s, 10m, 2h or 7d)' \
        sign -k "$KEY" -u a --expires=2x
    wrong_usage '--expires=0: out of range 1s to 36525d' sign -k "$KEY" -u a --expires=0
    wrong_usage '--claims: must be an object, found an array' sign -k "$KEY" -u a --claims='[]'
    wrong_usage \
        '--claims: column 2: expected a key or '\''}'\'', found the end' \
        sign -k "$KEY" -u a --claims='{'
    wrong_usage 'none: no such file or directory' sign -k "$KEY" -u a --claims=@none
    wrong_usage 'algorithm "none" is not for the key (HMAC)' sign -k "$KEY" -u a --alg=none
    wrong_usage 'algorithm "RS256" is not for the key (HMAC)' sign -k "$KEY" -u a --alg=RS256
    wrong_usage 'kid "k9": there is no such key' sign -k "$KEYS" -u a --kid=k9
    wrong_usage 'the key is a public key, which cannot sign' sign -k "$KEYS/rsa.pub" -u a
}

@test "commands and their options are held to each other" {
    wrong_usage 'a command is missing: sign, verify, explain or keygen'
    wrong_usage 'unknown command "sgin" (did you mean sign?)' sgin
    wrong_usage 'sign takes no FILE' sign file
    wrong_usage 'verify takes one FILE' verify a b
    wrong_usage 'keygen: which FILE is the key to be written to?' keygen
    wrong_usage '--room is no option of verify' verify -r k:1
    wrong_usage '--admin is no option of explain' explain --admin
    wrong_usage '--kind is no option of sign' sign --kind=ec
    wrong_usage '--leeway is no option of sign' sign --leeway=1
    wrong_usage '--leeway=31s: out of range 0s to 30s' verify --leeway=31s
    wrong_usage 'unknown option --rooms (did you mean --room?)' sign --rooms=k:1
}

@test "expired" {
    local now expires
    now=$(date +%s)
    expires=$((now - 3 * 3600 - 60))
    token "{\"sub\":\"ann\",\"exp\":$expires}" >jwt
    refused "expired $(stamp $expires) (3 hours ago)" jwt
}

@test "expired within the leeway" {
    token "{\"sub\":\"ann\",\"exp\":$(($(date +%s) - 5))}" >jwt
    run -0 collab-token verify -k "$KEY" --leeway=30s jwt
}

@test "not yet valid" {
    local later=$(($(date +%s) + 2 * 86400 + 60))
    token "{\"sub\":\"ann\",\"nbf\":$later}" >jwt
    refused "not valid before $(stamp $later) (in 2 days)" jwt
    token "{\"sub\":\"ann\",\"iat\":$later}" >jwt
    refused "issued in the future, $(stamp $later) (in 2 days)" jwt
}

@test "times in milliseconds" {
    token '{"sub":"ann","exp":1763660000000}' >jwt
    refused 'exp: must be a number of seconds since 1970, found 1763660000000' jwt
}

@test "algorithm none" {
    printf '%s.%s.' "$(printf '{"alg":"none"}' | base64url)" \
        "$(printf '{"sub":"ann"}' | base64url)" >jwt
    refused "the token's signature part is empty" jwt
    printf AAAA >>jwt
    refused 'algorithm "none" is not for the key (HMAC)' jwt
    token_with '{"alg":"None"}' '{"sub":"ann"}' >jwt
    refused 'algorithm "None" is not for the key (HMAC)' jwt
}

@test "an algorithm of another kind of key" {
    collab-token sign -k "$KEYS/rsa" -u ann >jwt
    refused 'algorithm "RS256" is not for the key (HMAC)' jwt
    collab-token sign -k "$KEYS/p256" -u ann >jwt
    KEY=$KEYS/p384.pub refused 'algorithm "ES256" is not for the key (EC P-384)' jwt
}

@test "a public key as the secret of an HMAC" {
    local text
    text=$(printf '{"alg":"HS256"}' | base64url).$(printf '{"sub":"ann"}' | base64url)
    printf %s.%s "$text" "$(printf %s "$text" | openssl dgst -sha256 -mac HMAC \
        -macopt "hexkey:$(od -An -v -tx1 "$KEYS/rsa.pub" | tr -d ' \n')" -binary | base64url)" >jwt
    KEY=$KEYS/rsa.pub refused 'algorithm "HS256" is not for the key (RSA)' jwt
}

@test "kid" {
    collab-token sign -k "$KEYS" --kid=p256 -u ann >jwt
    KEY=$KEYS run -0 collab-token verify -k "$KEYS" jwt
    token_with '{"alg":"HS256","kid":"k9"}' '{"sub":"ann"}' >jwt
    KEY=$KEYS refused 'kid "k9": there is no such key' jwt
    token '{"sub":"ann"}' >jwt
    KEY=$KEYS refused 'header: kid: missing, and there are 5 keys' jwt
    token_with '{"alg":"HS256","kid":"rsa"}' '{"sub":"ann"}' >jwt
    KEY=$KEYS refused 'algorithm "HS256" is not for key "rsa" (RSA)' jwt
    token_with '{"alg":"HS256","kid":"hmac"}' '{"sub":"ann"}' >jwt
    KEY=$KEYS refused 'the signature does not match key "hmac"' jwt
}

@test "several keys without a name are tried in turn" {
    token '{"sub":"ann"}' >jwt
    run -0 collab-token verify -k "$KEYS/hmac" -k "$KEYS/rsa.pub" -k "$KEY" jwt
    KEY=$KEYS/hmac refused 'the signature matches none of the 2 keys' -k "$KEYS/rsa.pub" jwt
}

@test "audience and issuer" {
    token '{"sub":"ann","aud":["web","collab"],"iss":"us"}' >jwt
    run -0 collab-token verify -k "$KEY" --audience=collab --issuer=us jwt
    refused 'not for "x": it is not among its audiences' --audience=x jwt
    refused 'not from "x": its issuer is "us"' --issuer=x jwt
    token '{"sub":"ann"}' >jwt
    refused 'not for "x": it names no audience' --audience=x jwt
    refused 'not from "x": it names no issuer' --issuer=x jwt
}

@test "extensions, types and doubled names of a header" {
    token_with '{"alg":"HS256","crit":["exp"]}' '{"sub":"ann"}' >jwt
    refused 'header: crit: no extension is understood here' jwt
    token_with '{"alg":"HS256","typ":"at+jwt"}' '{"sub":"ann"}' >jwt
    refused 'header: typ: must be JWT, found "at+jwt"' jwt
    token_with '{"alg":"none","alg":"HS256"}' '{"sub":"ann"}' >jwt
    refused 'header: alg: given twice' jwt
}

@test "a claim that is no grant" {
    token '{"sub":"ann","rooms":["project:*","a b"]}' >jwt
    refused 'rooms: pattern "a b": only letters, digits and . _ ~ @ - may stand between the colons' \
        jwt
    token '{"exp":4000000000}' >jwt
    refused 'names no user: neither sub nor userId' jwt
}

@test "tampered" {
    token '{"sub":"ann"}' >jwt
    printf %s.%s.%s "$(cut -d. -f1 jwt)" "$(printf '{"sub":"bob"}' | base64url)" \
        "$(cut -d. -f3 jwt)" >forged
    refused 'the signature does not match the key' forged
    sed -E 's/\.[^A]([^.]*)$/.A\1/; t; s/\.A([^.]*)$/.B\1/' jwt >changed
    refused 'the signature does not match the key' changed
}

@test "truncated" {
    token '{"sub":"ann"}' >jwt
    head -c -2 jwt >short
    refused 'signature: does not end as base64url does: is it cut short?' short
    cut -d. -f1,2 jwt >short
    refused 'not a token: must have 3 parts with a dot between, found 2' short
}

@test "padding, white space, garbage" {
    token '{"sub":"ann"}' >jwt
    printf '%s=' "$(cat jwt)" >padded
    refused 'signature: byte 43 is "=", which is not base64url' padded
    printf ' %s' "$(cat jwt)" >spaced
    refused 'header: byte 0 is " ", which is not base64url' spaced
    refused 'not a token: must have 3 parts with a dot between, found 1' <<<'hello, world'
    head -c 300 /dev/zero >zeros
    refused 'not a token: must have 3 parts with a dot between, found 1' zeros
    printf 'a.b\001.c' >control
    refused 'header: does not end as base64url does: is it cut short?' control
    refused 'header: column 1: expected a value, found "x"' <<<eA.eA.eA
}

@test "empty, and too big" {
    refused 'the token is empty' </dev/null
    refused 'the token is empty' <<<''
    head -c 10000 /dev/zero | tr '\0' a >big
    refused 'the token has 10000 bytes, more than 8192' big
}

@test "on a terminal it says what it waits for" {
    run -1 script -qec 'collab-token explain' /dev/null <<<garbage
    [[ $output = *'collab-token: reading a token from the terminal'* ]]
}

@test "a token that cannot be read" {
    wrong_usage 'none: no such file or directory' verify -k "$KEY" none
    wrong_usage '.: illegal operation on a directory' verify -k "$KEY" .
}

@test "a key that is too short, too open, unreadable, missing" {
    printf 1234567 >short
    chmod 600 short
    wrong_usage 'short: a secret must have 32 bytes at least, found 7' sign -k short -u a
    cp "$KEYS/hmac" open
    chmod 644 open
    wrong_usage 'open: mode 0644 lets others read it: chmod 600 open' sign -k open -u a
    wrong_usage 'none: no such file or directory' sign -k none -u a
    wrong_usage 'none: no such file or directory' verify -k none
    openssl genrsa -out small 1024
    wrong_usage 'small: an RSA key must have 2048 bits at least, found 1024' sign -k small -u a
    mkfifo fifo
    wrong_usage 'fifo: neither a file nor a directory' sign -k fifo -u a
}

@test "an unreadable key" {
    local without_rights=()
    [ "$(id -u)" -ne 0 ] ||
        without_rights=(setpriv '--bounding-set=-dac_override,-dac_read_search')
    cp "$KEYS/hmac" key
    chmod 000 key
    run -2 "${without_rights[@]}" collab-token sign -k key -u a
    [ "$output" = 'collab-token: key: permission denied' ]
}

@test "no key at all: the one of development, if there is one" {
    wrong_usage "no key: give --key-file or \$COLLAB_KEY_FILE (collabd makes\
 $XDG_STATE_HOME/collab/dev.key when it has none)" sign -u ann
    collab-token keygen "$XDG_STATE_HOME/collab/dev.key"
    collab-token sign -u ann >jwt
    run -0 collab-token verify jwt
    COLLAB_KEY_FILE=$KEY run -1 collab-token verify jwt
    rm "$XDG_STATE_HOME/collab/dev.key"
}

@test "the key named by the environment is for those who need one" {
    export COLLAB_KEY_FILE=$KEY
    collab-token sign -u ann >jwt
    run -0 collab-token verify jwt
    run -0 collab-token explain jwt
    run -0 collab-token keygen new
}

@test "explain shows what is in a token, and that nothing was checked" {
    token_with '{"alg":"RS256","kid":"k1"}' \
        '{"sub":"ann","exp":1763660000,"rooms":[ "k:1" ],"\u001b[2J":"\u001b[2J"}' >jwt
    run --separate-stderr -0 collab-token explain jwt
    [ "${lines[0]}" = 'header alg "RS256"' ]
    [ "${lines[1]}" = 'header kid "k1"' ]
    [ "${lines[2]}" = 'claims sub "ann"' ]
    [[ ${lines[3]} = 'claims exp 1763660000 2025-11-20T17:33:20Z ('*' days ago)' ]]
    [ "${lines[4]}" = 'claims rooms ["k:1"]' ]
    [ "${lines[5]}" = 'claims \u001b[2J "\u001b[2J"' ]
    [ "$stderr" = \
        'collab-token: nothing of this was checked: anyone can write such a token' ]
    run --separate-stderr -1 collab-token explain <<<garbage
    [ "$stderr" = \
        'collab-token: not a token: must have 3 parts with a dot between, found 1' ]
}

@test "keygen makes private files, and none twice" {
    umask 0
    collab-token keygen secret
    collab-token keygen --kind=rsa rsa
    collab-token keygen --kind=ec ec
    [ "$(stat -c %a secret rsa ec | tr '\n' ' ')" = '600 600 600 ' ]
    [ "$(stat -c %a rsa.pub ec.pub | tr '\n' ' ')" = '644 644 ' ]
    [ "$(wc -c <secret)" -eq 105 ]
    openssl rsa -in rsa -check -noout
    openssl ec -in ec -check -noout
    openssl pkey -pubin -in rsa.pub -noout
    wrong_usage 'secret: exists, and was left as it is' keygen secret
    cp rsa kept
    rm rsa.pub
    wrong_usage 'rsa: exists, and was left as it is' keygen --kind=rsa rsa
    cmp rsa kept
    [ ! -e rsa.pub ]
    wrong_usage 'none/key: no such file or directory' keygen none/key
}

# Every algorithm, ours by another's library and another's by ours.
algorithms()
{
    printf '%s\n' 'hmac hmac HS256' 'hmac hmac HS384' 'hmac hmac HS512' 'rsa rsa.pub RS256' \
        'rsa rsa.pub RS384' 'rsa rsa.pub RS512' 'p256 p256.pub ES256' 'p384 p384.pub ES384' \
        'p521 p521.pub ES512'
}

@test "every algorithm" {
    local private public algorithm
    while read -r private public algorithm; do
        collab-token sign -k "$KEYS/$private" --alg="$algorithm" -u ann >jwt
        run -0 collab-token verify -k "$KEYS/$private" jwt
        run -0 collab-token verify -k "$KEYS/$public" jwt
    done < <(algorithms)
}

@test "our tokens are good for jsonwebtoken, and its tokens for us" {
    local private public algorithm
    while read -r private public algorithm; do
        collab-token sign -k "$KEYS/$private" --alg="$algorithm" -u ann --expires=never \
            --claims='{"iat":7}' >jwt
        run -0 node "$CLIENTS/jwt.js" verify "$KEYS/$public" "$algorithm" "$(cat jwt)"
        [ "$output" = '{"iat":7,"sub":"ann"}' ]
        node "$CLIENTS/jwt.js" sign "$KEYS/$private" "$algorithm" '{"sub":"bob"}' >jwt
        run -0 collab-token verify -k "$KEYS/$public" jwt
        [ "${lines[0]}" = 'user     bob' ]
    done < <(algorithms)
}

@test "standard output that cannot be written is an error" {
    run -1 bash -c "collab-token sign -k '$KEY' -u ann 2>&1 >/dev/full"
    echo "$output"
    [ "$output" = 'collab-token: standard output: no space left on device' ]
}

@test "a token is no argument, and no part of a message" {
    token '{"sub":"ann","exp":1}' >jwt
    run --separate-stderr -1 collab-token verify -k "$KEY" jwt
    [[ $stderr != *"$(cut -d. -f3 jwt)"* ]]
    run --separate-stderr -2 collab-token verify -k "$KEY" "$(cat jwt)"
    [[ $stderr = *': no such file or directory' ]]
}
