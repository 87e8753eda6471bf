#include "mem.h"
#include "store.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "redis_server.h"

enum { ROOMS = 1234 }; /* some batches, and no whole number of them */

struct trial {
    uv_loop_t loop;
    struct redis_address address;
    struct store *store;
    int ups, downs, events, dones, settled;
    enum store_result result; /* the last */
    bool close_in_hook, in_hook;
    bool silent; /* events are counted, not written down */
    char why[300];
    struct buf log;
};

static void close_it(struct trial *t)
{
    store_close(t->store);
    t->store = NULL;
}

static void on_up(void *ctx)
{
    struct trial *t = ctx;

    assert_true(store_is_up(t->store));
    t->ups++;
}

static void on_down(void *ctx, const char *why)
{
    struct trial *t = ctx;

    assert_false(store_is_up(t->store));
    t->downs++;
    strcpy(t->why, why);
    if (t->close_in_hook)
        close_it(t);
}

static void on_event(void *ctx, struct span room, struct span text)
{
    struct trial *t = ctx;

    t->events++;
    if (!t->silent)
        buf_printf(&t->log, "%.*s %.*s\n", (int)room.len, room.at, (int)text.len, text.at);
    if (t->close_in_hook)
        close_it(t);
}

static void on_adapter(void *ctx, const struct store_adapter *from, struct span message)
{
    struct trial *t = ctx;

    t->events++;
    buf_printf(&t->log, "%d %.*s %.*s '%.*s' %.*s\n", from->channel, (int)from->prefix.len,
               from->prefix.at, (int)from->nsp.len, from->nsp.at, (int)from->room.len,
               from->room.at, (int)message.len, message.at);
}

static const struct store_hooks hooks = {
    .up = on_up, .down = on_down, .event = on_event, .adapter = on_adapter};

static void keep_result(struct trial *t, enum store_result result, const char *why)
{
    t->result = result;
    assert_int_equal(!why, result == STORE_DONE);
    strcpy(t->why, why ? why : "");
}

static void on_done(void *arg, enum store_result result, const char *why)
{
    struct trial *t = arg;

    t->dones++;
    keep_result(t, result, why);
}

static void on_settled(void *arg, enum store_result result, const char *why)
{
    struct trial *t = arg;

    t->settled++;
    keep_result(t, result, why);
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

    if (t->store)
        store_close(t->store);
    end_loop(&t->loop);
    redis_address_fini(&t->address);
    buf_fini(&t->log);
    free(t);
    return 0;
}

static void open_url(struct trial *t, const char *url)
{
    struct fault f;

    assert_int_equal(redis_address_parse(&t->address, span_of(url), &f), 0);
    t->store = store_open(&t->loop, &t->address, &hooks, t);
}

static void open_up(struct trial *t)
{
    open_url(t, server.url);
    run_until(&t->loop, &t->ups, 1);
}

/* As a user with these rights. */
static void open_as(struct trial *t, const char *rights)
{
    char line[512];

    snprintf(line, sizeof(line), "ACL SETUSER ann reset on >pw +ping %s", rights);
    server_do(&server, line, "+OK");
    snprintf(line, sizeof(line), "unix://ann:pw@%s", server.socket);
    open_url(t, line);
}

static void listen_to(struct trial *t, const char *room)
{
    struct span s = span_of(room);

    store_listen(t->store, &s, 1);
}

static void unlisten_to(struct trial *t, const char *room)
{
    struct span s = span_of(room);

    store_unlisten(t->store, &s, 1);
}

static void settle(struct trial *t)
{
    int before = t->settled;

    store_settle(t->store, on_settled, t);
    run_until(&t->loop, &t->settled, before + 1);
}

/* Waits for all that was published before. */
static void drain(struct trial *t)
{
    int before = t->settled;

    listen_to(t, "drain:1");
    store_settle(t->store, on_settled, t);
    run_until(&t->loop, &t->settled, before + 1);
}

static void assert_log(struct trial *t, const char *expected)
{
    assert_string_equal(t->log.at ? t->log.at : "", expected);
    buf_clear(&t->log);
    t->events = 0;
}

static struct event event_of(const char *data)
{
    return (struct event){.type = span_of("t"), .version = -1, .data = span_of(data)};
}

static void publish(struct trial *t, const char *room)
{
    struct event e = event_of("1");

    e.rooms[e.room_count++] = span_of(room);
    store_publish(t->store, &e, on_done, t);
}

