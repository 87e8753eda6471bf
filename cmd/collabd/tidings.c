#include "tidings.h"
#include "bus.h"
#include "clock.h"
#include "json.h"
#include "log.h"
#include "mem.h"
#include "notice.h"
#include "room.h"
#include "store_member.h"
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { LOG_KIND_UNTOLD = 5, TICK_MS = 50, EVENTS_MAX = STORE_REACH_ROOMS_MAX };

/* A room whose number, or whose viewers, are to be told. The key is the place and the room. */
struct due {
    UT_hash_handle hh;
    int64_t at_ms; /* steady */
    bool asked;    /* Redis is being asked */
    bool again;    /* it changed meanwhile */
    uint32_t len;
    char key[];
};

struct tidings {
    struct gateway *gateway;
    struct due *dues;
    uv_timer_t tick;
};

static void warn(const struct catalog_event *e, const struct fault *f)
{
    log_limited(LOG_KIND_UNTOLD, LOG_WARNING, "%s can't be told: %s", e->type, f->text);
}

/* Makes a notice; false when there is nothing to be told. */
static bool compose(struct notice *n, const struct catalog *c, const struct catalog_event *e,
                    const struct notice_fields *fields, const struct span *rooms, int room_count)
{
    struct fault f;
    if (!e)
        return false;
    if (notice_make(n, c, e, fields, rooms, room_count, &f) == 0)
        return true;
    warn(e, &f);
    return false;
}

/* --- how many ------------------------------------------------------------------------------ */

static const struct catalog_event *counting_event(const struct catalog *c, enum store_place place)
{
    return place == STORE_VIEWING ? c->presence.viewing : c->presence.count;
}

static void forget_due(struct tidings *t, struct due *d)
{
    HASH_DEL(t->dues, d);
    free(d);
    if (!t->dues)
        uv_timer_stop(&t->tick);
}

struct asked {
    struct tidings *tidings;
    struct due *due;
};

static void counted(void *arg, enum store_result result, int64_t wait_ms)
{
    struct asked *a = arg;
    struct due *d = a->due;
    d->asked = false;
    if (result == STORE_DONE && (wait_ms > 0 || d->again))
        d->at_ms = clock_steady_ms() + wait_ms;
    else
        forget_due(a->tidings, d);
    free(a);
}

static void ask_count(struct tidings *t, struct due *d)
{
    const struct catalog *c = t->gateway->catalog;
    enum store_place place = (enum store_place)d->key[0];
    struct span room = {d->key + 1, d->len - 1};
    struct notice_fields fields = {.room = room, .names_room = true};
    struct notice n = {0};
    if (place == STORE_VIEWING)
        fields.users = span_of("[]");
    else
        fields.count = span_of("0");
    if (!compose(&n, c, counting_event(c, place), &fields, NULL, 0)) {
        forget_due(t, d);
    } else {
        struct asked *a = mem_alloc(sizeof(*a));
        *a = (struct asked){t, d};
        d->asked = true;
        d->again = false;
        struct store_count count = {place,
                                    room,
                                    c->presence.count_ms,
                                    c->presence.crowd,
                                    {&n.event, n.list_at, n.list_len}};
        store_count(bus_store(t->gateway->bus), &count, counted, a);
    }
    notice_fini(&n);
}

static void on_tick(uv_timer_t *timer)
{
    struct tidings *t = timer->data;
    struct due *d, *tmp;
    int64_t now_ms = clock_steady_ms();
    HASH_ITER (hh, t->dues, d, tmp)
        if (!d->asked && d->at_ms <= now_ms)
            ask_count(t, d);
}

static void tell_count(struct tidings *t, enum store_place place, struct span room)
{
    char key[1 + ROOM_BYTES_MAX];
    struct due *d;
    key[0] = (char)place;
    memcpy(key + 1, room.at, room.len);
    HASH_FIND(hh, t->dues, key, room.len + 1, d);
    if (d) {
        d->again |= d->asked;
        return;
    }
    d = mem_zero(sizeof(*d) + room.len + 1);
    d->len = (uint32_t)room.len + 1;
    memcpy(d->key, key, d->len);
    HASH_ADD(hh, t->dues, key, d->len, d);
    if (!uv_is_active((uv_handle_t *)&t->tick))
        uv_timer_start(&t->tick, on_tick, TICK_MS, TICK_MS);
}

/* --- rooms --------------------------------------------------------------------------------- */

/* A step under way. */
struct step {
    struct tidings *tidings;
    enum store_place place;
    tidings_done *done;
    void *arg;
    struct buf room;
};

static void noted(void *arg, enum store_result result, bool changed, int64_t count)
{
    struct step *s = arg;
    const struct catalog *c = s->tidings->gateway->catalog;
    bool shown = s->place == STORE_VIEWING && count <= c->presence.crowd;
    if (result == STORE_DONE && changed && counting_event(c, s->place) && !shown)
        tell_count(s->tidings, s->place, buf_span(&s->room));
    if (s->done)
        s->done(s->arg, result);
    buf_fini(&s->room);
    free(s);
}

