#include "ident.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void names_are_base32_and_end(void **state)
{
    (void)state;
    char name[66];

    for (size_t len = 0; len <= 64; len++) {
        memset(name, '#', sizeof(name));
        ident_random(name, len);
        assert_int_equal(strlen(name), len);
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz234567"), len);
        assert_int_equal(name[len + 1], '#');
    }
}

/* In 4,096 characters each of the 32 is missing with a probability of e^-130. */
static void every_character_comes(void **state)
{
    (void)state;
    char name[4097];

    ident_random(name, 4096);
    for (const char *c = "abcdefghijklmnopqrstuvwxyz234567"; *c != '\0'; c++)
        assert_non_null(strchr(name, *c));
}

static void two_are_not_the_same(void **state)
{
    (void)state;
    char a[33], b[33];

    ident_random(a, 32);
    ident_random(b, 32);
    assert_string_not_equal(a, b);
}

static void all_bytes_are_filled(void **state)
{
    (void)state;
    unsigned char seen[1024] = {0}, bytes[1024];

    for (int i = 0; i < 16; i++) {
        ident_bytes(bytes, sizeof(bytes));
        for (size_t j = 0; j < sizeof(bytes); j++)
            seen[j] |= bytes[j];
    }
    for (size_t j = 0; j < sizeof(seen); j++)
        assert_int_not_equal(seen[j], 0);
}

static void jitter_is_a_fraction(void **state)
{
    (void)state;
    bool low = false, high = false;

    for (int i = 0; i < 1000; i++) {
        double jitter = ident_jitter();
        assert_true(jitter >= 0 && jitter < 1);
        low = low || jitter < 0.5;
        high = high || jitter >= 0.5;
    }
    assert_true(low && high);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_base32_and_end), cmocka_unit_test(every_character_comes),
        cmocka_unit_test(two_are_not_the_same),     cmocka_unit_test(all_bytes_are_filled),
        cmocka_unit_test(jitter_is_a_fraction),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
