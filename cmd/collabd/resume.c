#include "resume.h"
#include "bus.h"
#include "clock.h"
#include "follow.h"
#include "hub.h"
#include "link.h"
#include "mem.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

enum {
    PAGE_ENTRIES = 200,
    STALLED_MS = 20, /* how often it is seen whether who was slow can take more */
    PATIENCE = 3,    /* reads in vain for what the node has delivered */
    CACHE_MS = 2000, /* how long what was read is kept for others who come back now */
    CACHE_ENTRIES = 1000,
    CACHE_BYTES = 1024 * 1024,
};

/* An unbroken stretch of a history, from the place after `from` on. */
struct cache {
    struct store_entry *entries; /* their texts are offsets into text */
    size_t count;
    struct buf text;
    struct place from;
    bool held;  /* there is one; it may be empty */
    bool whole; /* nothing came after it when it was read */
};

/* One session in one room. */
struct resumer {
    struct session *session;
    const struct resume_request *request;
    resume_done *done;
    void *arg;
    uint16_t sitting; /* by which it is held in the room */
    struct place at;  /* of the last event that it has */
    bool left;        /* the room */
    bool seen;        /* that event stood in the history, or comes before all */
    bool stalled;     /* it has enough to take for now */
    bool unavailable;
    struct json *gap; /* the first; NULL: none */
    const char *why;
    struct resumer *prev, *next;
};

/* A room that is being resumed. */
struct reader {
    struct resumes *all;
    UT_hash_handle hh;
    struct resumer *resumers;
    bool reading;
    struct place from; /* where the read that is under way begins */
    uint32_t life;     /* of the room, when that read began (hub_life) */
    int in_vain;
    struct cache cache;
    int64_t used_ms; /* steady */
    size_t len;
    char room[];
};

struct resumes {
    struct gateway *gateway;
    struct reader *readers;
    uv_timer_t stalled;
};

static struct span room_of(const struct reader *reader)
{
    return (struct span){reader->room, reader->len};
}

/* --- the end of it ------------------------------------------------------------------------ */

static void end_resumer(struct reader *reader, struct resumer *r)
{
    struct resume_result result = {.room = room_of(reader),
                                   .recovered = !r->why,
                                   .at = r->at,
                                   .gap = r->gap,
                                   .unavailable = r->unavailable,
                                   .left = r->left,
                                   .why = r->why};
    hub_let_go(reader->all->gateway->hub, r->session, room_of(reader), r->sitting);
    DL_DELETE(reader->resumers, r);
    r->done(r->arg, &result);
    json_free(r->gap);
    session_unref(r->session);
    free(r);
}

static void end_all_unavailable(struct reader *reader)
{
    struct resumer *r, *next;
    DL_FOREACH_SAFE (reader->resumers, r, next) {
        r->unavailable = true;
        if (!r->why)
            r->why = RESUME_UNAVAILABLE;
        end_resumer(reader, r);
    }
}

/* Those who are going, or have left the room meanwhile, and may have come back: what comes to them
 * now is another's to tell. */
static void drop_gone(struct reader *reader)
{
    struct hub *hub = reader->all->gateway->hub;
    struct resumer *r, *next;
    DL_FOREACH_SAFE (reader->resumers, r, next)
        if (session_is_closing(r->session) ||
            !hub_still_sits(hub, r->session, room_of(reader), r->sitting)) {
            r->left = true;
            r->why = RESUME_LEFT;
            end_resumer(reader, r);
        }
}

static void cache_clear(struct cache *c)
{
    free(c->entries);
    buf_fini(&c->text);
    *c = (struct cache){.held = false};
}

static void reader_free(struct reader *reader)
{
    assert(!reader->resumers && !reader->reading);
    cache_clear(&reader->cache);
    HASH_DEL(reader->all->readers, reader);
    free(reader);
}

/* --- an entry for a session --------------------------------------------------------------- */

static bool is_resumed(const struct resumer *r, struct span room)
{
    for (size_t i = 0; i < r->request->count; i++)
        if (span_is(room, r->request->points[i].room))
            return true;
    return false;
}

