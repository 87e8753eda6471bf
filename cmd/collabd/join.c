#include "join.h"
#include "admit.h"
#include "away.h"
#include "bus.h"
#include "expiry.h"
#include "hub.h"
#include "keeper.h"
#include "mem.h"
#include "presence.h"
#include "room.h"
#include "signals.h"
#include "store_member.h"
#include <stdlib.h>

/* --- in and out --------------------------------------------------------------------------- */

void join_enter(struct session *s, struct span room)
{
    bus_join(s->gateway->bus, s, room);
    presence_enter(s, room, admit_is_free(s, room));
}

bool join_leave(struct session *s, struct span room)
{
    presence_leave(s, room);
    away_leave(s, room);
    return hub_leave(s->gateway->hub, s, room);
}

bool join_place(struct session *s, struct span room)
{
    struct gateway *g = s->gateway;
    bool is_new = !hub_is_in(g->hub, s, room);
    if (is_new && s->seat_count >= g->limits.rooms)
        return false;
    join_enter(s, room);
    hub_seat(g->hub, s, room)->placed = true;
    g->keeper->changed(s);
    return is_new;
}

void join_leave_all(struct session *s)
{
    presence_gone(s);
    expiry_gone(s);
    signal_drop(s);
    hub_leave_all(s->gateway->hub, s);
}

/* --- joined by themselves ----------------------------------------------------------------- */

/* Own rooms being joined. */
struct own {
    struct session *session;
    join_done *done;
    void *arg;
    int outstanding; /* rooms being judged, and their being found */
};

struct own_room {
    struct own *own;
    struct buf room;
};

static void own_unref(struct own *o)
{
    if (--o->outstanding)
        return;
    o->done(o->arg);
    session_unref(o->session);
    free(o);
}

static bool may_enter(const struct session *s, struct span room)
{
    const struct gateway *g = s->gateway;
    return !session_is_closing(s) &&
           (s->seat_count < g->limits.rooms || hub_is_in(g->hub, s, room));
}

static void enter_own(struct session *s, struct span room)
{
    bool was_in = hub_is_in(s->gateway->hub, s, room);
    join_enter(s, room);
    if (!was_in)
        away_join(s, room);
}

static void own_judged(void *arg, enum admission result, const char *why)
{
    struct own_room *r = arg;
    (void)why;
    if (result == NOT_KNOWN)
        r->own->session->unplaced = true;
    if (result == ADMITTED && may_enter(r->own->session, buf_span(&r->room)))
        enter_own(r->own->session, buf_span(&r->room));
    buf_fini(&r->room);
    own_unref(r->own);
    free(r);
}

static bool is_automatic(const struct session *s, struct span room, unsigned way)
{
    const struct catalog_room *rule = catalog_room(s->gateway->catalog, room, NULL);
    return rule && rule->automatic && rule->join & way;
}

static void judge_own(struct own *o, struct span room)
{
    struct own_room *r = mem_zero(sizeof(*r));
    r->own = o;
    buf_join(&r->room, room);
    o->outstanding++;
    admit(o->session, buf_span(&r->room), own_judged, r);
}

static void take_member_room(void *arg, struct span room, struct span role)
{
    struct own *o = arg;
    struct fault f;
    (void)role;
    if (!session_is_closing(o->session) && room_check(room, &f) == 0 &&
        is_automatic(o->session, room, CATALOG_MEMBER))
        judge_own(o, room);
}

static void member_rooms_found(void *arg, enum store_result result, const char *why)
{
    struct own *o = arg;
    (void)why;
    if (result != STORE_DONE)
        o->session->unplaced = true;
    own_unref(o);
}

static bool has_member_rooms(const struct catalog *c)
{
    for (size_t i = 0; i < c->room_count; i++)
        if (c->rooms[i].automatic && c->rooms[i].join & CATALOG_MEMBER)
            return true;
    return false;
}

static void join_rooms_of_all(struct session *s)
{
    const struct catalog *c = s->gateway->catalog;
    char room[ROOM_BYTES_MAX];
    struct fault f;
    for (size_t i = 0; i < c->room_count; i++) {
        const struct catalog_room *rule = &c->rooms[i];
        if (!rule->automatic)
            continue;
        if (rule->join & CATALOG_ANY && !rule->pattern.open && !shape_slots(&rule->pattern))
            enter_own(s, span_of(rule->pattern.text));
        if (!(rule->join & CATALOG_SELF))
            continue;
        int len = catalog_own_room(rule, span_of(s->who->user), room, &f);
        if (len > 0)
            enter_own(s, (struct span){room, (size_t)len});
    }
}

static void join_granted_rooms(struct session *s)
{
    struct fault f;
    for (const char *grant = s->who->rooms; *grant; grant = identity_next(grant)) {
        struct span room = span_of(grant);
        if (room_check(room, &f) == 0 && is_automatic(s, room, CATALOG_GRANT) && may_enter(s, room))
            enter_own(s, room);
    }
}

void join_own_rooms(struct session *s, join_done *done, void *arg)
{
    struct gateway *g = s->gateway;
    join_rooms_of_all(s);
    join_granted_rooms(s);
    if (!has_member_rooms(g->catalog)) {
        done(arg);
        return;
    }
    struct own *o = mem_alloc(sizeof(*o));
    *o = (struct own){session_ref(s), done, arg, 1};
    store_member_rooms(bus_store(g->bus), span_of(s->who->user), take_member_room,
                       member_rooms_found, o);
}

static void placed(void *arg)
{
    away_go_on(arg);
}

void join_missing(struct session *s)
{
    if (!s->unplaced || session_is_closing(s))
        return;
    s->unplaced = false;
    join_own_rooms(s, placed, s);
}

void join_member(struct session *s, struct span room)
{
    if (!is_automatic(s, room, CATALOG_MEMBER) || !may_enter(s, room))
        return;
    enter_own(s, room);
    away_go_on(s);
}

/* --- rights that go ----------------------------------------------------------------------- */

bool join_end(struct session *s, struct span room, const char *why)
{
    static const struct request unasked;
    struct json *detail = json_new_object();
    json_push_span(json_add_array(detail, "rooms"), room);
    bool was_in = join_leave(s, room);
    if (was_in)
        session_refuse(s, &unasked, ERROR_FORBIDDEN, why, detail);
    json_free(detail);
    return was_in;
}

struct review {
    struct session *session;
    enum join_doubt doubt;
    struct buf room;
};

static bool is_to_leave(const struct review *r, enum admission result)
{
    const struct session *s = r->session;
    if (session_is_closing(s) || result == ADMITTED)
        return false;
    return result == NOT_ADMITTED || (r->doubt == JOIN_STRICT && bus_is_up(s->gateway->bus));
}

static void reviewed(void *arg, enum admission result, const char *why)
{
    struct review *r = arg;
    if (is_to_leave(r, result))
        join_end(r->session, buf_span(&r->room), why);
    session_unref(r->session);
    buf_fini(&r->room);
    free(r);
}

void join_review(struct session *s, enum join_doubt doubt)
{
    for (uint32_t i = s->seat_count; i-- > 0;) {
        struct span room = hub_seat_room(s, i);
        if (s->seats[i].placed || admit_is_free(s, room))
            continue;
        struct review *r = mem_zero(sizeof(*r));
        r->session = session_ref(s);
        r->doubt = doubt;
        buf_join(&r->room, room);
        admit(s, buf_span(&r->room), reviewed, r);
    }
}