/* --- publishing ---------------------------------------------------------------------------- */

static void a_copy_goes_to_each_room_in_order(void **state)
{
    struct trial *t = *state;
    struct event e = event_of("{\"n\":1}");

    open_up(t);
    listen_to(t, "project:p1");
    listen_to(t, "task:t1");
    settle(t);
    assert_int_equal(t->result, STORE_DONE);
    e.rooms[e.room_count++] = span_of("task:t1");
    e.rooms[e.room_count++] = span_of("project:p1");
    e.rooms[e.room_count++] = span_of("project:p2");
    store_publish(t->store, &e, on_done, t);
    assert_true(store_backlog(t->store) > 0);
    run_until(&t->loop, &t->dones, 1);
    assert_int_equal(t->result, STORE_DONE);
    assert_int_equal(store_backlog(t->store), 0);
    run_until(&t->loop, &t->events, 2);
    assert_log(t, "task:t1 {\"type\":\"t\",\"room\":\"task:t1\",\"rooms\":[\"task:t1\","
                  "\"project:p1\",\"project:p2\"],\"data\":{\"n\":1}}\n"
                  "project:p1 {\"type\":\"t\",\"room\":\"project:p1\",\"rooms\":[\"task:t1\","
                  "\"project:p1\",\"project:p2\"],\"data\":{\"n\":1}}\n");
}

static void what_anyone_publishes_arrives_as_it_is(void **state)
{
    struct trial *t = *state;

    open_up(t);
    listen_to(t, "a:1");
    settle(t);
    server_do(&server, "PUBLISH collab:room:a:1 {not*an:event", ":1");
    run_until(&t->loop, &t->events, 1);
    assert_log(t, "a:1 {not*an:event\n");
}

static void publishing_in_vain_is_told_at_once(void **state)
{
    struct trial *t = *state;

    server_kill(&server);
    unlink(server.socket);
    open_url(t, server.url);
    publish(t, "a:1");
    assert_int_equal(t->dones, 1);
    assert_int_equal(t->result, STORE_UNAVAILABLE);
    store_settle(t->store, on_settled, t);
    assert_int_equal(t->settled, 1);
    assert_int_equal(t->result, STORE_UNAVAILABLE);
    listen_to(t, "a:1");
    run_until(&t->loop, &t->downs, 1);
    publish(t, "a:1");
    assert_non_null(strstr(t->why, "redis.sock: no such file or directory"));
}

static void publishing_that_is_cut_off_is_told(void **state)
{
    struct trial *t = *state;
    struct event e = event_of("1");

    open_up(t);
    kill(server.pid, SIGSTOP);
    e.rooms[e.room_count++] = span_of("a:1");
    e.rooms[e.room_count++] = span_of("a:2");
    store_publish(t->store, &e, on_done, t);
    store_publish(t->store, &e, NULL, NULL);
    listen_to(t, "a:1");
    store_settle(t->store, on_settled, t);
    uv_run(&t->loop, UV_RUN_NOWAIT);
    assert_int_equal(t->dones + t->settled, 0);
    server_kill(&server);
    run_until(&t->loop, &t->downs, 1);
    assert_int_equal(t->dones, 1);
    assert_int_equal(t->settled, 1);
    assert_int_equal(t->result, STORE_UNAVAILABLE);
}

static void a_refusal_of_one_copy_is_told(void **state)
{
    struct trial *t = *state;
    struct event e = event_of("1");

    open_as(t, "+publish +subscribe &collab:probe:* &collab:room:a:*");
    run_until(&t->loop, &t->ups, 1);
    publish(t, "a:1");
    run_until(&t->loop, &t->dones, 1);
    assert_int_equal(t->result, STORE_DONE);
    e.rooms[e.room_count++] = span_of("a:1");
    e.rooms[e.room_count++] = span_of("b:1");
    e.rooms[e.room_count++] = span_of("a:2");
    store_publish(t->store, &e, on_done, t);
    run_until(&t->loop, &t->dones, 2);
    assert_int_equal(t->result, STORE_REFUSED);
    assert_memory_equal(t->why, "NOPERM ", 7);
}

/* --- listening ----------------------------------------------------------------------------- */

static void name_rooms(char names[ROOMS][16], struct span rooms[ROOMS])
{
    for (int i = 0; i < ROOMS; i++) {
        snprintf(names[i], sizeof(names[i]), "r:%d", i);
        rooms[i] = span_of(names[i]);
    }
}

