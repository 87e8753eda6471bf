#include "account.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct rate two = {2, 1000};

static struct account *get(struct accounts *all, enum account_kind kind, const char *name,
                           int64_t now_ms)
{
    return account_get(all, kind, span_of(name), now_ms);
}

static void one_for_each_kind_and_name(void **state)
{
    struct accounts all = {0};

    (void)state;
    struct account *user = account_hold(get(&all, ACCOUNT_USER, "a", 0));
    struct account *room = account_hold(get(&all, ACCOUNT_ROOM, "a", 0));
    assert_ptr_not_equal(user, room);
    assert_ptr_equal(get(&all, ACCOUNT_USER, "a", 0), user);
    assert_ptr_equal(account_find(&all, ACCOUNT_ROOM, span_of("a")), room);
    assert_null(account_find(&all, ACCOUNT_ADDRESS, span_of("a")));
    assert_string_equal(user->name, "u:a");
    account_release(user);
    account_release(room);
    accounts_fini(&all);
}

static void it_goes_when_its_window_is_over(void **state)
{
    struct accounts all = {0};

    (void)state;
    account_take(get(&all, ACCOUNT_USER, "a", 0), &two, 0);
    get(&all, ACCOUNT_USER, "b", 999);
    assert_non_null(account_find(&all, ACCOUNT_USER, span_of("a")));
    get(&all, ACCOUNT_USER, "c", 1000);
    assert_null(account_find(&all, ACCOUNT_USER, span_of("a")));
    assert_null(account_find(&all, ACCOUNT_USER, span_of("b")));
    accounts_fini(&all);
}

static void it_stays_while_it_is_held(void **state)
{
    struct accounts all = {0};

    (void)state;
    struct account *a = account_hold(get(&all, ACCOUNT_ADDRESS, "a", 0));
    account_hold(a);
    account_release(a);
    get(&all, ACCOUNT_ADDRESS, "b", 5000);
    assert_ptr_equal(account_find(&all, ACCOUNT_ADDRESS, span_of("a")), a);
    account_release(a);
    get(&all, ACCOUNT_ADDRESS, "c", 5000);
    assert_null(account_find(&all, ACCOUNT_ADDRESS, span_of("a")));
    accounts_fini(&all);
}

static void there_are_never_too_many(void **state)
{
    struct accounts all = {0};
    char name[16];

    (void)state;
    for (int i = 0; i < ACCOUNTS_IDLE_MAX + 100; i++) {
        snprintf(name, sizeof(name), "%d", i);
        account_take(get(&all, ACCOUNT_ADDRESS, name, 0), &two, 0);
    }
    assert_int_equal(all.idle_count, ACCOUNTS_IDLE_MAX);
    assert_null(account_find(&all, ACCOUNT_ADDRESS, span_of("99")));
    assert_non_null(account_find(&all, ACCOUNT_ADDRESS, span_of("100")));
    accounts_fini(&all);
}

static void what_was_taken_is_news_once(void **state)
{
    struct accounts all = {0};

    (void)state;
    struct account *user = account_hold(get(&all, ACCOUNT_USER, "a", 0));
    struct account *address = account_hold(get(&all, ACCOUNT_ADDRESS, "a", 0));
    assert_null(all.news);
    assert_true(account_take(user, &two, 0));
    assert_true(account_take(user, &two, 0));
    assert_false(account_take(user, &two, 0));
    assert_true(account_take(address, &two, 0));
    assert_ptr_equal(all.news, user);
    assert_int_equal(account_news(user), 2);
    assert_null(all.news);
    assert_int_equal(account_news(user), 0);
    account_release(user);
    account_release(address);
    accounts_fini(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_for_each_kind_and_name),
        cmocka_unit_test(it_goes_when_its_window_is_over),
        cmocka_unit_test(it_stays_while_it_is_held),
        cmocka_unit_test(there_are_never_too_many),
        cmocka_unit_test(what_was_taken_is_news_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
