#include "presence.h"
#include "bus.h"
#include "clock.h"
#include "ghosts.h"
#include "hub.h"
#include "ident.h"
#include "json.h"
#include "mem.h"
#include "node.h"
#include "table.h"
#include "tidings.h"
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { TICK_MS = 50, RENEWALS = 5, LOOKS = 10 /* of each, in a lease */ };

struct self;

/* A user in a room, or looking at one, on this node; or a connection of a user. The key is the
 * place, the room (or the connection's id), and the user. */
struct entry {
    struct table_node node; /* by key */
    struct self *self;
    struct entry *self_prev, *self_next; /* in its rooms, or its connections */
    struct entry *prev, *next;           /* of those that fade */
    int64_t gone_ms;                     /* steady: when it is to be gone; 0: it stays */
    int64_t since_ms;                    /* wall clock */
    uint32_t holds;                      /* sessions */
    uint16_t name_len;
    enum store_status status : 8; /* of a connection */
    bool dirty : 1, gone : 1;     /* of a connection: to be told to Redis; for the last time */
    bool news : 1;                /* in a room: that the user is online is news there */
    char key[];                   /* the place, then the name, then the user */
};

/* A user here, or lately here. */
struct self {
    struct table_node node; /* by user */
    struct entry *rooms;
    struct entry *connections; /* those that are dirty last */
    struct entry *dirty;       /* the first of them */
    uint32_t entries;
    bool told;    /* Redis is being told of a connection: the next one waits */
    bool telling; /* tell_next() is at it */
    char user[];  /* as in JSON */
};

/* How many entries there are in a place. The key is the place and its name. */
struct spot {
    struct table_node node; /* by key */
    uint32_t entries;
    char key[];
};

struct presence {
    struct gateway *gateway;
    char owner[STORE_OWNER_CHARS + 1]; /* empty: Redis was not reached yet */
    struct table entries;
    struct entry *fading; /* in the order of their going */
    struct table selves, places;
    uv_timer_t tick, renewal, look;
    bool ended;
};

/* What a session has besides its seats. */
struct views {
    int count;
    struct entry *at[];
};

static struct span entry_name(const struct entry *e)
{
    return (struct span){e->key + 1, e->name_len};
}

static struct span entry_user(const struct entry *e)
{
    return table_name(&e->self->node);
}

static enum store_place entry_place(const struct entry *e)
{
    return (enum store_place)e->key[0];
}

static struct store *store_of(const struct presence *p)
{
    return bus_store(p->gateway->bus);
}

static struct span owner_of(const struct presence *p)
{
    return span_of(p->owner);
}

/* --- places -------------------------------------------------------------------------------- */

static void place_key(struct buf *key, enum store_place place, struct span name)
{
    buf_clear(key);
    buf_char(key, (char)place);
    buf_join(key, name);
}

/* Redis is told of a place before the first entry there, and after the last. */
static void place_count(struct presence *p, enum store_place place, struct span name, int change)
{
    struct buf key = {0};
    struct spot *x;
    place_key(&key, place, name);
    x = table_find(&p->places, buf_span(&key));
    if (!x) {
        x = mem_zero(sizeof(*x) + key.len);
        memcpy(x->key, key.at, key.len);
        table_add(&p->places, &x->node, (struct span){x->key, key.len});
        store_owner_note(store_of(p), owner_of(p), place, name, true);
    }
    buf_fini(&key);
    x->entries += (uint32_t)change;
    if (x->entries)
        return;
    store_owner_note(store_of(p), owner_of(p), place, name, false);
    table_remove(&p->places, &x->node);
    free(x);
}

/* The name by which a place is noted: connections are found by their user. */
static struct span noted_name(const struct entry *e)
{
    return entry_place(e) == STORE_ONLINE ? entry_user(e) : entry_name(e);
}

/* --- telling ------------------------------------------------------------------------------- */

static bool is_hidden(const struct self *self)
{
    const struct entry *e;
    DL_FOREACH2 (self->connections, e, self_next)
        if (!e->gone && e->status != STORE_IS_OFFLINE)
            return false;
    return true;
}

static void tell_room(struct presence *p, const struct entry *e, bool enter)
{
    struct tidings_room r = {
        .place = entry_place(e),
        .enter = enter,
        .owner = owner_of(p),
        .room = entry_name(e),
        .user = entry_user(e),
        .online = e->news && !is_hidden(e->self),
    };
    tidings_room(p->gateway->tidings, &r, NULL, NULL);
}

static void tell_next(struct presence *p, struct self *self);

struct telling {
    struct presence *presence;
    struct self *self;
};

static void told(void *arg, enum store_result result)
{
    struct telling *t = arg;
    (void)result;
    t->self->told = false;
    tell_next(t->presence, t->self);
    free(t);
}

