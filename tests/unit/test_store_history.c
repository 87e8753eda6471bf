#include "mem.h"
#include "store.h"
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
    int ups, downs, dones, rooms;
    struct buf heard; /* texts, each on a line */
    struct buf told;  /* results of append, each on a line */
    struct buf read;
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
    struct trial *t = ctx;

    (void)room;
    buf_join(&t->heard, text);
    buf_char(&t->heard, '\n');
}

static const struct store_hooks hooks = {.up = on_up, .down = on_down, .event = on_event};

static int set_up(void **state)
{
    struct trial *t = mem_zero(sizeof(*t));
    struct fault f;

    server_clean(&server);
    uv_loop_init(&t->loop);
    assert_int_equal(redis_address_parse(&t->address, span_of(server.url), &f), 0);
    t->store = store_open(&t->loop, &t->address, &hooks, t);
    run_until(&t->loop, &t->ups, 1);
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    struct trial *t = *state;

    store_close(t->store);
    end_loop(&t->loop);
    redis_address_fini(&t->address);
    buf_fini(&t->heard);
    buf_fini(&t->told);
    buf_fini(&t->read);
    free(t);
    return 0;
}

static void on_listed(void *arg, enum store_result result, const char *why)
{
    struct trial *t = arg;

    (void)why;
    assert_int_equal(result, STORE_DONE);
    t->dones++;
}

/* Ids are written as their SEQ alone: the epoch is the server's clock. */
static void on_appended(void *arg, enum store_result result, const struct store_receipt *r,
                        const char *why)
{
    static const char *const words[] = {"done", "unavailable", "refused", "conflict"};
    struct trial *t = arg;

    t->dones++;
    buf_text(&t->told, words[result]);
    assert_int_equal(!r, result == STORE_UNAVAILABLE || result == STORE_REFUSED);
    assert_int_equal(!why, r != NULL);
    for (int i = 0; r && i < r->id_count; i++) {
        const char *dash = r->ids[i].len > 0 ? memchr(r->ids[i].at, '-', r->ids[i].len) : "";
        size_t before = r->ids[i].len > 0 ? (size_t)(dash - r->ids[i].at) : 0;
        buf_printf(&t->told, " %.*s", (int)(r->ids[i].len - before), dash);
    }
    if (r && r->version >= 0)
        buf_printf(&t->told, " v%d", (int)r->version);
    if (r && r->again)
        buf_text(&t->told, " again");
    buf_char(&t->told, '\n');
}

static struct store_terms keep(int64_t length)
{
    struct store_terms terms = {.expect = -1};

    for (int i = 0; i < EVENT_ROOMS_MAX; i++) {
        terms.rooms[i].length = length;
        terms.rooms[i].age_ms = 60000;
    }
    return terms;
}

static struct event event_for(const char *room, const char *data)
{
    struct event e = {.type = span_of("x"), .version = -1, .data = span_of(data)};

    e.rooms[e.room_count++] = span_of(room);
    return e;
}

static void append(struct trial *t, const struct event *e, const struct store_terms *terms)
{
    int before = t->dones;

    store_append(t->store, e, terms, on_appended, t);
    run_until(&t->loop, &t->dones, before + 1);
}

static void append_n(struct trial *t, const char *room, int count, const struct store_terms *terms)
{
    char data[16];

    for (int i = 0; i < count; i++) {
        snprintf(data, sizeof(data), "%d", i);
        struct event e = event_for(room, data);
        append(t, &e, terms);
    }
}

/* Told since the last time. */
static void assert_told(struct trial *t, const char *want)
{
    buf_char(&t->told, '\0');
    assert_string_equal(t->told.at, want);
    buf_clear(&t->told);
}

static void on_read(void *arg, enum store_result result, const struct store_page *page,
                    const char *why)
{
    struct trial *t = arg;

    (void)why;
    t->dones++;
    assert_int_equal(result, STORE_DONE);
    for (size_t i = 0; i < page->count; i++) {
        const struct store_entry *e = &page->entries[i];
        buf_printf(&t->read, "%d ", (int)e->place.seq);
        buf_join(&t->read, e->text);
        buf_char(&t->read, '\n');
        assert_true(e->kept_ms > 1600000000000);
    }
}

static void read_room(struct trial *t, const char *room, size_t most, enum store_order order)
{
    struct store_stretch all = {store_beginning, store_end, most, order};
    int before = t->dones;

    buf_clear(&t->read);
    store_read(t->store, span_of(room), &all, on_read, t);
    run_until(&t->loop, &t->dones, before + 1);
    buf_char(&t->read, '\0');
}

