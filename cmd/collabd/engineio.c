#include "engineio.h"
#include "auth.h"
#include "catalog.h"
#include "clock.h"
#include "eio.h"
#include "ident.h"
#include "mem.h"
#include "ws.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
    SID_CHARS = 20,     /* 100 bits: a sid is what authorises a poll */
    UPGRADE_MS = 10000, /* how long a probe may take */
    LAST_POLL_MS = 30000,
};

struct engines {
    struct gateway *gateway;
    const struct engine_user *user;
    void *ctx;
    struct table by_sid; /* those that requests can reach */
    struct engine *list; /* all */
    size_t count;
    struct frame *ping;
};

/* One connection. Its link's frames go to the WebSocket, or are taken out of their WebSocket
 * headers into the answers of polls; so those that wait stay what they are when the one follows
 * the other. */
struct engine {
    struct table_node node; /* first: in all->by_sid */
    struct link link;
    struct engine *prev, *next;
    struct engines *all;
    void *user;                /* NULL once told that it is over */
    struct alarm alarm;        /* when next to look: at the times below */
    int64_t beat_ms;           /* steady: the next ping, or the end of the wait for a pong */
    int64_t probe_until_ms;    /* steady */
    int32_t ping_ms, pong_ms;  /* from a pong to the next ping; and then to the pong */
    struct link *socket;       /* the WebSocket; NULL: polling */
    struct link *probe;        /* one that is being tried; or NULL */
    struct web_exchange *poll; /* the GET that waits; or NULL */
    char *token;
    bool pinged;  /* a pong is due */
    bool leaving; /* polling, and all is said but the close */
    bool over;    /* it only waits for its sockets to go */
    char sid[SID_CHARS + 1];
};

static struct engine *engine_of(struct link *l)
{
    return (struct engine *)(void *)((char *)l - offsetof(struct engine, link));
}

static struct gateway *gateway_of(const struct engine *e)
{
    return e->all->gateway;
}

struct link *engine_link(struct engine *e)
{
    return &e->link;
}

void *engine_user_of(struct link *l)
{
    return engine_of(l)->user;
}

const char *engine_token(const struct engine *e)
{
    return e->token ? e->token : "";
}

static struct frame *text_frame(struct span text)
{
    return frame_text(&text, 1);
}

/* --- answers, with the headers of CORS (fetch.spec.whatwg.org, section 3.2) ----------------- */

static bool is_allowed(const struct engines *all, struct span origin)
{
    return web_is_listed(&all->gateway->settings, origin);
}

static void answer(const struct engines *all, struct web_exchange *x, int status, const char *type,
                   struct span body)
{
    struct web_answer a = {.status = status, .type = type, .body = body};
    struct span origin = x->request->headers[WEB_ORIGIN];
    struct span asked = x->request->headers[WEB_REQUEST_HEADERS];
    struct buf headers = {0};
    if (is_allowed(all, origin))
        buf_printf(&headers,
                   "Access-Control-Allow-Origin: %.*s\r\nAccess-Control-Allow-Credentials: true\r\n"
                   "Vary: Origin\r\n",
                   (int)origin.len, origin.at);
    if (headers.len && status == 204)
        buf_text(&headers, "Access-Control-Allow-Methods: GET,POST\r\n");
    if (headers.len && status == 204 && asked.len)
        buf_printf(&headers, "Access-Control-Allow-Headers: %.*s\r\n", (int)asked.len, asked.at);
    a.headers = headers.at;
    x->answer(x, &a);
    buf_fini(&headers);
}

/* Why a request is refused, in the protocol's words. */
enum refusal {
    TAKEN = -1, /* it is not */
    UNKNOWN_TRANSPORT,
    UNKNOWN_SID,
    BAD_METHOD,
    BAD_REQUEST,
    FORBIDDEN,
    BAD_VERSION,
};
static const char *const refusals[] = {
    [UNKNOWN_TRANSPORT] = "Transport unknown",
    [UNKNOWN_SID] = "Session ID unknown",
    [BAD_METHOD] = "Bad handshake method",
    [BAD_REQUEST] = "Bad request",
    [FORBIDDEN] = "Forbidden",
    [BAD_VERSION] = "Unsupported protocol version",
};

