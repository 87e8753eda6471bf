#include "subscribe.h"
#include "admit.h"
#include "away.h"
#include "bus.h"
#include "follow.h"
#include "hub.h"
#include "join.h"
#include "mem.h"
#include "reply.h"
#include "resume.h"
#include "room.h"
#include "selection.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A request to join, while its rooms are being judged one by one. */
struct joining {
    struct waiting *reply;
    struct buf done;      /* rooms, as in a JSON array */
    struct buf fresh;     /* those of them that the session was not in before, the same way */
    struct buf refused;   /* {"room","code","message"}, the same way */
    enum error_code code; /* of the first that was refused */
    char *message;        /* its words; NULL: none was */
    int outstanding;      /* rooms being judged, and the request being read; then, being resumed */
    char *since;          /* JSON: the last id of each room; NULL: nothing is to be resumed */
    struct resume_request resume;
    struct json *gaps;
    bool unrecovered;
    bool degraded; /* the histories can't be read: where they stand is not for who missed some */
};

/* One of its rooms. */
struct candidate {
    struct joining *joining;
    struct buf room;
};

/* room: JSON, so that it goes back as it came. */
static void refuse_room(struct joining *j, struct span room, enum error_code code,
                        const char *message)
{
    if (!j->message) {
        j->code = code;
        j->message = mem_text(message);
    }
    struct json *one = json_new_object();
    json_add_raw(one, "room", room);
    json_add_text(one, "code", error_name(code));
    json_add_text(one, "message", message);
    if (j->refused.len)
        buf_char(&j->refused, ',');
    json_write(one, &j->refused);
    json_free(one);
}

static void refuse_name(struct joining *j, struct span name, enum error_code code,
                        const char *message)
{
    struct buf room = {0};
    json_encode(&room, name);
    refuse_room(j, buf_span(&room), code, message);
    buf_fini(&room);
}

static void joining_free(struct joining *j)
{
    for (size_t i = 0; i < j->resume.count; i++)
        free(j->resume.points[i].room);
    free(j->resume.points);
    free(j->since);
    free(j->message);
    buf_fini(&j->done);
    buf_fini(&j->fresh);
    buf_fini(&j->refused);
    free(j);
}

static void write_list(const struct buf *elements, struct buf *out)
{
    buf_char(out, '[');
    buf_join(out, buf_span(elements));
    buf_char(out, ']');
}

static void add_room(struct buf *elements, struct span room)
{
    if (elements->len)
        buf_char(elements, ',');
    json_encode(elements, room);
}

static void add_list(struct json *data, const char *name, const struct buf *elements)
{
    struct buf list = {0};
    write_list(elements, &list);
    json_add_raw(data, name, buf_span(&list));
    buf_fini(&list);
}

/* What the client is told, so far. */
static struct json *compose(const struct joining *j)
{
    struct json *data = json_new_object();
    add_list(data, "rooms", &j->done);
    if (j->message)
        add_list(data, "refused", &j->refused);
    return data;
}

static void release(struct joining *j)
{
    struct session *s = j->reply->session;
    for (size_t i = 0; i < j->resume.count; i++) {
        const struct resume_point *point = &j->resume.points[i];
        hub_let_go(s->gateway->hub, s, span_of(point->room), point->sitting);
    }
}

/* Where each room's history stands now: from there the client can resume another time. */
static void add_last(struct joining *j)
{
    struct hub *hub = j->reply->session->gateway->hub;
    struct buf text = {0};
    struct span room;
    struct json *last = json_add_object(j->reply->data, "last");
    write_list(&j->done, &text);
    for (struct json_walk w = json_walk(buf_span(&text)); json_next_element(&w, &room);) {
        char id[PLACE_BYTES], name[ROOM_BYTES_MAX + 1];
        struct span inside = json_inside(room);
        const struct place *at = hub_place(hub, inside);
        if (!at || place_compare(*at, follow_anywhere) == 0)
            continue;
        snprintf(name, sizeof(name), "%.*s", (int)inside.len, inside.at);
        json_add_span(last, name, place_format(*at, id));
    }
    buf_fini(&text);
}

static void answer(struct joining *j)
{
    struct waiting *w = j->reply;
    if (j->since) {
        json_add_bool(w->data, "recovered", !j->unrecovered);
        if (!j->degraded)
            add_last(j);
    }
    joining_free(j);
    reply_done(w);
}

/* Redis was lost while the history was read. */
static void note_unavailable(struct joining *j, const char *why)
{
    if (j->degraded || strcmp(why, RESUME_UNAVAILABLE) != 0)
        return;
    j->degraded = true;
    reply_degraded(j->reply, "the history could not be read");
}

static void resumed(void *arg, const struct resume_result *result)
{
    struct joining *j = arg;
    struct json *gap = json_new_object();
    struct buf text = {0};
    if (!result->recovered) {
        j->unrecovered = true;
        note_unavailable(j, result->why);
        if (!j->gaps)
            j->gaps = json_add_array(j->reply->data, "gaps");
        json_add_span(gap, "room", result->room);
        json_add_text(gap, "why", result->why);
        if (result->gap)
            json_write(result->gap, &text);
        if (result->gap)
            json_add_raw(gap, "lost", buf_span(&text));
        json_push(j->gaps, gap);
    } else {
        json_free(gap);
    }
    buf_fini(&text);
    if (!--j->outstanding)
        answer(j);
}

static void resume(struct joining *j)
{
    j->outstanding = 1;
    for (size_t i = 0; i < j->resume.count; i++) {
        j->outstanding++;
        resume_room(j->reply->session, &j->resume.points[i], &j->resume, resumed, j);
    }
    if (!--j->outstanding)
        answer(j);
}

