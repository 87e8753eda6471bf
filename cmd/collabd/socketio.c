#include "socketio.h"
#include "auth.h"
#include "clock.h"
#include "eio.h"
#include "log.h"
#include "mem.h"
#include "recover.h"
#include "restore.h"
#include "sio.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { LOG_KIND_RESERVED = 4 };

/* A namespace that somebody has joined, now or once: the codec of those who are in it. */
struct namespace
{
    struct codec codec; /* first, so that a codec is its namespace */
    const struct gateway *gateway;
};

struct socketio {
    struct gateway *gateway;
    const struct socketio_app *app;
    struct namespace namespaces[CODECS_MAX - CODEC_SOCKETIO];
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

/* --- packets out ---------------------------------------------------------------------------- */

static void add_head(const struct codec *k, enum sio_type type, int attachments, struct span ack,
                     struct buf *out)
{
    buf_char(out, EIO_MESSAGE);
    sio_head_format(out, type, attachments, k->nsp, ack);
}

/* A packet and its attachments, as one frame. */
static struct frame *binary_packet(struct span text, const struct sio_attachments *a)
{
    struct buf out = {0};
    frame_add_text(&out, text);
    for (int i = 0; i < a->count; i++)
        frame_add_binary(&out, buf_span(&a->bytes[i]));
    struct frame *frame = frame_join(buf_span(&out));
    buf_fini(&out);
    return frame;
}

/* A packet whose JSON is made of three pieces; bytes may be in the middle one. */
static struct frame *packet(const struct codec *k, enum sio_type type, struct span ack,
                            struct span before, struct span value, struct span after)
{
    struct sio_attachments a = {0};
    struct buf head = {0}, lifted = {0};
    struct frame *frame;
    if (sio_lift(value, &lifted, &a)) {
        add_head(k, type == SIO_EVENT ? SIO_BINARY_EVENT : SIO_BINARY_ACK, a.count, ack, &head);
        buf_join(&head, before);
        buf_join(&head, buf_span(&lifted));
        buf_join(&head, after);
        frame = binary_packet(buf_span(&head), &a);
    } else {
        add_head(k, type, 0, ack, &head);
        const struct span parts[] = {buf_span(&head), before, value, after};
        frame = frame_text(parts, 4);
    }
    sio_attachments_fini(&a);
    buf_fini(&lifted);
    buf_fini(&head);
    return frame;
}

/* An event with one argument, and what more is to follow it. type: encoded, without its quotes. */
static struct frame *event_packet(const struct codec *k, struct span type, struct span data,
                                  struct span more)
{
    struct buf before = {0}, after = {0};
    buf_text(&before, "[\"");
    buf_join(&before, type);
    buf_text(&before, "\",");
    buf_join(&after, more);
    buf_char(&after, ']');
    struct frame *frame = packet(k, SIO_EVENT, none, buf_span(&before),
                                 data.len ? data : span_of("null"), buf_span(&after));
    buf_fini(&before);
    buf_fini(&after);
    return frame;
}

struct frame *socketio_event(const struct session *s, struct span args)
{
    return packet(s->codec, SIO_EVENT, none, none, args, none);
}

struct frame *socketio_ack(const struct session *s, const struct request *r, struct span args)
{
    return packet(s->codec, SIO_ACK, r->ref, none, args, none);
}

/* --- the codec ------------------------------------------------------------------------------ */

static bool is_signal(const struct catalog *c, const struct event *e)
{
    const struct catalog_event *rule = catalog_event(c, e->type);
    return rule && rule->class == CATALOG_SIGNAL;
}

static const struct gateway *gateway_of_codec(const struct codec *k)
{
    return ((const struct namespace *)k)->gateway;
}

/* The last argument: from where a client can go on that comes back. It keeps the last that is a
 * string, so it must be ours, of whatever event. */
static void write_offset(const struct gateway *g, struct buf *out)
{
    if (!recover_is_on(g))
        return;
    buf_text(out, ",\"");
    recover_offset(g, out);
    buf_char(out, '"');
}

static void warn_reserved(struct span type)
{
    log_limited(LOG_KIND_RESERVED, LOG_WARNING,
                "%.*s: not sent to Socket.IO clients, who keep the name for themselves",
                (int)type.len, type.at);
}

/* The second argument. */
static void write_meta(const struct event *e, bool waited, struct buf *out)
{
    struct buf meta = {0};
    event_format_meta(e, &meta);
    if (waited) {
        buf_text(out, ",{\"offline\":true");
        *meta.at = meta.len > 2 ? ',' : ' ';
    } else {
        buf_char(out, ',');
    }
    buf_join(out, buf_span(&meta));
    buf_fini(&meta);
}

/* A client library would end its connection over a name that it keeps for itself. */
static struct frame *write_frame(const struct codec *k, const struct catalog *c,
                                 const struct event *e, bool waited)
{
    struct buf more = {0};
    if (sio_is_reserved(e->type)) {
        warn_reserved(e->type);
        return NULL;
    }
    if (c->socketio.meta || waited)
        write_meta(e, waited, &more);
    /* A signal may be overtaken, and what it said then would no longer be so. */
    if (!is_signal(c, e))
        write_offset(gateway_of_codec(k), &more);
    else if (recover_is_on(gateway_of_codec(k)))
        buf_text(&more, ",null");
    struct frame *frame = event_packet(k, e->type, e->data, buf_span(&more));
    buf_fini(&more);
    return frame;
}

static struct frame *event_frame(const struct codec *k, const struct catalog *c,
                                 const struct event *e, struct span text)
{
    (void)text;
    return write_frame(k, c, e, false);
}

static struct frame *waited_frame(const struct codec *k, const struct catalog *c,
                                  const struct event *e, struct span text)
{
    (void)text;
    return write_frame(k, c, e, true);
}

/* A client's callback stands after the last argument: where one is wanted, nothing is added. */
static struct frame *emit_frame(const struct codec *k, struct span args, struct span ack)
{
    struct json_walk w = json_walk(args);
    struct span name;
    struct buf all = {0};
    if (json_next_element(&w, &name) && sio_is_reserved(name)) {
        warn_reserved(name);
        return NULL;
    }
    buf_add(&all, args.at, args.len - 1);
    if (!ack.len)
        write_offset(gateway_of_codec(k), &all);
    buf_char(&all, ']');
    struct frame *frame = packet(k, SIO_EVENT, ack, none, buf_span(&all), none);
    buf_fini(&all);
    return frame;
}

/* The answer to CONNECT. */
static struct frame *welcome_frame(const struct codec *k, const struct session *s)
{
    const char *pid = recover_pid(s);
    struct buf text = {0};
    add_head(k, SIO_CONNECT, 0, none, &text);
    buf_printf(&text, "{\"sid\":\"%s\"", s->id);
    if (pid)
        buf_printf(&text, ",\"pid\":\"%s\"", pid);
    buf_char(&text, '}');
    struct span part = buf_span(&text);
    struct frame *frame = frame_text(&part, 1);
    buf_fini(&text);
    return frame;
}

/* The members of an object, in place of its braces. */
static void add_members(struct buf *out, const struct json *object)
{
    struct buf text = {0};
    json_write(object, &text);
    if (text.len > 2) {
        buf_char(out, ',');
        buf_add(out, text.at + 1, text.len - 2);
    }
    buf_fini(&text);
}

static struct frame *acknowledge(const struct codec *k, const struct request *r, struct span result)
{
    return packet(k, SIO_ACK, r->ref, span_of("["), result, span_of("]"));
}

static struct frame *reply_frame(const struct codec *k, const struct catalog *c,
                                 const struct request *r, const char *type, const struct json *data)
{
    struct buf text = {0};
    struct frame *frame = NULL;
    (void)c;
    if (r->ref.len) {
        buf_text(&text, "{\"ok\":true");
        if (data)
            add_members(&text, data);
        buf_char(&text, '}');
        frame = acknowledge(k, r, buf_span(&text));
    } else if (type) {
        if (data)
            json_write(data, &text);
        frame = event_packet(k, span_of(type), buf_span(&text), none);
    }
    buf_fini(&text);
    return frame;
}

static struct frame *error_frame(const struct codec *k, const struct catalog *c,
                                 const struct request *r, enum error_code code, const char *message,
                                 const struct json *detail)
{
    struct buf text = {0};
    struct frame *frame = NULL;
    buf_printf(&text, "{%s\"code\":\"%s\",\"message\":", r->ref.len ? "\"ok\":false," : "",
               error_name(code));
    json_encode(&text, span_of(message));
    if (detail) {
        buf_text(&text, ",\"data\":");
        json_write(detail, &text);
    }
    buf_char(&text, '}');
    if (r->ref.len)
        frame = acknowledge(k, r, buf_span(&text));
    else if (c->notices.error)
        frame = event_packet(k, span_of(c->notices.error), buf_span(&text), none);
    buf_fini(&text);
    return frame;
}

/* Whether a client should stay away until its user brings it back: a client library connects again
 * by itself unless it was told that it is disconnected. */
static bool is_final(enum close_code code)
{
    return code == CLOSE_NORMAL || code == CLOSE_POLICY || (int)code >= 4500;
}

static void add_disconnect(const struct codec *k, struct buf *frames)
{
    struct buf head = {0};
    add_head(k, SIO_DISCONNECT, 0, none, &head);
    frame_add_text(frames, buf_span(&head));
    buf_fini(&head);
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
        add_disconnect(m->session->codec, &out);
    }
    buf_add(&out, silent->bytes, silent->len);
    frame_unref(silent);
    struct frame *frame = frame_join(buf_span(&out));
    buf_fini(&out);
    return frame;
}

