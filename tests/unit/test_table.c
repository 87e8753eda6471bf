/* The table: what was put in is found, and nothing else, however it grows and shrinks. */
#include "mem.h"
#include "table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { THINGS = 5000 };

struct thing {
    struct table_node node;
    int number;
    bool seen;
    char name[];
};

static struct thing *add(struct table *t, int number)
{
    char name[32];
    int len = snprintf(name, sizeof(name), "thing:%d", number);
    struct thing *x = mem_zero(sizeof(*x) + (size_t)len);

    x->number = number;
    memcpy(x->name, name, (size_t)len);
    table_add(t, &x->node, (struct span){x->name, (size_t)len});
    return x;
}

static struct thing *find(const struct table *t, int number)
{
    char name[32];

    snprintf(name, sizeof(name), "thing:%d", number);
    return table_find(t, span_of(name));
}

static void drop(struct table *t, struct thing *x)
{
    table_remove(t, &x->node);
    free(x);
}

static void an_empty_one_has_nothing(void **state)
{
    struct table t = {0};

    (void)state;
    assert_null(find(&t, 1));
    assert_null(table_first(&t));
    table_fini(&t);
}

static void what_was_added_is_found_until_it_is_removed(void **state)
{
    struct table t = {0};

    (void)state;
    for (int i = 0; i < THINGS; i++)
        add(&t, i);
    assert_int_equal(t.count, THINGS);
    for (int i = 0; i < THINGS; i++)
        assert_int_equal(find(&t, i)->number, i);
    assert_null(find(&t, THINGS));
    for (int i = 0; i < THINGS; i += 2)
        drop(&t, find(&t, i));
    for (int i = 0; i < THINGS; i++)
        assert_int_equal(find(&t, i) != NULL, i % 2);
    for (int i = 1; i < THINGS; i += 2)
        drop(&t, find(&t, i));
    assert_int_equal(t.count, 0);
    assert_null(table_first(&t));
    table_fini(&t);
}

static void two_need_no_memory(void **state)
{
    struct table t = {0};

    (void)state;
    struct thing *a = add(&t, 1), *b = add(&t, 2);
    assert_ptr_equal(find(&t, 1), a);
    assert_ptr_equal(find(&t, 2), b);
    assert_null(find(&t, 3));
    assert_int_equal(t.size, 1);
    drop(&t, a);
    assert_null(find(&t, 1));
    assert_ptr_equal(table_first(&t), b);
    drop(&t, b);
    assert_null(table_first(&t));
}

static void names_may_be_empty_or_hold_any_byte(void **state)
{
    struct table t = {0};
    struct {
        struct table_node node;
        char name[4];
    } a = {.name = ""}, b = {.name = {0, 1, 0, 1}}, c = {.name = {0, 1, 0, 2}};

    (void)state;
    table_add(&t, &a.node, (struct span){a.name, 0});
    table_add(&t, &b.node, (struct span){b.name, 4});
    table_add(&t, &c.node, (struct span){c.name, 4});
    assert_ptr_equal(table_find(&t, (struct span){"", 0}), &a);
    assert_ptr_equal(table_find(&t, (struct span){"\0\1\0\1", 4}), &b);
    assert_ptr_equal(table_find(&t, (struct span){"\0\1\0\2", 4}), &c);
    assert_null(table_find(&t, (struct span){"\0\1\0", 3}));
    assert_int_equal(table_name(&b.node).len, 4);
    assert_ptr_equal(table_name(&b.node).at, b.name);
    table_fini(&t);
}

static void the_walk_meets_each_once_and_may_remove_it(void **state)
{
    struct table t = {0};
    struct thing *x, *next;
    int count = 0;

    (void)state;
    for (int i = 0; i < THINGS; i++)
        add(&t, i);
    TABLE_EACH (&t, x, next) {
        assert_false(x->seen);
        x->seen = true;
        count++;
        if (x->number % 3)
            drop(&t, x);
    }
    assert_int_equal(count, THINGS);
    TABLE_EACH (&t, x, next) {
        assert_int_equal(x->number % 3, 0);
        drop(&t, x);
    }
    assert_int_equal(t.count, 0);
    table_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_one_has_nothing),
        cmocka_unit_test(what_was_added_is_found_until_it_is_removed),
        cmocka_unit_test(two_need_no_memory),
        cmocka_unit_test(names_may_be_empty_or_hold_any_byte),
        cmocka_unit_test(the_walk_meets_each_once_and_may_remove_it),
    };
    return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