static void many_rooms_are_listened_to_and_left(void **state)
{
    struct trial *t = *state;
    static char names[ROOMS][16];
    static struct span rooms[ROOMS];

    open_up(t);
    name_rooms(names, rooms);
    store_listen(t->store, rooms, ROOMS);
    settle(t);
    for (int i = 0; i < ROOMS; i++)
        publish(t, names[i]);
    t->silent = true;
    run_until(&t->loop, &t->events, ROOMS);
    store_unlisten(t->store, rooms, ROOMS);
    settle(t);
    server_do(&server, "PUBLISH collab:room:r:0 x", ":0");
    server_do(&server, "PUBLISH collab:room:r:1233 x", ":0");
    assert_int_equal(t->events, ROOMS);
}

static void the_last_word_on_a_room_counts(void **state)
{
    struct trial *t = *state;

    open_up(t);
    listen_to(t, "a:1");
    unlisten_to(t, "a:1");
    listen_to(t, "a:1");
    listen_to(t, "a:2");
    unlisten_to(t, "a:2");
    settle(t);
    unlisten_to(t, "a:1");
    listen_to(t, "a:1");
    listen_to(t, "a:2");
    unlisten_to(t, "a:2");
    settle(t);
    server_do(&server, "PUBLISH collab:room:a:1 x", ":1");
    server_do(&server, "PUBLISH collab:room:a:2 x", ":0");
    run_until(&t->loop, &t->events, 1);
}

static void settling_with_nothing_to_settle_is_done_at_once(void **state)
{
    struct trial *t = *state;

    open_up(t);
    store_settle(t->store, on_settled, t);
    assert_int_equal(t->settled, 1);
    assert_int_equal(t->result, STORE_DONE);
}

static void settle_again(void *arg, enum store_result result, const char *why)
{
    struct trial *t = arg;

    (void)why;
    assert_int_equal(result, STORE_DONE);
    assert_false(t->in_hook);
    t->in_hook = true;
    if (++t->settled % 10)
        store_settle(t->store, settle_again, t);
    listen_to(t, "a:1");
    t->in_hook = false;
}

static void who_settles_is_not_told_from_within_another(void **state)
{
    struct trial *t = *state;

    open_up(t);
    listen_to(t, "a:0");
    for (int i = 0; i < 10; i++)
        store_settle(t->store, settle_again, t);
    run_until(&t->loop, &t->settled, 100);
}

static void what_is_confirmed_is_heard(void **state)
{
    struct trial *t = *state;

    open_up(t);
    for (int i = 0; i < 50; i++) {
        char room[16], line[64];
        snprintf(room, sizeof(room), "a:%d", i);
        snprintf(line, sizeof(line), "PUBLISH collab:room:%s x", room);
        listen_to(t, room);
        settle(t);
        server_do(&server, line, ":1");
    }
    run_until(&t->loop, &t->events, 50);
}

/* One room that is refused leaves the others of its batch as they were asked for. */
static void a_refused_room_is_told_and_harms_no_other(void **state)
{
    struct trial *t = *state;
    struct span rooms[] = {span_of("a:1"), span_of("b:1"), span_of("a:2")};

    open_as(t, "+subscribe +unsubscribe &collab:probe:* &collab:room:a:*");
    run_until(&t->loop, &t->ups, 1);
    store_listen(t->store, rooms, 3);
    unlisten_to(t, "a:2");
    settle(t);
    assert_int_equal(t->result, STORE_REFUSED);
    assert_memory_equal(t->why, "b:1: NOPERM ", 12);
    server_do(&server, "PUBLISH collab:room:a:1 x", ":1");
    server_do(&server, "PUBLISH collab:room:a:2 x", ":0");
    server_do(&server, "PUBLISH collab:room:b:1 x", ":0");

    settle(t);
    assert_int_equal(t->result, STORE_REFUSED);
    listen_to(t, "a:3");
    settle(t);
    assert_int_equal(t->result, STORE_DONE);
    run_until(&t->loop, &t->events, 1);
    assert_log(t, "a:1 x\n");
}

static void note_result(void *arg, enum store_result result, const char *why)
{
    struct trial *t = arg;

    (void)why;
    t->settled++;
    buf_text(&t->log, result == STORE_DONE ? "done " : "refused ");
}

