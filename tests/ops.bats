# The examples for those who run collabd: proxies before it, as they are but for ports and paths; the
# unit of systemd; the dashboard.

load helpers
load gateway

setup_file()
{
    use_plain_catalog
    start_redis
}

teardown_file()
{
    stop_all
}

setup()
{
    EXAMPLES=$(realpath "$BATS_TEST_DIRNAME/../examples")
    cd "$BATS_TEST_TMPDIR" || return
    start_player
}

teardown()
{
    stop_all
}

proxy_answers()
{
    curl -sS "http://127.0.0.1:$PROXY/health" 2>/dev/null | grep -q '"ready":true'
}

# By way of the proxy: a client, who stays, and what its address is to the gateway.
is_a_proxy()
{
    local direct=$GATEWAY
    wait_until proxy_answers
    GATEWAY=127.0.0.1:$PROXY
    enter ann p:1
    enter ben p:1
    say ann '{"type":"publish","ref":1,"data":{"type":"a","room":"p:1"}}'
    hear_both ann '{"type":"published","data":{"rooms":["p:1"]},"ref":1}' \
        '{"type":"a","room":"p:1","user":"ann","time":"NOW","data":null}'
    hear ben '{"type":"a","room":"p:1","user":"ann","time":"NOW","data":null}'
    [ "$(curl -s -o /dev/null -w '%{http_code}' "http://$GATEWAY/metrics")" = 403 ]
    [ "$(attempt)" = 401 ]
    [ "$(attempt)" = 429 ]
    # What the client itself writes there counts for nothing; what a trusted one does, does.
    [ "$(attempt 'X-Forwarded-For: 192.0.2.1')" = 429 ]
    GATEWAY=$direct
    [ "$(FROM=127.0.0.1 attempt 'X-Forwarded-For: 192.0.2.1')" = 401 ]
}

attempt() # [HEADER]
{
    curl -s -o /dev/null -w "%{http_code}\n" --interface "${FROM:-127.0.0.2}" \
        "http://$GATEWAY/api/v1/events" --data "" \
        --header 'Authorization: Bearer bad' --header "${1:-X: y}"
}

start_behind_proxy()
{
    start_collabd --node n1 --auth-rate 1/1h --trusted-proxy 127.0.0.1
    PROXY=$(free_port)
}

@test "nginx" {
    start_behind_proxy
    sed "s/127.0.0.1:4000/$GATEWAY/; s/listen 80;/listen 127.0.0.1:$PROXY;/" \
        "$EXAMPLES/nginx/collab.conf" >collab.conf
    cat >nginx.conf <<END
daemon off;
pid $PWD/nginx.running;
error_log $PWD/nginx.log;
events {}
http {
    access_log off;
    client_body_temp_path $PWD/body;
    proxy_temp_path $PWD/proxy;
    fastcgi_temp_path $PWD/fastcgi;
    uwsgi_temp_path $PWD/uwsgi;
    scgi_temp_path $PWD/scgi;
    include $PWD/collab.conf;
}
END
    start nginx nginx -p "$PWD" -c nginx.conf
    is_a_proxy
}

@test "HAProxy" {
    start_behind_proxy
    sed "s/127.0.0.1:4000/$GATEWAY/; s/bind :80/bind 127.0.0.1:$PROXY/; s/inter 2s/inter 100ms/" \
        "$EXAMPLES/haproxy/haproxy.cfg" >haproxy.cfg
    run -0 haproxy -c -f haproxy.cfg
    lacks WARNING <(printf '%s\n' "$output")
    start haproxy haproxy -f haproxy.cfg
    is_a_proxy
}

by_tls() # FROM
{
    curl -sk -o answer -w "%{http_code}\n" --interface "$1" "https://127.0.0.1:$PROXY/api/v1/events" \
        --data '' --header 'Authorization: Bearer bad'
}

@test "HAProxy, TLS passing through, tells by the PROXY protocol whose a connection is" {
    local kind
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=h \
        -keyout key.pem -out cert.pem 2>/dev/null
    chmod 600 key.pem
    start collabd collabd --key-file "$(key_file)" --listen https://127.0.0.1:0 --tls-cert cert.pem \
        --tls-key key.pem --trusted-proxy 127.0.0.1 --proxy-protocol --auth-rate 1/1h
    wait_for_line collabd.out 'ready https://'
    GATEWAY=$(sed 's,ready https://,,' collabd.out)
    for kind in send-proxy-v2 send-proxy; do
        PROXY=$(free_port)
        sed "s/127.0.0.1:4443/$GATEWAY/; s/bind :443/bind 127.0.0.1:$PROXY/; s/inter 2s/inter 100ms/
            s/send-proxy-v2/$kind/" "$EXAMPLES/haproxy/passthrough.cfg" >haproxy.cfg
        start haproxy haproxy -f haproxy.cfg
        wait_until curl -sk -o answer "https://127.0.0.1:$PROXY/health"
        [ "$(by_tls 127.0.1.${#kind})" = 401 ]
        [ "$(by_tls 127.0.1.${#kind})" = 429 ]
        [ "$(by_tls 127.0.2.${#kind})" = 401 ]
        stop haproxy
    done
    lacks "trusted proxy's connection is closed" collabd.err
}

@test "Caddy" {
    start_behind_proxy
    export HOME=$PWD XDG_DATA_HOME=$PWD XDG_CONFIG_HOME=$PWD
    printf '{\n\tadmin off\n}\n' >Caddyfile
    sed "s/127.0.0.1:4000/$GATEWAY/; s/^:80 /http:\/\/127.0.0.1:$PROXY /; s/health_interval 2s/health_interval 100ms/" \
        "$EXAMPLES/caddy/Caddyfile" >>Caddyfile
    start caddy caddy run --config Caddyfile --adapter caddyfile
    is_a_proxy
}

@test "the unit is one, and has little to expose" {
    sed "s,/usr/local/bin,$BUILD/bin,; s,^Documentation=.*,," "$EXAMPLES/systemd/collabd.service" \
        >collabd.service
    run -0 systemd-analyze verify "$PWD/collabd.service"
    [ -z "$output" ]
    run -0 systemd-analyze security --offline=true --threshold=12 "$PWD/collabd.service"
}

# Of the unit all that can be had without systemd: the settings it gives are ones that there are.
@test "the unit's command is one that collabd takes" {
    local command
    mkdir keys
    cp "$(key_file)" keys/k1.key
    echo 'drain = 20s' >collabd.conf
    command=$(sed -n "s,^ExecStart=/usr/local/bin/,,p" "$EXAMPLES/systemd/collabd.service" |
        sed "s,/etc/collab/collabd.conf,collabd.conf,")
    CREDENTIALS_DIRECTORY=$PWD bash -c "$command --check"
}

@test "the dashboard asks for metrics that there are" {
    start_collabd
    curl -fsS "http://$GATEWAY/metrics" >scraped
    promtool check metrics <scraped
    sed -n 's/^# TYPE \([^ ]*\) .*/\1/p' scraped >there
    jq -r '.panels[].targets[].expr, .templating.list[].query' "$EXAMPLES/grafana/collab.json" |
        grep -oE '\b(collab|process)_[a-z_]+' | sort -u >asked
    [ "$(wc -l <asked)" -gt 20 ]
    run -1 grep -vxF -f there asked
}

@test "the dashboard's queries are ones to Prometheus" {
    {
        echo 'groups: [{name: dashboard, rules: ['
        # shellcheck disable=SC2016 # the $ is Grafana's
        jq -r '.panels[].targets[].expr' "$EXAMPLES/grafana/collab.json" | sed 's/\$node/.*/' |
            jq -Rn '[inputs] | to_entries[] | {record: "a:b\(.key)", expr: .value}' -c | sed 's/$/,/'
        echo ']}]'
    } >rules.yml
    run promtool check rules rules.yml
    echo "$output"
    [[ $output != *FAILED* ]]
}