/* Whether the event comes to the session by a room before this one. */
static bool comes_earlier(const struct resumer *r, const struct event *e)
{
    int index = event_room_index(e);
    for (int i = 0; i < index; i++)
        if (is_resumed(r, e->rooms[i]))
            return true;
    return false;
}

static bool came_elsewhere(const struct resumer *r, const struct event *e)
{
    const struct hub *hub = r->session->gateway->hub;
    for (int i = 0; i < e->room_count; i++)
        if (!is_resumed(r, e->rooms[i]) && hub_is_in(hub, r->session, e->rooms[i]))
            return true;
    return false;
}

static void note_gap(struct resumer *r, struct span room, struct place before, const char *why)
{
    if (!r->gap)
        r->gap = bus_gap(room, r->at, before);
    if (!r->why)
        r->why = why;
}

/* Whether the read that has come back begins where the session's events go on, or before. */
static bool is_served(const struct reader *reader, const struct resumer *r)
{
    return !r->stalled && place_compare(r->at, reader->from) >= 0;
}

static int64_t waiting_bytes(const struct session *s)
{
    return s->link ? s->link->outbox.bytes : 0;
}

static bool has_enough(const struct session *s)
{
    return waiting_bytes(s) > s->gateway->settings.outbox_bytes_max / 2;
}

/* parcels: the event for those who ask for it, and for those for whom it has waited. */
static void hand_entry(struct reader *reader, struct resumer *r, const struct store_entry *entry,
                       struct parcel parcels[2])
{
    int order = place_compare(entry->place, r->at);
    if (order == 0)
        r->seen = true;
    if (order <= 0 || !is_served(reader, r))
        return;
    if (has_enough(r->session)) {
        r->stalled = true;
        return;
    }
    if (!follow_continues(r->at, r->seen, entry))
        note_gap(r, room_of(reader), entry->place,
                 r->at.epoch == entry->place.epoch || !r->at.epoch ? RESUME_TRIMMED
                                                                   : RESUME_RESTARTED);
    r->at = entry->place;
    r->seen = true;
    struct parcel *parcel = &parcels[r->request->waited];
    if (!parcel->event || comes_earlier(r, parcel->event) ||
        (r->request->late && came_elsewhere(r, parcel->event)))
        return;
    parcel_put(parcel, r->session);
    reader->all->gateway->metrics.value[M_WAITED] += r->request->waited;
}

static void hand_all(struct reader *reader, const struct store_entry *entry, bool seen)
{
    struct gateway *g = reader->all->gateway;
    struct resumer *r;
    struct event e;
    struct fault f;
    struct parcel parcels[2] = {{.catalog = g->catalog, .text = entry->text},
                                {.catalog = g->catalog, .text = entry->text, .waited = true}};
    if (event_parse(&e, entry->text, false, &f) == 0) {
        e.room = room_of(reader);
        parcels[0].event = parcels[1].event = &e;
    }
    DL_FOREACH (reader->resumers, r)
        hand_entry(reader, r, entry, parcels);
    if (parcels[0].event)
        bus_take(g->bus, room_of(reader), entry, &e, seen);
    parcel_fini(&parcels[0]);
    parcel_fini(&parcels[1]);
}

/* --- reading ------------------------------------------------------------------------------ */

static void read_on(struct reader *reader);

/* The session is let go; what the node has delivered and the history has no more is lost to it. */
static void let_go(struct reader *reader, struct resumer *r, const struct place *at)
{
    int order = at ? place_compare(r->at, *at) : 0;
    if (at && order < 0)
        note_gap(r, room_of(reader), (struct place){at->epoch, at->seq + 1}, RESUME_UNKNOWN);
    else if ((!at || order > 0) && !r->seen && !r->why)
        r->why = RESUME_UNKNOWN;
    end_resumer(reader, r);
}

/* All of the history is read. Either the node has delivered more by now, or it has yet to: both
 * read on; but not for ever. */
static void settle(struct reader *reader, struct place last)
{
    struct gateway *g = reader->all->gateway;
    const struct place *at = hub_place(g->hub, room_of(reader));
    struct resumer *r, *next;
    if (at && place_compare(*at, follow_anywhere) == 0)
        at = NULL;
    int order = at ? place_compare(*at, last) : 0;
    if (order != 0 && reader->in_vain++ < PATIENCE) {
        if (order < 0)
            bus_catch_up(g->bus, room_of(reader));
        return;
    }
    DL_FOREACH_SAFE (reader->resumers, r, next)
        if (is_served(reader, r))
            let_go(reader, r, at);
}