static void answer_error(const struct engines *all, struct web_exchange *x, int status,
                         enum refusal why, const char *message)
{
    struct buf body = {0};
    buf_printf(&body, "{\"code\":%d,\"message\":\"%s\"}", (int)why, message);
    answer(all, x, status, "application/json", buf_span(&body));
    buf_fini(&body);
}

static void refuse(const struct engines *all, struct web_exchange *x, enum refusal why)
{
    answer_error(all, x, 400, why, refusals[why]);
}

static void answer_poll(struct engine *e, struct span payload)
{
    struct web_exchange *x = e->poll;
    e->poll = NULL;
    answer(e->all, x, 200, "text/plain; charset=UTF-8", payload);
}

/* The poll that waits is answered by a packet that says no more than its type. */
static void end_poll(struct engine *e, enum eio_type type)
{
    char packet = (char)type;
    if (e->poll)
        answer_poll(e, (struct span){&packet, 1});
}

/* --- the end -------------------------------------------------------------------------------- */

static int64_t next_look_ms(const struct engine *e)
{
    return e->probe && e->probe_until_ms < e->beat_ms ? e->probe_until_ms : e->beat_ms;
}

static void set_alarm(struct engine *e)
{
    wheel_set(gateway_of(e)->wheel, &e->alarm.timer, e->over ? 0 : next_look_ms(e));
}

/* Of a socket that carries nothing. */
static void drop_socket(struct link *l)
{
    struct frame *last = frame_close_silent();
    l->kind->send(l, (struct span){last->bytes, last->len});
    l->kind->close(l);
    frame_unref(last);
}

static void drop_probe(struct engine *e)
{
    if (e->probe && !e->probe->closing)
        drop_socket(e->probe);
}

/* No request reaches it from now on; those above are told, and it goes, when its alarm rings. */
static void bury(struct engine *e)
{
    if (e->over)
        return;
    e->over = true;
    e->link.closing = true;
    table_remove(&e->all->by_sid, &e->node);
    if (!e->all->by_sid.count)
        table_fini(&e->all->by_sid);
    drop_probe(e);
    set_alarm(e);
}

static void tell_over(struct engine *e)
{
    if (!e->user)
        return;
    e->all->user->closed(e->user);
    e->user = NULL;
    link_shut(gateway_of(e), &e->link);
}

static void engine_free(struct engine *e)
{
    wheel_cancel(&e->alarm.timer);
    DL_DELETE(e->all->list, e);
    e->all->count--;
    free(e->token);
    free(e);
}

/* --- the link ------------------------------------------------------------------------------- */

/* Puts frames' packets into a payload, but for a close. Whether one was among them. */
static bool unwrap(struct span frames, struct buf *payload)
{
    struct ws_frame frame = {.opcode = WS_PING};
    size_t missing;
    struct fault f;
    ssize_t len;
    while ((len = ws_frame_parse(frames, &frame, &missing, &f)) > 0) {
        if (frame.opcode == WS_TEXT)
            eio_add(payload, frame.payload);
        else if (frame.opcode == WS_BINARY)
            eio_add_binary(payload, frame.payload);
        span_drop(&frames, (size_t)len);
    }
    return frame.opcode == WS_CLOSE;
}

/* A client goes at once when it is told to, and looks only later at what it was told in the same
 * answer: so a close is one of its own. */
static void say_close(struct engine *e)
{
    end_poll(e, EIO_CLOSE);
    bury(e);
}