/* How many entries were read. */
static int lines(const struct trial *t)
{
    int count = 0;

    for (const char *at = t->read.at; *at; at++)
        count += *at == '\n';
    return count;
}

/* --- kept ---------------------------------------------------------------------------------- */

static void ids_count_from_0_without_a_hole(void **state)
{
    struct trial *t = *state;
    struct store_terms terms = keep(100);

    append_n(t, "a:1", 3, &terms);
    assert_told(t, "done -0\ndone -1\ndone -2\n");
    append_n(t, "a:2", 1, &terms);
    assert_told(t, "done -0\n");
}

static void what_is_published_is_what_is_kept(void **state)
{
    struct trial *t = *state;
    struct store_terms terms = keep(100);
    struct event e = event_for("a:1", "{\"n\":12345678901234567890}");
    struct span room = span_of("a:1");

    store_listen(t->store, &room, 1);
    e.user = span_of("u1");
    store_settle(t->store, on_listed, t);
    run_until(&t->loop, &t->dones, 1);
    append(t, &e, &terms);
    while (t->heard.len == 0)
        uv_run(&t->loop, UV_RUN_ONCE);
    buf_char(&t->heard, '\0');
    read_room(t, "a:1", 10, STORE_OLDEST_FIRST);
    char *last = t->read.at + 2;
    assert_string_equal(t->heard.at, last);
    assert_non_null(strstr(last,
                           "\",\"type\":\"x\",\"room\":\"a:1\",\"user\":\"u1\",\"data\":{\"n\":"
                           "12345678901234567890}}\n"));
}

static void a_history_is_as_long_as_it_may_be(void **state)
{
    struct trial *t = *state;
    struct store_terms terms = keep(5);

    append_n(t, "a:1", 31, &terms);
    read_room(t, "a:1", 100, STORE_OLDEST_FIRST);
    assert_int_equal(lines(t), 5);
    append_n(t, "a:1", 9, &terms);
    read_room(t, "a:1", 100, STORE_OLDEST_FIRST);
    assert_int_equal(lines(t), 14); /* it is trimmed at each tenth */
}

static void old_events_go(void **state)
{
    struct trial *t = *state;
    struct store_terms terms = keep(1000);

    append_n(t, "a:1", 10, &terms);
    terms.rooms[0].age_ms = 1;
    pause_briefly();
    pause_briefly();
    append_n(t, "a:1", 1, &terms);
    server_wait(&server, "EXISTS collab:history:{a:1}", ":0");
}

/* The epoch that a history's first entry has. */
static int64_t epoch_of(struct trial *t, const char *room)
{
    struct place p;

    read_room(t, room, 1, STORE_OLDEST_FIRST);
    const char *id = strchr(t->read.at, ':') + 2;
    assert_int_equal(place_parse((struct span){id, strcspn(id, "\"")}, &p), 0);
    return (int64_t)p.epoch;
}

static void a_history_that_is_gone_begins_anew_later(void **state)
{
    struct trial *t = *state;
    struct store_terms terms = keep(1000);

    append_n(t, "a:1", 2, &terms);
    int64_t before = epoch_of(t, "a:1");
    server_do(&server, "DEL collab:history:{a:1}", ":1");
    append_n(t, "a:1", 2, &terms);
    assert_told(t, "done -0\ndone -1\ndone -0\ndone -1\n");
    assert_true(epoch_of(t, "a:1") > before);
}

/* The epoch of a server is its own: after a failover no id is given twice. */
static void another_server_begins_another_epoch(void **state)
{
    struct trial *t = *state;
    struct store_terms terms = keep(1000);

    append_n(t, "a:1", 2, &terms);
    server_do(&server, "CONFIG SET appendonly yes", "+OK");
    server_wait(&server, "CONFIG SET appendfsync always", "+OK");
    append_n(t, "a:1", 2, &terms);
    server_do(&server, "SAVE", "+OK");
    server_kill(&server);
    run_until(&t->loop, &t->downs, 1);
    server_run(&server);
    run_until(&t->loop, &t->ups, 2);
    append_n(t, "a:1", 1, &terms);
    read_room(t, "a:1", 100, STORE_OLDEST_FIRST);
    assert_int_equal(lines(t), 5);
    assert_non_null(strstr(t->read.at, "\n3 "));
    assert_non_null(strstr(t->read.at, "\n0 "));
}