static void tell_connection(struct presence *p, const struct entry *e)
{
    struct span rooms[STORE_REACH_ROOMS_MAX];
    char since[CLOCK_STAMP_BYTES];
    size_t count = 0;
    const struct entry *room;
    clock_stamp(e->since_ms, since);
    DL_FOREACH2 (e->self->rooms, room, self_next)
        if (count < STORE_REACH_ROOMS_MAX)
            rooms[count++] = entry_name(room);
    struct tidings_user u = {
        .owner = owner_of(p),
        .user = entry_user(e),
        .connection = entry_name(e),
        .since = span_of(since),
        .rooms = rooms,
        .room_count = count,
    };
    if (!e->gone)
        u.status = span_of(store_status_word(e->status));
    struct telling *t = mem_alloc(sizeof(*t));
    *t = (struct telling){p, e->self};
    tidings_user(p->gateway->tidings, &u, told, t);
}

static void free_self(struct presence *p, struct self *self)
{
    if (self->entries || self->told)
        return;
    table_remove(&p->selves, &self->node);
    free(self);
}

static void free_entry(struct presence *p, struct entry *e)
{
    struct self *self = e->self;
    if (entry_place(e) == STORE_ONLINE)
        DL_DELETE2(self->connections, e, self_prev, self_next);
    else if (entry_place(e) == STORE_IN_ROOM)
        DL_DELETE2(self->rooms, e, self_prev, self_next);
    place_count(p, entry_place(e), noted_name(e), -1);
    self->entries--;
    free(e);
}

static void soil(struct entry *e)
{
    struct self *self = e->self;
    if (e->dirty)
        return;
    e->dirty = true;
    DL_DELETE2(self->connections, e, self_prev, self_next);
    DL_APPEND2(self->connections, e, self_prev, self_next);
    if (!self->dirty)
        self->dirty = e;
}

static void tell_one(struct presence *p, struct self *self)
{
    struct entry *e = self->dirty;
    self->dirty = e->self_next;
    e->dirty = false;
    self->told = true;
    bool gone = e->gone;
    tell_connection(p, e);
    if (gone)
        free_entry(p, e);
}

/* A user's connections are told of one at a time: each step takes a few turns to Redis and back.
 * Redis being away, it is over at once, and told() comes back here. */
static void tell_next(struct presence *p, struct self *self)
{
    if (self->telling || p->ended)
        return;
    self->telling = true;
    while (self->dirty && !self->told)
        tell_one(p, self);
    self->telling = false;
    free_self(p, self);
}

static void tell(struct presence *p, struct entry *e)
{
    if (entry_place(e) != STORE_ONLINE) {
        tell_room(p, e, true);
        return;
    }
    soil(e);
    tell_next(p, e->self);
}

/* --- entries ------------------------------------------------------------------------------- */

static struct self *find_self(struct presence *p, const char *user)
{
    struct buf quoted = {0};
    struct self *self;
    json_encode(&quoted, span_of(user));
    struct span name = json_inside(buf_span(&quoted));
    self = table_find(&p->selves, name);
    if (!self) {
        self = mem_zero(sizeof(*self) + name.len + 1);
        memcpy(self->user, name.at, name.len);
        table_add(&p->selves, &self->node, (struct span){self->user, name.len});
    }
    buf_fini(&quoted);
    return self;
}

static void entry_key(struct buf *key, enum store_place place, struct span name,
                      const struct self *self)
{
    place_key(key, place, name);
    buf_char(key, '\0');
    buf_join(key, table_name(&self->node));
}

static struct entry *make_entry(struct presence *p, enum store_place place, struct span name,
                                struct self *self, const struct buf *key)
{
    struct entry *e = mem_zero(sizeof(*e) + key->len);
    e->self = self;
    e->name_len = (uint16_t)name.len;
    memcpy(e->key, key->at, key->len);
    e->since_ms = clock_wall_ms();
    table_add(&p->entries, &e->node, (struct span){e->key, key->len});
    self->entries++;
    if (place == STORE_ONLINE)
        DL_PREPEND2(self->connections, e, self_prev, self_next);
    else if (place == STORE_IN_ROOM)
        DL_APPEND2(self->rooms, e, self_prev, self_next);
    place_count(p, place, noted_name(e), 1);
    return e;
}

/* One more session holds it. */
static struct entry *hold(struct presence *p, enum store_place place, struct span name,
                          const char *user, bool news)
{
    struct self *self = find_self(p, user);
    struct buf key = {0};
    struct entry *e;
    entry_key(&key, place, name, self);
    e = table_find(&p->entries, buf_span(&key));
    if (!e) {
        e = make_entry(p, place, name, self, &key);
        e->news = news;
        tell(p, e);
    } else if (e->gone_ms) {
        DL_DELETE(p->fading, e);
        e->gone_ms = 0;
    }
    e->holds++;
    buf_fini(&key);
    return e;
}

