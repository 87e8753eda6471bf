#include "socketio.h"
#include "auth.h"
#include "clock.h"
#include "log.h"
#include "mem.h"
#include "namespace.h"
#include "recover.h"
#include "restore.h"
#include "sio.h"
#include <inttypes.h>
#include <stdlib.h>
#include <utlist.h>

struct socketio {
    struct gateway *gateway;
    const struct socketio_app *app;
    struct namespace namespaces[CODECS_MAX - CODEC_SOCKETIO]; /* joined by somebody, now or once */
    int namespace_count;
};

/* One that a client has joined. */
struct member {
    struct client *client; /* NULL: it has gone while its session was being restored */
    struct session *session;
    char *auth; /* while that goes on */
    struct member *next;
};

/* A client that wants to join one, while its token is being judged. */
struct knock {
    struct client *client; /* NULL: it has gone */
    const struct namespace *nsp;
    char *auth;
    struct knock *next;
};

/* A packet whose attachments are arriving. */
struct parts {
    struct buf text;
    struct sio_packet packet; /* of the text */
    struct sio_attachments attachments;
    size_t bytes; /* of it all */
};

/* One connection. */
struct client {
    struct socketio *all;
    struct engine *engine;
    struct member *members;
    struct knock *knocks;
    struct parts *parts; /* NULL: none is arriving */
    struct alarm late;   /* set while it has joined nothing */
};

static const struct span none;

static struct gateway *gateway_of(const struct client *c)
{
    return c->all->gateway;
}

/* --- the end ------------------------------------------------------------------------------- */

/* Whether a client should stay away until its user brings it back: a client library connects again
 * by itself unless it was told that it is disconnected. */
static bool is_final(enum close_code code)
{
    return code == CLOSE_NORMAL || code == CLOSE_POLICY || (int)code >= 4500;
}

/* As servers of this protocol close: without a code, but for what the WebSocket's rules name. Who
 * is to stay away is told so in each namespace, and finds nothing if it comes back all the same. */
static struct frame *close_frame(const struct session *s, enum close_code code)
{
    const struct client *c = engine_user_of(s->link);
    const struct member *m;
    struct buf out = {0};
    if (code == CLOSE_NOT_UTF8 || code == CLOSE_TOO_BIG)
        return frame_close(code, close_reason(code));
    struct frame *silent = frame_close_silent();
    if (!is_final(code))
        return silent;
    LL_FOREACH (c->members, m) {
        recover_end(m->session, true);
        namespace_disconnect(m->session->codec, &out);
    }
    buf_add(&out, silent->bytes, silent->len);
    frame_unref(silent);
    struct frame *frame = frame_join(buf_span(&out));
    buf_fini(&out);
    return frame;
}

/* --- sessions ------------------------------------------------------------------------------- */

static struct member *find_member(const struct client *c, struct span name)
{
    struct member *m;
    LL_FOREACH (c->members, m)
        if (span_equal(m->session->codec->nsp, name))
            return m;
    return NULL;
}

/* for_good: the client does not come back for what it had. */
static void leave(struct client *c, struct member *m, bool for_good)
{
    LL_DELETE(c->members, m);
    recover_end(m->session, for_good);
    c->all->app->left(m->session);
    session_ended(m->session);
    session_unref(m->session);
    m->client = NULL;
    if (!m->auth)
        free(m);
}

static void set_late(struct client *c)
{
    struct gateway *g = gateway_of(c);
    wheel_set(g->wheel, &c->late.timer, clock_steady_ms() + g->limits.auth_ms);
}

/* Who is in no namespace must join one, now as at the beginning. */
static void leave_one(struct client *c, struct member *m)
{
    leave(c, m, true);
    if (!c->members)
        set_late(c);
}

static void put(struct client *c, struct frame *frame)
{
    link_put(gateway_of(c), engine_link(c->engine), frame);
}

static void part(struct session *s)
{
    struct client *c = engine_user_of(s->link);
    struct buf out = {0};
    namespace_disconnect(s->codec, &out);
    put(c, frame_join(buf_span(&out)));
    leave_one(c, find_member(c, s->codec->nsp));
    buf_fini(&out);
}

static bool is_open(const struct catalog *c, struct span name)
{
    const char *const *open = c->socketio.namespaces;
    while (*open && !span_is(name, *open))
        open++;
    return *open != NULL;
}

