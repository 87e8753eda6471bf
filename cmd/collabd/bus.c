#include "bus.h"
#include "clock.h"
#include "hub.h"
#include "log.h"
#include "mem.h"
#include <stdlib.h>
#include <string.h>

struct bus {
    struct gateway *gateway;
    struct store *store;
    bus_told *told;
    void *ctx;
    bool was_up;
    char trouble[256]; /* why Redis is away; empty while it is not */
};

enum { LOG_KIND_BAD_EVENT = 0 };

static void listen_again(void *arg, struct span room, uint32_t members)
{
    (void)members;
    struct bus *b = arg;
    store_listen(b->store, &room, 1);
}

/* What Redis' rules for its users forbid would otherwise go unnoticed: those rooms hear nothing. */
static void listened_again(void *arg, enum store_result result, const char *why)
{
    (void)arg;
    if (result == STORE_REFUSED)
        log_error("some rooms cannot be listened to: %s", why);
}

static void store_came_up(void *ctx)
{
    struct bus *b = ctx;
    struct metrics *m = &b->gateway->metrics;
    b->trouble[0] = '\0';
    m->value[M_REDIS_UP] = 1;
    m->value[M_REDIS_RECONNECTS] += b->was_up;
    b->was_up = true;
    hub_rooms(b->gateway->hub, listen_again, b);
    store_settle(b->store, listened_again, b);
    b->told(b->ctx, NULL);
}

static void store_went_down(void *ctx, const char *why)
{
    struct bus *b = ctx;
    snprintf(b->trouble, sizeof(b->trouble), "%s", why);
    b->gateway->metrics.value[M_REDIS_UP] = 0;
    b->told(b->ctx, b->trouble);
}

static void store_event(void *ctx, struct span room, struct span text)
{
    struct bus *b = ctx;
    struct metrics *m = &b->gateway->metrics;
    struct event e;
    struct fault f;
    m->value[M_EVENTS_IN]++;
    if (event_parse(&e, text, false, &f) == 0) {
        e.room = room;
        hub_deliver(b->gateway->hub, room, &e, text);
        return;
    }
    m->value[M_EVENTS_BAD]++;
    log_limited(LOG_KIND_BAD_EVENT, LOG_WARNING, "%.*s: not an event: %s", (int)room.len, room.at,
                f.text);
}

static const struct store_hooks hooks = {
    .up = store_came_up,
    .down = store_went_down,
    .event = store_event,
};

struct bus *bus_open(struct gateway *g, const struct redis_address *address, bus_told *told,
                     void *ctx)
{
    struct bus *b = mem_zero(sizeof(*b));
    b->gateway = g;
    b->told = told;
    b->ctx = ctx;
    snprintf(b->trouble, sizeof(b->trouble), "%s: not connected yet", address->label);
    b->store = store_open(g->loop, address, &hooks, b);
    store_probe(b->store, (int)g->settings.probe_ms);
    return b;
}

void bus_close(struct bus *b)
{
    store_close(b->store);
    free(b);
}

bool bus_is_up(const struct bus *b)
{
    return store_is_up(b->store);
}

const char *bus_trouble(const struct bus *b)
{
    return b->trouble;
}

struct store *bus_store(struct bus *b)
{
    return b->store;
}

void bus_join(struct bus *b, struct session *s, struct span room)
{
    if (hub_join(b->gateway->hub, s, room) == HUB_FIRST)
        store_listen(b->store, &room, 1);
}

void bus_room_gone(void *ctx, struct span room)
{
    struct gateway *g = ctx;
    store_unlisten(g->bus->store, &room, 1);
}

void bus_settle(struct bus *b, store_done *done, void *arg)
{
    store_settle(b->store, done, arg);
}

static void deliver_here(struct bus *b, struct event *e)
{
    struct buf text = {0};
    for (int i = 0; i < e->room_count; i++) {
        e->room = e->rooms[i];
        buf_clear(&text);
        event_format(e, &text);
        hub_deliver(b->gateway->hub, e->room, e, buf_span(&text));
    }
    buf_fini(&text);
    b->gateway->metrics.value[M_EVENTS_LOCAL]++;
}

/* A publication under way. */
struct publication {
    struct bus *bus;
    bus_submitted *done;
    void *arg;
};

static void submitted(void *arg, enum store_result result, const struct store_receipt *receipt,
                      const char *why)
{
    struct publication *p = arg;
    if (result == STORE_DONE)
        p->bus->gateway->metrics.value[M_EVENTS_OUT]++;
    p->done(p->arg, result, false, receipt, why);
    free(p);
}

void bus_submit(struct bus *b, struct event *e, const struct terms *terms, bus_submitted *done,
                void *arg)
{
    char now[CLOCK_STAMP_BYTES];
    bool promises = terms->store.key.len || terms->store.entity.len;
    if (!e->time.len) {
        clock_stamp(clock_wall_ms(), now);
        e->time = span_of(now);
    }
    if (!store_is_up(b->store)) {
        if (!promises)
            deliver_here(b, e);
        done(arg, STORE_UNAVAILABLE, !promises, NULL, b->trouble);
        return;
    }
    struct publication *p = mem_alloc(sizeof(*p));
    *p = (struct publication){b, done, arg};
    store_append(b->store, e, &terms->store, submitted, p);
}

/* For those who want no receipt. */
struct plain_publication {
    bus_done *done;
    void *arg;
};

static void published(void *arg, enum store_result result, bool local,
                      const struct store_receipt *receipt, const char *why)
{
    struct plain_publication *p = arg;
    bool conflict = result == STORE_CONFLICT;
    (void)receipt;
    p->done(p->arg, conflict ? STORE_REFUSED : result, local, conflict ? "version conflict" : why);
    free(p);
}

void bus_publish(struct bus *b, struct event *e, bus_done *done, void *arg)
{
    struct terms terms;
    struct fault f;
    if (terms_find(&terms, b->gateway->catalog, e, &f) != 0) {
        done(arg, STORE_REFUSED, false, f.text);
        return;
    }
    struct plain_publication *p = mem_alloc(sizeof(*p));
    *p = (struct plain_publication){done, arg};
    bus_submit(b, e, &terms, published, p);
}
