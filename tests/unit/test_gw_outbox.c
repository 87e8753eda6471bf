/* Outboxes: order, gathering, bounds, a link that takes nothing for a while. */
#include "mem.h"
#include "outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BOXES = 3 };

static struct metrics metrics;
static struct outboxes *all;
static struct outbox boxes[BOXES];
static struct buf sent[BOXES];
static int writes[BOXES];
static bool blocked[BOXES];

static bool take(struct outbox *box, struct span frames)
{
    int i = (int)(box - boxes);
    if (blocked[i])
        return false;
    buf_join(&sent[i], frames);
    writes[i]++;
    return true;
}

static struct frame *frame_of(const char *text)
{
    return frame_join(span_of(text));
}

static int set_up(void **state)
{
    (void)state;
    memset(&metrics, 0, sizeof(metrics));
    memset(writes, 0, sizeof(writes));
    memset(blocked, 0, sizeof(blocked));
    all = outboxes_new(&metrics, take);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < BOXES; i++) {
        outbox_fini(all, &boxes[i]);
        buf_fini(&sent[i]);
    }
    assert_int_equal(metrics.value[M_OUTBOX_BYTES], 0);
    outboxes_free(all);
    return 0;
}

static void assert_sent(int i, const char *text)
{
    assert_int_equal(sent[i].len, strlen(text));
    assert_memory_equal(sent[i].at, text, strlen(text));
}

static void test_one_write_a_turn_in_order(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        char text[8];
        snprintf(text, sizeof(text), "%c", 'a' + i);
        assert_true(outbox_put(all, &boxes[0], frame_of(text), 1000));
    }
    outboxes_flush(all);
    assert_sent(0, "abcdefghijklmnopqrst");
    assert_int_equal(writes[0], 1);
    outboxes_flush(all);
    assert_int_equal(writes[0], 1);
}

static void test_the_same_frames_are_gathered_once(void **state)
{
    (void)state;
    struct frame *one = frame_of("one"), *two = frame_of("two");
    for (int i = 0; i < 2; i++) {
        outbox_put(all, &boxes[i], frame_ref(one), 1000);
        outbox_put(all, &boxes[i], frame_ref(two), 1000);
    }
    outbox_put(all, &boxes[2], frame_ref(two), 1000);
    outbox_put(all, &boxes[2], frame_ref(one), 1000);
    outboxes_flush(all);
    assert_sent(0, "onetwo");
    assert_sent(1, "onetwo");
    assert_sent(2, "twoone");
    assert_int_equal(one->refs, 1);
    frame_unref(one);
    frame_unref(two);
}

static void test_a_blocked_link_keeps_its_frames(void **state)
{
    (void)state;
    blocked[0] = true;
    outbox_put(all, &boxes[0], frame_of("a"), 1000);
    outbox_put(all, &boxes[1], frame_of("x"), 1000);
    outboxes_flush(all);
    assert_sent(1, "x");
    assert_non_null(boxes[0].blocked);
    outbox_put(all, &boxes[0], frame_of("b"), 1000);
    outboxes_flush(all);
    assert_int_equal(metrics.value[M_OUTBOX_BYTES], 2);
    blocked[0] = false;
    outbox_wake(all, &boxes[0]);
    outboxes_flush(all);
    assert_sent(0, "ab");
    assert_null(boxes[0].blocked);
}

static void block(int i)
{
    blocked[i] = true;
    outbox_put(all, &boxes[i], frame_of("a"), 1000);
    outboxes_flush(all);
}

static void test_stuck_links_are_told_once(void **state)
{
    (void)state;
    for (int i = 0; i < BOXES; i++)
        block(i);
    assert_null(outboxes_stuck(all, 0));
    blocked[1] = false;
    outbox_wake(all, &boxes[1]);
    outboxes_flush(all);
    assert_ptr_equal(outboxes_stuck(all, INT64_MAX), &boxes[0]);
    assert_ptr_equal(outboxes_stuck(all, INT64_MAX), &boxes[2]);
    assert_null(outboxes_stuck(all, INT64_MAX));
    outbox_wake(all, &boxes[0]);
    outboxes_flush(all);
    assert_null(outboxes_stuck(all, INT64_MAX));
    block(1);
    assert_ptr_equal(outboxes_stuck(all, INT64_MAX), &boxes[1]);
}

static void put_some(int i, const char *text)
{
    for (; *text; text++)
        outbox_put(all, &boxes[i], frame_join((struct span){text, 1}), 1000);
    outboxes_flush(all);
}

static void test_an_idle_outbox_needs_no_memory(void **state)
{
    (void)state;
    put_some(0, "a");
    assert_int_equal(boxes[0].cap, 0);
    put_some(0, "bc");
    assert_int_equal(boxes[0].cap, 0);
    put_some(0, "defghi");
    assert_int_not_equal(boxes[0].cap, 0);
    outbox_trim(&boxes[0]);
    assert_int_equal(boxes[0].cap, 0);
    put_some(0, "j");
    put_some(0, "klm");
    assert_sent(0, "abcdefghijklm");
}

static void test_over_the_bound_a_frame_is_dropped(void **state)
{
    (void)state;
    assert_true(outbox_put(all, &boxes[0], frame_of("12345"), 10));
    assert_true(outbox_put(all, &boxes[0], frame_of("12345"), 10));
    assert_false(outbox_put(all, &boxes[0], frame_of("1"), 10));
    outboxes_flush(all);
    assert_sent(0, "1234512345");
    assert_true(outbox_put(all, &boxes[0], frame_of("1"), 10));
}

static void test_an_empty_outbox_takes_any_one_frame(void **state)
{
    (void)state;
    assert_true(outbox_put(all, &boxes[0], frame_of("123456789012"), 10));
    assert_false(outbox_put(all, &boxes[0], frame_of("1"), 10));
    outboxes_flush(all);
    assert_sent(0, "123456789012");
}

static void test_large_backlogs_leave_in_portions(void **state)
{
    (void)state;
    enum { PIECE = 100000, PIECES = 7 };
    char *text = mem_alloc(PIECE + 1);
    text[PIECE] = '\0';
    for (int i = 0; i < PIECES; i++) {
        memset(text, 'a' + i, PIECE);
        outbox_put(all, &boxes[0], frame_of(text), 1 << 30);
    }
    outboxes_flush(all);
    assert_int_equal(sent[0].len, PIECE * PIECES);
    for (int i = 0; i < PIECES; i++)
        assert_int_equal(sent[0].at[i * PIECE], 'a' + i);
    assert_true(writes[0] > 1 && writes[0] < PIECES);
    free(text);
}

static void test_what_is_waiting_can_be_given_up(void **state)
{
    (void)state;
    struct frame *f = frame_of("never");
    outbox_put(all, &boxes[0], frame_ref(f), 1000);
    outbox_fini(all, &boxes[0]);
    assert_int_equal(f->refs, 1);
    outboxes_flush(all);
    assert_int_equal(sent[0].len, 0);
    frame_unref(f);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_one_write_a_turn_in_order),           T(test_the_same_frames_are_gathered_once),
        T(test_a_blocked_link_keeps_its_frames),     T(test_over_the_bound_a_frame_is_dropped),
        T(test_an_empty_outbox_takes_any_one_frame), T(test_large_backlogs_leave_in_portions),
        T(test_what_is_waiting_can_be_given_up),     T(test_stuck_links_are_told_once),
        T(test_an_idle_outbox_needs_no_memory),
    };
    return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}