/* NULL: there is none of that name, or no place for one more. */
static const struct namespace *find_namespace(struct socketio *all, struct span name)
{
    int i = 0;
    if (!is_open(all->gateway->catalog, name))
        return NULL;
    while (i < all->namespace_count && !span_equal(all->namespaces[i].codec.nsp, name))
        i++;
    if (i == CODECS_MAX - CODEC_SOCKETIO)
        return NULL;
    struct namespace *nsp = &all->namespaces[i];
    if (i < all->namespace_count)
        return nsp;
    namespace_init(nsp, all->gateway, i, name);
    nsp->codec.close = close_frame;
    nsp->codec.part = part;
    all->namespace_count++;
    return nsp;
}

/* What the client said is against the protocol, which knows no other answer. */
static void violate(struct client *c, const char *why)
{
    log_debug("Socket.IO: %s", why);
    link_close(gateway_of(c), engine_link(c->engine), frame_close_silent());
}

static void put_connect_error(struct client *c, struct span name, const char *message,
                              const char *more)
{
    put(c, namespace_refusal(name, message, more));
}

/* What it missed has been put already: a client library keeps that until it is welcome, as it does
 * with what comes while the rooms are joined that it is in from the start. */
static void restored(void *arg, bool good, struct span pid, struct span offset)
{
    struct member *m = arg;
    char *auth = m->auth;
    m->auth = NULL;
    if (!m->client) {
        free(m);
    } else {
        recover_begin(m->session, good ? pid : none, good ? offset : none);
        m->client->all->app->joined(m->session, span_of(auth));
    }
    free(auth);
}

static void join(struct client *c, const struct namespace *nsp, struct identity *who,
                 struct span auth)
{
    struct member *m = mem_zero(sizeof(*m));
    m->client = c;
    m->session = session_new(gateway_of(c), &nsp->codec, engine_link(c->engine));
    session_identify(m->session, who);
    LL_PREPEND(c->members, m);
    wheel_cancel(&c->late.timer);
    m->auth = span_text(auth);
    if (restore(m->session, nsp->codec.nsp, auth, restored, m))
        return;
    free(m->auth);
    m->auth = NULL;
    if (recover_is_on(gateway_of(c)))
        recover_begin(m->session, none, none);
    c->all->app->joined(m->session, auth);
}

static void put_too_often(struct client *c, struct span name, int64_t wait_ms)
{
    struct buf more = {0};
    struct fault f;
    auth_too_often(gateway_of(c), wait_ms, &f);
    buf_printf(&more, ",\"data\":{\"code\":\"rate_limited\",\"retry_after_ms\":%lld}",
               (long long)wait_ms);
    put_connect_error(c, name, f.text, more.at);
    buf_fini(&more);
}

static void answer_knock(struct knock *k, struct identity *who, enum error_code code,
                         const char *why)
{
    char data[64];
    if (who) {
        join(k->client, k->nsp, who, span_of(k->auth));
        return;
    }
    snprintf(data, sizeof(data), ",\"data\":{\"code\":\"%s\"}", error_name(code));
    put_connect_error(k->client, k->nsp->codec.nsp, why, data);
}

static void judged(void *arg, struct identity *who, enum error_code code, const char *why)
{
    struct knock *k = arg;
    struct client *c = k->client;
    if (c)
        LL_DELETE(c->knocks, k);
    if (c && !engine_link(c->engine)->closing)
        answer_knock(k, who, code, why);
    else
        identity_free(who);
    free(k->auth);
    free(k);
}

static void knock(struct client *c, const struct namespace *nsp, struct span auth)
{
    struct knock *k = mem_alloc(sizeof(*k));
    *k = (struct knock){.client = c, .nsp = nsp, .auth = span_text(auth)};
    LL_PREPEND(c->knocks, k);
    c->all->app->admit(gateway_of(c), engine_link(c->engine)->address, engine_token(c->engine),
                       auth, judged, k);
}

static bool has_knocked(const struct client *c, const struct namespace *nsp)
{
    const struct knock *k;
    LL_FOREACH (c->knocks, k)
        if (k->nsp == nsp)
            return true;
    return false;
}

static void connect_to(struct client *c, const struct sio_packet *p)
{
    const struct namespace *nsp = find_namespace(c->all, p->nsp);
    if (!nsp) {
        put_connect_error(c, p->nsp, "Invalid namespace", "");
        return;
    }
    if (find_member(c, p->nsp) || has_knocked(c, nsp)) {
        violate(c, "a second CONNECT to a namespace");
        return;
    }
    int64_t wait_ms = auth_wait_ms(gateway_of(c), engine_link(c->engine)->address);
    if (wait_ms)
        put_too_often(c, p->nsp, wait_ms);
    else
        knock(c, nsp, p->payload);
}

/* --- packets in ----------------------------------------------------------------------------- */