static struct place cache_last(const struct cache *c)
{
    return c->count ? c->entries[c->count - 1].place : c->from;
}

static void cache_add(struct cache *c, const struct store_entry *entry)
{
    c->entries = mem_resize(c->entries, (c->count + 1) * sizeof(*c->entries));
    c->entries[c->count] = *entry;
    c->entries[c->count++].text.at = NULL;
    buf_join(&c->text, entry->text);
}

/* Adds a page that goes on where the cache ends, or makes it the cache. What stands at `from`
 * itself is had by whoever resumes there, but only if it stands there is it known that none is
 * missing. */
static void keep_page(struct reader *reader, const struct store_page *page)
{
    struct cache *c = &reader->cache;
    size_t first = page->count && place_compare(page->entries[0].place, reader->from) == 0;
    bool anchored = first || reader->from.epoch == 0;
    if (c->held && (place_compare(cache_last(c), reader->from) != 0 || !anchored ||
                    c->count + page->count > CACHE_ENTRIES || c->text.len > CACHE_BYTES))
        cache_clear(c);
    if (!anchored)
        return;
    if (!c->held)
        *c = (struct cache){.from = reader->from, .held = true};
    for (size_t i = first; i < page->count; i++)
        cache_add(c, &page->entries[i]);
    c->whole = page->count < PAGE_ENTRIES;
}

/* Whether the cache has what comes after a place, or that nothing does. */
static bool is_cached(const struct cache *c, struct place at)
{
    if (!c->held || place_compare(at, c->from) < 0)
        return false;
    int order = place_compare(at, cache_last(c));
    return order < 0 || (order == 0 && c->whole);
}

static void settle_served(struct reader *reader, struct place last)
{
    struct resumer *r;
    DL_FOREACH (reader->resumers, r)
        if (is_served(reader, r) && place_compare(r->at, last) > 0)
            last = r->at;
    settle(reader, last);
}

/* Hands out what is in the cache. An id that is not in it never was one. */
static void serve_cached(struct reader *reader)
{
    struct cache *c = &reader->cache;
    struct resumer *r;
    size_t from = 0;
    reader->from = c->from;
    DL_FOREACH (reader->resumers, r)
        r->seen |= place_compare(r->at, c->from) == 0;
    for (size_t i = 0; i < c->count; i++) {
        struct store_entry entry = c->entries[i];
        entry.text.at = c->text.at + from;
        from += entry.text.len;
        hand_all(reader, &entry, true);
    }
    if (c->whole)
        settle_served(reader, cache_last(c));
}

/* Whether the last read began after the room was listened to this time. One that did not may lack
 * what was published in between, and nobody would hear of that. */
static bool is_of_this_life(const struct reader *reader)
{
    return reader->life == hub_life(reader->all->gateway->hub, room_of(reader));
}

static void take_page(struct reader *reader, const struct store_page *page)
{
    struct place last = page->count ? page->entries[page->count - 1].place : store_beginning;
    for (size_t i = 0; i < page->count; i++)
        hand_all(reader, &page->entries[i], i > 0);
    keep_page(reader, page);
    if (page->count > 1)
        reader->in_vain = 0;
    if (page->count < PAGE_ENTRIES)
        settle_served(reader, last);
}

static void on_page(void *arg, enum store_result result, const struct store_page *page,
                    const char *why)
{
    struct reader *reader = arg;
    (void)why;
    reader->reading = false;
    drop_gone(reader);
    if (result != STORE_DONE)
        end_all_unavailable(reader);
    else if (is_of_this_life(reader))
        take_page(reader, page);
    read_on(reader);
}

/* The session that has the least; NULL: none can take anything now. */
static struct resumer *find_first(struct reader *reader)
{
    struct resumer *first = NULL, *r;
    DL_FOREACH (reader->resumers, r)
        if (!r->stalled && (!first || place_compare(r->at, first->at) < 0))
            first = r;
    return first;
}

static void on_stalled(uv_timer_t *timer);