static void remove_entry(struct presence *p, struct entry *e)
{
    struct self *self = e->self;
    table_remove(&p->entries, &e->node);
    if (entry_place(e) == STORE_ONLINE) {
        e->gone = true;
        soil(e);
        tell_next(p, self);
        return;
    }
    tell_room(p, e, false);
    free_entry(p, e);
    free_self(p, self);
}

static void on_tick(uv_timer_t *timer)
{
    struct presence *p = timer->data;
    int64_t now_ms = clock_steady_ms();
    while (p->fading && p->fading->gone_ms <= now_ms) {
        struct entry *e = p->fading;
        DL_DELETE(p->fading, e);
        remove_entry(p, e);
    }
    if (!p->fading)
        uv_timer_stop(timer);
}

/* One session less holds it. */
static void release(struct presence *p, struct entry *e, int64_t grace_ms)
{
    if (--e->holds || p->ended)
        return;
    if (grace_ms <= 0) {
        remove_entry(p, e);
        return;
    }
    e->gone_ms = clock_steady_ms() + grace_ms;
    DL_APPEND(p->fading, e);
    if (!uv_is_active((uv_handle_t *)&p->tick))
        uv_timer_start(&p->tick, on_tick, TICK_MS, TICK_MS);
}

static struct entry *find_entry(struct presence *p, enum store_place place, struct span name,
                                const char *user)
{
    struct self *self = find_self(p, user);
    struct buf key = {0};
    struct entry *e;
    entry_key(&key, place, name, self);
    e = table_find(&p->entries, buf_span(&key));
    buf_fini(&key);
    free_self(p, self);
    return e;
}

/* --- sessions ------------------------------------------------------------------------------ */

static bool is_on(const struct session *s)
{
    return s->gateway->catalog->presence.on;
}

void presence_begin(struct session *s)
{
    struct presence *p = s->gateway->presence;
    if (!is_on(s) || s->present || session_is_closing(s))
        return;
    s->present = true;
    hold(p, STORE_ONLINE, span_of(s->id), s->who->user, false);
}

void presence_enter(struct session *s, struct span room, bool news)
{
    const struct catalog_room *rule = catalog_room(s->gateway->catalog, room, NULL);
    struct seat *seat = hub_seat(s->gateway->hub, s, room);
    if (!rule || !rule->presence || seat->present)
        return;
    seat->present = true;
    hold(s->gateway->presence, STORE_IN_ROOM, room, s->who->user, news);
}

static void leave_seat(struct session *s, struct seat *seat, struct span room, int64_t grace_ms)
{
    struct presence *p = s->gateway->presence;
    if (!seat->present)
        return;
    seat->present = false;
    release(p, find_entry(p, STORE_IN_ROOM, room, s->who->user), grace_ms);
}

static void drop_views(struct session *s, int64_t grace_ms)
{
    struct views *views = s->views;
    s->views = NULL;
    for (int i = 0; views && i < views->count; i++)
        release(s->gateway->presence, views->at[i], grace_ms);
    free(views);
}

void presence_leave(struct session *s, struct span room)
{
    struct seat *seat = hub_seat(s->gateway->hub, s, room);
    if (seat)
        leave_seat(s, seat, room, 0);
}

/* The connection first: to the rooms that it was in, the user is offline. */
void presence_gone(struct session *s)
{
    struct presence *p = s->gateway->presence;
    int64_t grace_ms = s->gateway->catalog->presence.grace_ms;
    if (s->present) {
        s->present = false;
        release(p, find_entry(p, STORE_ONLINE, span_of(s->id), s->who->user), grace_ms);
    }
    for (uint32_t i = 0; i < s->seat_count; i++)
        leave_seat(s, &s->seats[i], hub_seat_room(s, i), grace_ms);
    drop_views(s, grace_ms);
}

void presence_status(struct session *s, enum store_status status)
{
    struct presence *p = s->gateway->presence;
    if (!s->present)
        return;
    struct entry *e = find_entry(p, STORE_ONLINE, span_of(s->id), s->who->user);
    if (e->status == status)
        return;
    e->status = status;
    tell(p, e);
}

void presence_view(struct session *s, const struct span *rooms, int count)
{
    struct presence *p = s->gateway->presence;
    struct views *views = mem_zero(sizeof(*views) + (size_t)count * sizeof(views->at[0]));
    for (int i = 0; i < count; i++)
        views->at[views->count++] = hold(p, STORE_VIEWING, rooms[i], s->who->user, false);
    drop_views(s, 0);
    s->views = views;
}

