#include "slot.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* What CLUSTER KEYSLOT of Redis says; the first is the specification's example. */
static void keys_have_their_slots(void **state)
{
    static const struct {
        const char *key;
        unsigned slot;
    } keys[] = {
        {"123456789", 12739},
        {"", 0},
        {"foo", 12182},
        {"project:p1", 10703},
        {"collab:history:{project:p1}", 10703},
        {"{user1000}.following", 3443},
        {"{user1000}.followers", 3443},
        {"foo{}{bar}", 8363},
        {"foo{{bar}}zap", 4015},
        {"foo{bar}{zap}", 5061},
        {"foo{bar", 15278},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (slot_of(span_of(keys[i].key)) != keys[i].slot)
            fail_msg("%s: %u", keys[i].key, slot_of(span_of(keys[i].key)));
}

static void each_slot_has_its_tag(void **state)
{
    char digits[16];

    (void)state;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        snprintf(digits, sizeof(digits), "%u", slot_tag(slot));
        assert_int_equal(slot_of(span_of(digits)), slot);
    }
    /* The least: none before it is of the same slot. */
    assert_int_equal(slot_tag(slot_of(span_of("0"))), 0);
    assert_int_equal(slot_tag(slot_of(span_of("7"))), 7);
}

static void redirections_are_read(void **state)
{
    static const struct {
        const char *error;
        enum redirect_kind kind;
        const char *host;
        int port;
    } errors[] = {
        {"MOVED 3999 127.0.0.1:6381", REDIRECT_MOVED, "127.0.0.1", 6381},
        {"ASK 3999 127.0.0.1:6381", REDIRECT_ASK, "127.0.0.1", 6381},
        {"MOVED 3999 ::1:6381", REDIRECT_MOVED, "::1", 6381},
        {"MOVED 3999 :6381", REDIRECT_MOVED, "", 6381},
        {"MOVED 0 redis-1.example.net:1", REDIRECT_MOVED, "redis-1.example.net", 1},
        {"TRYAGAIN Multiple keys request during rehashing of slot", REDIRECT_AGAIN, "", 0},
        {"CLUSTERDOWN The cluster is down", REDIRECT_DOWN, "", 0},
        {"ERR unknown command", REDIRECT_NONE, "", 0},
        {"MOVED", REDIRECT_NONE, "", 0},
        {"MOVED 3999", REDIRECT_NONE, "", 0},
        {"MOVED 3999 127.0.0.1", REDIRECT_NONE, "", 0},
        {"MOVED 3999 127.0.0.1:x", REDIRECT_NONE, "", 0},
        {"MOVED 3999 127.0.0.1:65536", REDIRECT_NONE, "", 0},
        {"", REDIRECT_NONE, "", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        struct redirect r = redirect_parse(span_of(errors[i].error));
        if (r.kind != errors[i].kind || !span_is(r.host, errors[i].host) ||
            r.port != errors[i].port)
            fail_msg("%s: %d %d", errors[i].error, (int)r.kind, r.port);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_have_their_slots),
        cmocka_unit_test(each_slot_has_its_tag),
        cmocka_unit_test(redirections_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
