#include "client.h"
#include "clock.h"
#include "mem.h"
#include "protocol.h"
#include "tls.h"
#include "ws.h"
#include <assert.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <utlist.h>

enum {
    CONNECTING_MAX = 256, /* more at once overflow a server's accept queue */
    MESSAGE_BYTES_MAX = 16 * 1024 * 1024,
    READ_BYTES = 64 * 1024,
    OPEN_TIMEOUT_MS = 10 * 1000,
    CLOSE_TIMEOUT_MS = 2 * 1000, /* how long a peer's part in closing is waited for */
    TICK_MS = 250,               /* how often the timeouts are looked at */
    OTHER_FILES = 64,            /* that a tool needs beside its connections */
    KEEPALIVE_S = 60,            /* of silence, after which TCP asks whether the peer lives */
    CODE_NONE = 1005,            /* RFC 6455, section 7.4.1: a close frame without a code */
    CODE_LOST = 1006,            /* no close frame */
    CODE_PROTOCOL = 1002,        /* the protocol was broken */
};

/* What is needed until a connection is open. */
struct attempt {
    struct ws_url url;
    char *token, *protocol; /* may be NULL */
    char key[WS_KEY_BYTES];
    struct buf early; /* frames that were queued already */
    uv_connect_t connect;
    uv_getaddrinfo_t resolve;
    bool resolving; /* libuv still has `resolve` */
    struct addrinfo *addresses, *next;
};

struct writing {
    uv_write_t request;
    struct buf bytes;
};

enum state {
    WAITING,    /* for its turn to connect */
    CONNECTING, /* from the look-up of the name to the end of the handshake */
    OPEN,
    CLOSING, /* our close frame was sent or queued */
    ENDED,   /* only the loop still knows it */
};

struct client {
    struct client *prev, *next; /* in the list of the net that its state calls for */
    struct client *dirty_prev, *dirty_next;
    struct client_net *net;
    void *ctx;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    };
    bool handle_closed; /* for good */
    enum state state;
    bool muted;  /* its user wants no more messages */
    bool binary; /* sends binary frames */
    bool dirty;  /* in the net's list of those with something to write */
    bool in_fragments;
    struct attempt *attempt; /* NULL once it is open */
    struct tls *tls;         /* NULL without */
    struct buf in;           /* the answer to the handshake, or a frame, as far as it has come */
    struct buf message;      /* fragments, as far as they have come */
    struct buf out;          /* for the socket */
    struct writing *writing; /* what the socket didn't take at once */
    int64_t deadline_ms;     /* while CONNECTING or CLOSING */
    int code;                /* how it ends, */
    struct buf why;          /* and in words */
};

struct client_net {
    uv_loop_t *loop;
    const struct client_hooks *hooks;
    struct client *waiting, *timed, *open; /* timed: those that have a deadline */
    struct client *dirty;
    int connecting;
    int handles; /* the loop's, ours among them; the net goes with the last */
    bool freeing;
    uv_timer_t turn; /* of no length: for what is done from the loop rather than from a callback */
    uv_timer_t tick;
    struct buf plain; /* what TLS made of the bytes that were just read */
    char bytes[READ_BYTES];
};

/* --- lifetime --- */

static void attempt_free(struct attempt *a)
{
    if (!a)
        return;
    ws_url_fini(&a->url);
    free(a->token);
    free(a->protocol);
    buf_fini(&a->early);
    uv_freeaddrinfo(a->addresses);
    free(a);
}

static void client_free(struct client *c)
{
    attempt_free(c->attempt);
    tls_free(c->tls);
    buf_fini(&c->in);
    buf_fini(&c->message);
    buf_fini(&c->out);
    buf_fini(&c->why);
    free(c);
}

static void net_release(struct client_net *net)
{
    if (--net->handles > 0)
        return;
    buf_fini(&net->plain);
    free(net);
}

/* Tells the end once nothing of the loop's points to c any more. */
static void bury(struct client *c)
{
    struct client_net *net = c->net;
    if (!c->handle_closed || (c->attempt && c->attempt->resolving))
        return;
    if (!net->freeing)
        net->hooks->closed(c, c->ctx, c->code, buf_span(&c->why));
    client_free(c);
    net_release(net);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct client *c = handle->data;
    c->handle_closed = true;
    bury(c);
}