/* --- the life in Redis --------------------------------------------------------------------- */

static int64_t lease_ms(const struct presence *p)
{
    return p->gateway->settings.lease_ms;
}

/* So that it ends, and is seen to have ended, within the lease. */
static int64_t lasting_ms(const struct presence *p)
{
    return lease_ms(p) - 2 * (lease_ms(p) / LOOKS);
}

/* Where it had entries is noted once more: a replica that took over may lack some of it, and what
 * isn't noted isn't cleared. */
static void end_life(struct presence *p)
{
    struct spot *x, *next;
    TABLE_EACH (&p->places, x, next)
        store_owner_note(store_of(p), owner_of(p), (enum store_place)x->key[0],
                         (struct span){x->key + 1, x->node.len - 1U}, true);
    store_owner_end(store_of(p), owner_of(p), 1);
}

/* Whoever is told of all entries anew finds most of them there already. */
static void begin_life(struct presence *p)
{
    struct spot *x, *next_place;
    struct entry *e, *next_entry;
    struct self *self, *next_self;
    struct store *s = store_of(p);
    if (p->owner[0])
        end_life(p);
    ident_random(p->owner, STORE_OWNER_CHARS);
    store_owner_begin(s, owner_of(p), span_of(node_name(p->gateway->node)), lasting_ms(p));
    TABLE_EACH (&p->places, x, next_place)
        store_owner_note(s, owner_of(p), (enum store_place)x->key[0],
                         (struct span){x->key + 1, x->node.len - 1U}, true);
    TABLE_EACH (&p->entries, e, next_entry) {
        if (entry_place(e) == STORE_ONLINE)
            soil(e);
        else
            tell_room(p, e, true);
    }
    TABLE_EACH (&p->selves, self, next_self)
        tell_next(p, self);
}

static void renewed(void *arg, enum store_result result, bool alive)
{
    struct presence *p = arg;
    if (result == STORE_DONE && !alive && !p->ended)
        begin_life(p);
}

static void on_renewal(uv_timer_t *timer)
{
    struct presence *p = timer->data;
    if (p->owner[0] && bus_is_up(p->gateway->bus))
        store_owner_renew(store_of(p), owner_of(p), span_of(node_name(p->gateway->node)),
                          lasting_ms(p), renewed, p);
}

static void on_look(uv_timer_t *timer)
{
    struct presence *p = timer->data;
    if (p->owner[0] && bus_is_up(p->gateway->bus))
        ghosts_look(p->gateway, owner_of(p), lease_ms(p));
}

void presence_up(struct presence *p)
{
    if (p->ended)
        return;
    begin_life(p);
    uint64_t renewal_ms = (uint64_t)(lease_ms(p) / RENEWALS);
    uint64_t look_ms = (uint64_t)(lease_ms(p) / LOOKS);
    uv_timer_start(&p->renewal, on_renewal, renewal_ms, renewal_ms);
    uv_timer_start(&p->look, on_look, look_ms, look_ms);
}

void presence_end(struct presence *p)
{
    int64_t grace_ms = p->gateway->catalog->presence.grace_ms;
    p->ended = true;
    uv_timer_stop(&p->renewal);
    uv_timer_stop(&p->look);
    if (p->owner[0])
        store_owner_end(store_of(p), owner_of(p), grace_ms > 0 ? grace_ms : 1);
}

/* --- life ---------------------------------------------------------------------------------- */

struct presence *presence_new(struct gateway *g)
{
    struct presence *p = mem_zero(sizeof(*p));
    p->gateway = g;
    uv_timer_init(g->loop, &p->tick);
    uv_timer_init(g->loop, &p->renewal);
    uv_timer_init(g->loop, &p->look);
    p->tick.data = p->renewal.data = p->look.data = p;
    return p;
}

void presence_stop(struct presence *p)
{
    uv_close((uv_handle_t *)&p->tick, NULL);
    uv_close((uv_handle_t *)&p->renewal, NULL);
    uv_close((uv_handle_t *)&p->look, NULL);
}

void presence_free(struct presence *p)
{
    struct entry *e, *next_entry;
    struct self *self, *next_self;
    struct spot *x, *next_place;
    TABLE_EACH (&p->selves, self, next_self) {
        DL_FOREACH_SAFE2 (self->connections, e, next_entry, self_next)
            if (e->gone)
                free(e);
        free(self);
    }
    TABLE_EACH (&p->entries, e, next_entry) {
        free(e);
    }
    TABLE_EACH (&p->places, x, next_place) {
        free(x);
    }
    table_fini(&p->selves);
    table_fini(&p->entries);
    table_fini(&p->places);
    free(p);
}
