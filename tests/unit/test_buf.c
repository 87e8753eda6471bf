#include "buf.h"
#include "mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void spans_compare_by_bytes(void **state)
{
    (void)state;
    struct span ab = {"abc", 2};

    assert_true(span_is(ab, "ab"));
    assert_false(span_is(ab, "abc"));
    assert_false(span_is(ab, "a"));
    assert_true(span_equal(ab, span_of("ab")));
    assert_false(span_equal(ab, span_of("ax")));
    assert_false(span_equal((struct span){"a\0b", 3}, (struct span){"a\0c", 3}));
    assert_true(span_equal((struct span){NULL, 0}, span_of("")));
    assert_true(span_starts(ab, ""));
    assert_true(span_starts(ab, "a"));
    assert_true(span_starts(ab, "ab"));
    assert_false(span_starts(ab, "abc"));
    assert_false(span_starts(ab, "b"));
    assert_true(span_starts((struct span){NULL, 0}, ""));
}

static void what_a_span_holds_is_found(void **state)
{
    struct span at;

    (void)state;
    assert_true(span_holds(span_of("a:1,b:2,b:3"), "b:", &at));
    assert_true(span_is(at, "b:2,b:3"));
    assert_true(span_holds(span_of("ab"), "ab", NULL));
    assert_false(span_holds(span_of("ab"), "abc", NULL));
    assert_false(span_holds((struct span){"abc", 2}, "c", NULL));
    assert_false(span_holds((struct span){NULL, 0}, "a", NULL));
}

static void span_text_is_a_string_of_its_own(void **state)
{
    (void)state;
    char *text = span_text((struct span){"abcdef", 3});
    assert_string_equal(text, "abc");
    free(text);

    text = span_text((struct span){NULL, 0});
    assert_string_equal(text, "");
    free(text);
}

static void dropping_shortens_a_span(void **state)
{
    (void)state;
    struct span s = span_of("abc"), none = {NULL, 0};

    span_drop(&s, 0);
    assert_true(span_is(s, "abc"));
    span_drop(&s, 2);
    assert_true(span_is(s, "c"));
    span_drop(&s, 1);
    assert_int_equal(s.len, 0);
    span_drop(&none, 0);
    assert_null(none.at);
}

