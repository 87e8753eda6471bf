#include "bus.h"
#include "clock.h"
#include "fading.h"
#include "follow.h"
#include "hub.h"
#include "keeper.h"
#include "log.h"
#include "mem.h"
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct bus {
    struct gateway *gateway;
    struct store *store;
    struct follow *follow;
    uint64_t opened, answered; /* rooms whose place was asked for, and is known */
    struct settling *settlings, **settlings_end;
    struct moved *moved;   /* rooms that are listened to anew */
    struct moved *settled; /* the same, of which a settling is under way */
    bus_told *told;
    bus_heard *heard;                /* or NULL */
    const struct bus_others *others; /* or NULL */
    void *ctx;
    bool known;           /* whether Redis can be reached, or could be once */
    struct await *awaits; /* who waits for that */
    bool was_up;
    char trouble[256]; /* why Redis is away; empty while it is not */
};

enum { LOG_KIND_BAD_EVENT = 0, LOG_KIND_GAP = 4 };

/* --- rooms that are new here -------------------------------------------------------------- */

/* A settling that waits until these rooms are listened to. */
struct settling {
    struct settling *next;
    uint64_t opened;
    store_done *done;
    void *arg;
};

static void release_settlings(struct bus *b)
{
    while (b->settlings && b->settlings->opened <= b->answered) {
        struct settling *one = b->settlings;
        b->settlings = one->next;
        if (!b->settlings)
            b->settlings_end = &b->settlings;
        store_settle(b->store, one->done, one->arg);
        free(one);
    }
}

void bus_settle(struct bus *b, store_done *done, void *arg)
{
    if (b->answered == b->opened) {
        store_settle(b->store, done, arg);
        return;
    }
    struct settling *one = mem_alloc(sizeof(*one));
    *one = (struct settling){NULL, b->opened, done, arg};
    *b->settlings_end = one;
    b->settlings_end = &one->next;
}

static bool is_unplaced(const struct place *at)
{
    return place_compare(*at, follow_anywhere) == 0;
}

/* Its end is known first, then it is listened to: what comes between shows as a hole. */
static void end_known(void *arg, enum store_result result, const struct store_page *page,
                      const char *why)
{
    struct bus *b = arg;
    (void)why;
    struct place *at = page ? hub_place(b->gateway->hub, page->room) : NULL;
    if (at && is_unplaced(at))
        *at = page->count ? page->entries[0].place : store_beginning;
    if (at) {
        b->gateway->keeper->placed(b->gateway, page->room, *at);
        store_listen(b->store, &page->room, 1);
    }
    if (result == STORE_REFUSED)
        log_error("histories cannot be read: %s", why);
    b->answered++;
    release_settlings(b);
}

static void open_room(struct bus *b, struct span room)
{
    static const struct store_stretch newest = {
        {0, 0}, {UINT64_MAX, UINT64_MAX}, 1, STORE_NEWEST_FIRST};
    const struct catalog_room *rule = catalog_room(b->gateway->catalog, room, NULL);
    if (!rule || !rule->history_length) {
        store_listen(b->store, &room, 1);
        return;
    }
    b->opened++;
    store_read(b->store, room, &newest, end_known, b);
}

void bus_join(struct bus *b, struct session *s, struct span room)
{
    if (hub_join(b->gateway->hub, s, room) == HUB_FIRST && store_is_up(b->store))
        open_room(b, room);
}

void bus_room_gone(void *ctx, struct span room)
{
    struct gateway *g = ctx;
    store_unlisten(g->bus->store, &room, 1);
}

/* --- whether Redis can be reached --------------------------------------------------------- */

struct await {
    struct await *next;
    void (*done)(void *arg);
    void *arg;
};

void bus_await(struct bus *b, void (*done)(void *arg), void *arg)
{
    if (b->known) {
        done(arg);
        return;
    }
    struct await *one = mem_alloc(sizeof(*one));
    *one = (struct await){NULL, done, arg};
    LL_APPEND(b->awaits, one);
}

static void end_awaits(struct bus *b)
{
    b->known = true;
    while (b->awaits) {
        struct await *one = b->awaits;
        LL_DELETE(b->awaits, one);
        one->done(one->arg);
        free(one);
    }
}

static void tell(struct bus *b, const char *why)
{
    b->told(b->ctx, why);
    end_awaits(b);
}

void bus_stop(struct bus *b)
{
    end_awaits(b);
}

/* --- up and down -------------------------------------------------------------------------- */