static void on_turn(uv_timer_t *turn);

static void turn_soon(struct client_net *net)
{
    if (!net->freeing)
        uv_timer_start(&net->turn, on_turn, 0, 0);
}

static struct client **list_for(struct client *c)
{
    struct client_net *net = c->net;
    if (c->state == WAITING)
        return &net->waiting;
    return c->state == OPEN ? &net->open : &net->timed;
}

static void on_tick(uv_timer_t *tick);

/* Changes the state, and the list with it. */
static void move(struct client *c, enum state state)
{
    struct client_net *net = c->net;
    struct client **list = list_for(c);
    DL_DELETE(*list, c);
    net->connecting += (state == CONNECTING) - (c->state == CONNECTING);
    c->state = state;
    if (net->waiting)
        turn_soon(net);
    if (state == ENDED)
        return;
    list = list_for(c);
    DL_APPEND(*list, c);
    if (state == OPEN)
        return;
    c->deadline_ms = clock_steady_ms() + (state == CONNECTING ? OPEN_TIMEOUT_MS : CLOSE_TIMEOUT_MS);
    if (!net->freeing && !uv_is_active((uv_handle_t *)&net->tick))
        uv_timer_start(&net->tick, on_tick, TICK_MS, TICK_MS);
}

static void explain(struct client *c, int code, struct span why)
{
    c->code = code;
    buf_clear(&c->why);
    buf_join(&c->why, why);
}

static void end(struct client *c)
{
    if (c->state == ENDED)
        return;
    move(c, ENDED);
    if (c->dirty)
        DL_DELETE2(c->net->dirty, c, dirty_prev, dirty_next);
    c->dirty = false;
    if (c->attempt && c->attempt->resolving)
        uv_cancel((uv_req_t *)&c->attempt->resolve);
    if (!uv_is_closing(&c->handle)) /* it may be between two addresses */
        uv_close(&c->handle, on_handle_closed);
}

/* The end of a connection that never was. */
static void fail(struct client *c, const char *why)
{
    explain(c, 0, span_of(why));
    end(c);
}

/* The end without a word from the peer: expected when it is closing. */
static void lost(struct client *c, const char *why)
{
    if (c->state == CONNECTING)
        explain(c, 0, span_of(why));
    else if (c->state == OPEN)
        explain(c, CODE_LOST, span_of(why));
    end(c);
}

/* --- sending --- */

static void flush(struct client *c);

static void on_written(uv_write_t *request, int status)
{
    struct client *c = request->data;
    buf_fini(&c->writing->bytes);
    free(c->writing);
    c->writing = NULL;
    if (status == 0 && c->state != ENDED)
        flush(c);
}

static void write_rest(struct client *c)
{
    c->writing = mem_zero(sizeof(*c->writing));
    c->writing->bytes = c->out;
    c->out = (struct buf){0};
    c->writing->request.data = c;
    uv_buf_t b = uv_buf_init(c->writing->bytes.at, (unsigned)c->writing->bytes.len);
    uv_write(&c->writing->request, &c->stream, &b, 1, on_written);
}

static void flush(struct client *c)
{
    if (c->tls)
        tls_output(c->tls, &c->out);
    if (c->writing || c->out.len == 0)
        return;
    uv_buf_t b = uv_buf_init(c->out.at, (unsigned)c->out.len);
    int n = uv_try_write(&c->stream, &b, 1);
    if (n < 0 && n != UV_EAGAIN) {
        lost(c, uv_strerror(n));
        return;
    }
    buf_drop(&c->out, n < 0 ? 0 : (size_t)n);
    if (c->out.len > 0)
        write_rest(c);
}

static void send_bytes(struct client *c, struct span bytes)
{
    if (c->tls)
        tls_send(c->tls, bytes);
    else
        buf_join(&c->out, bytes);
    if (c->dirty)
        return;
    c->dirty = true;
    DL_APPEND2(c->net->dirty, c, dirty_prev, dirty_next);
    turn_soon(c->net);
}

static void send_frame(struct client *c, enum ws_opcode opcode, struct span payload)
{
    struct buf frame = {0};
    ws_frame_format(&frame, opcode, payload);
    send_bytes(c, buf_span(&frame));
    buf_fini(&frame);
}