/* Many who come at once go along in one command, and each is told of its own room. */
static void who_waits_for_one_room_keeps_no_other_waiting(void **state)
{
    struct trial *t = *state;
    static const char calls[] = "cmdstat_subscribe:calls=2,";
    char answer[8192] = "";

    open_as(t, "+subscribe +unsubscribe &collab:probe:* &collab:room:a:*");
    run_until(&t->loop, &t->ups, 1);
    server_do(&server, "CONFIG RESETSTAT", "+OK");
    listen_to(t, "a:0");
    for (int i = 0; i < 100; i++) {
        char room[16];
        snprintf(room, sizeof(room), "a:%d", i);
        listen_to(t, room);
        store_settle(t->store, on_settled, t);
    }
    run_until(&t->loop, &t->settled, 100);
    assert_true(server_try(&server, "INFO commandstats", answer, sizeof(answer)));
    assert_non_null(memmem(answer, sizeof(answer), calls, strlen(calls)));

    static const char *const rooms[] = {"a:1", "b:1", "a:2"};
    listen_to(t, "a:0");
    for (int i = 0; i < 3; i++) {
        listen_to(t, rooms[i]);
        store_settle(t->store, note_result, t);
    }
    run_until(&t->loop, &t->settled, 103);
    assert_log(t, "done refused done ");
}

static void a_pattern_is_listened_to(void **state)
{
    struct trial *t = *state;

    open_up(t);
    store_listen_pattern(t->store, span_of("team:eu-*"));
    settle(t);
    server_do(&server, "PUBLISH collab:room:team:eu-1 one", ":1");
    server_do(&server, "PUBLISH collab:room:team:us-1 two", ":0");
    server_do(&server, "PUBLISH collab:room:team:eu-1:x three", ":1"); /* Redis' idea of * */
    run_until(&t->loop, &t->events, 1);
    drain(t);
    assert_log(t, "team:eu-1 one\n");
}

static void a_copy_comes_once_however_it_is_listened_to(void **state)
{
    struct trial *t = *state;

    open_up(t);
    listen_to(t, "project:p1");
    store_listen_pattern(t->store, span_of("project:*"));
    store_listen_pattern(t->store, span_of("*:p1"));
    store_listen_pattern(t->store, span_of("*"));
    listen_to(t, "task:t1");
    settle(t);
    server_do(&server, "PUBLISH collab:room:project:p1 one", ":4");
    server_do(&server, "PUBLISH collab:room:task:t1 two", ":2");
    server_do(&server, "PUBLISH collab:room:x:p1 three", ":2");
    drain(t);
    assert_log(t, "project:p1 one\ntask:t1 two\nx:p1 three\n");
}

static void a_refused_pattern_is_told(void **state)
{
    struct trial *t = *state;

    open_as(t, "+subscribe +psubscribe &collab:probe:* &collab:room:*");
    run_until(&t->loop, &t->ups, 1);
    store_listen_pattern(t->store, span_of("*"));
    settle(t);
    assert_int_equal(t->result, STORE_DONE);
    store_listen_pattern(t->store, span_of("project:*"));
    settle(t);
    assert_int_equal(t->result, STORE_REFUSED);
    assert_memory_equal(t->why, "project:*: NOPERM ", 18);
}

/* --- up and down --------------------------------------------------------------------------- */

static void nothing_is_listened_to_after_a_loss(void **state)
{
    struct trial *t = *state;

    open_up(t);
    listen_to(t, "a:1");
    store_listen_pattern(t->store, span_of("*"));
    settle(t);
    server_do(&server, "CLIENT KILL TYPE pubsub", ":1");
    run_until(&t->loop, &t->downs, 1);
    run_until(&t->loop, &t->ups, 2);
    server_do(&server, "PUBLISH collab:room:a:1 x", ":0");
    listen_to(t, "a:1");
    settle(t);
    server_do(&server, "PUBLISH collab:room:a:1 y", ":1");
    run_until(&t->loop, &t->events, 1);
    assert_log(t, "a:1 y\n");
    assert_int_equal(t->downs, 1);
}

static void no_right_to_the_probe_channel_is_down(void **state)
{
    struct trial *t = *state;

    open_as(t, "+publish +subscribe &collab:room:*");
    run_until(&t->loop, &t->downs, 1);
    assert_non_null(strstr(t->why, "redis.sock: NOPERM "));
    server_do(&server, "ACL SETUSER ann &collab:probe:*", "+OK");
    run_until(&t->loop, &t->ups, 1);
    assert_int_equal(t->downs, 1);
}

