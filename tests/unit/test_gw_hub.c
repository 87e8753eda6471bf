/* The hub against a simple model: thousands of random joins, leaves, departures and events. */
#include "catalog_file.h"
#include "clock.h"
#include "hub.h"
#include "keeper.h"
#include "mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CLIENTS = 12, ROOMS = 6, STEPS = 20000 };

/* A client whose link keeps what it is sent. */
struct client {
    struct link link;
    struct session *session;
    struct buf got;
};

static struct gateway gateway;
static struct client clients[CLIENTS];
static bool model[CLIENTS][ROOMS];
static int rooms_gone;

static bool keep(struct link *l, struct span frames)
{
    buf_join(&((struct client *)l)->got, frames);
    return true;
}

static void no_close(struct link *l)
{
    (void)l;
}

static const struct link_kind keeping = {.send = keep, .close = no_close};

static struct frame *whole_text(const struct codec *k, const struct catalog *c,
                                const struct event *e, struct span text)
{
    (void)k;
    (void)c;
    (void)e;
    return frame_join(text);
}

static const struct codec codec = {.nsp = {"/", 1}, .event = whole_text};
static const struct codec other_codec = {.index = 1, .nsp = {"/x", 2}, .event = whole_text};

static void room_gone(void *ctx, struct span room)
{
    (void)ctx;
    (void)room;
    rooms_gone++;
}

static void on_due(struct wheel_timer *timer, void *ctx)
{
    (void)timer;
    (void)ctx;
}

static const char *room_name(int i)
{
    static const char *const names[ROOMS] = {"r:0", "r:1", "r:2", "r:3", "r:4", "r:5"};
    return names[i];
}

static void arrive(struct client *c)
{
    c->link = (struct link){.kind = &keeping};
    link_open(&gateway, &c->link, NULL);
    c->session = session_new(&gateway, (c - clients) % 4 ? &codec : &other_codec, &c->link);
}

static void depart(struct client *c)
{
    hub_leave_all(gateway.hub, c->session);
    link_shut(&gateway, &c->link);
    session_ended(c->session);
    session_unref(c->session);
}

static void pass_over_room(struct session *s, struct span room)
{
    (void)s;
    (void)room;
}

static void pass_over(struct session *s)
{
    (void)s;
}

static uint64_t no_serial(const struct gateway *g)
{
    (void)g;
    return 0;
}

static const struct keeper no_keeper = {
    .joined = pass_over_room, .changed = pass_over, .serial = no_serial};

static int set_up(void **state)
{
    (void)state;
    gateway.keeper = &no_keeper;
    gateway.settings.outbox_bytes_max = 1 << 20;
    gateway.limits.auth_ms = gateway.limits.ping_ms = 1000000;
    gateway.wheel = wheel_new(50, clock_steady_ms(), on_due, NULL);
    gateway.outboxes = outboxes_new(&gateway.metrics, link_send);
    gateway.catalog = catalog_builtin();
    gateway.hub = hub_new(&gateway, room_gone, NULL);
    for (int i = 0; i < CLIENTS; i++)
        arrive(&clients[i]);
    srandom(1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < CLIENTS; i++) {
        depart(&clients[i]);
        buf_fini(&clients[i].got);
    }
    hub_free(gateway.hub);
    catalog_unref(gateway.catalog);
    outboxes_free(gateway.outboxes);
    wheel_free(gateway.wheel);
    return 0;
}

static int pick(int below)
{
    return (int)(random() % below);
}

static void join_or_leave(void)
{
    int c = pick(CLIENTS), r = pick(ROOMS);
    struct span room = span_of(room_name(r));
    if (pick(2)) {
        enum hub_joined joined = hub_join(gateway.hub, clients[c].session, room);
        assert_int_equal(joined == HUB_ALREADY, model[c][r]);
        model[c][r] = true;
    } else {
        assert_int_equal(hub_leave(gateway.hub, clients[c].session, room), model[c][r]);
        model[c][r] = false;
    }
    assert_int_equal(hub_is_in(gateway.hub, clients[c].session, room), model[c][r]);
}

static void come_back(void)
{
    int c = pick(CLIENTS);
    depart(&clients[c]);
    memset(model[c], 0, sizeof(model[c]));
    arrive(&clients[c]);
}

