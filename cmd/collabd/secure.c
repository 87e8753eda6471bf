#include "secure.h"
#include "clock.h"
#include "log.h"
#include "mem.h"
#include "tls.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

enum {
    READ_BYTES = 65536,
    PAIR_BYTES = 65536,     /* that wait between the two stages, each way */
    BACKLOG_BYTES = 262144, /* of what TLS itself says to a client that reads nothing */
    FAREWELL_MS = 5000,     /* to take what was sent before the end */
    RECORD_HANDSHAKE = 22,  /* the first byte of a TLS connection (RFC 8446, section 5.1) */
    LOG_KIND_TLS = 3,
};

struct secures {
    struct gateway *gateway;
    struct https *https;
    struct secure *list;
    size_t count;
    struct buf plain, sealed; /* what one call brings; empty between calls */
    char bytes[READ_BYTES];
};

/* One connection. */
struct secure {
    struct secures *all;
    struct secure *prev, *next;
    struct visitor visitor;
    struct tls *tls;
    struct alarm alarm; /* of the handshake, of a client that takes nothing, of the farewell */
    uv_stream_t *outer; /* the client's */
    uv_pipe_t inner;    /* our end of the pair */
    int holders;        /* libuv's handles, and writes under way: freed by the last */
    bool heard;         /* something has come */
    bool deaf;          /* nothing more will, or nobody takes it */
    bool handed;        /* on: the handshake is done and the pair is there */
    bool over;          /* the gateway has closed; the client gets what is left, and then the end */
    bool closing;
};

/* --- the end ------------------------------------------------------------------------------ */

static void let_go(struct secure *c)
{
    if (--c->holders)
        return;
    tls_free(c->tls);
    free(c->outer);
    free(c);
}

static void handle_closed(uv_handle_t *handle)
{
    let_go(handle->data);
}

static void end(struct secure *c)
{
    struct secures *s = c->all;
    if (c->closing)
        return;
    c->closing = true;
    wheel_cancel(&c->alarm.timer);
    DL_DELETE(s->list, c);
    s->count--;
    uv_close((uv_handle_t *)c->outer, handle_closed);
    if (c->handed)
        uv_close((uv_handle_t *)&c->inner, handle_closed);
    else
        visitor_leave(s->gateway, &c->visitor);
}

static void fail(struct secure *c, const char *why)
{
    if (!c->handed) {
        c->all->gateway->metrics.value[M_TLS_FAILURES]++;
        log_limited(LOG_KIND_TLS, LOG_INFO, "tls: no handshake: %s", why);
    }
    end(c);
}

static void ring(struct alarm *alarm)
{
    struct secure *c = (struct secure *)(void *)((char *)alarm - offsetof(struct secure, alarm));
    fail(c, "it took too long");
}

static void set_alarm(struct secure *c, int64_t in_ms)
{
    wheel_set(c->all->gateway->wheel, &c->alarm.timer, clock_steady_ms() + in_ms);
}

/* --- writing ------------------------------------------------------------------------------ */

/* What a socket didn't take at once. */
struct rest {
    uv_write_t write;
    struct secure *secure;
    struct buf bytes;
};

static void read_outer(struct secure *c);
static void read_inner(struct secure *c);

static void stop_hearing(struct secure *c)
{
    c->deaf = true;
    uv_read_stop(c->outer);
}

/* A gateway that takes nothing more may have left an answer. */
static void cannot_write(struct secure *c, const uv_stream_t *to)
{
    if (to == c->outer)
        end(c);
    else if (!c->closing)
        stop_hearing(c);
}

static void written(uv_write_t *write, int status)
{
    struct rest *r = write->data;
    struct secure *c = r->secure;
    uv_stream_t *to = write->handle;
    bool outer = to == c->outer, all = uv_stream_get_write_queue_size(to) == 0;
    buf_fini(&r->bytes);
    free(r);
    if (status < 0)
        cannot_write(c, to);
    if (outer && all && c->over)
        end(c);
    else if (outer && all && c->handed)
        wheel_cancel(&c->alarm.timer);
    if (!c->closing && all && outer && c->handed)
        read_inner(c);
    if (!c->closing && all && !outer)
        read_outer(c);
    let_go(c);
}

