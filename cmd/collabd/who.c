#include "who.h"
#include "admit.h"
#include "bus.h"
#include "hub.h"
#include "mem.h"
#include "presence.h"
#include "reply.h"
#include "selection.h"
#include <stdlib.h>
#include <string.h>

/* --- status -------------------------------------------------------------------------------- */

void who_status(struct session *s, const struct request *r)
{
    struct span word;
    enum store_status status;
    if (!catalog_take(r->message, CATALOG_STATUS, r->data, &word) ||
        json_type(word) != JSON_STRING || !store_status_parse(json_inside(word), &status)) {
        session_refuse(s, r, ERROR_BAD_MESSAGE, "data: the status must be online, away or offline",
                       NULL);
        return;
    }
    presence_status(s, status);
    session_reply(s, r, r->message->reply, NULL);
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
static bool read_rooms(struct inquiry *q, struct selection *chosen, struct fault *f)
{
    struct span room;
    while (selection_next(chosen, &room)) {
        if (selection_read(chosen, &room, f) != 0)
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
    struct selection chosen;
    struct fault f;
    if (!selection_find(&chosen, s, r))
        return;
    struct inquiry *q = mem_zero(sizeof(*q));
    if (!read_rooms(q, &chosen, &f)) {
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
    struct json *users;    /* NULL: none so far */
    struct json *statuses; /* likewise, and of those who look */
};

/* A user of the answer, while their connections are asked for. */
struct standing {
    struct inquiry *inquiry;
    struct json *statuses;
    enum store_status best;
    char user[];
};

static const char *name_of_users(const struct answer *a)
{
    const struct catalog_fields *fields = &a->inquiry->reply->catalog->fields;
    if (a->place == STORE_VIEWING)
        return fields->viewing ? fields->viewing : "viewing";
    return fields->users ? fields->users : "users";
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

static void inquiry_note(struct inquiry *q, enum store_result result, const char *why)
{
    if (result == STORE_DONE)
        return;
    q->worst = NOT_KNOWN;
    snprintf(q->why, sizeof(q->why), "%s", why);
}

static void take_status(void *arg, struct span owner, struct span connection, struct span status,
                        struct span since)
{
    struct standing *u = arg;
    enum store_status one;
    (void)owner;
    (void)connection;
    (void)since;
    if (store_status_parse(status, &one) && one < u->best)
        u->best = one;
}

static void stands(void *arg, enum store_result result, const char *why)
{
    struct standing *u = arg;
    struct inquiry *q = u->inquiry;
    inquiry_note(q, result, why);
    json_add_text(u->statuses, u->user, store_status_word(u->best));
    free(u);
    inquiry_done(q);
}

/* encoded: the user as in JSON; name: the same, as it is. */
static void ask_status(struct answer *a, struct span encoded, struct span name)
{
    struct inquiry *q = a->inquiry;
    const char *field = q->reply->catalog->fields.status;
    struct standing *u = mem_zero(sizeof(*u) + name.len + 1);
    if (!a->statuses)
        a->statuses = json_add_object(a->room, field ? field : "status");
    u->inquiry = q;
    u->statuses = a->statuses;
    u->best = STORE_IS_OFFLINE;
    memcpy(u->user, name.at, name.len);
    q->outstanding++;
    store_connections(bus_store(q->reply->session->gateway->bus), encoded, take_status, stands, u);
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
    if (a->place == STORE_IN_ROOM)
        ask_status(a, user, buf_span(&text));
    buf_fini(&quoted);
    buf_fini(&text);
}

static void answered(void *arg, enum store_result result, int64_t count, const char *why)
{
    struct answer *a = arg;
    struct inquiry *q = a->inquiry;
    const char *name = q->reply->catalog->fields.count;
    inquiry_note(q, result, why);
    if (a->place == STORE_IN_ROOM)
        json_add_number(a->room, name ? name : "count", (double)count);
    free(a);
    inquiry_done(q);
}

static void ask_room(struct inquiry *q, int index, struct json *room, enum store_place place)
{
    struct store *store = bus_store(q->reply->session->gateway->bus);
    struct answer *a = mem_alloc(sizeof(*a));
    *a = (struct answer){.inquiry = q, .place = place, .room = room};
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
