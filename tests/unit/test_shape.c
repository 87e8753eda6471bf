#include "shape.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TEN   "0123456789"
#define FIFTY TEN TEN TEN TEN TEN

static struct arena arena;

static int drop_arena(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static struct shape pattern(const char *text)
{
    struct shape s;
    struct fault f;

    if (shape_parse_pattern(&s, span_of(text), &arena, &f) != 0)
        fail_msg("%s: %s", text, f.text);
    return s;
}

static struct shape template(const char *text)
{
    struct shape s;
    struct fault f;

    if (shape_parse_template(&s, span_of(text), &arena, &f) != 0)
        fail_msg("%s: %s", text, f.text);
    return s;
}

static void faults_name_the_rule(void **state)
{
    static const struct {
        const char *text, *of_pattern, *of_template;
    } rows[] = {
        {"", "has an empty segment", "has an empty segment"},
        {"a", "must be kind:id or longer", "must be kind:id or longer"},
        {"{a}", "must be kind:id or longer", "must be kind:id or longer"},
        {"a:", "has an empty segment", "has an empty segment"},
        {":a", "has an empty segment", "has an empty segment"},
        {"a:{}", "\"{}\": a name is of letters, digits, _ and -",
         "\"{}\": a name is of letters, digits, _ and -, or such names with dots between them"},
        {"a:{b c}", "\"{b c}\": a name is of letters, digits, _ and -",
         "\"{b c}\": a name is of letters, digits, _ and -, or such names with dots between them"},
        {"a:{b.c}", "\"{b.c}\": a name is of letters, digits, _ and -", NULL},
        {"a:{b..c}", "\"{b..c}\": a name is of letters, digits, _ and -",
         "\"{b..c}\": a name is of letters, digits, _ and -, or such names with dots between them"},
        {"a:{b}:{b}", "\"{b}\" stands there twice", NULL},
        {"a:{b}x", "\"{b}x\": a segment is a {name}, or of letters, digits and . _ ~ @ -",
         "\"{b}x\": a segment is a {name}, or of letters, digits and . _ ~ @ -"},
        {"a:{b", "\"{b\": a segment is a {name}, or of letters, digits and . _ ~ @ -",
         "\"{b\": a segment is a {name}, or of letters, digits and . _ ~ @ -"},
        {"a:b*", "\"b*\": a segment is a {name}, or of letters, digits and . _ ~ @ -",
         "\"b*\": a segment is a {name}, or of letters, digits and . _ ~ @ -"},
        {"a:*:b", "\"*\": a segment is a {name}, or of letters, digits and . _ ~ @ -",
         "\"*\": a segment is a {name}, or of letters, digits and . _ ~ @ -"},
        {"a:*", NULL, "\"*\": a segment is a {name}, or of letters, digits and . _ ~ @ -"},
        {"*", NULL, "\"*\": a segment is a {name}, or of letters, digits and . _ ~ @ -"},
        {"1:2:3:4:5:6:7:8:9:a:b:c:d:e:f:g", NULL, NULL},
        {"1:2:3:4:5:6:7:8:9:a:b:c:d:e:f:g:h", "more than 16 segments", "more than 16 segments"},
        {"k:" FIFTY FIFTY FIFTY FIFTY, "longer than 200 bytes", "longer than 200 bytes"},
    };
    struct shape s;
    struct fault f;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        f.text[0] = '\0';
        shape_parse_pattern(&s, span_of(rows[i].text), &arena, &f);
        assert_string_equal(f.text, rows[i].of_pattern ? rows[i].of_pattern : "");
        f.text[0] = '\0';
        shape_parse_template(&s, span_of(rows[i].text), &arena, &f);
        assert_string_equal(f.text, rows[i].of_template ? rows[i].of_template : "");
    }
}

static void names_have_slots(void **state)
{
    struct shape s = template("a:{x}:{y.z}:{x}:b");

    (void)state;
    assert_string_equal(s.text, "a:{x}:{y.z}:{x}:b");
    assert_int_equal(shape_slots(&s), 2);
    assert_int_equal(shape_slot(&s, span_of("x")), 0);
    assert_int_equal(shape_slot(&s, span_of("y.z")), 1);
    assert_int_equal(shape_slot(&s, span_of("a")), -1);
    assert_int_equal(s.at[3].slot, 0);
}

static void paths_are_told_from_others(void **state)
{
    (void)state;
    assert_true(shape_is_path(span_of("taskId")));
    assert_true(shape_is_path(span_of("a.b-c._1")));
    assert_false(shape_is_path(span_of("")));
    assert_false(shape_is_path(span_of(".")));
    assert_false(shape_is_path(span_of("a.")));
    assert_false(shape_is_path(span_of(".a")));
    assert_false(shape_is_path(span_of("a b")));
}

