#include "tally.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct tally t;
static struct receiver a, b, other;
static struct buf marks[200]; /* of the events of room 0 */

/* Two receivers in room 0, one in room 1, none in room 2. */
static int setup(void **state)
{
    (void)state;
    tally_init(&t, 3);
    tally_join(&t, &a, 0);
    tally_join(&t, &b, 0);
    tally_join(&t, &other, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tally_fini(&t);
    for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++)
        buf_fini(&marks[i]);
    return 0;
}

static void send_events(int count)
{
    for (int i = 0; i < count; i++)
        tally_send(&t, 0, i, &marks[i]);
}

static void receive(struct receiver *r, int event)
{
    tally_receive(&t, r, buf_span(&marks[event]), 1000);
}

static void test_mark(void **state)
{
    (void)state;
    struct buf mark = {0};
    tally_send(&t, 1, 0, &mark);
    assert_int_equal(*mark.at, '#');
    assert_memory_equal(mark.at + 1, t.run, 4);
    assert_string_equal(mark.at + 5, ".1.0#");
    buf_clear(&mark);
    tally_send(&t, 1, 0, &mark);
    assert_string_equal(mark.at + 5, ".1.1#");
    assert_true(mark.len <= TALLY_MARK_BYTES_MAX);
    buf_fini(&mark);
}

static void test_all_arrive(void **state)
{
    (void)state;
    send_events(100);
    assert_int_equal(t.outstanding, 100);
    for (int i = 0; i < 100; i++) {
        receive(&a, i);
        assert_int_equal(t.outstanding, 100 - i);
        receive(&b, i);
        assert_int_equal(t.outstanding, 99 - i);
    }
    assert_int_equal(t.now.sent, 100);
    assert_int_equal(t.now.deliveries, 200);
    assert_int_equal(t.expected, 200);
    assert_int_equal(t.delivered, 200);
    assert_int_equal(t.lost + t.duplicated + t.disordered + t.strayed, 0);
    assert_int_equal(t.now.latency_ns.count, 200);
    assert_int_equal(t.now.latency_ns.max, 1000);
}

/* One frame may hold several events, with anything around them. */
static void test_several_in_one(void **state)
{
    (void)state;
    send_events(3);
    struct buf bytes = {0};
    buf_printf(&bytes, "MSG a 1\r\n##%s{\"data\":\"%s\"}%sx#", marks[0].at, marks[1].at,
               marks[2].at);
    tally_receive(&t, &a, buf_span(&bytes), 0);
    assert_int_equal(t.delivered, 3);
    assert_int_equal(t.strayed, 0);
    buf_fini(&bytes);
}

static void test_no_marks(void **state)
{
    (void)state;
    send_events(1);
    static const char *const not_marks[] = {"", "#", "##", "#abcd.0.0#", "no mark at all"};
    for (size_t i = 0; i < sizeof(not_marks) / sizeof(*not_marks); i++)
        tally_receive(&t, &a, span_of(not_marks[i]), 0);
    for (size_t len = 0; len < marks[0].len; len++)
        tally_receive(&t, &a, (struct span){marks[0].at, len}, 0);
    assert_int_equal(t.delivered + t.strayed, 0);
}

static void test_duplicates(void **state)
{
    (void)state;
    send_events(3);
    for (int i = 0; i < 3; i++)
        receive(&a, i);
    receive(&a, 2);
    receive(&a, 0);
    assert_int_equal(t.duplicated, 2);
    assert_int_equal(t.delivered, 3);
    assert_int_equal(t.outstanding, 3);
}

static void test_disorder(void **state)
{
    (void)state;
    send_events(3);
    receive(&a, 0);
    receive(&a, 2);
    receive(&a, 1);
    assert_int_equal(t.disordered, 1);
    assert_int_equal(t.duplicated, 0);
    assert_int_equal(t.delivered, 3);
}

static void test_far_behind(void **state)
{
    (void)state;
    send_events(200);
    receive(&a, 199);
    receive(&a, 199 - 63);
    assert_int_equal(t.disordered, 1);
    receive(&a, 199 - 64);
    assert_int_equal(t.duplicated, 1);
}

static void test_lost(void **state)
{
    (void)state;
    send_events(10);
    for (int i = 0; i < 10; i++)
        if (i != 4)
            receive(&a, i);
    receive(&b, 4);
    tally_give_up(&t, 4); /* what was sent at 0 to 3: b has none of them */
    assert_int_equal(t.lost, 4);
    assert_int_equal(t.outstanding, 6);
    tally_give_up(&t, 1000);
    assert_int_equal(t.lost, 10);
    assert_int_equal(t.outstanding, 0);
    assert_int_equal(t.expected, t.delivered + t.lost);
}

/* It comes after it was given up: it isn't lost, then. */
static void test_late(void **state)
{
    (void)state;
    send_events(1);
    receive(&a, 0);
    tally_give_up(&t, 1000);
    assert_int_equal(t.lost, 1);
    receive(&b, 0);
    assert_int_equal(t.lost, 0);
    assert_int_equal(t.delivered, 2);
    assert_int_equal(t.outstanding, 0);
}

static void test_strays(void **state)
{
    (void)state;
    send_events(1);
    receive(&other, 0);
    struct buf mark = {0};
    buf_printf(&mark, "#%s.0.1#", t.run); /* never sent */
    tally_receive(&t, &a, buf_span(&mark), 0);
    buf_clear(&mark);
    buf_printf(&mark, "#%s.99999999999.0#", t.run);
    tally_receive(&t, &a, buf_span(&mark), 0);
    assert_int_equal(t.strayed, 3);
    assert_int_equal(t.delivered, 0);
    buf_fini(&mark);
}

static void test_nobody_there(void **state)
{
    (void)state;
    struct buf mark = {0};
    for (int i = 0; i < 100; i++)
        tally_send(&t, 2, 0, &mark);
    assert_int_equal(t.outstanding, 0);
    assert_int_equal(t.expected, 0);
    assert_int_equal(t.now.sent, 100);
    buf_fini(&mark);
}

/* The figures begin anew, the account goes on. */
static void test_restart(void **state)
{
    (void)state;
    send_events(2);
    receive(&a, 0);
    tally_restart(&t);
    assert_int_equal(t.now.sent, 0);
    receive(&a, 1);
    assert_int_equal(t.now.deliveries, 1);
    assert_int_equal(t.now.latency_ns.count, 1);
    assert_int_equal(t.delivered, 2);
    assert_int_equal(t.expected, 4);
    assert_int_equal(t.outstanding, 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_mark),       TEST(test_all_arrive),   TEST(test_several_in_one),
        TEST(test_no_marks),   TEST(test_duplicates),   TEST(test_disorder),
        TEST(test_far_behind), TEST(test_lost),         TEST(test_late),
        TEST(test_strays),     TEST(test_nobody_there), TEST(test_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
