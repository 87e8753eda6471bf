#include "action.h"
#include "auth.h"
#include "away.h"
#include "bus.h"
#include "join.h"
#include "log.h"
#include "mem.h"
#include "node.h"
#include "people.h"
#include "presence.h"
#include "publish.h"
#include "reply.h"
#include "sync.h"
#include "throttle.h"
#include "who.h"
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { LOG_KIND_UNKNOWN = 3, LOG_KIND_UNHEARD = 8 };

/* --- coming, going, ping ------------------------------------------------------------------- */

static struct json *greeting(const struct session *s)
{
    const struct limits *limits = &s->gateway->limits;
    struct json *data = json_new_object();
    json_add_text(data, "connection", s->id);
    json_add_text(data, "user", s->who->user);
    json_add_text(data, "node", node_name(s->gateway->node));
    struct json *heartbeat = json_add_object(data, "heartbeat");
    json_add_number(heartbeat, "interval_ms", (double)limits->ping_ms);
    json_add_number(heartbeat, "timeout_ms", (double)limits->silence_ms);
    if (s->who->expires_s)
        json_add_number(data, "expires_s", (double)s->who->expires_s);
    return data;
}

/* What is published from now on reaches the client; or does so when Redis is back, as it is when it
 * was lost later. */
static void greet(void *arg, enum store_result result, const char *why)
{
    struct waiting *w = arg;
    struct session *s = session_ref(w->session);
    if (result == STORE_REFUSED)
        log_limited(LOG_KIND_UNHEARD, LOG_ERROR, "a room cannot be listened to: %s", why);
    session_welcome(s);
    presence_begin(s);
    w->data = greeting(s);
    reply_done_as(w, session_notices(s)->ack);
    away_begin(s);
    session_unref(s);
}

/* The session is in the rooms that it is to be in from the start; Redis may not know it yet. */
static void placed(void *arg)
{
    const struct waiting *w = arg;
    bus_settle(w->session->gateway->bus, greet, arg);
}

void action_welcome(struct session *s, const struct request *r)
{
    people_enter(s);
    join_own_rooms(s, placed, reply_wait(s, r, NULL));
}

void action_goodbye(struct session *s)
{
    away_end(s);
    join_leave_all(s);
    people_leave(s);
}

/* --- who it is ---------------------------------------------------------------------------- */

enum { HELD_MAX = 64 };

/* What a client asked before it was known who it is. */
struct held {
    struct held *next;
    struct buf name, ref, data;
};

/* A session whose token is being judged. */
struct entering {
    struct session *session;
    struct catalog *catalog; /* that the message is of */
    struct request request;  /* its ref is our own */
    struct held *held;
    int held_count;
    size_t held_bytes;
};

static void held_free(struct held *h)
{
    buf_fini(&h->name);
    buf_fini(&h->ref);
    buf_fini(&h->data);
    free(h);
}

/* Whether a request waits until it is known who asks. */
static bool hold(struct session *s, struct span name, const struct request *r)
{
    struct entering *e = s->entering;
    if (!e || e->held_count == HELD_MAX ||
        e->held_bytes + r->data.len > (size_t)s->gateway->limits.message_bytes)
        return false;
    struct held *h = mem_zero(sizeof(*h));
    buf_join(&h->name, name);
    buf_join(&h->ref, r->ref);
    buf_join(&h->data, r->data);
    e->held_count++;
    e->held_bytes += r->data.len;
    LL_APPEND(e->held, h);
    return true;
}

/* Carries out what waited, if it is known by now who asked. */
static void release_held(struct session *s, struct held *held)
{
    struct held *h, *next;
    LL_FOREACH_SAFE (held, h, next) {
        struct request r = {.ref = buf_span(&h->ref), .data = buf_span(&h->data)};
        if (!session_is_closing(s))
            action_do(s, buf_span(&h->name), &r);
        held_free(h);
    }
}

static void let_in(struct session *s, struct identity *who, const struct request *r)
{
    if (session_is_closing(s)) {
        identity_free(who);
        return;
    }
    if (s->who && strcmp(s->who->user, who->user) != 0) {
        identity_free(who);
        session_refuse(s, r, ERROR_FORBIDDEN, "the token is another user's", NULL);
        return;
    }
    session_identify(s, who);
    join_review(s, JOIN_KEEP);
    action_welcome(s, r);
}

