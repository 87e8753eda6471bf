/* Sessions that go on elsewhere: their records, and where a run of a gateway stood in a room. */
#include "mem.h"
#include "store.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "redis_server.h"

enum { SHORT_MS = 60000, LONG_MS = 600000 };

struct trial {
    uv_loop_t loop;
    struct redis_address address;
    struct store *store;
    int ups, downs, dones;
    enum store_result result;
    struct buf record;
    char place[PLACE_BYTES]; /* empty: none was found */
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
    buf_fini(&t->record);
    free(t);
    return 0;
}

static void on_record(void *arg, enum store_result result, struct span text)
{
    struct trial *t = arg;

    t->result = result;
    buf_clear(&t->record);
    buf_join(&t->record, text);
    t->dones++;
}

/* What was asked before, and not answered, has been done when this has. */
static void assert_record(struct trial *t, const char *id, const char *record)
{
    store_session_get(t->store, span_of(id), on_record, t);
    run_until(&t->loop, &t->dones, t->dones + 1);
    assert_int_equal(t->result, STORE_DONE);
    assert_int_equal(t->record.len, strlen(record));
    assert_memory_equal(t->record.at, record, t->record.len);
}

static void on_place(void *arg, const struct place *at)
{
    struct trial *t = arg;

    t->place[0] = '\0';
    if (at)
        place_format(*at, t->place);
    t->dones++;
}

static struct store_mark mark(const char *run, const char *room, uint64_t serial)
{
    return (struct store_mark){span_of(run), span_of(room), serial};
}

static void put_mark(struct trial *t, const char *run, const char *room, uint64_t serial,
                     uint64_t seq)
{
    struct store_mark m = mark(run, room, serial);

    store_mark_put(t->store, &m, (struct place){7, seq});
}

static void assert_mark(struct trial *t, const char *run, const char *room, uint64_t serial,
                        const char *place)
{
    struct store_mark m = mark(run, room, serial);

    store_mark_get(t->store, &m, on_place, t);
    run_until(&t->loop, &t->dones, t->dones + 1);
    assert_string_equal(t->place, place);
}

/* The number that a command is answered with. */
static long long number_of(const char *command)
{
    char answer[64];

    assert_true(server_try(&server, command, answer, sizeof(answer)));
    assert_int_equal(answer[0], ':');
    return strtoll(answer + 1, NULL, 10);
}

/* --- records ------------------------------------------------------------------------------- */

static void a_record_is_there_until_it_is_dropped(void **state)
{
    struct trial *t = *state;

    assert_record(t, "one", "");
    store_session_put(t->store, span_of("one"), span_of("{\"sid\":1}"), LONG_MS);
    store_session_put(t->store, span_of("two"), (struct span){"{\"\0\":2}", 7}, LONG_MS);
    assert_record(t, "one", "{\"sid\":1}");
    store_session_put(t->store, span_of("one"), span_of("{}"), LONG_MS);
    assert_record(t, "one", "{}");
    store_session_drop(t->store, span_of("one"));
    assert_record(t, "one", "");
    store_session_get(t->store, span_of("two"), on_record, t);
    run_until(&t->loop, &t->dones, t->dones + 1);
    assert_int_equal(t->record.len, 7);
    assert_memory_equal(t->record.at, "{\"\0\":2}", 7);
}

static void a_record_lasts_as_long_as_it_is_renewed(void **state)
{
    struct trial *t = *state;

    store_session_put(t->store, span_of("one"), span_of("{}"), SHORT_MS);
    assert_record(t, "one", "{}");
    assert_in_range(number_of("PTTL collab:session:one"), 1, SHORT_MS);
    store_session_renew(t->store, span_of("one"), LONG_MS);
    assert_record(t, "one", "{}");
    assert_in_range(number_of("PTTL collab:session:one"), SHORT_MS + 1, LONG_MS);
    store_session_renew(t->store, span_of("one"), 1);
    assert_record(t, "two", "");
    server_wait(&server, "EXISTS collab:session:one", ":0");
    assert_record(t, "one", "");
}

static void to_renew_one_that_is_gone_makes_none(void **state)
{
    struct trial *t = *state;

    store_session_renew(t->store, span_of("one"), LONG_MS);
    store_mark_renew(t->store, span_of("run"), span_of("a:1"), LONG_MS);
    assert_record(t, "one", "");
    server_do(&server, "DBSIZE", ":0");
}

/* --- marks --------------------------------------------------------------------------------- */