static void a_frozen_server_is_noticed_by_the_probe(void **state)
{
    struct trial *t = *state;

    open_up(t);
    store_probe(t->store, 20);
    kill(server.pid, SIGSTOP);
    run_until(&t->loop, &t->downs, 1);
    assert_non_null(strstr(t->why, ": the probe was not answered"));
    kill(server.pid, SIGCONT);
    run_until(&t->loop, &t->ups, 2);
}

static void a_probe_that_may_not_be_sent_is_down(void **state)
{
    struct trial *t = *state;

    open_as(t, "+subscribe &collab:probe:*");
    run_until(&t->loop, &t->ups, 1);
    store_probe(t->store, 20);
    run_until(&t->loop, &t->downs, 1);
    assert_non_null(strstr(t->why, "NOPERM "));
}

/* Another's view of the probes. */
struct witness {
    struct redis *redis;
    int seen;
};

static void on_witness_up(void *ctx)
{
    struct witness *w = ctx;
    struct span words[] = {span_of("PSUBSCRIBE"), span_of("collab:probe:*")};

    redis_subscription(w->redis, NULL, NULL, 2, words);
}

static void on_witness_down(void *ctx, const char *why)
{
    (void)ctx;
    fail_msg("%s", why);
}

static void on_witness_push(void *ctx, const struct reply *r)
{
    struct witness *w = ctx;

    w->seen += span_is(reply_text(reply_at(r, 0)), "pmessage");
}

static void a_server_that_answers_stays_up(void **state)
{
    static const struct redis_hooks witness_hooks = {
        .up = on_witness_up, .down = on_witness_down, .push = on_witness_push};
    struct trial *t = *state;
    struct witness w = {0};

    open_up(t);
    w.redis = redis_open(&t->loop, &t->address, NULL, &witness_hooks, &w);
    store_probe(t->store, 300);
    run_until(&t->loop, &w.seen, 3);
    redis_close(w.redis);
    assert_int_equal(t->downs, 0);
    assert_int_equal(t->events, 0);
}

/* --- closing ------------------------------------------------------------------------------- */

static void closing_ends_what_is_outstanding(void **state)
{
    struct trial *t = *state;

    open_up(t);
    publish(t, "a:1");
    listen_to(t, "a:1");
    store_settle(t->store, on_settled, t);
    close_it(t);
    assert_int_equal(t->dones, 1);
    assert_int_equal(t->settled, 1);
    assert_int_equal(t->result, STORE_UNAVAILABLE);
    assert_int_equal(t->downs, 0);
}

static void closing_in_an_event_is_safe(void **state)
{
    struct trial *t = *state;

    open_up(t);
    listen_to(t, "a:1");
    settle(t);
    t->close_in_hook = true;
    server_do(&server, "PUBLISH collab:room:a:1 x", ":1");
    server_do(&server, "PUBLISH collab:room:a:1 y", ":1");
    run_until(&t->loop, &t->events, 1);
    uv_run(&t->loop, UV_RUN_NOWAIT);
    assert_log(t, "a:1 x\n");
}

static void closing_in_down_is_safe(void **state)
{
    struct trial *t = *state;

    open_up(t);
    listen_to(t, "a:1");
    publish(t, "a:1");
    t->close_in_hook = true;
    server_kill(&server);
    run_until(&t->loop, &t->downs, 1);
}

static void on_settled_close(void *arg, enum store_result result, const char *why)
{
    on_settled(arg, result, why);
    close_it(arg);
}

static void closing_in_a_settling_is_safe(void **state)
{
    struct trial *t = *state;

    open_up(t);
    listen_to(t, "a:1");
    store_settle(t->store, on_settled_close, t);
    store_settle(t->store, on_settled, t);
    run_until(&t->loop, &t->settled, 2);
    assert_int_equal(t->result, STORE_UNAVAILABLE);
}

/* --- nodes --------------------------------------------------------------------------------- */

static void on_node(void *arg, struct span id, struct span record)
{
    on_event(arg, id, record);
}

static void list_nodes(struct trial *t)
{
    t->dones = 0;
    store_nodes(t->store, on_node, on_done, t);
    run_until(&t->loop, &t->dones, 1);
}

static void put(struct trial *t, const char *id, const char *record, int64_t ttl_ms)
{
    store_node_put(t->store, span_of(id), span_of(record), ttl_ms);
}

