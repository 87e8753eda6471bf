#include "fault.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void setting_formats_and_returns_minus_one(void **state)
{
    (void)state;
    struct fault f;

    assert_int_equal(fault_set(&f, "room %s: %d bytes", "a:b", 7), -1);
    assert_string_equal(f.text, "room a:b: 7 bytes");
    assert_int_equal(fault_set(&f, "again"), -1);
    assert_string_equal(f.text, "again");
}

static void a_place_goes_before_the_text(void **state)
{
    (void)state;
    struct fault f;

    fault_set(&f, "not a number");
    assert_int_equal(fault_at(&f, "line %d", 3), -1);
    assert_int_equal(fault_at(&f, "%s", "/etc/x.conf"), -1);
    assert_string_equal(f.text, "/etc/x.conf: line 3: not a number");
}

static void the_old_text_may_be_part_of_the_new(void **state)
{
    (void)state;
    struct fault f;

    fault_set(&f, "inner");
    fault_set(&f, "outer (%s)", f.text);
    assert_string_equal(f.text, "outer (inner)");
    fault_at(&f, "<%s>", f.text);
    assert_string_equal(f.text, "<outer (inner)>: outer (inner)");
}

static void a_long_text_is_cut(void **state)
{
    (void)state;
    struct fault f;

    fault_set(&f, "%0300d", 0);
    assert_int_equal(strlen(f.text), sizeof(f.text) - 1);
    fault_set(&f, "%0255d", 0);
    assert_int_equal(strlen(f.text), 255);
    fault_at(&f, "%0300d", 1);
    assert_int_equal(strlen(f.text), sizeof(f.text) - 1);
}

/* One sequence of each length is laid over the end of the text, at every offset. */
static void it_is_cut_between_characters(void **state)
{
    (void)state;
    static const char *const characters[] = {"\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    struct fault f;

    for (int c = 0; c < 3; c++) {
        int len = (int)strlen(characters[c]);
        for (int before = 245; before <= 256; before++) {
            fault_set(&f, "%0*d%syyyyyyyyyyyyyyy", before, 0, characters[c]);
            int want = before + len <= 255 ? 255 : before < 255 ? before : 255;
            assert_int_equal(strlen(f.text), want);
        }
    }
}

static void bytes_that_are_no_utf8_survive_the_cut(void **state)
{
    (void)state;
    struct fault f;
    char text[300];

    memset(text, '\x80', sizeof(text));
    text[299] = '\0';
    fault_set(&f, "%s", text);
    assert_in_range(strlen(f.text), 250, 255);
}

static void assert_quote(const char *input, size_t len, const char *want)
{
    assert_string_equal(fault_quote((struct span){input, len}), want);
}

static void quoting_shows_what_cannot_be_seen(void **state)
{
    (void)state;
    assert_quote("abc", 3, "\"abc\"");
    assert_quote(NULL, 0, "\"\"");
    assert_quote("a b", 3, "\"a b\"");
    assert_quote("a\nb\r\t", 5, "\"a\\nb\\r\\t\"");
    assert_quote("\0\x01\x1f\x7f", 4, "\"\\x00\\x01\\x1f\\x7f\"");
    assert_quote("\x1b[31m", 5, "\"\\x1b[31m\"");
    assert_quote("say \"hi\"", 8, "\"say \\\"hi\\\"\"");
    assert_quote("c:\\x", 4, "\"c:\\\\x\"");
    assert_quote("\xc3\xa4\xe2\x82\xac", 5, "\"\xc3\xa4\xe2\x82\xac\"");
    assert_quote("\xc2\x9b", 2, "\"\\xc2\\x9b\"");
    assert_quote("\xff\xc3", 2, "\"\\xff\\xc3\"");
    assert_quote("\xed\xa0\x80", 3, "\"\\xed\\xa0\\x80\"");
}

static void quoting_is_limited(void **state)
{
    (void)state;
    const char *digits = "0123456789012345678901234567890123456789";
    char text[64];

    assert_quote(digits, 40, "\"0123456789012345678901234567890123456789\"");
    snprintf(text, sizeof(text), "%sX", digits);
    assert_quote(text, 41, "\"0123456789012345678901234567890123456789\"...");

    snprintf(text, sizeof(text), "%.39s\xc3\xa4", digits);
    assert_quote(text, 41, "\"012345678901234567890123456789012345678\"...");

    memset(text, '\x01', sizeof(text));
    const char *quoted = fault_quote((struct span){text, sizeof(text)});
    assert_int_equal(strlen(quoted), 40 * 4 + 5);
}

static void four_quotes_stand_at_once(void **state)
{
    (void)state;
    const char *quotes[4];
    char letter[] = "a";

    for (int i = 0; i < 4; i++, letter[0]++)
        quotes[i] = fault_quote(span_of(letter));
    assert_string_equal(quotes[0], "\"a\"");
    assert_string_equal(quotes[1], "\"b\"");
    assert_string_equal(quotes[2], "\"c\"");
    assert_string_equal(quotes[3], "\"d\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_formats_and_returns_minus_one),
        cmocka_unit_test(a_place_goes_before_the_text),
        cmocka_unit_test(the_old_text_may_be_part_of_the_new),
        cmocka_unit_test(a_long_text_is_cut),
        cmocka_unit_test(it_is_cut_between_characters),
        cmocka_unit_test(bytes_that_are_no_utf8_survive_the_cut),
        cmocka_unit_test(quoting_shows_what_cannot_be_seen),
        cmocka_unit_test(quoting_is_limited),
        cmocka_unit_test(four_quotes_stand_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