/* In a room where joining has no event of its own, it is news that the user is online. */
static bool compose_entry(struct notice *n, const struct catalog *c, const struct tidings_room *r)
{
    const struct catalog_presence *p = &c->presence;
    struct notice_fields fields = {.room = r->room, .user = r->user, .names_room = true};
    if (r->place == STORE_VIEWING) {
        struct notice_fields viewers = {.room = r->room, .users = span_of("[]")};
        viewers.names_room = true;
        return compose(n, c, p->viewing, &viewers, NULL, 0);
    }
    if (!r->enter)
        return compose(n, c, p->leave, &fields, NULL, 0);
    if (p->join)
        return compose(n, c, p->join, &fields, NULL, 0);
    if (!r->online || !(p->reach & CATALOG_REACH_JOINED))
        return false;
    struct notice_fields online = {.user = r->user, .status = span_of("online")};
    return compose(n, c, p->online, &online, &r->room, 1);
}

void tidings_room(struct tidings *t, const struct tidings_room *r, tidings_done *done, void *arg)
{
    struct gateway *g = t->gateway;
    struct notice n = {0};
    struct step *s = mem_zero(sizeof(*s));
    *s = (struct step){.tidings = t, .place = r->place, .done = done, .arg = arg};
    buf_join(&s->room, r->room);
    struct store_present p = {
        .place = r->place,
        .enter = r->enter,
        .owner = r->owner,
        .room = r->room,
        .user = r->user,
        .crowd = g->catalog->presence.crowd,
    };
    if (compose_entry(&n, g->catalog, r))
        p.tale = (struct store_tale){&n.event, n.list_at, n.list_len};
    store_present(bus_store(g->bus), &p, noted, s);
    notice_fini(&n);
}

/* --- users --------------------------------------------------------------------------------- */

/* A user's news: first who hears it is found out, then it is told. */
struct news {
    struct tidings *tidings;
    struct buf owner, user, connection, status, since;
    char *rooms[STORE_REACH_ROOMS_MAX];
    size_t room_count;
    int outstanding;
    tidings_done *done;
    void *arg;
};

static const struct catalog_event *event_of(const struct catalog *c, enum store_status status)
{
    switch (status) {
    case STORE_IS_ONLINE:
        return c->presence.online;
    case STORE_IS_AWAY:
        return c->presence.away;
    default:
        return c->presence.offline;
    }
}

/* Whether the user can be that after this step, and it is told. */
static bool is_told(const struct news *w, enum store_status status)
{
    struct span word = buf_span(&w->status);
    if (!event_of(w->tidings->gateway->catalog, status))
        return false;
    if (!word.len || span_is(word, "offline"))
        return status != STORE_IS_ONLINE;
    return span_is(word, store_status_word(status));
}

static void add_room(struct news *w, struct span room)
{
    if (w->room_count == STORE_REACH_ROOMS_MAX)
        return;
    for (size_t i = 0; i < w->room_count; i++)
        if (span_is(room, w->rooms[i]))
            return;
    w->rooms[w->room_count++] = span_text(room);
}

static void news_free(struct news *w)
{
    for (size_t i = 0; i < w->room_count; i++)
        free(w->rooms[i]);
    buf_fini(&w->owner);
    buf_fini(&w->user);
    buf_fini(&w->connection);
    buf_fini(&w->status);
    buf_fini(&w->since);
    free(w);
}

/* One status' events, of at most EVENT_ROOMS_MAX rooms each. */
struct edition {
    struct notice *notices;
    struct event *events;
    size_t count;
};

static void edit(const struct news *w, enum store_status status, struct edition *x)
{
    const struct catalog *c = w->tidings->gateway->catalog;
    const struct catalog_event *e = event_of(c, status);
    struct notice_fields fields = {.user = buf_span(&w->user),
                                   .status = span_of(store_status_word(status))};
    size_t step = e->route.to_count ? w->room_count + 1 : EVENT_ROOMS_MAX;
    size_t most = w->room_count / EVENT_ROOMS_MAX + 1;
    x->notices = mem_zero(most * sizeof(*x->notices));
    x->events = mem_zero(most * sizeof(*x->events));
    for (size_t at = 0; at < w->room_count || (at == 0 && e->route.to_count); at += step) {
        struct span rooms[EVENT_ROOMS_MAX];
        size_t n = 0;
        for (; n < EVENT_ROOMS_MAX && at + n < w->room_count; n++)
            rooms[n] = span_of(w->rooms[at + n]);
        if (compose(&x->notices[x->count], c, e, &fields, rooms, (int)n)) {
            x->events[x->count] = x->notices[x->count].event;
            x->count++;
        }
    }
}

static void edition_fini(struct edition *x, size_t room_count)
{
    for (size_t i = 0; x->notices && i < room_count / EVENT_ROOMS_MAX + 1; i++)
        notice_fini(&x->notices[i]);
    free(x->notices);
    free(x->events);
}

