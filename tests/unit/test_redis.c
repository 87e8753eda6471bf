#include "mem.h"
#include "redis.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "redis_server.h"

/* --- addresses ----------------------------------------------------------------------------- */

static const struct {
    const char *url;
    const char *path, *host;
    int port, db;
    const char *user, *password;
    const char *label;
} good[] = {
    {"redis://h", NULL, "h", 6379, 0, NULL, NULL, "redis://h:6379"},
    {"redis://h/", NULL, "h", 6379, 0, NULL, NULL, "redis://h:6379"},
    {"redis://127.0.0.1:7000/2", NULL, "127.0.0.1", 7000, 2, NULL, NULL,
     "redis://127.0.0.1:7000/2"},
    {"redis://h:1?db=15", NULL, "h", 1, 15, NULL, NULL, "redis://h:1/15"},
    {"redis://h/?db=0", NULL, "h", 6379, 0, NULL, NULL, "redis://h:6379"},
    {"redis://[::1]", NULL, "::1", 6379, 0, NULL, NULL, "redis://[::1]:6379"},
    {"redis://[fe80::1%25eth0]:65535/1", NULL, "fe80::1%eth0", 65535, 1, NULL, NULL,
     "redis://[fe80::1%eth0]:65535/1"},
    {"redis://ann:pw@h", NULL, "h", 6379, 0, "ann", "pw", "redis://h:6379"},
    {"redis://:pw@h:1/1", NULL, "h", 1, 1, NULL, "pw", "redis://h:1/1"},
    {"redis://:@h", NULL, "h", 6379, 0, NULL, "", "redis://h:6379"},
    {"redis://a%40b:%2f%3A%25@h", NULL, "h", 6379, 0, "a@b", "/:%", "redis://h:6379"},
    {"redis://:p@w/?#:[@h", NULL, "h", 6379, 0, NULL, "p@w/?#:[", "redis://h:6379"},
    {"unix:/run/x.sock", "/run/x.sock", NULL, 0, 0, NULL, NULL, "unix:/run/x.sock"},
    {"unix:x.sock", "x.sock", NULL, 0, 0, NULL, NULL, "unix:x.sock"},
    {"unix:///run/x.sock?db=3", "/run/x.sock", NULL, 0, 3, NULL, NULL, "unix:/run/x.sock?db=3"},
    {"unix:///run/a%3fb@/%25", "/run/a?b@/%", NULL, 0, 0, NULL, NULL, "unix:/run/a?b@/%"},
    {"unix://ann:p@w@/run/x.sock", "/run/x.sock", NULL, 0, 0, "ann", "p@w", "unix:/run/x.sock"},
};

static void same_text(const char *a, const char *b)
{
    if (!b)
        assert_null(a);
    else
        assert_string_equal(a, b);
}

static void good_addresses_are_taken(void **state)
{
    struct redis_address a;
    struct fault f;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (redis_address_parse(&a, span_of(good[i].url), &f) != 0)
            fail_msg("%s: %s", good[i].url, f.text);
        same_text(a.nodes[0].path, good[i].path);
        same_text(a.nodes[0].host, good[i].host);
        assert_int_equal(a.nodes[0].port, good[i].port);
        assert_int_equal(a.nodes[0].db, good[i].db);
        same_text(a.nodes[0].user, good[i].user);
        same_text(a.nodes[0].password, good[i].password);
        same_text(a.label, good[i].label);
        redis_address_fini(&a);
    }
}

static void several_servers_may_be_named(void **state)
{
    struct redis_address a;
    struct fault f;

    (void)state;
    assert_int_equal(redis_address_parse(&a, span_of("redis://ann:pw@a:7001,[::1]:7002,c/1"), &f),
                     0);
    assert_int_equal(a.count, 3);
    assert_null(a.master);
    assert_string_equal(a.label, "redis://a:7001,[::1]:7002,c:6379/1");
    assert_string_equal(a.nodes[1].label, "redis://[::1]:7002/1");
    for (size_t i = 0; i < a.count; i++) {
        assert_string_equal(a.nodes[i].user, "ann");
        assert_string_equal(a.nodes[i].password, "pw");
        assert_int_equal(a.nodes[i].db, 1);
    }
    redis_address_fini(&a);
}

static void sentinels_name_a_master(void **state)
{
    struct redis_address a;
    struct fault f;

    (void)state;
    assert_int_equal(redis_address_parse(&a, span_of("redis+sentinel://:pw@a,b:5/main/2"), &f), 0);
    assert_int_equal(a.count, 2);
    assert_string_equal(a.master, "main");
    assert_int_equal(a.nodes[0].port, 26379);
    assert_int_equal(a.nodes[1].port, 5);
    assert_string_equal(a.like.password, "pw");
    assert_int_equal(a.like.db, 2);
    assert_null(a.nodes[0].password);
    assert_int_equal(a.nodes[0].db, 0);
    assert_string_equal(a.label, "redis+sentinel://a:26379,b:5/main/2");
    redis_address_fini(&a);
}