static bool send_frames(struct link *l, struct span frames)
{
    struct engine *e = engine_of(l);
    struct buf payload = {0};
    if (e->socket)
        return e->socket->kind->send(e->socket, frames);
    if (!e->poll)
        return false;
    e->leaving |= unwrap(frames, &payload);
    if (payload.len)
        answer_poll(e, buf_span(&payload));
    else
        say_close(e);
    buf_fini(&payload);
    return true;
}

/* A client that polls is told by its next poll, or when it has upgraded, if that comes soon. */
static void wind_up(struct link *l)
{
    struct engine *e = engine_of(l);
    int64_t wait_ms = gateway_of(e)->draining && !e->poll ? 0 : LAST_POLL_MS;
    if (e->socket)
        e->socket->kind->close(e->socket);
    else
        e->beat_ms = clock_steady_ms() + wait_ms;
    set_alarm(e);
}

static void stuck(struct link *l)
{
    struct gateway *g = gateway_of(engine_of(l));
    outbox_drop(g->outboxes, &l->outbox);
    link_close(g, l, frame_close(CLOSE_SLOW, close_reason(CLOSE_SLOW)));
}

static void ping(struct link *l)
{
    const struct engine *e = engine_of(l);
    l->pings++;
    link_put(gateway_of(e), l, frame_ref(e->all->ping));
}

static const struct link_kind link_kind = {
    .send = send_frames, .close = wind_up, .stuck = stuck, .ping = ping};

static void close_engine(struct engine *e)
{
    if (!e->link.closing)
        link_close(gateway_of(e), &e->link, frame_close_silent());
}

/* --- the heartbeat -------------------------------------------------------------------------- */

static bool has_timed_out(const struct engine *e, int64_t now_ms)
{
    return now_ms >= e->beat_ms + (e->pinged ? 0 : e->pong_ms);
}

static void beat(struct engine *e, int64_t now_ms)
{
    if (now_ms < e->beat_ms)
        return;
    if (e->pinged) {
        gateway_of(e)->metrics.value[M_SILENT_CLOSED]++;
        if (e->socket)
            close_engine(e);
        else
            bury(e);
        return;
    }
    outbox_trim(&e->link.outbox);
    ping(&e->link);
    e->pinged = true;
    e->beat_ms += e->pong_ms;
}

static void take_pong(struct engine *e)
{
    if (e->link.pongs != e->link.pings)
        e->link.pongs++;
    if (!e->pinged)
        return;
    e->pinged = false;
    e->beat_ms = clock_steady_ms() + e->ping_ms;
    set_alarm(e);
}

static void ring(struct alarm *alarm)
{
    struct engine *e = (struct engine *)(void *)((char *)alarm - offsetof(struct engine, alarm));
    int64_t now_ms = clock_steady_ms();
    if (e->link.closing && !e->socket && now_ms >= e->beat_ms)
        bury(e);
    if (e->over) {
        end_poll(e, EIO_CLOSE);
        tell_over(e);
        if (!e->socket && !e->probe)
            engine_free(e);
        return;
    }
    if (e->probe && now_ms >= e->probe_until_ms)
        drop_probe(e);
    if (!e->link.closing)
        beat(e, now_ms);
    if (!e->link.closing || !e->socket)
        set_alarm(e);
}

/* --- packets -------------------------------------------------------------------------------- */

/* What a client may say, but for the close. False: it may not say that. */
static bool take_packet(struct engine *e, const struct eio_packet *p)
{
    switch (p->type) {
    case EIO_PONG:
        take_pong(e);
        return true;
    case EIO_MESSAGE:
        e->all->user->message(e->user, p->data, p->binary);
        return true;
    case EIO_UPGRADE:
    case EIO_NOOP:
        return true;
    default:
        return false;
    }
}

/* --- over a WebSocket ----------------------------------------------------------------------- */

/* A client counts from one ping to the next; the gateway's limit is from one sign of life. */
static void set_heartbeat(struct engine *e, const struct limits *limits)
{
    int64_t pong_ms = limits->silence_ms - limits->ping_ms;
    e->ping_ms = (int32_t)limits->ping_ms;
    e->pong_ms = (int32_t)(pong_ms > 0 ? pong_ms : limits->ping_ms);
}

