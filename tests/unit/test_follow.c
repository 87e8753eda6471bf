/* Following a room: what is published and what is read of its history come to one order. */
#include "follow.h"
#include "mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "redis_server.h"

struct trial {
    uv_loop_t loop;
    struct redis_address address;
    struct store *store;
    struct follow *follow;
    struct place at;
    bool left; /* nobody follows any more */
    int ups, downs, caught_up;
    struct buf heard;
};

static void on_up(void *ctx)
{
    ((struct trial *)ctx)->ups++;
}

static void on_down(void *ctx, const char *why)
{
    (void)why;
    ((struct trial *)ctx)->downs++;
}

static void on_event(void *ctx, struct span room, struct span text)
{
    (void)ctx;
    (void)room;
    (void)text;
}

static const struct store_hooks hooks = {.up = on_up, .down = on_down, .event = on_event};

static struct place *place_of(void *ctx, struct span room)
{
    struct trial *t = ctx;

    assert_true(span_is(room, "a:1"));
    return t->left ? NULL : &t->at;
}

static void hear(void *ctx, struct span room, const struct event *e, struct span text)
{
    struct trial *t = ctx;

    (void)room;
    (void)text;
    buf_printf(&t->heard, "%.*s ", (int)e->id.len, e->id.at);
}

static void hear_gap(void *ctx, struct span room, struct place after, struct place before)
{
    struct trial *t = ctx;
    char a[PLACE_BYTES], b[PLACE_BYTES];

    (void)room;
    struct span from = place_format(after, a), to = place_format(before, b);
    buf_printf(&t->heard, "(%.*s %.*s) ", (int)from.len, from.at, (int)to.len, to.at);
}

static void hear_trouble(void *ctx, struct span room, const char *why)
{
    struct trial *t = ctx;

    (void)room;
    (void)why;
    buf_text(&t->heard, "trouble ");
}

static void hear_end(void *ctx, struct span room)
{
    (void)room;
    ((struct trial *)ctx)->caught_up++;
}

static const struct follow_hooks follow_hooks = {
    .place = place_of,
    .event = hear,
    .gap = hear_gap,
    .trouble = hear_trouble,
    .caught_up = hear_end,
};

static int set_up(void **state)
{
    struct trial *t = mem_zero(sizeof(*t));
    struct fault f;

    server_clean(&server);
    uv_loop_init(&t->loop);
    assert_int_equal(redis_address_parse(&t->address, span_of(server.url), &f), 0);
    t->store = store_open(&t->loop, &t->address, &hooks, t);
    t->follow = follow_new(t->store, &follow_hooks, t);
    t->at = follow_anywhere;
    run_until(&t->loop, &t->ups, 1);
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    struct trial *t = *state;

    follow_free(t->follow);
    store_close(t->store);
    end_loop(&t->loop);
    redis_address_fini(&t->address);
    buf_fini(&t->heard);
    free(t);
    return 0;
}

/* Puts an event into the history, as if it had been published; more: fields of the entry. */
static void keep(const char *id, const char *more)
{
    char command[256];

    snprintf(command, sizeof(command),
             "XADD collab:history:{a:1} %s e '\"type\":\"x\",\"room\":\"a:1\",\"data\":0}' t 1 %s",
             id, more);
    server_do(&server, command, "$");
}

static void keep_all(int epoch, int first, int last)
{
    char id[32];

    for (int i = first; i <= last; i++) {
        snprintf(id, sizeof(id), "%d-%d", epoch, i);
        keep(id, "");
    }
}

/* An event comes by its channel. */
static void come(struct trial *t, const char *id)
{
    char text[128];
    struct event e;
    struct fault f;

    snprintf(text, sizeof(text), "{\"id\":\"%s\",\"type\":\"x\",\"room\":\"a:1\",\"data\":0}", id);
    assert_int_equal(event_parse(&e, span_of(text), false, &f), 0);
    follow_event(t->follow, span_of("a:1"), &e, span_of(text));
}

static void assert_heard(struct trial *t, const char *text)
{
    buf_add(&t->heard, "", 1);
    assert_string_equal(t->heard.at, text);
    buf_clear(&t->heard);
}

static void read_to_the_end(struct trial *t)
{
    run_until(&t->loop, &t->caught_up, t->caught_up + 1);
}

/* --- the tests ----------------------------------------------------------------------------- */

static void what_goes_on_is_handed_on_and_what_was_had_is_not(void **state)
{
    struct trial *t = *state;

    come(t, "5-3");
    come(t, "5-4");
    come(t, "5-4");
    come(t, "5-2");
    come(t, "4-9");
    come(t, "5-5");
    assert_heard(t, "5-3 5-4 5-5 ");
}

