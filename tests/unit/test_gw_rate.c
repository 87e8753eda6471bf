#include "rate.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct rate three = {3, 1000};

static void so_many_within_a_period(void **state)
{
    struct rate_window w = {0};

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(rate_wait_ms(&w, &three, 5000 + i), 0);
        assert_true(rate_take(&w, &three, 5000 + i));
    }
    assert_false(rate_take(&w, &three, 5003));
    assert_int_equal(rate_count(&w, 5003), 3);
    assert_int_equal(rate_wait_ms(&w, &three, 5003), 997);
}

static void the_next_period_begins_with_its_first(void **state)
{
    struct rate_window w = {0};

    (void)state;
    for (int i = 0; i < 4; i++)
        rate_take(&w, &three, 0);
    assert_false(rate_take(&w, &three, 999));
    assert_int_equal(rate_wait_ms(&w, &three, 1000), 0);
    assert_true(rate_take(&w, &three, 1700));
    assert_int_equal(rate_count(&w, 2699), 1);
    assert_int_equal(rate_count(&w, 2700), 0);
}

static void off_counts_nothing(void **state)
{
    struct rate_window w = {0};
    const struct rate off = {RATE_OFF, 1000};

    (void)state;
    for (int i = 0; i < 10; i++)
        assert_true(rate_take(&w, &off, 0));
    assert_int_equal(rate_count(&w, 0), 0);
    assert_int_equal(rate_wait_ms(&w, &off, 0), 0);
}

/* As a reload makes it. */
static void a_lower_rate_holds_at_once(void **state)
{
    struct rate_window w = {0};
    const struct rate one = {1, 1000};

    (void)state;
    rate_take(&w, &three, 0);
    rate_take(&w, &three, 0);
    assert_false(rate_take(&w, &one, 10));
    assert_int_equal(rate_wait_ms(&w, &one, 10), 990);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_within_a_period),
        cmocka_unit_test(the_next_period_begins_with_its_first),
        cmocka_unit_test(off_counts_nothing),
        cmocka_unit_test(a_lower_rate_holds_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