static struct engine *engine_new(struct engines *all, struct account *address, struct span token)
{
    struct engine *e = mem_zero(sizeof(*e));
    e->all = all;
    e->link.kind = &link_kind;
    e->alarm.ring = ring;
    e->token = token.len ? span_text(token) : NULL;
    set_heartbeat(e, &all->gateway->limits);
    e->beat_ms = clock_steady_ms() + e->ping_ms;
    ident_random(e->sid, SID_CHARS);
    table_add(&all->by_sid, &e->node, (struct span){e->sid, SID_CHARS});
    DL_APPEND(all->list, e);
    all->count++;
    link_open(all->gateway, &e->link, address);
    set_alarm(e);
    return e;
}

static int64_t payload_bytes_max(const struct gateway *g)
{
    int64_t body = g->settings.body_bytes_max;
    return g->limits.message_bytes < body ? g->limits.message_bytes : body;
}

/* Says what a server says first, and tells those above. */
static void greet(struct engine *e)
{
    const struct eio_handshake h = {
        .sid = e->sid,
        .upgrades = !e->socket,
        .ping_interval_ms = e->ping_ms,
        .ping_timeout_ms = e->pong_ms,
        .payload_bytes_max = payload_bytes_max(gateway_of(e)),
    };
    struct buf text = {0};
    eio_open_format(&h, &text);
    link_put(gateway_of(e), &e->link, text_frame(buf_span(&text)));
    buf_fini(&text);
    e->user = e->all->user->opened(e->all->ctx, e);
    assert(e->user);
}

/* A WebSocket on its way to us. */
struct arrival {
    struct engines *all;
    struct engine *engine; /* that it is to carry; NULL: a new one */
    struct account *address;
    struct span token;
};

/* One too many is of no engine. */
static struct engine *try_socket(struct engine *e, struct link *l)
{
    if (e->socket || e->probe || e->link.closing) {
        drop_socket(l);
        return NULL;
    }
    e->probe = l;
    e->probe_until_ms = clock_steady_ms() + UPGRADE_MS;
    set_alarm(e);
    return e;
}

static void carry_by(struct engine *e, struct link *l)
{
    e->socket = l;
    e->link.deflates = l->deflates;
}

static void *socket_opened(void *arg, struct link *l)
{
    struct arrival *a = arg;
    if (a->engine)
        return try_socket(a->engine, l);
    struct engine *e = engine_new(a->all, a->address, a->token);
    carry_by(e, l);
    greet(e);
    return e;
}

/* From now on all goes over the socket that was tried; also a close, if it was not yet told. */
static void upgrade(struct engine *e)
{
    carry_by(e, e->probe);
    e->probe = NULL;
    end_poll(e, EIO_NOOP);
    link_writable(gateway_of(e), &e->link);
    if (e->leaving)
        drop_socket(e->socket);
    else if (e->link.closing)
        e->socket->kind->close(e->socket);
}

/* While it is being tried, polls are answered at once, so that the client can stop polling. */
static void take_probe(struct engine *e, struct span message, bool binary)
{
    struct frame *pong;
    if (!binary && span_is(message, "2probe")) {
        pong = text_frame(span_of("3probe"));
        e->probe->kind->send(e->probe, (struct span){pong->bytes, pong->len});
        frame_unref(pong);
        end_poll(e, EIO_NOOP);
    } else if (!binary && span_is(message, "5")) {
        upgrade(e);
    } else {
        drop_probe(e);
    }
}

static void socket_message(void *arg, struct link *l, struct span message, bool binary)
{
    struct engine *e = arg;
    struct eio_packet p = {EIO_MESSAGE, true, message};
    struct buf bytes = {0};
    struct fault f;
    if (l == e->probe) {
        take_probe(e, message, binary);
        return;
    }
    if ((!binary && eio_parse(message, &p, &bytes, &f) != 0) || !take_packet(e, &p))
        close_engine(e);
    buf_fini(&bytes);
}

