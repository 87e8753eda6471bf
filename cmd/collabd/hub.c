#include "hub.h"
#include "keeper.h"
#include "mem.h"
#include "signals.h"
#include "table.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* The room's side of a membership. */
struct member {
    struct session *session;
    uint32_t seat; /* index in the session's seats */
    uint32_t held; /* so many times */
};

struct room {
    struct table_node node; /* by name */
    struct member *members;
    uint32_t count, cap;
    struct place place;
    struct hub_mark mark;
    uint32_t life;
    char name[];
};

struct hub {
    struct gateway *gateway;
    struct table rooms;
    uint32_t lives; /* of rooms, so far */
    hub_gone *room_gone;
    void *ctx;
    struct buf signal;   /* the name of the one being delivered */
    uint64_t deliveries; /* the mark of the last one that had to leave members out */
};

struct hub *hub_new(struct gateway *g, hub_gone *room_gone, void *ctx)
{
    struct hub *h = mem_zero(sizeof(*h));
    h->gateway = g;
    h->room_gone = room_gone;
    h->ctx = ctx;
    return h;
}

void hub_free(struct hub *h)
{
    assert(!h->rooms.count);
    table_fini(&h->rooms);
    buf_fini(&h->signal);
    free(h);
}

static const struct keeper *keeper_of(const struct hub *h)
{
    return h->gateway->keeper;
}

static struct room *find_room(const struct hub *h, struct span name)
{
    return table_find(&h->rooms, name);
}

static struct room *make_room(struct hub *h, struct span name)
{
    struct room *room = mem_zero(sizeof(*room) + name.len + 1);
    h->lives = h->lives == UINT32_MAX ? 1 : h->lives + 1;
    room->life = h->lives;
    room->place = (struct place){UINT64_MAX, 0}; /* follow_anywhere */
    memcpy(room->name, name.at, name.len);
    table_add(&h->rooms, &room->node, (struct span){room->name, name.len});
    h->gateway->metrics.value[M_ROOMS]++;
    return room;
}

static void drop_room(struct hub *h, struct room *room)
{
    h->room_gone(h->ctx, table_name(&room->node));
    table_remove(&h->rooms, &room->node);
    h->gateway->metrics.value[M_ROOMS]--;
    free(room->members);
    free(room);
}

/* The index of the session's seat in the room, or -1; the shorter of both lists is searched. */
static int64_t find_seat(const struct session *s, const struct room *room)
{
    if (s->seat_count <= room->count) {
        for (uint32_t i = 0; i < s->seat_count; i++)
            if (s->seats[i].room == room)
                return i;
        return -1;
    }
    for (uint32_t i = 0; i < room->count; i++)
        if (room->members[i].session == s)
            return room->members[i].seat;
    return -1;
}

static void take_seat(struct session *s, struct room *room)
{
    if (s->seat_count == s->seat_cap) {
        s->seat_cap = s->seat_cap ? s->seat_cap * 2 : 1;
        s->seats = mem_resize(s->seats, s->seat_cap * sizeof(struct seat));
    }
    if (room->count == room->cap) {
        room->cap = room->cap ? room->cap * 2 : 1;
        room->members = mem_resize(room->members, room->cap * sizeof(struct member));
    }
    room->members[room->count] = (struct member){s, s->seat_count, 0};
    s->sittings = s->sittings == UINT16_MAX ? 1 : s->sittings + 1;
    s->seats[s->seat_count++] =
        (struct seat){.room = room, .at = room->count++, .sitting = s->sittings};
}

/* The last of each list moves into the gap. */
static void leave_seat(struct session *s, uint32_t index)
{
    struct seat seat = s->seats[index];
    struct room *room = seat.room;
    struct member last = room->members[--room->count];
    room->members[seat.at] = last;
    last.session->seats[last.seat].at = seat.at;

    struct seat moved = s->seats[--s->seat_count];
    if (index == s->seat_count)
        return;
    s->seats[index] = moved;
    moved.room->members[moved.at].seat = index;
}

enum hub_joined hub_join(struct hub *h, struct session *s, struct span name)
{
    struct room *room = find_room(h, name);
    enum hub_joined joined = room ? HUB_JOINED : HUB_FIRST;
    if (!room)
        room = make_room(h, name);
    else if (find_seat(s, room) >= 0)
        return HUB_ALREADY;
    take_seat(s, room);
    keeper_of(h)->joined(s, name);
    s->seats[s->seat_count - 1].since = keeper_of(h)->serial(h->gateway);
    h->gateway->metrics.value[M_JOINS]++;
    return joined;
}

bool hub_is_in(const struct hub *h, const struct session *s, struct span name)
{
    const struct room *room = find_room(h, name);
    return room && find_seat(s, room) >= 0;
}

