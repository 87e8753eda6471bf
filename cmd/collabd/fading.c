#include "fading.h"
#include "clock.h"
#include "hub.h"
#include "json.h"
#include "mem.h"
#include "signals.h"
#include "table.h"
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
    TICK_MS = 50,
    GRACE_MS = 1000,      /* for the end that somebody else tells */
    AFTERMATH_MS = 10000, /* in which that one is not told again */
    FADES_MAX = 65536,
};

/* One that was delivered in a room. */
struct fade {
    struct table_node node; /* by room, NUL, and the signal's name */
    struct fade *prev, *next;
    int64_t due_ms; /* steady */
    bool told;
    struct buf end; /* the event */
    uint32_t life;  /* of the room: what was told while nobody was there was not heard */
    uint32_t room_len;
    char key[];
};

struct fading {
    struct gateway *gateway;
    struct table by_key;
    struct fade *all;
    uv_timer_t tick;
};

void fading_write_end(const struct catalog_event *rule, const struct event *e, struct buf *out)
{
    const struct catalog_event *then = rule->then;
    struct event end = *e;
    struct route_rooms routed;
    struct buf data = {0}, user = {0};
    struct fault f;
    end.type = span_of(then->type);
    if (then->user && e->data.len && json_type(e->data) == JSON_OBJECT) {
        buf_char(&user, '"');
        buf_join(&user, e->user);
        buf_char(&user, '"');
        json_put(&data, e->data, then->user, buf_span(&user));
        end.data = buf_span(&data);
    }
    end.time = end.from = (struct span){0};
    if (then->route.to_count && catalog_route(then, end.type, end.data, &routed, &f) == 0) {
        end.room_count = routed.count;
        memcpy(end.rooms, routed.at, sizeof(end.rooms));
    }
    end.room = end.rooms[0];
    buf_clear(out);
    event_format(&end, out);
    buf_fini(&data);
    buf_fini(&user);
}

static void forget(struct fading *x, struct fade *f)
{
    table_remove(&x->by_key, &f->node);
    DL_DELETE(x->all, f);
    buf_fini(&f->end);
    free(f);
}

static struct span room_of(const struct fade *f)
{
    return (struct span){f->key, f->room_len};
}

static void tell_end(struct fading *x, struct fade *f)
{
    struct event e;
    struct fault fault;
    f->told = true;
    f->due_ms += AFTERMATH_MS;
    if (event_parse(&e, buf_span(&f->end), false, &fault) != 0)
        return;
    e.room = room_of(f);
    hub_deliver(x->gateway->hub, e.room, &e, buf_span(&f->end));
}

static void on_tick(uv_timer_t *timer)
{
    struct fading *x = timer->data;
    struct fade *f, *next;
    int64_t now_ms = clock_steady_ms();
    DL_FOREACH_SAFE (x->all, f, next) {
        if (f->due_ms > now_ms)
            continue;
        if (f->told || f->life != hub_life(x->gateway->hub, room_of(f)))
            forget(x, f);
        else
            tell_end(x, f);
    }
    if (!x->all)
        uv_timer_stop(timer);
}

static struct fade *make(struct fading *x, struct span room, struct span key)
{
    struct fade *f = mem_zero(sizeof(*f) + key.len);
    f->room_len = (uint32_t)room.len;
    memcpy(f->key, key.at, key.len);
    table_add(&x->by_key, &f->node, (struct span){f->key, key.len});
    DL_APPEND(x->all, f);
    if (!uv_is_active((uv_handle_t *)&x->tick))
        uv_timer_start(&x->tick, on_tick, TICK_MS, TICK_MS);
    return f;
}

static void begin(struct fading *x, const struct catalog_event *rule, struct span room,
                  struct span key, const struct event *e)
{
    struct event copy = *e;
    struct fade *f = table_find(&x->by_key, key);
    uint32_t life = hub_life(x->gateway->hub, room);
    if (!life || (!f && x->by_key.count == FADES_MAX))
        return;
    if (!f)
        f = make(x, room, key);
    copy.room = room;
    fading_write_end(rule, &copy, &f->end);
    f->life = life;
    f->told = false;
    f->due_ms = clock_steady_ms() + rule->expires_ms + GRACE_MS;
}

static bool end(struct fading *x, struct span key)
{
    struct fade *f = table_find(&x->by_key, key);
    bool told = f && f->told;
    if (f)
        forget(x, f);
    return !told;
}

bool fading_note(struct fading *x, struct span room, const struct event *e)
{
    const struct catalog_event *rule = catalog_event(x->gateway->catalog, e->type);
    struct buf key = {0}, name = {0};
    bool good = true;
    if (!rule || (!rule->ends && (!rule->then || !rule->expires_ms)))
        return true;
    signal_name(rule, e, &name);
    buf_join(&key, room);
    buf_char(&key, '\0');
    buf_join(&key, buf_span(&name));
    if (rule->ends)
        good = end(x, buf_span(&key));
    else
        begin(x, rule, room, buf_span(&key), e);
    buf_fini(&name);
    buf_fini(&key);
    return good;
}

/* --- life ---------------------------------------------------------------------------------- */

struct fading *fading_new(struct gateway *g)
{
    struct fading *x = mem_zero(sizeof(*x));
    x->gateway = g;
    uv_timer_init(g->loop, &x->tick);
    x->tick.data = x;
    return x;
}

void fading_stop(struct fading *x)
{
    uv_close((uv_handle_t *)&x->tick, NULL);
}

void fading_free(struct fading *x)
{
    while (x->all)
        forget(x, x->all);
    table_fini(&x->by_key);
    free(x);
}