static void each_room_has_its_own_id_or_none(void **state)
{
    struct trial *t = *state;
    struct store_terms terms = keep(1000);
    struct event e = event_for("a:1", "1");

    append_n(t, "a:1", 1, &terms);
    e.rooms[e.room_count++] = span_of("a:2");
    e.rooms[e.room_count++] = span_of("a:3");
    terms.rooms[1].length = 0;
    append(t, &e, &terms);
    assert_told(t, "done -0\ndone -1  -0\n");
}

static void a_history_goes_on_whether_events_have_versions_or_not(void **state)
{
    struct trial *t = *state;
    struct store_terms plain = keep(1000), versioned = keep(1000);
    struct event e = event_for("a:1", "1");

    e.rooms[e.room_count++] = span_of("a:2");
    versioned.entity = span_of("task:1");
    versioned.version = STORE_NEXT;
    append(t, &e, &versioned);
    append(t, &e, &plain);
    append(t, &e, &versioned);
    assert_told(t, "done -0 -0 v1\ndone -1 -1\ndone -2 -2 v2\n");
}

static void a_script_that_redis_forgot_is_sent_again(void **state)
{
    struct trial *t = *state;
    struct store_terms terms = keep(1000);

    append_n(t, "a:1", 1, &terms);
    server_do(&server, "SCRIPT FLUSH", "+OK");
    append_n(t, "a:1", 2, &terms);
    terms.key = span_of("k");
    server_do(&server, "SCRIPT FLUSH", "+OK");
    append_n(t, "a:1", 1, &terms);
    assert_told(t, "done -0\ndone -1\ndone -2\ndone -3\n");
}

/* --- once ---------------------------------------------------------------------------------- */

static void a_key_is_for_one_event(void **state)
{
    struct trial *t = *state;
    struct store_terms terms = keep(1000);
    struct event e = event_for("a:1", "1");

    e.rooms[e.room_count++] = span_of("a:2");
    terms.key = span_of("k1");
    append(t, &e, &terms);
    append(t, &e, &terms);
    terms.key = span_of("k2");
    append(t, &e, &terms);
    assert_told(t, "done -0 -0\ndone -0 -0 again\ndone -1 -1\n");
    read_room(t, "a:2", 10, STORE_OLDEST_FIRST);
    assert_int_equal(lines(t), 2);
}

/* --- versions ------------------------------------------------------------------------------ */

static void update(struct trial *t, enum store_version version, int64_t expect,
                   enum store_conflict conflict, const char *field)
{
    struct store_terms terms = keep(1000);
    struct event e = event_for("a:1", "1");

    terms.entity = span_of("task:1");
    terms.version = version;
    terms.expect = expect;
    terms.conflict = conflict;
    if (field)
        terms.fields[terms.field_count++] = span_of(field);
    append(t, &e, &terms);
}

static void versions_start_at_0_and_go_up_by_one(void **state)
{
    struct trial *t = *state;

    update(t, STORE_START, -1, STORE_REJECT, NULL);
    update(t, STORE_NEXT, 0, STORE_REJECT, NULL);
    update(t, STORE_NEXT, -1, STORE_REJECT, NULL);
    update(t, STORE_SAME, -1, STORE_REJECT, NULL);
    update(t, STORE_END, -1, STORE_REJECT, NULL);
    update(t, STORE_NEXT, 7, STORE_REJECT, NULL);
    assert_told(t, "done -0 v0\ndone -1 v1\ndone -2 v2\ndone -3 v2\ndone -4 v2\ndone -5 v8\n");
    read_room(t, "a:1", 1, STORE_NEWEST_FIRST);
    assert_non_null(strstr(t->read.at, ",\"version\":8,\"data\":1}"));
}

static void on_conflict(void *arg, enum store_result result, const struct store_receipt *r,
                        const char *why)
{
    struct trial *t = arg;

    (void)why;
    t->dones++;
    assert_int_equal(result, STORE_CONFLICT);
    assert_int_equal(r->version, 1);
    buf_clear(&t->read);
    buf_join(&t->read, r->last);
    buf_char(&t->read, '\0');
}

static void an_update_of_an_old_version_is_refused_with_the_current_event(void **state)
{
    struct trial *t = *state;
    struct store_terms terms = keep(1000);
    struct event e = event_for("a:1", "2");
    int before;

    update(t, STORE_START, -1, STORE_REJECT, NULL);
    update(t, STORE_NEXT, 0, STORE_REJECT, NULL);
    terms.entity = span_of("task:1");
    terms.version = STORE_NEXT;
    terms.expect = 0;
    before = t->dones;
    store_append(t->store, &e, &terms, on_conflict, t);
    run_until(&t->loop, &t->dones, before + 1);
    assert_non_null(strstr(t->read.at, "-1\",\"type\":\"x\",\"room\":\"a:1\",\"version\":1,"));
    read_room(t, "a:1", 10, STORE_OLDEST_FIRST);
    assert_int_equal(lines(t), 2);
}

