#include "base64.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* RFC 4648, section 10, and what has the last two digits. */
static const char *const pairs[][2] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xfb\xff\xbf", "+/+/"},
};

static void vectors_go_both_ways(void **state)
{
    struct buf out = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        buf_clear(&out);
        base64_encode(&out, span_of(pairs[i][0]));
        assert_string_equal(out.at, pairs[i][1]);
        buf_clear(&out);
        assert_int_equal(base64_decode(&out, span_of(pairs[i][1])), 0);
        assert_string_equal(out.at, pairs[i][0]);
        assert_int_equal(out.len, strlen(pairs[i][0]));
    }
    buf_fini(&out);
}

static void every_byte_comes_back(void **state)
{
    char bytes[256];
    struct buf text = {0}, out = {0};

    (void)state;
    for (int i = 0; i < 256; i++)
        bytes[i] = (char)i;
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        buf_clear(&text);
        buf_clear(&out);
        base64_encode(&text, (struct span){bytes, len});
        assert_int_equal(base64_decode(&out, buf_span(&text)), 0);
        assert_true(span_equal(buf_span(&out), (struct span){bytes, len}));
    }
    buf_fini(&text);
    buf_fini(&out);
}

static void anything_else_is_refused(void **state)
{
    static const char *const wrong[] = {
        "Z",    "Zg",   "Zg=",  "Zh==",   "Zm9=",     "====",  "Z===", "Zm=v",
        "Zm9-", "Zm9_", "Zm9 ", "Zm9v\n", "Zg==Zg==", "Zm9v=", "=Zm9", "Zm9v====",
    };
    struct buf out = {0};

    (void)state;
    buf_text(&out, "kept");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(base64_decode(&out, span_of(wrong[i])), -1);
        assert_string_equal(out.at, "kept");
        assert_int_equal(out.len, 4);
    }
    buf_fini(&out);
}

static void for_urls_without_padding(void **state)
{
    static const char *const wrong[][2] = {
        {"Zm9+", "byte 3 is \"+\", which is not base64url"},
        {"Zg==", "byte 2 is \"=\", which is not base64url"},
        {"Z", "does not end as base64url does: is it cut short?"},
        {"Zm9vZh", "does not end as base64url does: is it cut short?"},
    };
    struct buf out = {0};
    struct fault f;

    (void)state;
    assert_int_equal(base64url_decode(&out, span_of("-_-_"), &f), 0);
    assert_int_equal(base64url_decode(&out, span_of("Zm9vYg"), &f), 0);
    assert_string_equal(out.at, "\xfb\xff\xbf"
                                "foob");
    buf_clear(&out);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(base64url_decode(&out, span_of(wrong[i][0]), &f), -1);
        assert_string_equal(f.text, wrong[i][1]);
        assert_string_equal(out.at, "");
    }
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_go_both_ways),
        cmocka_unit_test(every_byte_comes_back),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(for_urls_without_padding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
