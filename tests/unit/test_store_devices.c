/* Devices: how far each has come is noted, never taken back, and of some alone. */
#include "mem.h"
#include "store_devices.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "redis_server.h"

enum { LONG_MS = 60000 };

struct trial {
    uv_loop_t loop;
    struct redis_address address;
    struct store *store;
    int ups, downs, dones;
    struct store_standing there;
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
    free(t);
    return 0;
}

static struct store_device device(const char *name)
{
    return (struct store_device){span_of("ann"), span_of(name)};
}

static void put(struct trial *t, const char *name, const char *room, uint64_t epoch, uint64_t seq)
{
    struct store_step step = {span_of(room), {epoch, seq}};
    struct store_device d = device(name);

    store_device_put(t->store, &d, &step, 1, LONG_MS);
}

static void on_stands(void *arg, enum store_result result, const struct store_standing *there,
                      const char *why)
{
    struct trial *t = arg;

    (void)why;
    assert_int_equal(result, STORE_DONE);
    t->there = *there;
    t->dones++;
}

static void assert_stands(struct trial *t, const char *name, const char *room, bool is_new,
                          const char *id)
{
    struct store_device d = device(name);
    char text[PLACE_BYTES];

    store_device_get(t->store, &d, span_of(room), on_stands, t);
    run_until(&t->loop, &t->dones, t->dones + 1);
    place_format(t->there.at, text);
    assert_string_equal(text, id);
    assert_int_equal(t->there.is_new, is_new);
}

static void on_device(void *arg, struct span name, struct span room, struct place at)
{
    struct trial *t = arg;
    char text[PLACE_BYTES];

    place_format(at, text);
    buf_printf(&t->heard, "%.*s %.*s %s\n", (int)name.len, name.at, (int)room.len, room.at, text);
}

static void on_done(void *arg, enum store_result result, const char *why)
{
    struct trial *t = arg;

    (void)why;
    assert_int_equal(result, STORE_DONE);
    t->dones++;
}

/* --- the tests ----------------------------------------------------------------------------- */

static void a_name_is_short_and_plain(void **state)
{
    struct fault f;
    char name[STORE_DEVICE_BYTES_MAX + 2];

    (void)state;
    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(store_device_check(span_of("Ann.s_phone~2@home-1"), &f), 0);
    assert_int_equal(store_device_check(span_of(""), &f), -1);
    assert_string_equal(f.text, "device: must have 1 to 64 bytes, found 0");
    assert_int_equal(store_device_check(span_of(name), &f), -1);
    assert_int_equal(store_device_check((struct span){name, STORE_DEVICE_BYTES_MAX}, &f), 0);
    assert_int_equal(store_device_check(span_of("a b"), &f), -1);
    assert_int_equal(store_device_check((struct span){"a\0b", 3}, &f), -1);
    assert_int_equal(store_device_check(span_of("a:b"), &f), -1);
}

static void a_place_only_grows(void **state)
{
    struct trial *t = *state;

    assert_stands(t, "phone", "a:1", true, "0-0");
    put(t, "phone", "a:1", 5, 9);
    assert_stands(t, "phone", "a:1", false, "5-9");
    put(t, "phone", "a:1", 5, 10);
    put(t, "phone", "a:1", 5, 9);
    put(t, "phone", "a:1", 4, 99);
    assert_stands(t, "phone", "a:1", false, "5-10");
    put(t, "phone", "a:1", 6, 0);
    assert_stands(t, "phone", "a:1", false, "6-0");
    assert_stands(t, "phone", "a:2", true, "0-0");
    assert_stands(t, "desk", "a:1", true, "0-0");
}

static void a_place_can_be_forgotten(void **state)
{
    struct trial *t = *state;

    put(t, "phone", "a:1", 5, 9);
    put(t, "phone", "a:1", 0, 0);
    assert_stands(t, "phone", "a:1", true, "0-0");
}

static void who_became_a_member_later_begins_there(void **state)
{
    struct trial *t = *state;

    put(t, "phone", "a:1", 5, 9);
    server_do(&server, "HSET collab:since:{a:1} ann 5-7", ":1");
    assert_stands(t, "phone", "a:1", false, "5-9");
    assert_stands(t, "desk", "a:1", true, "5-7");
    server_do(&server, "HSET collab:since:{a:1} ann 5-12", ":0");
    assert_stands(t, "phone", "a:1", true, "5-12");
}

static void a_user_has_so_many_devices_at_most(void **state)
{
    struct trial *t = *state;
    char name[16], command[64];

    for (int i = 0; i < STORE_DEVICES_MAX; i++) {
        snprintf(name, sizeof(name), "d%d", i);
        put(t, name, "a:1", 5, 1);
        put(t, name, "a:2", 5, 1);
    }
    assert_stands(t, "d7", "a:2", false, "5-1");
    snprintf(command, sizeof(command), "HSET collab:devices:{ann} d7 %lld",
             (long long)1000000000000);
    server_do(&server, command, ":0");
    put(t, "one-more", "a:1", 5, 1);
    assert_stands(t, "one-more", "a:1", false, "5-1");
    assert_stands(t, "d7", "a:1", true, "0-0");
    assert_stands(t, "d7", "a:2", true, "0-0");
    assert_stands(t, "d8", "a:2", false, "5-1");
}

static void all_of_a_user_are_listed(void **state)
{
    struct trial *t = *state;

    put(t, "phone", "a:1", 5, 9);
    put(t, "phone", "a:2", 6, 0);
    store_devices(t->store, span_of("ann"), on_device, on_done, t);
    run_until(&t->loop, &t->dones, 1);
    buf_add(&t->heard, "", 1);
    assert_non_null(strstr(t->heard.at, "phone a:1 5-9\n"));
    assert_non_null(strstr(t->heard.at, "phone a:2 6-0\n"));
    assert_int_equal(t->heard.len, 29);
    server_do(&server, "PTTL collab:devices:{ann}", ":");
}

#define TRIAL(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_short_and_plain),
        TRIAL(a_place_only_grows),
        TRIAL(a_place_can_be_forgotten),
        TRIAL(who_became_a_member_later_begins_there),
        TRIAL(a_user_has_so_many_devices_at_most),
        TRIAL(all_of_a_user_are_listed),
    };

    return cmocka_run_group_tests(tests, start_server, end_server);
}