static void the_last_one_wins_where_that_is_wanted(void **state)
{
    struct trial *t = *state;

    update(t, STORE_START, -1, STORE_REJECT, NULL);
    update(t, STORE_NEXT, 0, STORE_LAST, NULL);
    update(t, STORE_NEXT, 0, STORE_LAST, NULL);
    assert_told(t, "done -0 v0\ndone -1 v1\ndone -2 v2\n");
}

static void changes_of_other_fields_are_merged(void **state)
{
    struct trial *t = *state;

    update(t, STORE_START, -1, STORE_REJECT, NULL);
    update(t, STORE_NEXT, 0, STORE_MERGE, "title");
    update(t, STORE_NEXT, 0, STORE_MERGE, "color");
    update(t, STORE_NEXT, 0, STORE_MERGE, "title");
    update(t, STORE_NEXT, 1, STORE_MERGE, "title");
    update(t, STORE_NEXT, 9, STORE_MERGE, "other");
    assert_told(t, "done -0 v0\ndone -1 v1\ndone -2 v2\nconflict v2\ndone -3 v3\nconflict v3\n");
}

/* --- reading ------------------------------------------------------------------------------- */

static void a_history_is_read_both_ways(void **state)
{
    struct trial *t = *state;
    struct store_terms terms = keep(1000);

    append_n(t, "a:1", 4, &terms);
    read_room(t, "a:1", 2, STORE_OLDEST_FIRST);
    assert_memory_equal(t->read.at, "0 {", 3);
    assert_non_null(strstr(t->read.at, "\n1 {"));
    assert_int_equal(lines(t), 2);
    read_room(t, "a:1", 2, STORE_NEWEST_FIRST);
    assert_memory_equal(t->read.at, "3 {", 3);
    assert_int_equal(lines(t), 2);
    read_room(t, "none:1", 2, STORE_NEWEST_FIRST);
    assert_int_equal(lines(t), 0);
}

static void on_room(void *arg, struct span room)
{
    struct trial *t = arg;

    assert_true(span_starts(room, "a:"));
    t->rooms++;
}

static void rooms_with_a_history_are_found(void **state)
{
    struct trial *t = *state;
    struct store_terms terms = keep(1000);
    char room[16];
    int before;

    for (int i = 0; i < 700; i++) {
        snprintf(room, sizeof(room), "%s:%d", i % 2 ? "a" : "b", i);
        append_n(t, room, 1, &terms);
    }
    before = t->dones;
    store_histories(t->store, span_of("a:*"), on_room, on_listed, t);
    run_until(&t->loop, &t->dones, before + 1);
    assert_int_equal(t->rooms, 350);
}

static void without_redis_nothing_is_kept(void **state)
{
    struct trial *t = *state;
    struct store_terms terms = keep(1000);

    server_kill(&server);
    run_until(&t->loop, &t->downs, 1);
    append_n(t, "a:1", 1, &terms);
    assert_told(t, "unavailable\n");
}

#define TRIAL(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIAL(ids_count_from_0_without_a_hole),
        TRIAL(what_is_published_is_what_is_kept),
        TRIAL(a_history_is_as_long_as_it_may_be),
        TRIAL(old_events_go),
        TRIAL(a_history_that_is_gone_begins_anew_later),
        TRIAL(another_server_begins_another_epoch),
        TRIAL(each_room_has_its_own_id_or_none),
        TRIAL(a_history_goes_on_whether_events_have_versions_or_not),
        TRIAL(a_script_that_redis_forgot_is_sent_again),
        TRIAL(a_key_is_for_one_event),
        TRIAL(versions_start_at_0_and_go_up_by_one),
        TRIAL(an_update_of_an_old_version_is_refused_with_the_current_event),
        TRIAL(the_last_one_wins_where_that_is_wanted),
        TRIAL(changes_of_other_fields_are_merged),
        TRIAL(a_history_is_read_both_ways),
        TRIAL(rooms_with_a_history_are_found),
        TRIAL(without_redis_nothing_is_kept),
    };

    return cmocka_run_group_tests(tests, start_server, end_server);
}
