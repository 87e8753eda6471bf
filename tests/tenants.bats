# Several tenants on two gateways: nothing of one ever reaches another.

load helpers

setup_file()
{
    start_redis
    jq 'del(.auth) | .presence = {} | .notices.ack = "hello" | .limits = {}
        | .rooms["tenant:{tenantId}"].auto = false
        | .events.probe = {class: "live"}' \
        "$BATS_TEST_DIRNAME/../examples/tenants/catalog.json" >"$BATS_FILE_TMPDIR/catalog.json"
    start_node a --node a --catalog "$BATS_FILE_TMPDIR/catalog.json"
    A=$GATEWAY
    start_node b --node b --catalog "$BATS_FILE_TMPDIR/catalog.json"
    export A B=$GATEWAY
}

teardown_file()
{
    stop_all
}

@test "thousands of joins, leaves, memberships and events, against a model" {
    local tenant user seed=${SEED:-20261120}
    for tenant in t1 t2 t3; do
        for user in a b c; do
            echo "$tenant $tenant$user $(token \
                "{\"sub\":\"$tenant$user\",\"rooms\":[\"user:$tenant$user\",\"tenant:$tenant:channel:c1\"]}")"
        done
    done >"$BATS_TEST_TMPDIR/tokens"
    echo "seed $seed"
    run -0 in_time node "$BATS_TEST_DIRNAME/clients/tenants.js" 6000 "$seed" \
        "$BATS_TEST_TMPDIR/tokens" "ws://$A/ws" "ws://$B/ws"
    echo "$output"
    [[ "$output" = '6000 steps'* ]]
}
