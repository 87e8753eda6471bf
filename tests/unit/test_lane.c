#include "lane.h"
#include "mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "redis_server.h"

/* Servers that answer when and as the test says, by a connection to a real one: errors that Redis
 * would give are had from EVAL. */

struct trial {
    uv_loop_t loop;
    struct redis_address address;
    struct rconn *conn;
    struct lanes *lanes;
    int ready, answers, redirects;
    bool refuses; /* to send */
    bool is_lost;
    struct buf sent, answered;
};

static void on_ready(void *ctx)
{
    struct trial *t = ctx;

    t->ready++;
}

static void on_push(void *ctx, const struct reply *r)
{
    (void)ctx;
    (void)r;
}

static void on_closed(void *ctx, const char *why)
{
    (void)ctx;
    fail_msg("closed: %s", why);
}

static const struct rconn_hooks rconn_hooks = {on_ready, on_push, on_closed};

static void on_flight(void *arg, const struct reply *r)
{
    lanes_answer(arg, r);
}

/* The first try of a command says what was asked for; later ones what it is. */
static bool send_it(void *ctx, struct flight *f)
{
    struct trial *t = ctx;
    struct span say = f->argv[f->tries == 0 ? 1 : 0];
    struct span words[] = {span_of("EVAL"), span_of("return redis.error_reply(ARGV[1])"),
                           span_of("0"), say};
    struct span echo[] = {span_of("ECHO"), f->argv[0]};

    if (t->refuses)
        return false;
    buf_join(&t->sent, f->argv[0]);
    if (f->tries == 0 && say.len > 0)
        rconn_command(t->conn, on_flight, f, 4, words);
    else
        rconn_command(t->conn, on_flight, f, 2, echo);
    return true;
}

static bool stays(void *ctx)
{
    struct trial *t = ctx;

    return !t->is_lost;
}

/* As one does who keeps the connections. */
static void on_redirect(void *ctx, struct flight *f, const struct redirect *to)
{
    struct trial *t = ctx;

    (void)f;
    t->redirects++;
    if (to->kind != REDIRECT_DOWN)
        return;
    t->is_lost = true;
    rconn_close(t->conn);
    t->conn = NULL;
    lanes_drop(t->lanes);
}

static const struct lane_hooks lane_hooks = {send_it, stays, on_redirect};

static void on_answer(void *arg, const struct reply *r)
{
    struct trial *t = arg;

    t->answers++;
    if (!r)
        buf_char(&t->answered, '-');
    else
        buf_join(&t->answered, reply_text(r));
}

static void command(struct trial *t, unsigned slot, const char *name, const char *first)
{
    struct span words[] = {span_of(name), span_of(first)};

    lanes_command(t->lanes, slot, false, on_answer, t, 2, words);
}

static int set_up(void **state)
{
    struct trial *t = mem_zero(sizeof(*t));
    struct fault f;

    *state = t;
    uv_loop_init(&t->loop);
    assert_int_equal(redis_address_parse(&t->address, span_of(server.url), &f), 0);
    t->conn = rconn_open(&t->loop, &t->address.nodes[0], WAIT_MS, &rconn_hooks, t);
    run_until(&t->loop, &t->ready, 1);
    t->lanes = lanes_new(&t->loop, &lane_hooks, t);
    return 0;
}

static int tear_down(void **state)
{
    struct trial *t = *state;

    if (t->conn)
        rconn_close(t->conn);
    lanes_free(t->lanes);
    end_loop(&t->loop);
    redis_address_fini(&t->address);
    buf_fini(&t->sent);
    buf_fini(&t->answered);
    free(t);
    return 0;
}

static void says(const struct buf *b, const char *text)
{
    assert_string_equal(b->at, text);
}

static void what_follows_waits_and_goes_in_order(void **state)
{
    struct trial *t = *state;

    command(t, 1, "a", "MOVED 1 h:1");
    command(t, 1, "b", "MOVED 1 h:1");
    run_until(&t->loop, &t->redirects, 1);
    command(t, 1, "c", "");
    run_until(&t->loop, &t->answers, 3);
    says(&t->answered, "abc");
    assert_int_equal(t->redirects, 2);
}

