#include "field.h"
#include "json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void kinds_have_words(void **state)
{
    (void)state;
#define X(name, word, what, room)                                                                  \
    assert_string_equal(field_kind_word(name), word);                                              \
    assert_int_equal(field_kind_of(span_of(word)), name);                                          \
    assert_int_equal(field_kind_in_room(name), room);
    FIELD_KINDS(X)
#undef X
    assert_int_equal(field_kind_of(span_of("in")), FIELD_KIND_COUNT);
    assert_true(field_kind_in_room(FIELD_WORD));
}

static const char *const words[] = {"online", "away", NULL};

/* fault: what follows "data.x: "; NULL: none. */
static const struct {
    enum field_kind kind;
    const char *value, *fault;
} rows[] = {
    {FIELD_ANY, "[]", NULL},
    {FIELD_ANY, "false", NULL},
    {FIELD_ID, "\"p1\"", NULL},
    {FIELD_ID, "\"a.b_c~d@e-f\"", NULL},
    {FIELD_ID, "42", NULL},
    {FIELD_ID, "18446744073709551615", NULL},
    {FIELD_ID, "1.5", "must be an id (letters, digits and . _ ~ @ -, or a whole number), not 1.5"},
    {FIELD_ID, "1e3", "must be an id (letters, digits and . _ ~ @ -, or a whole number), not 1e3"},
    {FIELD_ID, "\"\"",
     "must be an id (letters, digits and . _ ~ @ -, or a whole number), not \"\""},
    {FIELD_ID, "\"a:b\"",
     "must be an id (letters, digits and . _ ~ @ -, or a whole number), not \"a:b\""},
    {FIELD_ID, "\"*\"",
     "must be an id (letters, digits and . _ ~ @ -, or a whole number), not \"*\""},
    {FIELD_ID, "\"\\u0061\"",
     "must be an id (letters, digits and . _ ~ @ -, or a whole number), not \"\\\\u0061\""},
    {FIELD_ID, "{\"a\":1}",
     "must be an id (letters, digits and . _ ~ @ -, or a whole number), not an object"},
    {FIELD_CUID, "\"cjld2cjxh0000qzrmn831i7rn\"", NULL},
    {FIELD_CUID, "\"tz4a98xxat96iws9zmbrgj3a\"", NULL},
    {FIELD_CUID, "\"cjld2cj\"", "must be a CUID, not \"cjld2cj\""},
    {FIELD_CUID, "\"Cjld2cjxh0\"", "must be a CUID, not \"Cjld2cjxh0\""},
    {FIELD_CUID, "\"cjld2cjxhO\"", "must be a CUID, not \"cjld2cjxhO\""},
    {FIELD_CUID, "\"abcdefghijklmnopqrstuvwxyz0123456\"",
     "must be a CUID, not \"abcdefghijklmnopqrstuvwxyz0123456\""},
    {FIELD_UUID, "\"123e4567-E89B-12d3-a456-426614174000\"", NULL},
    {FIELD_UUID, "\"123e4567-e89b-12d3-a456-42661417400\"",
     "must be a UUID, not \"123e4567-e89b-12d3-a456-42661417400\""},
    {FIELD_UUID, "\"123e4567-e89b-12d3-a456_426614174000\"",
     "must be a UUID, not \"123e4567-e89b-12d3-a456_426614174000\""},
    {FIELD_UUID, "\"123e4567-e89b-12d3-a456-42661417400g\"",
     "must be a UUID, not \"123e4567-e89b-12d3-a456-42661417400g\""},
    {FIELD_ULID, "\"01ARZ3NDEKTSV4RRFFQ69G5FAV\"", NULL},
    {FIELD_ULID, "\"01arz3ndektsv4rrffq69g5fav\"", NULL},
    {FIELD_ULID, "\"81ARZ3NDEKTSV4RRFFQ69G5FAV\"",
     "must be a ULID, not \"81ARZ3NDEKTSV4RRFFQ69G5FAV\""},
    {FIELD_ULID, "\"01ARZ3NDEKTSV4RRFFQ69G5FAI\"",
     "must be a ULID, not \"01ARZ3NDEKTSV4RRFFQ69G5FAI\""},
    {FIELD_ULID, "26", "must be a ULID, not 26"},
    {FIELD_STRING, "\"\"", NULL},
    {FIELD_STRING, "1", "must be a string, not 1"},
    {FIELD_NUMBER, "-1.5e9", NULL},
    {FIELD_NUMBER, "\"1\"", "must be a number, not \"1\""},
    {FIELD_INTEGER, "-7", NULL},
    {FIELD_INTEGER, "7.0", "must be a whole number, not 7.0"},
    {FIELD_INTEGER, "7E1", "must be a whole number, not 7E1"},
    {FIELD_BOOL, "true", NULL},
    {FIELD_BOOL, "0", "must be a boolean, not 0"},
    {FIELD_OBJECT, "{}", NULL},
    {FIELD_OBJECT, "[]", "must be an object, not an array"},
    {FIELD_ARRAY, "[1]", NULL},
    {FIELD_ARRAY, "true", "must be an array, not true"},
    {FIELD_WORD, "\"away\"", NULL},
    {FIELD_WORD, "\"\\u0061way\"", NULL},
    {FIELD_WORD, "\"off\"", "must be one of online, away, not \"off\""},
    {FIELD_WORD, "1", "must be one of online, away, not 1"},
};

static void values_are_of_their_kind(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct field field = {.path = "x", .kind = rows[i].kind, .words = words, .needed = true};
        struct fault f = {"data.x: "};
        int result = field_check(&field, span_of(rows[i].value), &f);
        assert_string_equal(f.text + strlen("data.x: "), rows[i].fault ? rows[i].fault : "");
        assert_int_equal(result, rows[i].fault ? -1 : 0);
    }
}

static void absent_and_null_are_the_same(void **state)
{
    struct field needed = {.path = "task.id", .kind = FIELD_ANY, .needed = true};
    struct field allowed = {.path = "x", .kind = FIELD_ID};
    struct fault f;

    (void)state;
    assert_int_equal(field_check(&needed, (struct span){0}, &f), -1);
    assert_string_equal(f.text, "data.task.id: is missing");
    assert_int_equal(field_check(&needed, span_of("null"), &f), -1);
    assert_int_equal(field_check(&allowed, (struct span){0}, &f), 0);
    assert_int_equal(field_check(&allowed, span_of("null"), &f), 0);
    assert_int_equal(field_segment(span_of("null")).len, 0);
}

static void what_is_in_a_room_must_be_an_id_too(void **state)
{
    struct field field = {.path = "x", .kind = FIELD_STRING, .in_room = true};
    struct fault f;

    (void)state;
    assert_int_equal(field_check(&field, span_of("\"p1\""), &f), 0);
    assert_int_equal(field_check(&field, span_of("\"p 1\""), &f), -1);
    assert_string_equal(f.text, "data.x: must be an id (letters, digits and . _ ~ @ -, or a whole "
                                "number), not \"p 1\"");
    assert_true(span_is(field_segment(span_of("\"p1\"")), "p1"));
    assert_true(span_is(field_segment(span_of("42")), "42"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_have_words),
        cmocka_unit_test(values_are_of_their_kind),
        cmocka_unit_test(absent_and_null_are_the_same),
        cmocka_unit_test(what_is_in_a_room_must_be_an_id_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