static void take_event(struct client *c, struct session *s, const struct sio_packet *p)
{
    const struct request r = {.ref = p->ack};
    gateway_of(c)->metrics.value[M_MESSAGES_IN]++;
    c->all->app->event(s, p->payload, &r);
}

/* One that is whole. */
static void take_packet(struct client *c, const struct sio_packet *p)
{
    struct member *m = find_member(c, p->nsp);
    if (p->type == SIO_CONNECT)
        connect_to(c, p);
    else if (!m || p->type == SIO_CONNECT_ERROR)
        violate(c, "a packet for a namespace that was not joined, or of a server's type");
    else if (m->auth)
        violate(c, "a packet before the answer to CONNECT");
    else if (p->type == SIO_EVENT || p->type == SIO_BINARY_EVENT)
        take_event(c, m->session, p);
    else if (p->type == SIO_ACK || p->type == SIO_BINARY_ACK)
        c->all->app->acknowledged(m->session, p->ack, p->payload);
    else if (p->type == SIO_DISCONNECT)
        leave_one(c, m);
}

static void drop_parts(struct client *c)
{
    if (!c->parts)
        return;
    sio_attachments_fini(&c->parts->attachments);
    buf_fini(&c->parts->text);
    free(c->parts);
    c->parts = NULL;
}

/* All of the attachments are there. */
static void take_parts(struct client *c)
{
    struct parts *parts = c->parts;
    struct buf payload = {0};
    struct fault f;
    if (sio_fill(parts->packet.payload, &parts->attachments, &payload, &f) == 0) {
        parts->packet.payload = buf_span(&payload);
        take_packet(c, &parts->packet);
    } else {
        violate(c, f.text);
    }
    buf_fini(&payload);
    drop_parts(c);
}

static void take_bytes(struct client *c, struct span bytes)
{
    struct parts *parts = c->parts;
    if (!parts) {
        violate(c, "bytes that no packet announced");
        return;
    }
    parts->bytes += bytes.len;
    if (parts->bytes > (size_t)gateway_of(c)->limits.message_bytes) {
        violate(c, "a packet and its attachments are larger than allowed");
        return;
    }
    buf_join(&parts->attachments.bytes[parts->attachments.count++], bytes);
    if (parts->attachments.count == parts->packet.attachments)
        take_parts(c);
}

static void await_parts(struct client *c, struct span text)
{
    struct fault f;
    c->parts = mem_zero(sizeof(*c->parts));
    buf_join(&c->parts->text, text);
    c->parts->bytes = text.len;
    sio_parse(buf_span(&c->parts->text), &c->parts->packet, &f);
}

static void take_text(struct client *c, struct span text)
{
    struct sio_packet p;
    struct fault f;
    if (c->parts)
        violate(c, "text where attachments are due");
    else if (sio_parse(text, &p, &f) != 0)
        violate(c, f.text);
    else if (p.attachments)
        await_parts(c, text);
    else
        take_packet(c, &p);
}

/* --- for Engine.IO -------------------------------------------------------------------------- */

static void too_late(struct alarm *alarm)
{
    struct client *c = (struct client *)(void *)((char *)alarm - offsetof(struct client, late));
    if (engine_link(c->engine)->closing)
        return;
    gateway_of(c)->metrics.value[M_AUTH_FAILURES]++;
    violate(c, "no namespace was joined within the time limit");
}

static void *opened(void *ctx, struct engine *e)
{
    struct client *c = mem_zero(sizeof(*c));
    c->all = ctx;
    c->engine = e;
    c->late.ring = too_late;
    set_late(c);
    return c;
}

static void message(void *user, struct span message, bool binary)
{
    if (binary)
        take_bytes(user, message);
    else
        take_text(user, message);
}

static void closed(void *user)
{
    struct client *c = user;
    struct knock *k;
    while (c->members)
        leave(c, c->members, false);
    LL_FOREACH (c->knocks, k)
        k->client = NULL;
    wheel_cancel(&c->late.timer);
    drop_parts(c);
    free(c);
}

const struct engine_user socketio_user = {.opened = opened, .message = message, .closed = closed};

/* --- set-up --------------------------------------------------------------------------------- */

struct socketio *socketio_new(struct gateway *g, const struct socketio_app *app)
{
    struct socketio *all = mem_zero(sizeof(*all));
    all->gateway = g;
    all->app = app;
    return all;
}

void socketio_free(struct socketio *all)
{
    for (int i = 0; i < all->namespace_count; i++)
        namespace_fini(&all->namespaces[i]);
    free(all);
}