static void what_has_moved_by_half_is_tried_again(void **state)
{
    struct trial *t = *state;

    command(t, 1, "a", "TRYAGAIN Multiple keys");
    command(t, 1, "b", "ASK 1 h:1");
    run_until(&t->loop, &t->answers, 2);
    says(&t->answered, "ab");
}

static void other_errors_are_answers(void **state)
{
    struct trial *t = *state;

    command(t, 1, "a", "ERR no");
    command(t, 1, "b", "");
    run_until(&t->loop, &t->answers, 2);
    says(&t->answered, "ERR nob");
    assert_int_equal(t->redirects, 0);
}

static void what_cannot_be_sent_waits(void **state)
{
    struct trial *t = *state;

    t->refuses = true;
    command(t, 1, "a", "");
    command(t, 1, "b", "");
    assert_int_equal(lanes_backlog(t->lanes), 2);
    lanes_retry(t->lanes);
    assert_int_equal(lanes_backlog(t->lanes), 2);
    t->refuses = false;
    lanes_retry(t->lanes);
    assert_int_equal(lanes_backlog(t->lanes), 0);
    run_until(&t->loop, &t->answers, 2);
    says(&t->answered, "ab");
}

static void what_waits_is_dropped_with_an_answer(void **state)
{
    struct trial *t = *state;

    t->refuses = true;
    command(t, 1, "a", "");
    command(t, 2, "b", "");
    lanes_drop(t->lanes);
    says(&t->answered, "--");
    assert_int_equal(lanes_backlog(t->lanes), 0);
}

static void a_cluster_that_is_down_answers_nothing(void **state)
{
    struct trial *t = *state;

    command(t, 1, "a", "CLUSTERDOWN The cluster is down");
    run_until(&t->loop, &t->answers, 1);
    says(&t->answered, "-");
}

/* A command whose answer is told by its name. */
struct named {
    struct trial *trial;
    char name;
};

static void on_named(void *arg, const struct reply *r)
{
    struct named *n = arg;

    assert_null(r);
    buf_char(&n->trial->answered, n->name);
    n->trial->answers++;
}

static void command_named(struct named *n, const char *first)
{
    struct span words[] = {{&n->name, 1}, span_of(first)};

    lanes_command(n->trial->lanes, 1, false, on_named, n, 2, words);
}

/* The one that was answered, those behind it that were not, and those that waited. */
static void what_is_lost_with_the_cluster_is_answered_in_order(void **state)
{
    struct trial *t = *state;
    struct named all[] = {{t, 'a'}, {t, 'b'}, {t, 'c'}};

    command_named(&all[0], "CLUSTERDOWN The cluster is down");
    command_named(&all[1], "");
    command_named(&all[2], "");
    run_until(&t->loop, &t->answers, 3);
    says(&t->answered, "abc");
    assert_int_equal(lanes_backlog(t->lanes), 0);
}

static void what_was_sent_back_is_answered_before_what_is_lost_behind_it(void **state)
{
    struct trial *t = *state;
    struct named all[] = {{t, 'a'}, {t, 'b'}, {t, 'c'}};
    struct span down[] = {span_of("x"), span_of("CLUSTERDOWN The cluster is down")};

    command_named(&all[0], "MOVED 1 127.0.0.1:1");
    lanes_command(t->lanes, 2, false, on_answer, t, 2, down);
    command_named(&all[1], "");
    command_named(&all[2], "");
    run_until(&t->loop, &t->answers, 4);
    says(&t->answered, "-abc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_follows_waits_and_goes_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_has_moved_by_half_is_tried_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_errors_are_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_sent_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_waits_is_dropped_with_an_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cluster_that_is_down_answers_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_lost_with_the_cluster_is_answered_in_order, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            what_was_sent_back_is_answered_before_what_is_lost_behind_it, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, start_server, end_server);
}
