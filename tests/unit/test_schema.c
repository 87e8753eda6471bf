#include "json.h"
#include "schema.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A thing with one of everything. */
struct inner {
    int64_t depth;
    const char *label;
};
struct thing {
    const char *name, *alias;
    const char *const *tags;
    bool open;
    int64_t count, wait_ms, size_bytes;
    struct rate rate;
    int colour;
    unsigned sides;
    struct inner inner;
};

#define THING(field) offsetof(struct thing, field)
#define INNER(field) offsetof(struct inner, field)

static const char *const colours[] = {"red", "green", "blue", NULL};

static const struct schema_row inner_rows[] = {
    {"depth", schema_count, INNER(depth), "3", NULL, 0, 9},
    {"label", schema_text, INNER(label), schema_needed, NULL, 1, 8},
};
static const struct schema inner_schema = {"an inside", inner_rows, 2, NULL};

static const struct schema_row rows[] = {
    {"name", schema_text, THING(name), "\"none\"", NULL, 1, 8},
    {"alias", schema_name, THING(alias), "\"same\"", NULL, 1, 8},
    {"tags", schema_texts, THING(tags), NULL, NULL, 1, 8},
    {"open", schema_bool, THING(open), NULL, NULL, 0, 0},
    {"count", schema_count, THING(count), "5", NULL, 1, 10},
    {"wait", schema_ms, THING(wait_ms), "\"2s\"", NULL, 1000, 60000},
    {"size", schema_bytes, THING(size_bytes), NULL, NULL, 1, 1 << 20},
    {"rate", schema_rate, THING(rate), NULL, NULL, 1, 1000},
    {"colour", schema_word, THING(colour), "\"green\"", colours, 0, 0},
    {"sides", schema_words, THING(sides), NULL, colours, 0, 0},
    {"inside", schema_object, THING(inner), NULL, &inner_schema, 0, 0},
};

static int check_thing(struct schema_reader *r, struct span object, void *into)
{
    const struct thing *t = into;

    if (t->open && t->count == 1)
        return schema_fault(r, schema_place(object, "count").at, "count: too few to be open");
    return 0;
}

static const struct schema thing_schema = {"a thing", rows, sizeof(rows) / sizeof(rows[0]),
                                           check_thing};

static struct arena arena;