static void sentinels_may_have_a_password_of_their_own(void **state)
{
    static const char url[] = "redis+sentinel://ann:pw@a,b/main"
                              "?sentinel-user=wat%26cher&db=3&sentinel-password=p%40w";
    struct redis_address a;
    struct fault f;

    (void)state;
    assert_int_equal(redis_address_parse(&a, span_of(url), &f), 0);
    for (size_t i = 0; i < a.count; i++) {
        assert_string_equal(a.nodes[i].user, "wat&cher");
        assert_string_equal(a.nodes[i].password, "p@w");
        assert_int_equal(a.nodes[i].db, 0);
    }
    assert_string_equal(a.like.user, "ann");
    assert_string_equal(a.like.password, "pw");
    assert_int_equal(a.like.db, 3);
    assert_string_equal(a.label, "redis+sentinel://a:26379,b:26379/main/3");
    redis_address_fini(&a);
}

#define LONG_NAME "0123456789012345678901234567890123456789012345678901234"

static const struct {
    const char *url;
    const char *why;
} bad[] = {
    {"", "must begin with redis://, redis+sentinel:// or unix:"},
    {"127.0.0.1:6379", "must begin with redis://, redis+sentinel:// or unix:"},
    {"rediss://h", "must begin with redis://, redis+sentinel:// or unix:"},
    {"redis:h", "must begin with redis://, redis+sentinel:// or unix:"},
    {"redis://", "no host: redis://host[:port][/db]"},
    {"redis://:6379", "no host: redis://host[:port][/db]"},
    {"redis:///1", "no host: redis://host[:port][/db]"},
    {"redis://h:", "port: not a whole number"},
    {"redis://h:x", "port: not a whole number"},
    {"redis://h:0", "port: out of range 1 to 65535"},
    {"redis://h:65536", "port: out of range 1 to 65535"},
    {"redis://h/x", "db: not a whole number"},
    {"redis://h/-1", "db: out of range 0 to 1000000"},
    {"redis://h/1/2", "db: not a whole number"},
    {"redis://h/1?db=1", "db: given twice"},
    {"redis://h?timeout=1", "only ?db=N may follow the address"},
    {"redis://h?", "only ?db=N may follow the address"},
    {"redis://h?db=1&", "only ?db=N may follow the address"},
    {"redis://h?db=1&db=1", "db: given twice"},
    {"redis://h?sentinel-password=x", "only ?db=N may follow the address"},
    {"redis://a b", "host: neither a name nor an address"},
    {"redis://h%2f", "host: neither a name nor an address"},
    {"redis://::1", "host: an IPv6 address stands in brackets, as in redis://[::1]"},
    {"redis://[::1", "host: the closing ] is missing"},
    {"redis://[::1]x", "host: only :port may follow the ]"},
    {"redis://ann@h", "a user needs a password: user:password@"},
    {"redis://@h", "a user needs a password: user:password@"},
    {"redis://:a%2@h", "password: % must be followed by two hexadecimal digits"},
    {"redis://:a%zz@h", "password: % must be followed by two hexadecimal digits"},
    {"redis://a%00:b@h", "user: a NUL byte in it"},
    {"redis://ann:hunter2", "port: not a whole number"},
    {"redis://ann:hun/ter2", "db: not a whole number"},
    {"redis://a,", "no host: redis://host[:port][/db]"},
    {"redis://a,,b", "no host: redis://host[:port][/db]"},
    {"redis://a,b:x", "port: not a whole number"},
    {"redis+sentinel://a", "no master: redis+sentinel://host[:port]/master[/db]"},
    {"redis+sentinel://a/", "no master: redis+sentinel://host[:port]/master[/db]"},
    {"redis+sentinel:///main", "no host: redis+sentinel://host[:port]/master[/db]"},
    {"redis+sentinel://a/main/x", "db: not a whole number"},
    {"redis+sentinel://a/main?x=1",
     "only ?db=N, sentinel-user= and sentinel-password= may follow the address"},
    {"redis+sentinel://a/main?sentinel-user=u",
     "a sentinel-user needs a name and a sentinel-password"},
    {"redis+sentinel://a/main?sentinel-user=&sentinel-password=p",
     "a sentinel-user needs a name and a sentinel-password"},
    {"redis+sentinel://a/main?sentinel-password=p&sentinel-password=p",
     "sentinel-password: given twice"},
    {"redis+sentinel://a:5/main?sentinel-password=p@w/x",
     "sentinel-password: an @ in it is written as %40"},
    {"redis+sentinel://a/main?sentinel-password=%4",
     "sentinel-password: % must be followed by two hexadecimal digits"},
    {"unix:", "no path: unix:///path of a socket"},
    {"unix:?db=1", "no path: unix:///path of a socket"},
    {"unix://run/x.sock", "path: must begin with a / after unix://"},
    {"unix://ann:hunter2@x.sock", "path: must begin with a / after unix://"},
    {"unix:/a%0", "path: % must be followed by two hexadecimal digits"},
    {"unix:/" LONG_NAME LONG_NAME, "path: 111 bytes, and a Unix socket's has at most 107"},
};