/* One event to up to four rooms, in a random order, a copy each, as Redis would bring it. */
static void deliver(void)
{
    struct event e = {.version = -1, .type = span_of("t"), .room_count = 1 + pick(4)};
    bool wanted[CLIENTS] = {false};
    for (int i = 0, first = pick(ROOMS); i < e.room_count; i++) {
        int r = (first + i) % ROOMS;
        e.rooms[i] = span_of(room_name(r));
        for (int c = 0; c < CLIENTS; c++)
            wanted[c] |= model[c][r];
    }
    for (int i = 0; i < e.room_count; i++) {
        e.room = e.rooms[i];
        hub_deliver(gateway.hub, e.room, &e, span_of("x"));
    }
    outboxes_flush(gateway.outboxes);
    for (int c = 0; c < CLIENTS; c++) {
        assert_int_equal(clients[c].got.len, wanted[c]);
        buf_clear(&clients[c].got);
    }
}

/* Appends a name to a list: of a room, a client or nobody; marks whom it stands for. */
static void add_name(struct buf *list, bool named[CLIENTS])
{
    int r = pick(ROOMS), c = pick(CLIENTS);
    buf_char(list, list->len > 1 ? ',' : ' ');
    switch (pick(3)) {
    case 0:
        buf_text(list, pick(2) ? "7" : "\"nobody\"");
        break;
    case 1:
        buf_printf(list, "\"%s\"", clients[c].session->id);
        named[c] = true;
        break;
    default:
        buf_printf(list, "\"%s\"", room_name(r));
        for (c = 0; c < CLIENTS; c++)
            named[c] |= model[c][r];
    }
}

/* Returns an empty text where there are none. */
static struct buf random_list(bool named[CLIENTS])
{
    struct buf list = {0};
    for (int n = pick(4); n > 0; n--) {
        if (!list.len)
            buf_char(&list, '[');
        add_name(&list, named);
    }
    if (list.len)
        buf_char(&list, ']');
    return list;
}

/* Who is authenticated is so for this alone. */
static void gather(void)
{
    static struct identity somebody;
    bool in[CLIENTS] = {false}, out[CLIENTS] = {false}, known[CLIENTS];
    struct buf rooms = random_list(in), except = random_list(out);
    struct hub_group group = {0};
    size_t expected = 0;
    for (int c = 0; c < CLIENTS; c++) {
        known[c] = pick(4);
        clients[c].session->who = known[c] ? &somebody : NULL;
        bool wanted = known[c] && c % 4 && (in[c] || !rooms.len) && !out[c];
        expected += wanted;
        in[c] = wanted;
    }
    hub_gather(gateway.hub, span_of("/"), buf_span(&rooms), buf_span(&except), &group);
    assert_int_equal(group.count, expected);
    for (size_t i = 0; i < group.count; i++) {
        struct client *c = (struct client *)group.at[i].session->link;
        assert_true(in[c - clients]);
        in[c - clients] = false;
        if (group.at[i].room.len)
            assert_true(hub_is_in(gateway.hub, c->session, group.at[i].room));
    }
    hub_group_fini(&group);
    for (int c = 0; c < CLIENTS; c++)
        clients[c].session->who = NULL;
    buf_fini(&rooms);
    buf_fini(&except);
}

static int64_t model_joins(void)
{
    int64_t n = 0;
    for (int c = 0; c < CLIENTS; c++)
        for (int r = 0; r < ROOMS; r++)
            n += model[c][r];
    return n;
}

static void test_every_member_gets_an_event_once(void **state)
{
    (void)state;
    for (int i = 0; i < STEPS; i++) {
        int what = pick(100);
        if (what < 60)
            join_or_leave();
        else if (what < 63)
            come_back();
        else if (what < 80)
            gather();
        else
            deliver();
        assert_int_equal(gateway.metrics.value[M_JOINS], model_joins());
        assert_int_equal(gateway.metrics.value[M_ROOMS], hub_room_count(gateway.hub));
    }
}

static void test_an_empty_room_is_gone(void **state)
{
    (void)state;
    for (int c = 0; c < CLIENTS; c++)
        hub_leave_all(gateway.hub, clients[c].session);
    memset(model, 0, sizeof(model));
    assert_int_equal(hub_room_count(gateway.hub), 0);
    int before = rooms_gone;
    assert_int_equal(hub_join(gateway.hub, clients[0].session, span_of("r:0")), HUB_FIRST);
    assert_int_equal(hub_join(gateway.hub, clients[1].session, span_of("r:0")), HUB_JOINED);
    hub_leave(gateway.hub, clients[0].session, span_of("r:0"));
    assert_int_equal(rooms_gone, before);
    hub_leave(gateway.hub, clients[1].session, span_of("r:0"));
    assert_int_equal(rooms_gone, before + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_member_gets_an_event_once),
        cmocka_unit_test(test_an_empty_room_is_gone),
    };
    return cmocka_run_group_tests_name("hub", tests, set_up, tear_down);
}