/* Nobody is resuming just now: what was read is kept for a while. */
static void rest(struct reader *reader)
{
    struct resumes *all = reader->all;
    if (!reader->cache.held) {
        reader_free(reader);
        return;
    }
    if (!uv_is_active((uv_handle_t *)&all->stalled))
        uv_timer_start(&all->stalled, on_stalled, CACHE_MS, 0);
}

static void read_page(struct reader *reader, struct place from)
{
    struct gateway *g = reader->all->gateway;
    struct store_stretch stretch = {from, store_end, PAGE_ENTRIES, STORE_OLDEST_FIRST};
    reader->reading = true;
    reader->from = from;
    reader->life = hub_life(g->hub, room_of(reader));
    g->metrics.value[M_HISTORY_READS]++;
    store_read(bus_store(g->bus), room_of(reader), &stretch, on_page, reader);
}

static void read_on(struct reader *reader)
{
    struct resumes *all = reader->all;
    const struct resumer *first = find_first(reader);
    reader->used_ms = clock_steady_ms();
    if (!is_of_this_life(reader))
        cache_clear(&reader->cache);
    if (first && is_cached(&reader->cache, first->at)) {
        serve_cached(reader);
        first = find_first(reader);
    }
    if (!reader->resumers)
        rest(reader);
    else if (!first)
        uv_timer_start(&all->stalled, on_stalled, STALLED_MS, 0);
    else
        read_page(reader, first->at);
}

/* --- who was slow ------------------------------------------------------------------------- */

static void wake(struct reader *reader)
{
    struct resumer *r;
    int64_t most = reader->all->gateway->settings.outbox_bytes_max;
    drop_gone(reader);
    DL_FOREACH (reader->resumers, r)
        if (r->stalled && waiting_bytes(r->session) < most / 4)
            r->stalled = false;
    read_on(reader);
}

static void on_stalled(uv_timer_t *timer)
{
    struct resumes *all = timer->data;
    struct reader *reader, *next;
    int64_t now_ms = clock_steady_ms();
    bool kept = false;
    HASH_ITER (hh, all->readers, reader, next) {
        if (reader->reading)
            continue;
        if (reader->resumers)
            wake(reader);
        else if (now_ms - reader->used_ms >= CACHE_MS)
            reader_free(reader);
        else
            kept = true;
    }
    if (kept && !uv_is_active((uv_handle_t *)timer))
        uv_timer_start(timer, on_stalled, CACHE_MS, 0);
}

/* --- public ------------------------------------------------------------------------------- */

struct resumes *resumes_new(struct gateway *g)
{
    struct resumes *all = mem_zero(sizeof(*all));
    all->gateway = g;
    uv_timer_init(g->loop, &all->stalled);
    all->stalled.data = all;
    return all;
}

static void timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void resumes_free(struct resumes *all)
{
    struct reader *reader, *next;
    HASH_ITER (hh, all->readers, reader, next) {
        end_all_unavailable(reader);
        reader_free(reader);
    }
    uv_close((uv_handle_t *)&all->stalled, timer_closed);
}

static struct reader *find_reader(struct resumes *all, struct span room)
{
    struct reader *reader;
    HASH_FIND(hh, all->readers, room.at, room.len, reader);
    if (reader)
        return reader;
    reader = mem_zero(sizeof(*reader) + room.len);
    reader->all = all;
    reader->len = room.len;
    memcpy(reader->room, room.at, room.len);
    HASH_ADD(hh, all->readers, room, room.len, reader);
    return reader;
}

void resume_room(struct session *s, const struct resume_point *point,
                 const struct resume_request *request, resume_done *done, void *arg)
{
    struct resumes *all = s->gateway->resumes;
    struct reader *reader = find_reader(all, span_of(point->room));
    struct resumer *r = mem_zero(sizeof(*r));
    r->session = session_ref(s);
    r->request = request;
    r->done = done;
    r->arg = arg;
    r->sitting = point->sitting;
    r->at = point->since;
    r->seen = point->since.epoch == 0;
    DL_APPEND(reader->resumers, r);
    reader->in_vain = 0;
    s->gateway->metrics.value[M_RESUMES]++;
    if (reader->reading)
        return;
    drop_gone(reader);
    read_on(reader);
}
