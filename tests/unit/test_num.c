#include "num.h"
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

typedef int parse_fn(struct span text, int64_t min, int64_t max, int64_t *out, struct fault *f);

static void assert_takes(parse_fn *parse, const char *text, int64_t min, int64_t max, int64_t want)
{
    struct fault f = {""};
    int64_t got = -12345;

    if (parse(span_of(text), min, max, &got, &f) != 0)
        fail_msg("'%s' refused: %s", text, f.text);
    if (got != want)
        fail_msg("'%s' is %" PRId64 ", wanted %" PRId64, text, got, want);
    assert_string_equal(f.text, "");
}

static void assert_refuses(parse_fn *parse, const char *text, int64_t min, int64_t max,
                           const char *want)
{
    struct fault f = {""};
    int64_t got = -12345;

    if (parse(span_of(text), min, max, &got, &f) != -1)
        fail_msg("'%s' taken as %" PRId64, text, got);
    assert_string_equal(f.text, want);
    assert_int_equal(got, -12345);
}

static void whole_numbers(void **state)
{
    (void)state;
    assert_takes(num_parse, "0", 0, 0, 0);
    assert_takes(num_parse, "-0", 0, 0, 0);
    assert_takes(num_parse, "007", 0, 10, 7);
    assert_takes(num_parse, "-42", -42, 0, -42);
    assert_takes(num_parse, "65535", 0, 65535, 65535);
    assert_takes(num_parse, "9223372036854775807", INT64_MIN, INT64_MAX, INT64_MAX);
    assert_takes(num_parse, "-9223372036854775808", INT64_MIN, INT64_MAX, INT64_MIN);
    assert_takes(num_parse, "0000000000000000000000000000000012", 0, 12, 12);
}