static void socket_heard(void *arg)
{
    (void)arg; /* nothing but a pong counts */
}

static void socket_writable(void *arg, struct link *l)
{
    struct engine *e = arg;
    if (e && l == e->socket)
        link_writable(gateway_of(e), &e->link);
}

static void socket_broken(void *arg, struct link *l, enum close_code code)
{
    struct engine *e = arg;
    if (l == e->probe)
        drop_probe(e);
    else
        link_close(gateway_of(e), &e->link, frame_close(code, close_reason(code)));
}

static void socket_ended(void *arg, struct link *l)
{
    struct engine *e = arg;
    if (!e)
        return;
    if (l == e->probe) {
        e->probe = NULL;
    } else {
        e->socket = NULL;
        bury(e);
    }
    set_alarm(e);
}

static const struct receiver receiver = {
    .opened = socket_opened,
    .message = socket_message,
    .heard = socket_heard,
    .writable = socket_writable,
    .broken = socket_broken,
    .ended = socket_ended,
};

/* --- what a request asks for ---------------------------------------------------------------- */

static struct engine *find(struct engines *all, struct span sid)
{
    struct engine *e = table_find(&all->by_sid, sid);
    if (!e || e->socket || !has_timed_out(e, clock_steady_ms()))
        return e;
    bury(e);
    return NULL;
}

/* Of a request with a sid. */
static enum refusal check_known(const struct engine *e, bool upgrading, bool polling)
{
    if (!e)
        return UNKNOWN_SID;
    if (upgrading == polling || (polling && e->socket))
        return BAD_REQUEST;
    return TAKEN;
}

static enum refusal check_handshake(const struct web_request *r, bool upgrading, bool polling)
{
    if (strcmp(r->method, "GET") != 0)
        return BAD_METHOD;
    return upgrading == polling ? BAD_REQUEST : TAKEN;
}

/* What is wrong with a request, looked for in the order in which clients expect it. */
static enum refusal check(struct engines *all, const struct web_request *r, bool upgrading,
                          struct engine **e)
{
    struct span transport = web_query(r->query, "transport");
    struct span sid = web_query(r->query, "sid");
    bool polling = span_is(transport, "polling");
    *e = NULL;
    if (!polling && !span_is(transport, "websocket"))
        return UNKNOWN_TRANSPORT;
    if (sid.len)
        *e = find(all, sid);
    enum refusal why =
        sid.len ? check_known(*e, upgrading, polling) : check_handshake(r, upgrading, polling);
    if (why == TAKEN && !span_is(web_query(r->query, "EIO"), "4"))
        why = BAD_VERSION;
    return why;
}

static struct span token_of(const struct engines *all, const struct web_request *r)
{
    const struct auth_request ask = {
        .query = r->query,
        .authorization = r->headers[WEB_AUTHORIZATION],
    };
    return auth_find(&ask, all->gateway->catalog->auth.from);
}

static void take_upgrade(void *ctx, struct web_upgrade *u)
{
    struct arrival a = {
        .all = ctx,
        .address = u->request->address,
        .token = token_of(ctx, u->request),
    };
    enum refusal why = check(a.all, u->request, true, &a.engine);
    if (why == TAKEN)
        u->take(u, &receiver, &a);
    else
        u->refuse(u, 400, refusals[why]);
}

/* --- over HTTP long-polling ----------------------------------------------------------------- */

/* A client that gives up a poll has gone. */
static void poll_aborted(void *arg)
{
    struct engine *e = arg;
    e->poll = NULL;
    bury(e);
}

static void hold_poll(struct engine *e, struct web_exchange *x)
{
    x->aborted = poll_aborted;
    x->arg = e;
    e->poll = x;
    link_writable(gateway_of(e), &e->link);
}

