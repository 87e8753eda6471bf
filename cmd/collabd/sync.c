#include "sync.h"
#include "admit.h"
#include "bus.h"
#include "clock.h"
#include "follow.h"
#include "hub.h"
#include "mem.h"
#include "reply.h"
#include "room.h"
#include <stdlib.h>
#include <string.h>

enum { LIMIT_PRESET = 100, LIMIT_MAX = 1000, ROOMS_MAX = 100, PAGE_ENTRIES = 500 };

/* One end of what is asked for. */
struct bound {
    bool given;
    int64_t ms;  /* wall clock; -1: it is a place of each room */
    char *rooms; /* JSON: {"ROOM":"ID"} */
};

struct sync {
    struct waiting *reply;
    struct json *rooms; /* of the reply */
    struct buf events;  /* of the reply: elements of a list */
    struct bound since, before;
    int64_t limit;
    enum store_order order;
    char **asked; /* rooms, in order */
    size_t asked_count;
    int outstanding;
};

/* One room of it. */
struct part {
    struct sync *sync;
    const char *room; /* of sync->asked */
    struct place since, before, cursor;
    int64_t count;
    struct place last; /* of the last event that was taken */
    bool more;         /* there are others */
    bool complete;     /* none is missing at its beginning */
    bool begun;
};

/* --- the reply ---------------------------------------------------------------------------- */

static void bound_fini(struct bound *b)
{
    free(b->rooms);
}

static void sync_free(struct sync *y)
{
    for (size_t i = 0; i < y->asked_count; i++)
        free(y->asked[i]);
    free(y->asked);
    bound_fini(&y->since);
    bound_fini(&y->before);
    buf_fini(&y->events);
    free(y);
}

static void end_sync(struct sync *y)
{
    if (--y->outstanding)
        return;
    struct buf list = {0};
    buf_char(&list, '[');
    buf_join(&list, buf_span(&y->events));
    buf_char(&list, ']');
    json_add_raw(y->reply->data, "events", buf_span(&list));
    reply_done(y->reply);
    buf_fini(&list);
    sync_free(y);
}

static void end_part(struct part *p, const char *code)
{
    struct json *one = json_add_object(p->sync->rooms, p->room);
    char id[PLACE_BYTES];
    if (code) {
        json_add_text(one, "code", code);
    } else {
        json_add_bool(one, "complete", p->complete);
        json_add_bool(one, "more", p->more);
        if (p->count)
            json_add_span(one, "last", place_format(p->last, id));
    }
    struct sync *y = p->sync;
    free(p);
    end_sync(y);
}

/* --- the history -------------------------------------------------------------------------- */

static bool is_asked(const struct sync *y, struct span room)
{
    for (size_t i = 0; i < y->asked_count; i++)
        if (span_is(room, y->asked[i]))
            return true;
    return false;
}

/* Whether the event comes by a room before this one. */
static bool comes_earlier(const struct part *p, struct span text)
{
    struct event e;
    struct fault f;
    if (event_parse(&e, text, false, &f) != 0)
        return true;
    e.room = span_of(p->room);
    int index = event_room_index(&e);
    for (int i = 0; i < index; i++)
        if (is_asked(p->sync, e.rooms[i]))
            return true;
    return false;
}

static bool is_full(const struct part *p)
{
    const struct sync *y = p->sync;
    int64_t most = y->reply->session->gateway->settings.outbox_bytes_max / 4;
    return p->count == y->limit || (int64_t)y->events.len > most;
}

static bool is_within(const struct part *p, const struct store_entry *e)
{
    const struct bound *since = &p->sync->since, *before = &p->sync->before;
    if (since->given && since->ms >= 0 && e->kept_ms <= since->ms)
        return false;
    if (before->given && before->ms >= 0 && e->kept_ms >= before->ms)
        return false;
    return place_compare(e->place, p->since) > 0 && place_compare(e->place, p->before) < 0;
}

/* What is first in the history tells whether something before it is missing. */
static void look_at_first(struct part *p, const struct store_entry *e)
{
    const struct bound *since = &p->sync->since;
    p->begun = true;
    if (since->given && since->ms >= 0)
        p->complete = e->place.seq == 0 || e->kept_ms <= since->ms;
    else
        p->complete =
            place_compare(e->place, p->since) == 0 || follow_continues(p->since, false, e);
}