struct seat *hub_seat(const struct hub *h, struct session *s, struct span name)
{
    const struct room *room = find_room(h, name);
    int64_t index = room ? find_seat(s, room) : -1;
    return index >= 0 ? &s->seats[index] : NULL;
}

struct span hub_seat_room(const struct session *s, uint32_t index)
{
    const struct room *room = s->seats[index].room;
    return table_name(&room->node);
}

static void leave(struct hub *h, struct session *s, uint32_t index)
{
    struct room *room = s->seats[index].room;
    leave_seat(s, index);
    keeper_of(h)->changed(s);
    h->gateway->metrics.value[M_JOINS]--;
    if (!room->count)
        drop_room(h, room);
}

bool hub_leave(struct hub *h, struct session *s, struct span name)
{
    struct room *room = find_room(h, name);
    int64_t index = room ? find_seat(s, room) : -1;
    if (index < 0)
        return false;
    leave(h, s, (uint32_t)index);
    return true;
}

void hub_leave_all(struct hub *h, struct session *s)
{
    while (s->seat_count)
        leave(h, s, s->seat_count - 1);
}

void hub_rooms_of(const struct session *s, hub_own_room *each, void *arg)
{
    for (uint32_t i = 0; i < s->seat_count; i++)
        each(arg, table_name(&s->seats[i].room->node));
}

static void seat_changed(struct hub *h, struct session *s, struct seat *seat)
{
    seat->since = keeper_of(h)->serial(h->gateway);
    keeper_of(h)->changed(s);
}

uint16_t hub_hold(struct hub *h, struct session *s, struct span name)
{
    struct seat *seat = hub_seat(h, s, name);
    if (!seat)
        return 0;
    if (!seat->room->members[seat->at].held++)
        seat_changed(h, s, seat);
    return seat->sitting;
}

void hub_let_go(struct hub *h, struct session *s, struct span name, uint16_t sitting)
{
    struct seat *seat = hub_seat(h, s, name);
    if (!seat || seat->sitting != sitting)
        return;
    uint32_t *held = &seat->room->members[seat->at].held;
    assert(*held);
    if (!--*held)
        seat_changed(h, s, seat);
}

bool hub_still_sits(const struct hub *h, const struct session *s, struct span name,
                    uint16_t sitting)
{
    const struct room *room = find_room(h, name);
    int64_t index = room ? find_seat(s, room) : -1;
    return index >= 0 && s->seats[index].sitting == sitting;
}

uint32_t hub_life(const struct hub *h, struct span name)
{
    const struct room *room = find_room(h, name);
    return room ? room->life : 0;
}

struct hub_mark *hub_mark(struct hub *h, struct span name)
{
    struct room *room = find_room(h, name);
    return room ? &room->mark : NULL;
}

void hub_set_since(struct hub *h, struct span name, uint64_t serial)
{
    const struct room *room = find_room(h, name);
    for (uint32_t m = 0; room && m < room->count; m++) {
        struct session *s = room->members[m].session;
        s->seats[room->members[m].seat].since = serial;
        keeper_of(h)->changed(s);
    }
}

bool hub_is_seat_held(const struct session *s, uint32_t index)
{
    return s->seats[index].room->members[s->seats[index].at].held > 0;
}

bool hub_is_held(const struct session *s)
{
    for (uint32_t i = 0; i < s->seat_count; i++)
        if (hub_is_seat_held(s, i))
            return true;
    return false;
}

struct place *hub_place(struct hub *h, struct span name)
{
    struct room *room = find_room(h, name);
    return room ? &room->place : NULL;
}

struct place hub_seat_place(const struct session *s, uint32_t index)
{
    return s->seats[index].room->place;
}

void hub_members(const struct hub *h, struct span name, hub_member *each, void *arg)
{
    const struct room *room = find_room(h, name);
    for (uint32_t m = 0; room && m < room->count; m++)
        if (!room->members[m].held)
            each(arg, room->members[m].session);
}

/* --- gathering ---------------------------------------------------------------------------- */

/* The next name of a list. Rooms and ids have nothing that JSON escapes. */
static bool next_name(struct json_walk *w, struct span *name)
{
    struct span value;
    while (json_next_element(w, &value)) {
        if (json_type(value) != JSON_STRING)
            continue;
        *name = json_inside(value);
        return true;
    }
    return false;
}

static void mark_named(struct hub *h, struct span name)
{
    const struct room *room = find_room(h, name);
    struct session *s = session_find(h->gateway, name);
    for (uint32_t m = 0; room && m < room->count; m++)
        room->members[m].session->mark = h->deliveries;
    if (s)
        s->mark = h->deliveries;
}