static void what_is_no_whole_number(void **state)
{
    (void)state;
    static const char *const texts[] = {"",   "-",    "--1", "+1",  "1.0", "1e3",         "abc",
                                        " 1", "1 ",   "1x",  "0x1", "-a",  "\xd9\xa1",    "1,000",
                                        "1-", "1\n2", "/",   ":",   "2:",  "\xef\xbc\x91"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_refuses(num_parse, texts[i], INT64_MIN, INT64_MAX, "not a whole number");
}

static void only_the_span_is_read(void **state)
{
    (void)state;
    struct fault f;
    int64_t got;

    assert_int_equal(num_parse((struct span){"1234", 2}, 0, 99, &got, &f), 0);
    assert_int_equal(got, 12);
    assert_int_equal(num_parse((struct span){"1\0", 2}, 0, 99, &got, &f), -1);
    assert_int_equal(num_parse((struct span){NULL, 0}, 0, 99, &got, &f), -1);
    assert_int_equal(num_parse_ms((struct span){"1500ms", 5}, 0, INT64_MAX, &got, &f), 0);
    assert_int_equal(got, 1500 * 60000);
}

static void numbers_out_of_range(void **state)
{
    (void)state;
    assert_refuses(num_parse, "99999", 0, 65535, "out of range 0 to 65535");
    assert_refuses(num_parse, "-1", 0, 65535, "out of range 0 to 65535");
    assert_refuses(num_parse, "99999999999999999999999999", 1, 9, "out of range 1 to 9");
    assert_refuses(num_parse, "0", 1, INT64_MAX, "must be 1 at least");
    assert_refuses(num_parse, "9223372036854775808", 0, INT64_MAX,
                   "out of range 0 to 9223372036854775807");
    assert_refuses(num_parse, "-9223372036854775809", INT64_MIN, 0,
                   "out of range -9223372036854775808 to 0");
    assert_refuses(num_parse, "18446744073709551617", 0, INT64_MAX,
                   "out of range 0 to 9223372036854775807");
}

static void durations(void **state)
{
    (void)state;
    const int64_t any = INT64_MAX;

    assert_takes(num_parse_ms, "0", 0, any, 0);
    assert_takes(num_parse_ms, "5", 0, any, 5000);
    assert_takes(num_parse_ms, "1500ms", 0, any, 1500);
    assert_takes(num_parse_ms, "1.5s", 0, any, 1500);
    assert_takes(num_parse_ms, "1.5", 0, any, 1500);
    assert_takes(num_parse_ms, "0.001", 0, any, 1);
    assert_takes(num_parse_ms, "0.0010", 0, any, 1);
    assert_takes(num_parse_ms, "10m", 0, any, 600000);
    assert_takes(num_parse_ms, "2h", 0, any, 7200000);
    assert_takes(num_parse_ms, "7d", 0, any, 604800000);
    assert_takes(num_parse_ms, "0.25h", 0, any, 900000);
    assert_takes(num_parse_ms, "1.00000000000000000000000000m", 0, any, 60000);
    assert_takes(num_parse_ms, "9223372036854775807ms", 0, any, INT64_MAX);
    assert_takes(num_parse_ms, "9223372036854775.807s", 0, any, INT64_MAX);
}

static void what_is_no_duration(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",    "s",    "ms",  "-1s", "+1s",   "1.s", ".5s",  "1,5s", "1 s", "1S",   "1w",
        "1sm", "1.5.", "1e3", "abc", "1m30s", ".",   "1.-5", "1.",   "1us", "\t1s", "1minute"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_refuses(num_parse_ms, texts[i], 0, INT64_MAX,
                       "not a duration (like 500ms, 1.5s, 10m, 2h or 7d)");
    assert_refuses(num_parse_ms, "0.5ms", 0, INT64_MAX, "finer than a millisecond");
    assert_refuses(num_parse_ms, "1.0005s", 0, INT64_MAX, "finer than a millisecond");
    assert_refuses(num_parse_ms, "0.3333333m", 0, INT64_MAX, "finer than a millisecond");
}

static void durations_out_of_range(void **state)
{
    (void)state;
    assert_refuses(num_parse_ms, "0", 1, 3600000, "out of range 1ms to 1h");
    assert_refuses(num_parse_ms, "0", 1, INT64_MAX, "must be 1ms at least");
    assert_refuses(num_parse_ms, "3600.001", 1, 3600000, "out of range 1ms to 1h");
    assert_refuses(num_parse_ms, "31", 0, 30000, "out of range 0s to 30s");
    assert_refuses(num_parse_ms, "9223372036854775.808s", 0, INT64_MAX,
                   "out of range 0s to 9223372036854775807ms");
    assert_refuses(num_parse_ms, "99999999999999999999d", 0, 1000, "out of range 0s to 1s");
    assert_refuses(num_parse_ms, "9223372036854775807d", 0, 1000, "out of range 0s to 1s");
}

static void byte_sizes(void **state)
{
    (void)state;
    assert_takes(num_parse_bytes, "0", 0, 1, 0);
    assert_takes(num_parse_bytes, "4096", 0, INT64_MAX, 4096);
    assert_takes(num_parse_bytes, "64k", 0, INT64_MAX, 65536);
    assert_takes(num_parse_bytes, "16m", 0, INT64_MAX, 16777216);
    assert_takes(num_parse_bytes, "1g", 0, INT64_MAX, 1073741824);
    assert_takes(num_parse_bytes, "8589934591g", 0, INT64_MAX, INT64_C(8589934591) << 30);
}

static void what_is_no_byte_size(void **state)
{
    (void)state;
    static const char *const texts[] = {"",    "k",   "64K",  "64kB", "64KiB", "1.5m",
                                        "-1k", "1 k", "10kk", "1t",   "abc",   "1b"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_refuses(num_parse_bytes, texts[i], 0, INT64_MAX,
                       "not a size (like 4096, 64k, 16m or 1g)");
    assert_refuses(num_parse_bytes, "1", 1024, 67108864, "out of range 1k to 64m");
    assert_refuses(num_parse_bytes, "65m", 1000, 67108864, "out of range 1000 to 64m");
    assert_refuses(num_parse_bytes, "8589934592g", 0, 1024, "out of range 0 to 1k");
    assert_refuses(num_parse_bytes, "99999999999999999999", 0, 1024, "out of range 0 to 1k");
}

typedef void format_fn(struct buf *b, int64_t value);

static void assert_formats(format_fn *format, int64_t value, const char *want)
{
    struct buf b = {0};

    format(&b, value);
    assert_string_equal(b.at, want);
    buf_fini(&b);
}

static void rates(void **state)
{
    struct rate rate;
    struct fault f;
    struct buf text = {0};

    (void)state;
    assert_int_equal(num_parse_rate(span_of("100/1m"), 1, 1000, &rate, &f), 0);
    assert_int_equal(rate.count, 100);
    assert_int_equal(rate.period_ms, 60000);
    num_format_rate(&text, &rate);
    buf_char(&text, ' ');
    num_format_rate(&text, &(struct rate){RATE_OFF, 1});
    assert_string_equal(text.at, "100/1m off");
    buf_fini(&text);
}

static void what_is_no_rate(void **state)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"", "not a rate (like 100/1m)"},
        {"100", "not a rate (like 100/1m)"},
        {"/1m", "not a whole number"},
        {"1.5/1m", "not a whole number"},
        {"100/", "not a duration (like 500ms, 1.5s, 10m, 2h or 7d)"},
        {"100/1m/1m", "not a duration (like 500ms, 1.5s, 10m, 2h or 7d)"},
        {"0/1m", "out of range 1 to 1000"},
        {"1001/1m", "out of range 1 to 1000"},
        {"1/99ms", "out of range 100ms to 1d"},
        {"1/2d", "out of range 100ms to 1d"},
    };
    struct rate rate = {7, 8};
    struct fault f;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(num_parse_rate(span_of(bad[i].text), 1, 1000, &rate, &f), -1);
        assert_string_equal(f.text, bad[i].why);
        assert_int_equal(rate.count, 7);
        assert_int_equal(rate.period_ms, 8);
    }
}

