#include "place.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void ids_are_parsed_and_written(void **state)
{
    static const char *const good[] = {"0-0", "1763660000000-42",
                                       "18446744073709551615-18446744073709551615"};
    char text[PLACE_BYTES];
    struct place p;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(place_parse(span_of(good[i]), &p), 0);
        assert_true(span_is(place_format(p, text), good[i]));
    }
}

static void what_is_no_id_is_refused(void **state)
{
    static const char *const bad[] = {"",     "-",   "1",     "1-",
                                      "-1",   "1-x", "1-2 ",  "1--2",
                                      "+1-2", "a-1", "1-2-3", "18446744073709551616-0"};
    struct place p;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(place_parse(span_of(bad[i]), &p), -1);
}

static void places_are_in_order(void **state)
{
    struct place a = {1, 9}, b = {1, 10}, c = {2, 0};

    (void)state;
    assert_true(place_compare(a, b) < 0);
    assert_true(place_compare(c, b) > 0);
    assert_int_equal(place_compare(b, b), 0);
}

static void only_what_has_no_room_between_follows(void **state)
{
    (void)state;
    assert_true(place_follows((struct place){1, 9}, (struct place){1, 10}));
    assert_true(place_follows((struct place){0, 0}, (struct place){5, 0}));
    assert_false(place_follows((struct place){0, 0}, (struct place){5, 1}));
    assert_false(place_follows((struct place){1, 9}, (struct place){1, 11}));
    assert_false(place_follows((struct place){1, 9}, (struct place){1, 9}));
    assert_false(place_follows((struct place){1, 9}, (struct place){2, 0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_parsed_and_written),
        cmocka_unit_test(what_is_no_id_is_refused),
        cmocka_unit_test(places_are_in_order),
        cmocka_unit_test(only_what_has_no_room_between_follows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