static void write_rest(struct secure *c, uv_stream_t *to, struct span bytes)
{
    struct rest *r = mem_zero(sizeof(*r));
    r->secure = c;
    r->write.data = r;
    buf_join(&r->bytes, bytes);
    uv_buf_t out = uv_buf_init(r->bytes.at, (unsigned int)r->bytes.len);
    c->holders++;
    if (uv_write(&r->write, to, &out, 1, written) == 0)
        return;
    buf_fini(&r->bytes);
    free(r);
    c->holders--;
    cannot_write(c, to);
}

/* True when all of it was taken. Until the rest is, nothing is read that would add to it. */
static bool write_bytes(struct secure *c, uv_stream_t *to, struct span bytes)
{
    if (!bytes.len)
        return true;
    uv_buf_t out = uv_buf_init((char *)bytes.at, (unsigned int)bytes.len);
    int n = uv_try_write(to, &out, 1);
    if (n == (int)bytes.len)
        return true;
    if (n < 0 && n != UV_EAGAIN) {
        cannot_write(c, to);
        return false;
    }
    span_drop(&bytes, n < 0 ? 0 : (size_t)n);
    write_rest(c, to, bytes);
    return false;
}

/* The gateway is heard again when the client has taken what is on its way. One that never does is
 * closed as too slow by the gateway, which is not heard: so the time for that is watched here too.
 */
static void wait_for_client(struct secure *c)
{
    uv_read_stop((uv_stream_t *)&c->inner);
    if (!wheel_is_set(&c->alarm.timer))
        set_alarm(c, c->all->gateway->settings.outbox_ms_max + FAREWELL_MS);
}

/* To the client goes what its session has to say. */
static void flush(struct secure *c)
{
    struct buf *sealed = &c->all->sealed;
    tls_output(c->tls, sealed);
    bool taken = write_bytes(c, c->outer, buf_span(sealed));
    buf_clear(sealed);
    if (taken || c->closing)
        return;
    if (c->handed)
        wait_for_client(c);
    if (uv_stream_get_write_queue_size(c->outer) > BACKLOG_BYTES + 2 * PAIR_BYTES)
        end(c);
}

/* --- from the gateway --------------------------------------------------------------------- */

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *out)
{
    struct secure *c = handle->data;
    (void)hint;
    *out = uv_buf_init(c->all->bytes, sizeof(c->all->bytes));
}

/* The gateway has closed its end. */
static void wind_up(struct secure *c)
{
    c->over = true;
    uv_read_stop((uv_stream_t *)&c->inner);
    tls_finish(c->tls);
    flush(c);
    if (c->closing)
        return;
    if (uv_stream_get_write_queue_size(c->outer) == 0)
        end(c);
    else
        set_alarm(c, FAREWELL_MS);
}

static void on_inner(uv_stream_t *stream, ssize_t n, const uv_buf_t *in)
{
    struct secure *c = stream->data;
    if (n > 0) {
        tls_send(c->tls, (struct span){in->base, (size_t)n});
        flush(c);
    } else if (n < 0) {
        wind_up(c);
    }
}

static void read_inner(struct secure *c)
{
    if (!c->over)
        uv_read_start((uv_stream_t *)&c->inner, on_alloc, on_inner);
}

/* --- the pair ----------------------------------------------------------------------------- */

static int open_pair(int ends[2])
{
    int bytes = PAIR_BYTES;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
        return -1;
    for (int i = 0; i < 2; i++)
        setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    return 0;
}

/* The handshake is done: what follows gets the other end of a pair, and the visit with it. */
static void hand_on(struct secure *c)
{
    struct gateway *g = c->all->gateway;
    int ends[2];
    if (open_pair(ends) != 0) {
        log_limited(LOG_KIND_TLS, LOG_WARNING, "tls: no pair of sockets: %s", uv_strerror(-errno));
        end(c);
        return;
    }
    wheel_cancel(&c->alarm.timer);
    g->metrics.value[M_TLS_HANDSHAKES]++;
    g->metrics.value[M_TLS_RESUMED] += tls_is_resumed(c->tls);
    uv_pipe_t *other = mem_zero(sizeof(*other));
    uv_pipe_init(g->loop, &c->inner, 0);
    uv_pipe_open(&c->inner, ends[0]);
    uv_pipe_init(g->loop, other, 0);
    uv_pipe_open(other, ends[1]);
    c->inner.data = c;
    c->handed = true;
    c->holders++;
    c->visitor.stream = (uv_stream_t *)other;
    http_take(c->all->https, &c->visitor);
    read_inner(c);
}