static void tell_user(struct news *w)
{
    struct edition editions[STORE_STATUSES] = {{0}};
    struct store_user u = {
        .owner = buf_span(&w->owner),
        .user = buf_span(&w->user),
        .connection = buf_span(&w->connection),
        .status = buf_span(&w->status),
        .since = buf_span(&w->since),
    };
    for (enum store_status i = STORE_IS_ONLINE; i <= STORE_IS_OFFLINE; i++) {
        if (!is_told(w, i))
            continue;
        edit(w, i, &editions[i]);
        u.events[i] = editions[i].events;
        u.counts[i] = editions[i].count;
    }
    struct store *store = bus_store(w->tidings->gateway->bus);
    store_user(store, &u, NULL, NULL);
    for (int i = 0; i < STORE_STATUSES; i++)
        edition_fini(&editions[i], w->room_count);
    w->done(w->arg, store_is_up(store) ? STORE_DONE : STORE_UNAVAILABLE);
    news_free(w);
}

/* --- who hears it --- */

/* A room that may be crowded. */
struct hearer {
    struct news *news;
    size_t index;
};

static void drop_crowded(struct news *w)
{
    size_t kept = 0;
    for (size_t i = 0; i < w->room_count; i++)
        if (w->rooms[i])
            w->rooms[kept++] = w->rooms[i];
    w->room_count = kept;
}

static void sized(void *arg, enum store_result result, int64_t count, const char *why)
{
    struct hearer *h = arg;
    struct news *w = h->news;
    (void)why;
    if (result == STORE_DONE && count > w->tidings->gateway->catalog->presence.crowd) {
        free(w->rooms[h->index]);
        w->rooms[h->index] = NULL;
    }
    free(h);
    if (--w->outstanding)
        return;
    drop_crowded(w);
    tell_user(w);
}

static void no_user(void *arg, struct span user, struct span owners)
{
    (void)arg;
    (void)user;
    (void)owners;
}

static void size_rooms(struct news *w)
{
    if (!w->room_count) {
        tell_user(w);
        return;
    }
    size_t count = w->room_count;
    w->outstanding = (int)count;
    for (size_t i = 0; i < count; i++) {
        struct hearer *h = mem_alloc(sizeof(*h));
        *h = (struct hearer){w, i};
        store_who(bus_store(w->tidings->gateway->bus), STORE_IN_ROOM, span_of(w->rooms[i]), 0,
                  no_user, sized, h);
    }
}

static void take_room(void *arg, struct span room, struct span role)
{
    struct news *w = arg;
    struct fault f;
    (void)role;
    if (room_check(room, &f) != 0)
        return;
    const struct catalog_room *rule = catalog_room(w->tidings->gateway->catalog, room, NULL);
    if (rule && rule->presence)
        add_room(w, room);
}

static void rooms_taken(void *arg, enum store_result result, const char *why)
{
    (void)result;
    (void)why;
    size_rooms(arg);
}

static void find_member_rooms(struct news *w)
{
    struct buf quoted = {0}, user = {0};
    buf_char(&quoted, '"');
    buf_join(&quoted, buf_span(&w->user));
    buf_char(&quoted, '"');
    json_decode(buf_span(&quoted), &user);
    store_member_rooms(bus_store(w->tidings->gateway->bus), buf_span(&user), take_room, rooms_taken,
                       w);
    buf_fini(&quoted);
    buf_fini(&user);
}

void tidings_user(struct tidings *t, const struct tidings_user *u, tidings_done *done, void *arg)
{
    const struct catalog_presence *p = &t->gateway->catalog->presence;
    struct news *w = mem_zero(sizeof(*w));
    *w = (struct news){.tidings = t, .done = done, .arg = arg};
    buf_join(&w->owner, u->owner);
    buf_join(&w->user, u->user);
    buf_join(&w->connection, u->connection);
    buf_join(&w->status, u->status);
    buf_join(&w->since, u->since);
    bool told =
        is_told(w, STORE_IS_ONLINE) || is_told(w, STORE_IS_AWAY) || is_told(w, STORE_IS_OFFLINE);
    if (!told) {
        tell_user(w);
        return;
    }
    for (size_t i = 0; p->reach_rooms && p->reach_rooms[i]; i++)
        add_room(w, span_of(p->reach_rooms[i]));
    for (size_t i = 0; p->reach & CATALOG_REACH_JOINED && i < u->room_count; i++)
        add_room(w, u->rooms[i]);
    if (p->reach & CATALOG_REACH_MEMBER)
        find_member_rooms(w);
    else
        size_rooms(w);
}

/* --- life ---------------------------------------------------------------------------------- */

struct tidings *tidings_new(struct gateway *g)
{
    struct tidings *t = mem_zero(sizeof(*t));
    t->gateway = g;
    uv_timer_init(g->loop, &t->tick);
    t->tick.data = t;
    return t;
}

void tidings_stop(struct tidings *t)
{
    uv_close((uv_handle_t *)&t->tick, NULL);
}

void tidings_free(struct tidings *t)
{
    struct due *d, *tmp;
    HASH_ITER (hh, t->dues, d, tmp) {
        HASH_DEL(t->dues, d);
        free(d);
    }
    free(t);
}
