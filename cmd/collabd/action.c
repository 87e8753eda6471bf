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
#include "subscribe.h"
#include "sync.h"
#include "throttle.h"
#include "who.h"
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { LOG_KIND_UNKNOWN = 3, LOG_KIND_UNHEARD = 8 };

/* --- before a session is in ----------------------------------------------------------------- */

enum { HELD_MAX = 64 };

/* What a client asked before it was in. */
struct held {
    struct held *next;
    struct buf name, ref, data;
};

/* A session whose token is being judged, or whose rooms are being joined. */
struct entering {
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

static void hold(struct session *s, struct span name, const struct request *r)
{
    struct entering *e = s->entering;
    if (e->held_count == HELD_MAX ||
        e->held_bytes + r->data.len > (size_t)s->gateway->limits.message_bytes) {
        session_refuse(s, r, ERROR_TOO_MANY, "too much was asked before the session was let in",
                       NULL);
        return;
    }
    struct held *h = mem_zero(sizeof(*h));
    buf_join(&h->name, name);
    buf_join(&h->ref, r->ref);
    buf_join(&h->data, r->data);
    e->held_count++;
    e->held_bytes += r->data.len;
    LL_APPEND(e->held, h);
}

/* The session is in, or will never be: what waited is carried out. */
static void release_held(struct session *s)
{
    struct entering *e = s->entering;
    struct held *h, *next;
    s->entering = NULL;
    if (!e)
        return;
    LL_FOREACH_SAFE (e->held, h, next) {
        struct request r = {.ref = buf_span(&h->ref), .data = buf_span(&h->data)};
        if (!session_is_closing(s))
            action_do(s, buf_span(&h->name), &r);
        held_free(h);
    }
    free(e);
}

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
    release_held(s);
    session_unref(s);
}

/* The session is in the rooms that it is to be in from the start; Redis may not know it yet. */
static void placed(void *arg)
{
    const struct waiting *w = arg;
    bus_settle(w->session->gateway->bus, greet, arg);
}

static void welcome(struct waiting *w)
{
    people_enter(w->session);
    join_own_rooms(w->session, placed, w);
}

void action_welcome(struct session *s, const struct request *r)
{
    s->entering = mem_zero(sizeof(*s->entering));
    welcome(reply_wait(s, r, NULL));
}

void action_goodbye(struct session *s)
{
    away_end(s);
    join_leave_all(s);
    people_leave(s);
}

/* --- who it is ---------------------------------------------------------------------------- */

static void let_in(struct waiting *w, struct identity *who)
{
    session_identify(w->session, who);
    join_review(w->session, JOIN_KEEP);
    welcome(w);
}

static void keep_out(struct waiting *w, enum error_code code, const char *why)
{
    struct session *s = session_ref(w->session);
    reply_refused(w, code, why);
    if (!s->who)
        session_close(s, code == ERROR_UNAVAILABLE ? CLOSE_UNDECIDED : CLOSE_POLICY);
    release_held(s);
    session_unref(s);
}

static void judged(void *arg, struct identity *who, enum error_code code, const char *why)
{
    struct waiting *w = arg;
    const struct session *s = w->session;
    if (!who) {
        keep_out(w, code, why);
    } else if (session_is_closing(s)) {
        identity_free(who);
        keep_out(w, ERROR_UNAVAILABLE, "gone");
    } else if (s->who && strcmp(s->who->user, who->user) != 0) {
        identity_free(who);
        keep_out(w, ERROR_FORBIDDEN, "the token is another user's");
    } else {
        let_in(w, who);
    }
}

void action_enter(struct session *s, struct span token, const struct request *r)
{
    if (!s->who)
        s->entering = mem_zero(sizeof(*s->entering));
    auth_admit(s->gateway, s->link->address, token, judged, reply_wait(s, r, NULL));
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
    [CATALOG_JOIN] = subscribe_rooms,
    [CATALOG_LEAVE] = unsubscribe_rooms,
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
    if (s->entering) {
        hold(s, name, r);
        return;
    }
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
