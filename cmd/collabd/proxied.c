#include "proxied.h"
#include "clock.h"
#include "log.h"
#include "mem.h"
#include "proxy.h"
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <utlist.h>

enum { LOG_KIND_PROXY = 4 };

struct proxieds {
    struct gateway *gateway;
    struct secures *secures;
    struct proxied *list;
    int64_t count;
};

/* One connection, until its header is there. */
struct proxied {
    struct proxieds *all;
    struct proxied *prev, *next;
    struct visitor visitor;
    struct alarm alarm;
    struct buf head;              /* as far as it has come */
    ssize_t len;                  /* of it; 0: not known yet; -1: it is none */
    struct sockaddr_storage from; /* what it says */
    struct fault fault;
};

static void hand_on(struct proxieds *all, struct visitor *v)
{
    if (visitor_enter(all->gateway, v))
        secure_take(all->secures, v);
}

/* The stream is the visitor's. */
static void forget(struct proxied *p)
{
    DL_DELETE(p->all->list, p);
    p->all->count--;
    wheel_cancel(&p->alarm.timer);
    buf_fini(&p->head);
    free(p);
}

static void refuse(struct proxied *p, const char *why)
{
    p->all->gateway->metrics.value[M_HANDSHAKE_FAILURES]++;
    log_limited(LOG_KIND_PROXY, LOG_WARNING, "a trusted proxy's connection is closed: %s", why);
    visitor_send_away(&p->visitor);
    forget(p);
}

static void ring(struct alarm *alarm)
{
    refuse((struct proxied *)(void *)((char *)alarm - offsetof(struct proxied, alarm)),
           "PROXY: the header took too long");
}

/* What is there is looked at, so that libuv reads of it what belongs to the header, and no more. */
static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *out)
{
    struct proxied *p = handle->data;
    size_t room = PROXY_BYTES_MAX - p->head.len;
    char *at = buf_room(&p->head, room);
    uv_os_fd_t fd;
    (void)hint;
    uv_fileno(handle, &fd);
    ssize_t there = recv(fd, at, room, MSG_PEEK | MSG_DONTWAIT);
    size_t more = there > 0 ? (size_t)there : 0;
    p->len = proxy_parse((struct span){p->head.at, p->head.len + more}, &p->from, &p->fault);
    if (p->len > 0)
        more = (size_t)p->len - p->head.len;
    *out = uv_buf_init(at, more ? (unsigned int)more : 1);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *in)
{
    struct proxied *p = stream->data;
    (void)in;
    if (n > 0)
        p->head.len += (size_t)n;
    if (n < 0 || p->len < 0) {
        refuse(p, n < 0 ? uv_strerror((int)n) : p->fault.text);
        return;
    }
    if (!p->len || p->head.len < (size_t)p->len)
        return;
    struct visitor v = p->visitor;
    struct proxieds *all = p->all;
    if (p->from.ss_family != AF_UNSPEC)
        memcpy(&v.end, &p->from, sizeof(v.end));
    uv_read_stop(stream);
    forget(p);
    hand_on(all, &v);
}

static bool has_header(const struct gateway *g, const struct visitor *v)
{
    return g->settings.proxy_protocol && peer_is_proxy(&g->trusted_proxies, &v->end.any);
}

void proxied_take(struct proxieds *all, struct visitor *v)
{
    struct gateway *g = all->gateway;
    if (!has_header(g, v)) {
        hand_on(all, v);
        return;
    }
    if (all->count >= g->limits.connections) {
        visitor_send_away(v);
        return;
    }
    struct proxied *p = mem_zero(sizeof(*p));
    p->all = all;
    p->visitor = *v;
    p->visitor.stream->data = p;
    p->alarm.ring = ring;
    DL_APPEND(all->list, p);
    all->count++;
    wheel_set(g->wheel, &p->alarm.timer, clock_steady_ms() + g->settings.handshake_ms);
    if (uv_read_start(p->visitor.stream, on_alloc, on_read) != 0)
        refuse(p, "it cannot be read");
}

struct proxieds *proxieds_new(struct gateway *g, struct secures *secures)
{
    struct proxieds *all = mem_zero(sizeof(*all));
    all->gateway = g;
    all->secures = secures;
    return all;
}

void proxieds_free(struct proxieds *all)
{
    free(all);
}

void proxieds_end_all(struct proxieds *all)
{
    struct proxied *p, *tmp;
    DL_FOREACH_SAFE (all->list, p, tmp) {
        visitor_send_away(&p->visitor);
        forget(p);
    }
}