/* Returns whether there may be more to take. */
static bool take_entry(struct part *p, const struct store_entry *e)
{
    struct sync *y = p->sync;
    if (!p->begun && y->order == STORE_OLDEST_FIRST)
        look_at_first(p, e);
    if (!is_within(p, e))
        return true;
    if (is_full(p)) {
        p->more = true;
        return false;
    }
    p->last = e->place;
    p->count++;
    if (comes_earlier(p, e->text))
        return true;
    if (y->events.len)
        buf_char(&y->events, ',');
    session_embed(y->reply->session, e->text, &y->events);
    return true;
}

static void read_stretch(struct part *p, struct place first, struct place last, size_t most,
                         enum store_order order, store_read_done *done)
{
    struct store_stretch stretch = {first, last, most, order};
    store_read(bus_store(p->sync->reply->session->gateway->bus), span_of(p->room), &stretch, done,
               p);
}

static void on_first(void *arg, enum store_result result, const struct store_page *page,
                     const char *why)
{
    struct part *p = arg;
    (void)why;
    if (result == STORE_DONE && page->count)
        look_at_first(p, &page->entries[0]);
    end_part(p, result == STORE_DONE ? NULL : error_name(ERROR_UNAVAILABLE));
}

/* With the newest first, what is first in the history may not have been among what was read. It is
 * looked at after that, so that what went meanwhile is told of. */
static void end_pages(struct part *p)
{
    if (p->sync->order == STORE_NEWEST_FIRST)
        read_stretch(p, p->since, store_end, 1, STORE_OLDEST_FIRST, on_first);
    else
        end_part(p, NULL);
}

static void read_on(struct part *p);

static void on_page(void *arg, enum store_result result, const struct store_page *page,
                    const char *why)
{
    struct part *p = arg;
    bool goes_on = true;
    (void)why;
    if (result != STORE_DONE) {
        end_part(p, error_name(ERROR_UNAVAILABLE));
        return;
    }
    for (size_t i = 0; goes_on && i < page->count; i++)
        goes_on = take_entry(p, &page->entries[i]);
    if (!goes_on || page->count < PAGE_ENTRIES) {
        end_pages(p);
        return;
    }
    p->cursor = page->entries[page->count - 1].place;
    read_on(p);
}

static void read_on(struct part *p)
{
    if (p->sync->order == STORE_NEWEST_FIRST)
        read_stretch(p, p->since, p->cursor, PAGE_ENTRIES, STORE_NEWEST_FIRST, on_page);
    else
        read_stretch(p, p->cursor, store_end, PAGE_ENTRIES, STORE_OLDEST_FIRST, on_page);
}

static void judged(void *arg, enum admission result, const char *why)
{
    struct part *p = arg;
    (void)why;
    if (result == ADMITTED)
        read_on(p);
    else
        end_part(p, error_name(result == NOT_KNOWN ? ERROR_UNAVAILABLE : ERROR_FORBIDDEN));
}

/* --- the request -------------------------------------------------------------------------- */

static struct place bound_place(const struct bound *b, const char *room, struct place otherwise)
{
    struct span id;
    struct place p;
    if (b->rooms && json_get(span_of(b->rooms), room, &id) && json_type(id) == JSON_STRING &&
        place_parse(json_inside(id), &p) == 0)
        return p;
    return otherwise;
}

static void start_part(struct sync *y, const char *room)
{
    struct session *s = y->reply->session;
    struct part *p = mem_zero(sizeof(*p));
    p->sync = y;
    p->room = room;
    p->since = bound_place(&y->since, room, store_beginning);
    p->before = bound_place(&y->before, room, store_end);
    p->cursor = y->order == STORE_OLDEST_FIRST ? p->since : p->before;
    p->complete = p->since.epoch == 0;
    y->outstanding++;
    if (hub_is_in(s->gateway->hub, s, span_of(room)))
        read_on(p);
    else
        admit(s, span_of(room), judged, p);
}