static void listen_again(void *arg, struct span room, uint32_t members)
{
    (void)members;
    struct bus *b = arg;
    if (is_unplaced(hub_place(b->gateway->hub, room)))
        open_room(b, room);
    else
        store_listen(b->store, &room, 1);
}

static void check_room(void *arg, struct span room, uint32_t members)
{
    (void)members;
    struct bus *b = arg;
    follow_check(b->follow, room);
}

/* What Redis' rules for its users forbid would otherwise go unnoticed: those rooms hear nothing. */
static void listened_again(void *arg, enum store_result result, const char *why)
{
    struct bus *b = arg;
    if (result == STORE_REFUSED)
        log_error("some rooms cannot be listened to: %s", why);
    if (result != STORE_UNAVAILABLE)
        hub_rooms(b->gateway->hub, check_room, b);
}

static void store_came_up(void *ctx)
{
    struct bus *b = ctx;
    struct metrics *m = &b->gateway->metrics;
    b->trouble[0] = '\0';
    m->value[M_REDIS_UP] = 1;
    m->value[M_REDIS_RECONNECTS] += b->was_up;
    b->was_up = true;
    store_listen_channel(b->store, STORE_CONTROL);
    hub_rooms(b->gateway->hub, listen_again, b);
    b->gateway->keeper->again(b->gateway);
    store_settle(b->store, listened_again, b);
    tell(b, NULL);
}

/* --- a cluster's rooms move ---------------------------------------------------------------- */

struct moved {
    struct moved *next;
    size_t len;
    char room[];
};

static void forget_moved(struct moved **list)
{
    while (*list) {
        struct moved *one = *list;
        LL_DELETE(*list, one);
        free(one);
    }
}

static void moved_settled(void *arg, enum store_result result, const char *why);

static void settle_moved(struct bus *b)
{
    if (b->settled || !b->moved)
        return;
    b->settled = b->moved;
    b->moved = NULL;
    store_settle(b->store, moved_settled, b);
}

static void moved_settled(void *arg, enum store_result result, const char *why)
{
    struct bus *b = arg;
    struct moved *one;
    if (result == STORE_REFUSED)
        log_error("some rooms cannot be listened to: %s", why);
    LL_FOREACH (b->settled, one) {
        if (result != STORE_UNAVAILABLE)
            follow_check(b->follow, (struct span){one->room, one->len});
    }
    forget_moved(&b->settled);
    settle_moved(b);
}

/* What was kept meanwhile is read when it is listened to again. */
static void store_moved(void *ctx, struct span room)
{
    struct bus *b = ctx;
    if (!hub_place(b->gateway->hub, room))
        return;
    store_listen(b->store, &room, 1);
    struct moved *one = mem_alloc(sizeof(*one) + room.len);
    *one = (struct moved){.len = room.len};
    memcpy(one->room, room.at, room.len);
    LL_PREPEND(b->moved, one);
    settle_moved(b);
}

/* --- what the store tells ------------------------------------------------------------------ */

static void store_went_down(void *ctx, const char *why)
{
    struct bus *b = ctx;
    forget_moved(&b->moved);
    snprintf(b->trouble, sizeof(b->trouble), "%s", why);
    b->gateway->metrics.value[M_REDIS_UP] = 0;
    tell(b, b->trouble);
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
        e.from = store_from(b->store);
        if (e.id.len)
            follow_event(b->follow, room, &e, text);
        else if (fading_note(b->gateway->fading, room, &e))
            hub_deliver(b->gateway->hub, room, &e, text);
        return;
    }
    m->value[M_EVENTS_BAD]++;
    log_limited(LOG_KIND_BAD_EVENT, LOG_WARNING, "%.*s: not an event: %s", (int)room.len, room.at,
                f.text);
}

static void store_message(void *ctx, enum store_channel channel, struct span text)
{
    struct bus *b = ctx;
    if (b->heard)
        b->heard(b->gateway, channel, text);
}

static void store_adapter(void *ctx, const struct store_adapter *from, struct span message)
{
    struct bus *b = ctx;
    b->others->came(b->gateway, from, message);
}

static const struct store_hooks hooks = {
    .up = store_came_up,
    .down = store_went_down,
    .event = store_event,
    .message = store_message,
    .adapter = store_adapter,
    .moved = store_moved,
};

/* --- what came, in order and without a hole ----------------------------------------------- */

static struct place *place_of(void *ctx, struct span room)
{
    struct bus *b = ctx;
    return hub_place(b->gateway->hub, room);
}