static void nodes_come_in_order_and_go(void **state)
{
    struct trial *t = *state;

    open_up(t);
    list_nodes(t);
    assert_log(t, "");
    put(t, "b", "{\"n\":2}", 60000);
    put(t, "c", "{\"n\":3}", 60000);
    put(t, "a", "{\"n\":1}", 60000);
    put(t, "b", "{\"n\":4}", 60000);
    list_nodes(t);
    assert_int_equal(t->result, STORE_DONE);
    assert_log(t, "a {\"n\":1}\nb {\"n\":4}\nc {\"n\":3}\n");

    t->dones = 0;
    store_node_drop(t->store, span_of("b"), on_done, t);
    run_until(&t->loop, &t->dones, 1);
    assert_int_equal(t->result, STORE_DONE);
    list_nodes(t);
    assert_log(t, "a {\"n\":1}\nc {\"n\":3}\n");
    server_do(&server, "SCARD collab:nodes", ":2");
}

static void a_node_whose_record_ran_out_is_forgotten(void **state)
{
    struct trial *t = *state;

    open_up(t);
    put(t, "a", "1", 60000);
    put(t, "b", "2", 1);
    list_nodes(t);
    server_wait(&server, "EXISTS collab:node:b", ":0");
    buf_clear(&t->log);
    list_nodes(t);
    list_nodes(t);
    assert_log(t, "a 1\na 1\n");
    server_do(&server, "SCARD collab:nodes", ":1");
}

static void listing_that_is_cut_off_is_told(void **state)
{
    struct trial *t = *state;

    open_up(t);
    put(t, "a", "1", 60000);
    store_nodes(t->store, on_node, on_done, t);
    close_it(t);
    assert_int_equal(t->dones, 1);
    assert_int_equal(t->result, STORE_UNAVAILABLE);
}

static void closing_within_a_listing_is_safe(void **state)
{
    struct trial *t = *state;

    open_up(t);
    put(t, "a", "1", 60000);
    put(t, "b", "2", 60000);
    put(t, "c", "3", 60000);
    t->close_in_hook = true;
    list_nodes(t);
    assert_int_equal(t->result, STORE_UNAVAILABLE);
    assert_log(t, "a 1\n");
}

static void listing_that_is_refused_is_told(void **state)
{
    struct trial *t = *state;

    open_as(t, "+subscribe &collab:probe:*");
    run_until(&t->loop, &t->ups, 1);
    list_nodes(t);
    assert_int_equal(t->result, STORE_REFUSED);
    store_node_drop(t->store, span_of("b"), on_done, t);
    run_until(&t->loop, &t->dones, 2);
    assert_int_equal(t->result, STORE_REFUSED);
}

static struct {
    enum store_result result;
    int64_t total, left_ms;
} count;

static void on_count(void *arg, enum store_result result, int64_t total, int64_t left_ms)
{
    struct trial *t = arg;

    count.result = result;
    count.total = total;
    count.left_ms = left_ms;
    t->dones++;
}

static void add_to(struct trial *t, const char *name, int64_t n)
{
    int before = t->dones;

    store_rate(t->store, span_of(name), n, 60000, on_count, t);
    run_until(&t->loop, &t->dones, before + 1);
}

static void a_counter_adds_up_and_lasts_its_time(void **state)
{
    struct trial *t = *state;

    open_up(t);
    add_to(t, "u:adds", 3);
    assert_int_equal(count.result, STORE_DONE);
    assert_int_equal(count.total, 3);
    add_to(t, "u:adds", 4);
    assert_int_equal(count.total, 7);
    assert_in_range(count.left_ms, 1, 60000);
    add_to(t, "r:adds", 1);
    assert_int_equal(count.total, 1);
}

static void a_counter_that_is_dropped_begins_anew(void **state)
{
    struct trial *t = *state;

    open_up(t);
    add_to(t, "u:drops", 3);
    store_count_drop(t->store, span_of("u:drops"));
    add_to(t, "u:drops", 1);
    assert_int_equal(count.total, 1);
}

static void counting_without_redis_is_told(void **state)
{
    struct trial *t = *state;

    open_up(t);
    int before = t->dones;
    store_rate(t->store, span_of("u:x"), 1, 60000, on_count, t);
    store_close(t->store);
    t->store = NULL;
    assert_int_equal(t->dones, before + 1);
    assert_int_equal(count.result, STORE_UNAVAILABLE);
    assert_int_equal(count.total, 0);
}