/* Redis' rules don't let this node listen: the session is where it was before. */
static void undo(const struct joining *j, struct session *s)
{
    struct buf text = {0};
    struct span room;
    write_list(&j->fresh, &text);
    for (struct json_walk w = json_walk(buf_span(&text)); json_next_element(&w, &room);)
        if (!session_is_closing(s))
            join_leave(s, json_inside(room));
    buf_fini(&text);
}

/* Joined: now, or on this node alone until Redis is back. */
static void settled(void *arg, enum store_result result, const char *why)
{
    struct joining *j = arg;
    struct waiting *w = j->reply;
    w->data = compose(j);
    if (result == STORE_DONE) {
        resume(j);
        return;
    }
    release(j);
    if (result == STORE_REFUSED) {
        struct session *s = session_ref(w->session);
        reply_refused(w, ERROR_UNAVAILABLE, why);
        undo(j, s);
        joining_free(j);
        session_unref(s);
        return;
    }
    reply_degraded(w, why);
    j->degraded = true;
    j->unrecovered = j->resume.count > 0;
    answer(j);
}

static void finish(struct joining *j)
{
    struct waiting *w = j->reply;
    if (--j->outstanding)
        return;
    if (j->done.len || !j->message) {
        bus_settle(w->session->gateway->bus, settled, j);
        return;
    }
    w->data = compose(j);
    reply_refused_all(w, j->code, j->message);
    joining_free(j);
}

/* Whether the request names the last event that the client had in the room. */
static void add_point(struct joining *j, struct span room)
{
    struct session *s = j->reply->session;
    struct span key, id;
    struct place since;
    struct json_walk w = json_walk(span_of(j->since));
    while (json_next_member(&w, &key, &id)) {
        if (!span_equal(json_inside(key), room) || place_parse(json_inside(id), &since) != 0)
            continue;
        if (away_covers(s, room, since))
            return;
        struct resume_request *all = &j->resume;
        all->points = mem_resize(all->points, (all->count + 1) * sizeof(*all->points));
        all->points[all->count++] = (struct resume_point){
            .room = span_text(room),
            .since = since,
            .sitting = hub_hold(s->gateway->hub, s, room),
        };
        return;
    }
}

static void enter(struct joining *j, struct span room)
{
    struct session *s = j->reply->session;
    struct gateway *g = s->gateway;
    if (session_is_closing(s))
        return;
    if (s->seat_count >= g->limits.rooms && !hub_is_in(g->hub, s, room)) {
        refuse_name(j, room, ERROR_TOO_MANY, "in as many rooms as allowed");
        return;
    }
    if (!hub_is_in(g->hub, s, room))
        add_room(&j->fresh, room);
    join_enter(s, room);
    if (j->since)
        add_point(j, room);
    add_room(&j->done, room);
}

static void judged(void *arg, enum admission result, const char *why)
{
    struct candidate *c = arg;
    struct joining *j = c->joining;
    struct span room = buf_span(&c->room);
    if (result == ADMITTED)
        enter(j, room);
    else
        refuse_name(j, room, result == NOT_KNOWN ? ERROR_UNAVAILABLE : ERROR_FORBIDDEN, why);
    buf_fini(&c->room);
    free(c);
    finish(j);
}

static void judge(struct joining *j, struct span room)
{
    struct candidate *c = mem_zero(sizeof(*c));
    c->joining = j;
    buf_join(&c->room, room);
    j->outstanding++;
    admit(j->reply->session, buf_span(&c->room), judged, c);
}

static struct joining *joining_new(struct session *s, const struct request *r)
{
    struct joining *j = mem_zero(sizeof(*j));
    j->reply = reply_wait(s, r, NULL);
    j->outstanding = 1;
    return j;
}

/* {"ROOM":"ID",...}, or nothing. False after refusing the request. */
static bool find_since(struct session *s, const struct request *r, struct span *since)
{
    struct span key, id;
    struct place p;
    if (!r->data.len || json_type(r->data) != JSON_OBJECT ||
        !catalog_take(r->message, CATALOG_SINCE, r->data, since))
        return true;
    bool good = json_type(*since) == JSON_OBJECT;
    for (struct json_walk w = json_walk(*since); good && json_next_member(&w, &key, &id);)
        good = json_type(id) == JSON_STRING && place_parse(json_inside(id), &p) == 0;
    if (!good)
        session_refuse(s, r, ERROR_BAD_MESSAGE,
                       "since: must be an object: the last id of each room", NULL);
    return good;
}

void subscribe_rooms(struct session *s, const struct request *r)
{
    struct selection chosen;
    struct span room;
    struct fault f;
    struct span since = {0};
    if (!selection_find(&chosen, s, r) || !find_since(s, r, &since))
        return;
    struct joining *j = joining_new(s, r);
    if (since.len)
        j->since = span_text(since);
    while (selection_next(&chosen, &room)) {
        struct span name = room;
        if (selection_read(&chosen, &name, &f) == 0)
            judge(j, name);
        else
            refuse_room(j, room, ERROR_BAD_ROOM, f.text);
    }
    finish(j);
}

void unsubscribe_rooms(struct session *s, const struct request *r)
{
    struct selection chosen;
    struct span room;
    struct fault f;
    if (!selection_find(&chosen, s, r))
        return;
    struct json *data = json_new_object();
    struct json *rooms = json_add_array(data, "rooms");
    while (selection_next(&chosen, &room)) {
        if (selection_read(&chosen, &room, &f) != 0)
            continue;
        join_leave(s, room);
        json_push_span(rooms, room);
    }
    session_reply(s, r, r->message->reply, data);
    json_free(data);
}