static void keep_out(struct session *s, const struct request *r, enum error_code code,
                     const char *why)
{
    session_refuse(s, r, code, why, NULL);
    if (!s->who)
        session_close(s, code == ERROR_UNAVAILABLE ? CLOSE_UNDECIDED : CLOSE_POLICY);
}

static void judged(void *arg, struct identity *who, enum error_code code, const char *why)
{
    struct entering *e = arg;
    struct session *s = e->session;
    if (s->entering == e)
        s->entering = NULL;
    if (who)
        let_in(s, who, &e->request);
    else
        keep_out(s, &e->request, code, why);
    release_held(s, e->held);
    free((char *)e->request.ref.at);
    catalog_unref(e->catalog);
    session_unref(s);
    free(e);
}

void action_enter(struct session *s, struct span token, const struct request *r)
{
    struct entering *e = mem_zero(sizeof(*e));
    e->session = session_ref(s);
    e->catalog = catalog_ref(s->gateway->catalog);
    e->request.message = r->message;
    e->request.ref = span_of(span_text(r->ref));
    if (!s->who)
        s->entering = e;
    auth_admit(s->gateway, s->link->address, token, judged, e);
}

/* Which device the client is on, it says once. False after refusing the request. */
static bool take_device(struct session *s, const struct request *r)
{
    struct span device;
    struct fault f;
    if (s->who || !catalog_take(r->message, CATALOG_DEVICE, r->data, &device))
        return true;
    if (json_type(device) != JSON_STRING)
        fault_set(&f, "device: must be a string");
    else if (away_name(s, json_inside(device), &f) == 0)
        return true;
    session_refuse(s, r, ERROR_BAD_MESSAGE, f.text, NULL);
    return false;
}

/* Also in place of a token that is about to expire: for the same user. */
static void authenticate(struct session *s, const struct request *r)
{
    struct span token;
    if (!catalog_take(r->message, CATALOG_TOKEN, r->data, &token) ||
        json_type(token) != JSON_STRING) {
        session_refuse(s, r, ERROR_BAD_MESSAGE, "data: the token must be a string", NULL);
        return;
    }
    if (take_device(s, r) && throttle_attempt(s, r))
        action_enter(s, json_inside(token), r);
}

static void ping(struct session *s, const struct request *r)
{
    session_reply(s, r, r->message->reply, NULL);
}

static void close_session(struct session *s, const struct request *r)
{
    (void)r;
    session_close(s, CLOSE_NORMAL);
}

/* --- the table ---------------------------------------------------------------------------- */

static void (*const actions[CATALOG_ACTION_COUNT])(struct session *s, const struct request *r) = {
    [CATALOG_AUTHENTICATE] = authenticate,
    [CATALOG_JOIN] = join_rooms,
    [CATALOG_LEAVE] = leave_rooms,
    [CATALOG_PRESENCE] = who_status,
    [CATALOG_VIEWING] = who_views,
    [CATALOG_WHO] = who_is_there,
    [CATALOG_SIGNALS] = publish_event,
    [CATALOG_PUBLISH] = publish_event,
    [CATALOG_SYNC] = sync_rooms,
    [CATALOG_ACKNOWLEDGE] = away_acknowledge,
    [CATALOG_PING] = ping,
    [CATALOG_CLOSE] = close_session,
};

static bool is_for_anyone(enum catalog_action action)
{
    return action == CATALOG_AUTHENTICATE || action == CATALOG_PING || action == CATALOG_CLOSE;
}

static void refuse_unknown(struct session *s, const struct request *r, struct span type)
{
    char message[128];
    if (s->gateway->catalog->unknown == CATALOG_IGNORE) {
        log_limited(LOG_KIND_UNKNOWN, LOG_INFO, "%s: unknown message %s left out", s->id,
                    fault_quote(type));
        return;
    }
    snprintf(message, sizeof(message), "no message has the type %s", fault_quote(type));
    session_refuse(s, r, ERROR_UNKNOWN_TYPE, message, NULL);
}

void action_do(struct session *s, struct span name, struct request *r)
{
    if (hold(s, name, r))
        return;
    r->message = catalog_message(s->gateway->catalog, name);
    if (!r->message) {
        refuse_unknown(s, r, name);
        return;
    }
    enum catalog_action action = r->message->action;
    if (!s->who && !is_for_anyone(action))
        session_refuse(s, r, ERROR_UNAUTHENTICATED, "authenticate first", NULL);
    else if (!actions[action])
        session_refuse(s, r, ERROR_UNKNOWN_TYPE, "this gateway cannot do that", NULL);
    else
        actions[action](s, r);
}