static void counting_that_is_refused_is_told(void **state)
{
    struct trial *t = *state;

    open_as(t, "+subscribe &collab:probe:*");
    run_until(&t->loop, &t->ups, 1);
    add_to(t, "u:x", 1);
    assert_int_equal(count.result, STORE_REFUSED);
}

static void adapter_publish(struct trial *t, const struct store_adapter *to, const char *message)
{
    int before = t->dones;

    store_adapter_publish(t->store, to, span_of(message), on_done, t);
    run_until(&t->loop, &t->dones, before + 1);
    assert_int_equal(t->result, STORE_DONE);
}

/* The names are those of @socket.io/redis-adapter; what is a pattern in Redis is none here. */
static void channels_of_the_adapter_are_told_apart(void **state)
{
    struct trial *t = *state;
    struct store_adapter to = {STORE_BROADCAST, span_of("s*"), span_of("/"), {NULL, 0}};

    open_up(t);
    store_adapter_listen(t->store, to.prefix, to.nsp);
    store_adapter_listen(t->store, to.prefix, span_of("/admin"));
    settle(t);
    adapter_publish(t, &to, "all");
    to.room = span_of("a#b");
    adapter_publish(t, &to, "room");
    to.nsp = span_of("/admin");
    adapter_publish(t, &to, "admin");
    to.nsp = span_of("/other");
    adapter_publish(t, &to, "nobody's");
    to = (struct store_adapter){STORE_REQUEST, to.prefix, span_of("/"), {NULL, 0}};
    adapter_publish(t, &to, "request");
    to.channel = STORE_RESPONSE;
    adapter_publish(t, &to, "response");
    server_do(&server, "PUBLISH sx#/# stranger", ":0");
    server_do(&server, "PUBLISH s*#/#x no-room", ":1");
    server_do(&server, "PUBSUB CHANNELS s*-request#*", "*2");
    drain(t);
    run_until(&t->loop, &t->events, 4);
    assert_log(t, "0 s* / '' all\n"
                  "0 s* / 'a#b' room\n"
                  "0 s* /admin 'a#b' admin\n"
                  "1 s* / '' request\n");
}

#define TRIAL(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIAL(a_copy_goes_to_each_room_in_order),
        TRIAL(what_anyone_publishes_arrives_as_it_is),
        TRIAL(publishing_in_vain_is_told_at_once),
        TRIAL(publishing_that_is_cut_off_is_told),
        TRIAL(a_refusal_of_one_copy_is_told),
        TRIAL(many_rooms_are_listened_to_and_left),
        TRIAL(the_last_word_on_a_room_counts),
        TRIAL(settling_with_nothing_to_settle_is_done_at_once),
        TRIAL(who_settles_is_not_told_from_within_another),
        TRIAL(what_is_confirmed_is_heard),
        TRIAL(a_refused_room_is_told_and_harms_no_other),
        TRIAL(who_waits_for_one_room_keeps_no_other_waiting),
        TRIAL(a_pattern_is_listened_to),
        TRIAL(a_copy_comes_once_however_it_is_listened_to),
        TRIAL(a_refused_pattern_is_told),
        TRIAL(channels_of_the_adapter_are_told_apart),
        TRIAL(nothing_is_listened_to_after_a_loss),
        TRIAL(no_right_to_the_probe_channel_is_down),
        TRIAL(a_frozen_server_is_noticed_by_the_probe),
        TRIAL(a_probe_that_may_not_be_sent_is_down),
        TRIAL(a_server_that_answers_stays_up),
        TRIAL(closing_ends_what_is_outstanding),
        TRIAL(closing_in_an_event_is_safe),
        TRIAL(closing_in_down_is_safe),
        TRIAL(closing_in_a_settling_is_safe),
        TRIAL(nodes_come_in_order_and_go),
        TRIAL(a_node_whose_record_ran_out_is_forgotten),
        TRIAL(listing_that_is_cut_off_is_told),
        TRIAL(closing_within_a_listing_is_safe),
        TRIAL(listing_that_is_refused_is_told),
        TRIAL(a_counter_adds_up_and_lasts_its_time),
        TRIAL(a_counter_that_is_dropped_begins_anew),
        TRIAL(counting_without_redis_is_told),
        TRIAL(counting_that_is_refused_is_told),
    };

    return cmocka_run_group_tests(tests, start_server, end_server);
}