static void handshake(struct engines *all, struct web_exchange *x)
{
    struct account *address = x->request->address;
    if (all->gateway->closed || !link_has_place(all->gateway, address)) {
        answer_error(all, x, 503, FORBIDDEN, "no more connections now");
        return;
    }
    struct engine *e = engine_new(all, address, token_of(all, x->request));
    greet(e);
    hold_poll(e, x);
}

static void take_get(struct engine *e, struct web_exchange *x)
{
    if (e->poll) {
        say_close(e);
        refuse(e->all, x, BAD_REQUEST);
        return;
    }
    hold_poll(e, x);
    if (e->leaving)
        say_close(e);
    else if (e->probe && !e->link.outbox.count)
        end_poll(e, EIO_NOOP);
}

/* Whether all of a payload could be taken. */
static bool take_payload(struct engine *e, struct span payload)
{
    struct buf bytes = {0};
    struct span text;
    struct eio_packet p;
    struct fault f;
    bool good = payload.len && span_is_utf8(payload);
    while (good && !e->link.closing && eio_next(&payload, &text)) {
        good = eio_parse(text, &p, &bytes, &f) == 0;
        if (good && p.type == EIO_CLOSE) {
            end_poll(e, EIO_NOOP);
            bury(e);
        } else if (good) {
            good = take_packet(e, &p);
        }
    }
    buf_fini(&bytes);
    return good;
}

static void take_post(struct engine *e, struct web_exchange *x)
{
    const struct web_request *r = x->request;
    if (r->body.len > (size_t)payload_bytes_max(gateway_of(e))) {
        answer_error(e->all, x, 413, BAD_REQUEST, "Payload too large");
        return;
    }
    if (span_is(r->headers[WEB_CONTENT_TYPE], "application/octet-stream") ||
        !take_payload(e, r->body)) {
        say_close(e);
        refuse(e->all, x, BAD_REQUEST);
        return;
    }
    answer(e->all, x, 200, "text/html", span_of("ok"));
}

static void take_request(void *ctx, struct web_exchange *x)
{
    struct engines *all = ctx;
    const struct web_request *r = x->request;
    struct engine *e;
    if (strcmp(r->method, "OPTIONS") == 0 && is_allowed(all, r->headers[WEB_ORIGIN])) {
        answer(all, x, 204, NULL, (struct span){0});
        return;
    }
    enum refusal why = check(all, r, false, &e);
    if (why != TAKEN)
        refuse(all, x, why);
    else if (!e)
        handshake(all, x);
    else if (strcmp(r->method, "GET") == 0)
        take_get(e, x);
    else if (strcmp(r->method, "POST") == 0)
        take_post(e, x);
    else
        refuse(all, x, BAD_METHOD);
}

static bool leads(void *ctx, struct span path)
{
    const struct engines *all = ctx;
    const char *const *prefix = all->gateway->catalog->endpoints.socketio;
    while (*prefix && !span_starts(path, *prefix))
        prefix++;
    return *prefix != NULL;
}

const struct web_site engines_site = {
    .leads = leads,
    .request = take_request,
    .upgrade = take_upgrade,
};

/* --- all of them ---------------------------------------------------------------------------- */

struct engines *engines_new(struct gateway *g, const struct engine_user *user, void *ctx)
{
    static const char packet[] = {EIO_PING, '\0'};
    struct engines *all = mem_zero(sizeof(*all));
    all->gateway = g;
    all->user = user;
    all->ctx = ctx;
    all->ping = text_frame(span_of(packet));
    return all;
}

void engines_close_all(struct engines *all)
{
    struct engine *e;
    DL_FOREACH (all->list, e)
        close_engine(e);
}

size_t engines_count(const struct engines *all)
{
    return all->count;
}

void engines_free(struct engines *all)
{
    struct engine *e, *tmp;
    DL_FOREACH_SAFE (all->list, e, tmp) {
        bury(e);
        tell_over(e);
        engine_free(e);
    }
    frame_unref(all->ping);
    free(all);
}
