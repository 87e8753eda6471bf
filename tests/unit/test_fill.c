#include "fill.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void fills(const char *template, const char *expected)
{
    const struct fill_value values[] = {{'r', span_of("a:b")}, {'n', span_of("")}};
    struct buf out = {0};
    fill_text(&out, template, values, 2);
    assert_string_equal(out.at, expected);
    buf_fini(&out);
}

static void test_fill(void **state)
{
    (void)state;
    fills("", "");
    fills("plain", "plain");
    fills("%r", "a:b");
    fills("[%r%r]", "[a:ba:b]");
    fills("x%ny", "xy");
    fills("100%%", "100%");
    fills("%%r", "%r");
    fills("/a%2Fb?r=%r", "/a%2Fb?r=a:b");
    fills("%", "%");
    fills("%x%r%", "%xa:b%");
}

static void unescapes(const char *text, const char *expected, size_t len)
{
    struct buf out = {0};
    struct fault f;
    assert_int_equal(fill_unescape(&out, text, &f), 0);
    assert_int_equal(out.len, len);
    assert_memory_equal(out.at, expected, len);
    buf_fini(&out);
}

static void test_unescape(void **state)
{
    (void)state;
    unescapes("", "", 0);
    unescapes("plain", "plain", 5);
    unescapes("\\r\\n\\t\\\\", "\r\n\t\\", 4);
    unescapes("a\\x1eb\\x00\\xFf",
              "a\x1e"
              "b\0\xff",
              5);
}

static void test_no_escapes(void **state)
{
    (void)state;
    static const char *const bad[] = {"\\", "\\q", "\\x", "\\x1", "\\x1g", "\\X1e"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct buf out = {0};
        struct fault f = {""};
        assert_int_equal(fill_unescape(&out, bad[i], &f), -1);
        assert_non_null(strstr(f.text, "not an escape"));
        buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fill),
        cmocka_unit_test(test_unescape),
        cmocka_unit_test(test_no_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
