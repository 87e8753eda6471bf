#include "action.h"
#include "auth.h"
#include "bus.h"
#include "clock.h"
#include "hub.h"
#include "mem.h"
#include "node.h"
#include "room.h"
#include <stdlib.h>
#include <string.h>

static struct span quoted_inside(struct span string)
{
    return (struct span){string.at + 1, string.len - 2};
}

/* --- coming, going, ping ------------------------------------------------------------------- */

void action_welcome(struct session *s, const struct request *r)
{
    const struct settings *set = &s->gateway->settings;
    struct json *data = json_new_object();
    json_add_text(data, "connection", s->id);
    json_add_text(data, "user", s->who->user);
    json_add_text(data, "node", node_name(s->gateway->node));
    struct json *heartbeat = json_add_object(data, "heartbeat");
    json_add_number(heartbeat, "interval_ms", (double)set->ping_ms);
    json_add_number(heartbeat, "timeout_ms", (double)set->silence_ms);
    if (s->who->expires_s)
        json_add_number(data, "expires_s", (double)s->who->expires_s);
    session_reply(s, r, "connection.ack", data);
    json_free(data);
}

void action_goodbye(struct session *s)
{
    hub_leave_all(s->gateway->hub, s);
}

/* Also in place of a token that is about to expire: for the same user. */
static void authenticate(struct session *s, const struct request *r)
{
    struct span token;
    struct fault f;
    if (!json_get(r->data, "token", &token) || json_type(token) != JSON_STRING) {
        session_refuse(s, r, ERROR_BAD_MESSAGE, "data.token: must be a string", NULL);
        return;
    }
    struct identity *who = auth_check(s->gateway, quoted_inside(token), &f);
    if (!who) {
        session_refuse(s, r, ERROR_UNAUTHENTICATED, f.text, NULL);
        if (!s->who)
            session_close(s, CLOSE_POLICY);
        return;
    }
    if (s->who && strcmp(s->who->user, who->user) != 0) {
        identity_free(who);
        session_refuse(s, r, ERROR_FORBIDDEN, "the token is another user's", NULL);
        return;
    }
    session_identify(s, who);
    action_welcome(s, r);
}

static void ping(struct session *s, const struct request *r)
{
    session_reply(s, r, "pong", NULL);
}

/* --- subscribe, unsubscribe --------------------------------------------------------------- */

/* A list of rooms being worked through, and what comes of each. */
struct rooms_result {
    struct json *data;
    struct json *done;    /* rooms */
    struct json *refused; /* {"room","code","message"}; NULL while there is none */
    size_t done_count;
    enum error_code code; /* of the first that was refused */
    char message[256];
};

static void result_init(struct rooms_result *out)
{
    memset(out, 0, sizeof(*out));
    out->data = json_new_object();
    out->done = json_add_array(out->data, "rooms");
}

static void result_refuse(struct rooms_result *out, struct span room, enum error_code code,
                          const char *message)
{
    if (!out->refused) {
        out->refused = json_add_array(out->data, "refused");
        out->code = code;
        snprintf(out->message, sizeof(out->message), "%s", message);
    }
    struct json *one = json_new_object();
    json_add_raw(one, "room", room);
    json_add_text(one, "code", error_name(code));
    json_add_text(one, "message", message);
    json_push(out->refused, one);
}

static void result_done(struct rooms_result *out, struct span room)
{
    json_push_span(out->done, room);
    out->done_count++;
}

/* The rooms of a request: data.rooms, or data itself when it is a list. False after refusing. */
static bool find_rooms(struct session *s, const struct request *r, struct span *rooms)
{
    size_t count = 0;
    struct span room;
    if (!json_get(r->data, "rooms", rooms))
        *rooms = r->data;
    if (!rooms->len || json_type(*rooms) != JSON_ARRAY) {
        session_refuse(s, r, ERROR_BAD_MESSAGE, "data.rooms: must be a list of rooms", NULL);
        return false;
    }
    for (struct json_walk w = json_walk(*rooms); json_next_element(&w, &room);)
        count++;
    if (count > (size_t)s->gateway->settings.rooms_max) {
        char message[128];
        snprintf(message, sizeof(message), "data.rooms: %zu rooms; at most %lld may be joined",
                 count, (long long)s->gateway->settings.rooms_max);
        session_refuse(s, r, ERROR_TOO_MANY, message, NULL);
        return false;
    }
    return true;
}

static bool check_room(struct span room, struct rooms_result *out)
{
    struct fault f;
    if (json_type(room) != JSON_STRING) {
        result_refuse(out, room, ERROR_BAD_ROOM, "a room is a string");
        return false;
    }
    if (room_check(quoted_inside(room), &f) != 0) {
        result_refuse(out, room, ERROR_BAD_ROOM, f.text);
        return false;
    }
    return true;
}

static void join_room(struct session *s, struct span room, struct rooms_result *out)
{
    if (!check_room(room, out))
        return;
    struct span name = quoted_inside(room);
    if (!identity_may_join(s->who, name)) {
        result_refuse(out, room, ERROR_FORBIDDEN, "the token does not grant this room");
        return;
    }
    if (s->seat_count >= s->gateway->settings.rooms_max && !hub_is_in(s->gateway->hub, s, name)) {
        result_refuse(out, room, ERROR_TOO_MANY, "in as many rooms as allowed");
        return;
    }
    bus_join(s->gateway->bus, s, name);
    result_done(out, name);
}

