#include "view.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char event[] =
    "{\"type\":\"task:moved\",\"room\":\"project:p1\",\"version\":4,"
    "\"data\":{\"task\":{\"id\":\"t1\",\"done\":false},\"list\":[1, 2],\"none\":null,"
    "\"text\":\"a\\tb\\u00e9\\n\",\"bell\":\"\\u0007\\u009b!\"}}";

static bool matches(const char *pattern, const char *text)
{
    return view_matches(span_of(pattern), span_of(text));
}

static void a_pattern_without_a_star_is_the_text(void **state)
{
    (void)state;
    assert_true(matches("task:moved", "task:moved"));
    assert_false(matches("task:moved", "task:move"));
    assert_false(matches("task:move", "task:moved"));
    assert_true(matches("", ""));
    assert_false(matches("", "a"));
    assert_false(matches("a", ""));
    assert_false(matches("t?sk", "task"));
    assert_false(matches("[t]ask", "task"));
}

static void a_star_stands_for_any_run(void **state)
{
    (void)state;
    assert_true(matches("*", ""));
    assert_true(matches("*", "task:moved"));
    assert_true(matches("task:*", "task:"));
    assert_true(matches("task:*", "task:moved"));
    assert_false(matches("task:*", "task"));
    assert_true(matches("*:moved", "task:moved"));
    assert_false(matches("*:moved", "task:moved:"));
    assert_true(matches("t*k:*d", "task:moved"));
    assert_true(matches("a*b*c", "a-b-b-c"));
    assert_true(matches("*ab", "aab"));
    assert_true(matches("**", "x"));
    assert_false(matches("a*b", "a"));
}

/* Stars that could be tried in very many ways are not. */
static void many_stars_take_little_time(void **state)
{
    (void)state;
    char text[20001];
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_false(matches("*a*a*a*a*a*a*a*a*a*a*a*a*a*b", text));
}

static bool takes(const char *filter)
{
    struct fault f;
    struct view_filter *x = view_filter_parse(filter, &f);
    if (!x)
        fail_msg("'%s' refused: %s", filter, f.text);
    bool answer = view_filter_takes(x, span_of(event));
    view_filter_free(x);
    return answer;
}

static void a_filter_asks_for_a_field(void **state)
{
    (void)state;
    assert_true(takes("room"));
    assert_true(takes("data.task.id"));
    assert_true(takes("data.none"));
    assert_false(takes("user"));
    assert_false(takes("data.task.id.x"));
    assert_false(takes("data.task.i"));
}

static void a_filter_compares_values(void **state)
{
    (void)state;
    assert_true(takes("room=project:p1"));
    assert_false(takes("room=project:p2"));
    assert_false(takes("room=project:p"));
    assert_true(takes("version=4"));
    assert_false(takes("version=4.0"));
    assert_true(takes("data.task.done=false"));
    assert_true(takes("data.none=null"));
    assert_true(takes("data.text=a\tb\xc3\xa9\n"));
    assert_false(takes("user="));
    assert_false(takes("room="));
}

static void a_filter_wants_another_value_or_none(void **state)
{
    (void)state;
    assert_true(takes("room!=project:p2"));
    assert_false(takes("room!=project:p1"));
    assert_true(takes("user!=u1"));
    assert_true(takes("version!=5"));
    assert_true(takes("data.text!="));
}

static void refuses_filter(const char *text, const char *want)
{
    struct fault f;
    assert_null(view_filter_parse(text, &f));
    assert_string_equal(f.text, want);
}

static void what_is_no_filter(void **state)
{
    (void)state;
    refuses_filter("", "a path is missing");
    refuses_filter("=x", "a path is missing");
    refuses_filter("!=x", "a path is missing");
    refuses_filter("data.", "path \"data.\": a name is missing at the end");
    refuses_filter("data..x", "path \"data..x\": a name is missing before a dot");
    refuses_filter(".x=1", "path \".x\": a name is missing before a dot");
}

static void assert_writes(const char *format, bool tame, const char *want)
{
    struct fault f;
    struct view_format *x = view_format_parse(format, &f);
    if (!x)
        fail_msg("'%s' refused: %s", format, f.text);
    struct buf out = {0};
    buf_text(&out, ">");
    view_format_write(x, span_of(event), tame, &out);
    assert_string_equal(out.at + 1, want);
    buf_fini(&out);
    view_format_free(x);
}

static void a_format_puts_fields_into_text(void **state)
{
    (void)state;
    assert_writes("", false, "");
    assert_writes("{type}", false, "task:moved");
    assert_writes("{type} in {room}!", false, "task:moved in project:p1!");
    assert_writes("{type}{room}", false, "task:movedproject:p1");
    assert_writes("{user}|{data.none}|{version}", false, "|null|4");
    assert_writes("{data.list} {data.task}", false, "[1,2] {\"id\":\"t1\",\"done\":false}");
    assert_writes("{data.text}", false, "a\tb\xc3\xa9\n");
}

static void a_format_has_escapes(void **state)
{
    (void)state;
    assert_writes("a\\tb\\nc\\\\d", false, "a\tb\nc\\d");
    assert_writes("\\{type\\}", false, "{type}");
    assert_writes("}", false, "}");
}

static void on_a_terminal_fields_give_no_orders(void **state)
{
    (void)state;
    assert_writes("\\t{data.bell}", false, "\t\a\xc2\x9b!");
    assert_writes("\\t{data.bell}", true, "\t\\u0007\\u009b!");
    assert_writes("{data.text}", true, "a\\u0009b\xc3\xa9\\u000a");
}

static void refuses_format(const char *text, const char *want)
{
    struct fault f;
    assert_null(view_format_parse(text, &f));
    assert_string_equal(f.text, want);
}

static void what_is_no_format(void **state)
{
    (void)state;
    refuses_format("a {type", "\"{type\": its closing brace is missing (a brace itself is \\{)");
    refuses_format("{}", "a path is missing");
    refuses_format("{type}{a.}", "path \"a.\": a name is missing at the end");
    refuses_format("\\x", "a backslash must be followed by n, t, \\, { or }");
    refuses_format("{type}\\", "a backslash must be followed by n, t, \\, { or }");
}

static void taming_keeps_what_is_no_control_character(void **state)
{
    (void)state;
    struct buf out = {0};
    view_tame(span_of("\"\xc3\xa9\xe2\x82\xac\x7f\xc2\x80\xc2\xa0\x1b[m\""), &out);
    assert_string_equal(out.at, "\"\xc3\xa9\xe2\x82\xac\\u007f\\u0080\xc2\xa0\\u001b[m\"");
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pattern_without_a_star_is_the_text),
        cmocka_unit_test(a_star_stands_for_any_run),
        cmocka_unit_test(many_stars_take_little_time),
        cmocka_unit_test(a_filter_asks_for_a_field),
        cmocka_unit_test(a_filter_compares_values),
        cmocka_unit_test(a_filter_wants_another_value_or_none),
        cmocka_unit_test(what_is_no_filter),
        cmocka_unit_test(a_format_puts_fields_into_text),
        cmocka_unit_test(a_format_has_escapes),
        cmocka_unit_test(on_a_terminal_fields_give_no_orders),
        cmocka_unit_test(what_is_no_format),
        cmocka_unit_test(taming_keeps_what_is_no_control_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
