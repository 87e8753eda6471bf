#include "arena.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void memory_is_zeroed_and_aligned(void **state)
{
    struct arena a = {0};
    static const char zeros[5000];

    (void)state;
    for (size_t bytes = 0; bytes <= sizeof(zeros); bytes += 7) {
        char *at = arena_alloc(&a, bytes);
        assert_int_equal((uintptr_t)at % _Alignof(max_align_t), 0);
        assert_memory_equal(at, zeros, bytes);
        memset(at, 0xff, bytes);
    }
    arena_fini(&a);
    assert_null(a.blocks);
}

static void texts_are_copied(void **state)
{
    struct arena a = {0};
    char text[] = "abc";

    (void)state;
    const char *copy = arena_text(&a, (struct span){text, 2});
    text[0] = 'x';
    assert_string_equal(copy, "ab");
    assert_string_equal(arena_text(&a, (struct span){NULL, 0}), "");
    arena_fini(&a);
}

static void an_array_grows_and_keeps_what_it_has(void **state)
{
    struct arena a = {0};
    int *numbers = NULL;

    (void)state;
    for (int i = 0; i < 3000; i++) {
        numbers = arena_append(&a, numbers, (size_t)i, sizeof(numbers[0]));
        assert_int_equal(numbers[i], 0);
        numbers[i] = i;
    }
    for (int i = 0; i < 3000; i++)
        assert_int_equal(numbers[i], i);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_aligned),
        cmocka_unit_test(texts_are_copied),
        cmocka_unit_test(an_array_grows_and_keeps_what_it_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
