#include "wheel.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { TICK_MS = 10, FIRED_MAX = 64 };

/* What fired, in order; and what a test wants done about it. */
static struct {
    struct wheel *wheel;
    struct wheel_timer *fired[FIRED_MAX];
    int count;
    void (*then)(struct wheel_timer *t);
} seen;

static void note(struct wheel_timer *t, void *ctx)
{
    assert_ptr_equal(ctx, &seen);
    assert_false(wheel_is_set(t));
    assert_true(seen.count < FIRED_MAX);
    seen.fired[seen.count++] = t;
    if (seen.then)
        seen.then(t);
}

static int setup(void **state)
{
    (void)state;
    seen.wheel = wheel_new(TICK_MS, 1000003, note, &seen);
    seen.count = 0;
    seen.then = NULL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    wheel_free(seen.wheel);
    return 0;
}

static void fires_never_early_and_at_most_a_tick_late(void **state)
{
    (void)state;
    for (int64_t delay_ms = 0; delay_ms < 50000; delay_ms += 37) {
        struct wheel_timer t = {0};
        struct wheel *w = wheel_new(TICK_MS, 1000003, note, &seen);
        int64_t due_ms = 1000003 + delay_ms, now_ms = 1000003;

        wheel_set(w, &t, due_ms);
        seen.count = 0;
        while (seen.count == 0)
            wheel_turn(w, now_ms += TICK_MS);
        assert_true(now_ms >= due_ms);
        assert_true(now_ms - due_ms < 2 * TICK_MS);
        wheel_free(w);
    }
}

static void one_that_is_due_fires_once(void **state)
{
    (void)state;
    struct wheel_timer t = {0};

    wheel_set(seen.wheel, &t, 1000100);
    assert_true(wheel_is_set(&t));
    wheel_turn(seen.wheel, 1000099);
    assert_int_equal(seen.count, 0);
    wheel_turn(seen.wheel, 1000100);
    assert_int_equal(seen.count, 1);
    assert_ptr_equal(seen.fired[0], &t);
    wheel_turn(seen.wheel, 1000200);
    wheel_turn(seen.wheel, 1100000);
    assert_int_equal(seen.count, 1);
}

static void past_due_times_fire_at_the_next_turn(void **state)
{
    (void)state;
    struct wheel_timer past = {0}, long_past = {0}, before_time = {0};

    wheel_set(seen.wheel, &past, 999000);
    wheel_set(seen.wheel, &long_past, 0);
    wheel_set(seen.wheel, &before_time, -5);
    wheel_turn(seen.wheel, 1000009);
    assert_int_equal(seen.count, 0);
    wheel_turn(seen.wheel, 1000010);
    assert_int_equal(seen.count, 3);
}

static void a_timer_can_be_moved_and_cancelled(void **state)
{
    (void)state;
    struct wheel_timer t = {0};

    wheel_cancel(&t);
    wheel_set(seen.wheel, &t, 1000050);
    wheel_set(seen.wheel, &t, 1000500);
    wheel_turn(seen.wheel, 1000490);
    assert_int_equal(seen.count, 0);
    wheel_set(seen.wheel, &t, 1000510);
    wheel_turn(seen.wheel, 1000500);
    assert_int_equal(seen.count, 0);
    wheel_cancel(&t);
    assert_false(wheel_is_set(&t));
    wheel_turn(seen.wheel, 1001000);
    assert_int_equal(seen.count, 0);
}

/* Longer than the wheel takes to go round, and all turned over in one go. */
static void far_timers_wait_for_their_round(void **state)
{
    (void)state;
    struct wheel_timer near = {0}, far = {0}, farther = {0}, never = {0};

    wheel_set(seen.wheel, &far, 1000000 + 1024 * TICK_MS * 3 + 50);
    wheel_set(seen.wheel, &near, 1000050);
    wheel_set(seen.wheel, &farther, 1000000 + 3600 * 1000 * 24);
    wheel_set(seen.wheel, &never, INT64_MAX);
    wheel_turn(seen.wheel, 1000060);
    assert_int_equal(seen.count, 1);
    assert_ptr_equal(seen.fired[0], &near);
    wheel_turn(seen.wheel, 1000000 + 1024 * TICK_MS * 3 + 49);
    assert_int_equal(seen.count, 1);
    wheel_turn(seen.wheel, 1000000 + 1024 * TICK_MS * 3 + 50);
    assert_int_equal(seen.count, 2);
    assert_ptr_equal(seen.fired[1], &far);
    wheel_turn(seen.wheel, 1000000 + 3600 * 1000 * 48);
    assert_int_equal(seen.count, 3);
    assert_ptr_equal(seen.fired[2], &farther);
    assert_true(wheel_is_set(&never));
    wheel_cancel(&never);
}

static void a_leap_fires_all_within_it(void **state)
{
    (void)state;
    struct wheel_timer t[40] = {0};

    for (int i = 0; i < 40; i++)
        wheel_set(seen.wheel, &t[i], 1000010 + i * 977);
    wheel_turn(seen.wheel, 1000010 + 39 * 977 + TICK_MS);
    assert_int_equal(seen.count, 40);
}