/* An answer that waits for Redis. */
struct waiting {
    struct session *session;
    char *ref;
    struct json *data;
};

static struct waiting *wait_for(struct session *s, const struct request *r, struct json *data)
{
    struct waiting *w = mem_alloc(sizeof(*w));
    *w = (struct waiting){session_ref(s), span_text(r->ref), data};
    return w;
}

static void waited(struct waiting *w)
{
    session_unref(w->session);
    json_free(w->data);
    free(w->ref);
    free(w);
}

/* Joined: now, or on this node alone until Redis is back. */
static void subscribed(void *arg, enum store_result result, const char *why)
{
    struct waiting *w = arg;
    struct request r = {.ref = span_of(w->ref)};
    if (result == STORE_UNAVAILABLE) {
        json_add_bool(w->data, "degraded", true);
        json_add_text(w->data, "reason", why);
    }
    if (result == STORE_REFUSED)
        session_refuse(w->session, &r, ERROR_UNAVAILABLE, why, NULL);
    else
        session_reply(w->session, &r, "subscribed", w->data);
    waited(w);
}

static void subscribe(struct session *s, const struct request *r)
{
    struct span rooms, room;
    struct rooms_result out;
    if (!find_rooms(s, r, &rooms))
        return;
    result_init(&out);
    for (struct json_walk w = json_walk(rooms); json_next_element(&w, &room);)
        join_room(s, room, &out);
    if (!out.done_count && out.refused) {
        session_refuse(s, r, out.code, out.message, out.data);
        json_free(out.data);
        return;
    }
    bus_settle(s->gateway->bus, subscribed, wait_for(s, r, out.data));
}

static void unsubscribe(struct session *s, const struct request *r)
{
    struct span rooms, room;
    struct rooms_result out;
    if (!find_rooms(s, r, &rooms))
        return;
    result_init(&out);
    for (struct json_walk w = json_walk(rooms); json_next_element(&w, &room);) {
        if (!check_room(room, &out))
            continue;
        hub_leave(s->gateway->hub, s, quoted_inside(room));
        result_done(&out, quoted_inside(room));
    }
    session_reply(s, r, "unsubscribed", out.data);
    json_free(out.data);
}

/* --- publish ------------------------------------------------------------------------------ */

static void published(void *arg, enum store_result result, bool local, const char *why)
{
    struct waiting *w = arg;
    struct request r = {.ref = span_of(w->ref)};
    if (local) {
        json_add_bool(w->data, "degraded", true);
        json_add_text(w->data, "reason", why);
    }
    if (result == STORE_DONE || local)
        session_reply(w->session, &r, "published", w->data);
    else
        session_refuse(w->session, &r, ERROR_UNAVAILABLE, why, NULL);
    waited(w);
}

static bool may_publish(struct session *s, const struct request *r, const struct event *e)
{
    if (!e->room_count) {
        session_refuse(s, r, ERROR_BAD_EVENT, "room: an event needs a room to go to", NULL);
        return false;
    }
    for (int i = 0; i < e->room_count; i++) {
        if (identity_may_publish(s->who, e->rooms[i]))
            continue;
        char message[ROOM_BYTES_MAX + 64];
        snprintf(message, sizeof(message), "the token does not grant publishing to %.*s",
                 (int)e->rooms[i].len, e->rooms[i].at);
        session_refuse(s, r, ERROR_FORBIDDEN, message, NULL);
        return false;
    }
    return true;
}

/* What a client can't say of its own event. */
static void stamp(struct event *e, struct span user)
{
    e->id = (struct span){0};
    e->time = (struct span){0};
    e->version = -1;
    e->user = user;
}

static void publish(struct session *s, const struct request *r)
{
    struct event e;
    struct fault f;
    if (!r->data.len) {
        session_refuse(s, r, ERROR_BAD_EVENT, "data: must be an event", NULL);
        return;
    }
    if (event_parse(&e, r->data, true, &f) != 0) {
        session_refuse(s, r, ERROR_BAD_EVENT, f.text, NULL);
        return;
    }
    if (!may_publish(s, r, &e))
        return;
    struct json *data = json_new_object();
    struct json *rooms = json_add_array(data, "rooms");
    for (int i = 0; i < e.room_count; i++)
        json_push_span(rooms, e.rooms[i]);
    struct buf user = {0};
    json_encode(&user, span_of(s->who->user));
    stamp(&e, quoted_inside(buf_span(&user)));
    bus_publish(s->gateway->bus, &e, published, wait_for(s, r, data));
    buf_fini(&user);
}

/* --- the table ---------------------------------------------------------------------------- */

static const struct action {
    const char *name;
    void (*run)(struct session *s, const struct request *r);
    bool anyone; /* also before authentication */
} actions[] = {
    {"authenticate", authenticate, true}, {"ping", ping, true},
    {"subscribe", subscribe, false},      {"unsubscribe", unsubscribe, false},
    {"publish", publish, false},
};

void action_do(struct session *s, struct span name, const struct request *r)
{
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (!json_string_is(name, actions[i].name))
            continue;
        if (s->who || actions[i].anyone)
            actions[i].run(s, r);
        else
            session_refuse(s, r, ERROR_UNAUTHENTICATED, "authenticate first", NULL);
        return;
    }
    char message[128];
    snprintf(message, sizeof(message), "no message has the type %s",
             fault_quote(quoted_inside(name)));
    session_refuse(s, r, ERROR_UNKNOWN_TYPE, message, NULL);
}