static void a_hole_is_filled_from_the_history(void **state)
{
    struct trial *t = *state;

    keep_all(5, 0, 6);
    come(t, "5-1");
    come(t, "5-4"); /* from here on all comes by the history, in order */
    come(t, "5-5");
    come(t, "5-6");
    read_to_the_end(t);
    assert_heard(t, "5-1 5-2 5-3 5-4 5-5 5-6 ");
    come(t, "5-7");
    assert_heard(t, "5-7 ");
}

static void a_long_hole_is_read_by_pages(void **state)
{
    struct trial *t = *state;

    keep_all(5, 0, 1200);
    come(t, "5-0");
    buf_clear(&t->heard);
    come(t, "5-1200");
    read_to_the_end(t);
    assert_int_equal(t->at.seq, 1200);
    assert_null(memchr(t->heard.at, '(', t->heard.len));
}

static void what_the_history_has_no_more_is_a_gap(void **state)
{
    struct trial *t = *state;

    keep_all(5, 6, 8);
    come(t, "5-1");
    come(t, "5-8");
    read_to_the_end(t);
    assert_heard(t, "5-1 (5-1 5-6) 5-6 5-7 5-8 ");
}

static void what_is_gone_before_it_was_read_is_a_gap_too(void **state)
{
    struct trial *t = *state;

    come(t, "5-1");
    come(t, "5-4");
    read_to_the_end(t);
    assert_heard(t, "5-1 (5-1 5-5) ");
    come(t, "5-5");
    assert_heard(t, "5-5 ");
}

static void an_epoch_goes_on_where_the_server_had_everything(void **state)
{
    struct trial *t = *state;

    keep_all(5, 0, 1);
    keep("7-0", "w 1");
    keep("7-1", "");
    come(t, "5-1");
    come(t, "7-1");
    read_to_the_end(t);
    assert_heard(t, "5-1 7-0 7-1 ");
}

static void an_epoch_of_a_server_that_may_lack_some_is_a_gap(void **state)
{
    struct trial *t = *state;

    keep_all(5, 0, 1);
    keep("7-0", "w 0");
    come(t, "5-1");
    come(t, "7-0");
    read_to_the_end(t);
    assert_heard(t, "5-1 (5-1 7-0) 7-0 ");
}

static void a_check_reads_what_was_missed(void **state)
{
    struct trial *t = *state;

    keep_all(5, 0, 3);
    follow_check(t->follow, span_of("a:1")); /* it stands nowhere yet */
    come(t, "5-1");
    follow_check(t->follow, span_of("a:1"));
    read_to_the_end(t);
    assert_heard(t, "5-1 5-2 5-3 ");
}

static void nobody_hears_who_has_left(void **state)
{
    struct trial *t = *state;

    keep_all(5, 0, 4);
    come(t, "5-1");
    come(t, "5-4");
    t->left = true;
    follow_check(t->follow, span_of("a:1"));
    come(t, "5-5");
    follow_free(t->follow);
    t->follow = follow_new(t->store, &follow_hooks, t);
    t->left = false;
    t->at = (struct place){5, 3};
    follow_check(t->follow, span_of("a:1"));
    read_to_the_end(t);
    assert_heard(t, "5-1 5-4 ");
}

static void what_continues(void **state)
{
    struct store_entry next = {.place = {5, 3}}, first = {.place = {7, 0}, .whole = true};

    (void)state;
    assert_true(follow_continues((struct place){5, 2}, false, &next));
    assert_false(follow_continues((struct place){5, 1}, true, &next));
    assert_true(follow_continues((struct place){5, 2}, true, &first));
    assert_false(follow_continues((struct place){5, 2}, false, &first));
    first.whole = false;
    assert_false(follow_continues((struct place){5, 2}, true, &first));
}

#define TRIAL(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIAL(what_goes_on_is_handed_on_and_what_was_had_is_not),
        TRIAL(a_hole_is_filled_from_the_history),
        TRIAL(a_long_hole_is_read_by_pages),
        TRIAL(what_the_history_has_no_more_is_a_gap),
        TRIAL(what_is_gone_before_it_was_read_is_a_gap_too),
        TRIAL(an_epoch_goes_on_where_the_server_had_everything),
        TRIAL(an_epoch_of_a_server_that_may_lack_some_is_a_gap),
        TRIAL(a_check_reads_what_was_missed),
        TRIAL(nobody_hears_who_has_left),
        cmocka_unit_test(what_continues),
    };

    return cmocka_run_group_tests(tests, start_server, end_server);
}