static void formats_in_the_largest_whole_unit(void **state)
{
    (void)state;
    assert_formats(num_format_ms, 0, "0s");
    assert_formats(num_format_ms, 1, "1ms");
    assert_formats(num_format_ms, 1500, "1500ms");
    assert_formats(num_format_ms, 90000, "90s");
    assert_formats(num_format_ms, 60000, "1m");
    assert_formats(num_format_ms, 5400000, "90m");
    assert_formats(num_format_ms, 3600000, "1h");
    assert_formats(num_format_ms, 604800000, "7d");
    assert_formats(num_format_bytes, 0, "0");
    assert_formats(num_format_bytes, 1000, "1000");
    assert_formats(num_format_bytes, 65536, "64k");
    assert_formats(num_format_bytes, 65537, "65537");
    assert_formats(num_format_bytes, 1048576, "1m");
    assert_formats(num_format_bytes, INT64_C(3) << 30, "3g");
}

static void what_was_formatted_parses_back(void **state)
{
    (void)state;
    for (int64_t value = 1; value > 0 && value < INT64_MAX / 7; value = value * 5 + value / 3) {
        struct buf b = {0};
        num_format_ms(&b, value);
        assert_takes(num_parse_ms, b.at, 0, INT64_MAX, value);
        buf_clear(&b);
        num_format_bytes(&b, value);
        assert_takes(num_parse_bytes, b.at, 0, INT64_MAX, value);
        buf_fini(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers),
        cmocka_unit_test(what_is_no_whole_number),
        cmocka_unit_test(only_the_span_is_read),
        cmocka_unit_test(numbers_out_of_range),
        cmocka_unit_test(durations),
        cmocka_unit_test(what_is_no_duration),
        cmocka_unit_test(durations_out_of_range),
        cmocka_unit_test(byte_sizes),
        cmocka_unit_test(what_is_no_byte_size),
        cmocka_unit_test(rates),
        cmocka_unit_test(what_is_no_rate),
        cmocka_unit_test(formats_in_the_largest_whole_unit),
        cmocka_unit_test(what_was_formatted_parses_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