/* Unless it was marked before, for whatever reason. */
static void pick(struct hub *h, struct session *s, struct span nsp, struct span room,
                 struct hub_group *out)
{
    if (s->mark == h->deliveries || !s->who || session_is_closing(s) ||
        !span_equal(s->codec->nsp, nsp))
        return;
    s->mark = h->deliveries;
    if (out->count == out->cap) {
        out->cap = out->cap ? out->cap * 2 : 16;
        out->at = mem_resize(out->at, out->cap * sizeof(*out->at));
    }
    out->at[out->count++] = (struct hub_pick){session_ref(s), room};
}

static void pick_named(struct hub *h, struct span nsp, struct span name, struct hub_group *out)
{
    const struct room *room = find_room(h, name);
    struct session *s = session_find(h->gateway, name);
    for (uint32_t m = 0; room && m < room->count; m++)
        pick(h, room->members[m].session, nsp, name, out);
    if (s)
        pick(h, s, nsp, (struct span){0}, out);
}

void hub_gather(struct hub *h, struct span nsp, struct span rooms, struct span except,
                struct hub_group *out)
{
    struct json_walk w = json_walk(except);
    struct span name;
    struct session *s, *next;
    h->deliveries++;
    while (next_name(&w, &name))
        mark_named(h, name);
    if (!rooms.len)
        TABLE_EACH (&h->gateway->sessions, s, next)
            pick(h, s, nsp, (struct span){0}, out);
    for (w = json_walk(rooms); next_name(&w, &name);)
        pick_named(h, nsp, name, out);
}

void hub_group_fini(struct hub_group *group)
{
    for (size_t i = 0; i < group->count; i++)
        session_unref(group->at[i].session);
    free(group->at);
    *group = (struct hub_group){0};
}

/* --- delivering --------------------------------------------------------------------------- */

/* A reference; NULL: nothing is to be said. */
static struct frame *parcel_frame(struct parcel *p, const struct codec *codec)
{
    struct frame **frame = &p->frames[codec->index];
    if (!*frame)
        *frame = p->waited ? codec->waited(codec, p->catalog, p->event, p->text)
                           : codec->event(codec, p->catalog, p->event, p->text);
    return *frame ? frame_ref(*frame) : NULL;
}

void parcel_put(struct parcel *p, struct session *s)
{
    session_put(s, parcel_frame(p, s->codec));
}

void parcel_fini(struct parcel *p)
{
    for (int i = 0; i < CODECS_MAX; i++)
        if (p->frames[i])
            frame_unref(p->frames[i]);
}

/* Marks all members of the rooms that come before this copy's: they get, or got, the event there.
 */
static void mark_earlier(struct hub *h, const struct event *e, int index)
{
    h->deliveries++;
    for (int i = 0; i < index; i++) {
        struct room *room = find_room(h, e->rooms[i]);
        for (uint32_t m = 0; room && m < room->count; m++)
            room->members[m].session->mark = h->deliveries;
    }
}

static bool has_said_it(const struct session *s, const struct event *e)
{
    return e->from.len && span_is(e->from, s->id);
}

static void signal_each(struct parcel *p, struct session *s, const struct catalog_event *rule,
                        struct span name)
{
    struct frame *frame = parcel_frame(p, s->codec);
    if (frame)
        signal_put(s, rule, name, frame);
}

void hub_deliver(struct hub *h, struct span name, const struct event *e, struct span text)
{
    struct room *room = find_room(h, name);
    if (!room)
        return;
    int index = event_room_index(e);
    if (index > 0)
        mark_earlier(h, e, index);
    struct parcel parcel = {.catalog = h->gateway->catalog, .event = e, .text = text};
    const struct catalog_event *rule = catalog_event(parcel.catalog, e->type);
    bool is_signal = rule && rule->class == CATALOG_SIGNAL;
    int64_t delivered = 0;
    if (is_signal)
        signal_name(rule, e, &h->signal);
    for (uint32_t m = 0; m < room->count; m++) {
        struct session *s = room->members[m].session;
        if ((index > 0 && s->mark == h->deliveries) || (room->members[m].held && e->id.len))
            continue;
        if (has_said_it(s, e))
            continue;
        if (is_signal)
            signal_each(&parcel, s, rule, buf_span(&h->signal));
        else
            parcel_put(&parcel, s);
        delivered++;
    }
    h->gateway->metrics.value[M_DELIVERIES] += delivered;
    parcel_fini(&parcel);
}

void hub_rooms(const struct hub *h, hub_each *each, void *arg)
{
    struct room *room, *next;
    TABLE_EACH (&h->rooms, room, next)
        each(arg, table_name(&room->node), room->count);
}

size_t hub_room_count(const struct hub *h)
{
    return h->rooms.count;
}