/* The limits of the table in RFC 3629, section 4. */
static void utf8_is_what_rfc_3629_says(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
        {"a", 1},
        {"\x7f", 1},
        {"\x80", 0},
        {"\xbf", 0},
        {"\xc0\x80", 0},
        {"\xc1\xbf", 0},
        {"\xc2\x80", 2},
        {"\xdf\xbf", 2},
        {"\xc2\x7f", 0},
        {"\xc2\xc0", 0},
        {"\xc2", 0},
        {"\xe0\x9f\xbf", 0},
        {"\xe0\xa0\x80", 3},
        {"\xe1\x80\x80", 3},
        {"\xed\x9f\xbf", 3},
        {"\xed\xa0\x80", 0}, /* U+D800 */
        {"\xed\xbf\xbf", 0},
        {"\xee\x80\x80", 3},
        {"\xef\xbf\xbf", 3},
        {"\xe2\x82", 0},
        {"\xe2\x82g", 0},
        {"\xf0\x8f\xbf\xbf", 0},
        {"\xf0\x90\x80\x80", 4},
        {"\xf4\x8f\xbf\xbf", 4}, /* U+10FFFF */
        {"\xf4\x90\x80\x80", 0},
        {"\xf5\x80\x80\x80", 0},
        {"\xf0\x9f\x98", 0},
        {"\xf0\x9f\x98\x80z", 4},
        {"\xff", 0},
        {"", 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(span_utf8(span_of(cases[i].bytes)), cases[i].len);
}

static void control_characters_are_not_printable(void **state)
{
    (void)state;
    assert_int_equal(span_printable(span_of("a")), 1);
    assert_int_equal(span_printable(span_of(" ")), 1);
    assert_int_equal(span_printable((struct span){"\0", 1}), 0);
    assert_int_equal(span_printable(span_of("\x1f")), 0);
    assert_int_equal(span_printable(span_of("\x7f")), 0);
    assert_int_equal(span_printable(span_of("\xc2\x80")), 0);
    assert_int_equal(span_printable(span_of("\xc2\x9f")), 0);
    assert_int_equal(span_printable(span_of("\xc2\xa0")), 2);
    assert_int_equal(span_printable(span_of("\xe2\x82\xac")), 3);
    assert_int_equal(span_printable(span_of("\xff")), 0);
    assert_int_equal(span_printable((struct span){NULL, 0}), 0);
}

static void a_buf_of_zero_is_empty(void **state)
{
    (void)state;
    struct buf b = {0};

    assert_int_equal(buf_span(&b).len, 0);
    buf_clear(&b);
    buf_drop(&b, 0);
    buf_fini(&b);

    buf_text(&b, "");
    assert_string_equal(b.at, "");
    assert_int_equal(b.len, 0);
    buf_fini(&b);
    assert_null(b.at);
    assert_int_equal(b.cap, 0);
}

static void what_is_added_is_there_in_order(void **state)
{
    (void)state;
    struct buf b = {0};

    buf_text(&b, "one ");
    buf_char(&b, '2');
    buf_join(&b, (struct span){" threeXX", 6});
    buf_add(&b, "\0z", 2);
    buf_printf(&b, " %d-%s", 42, "x");
    assert_int_equal(b.len, 18);
    assert_memory_equal(b.at, "one 2 three\0z 42-x", 19);
    buf_fini(&b);
}

static void a_buf_grows_and_keeps_its_nul(void **state)
{
    (void)state;
    struct buf b = {0};

    for (int i = 0; i < 100000; i++) {
        buf_char(&b, (char)('a' + i % 26));
        assert_int_equal(b.at[b.len], '\0');
        assert_true(b.cap > b.len);
    }
    for (int i = 0; i < 100000; i++)
        assert_int_equal(b.at[i], 'a' + i % 26);
    buf_fini(&b);
}

/* Every length around that of the memory that is there already. */
static void printf_fits_at_any_length(void **state)
{
    (void)state;
    for (int len = 0; len < 300; len++) {
        struct buf b = {0};
        buf_printf(&b, "%*s", len, "");
        buf_printf(&b, "<%*d>", len + 1, 7);
        assert_int_equal(b.len, 2 * len + 3);
        assert_int_equal(strlen(b.at), b.len);
        assert_int_equal(b.at[b.len - 2], '7');
        buf_fini(&b);
    }
}

static void room_is_for_the_caller_to_fill(void **state)
{
    (void)state;
    struct buf b = {0};

    buf_text(&b, "ab");
    char *at = buf_room(&b, 1000);
    memset(at, 'x', 1000);
    at[1000] = '\0';
    b.len += 1000;
    assert_int_equal(strlen(b.at), 1002);
    assert_true(strncmp(b.at, "abxx", 4) == 0);
    buf_fini(&b);
}

static void dropping_takes_from_the_front(void **state)
{
    (void)state;
    struct buf b = {0};

    buf_text(&b, "abcdef");
    buf_drop(&b, 2);
    assert_string_equal(b.at, "cdef");
    buf_drop(&b, 0);
    assert_string_equal(b.at, "cdef");
    buf_drop(&b, 4);
    assert_string_equal(b.at, "");
    assert_int_equal(b.len, 0);
    buf_text(&b, "again");
    buf_clear(&b);
    assert_string_equal(b.at, "");
    assert_int_equal(b.len, 0);
    buf_fini(&b);
}

static void memory_of_no_bytes_can_be_freed(void **state)
{
    (void)state;
    char *p = mem_alloc(0);
    assert_non_null(p);
    p = mem_resize(p, 0);
    assert_non_null(p);
    free(p);
    p = mem_zero(0);
    assert_non_null(p);
    free(p);
}

static void zeroed_memory_and_copies(void **state)
{
    (void)state;
    char *p = mem_zero(64);
    for (int i = 0; i < 64; i++)
        assert_int_equal(p[i], 0);
    free(p);

    p = mem_text("hello");
    assert_string_equal(p, "hello");
    free(p);
    p = mem_copy("a\0b", 3);
    assert_memory_equal(p, "a\0b", 4);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_compare_by_bytes),
        cmocka_unit_test(what_a_span_holds_is_found),
        cmocka_unit_test(span_text_is_a_string_of_its_own),
        cmocka_unit_test(dropping_shortens_a_span),
        cmocka_unit_test(utf8_is_what_rfc_3629_says),
        cmocka_unit_test(control_characters_are_not_printable),
        cmocka_unit_test(a_buf_of_zero_is_empty),
        cmocka_unit_test(what_is_added_is_there_in_order),
        cmocka_unit_test(a_buf_grows_and_keeps_its_nul),
        cmocka_unit_test(printf_fits_at_any_length),
        cmocka_unit_test(room_is_for_the_caller_to_fill),
        cmocka_unit_test(dropping_takes_from_the_front),
        cmocka_unit_test(memory_of_no_bytes_can_be_freed),
        cmocka_unit_test(zeroed_memory_and_copies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