static void a_place_is_found_by_the_mark_of_then_or_the_last_before(void **state)
{
    struct trial *t = *state;

    put_mark(t, "run", "a:1", 3, 0);
    put_mark(t, "run", "a:1", 5, 1);
    put_mark(t, "run", "a:1", UINT64_MAX, 2);
    assert_mark(t, "run", "a:1", 2, "");
    assert_mark(t, "run", "a:1", 3, "7-0");
    assert_mark(t, "run", "a:1", 4, "7-0");
    assert_mark(t, "run", "a:1", 5, "7-1");
    assert_mark(t, "run", "a:1", UINT64_MAX - 1, "7-1");
    assert_mark(t, "run", "a:1", UINT64_MAX, "7-2");
}

static void each_run_has_its_own_in_each_room(void **state)
{
    struct trial *t = *state;

    put_mark(t, "run", "a:1", 3, 0);
    put_mark(t, "run", "a:2", 3, 5);
    put_mark(t, "other", "a:1", 3, 8);
    assert_mark(t, "run", "a:1", 9, "7-0");
    assert_mark(t, "run", "a:2", 9, "7-5");
    assert_mark(t, "other", "a:1", 9, "7-8");
    assert_mark(t, "other", "a:2", 9, "");
    assert_mark(t, "run", "a:3", 9, "");
}

static void marks_last_from_when_they_were_renewed(void **state)
{
    struct trial *t = *state;

    put_mark(t, "run", "a:1", 3, 0);
    assert_mark(t, "run", "a:1", 3, "7-0");
    server_do(&server, "PTTL collab:marks:{a:1}:run", ":-1");
    store_mark_renew(t->store, span_of("run"), span_of("a:1"), LONG_MS);
    put_mark(t, "run", "a:1", 4, 1);
    assert_mark(t, "run", "a:1", 4, "7-1");
    assert_in_range(number_of("PTTL collab:marks:{a:1}:run"), 1, LONG_MS);
    store_mark_renew(t->store, span_of("run"), span_of("a:1"), 1);
    assert_mark(t, "run", "a:2", 4, "");
    server_wait(&server, "EXISTS collab:marks:{a:1}:run", ":0");
    assert_mark(t, "run", "a:1", 4, "");
}

/* Redis drops them by the hundred. */
static void the_oldest_of_many_are_dropped(void **state)
{
    struct trial *t = *state;

    for (uint64_t serial = 1; serial <= 10500; serial++)
        put_mark(t, "run", "a:1", serial, serial);
    assert_mark(t, "run", "a:1", 10500, "7-10500");
    assert_mark(t, "run", "a:1", 501, "7-501");
    assert_mark(t, "run", "a:1", 100, "");
    assert_in_range(number_of("XLEN collab:marks:{a:1}:run"), 10000, 10200);
}

static void what_is_no_mark_is_none(void **state)
{
    struct trial *t = *state;

    server_do(&server, "XADD collab:marks:{a:1}:run 5-0 p nonsense", "$3");
    assert_mark(t, "run", "a:1", 5, "");
    server_do(&server, "SET collab:marks:{a:2}:run text", "+OK");
    assert_mark(t, "run", "a:2", 5, "");
}

/* --- without Redis ------------------------------------------------------------------------- */

static void a_redis_that_is_gone_is_told(void **state)
{
    struct trial *t = *state;
    struct store_mark m = mark("run", "a:1", 5);

    server_kill(&server);
    run_until(&t->loop, &t->downs, 1);
    store_session_put(t->store, span_of("one"), span_of("{}"), LONG_MS);
    store_session_get(t->store, span_of("one"), on_record, t);
    run_until(&t->loop, &t->dones, 1);
    assert_int_equal(t->result, STORE_UNAVAILABLE);
    assert_int_equal(t->record.len, 0);
    strcpy(t->place, "unasked");
    store_mark_get(t->store, &m, on_place, t);
    run_until(&t->loop, &t->dones, 2);
    assert_string_equal(t->place, "");
}

#define TRIAL(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIAL(a_record_is_there_until_it_is_dropped),
        TRIAL(a_record_lasts_as_long_as_it_is_renewed),
        TRIAL(to_renew_one_that_is_gone_makes_none),
        TRIAL(a_place_is_found_by_the_mark_of_then_or_the_last_before),
        TRIAL(each_run_has_its_own_in_each_room),
        TRIAL(marks_last_from_when_they_were_renewed),
        TRIAL(the_oldest_of_many_are_dropped),
        TRIAL(what_is_no_mark_is_none),
        TRIAL(a_redis_that_is_gone_is_told),
    };

    return cmocka_run_group_tests(tests, start_server, end_server);
}