static void send_close(struct client *c, int code)
{
    char bytes[2] = {(char)(code >> 8), (char)code};
    send_frame(c, WS_CLOSE, (struct span){bytes, sizeof(bytes)});
    move(c, CLOSING);
}

/* --- receiving --- */

static const char too_big[] = "a message is larger than 16 MiB";

static void deliver(struct client *c, struct span message)
{
    if (!c->muted)
        c->net->hooks->message(c, c->ctx, message);
}

/* The peer broke the protocol, or a limit. */
static void refuse(struct client *c, int code, const char *why)
{
    explain(c, code, span_of(why));
    c->muted = true;
    if (c->state == OPEN)
        send_close(c, code);
    else
        end(c);
}

static void on_data_frame(struct client *c, const struct ws_frame *frame)
{
    bool continues = frame->opcode == WS_CONTINUATION;
    if (continues != c->in_fragments) {
        refuse(c, CODE_PROTOCOL, "a fragment is out of place");
        return;
    }
    if (frame->final && !continues) {
        deliver(c, frame->payload);
        return;
    }
    if (c->message.len + frame->payload.len > MESSAGE_BYTES_MAX) {
        refuse(c, CLOSE_TOO_BIG, too_big);
        return;
    }
    buf_join(&c->message, frame->payload);
    c->in_fragments = !frame->final;
    if (!frame->final)
        return;
    deliver(c, buf_span(&c->message));
    buf_fini(&c->message);
}

static void on_close_frame(struct client *c, struct span payload)
{
    if (c->state == CLOSING) {
        end(c);
        return;
    }
    struct span why = {payload.at + 2, payload.len > 2 ? payload.len - 2 : 0};
    int code = CODE_NONE;
    if (payload.len >= 2)
        code = (unsigned char)payload.at[0] << 8 | (unsigned char)payload.at[1];
    explain(c, code, why);
    send_close(c, code == CODE_NONE ? CLOSE_NORMAL : code);
}

static void on_frame(struct client *c, const struct ws_frame *frame)
{
    switch (frame->opcode) {
    case WS_CLOSE:
        on_close_frame(c, frame->payload);
        break;
    case WS_PING:
        if (c->state == OPEN)
            send_frame(c, WS_PONG, frame->payload);
        break;
    case WS_PONG:
        break;
    default:
        on_data_frame(c, frame);
        break;
    }
}

/* Handles the frame at the start of bytes and returns its length; 0 when it is not whole or the
 * client has come to its end. */
static size_t take_frame(struct client *c, struct span bytes, size_t *missing)
{
    struct ws_frame frame;
    struct fault f;
    *missing = 0;
    if (c->state != OPEN && c->state != CLOSING)
        return 0;
    ssize_t len = ws_frame_parse(bytes, &frame, missing, &f);
    if (*missing + bytes.len > MESSAGE_BYTES_MAX + WS_HEADER_BYTES_MAX)
        refuse(c, CLOSE_TOO_BIG, too_big);
    else if (len < 0)
        refuse(c, CODE_PROTOCOL, f.text);
    else if (len > 0)
        on_frame(c, &frame);
    return len > 0 ? (size_t)len : 0;
}

/* Frames are taken from where they were read; only one that is cut in two is put together. */
static void take_frames(struct client *c, struct span bytes)
{
    size_t missing;
    while (bytes.len > 0) {
        if (c->in.len == 0) {
            size_t len = take_frame(c, bytes, &missing);
            if (len == 0 && missing > 0)
                buf_join(&c->in, bytes);
            if (len == 0)
                return;
            bytes.at += len;
            bytes.len -= len;
            continue;
        }
        take_frame(c, buf_span(&c->in), &missing);
        size_t len = missing < bytes.len ? missing : bytes.len;
        if (len == 0)
            return;
        buf_add(&c->in, bytes.at, len);
        bytes.at += len;
        bytes.len -= len;
        if (take_frame(c, buf_span(&c->in), &missing) > 0)
            buf_fini(&c->in);
    }
}

static void become_open(struct client *c)
{
    struct attempt *a = c->attempt;
    c->attempt = NULL;
    move(c, OPEN);
    if (a->early.len > 0)
        send_bytes(c, buf_span(&a->early));
    attempt_free(a);
    c->net->hooks->open(c, c->ctx);
}

