#include "clock.h"
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

static void steady_time_goes_forward(void **state)
{
    (void)state;
    int64_t ms = clock_steady_ms();
    int64_t ns = clock_steady_ns();

    assert_true(ns / 1000000 >= ms);
    assert_true(clock_steady_ns() >= ns);
    assert_true(clock_steady_ms() >= ms);
}

static void wall_time_is_the_system_s(void **state)
{
    (void)state;
    time_t before = time(NULL);
    int64_t ms = clock_wall_ms();

    /* time() may lag the fine clock by a tick of the kernel's. */
    assert_true(ms / 1000 >= before);
    assert_true(ms / 1000 <= time(NULL) + 1);
}

static void assert_stamp(int64_t wall_ms, const char *want)
{
    char stamp[CLOCK_STAMP_BYTES];

    clock_stamp(wall_ms, stamp);
    assert_string_equal(stamp, want);
}

static void stamps(void **state)
{
    (void)state;
    assert_stamp(0, "1970-01-01T00:00:00.000Z");
    assert_stamp(1, "1970-01-01T00:00:00.001Z");
    assert_stamp(951782399999, "2000-02-28T23:59:59.999Z");
    assert_stamp(951782400000, "2000-02-29T00:00:00.000Z");
    assert_stamp(1795197600123, "2026-11-20T18:00:00.123Z");
    assert_stamp(4102444800000, "2100-01-01T00:00:00.000Z");
    assert_stamp(253402300799999, "9999-12-31T23:59:59.999Z");
}

static void assert_parses(const char *text, int64_t want)
{
    int64_t got = -1;

    if (clock_parse_stamp(span_of(text), &got) != 0)
        fail_msg("'%s' refused", text);
    if (got != want)
        fail_msg("'%s' is %" PRId64 ", wanted %" PRId64, text, got, want);
}

static void what_was_stamped_parses_back(void **state)
{
    (void)state;
    char stamp[CLOCK_STAMP_BYTES];

    for (int64_t ms = 0; ms < INT64_C(253402300800000); ms += INT64_C(86399999999)) {
        clock_stamp(ms, stamp);
        assert_parses(stamp, ms);
    }
}

static void forms_that_rfc_3339_has(void **state)
{
    (void)state;
    assert_parses("1985-04-12T23:20:50.52Z", 482196050520);
    assert_parses("1996-12-19T16:39:57-08:00", 851042397000);
    assert_parses("1937-01-01T12:00:27.87+00:20", -1041337172130);
    assert_parses("1970-01-01t00:00:00z", 0);
    assert_parses("1970-01-01T00:00:00-00:00", 0);
    assert_parses("1970-01-01T00:00:00.1Z", 100);
    assert_parses("1970-01-01T00:00:00.12345678901234567890Z", 123);
    assert_parses("1970-01-01T23:59:00+23:59", 0);
    assert_parses("1969-12-31T23:59:59.999Z", -1);
    assert_parses("1990-12-31T23:59:60Z", 662688000000);
    assert_parses("2024-02-29T00:00:00Z", 1709164800000);
    assert_parses("0000-01-01T00:00:00Z", -62167219200000);
}

static void what_is_no_stamp(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "now",
        "2026-11-20",
        "2026-11-20T18:00:00",
        "2026-11-20 18:00:00Z",
        "2026-11-20T18:00Z",
        "2026-11-20T18:00:00.Z",
        "2026-11-20T18:00:00,5Z",
        "2026-11-20T18:00:00+1:00",
        "2026-11-20T18:00:00+0100",
        "2026-11-20T18:00:00+24:00",
        "2026-11-20T18:00:00+00:60",
        "2026-11-20T18:00:00ZZ",
        "2026-11-20T18:00:00Z ",
        " 2026-11-20T18:00:00Z",
        "2026-00-20T18:00:00Z",
        "2026-13-20T18:00:00Z",
        "2026-11-00T18:00:00Z",
        "2026-11-31T18:00:00Z",
        "2026-02-29T18:00:00Z",
        "1900-02-29T18:00:00Z",
        "2026-11-20T24:00:00Z",
        "2026-11-20T18:60:00Z",
        "2026-11-20T18:00:61Z",
        "+026-11-20T18:00:00Z",
        "20261-11-20T18:00:00Z",
        "2026-11-20T18:00:00.123",
        "2026-11-20T18:00:00.12a3Z",
    };
    int64_t got = 77;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (clock_parse_stamp(span_of(texts[i]), &got) != -1)
            fail_msg("'%s' taken", texts[i]);
    assert_int_equal(got, 77);
    assert_int_equal(clock_parse_stamp((struct span){NULL, 0}, &got), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steady_time_goes_forward),
        cmocka_unit_test(wall_time_is_the_system_s),
        cmocka_unit_test(stamps),
        cmocka_unit_test(what_was_stamped_parses_back),
        cmocka_unit_test(forms_that_rfc_3339_has),
        cmocka_unit_test(what_is_no_stamp),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