static void bad_addresses_are_refused_with_a_reason(void **state)
{
    struct redis_address a;
    struct fault f;
    char expected[256];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (redis_address_parse(&a, span_of(bad[i].url), &f) == 0)
            fail_msg("%s was taken", bad[i].url);
        snprintf(expected, sizeof(expected), "Redis URL: %s", bad[i].why);
        assert_string_equal(f.text, expected);
        assert_null(a.label);
    }
}

/* --- a deployment -------------------------------------------------------------------------- */

struct trial {
    uv_loop_t loop;
    struct redis_address address;
    struct redis *redis;
    int ups, downs, pushes, answers, lost;
    bool close_in_hook;
    char why[256];
};

static void close_it(struct trial *t)
{
    redis_close(t->redis);
    t->redis = NULL;
}

static void on_up(void *ctx)
{
    struct trial *t = ctx;

    assert_true(redis_is_up(t->redis));
    t->ups++;
    if (t->close_in_hook)
        close_it(t);
}

static void on_down(void *ctx, const char *why)
{
    struct trial *t = ctx;

    assert_false(redis_is_up(t->redis));
    assert_string_equal(redis_why(t->redis), why);
    t->downs++;
    strcpy(t->why, why);
    if (t->close_in_hook)
        close_it(t);
}

static void on_push(void *ctx, const struct reply *r)
{
    struct trial *t = ctx;

    assert_true(reply_count(r) >= 3);
    t->pushes++;
    if (t->close_in_hook)
        close_it(t);
}

static const struct redis_hooks hooks = {.up = on_up, .down = on_down, .push = on_push};

static void on_reply(void *arg, const struct reply *r)
{
    struct trial *t = arg;

    t->answers++;
    t->lost += !r;
}

static int set_up(void **state)
{
    struct trial *t = mem_zero(sizeof(*t));

    uv_loop_init(&t->loop);
    *state = t;
    server_clean(&server);
    return 0;
}

static int tear_down(void **state)
{
    struct trial *t = *state;

    if (t->redis)
        redis_close(t->redis);
    end_loop(&t->loop);
    redis_address_fini(&t->address);
    free(t);
    return 0;
}

static void open_it(struct trial *t)
{
    struct fault f;

    assert_int_equal(redis_address_parse(&t->address, span_of(server.url), &f), 0);
    t->redis = redis_open(&t->loop, &t->address, NULL, &hooks, t);
}

static void open_up(struct trial *t)
{
    open_it(t);
    run_until(&t->loop, &t->ups, 1);
}

static void ping(struct trial *t)
{
    struct span words = span_of("PING");

    redis_command(t->redis, on_reply, t, 1, &words);
}

static void subscribe(struct trial *t, const char *channel)
{
    struct span words[] = {span_of("SUBSCRIBE"), span_of(channel)};

    redis_subscription(t->redis, on_reply, t, 2, words);
}

static void commands_and_subscriptions_go_side_by_side(void **state)
{
    struct trial *t = *state;

    open_up(t);
    subscribe(t, "a");
    ping(t);
    assert_true(redis_backlog(t->redis) > 0);
    run_until(&t->loop, &t->answers, 2);
    assert_int_equal(redis_backlog(t->redis), 0);
    server_do(&server, "PUBLISH a x", ":1");
    run_until(&t->loop, &t->pushes, 2);
    assert_int_equal(t->downs + t->lost, 0);
}

static void a_first_attempt_that_fails_is_told_once(void **state)
{
    struct trial *t = *state;
    char expected[256];

    server_kill(&server);
    unlink(server.socket);
    open_it(t);
    assert_int_equal(t->downs, 0);
    assert_non_null(strstr(redis_why(t->redis), "not connected yet"));
    ping(t);
    assert_int_equal(t->lost, 1);
    run_until(&t->loop, &t->downs, 1);
    snprintf(expected, sizeof(expected), "%s: no such file or directory", server.url);
    assert_string_equal(t->why, expected);

    server_run(&server);
    run_until(&t->loop, &t->ups, 1);
    assert_int_equal(t->downs, 1);
}