static void take_answer(struct client *c, struct span bytes)
{
    struct attempt *a = c->attempt;
    struct fault f;
    buf_join(&c->in, bytes);
    ssize_t len = ws_answer_parse(buf_span(&c->in), a->key, a->protocol, &f);
    if (len < 0)
        fail(c, f.text);
    if (len <= 0)
        return;
    struct buf in = c->in;
    c->in = (struct buf){0};
    become_open(c);
    take_frames(c, (struct span){in.at + len, in.len - (size_t)len});
    buf_fini(&in);
}

static void take(struct client *c, struct span bytes)
{
    if (c->state == CONNECTING)
        take_answer(c, bytes);
    else
        take_frames(c, bytes);
}

static void take_encrypted(struct client *c, struct span bytes)
{
    struct buf *plain = &c->net->plain;
    struct fault f;
    buf_clear(plain);
    int result = tls_input(c->tls, bytes, plain, &f);
    take(c, buf_span(plain));
    if (c->state != ENDED)
        flush(c);
    if (result < 0)
        lost(c, f.text);
}

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *b)
{
    (void)hint;
    struct client *c = handle->data;
    *b = uv_buf_init(c->net->bytes, sizeof(c->net->bytes));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
    struct client *c = stream->data;
    if (n == UV_EOF)
        lost(c, c->state == CONNECTING ? "closed during the handshake" : "connection lost");
    else if (n < 0)
        lost(c, uv_strerror((int)n));
    else if (c->tls)
        take_encrypted(c, (struct span){b->base, (size_t)n});
    else
        take(c, (struct span){b->base, (size_t)n});
}

/* --- connecting --- */

static void shake_hands(struct client *c)
{
    struct attempt *a = c->attempt;
    struct ws_request request = {a->url.authority, a->url.path, a->token, a->protocol};
    struct fault f;
    if (a->url.secure && !(c->tls = tls_new(a->url.host, &f))) {
        fail(c, f.text);
        return;
    }
    struct buf text = {0};
    ws_request_format(&request, &text, a->key);
    send_bytes(c, buf_span(&text));
    buf_fini(&text);
    uv_read_start(&c->stream, on_alloc, on_read);
}

static void try_next_address(struct client *c);

/* A handle that failed to connect can't be used again: a new one takes its place. */
static void on_handle_replaced(uv_handle_t *handle)
{
    struct client *c = handle->data;
    if (c->state == ENDED) {
        on_handle_closed(handle);
        return;
    }
    uv_tcp_init(c->net->loop, &c->tcp);
    try_next_address(c);
}

static void on_connected(uv_connect_t *request, int status)
{
    struct client *c = request->data;
    if (c->state == ENDED)
        return;
    if (status == 0)
        shake_hands(c);
    else if (c->attempt->next)
        uv_close(&c->handle, on_handle_replaced);
    else
        fail(c, uv_strerror(status));
}

static void connect_to(struct client *c, const struct sockaddr *address)
{
    uv_connect_t *request = &c->attempt->connect;
    request->data = c;
    int status = uv_tcp_connect(request, &c->tcp, address, on_connected);
    if (status < 0) {
        on_connected(request, status);
        return;
    }
    uv_tcp_nodelay(&c->tcp, 1);
    uv_tcp_keepalive(&c->tcp, 1, KEEPALIVE_S);
}

static void try_next_address(struct client *c)
{
    struct addrinfo *address = c->attempt->next;
    c->attempt->next = address->ai_next;
    connect_to(c, address->ai_addr);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses)
{
    struct client *c = request->data;
    struct attempt *a = c->attempt;
    a->resolving = false;
    a->addresses = a->next = addresses;
    if (c->state == ENDED)
        bury(c);
    else if (status < 0)
        fail(c, status == UV_EAI_NONAME ? "unknown host" : uv_strerror(status));
    else
        try_next_address(c);
}

static void resolve(struct client *c)
{
    struct attempt *a = c->attempt;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    char port[8];
    snprintf(port, sizeof(port), "%d", a->url.port);
    a->resolve.data = c;
    int status = uv_getaddrinfo(c->net->loop, &a->resolve, on_resolved, a->url.host, port, &hints);
    if (status < 0)
        fail(c, uv_strerror(status));
    else
        a->resolving = true;
}