static void part(struct session *s);

static const struct codec codec = {
    .event = event_frame,
    .waited = waited_frame,
    .emit = emit_frame,
    .reply = reply_frame,
    .error = error_frame,
    .welcome = welcome_frame,
    .close = close_frame,
    .part = part,
};

/* --- sessions ------------------------------------------------------------------------------- */

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
    *nsp = (struct namespace){codec, all->gateway};
    nsp->codec.nsp = (struct span){span_text(name), name.len};
    nsp->codec.index = CODEC_SOCKETIO + i;
    all->namespace_count++;
    return nsp;
}

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
    add_disconnect(s->codec, &out);
    put(c, frame_join(buf_span(&out)));
    leave_one(c, find_member(c, s->codec->nsp));
    buf_fini(&out);
}

/* What the client said is against the protocol, which knows no other answer. */
static void violate(struct client *c, const char *why)
{
    log_debug("Socket.IO: %s", why);
    link_close(gateway_of(c), engine_link(c->engine), frame_close_silent());
}

/* "message" and what else is in an object, for one who may not join. */
static void put_connect_error(struct client *c, struct span name, const char *message,
                              const char *more)
{
    struct buf text = {0};
    buf_char(&text, EIO_MESSAGE);
    sio_head_format(&text, SIO_CONNECT_ERROR, 0, name, none);
    buf_text(&text, "{\"message\":");
    json_encode(&text, span_of(message));
    buf_printf(&text, "%s}", more);
    struct span part = buf_span(&text);
    put(c, frame_text(&part, 1));
    buf_fini(&text);
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
        free((void *)all->namespaces[i].codec.nsp.at);
    free(all);
}