static int drop_arena(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static int read_thing(const char *text, struct thing *t, struct fault *f)
{
    struct schema_reader r = {span_of(text), "a.json", &arena, NULL, f};

    memset(t, 0, sizeof(*t));
    assert_int_equal(json_check(r.text, f), 0);
    return schema_read(&r, &thing_schema, json_trim(r.text), t);
}

static void everything_is_read(void **state)
{
    struct thing t;
    struct fault f;

    (void)state;
    assert_int_equal(
        read_thing("{\"name\": \"a\\u0062\", \"alias\": null, \"tags\": [\"x\", \"y\"],"
                   " \"open\": true, \"count\": 10, \"wait\": \"1m\", \"size\": \"4k\","
                   " \"rate\": \"100/1.5s\", \"colour\": \"blue\","
                   " \"sides\": [\"red\", \"blue\"],"
                   " \"inside\": {\"label\": \"l\", \"depth\": 0}}",
                   &t, &f),
        0);
    assert_string_equal(t.name, "ab");
    assert_null(t.alias);
    assert_string_equal(t.tags[0], "x");
    assert_string_equal(t.tags[1], "y");
    assert_null(t.tags[2]);
    assert_true(t.open);
    assert_int_equal(t.count, 10);
    assert_int_equal(t.wait_ms, 60000);
    assert_int_equal(t.size_bytes, 4096);
    assert_int_equal(t.rate.count, 100);
    assert_int_equal(t.rate.period_ms, 1500);
    assert_int_equal(t.colour, 2);
    assert_int_equal(t.sides, 5);
    assert_int_equal(t.inner.depth, 0);
    assert_string_equal(t.inner.label, "l");
}

static void what_is_absent_is_preset_or_zero(void **state)
{
    struct thing t;
    struct fault f;

    (void)state;
    assert_int_equal(read_thing("{}", &t, &f), 0);
    assert_string_equal(t.name, "none");
    assert_string_equal(t.alias, "same");
    assert_null(t.tags);
    assert_false(t.open);
    assert_int_equal(t.count, 5);
    assert_int_equal(t.wait_ms, 2000);
    assert_int_equal(t.size_bytes, 0);
    assert_int_equal(t.rate.count, 0);
    assert_int_equal(t.colour, 1);
    assert_int_equal(t.inner.depth, 0);
    assert_int_equal(read_thing("{\"inside\": {\"label\": \"l\"}}", &t, &f), 0);
    assert_int_equal(t.inner.depth, 3);
}

static void one_text_is_a_list_of_one(void **state)
{
    struct thing t;
    struct fault f;

    (void)state;
    assert_int_equal(read_thing("{\"tags\": \"x\", \"sides\": \"green\"}", &t, &f), 0);
    assert_string_equal(t.tags[0], "x");
    assert_null(t.tags[1]);
    assert_int_equal(t.sides, 2);
    assert_int_equal(read_thing("{\"tags\": []}", &t, &f), 0);
    assert_null(t.tags[0]);
}

static void a_fault_says_where_and_what(void **state)
{
    static const char *const faults[][2] = {
        {"[]", "a.json:1:1: a thing must be an object, not an array"},
        {" \n 7", "a.json:2:2: a thing must be an object, not a number"},
        {"{\"nmae\": 1}", "a.json:1:2: unknown key \"nmae\" in a thing (did you mean name?)"},
        {"{\"x\": 1}", "a.json:1:2: unknown key \"x\" in a thing: expected one of name, alias, "
                       "tags, open, count, wait, size, rate, colour, sides, inside"},
        {"{\n  \"count\": 1,\n  \"count\": 2}", "a.json:3:3: key \"count\" stands there twice"},
        {"{\"c\\u006funt\": 1, \"count\": 2}", "a.json:1:19: key \"count\" stands there twice"},
        {"{\"name\": 1}", "a.json:1:10: name: must be a string, not 1"},
        {"{\"name\": \"\"}", "a.json:1:10: name: must be a string of 1 to 8 bytes, not one of 0"},
        {"{\"name\": \"123456789\"}",
         "a.json:1:10: name: must be a string of 1 to 8 bytes, not one of 9"},
        {"{\"name\": \"a\\n\"}", "a.json:1:10: name: must have no control characters"},
        {"{\"name\": \"a\\u0000\"}", "a.json:1:10: name: must have no control characters"},
        {"{\"name\": null}", "a.json:1:10: name: must be a string, not null"},
        {"{\"alias\": {}}",
         "a.json:1:11: alias: must be a string, or null to leave it out, not an object"},
        {"{\"tags\": {}}",
         "a.json:1:10: tags: must be a string or an array of strings, not an object"},
        {"{\"tags\": [\"a\", 1]}", "a.json:1:16: tags: must be an array of strings, not 1"},
        {"{\"tags\": [\"a\", \"\"]}",
         "a.json:1:16: tags: must be a string of 1 to 8 bytes, not one of 0"},
        {"{\"tags\": [\"a\", \"a\"]}", "a.json:1:16: tags: \"a\" stands there twice"},
        {"{\"open\": 1}", "a.json:1:10: open: must be true or false, not 1"},
        {"{\"count\": \"1\"}", "a.json:1:11: count: must be a number, not \"1\""},
        {"{\"count\": 0}", "a.json:1:11: count: out of range 1 to 10"},
        {"{\"count\": 1.5}", "a.json:1:11: count: not a whole number"},
        {"{\"wait\": 5}", "a.json:1:10: wait: must be a time as a string, such as \"30s\", not 5"},
        {"{\"wait\": \"2m\"}", "a.json:1:10: wait: out of range 1s to 1m"},
        {"{\"size\": 1}", "a.json:1:10: size: must be a size as a string, such as \"256k\", not 1"},
        {"{\"size\": \"2m\"}", "a.json:1:10: size: out of range 1 to 1m"},
        {"{\"rate\": 1}",
         "a.json:1:10: rate: must be a rate as a string, such as \"100/1m\", not 1"},
        {"{\"rate\": \"5\"}",
         "a.json:1:10: rate: must be a rate as a string, such as \"100/1m\", not \"5\""},
        {"{\"rate\": \"0/1s\"}", "a.json:1:10: rate: out of range 1 to 1000"},
        {"{\"rate\": \"5/2d\"}", "a.json:1:10: rate: out of range 100ms to 1d"},
        {"{\"rate\": \"/\"}", "a.json:1:10: rate: not a whole number"},
        {"{\"colour\": \"gren\"}", "a.json:1:12: colour: must be one of red, green, blue, not "
                                   "\"gren\" (did you mean green?)"},
        {"{\"colour\": \"pink\"}",
         "a.json:1:12: colour: must be one of red, green, blue, not \"pink\""},
        {"{\"colour\": 0}", "a.json:1:12: colour: must be a string, not 0"},
        {"{\"sides\": []}", "a.json:1:11: sides: must not be empty"},
        {"{\"sides\": [\"red\", \"\"]}",
         "a.json:1:19: sides: must be one of red, green, blue, not \"\""},
        {"{\"inside\": []}", "a.json:1:12: inside: must be an object, not an array"},
        {"{\"inside\": {}}", "a.json:1:12: an inside must have the key label"},
        {"{\"inside\": {\"label\": \"l\", \"dept\": 1}}",
         "a.json:1:27: unknown key \"dept\" in an inside (did you mean depth?)"},
        {"{\"open\": true,\n\"count\": 1}", "a.json:2:10: count: too few to be open"},
    };
    struct thing t;
    struct fault f;

    (void)state;
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        assert_int_equal(read_thing(faults[i][0], &t, &f), -1);
        assert_string_equal(f.text, faults[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_read),
        cmocka_unit_test(what_is_absent_is_preset_or_zero),
        cmocka_unit_test(one_text_is_a_list_of_one),
        cmocka_unit_test(a_fault_says_where_and_what),
    };
    return cmocka_run_group_tests(tests, NULL, drop_arena);
}