/* --- from the client ---------------------------------------------------------------------- */

static void closed_side(uv_shutdown_t *request, int status)
{
    struct secure *c = request->data;
    (void)status;
    free(request);
    let_go(c);
}

/* The client sends nothing more; it may still get something. */
static void end_side(struct secure *c)
{
    stop_hearing(c);
    if (!c->handed) {
        fail(c, "the client has gone");
        return;
    }
    uv_shutdown_t *request = mem_zero(sizeof(*request));
    request->data = c;
    c->holders++;
    if (uv_shutdown(request, (uv_stream_t *)&c->inner, closed_side) == 0)
        return;
    free(request);
    c->holders--;
    end(c);
}

/* Who speaks HTTP here is told so in it. */
static void refuse_plain(struct secure *c, char first)
{
    static const char answer[] =
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Length: 38\r\nConnection: close\r\n\r\nTLS is spoken at this port: https://.\n";
    if (first >= 'A' && first <= 'Z')
        write_bytes(c, c->outer, span_of(answer));
    fail(c, "no TLS");
}

static void hear(struct secure *c, struct span bytes)
{
    struct buf *plain = &c->all->plain;
    struct fault f;
    bool broken = tls_input(c->tls, bytes, plain, &f) != 0;
    bool opened = !broken && !c->handed && tls_is_open(c->tls);
    flush(c);
    if (opened && !c->closing)
        hand_on(c);
    if (c->handed && !c->closing && !write_bytes(c, (uv_stream_t *)&c->inner, buf_span(plain)))
        uv_read_stop(c->outer);
    buf_clear(plain);
    if (broken && !c->closing)
        fail(c, f.text);
    else if (!c->closing && !c->deaf && tls_has_ended(c->tls))
        end_side(c);
}

static void on_outer(uv_stream_t *stream, ssize_t n, const uv_buf_t *in)
{
    struct secure *c = stream->data;
    bool first = !c->heard;
    if (n == UV_EOF)
        end_side(c);
    else if (n < 0)
        fail(c, uv_strerror((int)n));
    if (n <= 0)
        return;
    c->heard = true;
    if (first && in->base[0] != RECORD_HANDSHAKE)
        refuse_plain(c, in->base[0]);
    else
        hear(c, (struct span){in->base, (size_t)n});
}

static void read_outer(struct secure *c)
{
    int error = c->deaf ? 0 : uv_read_start(c->outer, on_alloc, on_outer);
    if (error && error != UV_EALREADY)
        end(c);
}

void secure_take(struct secures *s, struct visitor *v)
{
    struct gateway *g = s->gateway;
    if (!v->tls) {
        http_take(s->https, v);
        return;
    }
    if (v->crowded) { /* a handshake is more work than it is worth */
        visitor_leave(g, v);
        visitor_send_away(v);
        return;
    }
    struct secure *c = mem_zero(sizeof(*c));
    c->all = s;
    c->visitor = *v;
    c->outer = v->stream;
    c->outer->data = c;
    c->holders = 1;
    c->alarm.ring = ring;
    c->tls = tls_accept(g->identity);
    DL_APPEND(s->list, c);
    s->count++;
    set_alarm(c, g->settings.handshake_ms);
    read_outer(c);
}

/* --- all of them -------------------------------------------------------------------------- */

struct secures *secures_new(struct gateway *g, struct https *https)
{
    struct secures *s = mem_zero(sizeof(*s));
    s->gateway = g;
    s->https = https;
    return s;
}

void secures_free(struct secures *s)
{
    buf_fini(&s->plain);
    buf_fini(&s->sealed);
    free(s);
}

void secures_drain(struct secures *s)
{
    struct secure *c, *tmp;
    DL_FOREACH_SAFE (s->list, c, tmp)
        if (!c->handed)
            end(c);
}

void secures_end_all(struct secures *s)
{
    struct secure *c, *tmp;
    DL_FOREACH_SAFE (s->list, c, tmp)
        end(c);
}

size_t secures_count(const struct secures *s)
{
    return s->count;
}