static void it_comes_back_when_the_server_does(void **state)
{
    struct trial *t = *state;

    open_up(t);
    subscribe(t, "a");
    run_until(&t->loop, &t->answers, 1);
    kill(server.pid, SIGSTOP);
    ping(t);
    subscribe(t, "b");
    uv_run(&t->loop, UV_RUN_NOWAIT);
    server_kill(&server);
    run_until(&t->loop, &t->downs, 1);
    assert_int_equal(t->lost, 2);
    assert_int_equal(redis_backlog(t->redis), 0);
    ping(t);
    subscribe(t, "c");
    assert_int_equal(t->lost, 4);

    server_run(&server);
    run_until(&t->loop, &t->ups, 2);
    assert_int_equal(t->downs, 1);
    server_do(&server, "PUBSUB CHANNELS", "*0");
    ping(t);
    run_until(&t->loop, &t->answers, 6);
    assert_int_equal(t->lost, 4);
}

/* One of the two goes: both are made anew. */
static void losing_the_subscriptions_alone_is_a_loss(void **state)
{
    struct trial *t = *state;

    open_up(t);
    subscribe(t, "a");
    run_until(&t->loop, &t->answers, 1);
    server_do(&server, "CLIENT KILL TYPE pubsub", ":1");
    run_until(&t->loop, &t->downs, 1);
    run_until(&t->loop, &t->ups, 2);
}

static void a_reset_begins_anew(void **state)
{
    struct trial *t = *state;
    char expected[256];

    open_up(t);
    ping(t);
    redis_reset(t->redis, "the probe was not answered");
    assert_int_equal(t->downs, 1);
    assert_int_equal(t->lost, 1);
    snprintf(expected, sizeof(expected), "%s: the probe was not answered", server.url);
    assert_string_equal(t->why, expected);
    redis_reset(t->redis, "again");
    assert_int_equal(t->downs, 1);
    run_until(&t->loop, &t->ups, 2);
}

static void a_refusal_has_the_words_of_redis(void **state)
{
    struct trial *t = *state;
    char expected[256];

    server_do(&server, "CONFIG SET requirepass pw", "+OK");
    open_it(t);
    run_until(&t->loop, &t->downs, 1);
    snprintf(expected, sizeof(expected), "%s: NOAUTH Authentication required.", server.url);
    assert_string_equal(t->why, expected);
}

static void closing_in_up_is_safe(void **state)
{
    struct trial *t = *state;

    open_it(t);
    t->close_in_hook = true;
    run_until(&t->loop, &t->ups, 1);
}

static void closing_in_down_is_safe(void **state)
{
    struct trial *t = *state;

    open_up(t);
    ping(t);
    t->close_in_hook = true;
    server_do(&server, "CLIENT KILL TYPE normal SKIPME yes", ":2");
    run_until(&t->loop, &t->downs, 1);
    assert_int_equal(t->answers, 1);
}

static void closing_in_a_push_is_safe(void **state)
{
    struct trial *t = *state;

    open_up(t);
    subscribe(t, "a");
    subscribe(t, "b");
    t->close_in_hook = true;
    run_until(&t->loop, &t->pushes, 1);
    assert_int_equal(t->lost, 2);
    assert_int_equal(t->downs, 0);
}

static void on_lost_close(void *arg, const struct reply *r)
{
    struct trial *t = arg;

    on_reply(arg, r);
    if (t->redis)
        close_it(t);
}

/* What is outstanding ends before `down` is told; and who closes then is told no more. */
static void closing_in_a_lost_reply_is_safe(void **state)
{
    struct trial *t = *state;
    struct span words = span_of("PING");

    open_up(t);
    kill(server.pid, SIGSTOP);
    redis_command(t->redis, on_lost_close, t, 1, &words);
    ping(t);
    uv_run(&t->loop, UV_RUN_NOWAIT);
    server_kill(&server);
    run_until(&t->loop, &t->lost, 2);
    assert_int_equal(t->downs, 0);
}

#define TRIAL(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_addresses_are_taken),
        cmocka_unit_test(several_servers_may_be_named),
        cmocka_unit_test(sentinels_name_a_master),
        cmocka_unit_test(sentinels_may_have_a_password_of_their_own),
        cmocka_unit_test(bad_addresses_are_refused_with_a_reason),
        TRIAL(commands_and_subscriptions_go_side_by_side),
        TRIAL(a_first_attempt_that_fails_is_told_once),
        TRIAL(it_comes_back_when_the_server_does),
        TRIAL(losing_the_subscriptions_alone_is_a_loss),
        TRIAL(a_reset_begins_anew),
        TRIAL(a_refusal_has_the_words_of_redis),
        TRIAL(closing_in_up_is_safe),
        TRIAL(closing_in_down_is_safe),
        TRIAL(closing_in_a_push_is_safe),
        TRIAL(closing_in_a_lost_reply_is_safe),
    };

    return cmocka_run_group_tests(tests, start_server, end_server);
}
