#include "room.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TEN "0123456789"
#define LONG_198                                                                                   \
    TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "01234567"

static void rooms_by_the_rule_are_taken(void **state)
{
    static const char *const rooms[] = {
        "a:b",         "project:p1", "tenant:t1:project:p2", "user:a.b_c~d@e-f",
        "K:L:M:N:O:9", "user:-",     "k:" LONG_198,
    };
    struct fault f;

    (void)state;
    for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
        assert_int_equal(room_check(span_of(rooms[i]), &f), 0);
        assert_int_equal(room_check_pattern(span_of(rooms[i]), &f), 0);
    }
}

static void rooms_against_the_rule_are_named(void **state)
{
    static const char *const faults[][2] = {
        {"", "room \"\": is empty"},
        {"lobby", "room \"lobby\": must be kind:id or longer"},
        {":", "room \":\": has an empty segment"},
        {":a", "room \":a\": has an empty segment"},
        {"a:", "room \"a:\": has an empty segment"},
        {"a::b", "room \"a::b\": has an empty segment"},
        {"a b:c",
         "room \"a b:c\": only letters, digits and . _ ~ @ - may stand between the colons"},
        {"a:\n", "room \"a:\\n\": only letters, digits and . _ ~ @ - may stand between the colons"},
        {"a:/b", "room \"a:/b\": only letters, digits and . _ ~ @ - may stand between the colons"},
        {"a:\xc3\xa4",
         "room \"a:\xc3\xa4\": only letters, digits and . _ ~ @ - may stand between the colons"},
        {"project:*", "room \"project:*\": a pattern where a room is asked for"},
        {"k:0" LONG_198,
         "room \"k:00123456789012345678901234567890123456\"...: longer than 200 bytes"},
    };
    struct fault f;

    (void)state;
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        assert_int_equal(room_check(span_of(faults[i][0]), &f), -1);
        assert_string_equal(f.text, faults[i][1]);
    }
}

static void an_id_is_one_segment(void **state)
{
    (void)state;
    assert_true(room_is_segment(span_of("p1")));
    assert_true(room_is_segment(span_of("a.b_c~d@e-f")));
    assert_false(room_is_segment(span_of("")));
    assert_false(room_is_segment(span_of("a:b")));
    assert_false(room_is_segment(span_of("a*")));
    assert_false(room_is_segment((struct span){"a\0", 2}));
}

static void a_nul_is_no_end(void **state)
{
    struct fault f;

    (void)state;
    assert_int_equal(room_check((struct span){"a:b\0c", 5}, &f), -1);
    assert_int_equal(room_check_pattern((struct span){"a:b\0", 4}, &f), -1);
}

static void patterns_are_checked(void **state)
{
    static const char *const good[] = {
        "*", "project:*", "*:x", "*:*", "tenant:*:audit", "team:eu-*", "te*:x", "a:b*:c*",
    };
    static const char *const bad[][2] = {
        {"**", "pattern \"**\": * may only end a segment"},
        {"a:*b", "pattern \"a:*b\": * may only end a segment"},
        {"a:**", "pattern \"a:**\": * may only end a segment"},
        {"a*", "pattern \"a*\": must be kind:id or longer"},
        {"a:?", "pattern \"a:?\": only letters, digits and . _ ~ @ - may stand between the colons"},
        {"", "pattern \"\": is empty"},
    };
    struct fault f;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(room_check_pattern(span_of(good[i]), &f), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(room_check_pattern(span_of(bad[i][0]), &f), -1);
        assert_string_equal(f.text, bad[i][1]);
    }
}

static void patterns_take_what_they_say(void **state)
{
    static const struct {
        const char *pattern, *room;
        bool matches;
    } rows[] = {
        {"project:p1", "project:p1", true},
        {"project:p1", "project:p12", false},
        {"project:p12", "project:p1", false},
        {"project:p1", "project:p1:x", false},
        {"project:p1:x", "project:p1", false},
        {"project:*", "project:p1", true},
        {"project:*", "project:p1:task:t1", true},
        {"project:*", "projects:p1", false},
        {"tenant:t1:*", "tenant:t1:project:p2", true},
        {"tenant:t1:*", "tenant:t1", false},
        {"tenant:t1:*", "tenant:t10:project:p2", false},
        {"team:eu-*", "team:eu-1", true},
        {"team:eu-*", "team:eu-", true},
        {"team:eu-*", "team:eu", false},
        {"team:eu-*", "team:eu-1:x", false},
        {"tenant:*:audit", "tenant:t1:audit", true},
        {"tenant:*:audit", "tenant:t1:t2:audit", false},
        {"tenant:*:audit", "tenant:audit", false},
        {"*:audit", "x:audit", true},
        {"*:audit", "x:y:audit", false},
        {"te*:x", "team:x", true},
        {"te*:x", "art:x", false},
        {"*:*", "a:b", true},
        {"*:*", "a:b:c", true},
        {"*", "a:b", true},
        {"*", "a:b:c:d", true},
        {"Project:*", "project:p1", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool matches = room_matches(span_of(rows[i].pattern), span_of(rows[i].room));
        if (matches != rows[i].matches)
            fail_msg("%s, %s: %d", rows[i].pattern, rows[i].room, matches);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rooms_by_the_rule_are_taken),
        cmocka_unit_test(rooms_against_the_rule_are_named),
        cmocka_unit_test(an_id_is_one_segment),
        cmocka_unit_test(a_nul_is_no_end),
        cmocka_unit_test(patterns_are_checked),
        cmocka_unit_test(patterns_take_what_they_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
