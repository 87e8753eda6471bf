#include "histogram.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct histogram h;

static int setup(void **state)
{
    (void)state;
    memset(&h, 0, sizeof(h));
    return 0;
}

static void test_empty(void **state)
{
    (void)state;
    assert_int_equal(histogram_quantile(&h, 0.5), 0);
    assert_int_equal(histogram_quantile(&h, 1), 0);
}

static void test_small_numbers_are_exact(void **state)
{
    (void)state;
    for (int i = 0; i < 64; i++)
        histogram_add(&h, i);
    assert_int_equal(h.count, 64);
    assert_int_equal(histogram_quantile(&h, 0), 0);
    assert_int_equal(histogram_quantile(&h, 0.25), 15);
    assert_int_equal(histogram_quantile(&h, 0.5), 31);
    assert_int_equal(histogram_quantile(&h, 1), 63);
}

/* From any number, what is read back is at least it, and less than 1/32 more. */
static void test_error_is_bounded(void **state)
{
    (void)state;
    for (int bit = 0; bit < 63; bit++) {
        for (int64_t off = -1; off <= 1; off++) {
            int64_t number = (INT64_C(1) << bit) + off;
            memset(&h, 0, sizeof(h));
            histogram_add(&h, number);
            histogram_add(&h, INT64_MAX);
            int64_t got = histogram_quantile(&h, 0.5);
            assert_true(got >= number);
            assert_true(got - number <= number / 32);
        }
    }
}

static void test_quantiles(void **state)
{
    (void)state;
    for (int i = 1; i <= 100000; i++)
        histogram_add(&h, i);
    assert_in_range(histogram_quantile(&h, 0.5), 50000, 51600);
    assert_in_range(histogram_quantile(&h, 0.99), 99000, 100000);
    assert_int_equal(histogram_quantile(&h, 1), 100000);
    assert_int_equal(h.max, 100000);
}

static void test_extremes(void **state)
{
    (void)state;
    histogram_add(&h, -5);
    histogram_add(&h, INT64_MAX);
    assert_int_equal(h.count, 2);
    assert_int_equal(histogram_quantile(&h, 0.5), 0);
    assert_true(histogram_quantile(&h, 1) == INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_empty, setup),
        cmocka_unit_test_setup(test_small_numbers_are_exact, setup),
        cmocka_unit_test_setup(test_error_is_bounded, setup),
        cmocka_unit_test_setup(test_quantiles, setup),
        cmocka_unit_test_setup(test_extremes, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
