#include "who.h"
#include "admit.h"
#include "bus.h"
#include "hub.h"
#include "join.h"
#include "mem.h"
#include "presence.h"
#include "reply.h"
#include <stdlib.h>
#include <string.h>

/* --- status -------------------------------------------------------------------------------- */

void who_status(struct session *s, const struct request *r)
{
    struct span word;
    if (catalog_take(r->message, CATALOG_STATUS, r->data, &word) &&
        json_type(word) == JSON_STRING) {
        for (enum store_status i = STORE_IS_ONLINE; i <= STORE_IS_OFFLINE; i++) {
            if (!span_is(json_inside(word), store_status_word(i)))
                continue;
            presence_status(s, i);
            session_reply(s, r, r->message->reply, NULL);
            return;
        }
    }
    session_refuse(s, r, ERROR_BAD_MESSAGE, "data: the status must be online, away or offline",
                   NULL);
}

/* --- rooms that are asked about ------------------------------------------------------------ */

/* A request about some rooms, while they are judged. */
struct inquiry {
    struct waiting *reply;
    void (*carry_on)(struct inquiry *q);
    struct buf names; /* of the rooms, one after the other */
    size_t lengths[EVENT_ROOMS_MAX];
    int count;
    int outstanding;
    enum admission worst;
    char why[256];
    struct json *rooms; /* of the answer */
};

static struct span room_of(const struct inquiry *q, int index)
{
    size_t at = 0;
    for (int i = 0; i < index; i++)
        at += q->lengths[i];
    return (struct span){q->names.at + at, q->lengths[index]};
}

static void inquiry_free(struct inquiry *q)
{
    buf_fini(&q->names);
    free(q);
}

static void inquiry_refuse(struct inquiry *q, enum error_code code)
{
    reply_refused(q->reply, code, q->why);
    inquiry_free(q);
}

static void judged(void *arg, enum admission result, const char *why)
{
    struct inquiry *q = arg;
    if (result != ADMITTED && q->worst == ADMITTED) {
        q->worst = result;
        snprintf(q->why, sizeof(q->why), "%s", why);
    }
    if (--q->outstanding)
        return;
    if (q->worst != ADMITTED)
        inquiry_refuse(q, q->worst == NOT_KNOWN ? ERROR_UNAVAILABLE : ERROR_FORBIDDEN);
    else
        q->carry_on(q);
}

/* False with a fault: one of them is none, or they are too many. */
static bool read_rooms(struct inquiry *q, struct room_list *list, struct fault *f)
{
    struct span room;
    while (join_next_room(list, &room)) {
        if (join_read_room(list, &room, f) != 0)
            return false;
        if (q->count == EVENT_ROOMS_MAX)
            return fault_set(f, "more than %d rooms", EVENT_ROOMS_MAX) == 0;
        buf_join(&q->names, room);
        q->lengths[q->count++] = room.len;
    }
    return true;
}

static void inquire(struct session *s, const struct request *r, void (*carry_on)(struct inquiry *))
{
    struct route_rooms routed;
    struct room_list list;
    struct fault f;
    if (!join_find_rooms(s, r, &routed, &list))
        return;
    struct inquiry *q = mem_zero(sizeof(*q));
    if (!read_rooms(q, &list, &f)) {
        session_refuse(s, r, ERROR_BAD_ROOM, f.text, NULL);
        inquiry_free(q);
        return;
    }
    q->carry_on = carry_on;
    q->reply = reply_wait(s, r, json_new_object());
    q->outstanding = q->count + 1;
    for (int i = 0, count = q->count; i < count; i++) {
        if (hub_is_in(s->gateway->hub, s, room_of(q, i)))
            q->outstanding--;
        else
            admit(s, room_of(q, i), judged, q);
    }
    judged(q, ADMITTED, NULL);
}

/* --- viewing ------------------------------------------------------------------------------- */

static void view(struct inquiry *q)
{
    struct session *s = q->reply->session;
    struct span rooms[EVENT_ROOMS_MAX];
    for (int i = 0; i < q->count; i++)
        rooms[i] = room_of(q, i);
    if (!session_is_closing(s))
        presence_view(s, rooms, q->count);
    reply_done(q->reply);
    inquiry_free(q);
}

void who_views(struct session *s, const struct request *r)
{
    inquire(s, r, view);
}

/* --- who is there -------------------------------------------------------------------------- */

/* One room of the answer: who is in it, or who looks at it. */
struct answer {
    struct inquiry *inquiry;
    enum store_place place;
    struct json *room;
    struct json *users; /* NULL: none so far */
};

static const char *name_of_users(const struct answer *a)
{
    const struct catalog_fields *fields = &a->inquiry->reply->catalog->fields;
    if (a->place == STORE_VIEWING)
        return fields->viewing ? fields->viewing : "viewing";
    return fields->users ? fields->users : "users";
}

static void take_user(void *arg, struct span user, struct span owners)
{
    struct answer *a = arg;
    struct buf quoted = {0}, text = {0};
    (void)owners;
    buf_char(&quoted, '"');
    buf_join(&quoted, user);
    buf_char(&quoted, '"');
    json_decode(buf_span(&quoted), &text);
    if (!a->users)
        a->users = json_add_array(a->room, name_of_users(a));
    json_push_span(a->users, buf_span(&text));
    buf_fini(&quoted);
    buf_fini(&text);
}

static void inquiry_done(struct inquiry *q)
{
    if (--q->outstanding)
        return;
    if (q->worst != ADMITTED) {
        inquiry_refuse(q, ERROR_UNAVAILABLE);
        return;
    }
    reply_done(q->reply);
    inquiry_free(q);
}

static void answered(void *arg, enum store_result result, int64_t count, const char *why)
{
    struct answer *a = arg;
    struct inquiry *q = a->inquiry;
    const char *name = q->reply->catalog->fields.count;
    if (result != STORE_DONE) {
        q->worst = NOT_KNOWN;
        snprintf(q->why, sizeof(q->why), "%s", why);
    }
    if (a->place == STORE_IN_ROOM)
        json_add_number(a->room, name ? name : "count", (double)count);
    free(a);
    inquiry_done(q);
}

static void ask_room(struct inquiry *q, int index, struct json *room, enum store_place place)
{
    struct store *store = bus_store(q->reply->session->gateway->bus);
    struct answer *a = mem_alloc(sizeof(*a));
    *a = (struct answer){q, place, room, NULL};
    if (place == STORE_IN_ROOM)
        a->users = json_add_array(room, name_of_users(a));
    store_who(store, place, room_of(q, index), STORE_WHO_MAX, take_user, answered, a);
}

static void ask(struct inquiry *q)
{
    const struct catalog_fields *fields = &q->reply->catalog->fields;
    struct json *rooms = json_add_array(q->reply->data, "rooms");
    q->outstanding = 2 * q->count + 1;
    for (int i = 0, count = q->count; i < count; i++) {
        struct json *room = json_new_object();
        json_push(rooms, room);
        json_add_span(room, fields->room ? fields->room : "room", room_of(q, i));
        ask_room(q, i, room, STORE_IN_ROOM);
        ask_room(q, i, room, STORE_VIEWING);
    }
    inquiry_done(q);
}

void who_is_there(struct session *s, const struct request *r)
{
    inquire(s, r, ask);
}