static void start(struct client *c)
{
    const struct ws_url *url = &c->attempt->url;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    move(c, CONNECTING);
    if (url->socket) {
        c->attempt->connect.data = c;
        uv_pipe_connect(&c->attempt->connect, &c->pipe, url->socket, on_connected);
        return;
    }
    if (uv_ip4_addr(url->host, url->port, &address.v4) == 0 ||
        uv_ip6_addr(url->host, url->port, &address.v6) == 0)
        connect_to(c, &address.any);
    else
        resolve(c);
}

static void on_turn(uv_timer_t *turn)
{
    struct client_net *net = turn->data;
    while (net->dirty) {
        struct client *c = net->dirty;
        DL_DELETE2(net->dirty, c, dirty_prev, dirty_next);
        c->dirty = false;
        flush(c);
    }
    while (net->waiting && net->connecting < CONNECTING_MAX)
        start(net->waiting);
}

/* All of one state come in the order of their deadlines, but the two states are mixed. */
static void on_tick(uv_timer_t *tick)
{
    struct client_net *net = tick->data;
    int64_t now = clock_steady_ms();
    struct client *c, *next;
    DL_FOREACH_SAFE (net->timed, c, next) {
        if (c->deadline_ms > now)
            continue;
        if (c->state == CONNECTING)
            fail(c, "no answer in time");
        else
            end(c);
    }
    if (!net->timed)
        uv_timer_stop(tick);
}

/* --- what the user calls --- */

static void raise_file_limit(int most)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)most + OTHER_FILES;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit); /* if it fails, connecting says so */
}

struct client_net *client_net_new(uv_loop_t *loop, int most, const struct client_hooks *hooks)
{
    struct client_net *net = mem_zero(sizeof(*net));
    net->loop = loop;
    net->hooks = hooks;
    net->handles = 2;
    uv_timer_init(loop, &net->turn);
    uv_timer_init(loop, &net->tick);
    net->turn.data = net->tick.data = net;
    raise_file_limit(most);
    return net;
}

static void on_timer_closed(uv_handle_t *handle)
{
    net_release(handle->data);
}

static void end_all(struct client **list)
{
    struct client *c, *next;
    DL_FOREACH_SAFE (*list, c, next)
        end(c);
}

void client_net_free(struct client_net *net)
{
    net->freeing = true;
    end_all(&net->waiting);
    end_all(&net->timed);
    end_all(&net->open);
    uv_close((uv_handle_t *)&net->turn, on_timer_closed);
    uv_close((uv_handle_t *)&net->tick, on_timer_closed);
}

static struct client *client_new(struct client_net *net, struct attempt *a, void *ctx)
{
    struct client *c = mem_zero(sizeof(*c));
    c->net = net;
    c->ctx = ctx;
    c->attempt = a;
    if (a->url.socket)
        uv_pipe_init(net->loop, &c->pipe, 0);
    else
        uv_tcp_init(net->loop, &c->tcp);
    c->handle.data = c;
    net->handles++;
    DL_APPEND(net->waiting, c);
    turn_soon(net);
    return c;
}

struct client *client_open(struct client_net *net, const struct client_target *target, void *ctx,
                           struct fault *f)
{
    struct attempt *a = mem_zero(sizeof(*a));
    if (ws_url_parse(&a->url, target->url, f) < 0) {
        attempt_free(a);
        return NULL;
    }
    a->token = target->token ? mem_text(target->token) : NULL;
    a->protocol = target->protocol ? mem_text(target->protocol) : NULL;
    struct client *c = client_new(net, a, ctx);
    c->binary = target->binary;
    return c;
}

void client_send(struct client *c, struct span text)
{
    enum ws_opcode opcode = c->binary ? WS_BINARY : WS_TEXT;
    if (c->state == OPEN)
        send_frame(c, opcode, text);
    else if (c->attempt && c->state != ENDED)
        ws_frame_format(&c->attempt->early, opcode, text);
}

bool client_is_refused(int code, struct span why)
{
    return code == CLOSE_POLICY || (code >= 4500 && code <= 4999) ||
           span_is(why, "HTTP status 401") || span_is(why, "HTTP status 403");
}

void client_close(struct client *c)
{
    c->muted = true;
    if (c->state == CLOSING || c->state == ENDED)
        return;
    explain(c, CLOSE_NORMAL, (struct span){0});
    if (c->state == OPEN)
        send_close(c, CLOSE_NORMAL);
    else
        end(c);
}