static bool read_time(struct span value, int64_t *ms)
{
    if (json_type(value) == JSON_NUMBER)
        return json_int(value, ms) == 0 && *ms >= 0;
    return json_type(value) == JSON_STRING && clock_parse_stamp(json_inside(value), ms) == 0;
}

static bool read_bound(const struct request *r, enum catalog_argument which, struct bound *b)
{
    struct span value;
    if (!r->data.len || json_type(r->data) != JSON_OBJECT ||
        !catalog_take(r->message, which, r->data, &value))
        return true;
    b->given = true;
    b->ms = -1;
    if (json_type(value) != JSON_OBJECT)
        return read_time(value, &b->ms);
    b->rooms = span_text(value);
    return true;
}

static bool read_order(const struct request *r, struct sync *y)
{
    struct span value;
    if (!r->data.len || !catalog_take(r->message, CATALOG_ORDER, r->data, &value))
        return true;
    if (json_string_is(value, "newest"))
        y->order = STORE_NEWEST_FIRST;
    return y->order == STORE_NEWEST_FIRST || json_string_is(value, "oldest");
}

static bool read_limit(const struct request *r, struct sync *y)
{
    struct span value;
    y->limit = LIMIT_PRESET;
    if (!r->data.len || !catalog_take(r->message, CATALOG_LIMIT, r->data, &value))
        return true;
    return json_type(value) == JSON_NUMBER && json_int(value, &y->limit) == 0 && y->limit >= 1 &&
           y->limit <= LIMIT_MAX;
}

static void add_room(void *arg, struct span room)
{
    struct sync *y = arg;
    if (y->asked_count == ROOMS_MAX || is_asked(y, room))
        return;
    y->asked = mem_resize(y->asked, (y->asked_count + 1) * sizeof(*y->asked));
    y->asked[y->asked_count++] = span_text(room);
}

/* By the message's templates, by a list, or all that the session is in. */
static int find_rooms(struct session *s, const struct request *r, struct sync *y, struct fault *f)
{
    struct route_rooms routed = {.count = 0};
    struct span list, room;
    if (r->message->route.to_count && catalog_message_route(r->message, r->data, &routed, f) != 0)
        return -1;
    for (int i = 0; i < routed.count; i++)
        add_room(y, routed.at[i]);
    if (r->data.len && json_type(r->data) == JSON_OBJECT &&
        catalog_take(r->message, CATALOG_ROOMS, r->data, &list)) {
        for (struct json_walk w = json_walk(list); json_next_element(&w, &room);) {
            if (json_type(room) != JSON_STRING)
                return fault_set(f, "rooms: a room is a string");
            if (room_check(json_inside(room), f) != 0)
                return -1;
            add_room(y, json_inside(room));
        }
    } else if (!routed.count) {
        hub_rooms_of(s, add_room, y);
    }
    return 0;
}

static int read_request(struct session *s, const struct request *r, struct sync *y, struct fault *f)
{
    if (r->data.len && json_type(r->data) != JSON_OBJECT)
        return fault_set(f, "data: must be an object");
    if (!read_bound(r, CATALOG_SINCE, &y->since) || !read_bound(r, CATALOG_BEFORE, &y->before))
        return fault_set(f, "since, before: must be a time, or the id of each room");
    if (!read_order(r, y))
        return fault_set(f, "order: must be \"oldest\" or \"newest\"");
    if (!read_limit(r, y))
        return fault_set(f, "limit: must be a number from 1 to %d", LIMIT_MAX);
    return find_rooms(s, r, y, f);
}

void sync_rooms(struct session *s, const struct request *r)
{
    struct sync *y = mem_zero(sizeof(*y));
    struct fault f;
    if (read_request(s, r, y, &f) != 0) {
        session_refuse(s, r, ERROR_BAD_MESSAGE, f.text, NULL);
        sync_free(y);
        return;
    }
    y->reply = reply_wait(s, r, json_new_object());
    y->rooms = json_add_object(y->reply->data, "rooms");
    y->outstanding = 1;
    for (size_t i = 0; i < y->asked_count; i++)
        start_part(y, y->asked[i]);
    end_sync(y);
}