static void a_template_makes_rooms(void **state)
{
    struct shape s = template("tenant:{t}:project:{p}");
    struct span values[] = {span_of("t1"), span_of("p2")};
    char room[ROOM_BYTES_MAX];

    (void)state;
    assert_int_equal(shape_expand(&s, values, room), 20);
    assert_memory_equal(room, "tenant:t1:project:p2", 20);
    values[1] = (struct span){0};
    assert_int_equal(shape_expand(&s, values, room), 0);
}

static void a_room_has_200_bytes_at_most(void **state)
{
    struct shape s = template("a:{x}:b");
    struct span value = span_of(FIFTY FIFTY FIFTY FIFTY);
    char room[ROOM_BYTES_MAX];

    (void)state;
    value.len = 196;
    assert_int_equal(shape_expand(&s, &value, room), 200);
    assert_memory_equal(room + 198, ":b", 2);
    value.len = 197;
    assert_int_equal(shape_expand(&s, &value, room), -1);
    value.len = 200;
    assert_int_equal(shape_expand(&s, &value, room), -1);
}

static void a_pattern_takes_and_captures(void **state)
{
    static const struct {
        const char *pattern, *room, *captures[2];
        bool takes;
    } rows[] = {
        {"user:{id}", "user:u1", {"u1"}, true},
        {"user:{id}", "user:u1:x", {0}, false},
        {"user:{id}", "users:u1", {0}, false},
        {"users:{id}", "user:u1", {0}, false},
        {"user:me", "user:me", {0}, true},
        {"user:me", "user:men", {0}, false},
        {"user:me", "user:m", {0}, false},
        {"{kind}:{id}", "user:u1", {"user", "u1"}, true},
        {"t:{t}:p:{p}", "t:1:p:2", {"1", "2"}, true},
        {"t:{t}:p:{p}", "t:1:q:2", {0}, false},
        {"t:{t}:p:{p}", "t:1:p", {0}, false},
        {"t:{t}:*", "t:1:p", {"1"}, true},
        {"t:{t}:*", "t:1:p:q", {"1"}, true},
        {"t:{t}:*", "t:1", {0}, false},
        {"*", "a:b", {0}, true},
        {"*", "a:b:c", {0}, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct shape s = pattern(rows[i].pattern);
        struct span captures[SHAPE_SEGMENTS_MAX] = {0};
        if (shape_takes(&s, span_of(rows[i].room), captures) != rows[i].takes)
            fail_msg("%s, %s", rows[i].pattern, rows[i].room);
        assert_int_equal(shape_takes(&s, span_of(rows[i].room), NULL), rows[i].takes);
        for (int k = 0; k < 2 && rows[i].captures[k]; k++)
            assert_true(span_is(captures[k], rows[i].captures[k]));
    }
}

static void a_pattern_covers_templates(void **state)
{
    static const struct {
        const char *pattern, *template;
        bool covers;
    } rows[] = {
        {"task:{id}", "task:{taskId}", true},
        {"task:{id}", "task:t1", true},
        {"task:t1", "task:{id}", false},
        {"task:{id}", "task:{a}:{b}", false},
        {"task:{id}", "project:{id}", false},
        {"{kind}:{id}", "task:{id}", true},
        {"t:{t}:*", "t:{t}:p:{p}", true},
        {"t:{t}:*", "t:{t}", false},
        {"*", "a:{b}", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct shape p = pattern(rows[i].pattern), t = template(rows[i].template);
        if (shape_covers(&p, &t) != rows[i].covers)
            fail_msg("%s, %s", rows[i].pattern, rows[i].template);
    }
}

/* Each is more special than all that follow it; what is equal stands on one line. */
static void patterns_have_an_order(void **state)
{
    static const char *const rows[][2] = {
        {"a:b", "a:b"},         {"a:c", "a:c"},
        {"a:{x}:c", "a:{y}:c"}, {"a:{x}:{y}", "a:{y}:{x}"},
        {"a:{x}:*", "a:{z}:*"}, {"a:{x}", "a:{y}"},
        {"a:*", "a:*"},         {"{x}:b:c", "{k}:b:c"},
        {"{x}:{y}", "{a}:{b}"}, {"*", "*"},
    };
    enum { COUNT = sizeof(rows) / sizeof(rows[0]) };

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        for (int k = 0; k < COUNT; k++) {
            struct shape a = pattern(rows[i][0]), b = pattern(rows[k][1]);
            int order = shape_compare(&a, &b);
            if ((order > 0) - (order < 0) != (i > k) - (i < k))
                fail_msg("%s, %s: %d", a.text, b.text, order);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_name_the_rule),
        cmocka_unit_test(names_have_slots),
        cmocka_unit_test(paths_are_told_from_others),
        cmocka_unit_test(a_template_makes_rooms),
        cmocka_unit_test(a_room_has_200_bytes_at_most),
        cmocka_unit_test(a_pattern_takes_and_captures),
        cmocka_unit_test(a_pattern_covers_templates),
        cmocka_unit_test(patterns_have_an_order),
    };
    return cmocka_run_group_tests(tests, NULL, drop_arena);
}