static void time_that_stands_still_fires_nothing(void **state)
{
    (void)state;
    struct wheel_timer t = {0};

    wheel_set(seen.wheel, &t, 1000020);
    wheel_turn(seen.wheel, 1000019);
    wheel_turn(seen.wheel, 1000011);
    wheel_turn(seen.wheel, 5);
    assert_int_equal(seen.count, 0);
    wheel_turn(seen.wheel, 1000020);
    assert_int_equal(seen.count, 1);
}

static void set_again_now(struct wheel_timer *t)
{
    if (seen.count < 3)
        wheel_set(seen.wheel, t, 0);
}

static void a_fired_timer_may_be_set_anew(void **state)
{
    (void)state;
    struct wheel_timer t = {0};

    seen.then = set_again_now;
    wheel_set(seen.wheel, &t, 1000010);
    for (int turn = 1; turn <= 3; turn++) {
        wheel_turn(seen.wheel, 1000000 + turn * TICK_MS);
        assert_int_equal(seen.count, turn);
    }
    wheel_turn(seen.wheel, 1001000);
    assert_int_equal(seen.count, 3);
}

static struct wheel_timer *pair[2];

static void cancel_the_other(struct wheel_timer *t)
{
    wheel_cancel(t == pair[0] ? pair[1] : pair[0]);
}

static void a_timer_may_be_cancelled_by_another_that_is_due_with_it(void **state)
{
    (void)state;
    struct wheel_timer a = {0}, b = {0};

    pair[0] = &a;
    pair[1] = &b;
    seen.then = cancel_the_other;
    wheel_set(seen.wheel, &a, 1000010);
    wheel_set(seen.wheel, &b, 1000010);
    wheel_turn(seen.wheel, 1000010);
    assert_int_equal(seen.count, 1);
    assert_false(wheel_is_set(&a));
    assert_false(wheel_is_set(&b));
}

static void free_both(struct wheel_timer *t)
{
    cancel_the_other(t);
    free(pair[0]);
    free(pair[1]);
}

static void what_holds_a_timer_may_be_freed(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        pair[i] = calloc(1, sizeof(*pair[i]));
        assert_non_null(pair[i]);
        wheel_set(seen.wheel, pair[i], 1000010);
    }
    seen.then = free_both;
    wheel_turn(seen.wheel, 1000010);
    assert_int_equal(seen.count, 1);
}

static void timers_of_a_freed_wheel_are_idle(void **state)
{
    (void)state;
    struct wheel_timer t = {0};
    struct wheel *w = wheel_new(TICK_MS, 0, note, &seen);

    wheel_set(w, &t, 100);
    wheel_free(w);
    assert_false(wheel_is_set(&t));
    wheel_cancel(&t);
    wheel_free(NULL);
}

/* Many timers, set, moved and cancelled at random, against a plain list of what is due when. */
static void agrees_with_a_plain_list(void **state)
{
    (void)state;
    enum { TIMERS = 50, STEPS = 20000 };
    static struct wheel_timer t[TIMERS];
    int64_t tick_due[TIMERS] = {0}, now_ms = 1000003;
    uint32_t random = 12345;

    for (int step = 0; step < STEPS; step++) {
        random = random * 1664525 + 1013904223;
        int which = (int)(random >> 16) % TIMERS, action = (int)(random >> 8) % 8;
        if (action == 0) {
            wheel_cancel(&t[which]);
        } else if (action < 4) {
            int64_t due_ms = now_ms + (int)(random >> 12) % 30000;
            wheel_set(seen.wheel, &t[which], due_ms);
            tick_due[which] = (due_ms + TICK_MS - 1) / TICK_MS;
            if (tick_due[which] <= now_ms / TICK_MS)
                tick_due[which] = now_ms / TICK_MS + 1;
        } else {
            now_ms += (int)(random >> 20) % 40;
            seen.count = 0;
            bool was_set[TIMERS];
            for (int i = 0; i < TIMERS; i++)
                was_set[i] = wheel_is_set(&t[i]);
            wheel_turn(seen.wheel, now_ms);
            for (int i = 0; i < TIMERS; i++)
                assert_int_equal(wheel_is_set(&t[i]), was_set[i] && tick_due[i] > now_ms / TICK_MS);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fires_never_early_and_at_most_a_tick_late),
        TEST(one_that_is_due_fires_once),
        TEST(past_due_times_fire_at_the_next_turn),
        TEST(a_timer_can_be_moved_and_cancelled),
        TEST(far_timers_wait_for_their_round),
        TEST(a_leap_fires_all_within_it),
        TEST(time_that_stands_still_fires_nothing),
        TEST(a_fired_timer_may_be_set_anew),
        TEST(a_timer_may_be_cancelled_by_another_that_is_due_with_it),
        TEST(what_holds_a_timer_may_be_freed),
        TEST(timers_of_a_freed_wheel_are_idle),
        TEST(agrees_with_a_plain_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