static void deliver(void *ctx, struct span room, const struct event *e, struct span text)
{
    struct bus *b = ctx;
    struct event copy = *e;
    struct place at;
    copy.room = room;
    if (place_parse(e->id, &at) == 0)
        b->gateway->keeper->delivering(b->gateway, room, at);
    hub_deliver(b->gateway->hub, room, &copy, text);
}

static void notify(void *arg, struct session *s)
{
    static const struct request unasked;
    session_reply(s, &unasked, session_notices(s)->gap, arg);
}

static void tell_gap(void *ctx, struct span room, struct place after, struct place before)
{
    struct bus *b = ctx;
    struct json *data = bus_gap(room, after, before);
    b->gateway->metrics.value[M_GAPS]++;
    log_limited(LOG_KIND_GAP, LOG_WARNING, "%.*s: events are lost", (int)room.len, room.at);
    hub_members(b->gateway->hub, room, notify, data);
    json_free(data);
}

static void tell_trouble(void *ctx, struct span room, const char *why)
{
    struct bus *b = ctx;
    b->gateway->metrics.value[M_EVENTS_BAD]++;
    log_limited(LOG_KIND_BAD_EVENT, LOG_WARNING, "%.*s: history: %s", (int)room.len, room.at, why);
}

static const struct follow_hooks follow_hooks = {
    .place = place_of,
    .event = deliver,
    .gap = tell_gap,
    .trouble = tell_trouble,
};

struct json *bus_gap(struct span room, struct place after, struct place before)
{
    char text[PLACE_BYTES];
    struct json *data = json_new_object();
    json_add_span(data, "room", room);
    json_add_span(data, "after", place_format(after, text));
    json_add_span(data, "before", place_format(before, text));
    if (after.epoch == before.epoch)
        json_add_number(data, "missing", (double)(before.seq - after.seq - 1));
    return data;
}

void bus_take(struct bus *b, struct span room, const struct store_entry *entry,
              const struct event *e, bool seen)
{
    struct place *at = hub_place(b->gateway->hub, room);
    if (!at || is_unplaced(at) || place_compare(entry->place, *at) <= 0)
        return;
    if (!follow_continues(*at, seen, entry))
        return;
    *at = entry->place;
    deliver(b, room, e, entry->text);
}

void bus_catch_up(struct bus *b, struct span room)
{
    follow_check(b->follow, room);
}

/* --- opening and closing ------------------------------------------------------------------ */

struct bus *bus_open(struct gateway *g, const struct redis_address *address, bus_told *told,
                     void *ctx)
{
    struct bus *b = mem_zero(sizeof(*b));
    b->gateway = g;
    b->told = told;
    b->ctx = ctx;
    snprintf(b->trouble, sizeof(b->trouble), "%s: not connected yet", address->label);
    b->settlings_end = &b->settlings;
    b->store = store_open(g->loop, address, &hooks, b);
    b->follow = follow_new(b->store, &follow_hooks, b);
    store_probe(b->store, (int)g->settings.probe_ms);
    return b;
}

void bus_hear(struct bus *b, bus_heard *heard)
{
    b->heard = heard;
}

void bus_meet(struct bus *b, const struct bus_others *others)
{
    b->others = others;
}

void bus_close(struct bus *b)
{
    follow_free(b->follow);
    forget_moved(&b->moved);
    store_close(b->store);
    forget_moved(&b->settled);
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

/* --- publishing --------------------------------------------------------------------------- */

static void deliver_here(struct bus *b, struct event *e)
{
    struct buf text = {0};
    for (int i = 0; i < e->room_count; i++) {
        e->room = e->rooms[i];
        struct event shown = *e;
        shown.from = (struct span){0};
        buf_clear(&text);
        event_format(&shown, &text);
        if (fading_note(b->gateway->fading, e->room, e))
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
    struct buf note; /* for others */
};

static void submitted(void *arg, enum store_result result, const struct store_receipt *receipt,
                      const char *why)
{
    struct publication *p = arg;
    if (result == STORE_DONE)
        p->bus->gateway->metrics.value[M_EVENTS_OUT]++;
    if (result == STORE_DONE && !receipt->again && p->note.len)
        p->bus->others->pass(p->bus->gateway, buf_span(&p->note));
    p->done(p->arg, result, false, receipt, why);
    buf_fini(&p->note);
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
    *p = (struct publication){b, done, arg, {0}};
    if (b->others)
        b->others->note(b->gateway, e, &p->note);
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
