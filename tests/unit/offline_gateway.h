/* A gateway in one process without sockets, whose Redis is not there: its stages as main.c puts
 * them together, a key, and clients whose links keep what is sent. For tests of what clients say
 * and hear; included by one program each, so all is static inline. */
#ifndef OFFLINE_GATEWAY_H
#define OFFLINE_GATEWAY_H

#include "catalog_file.h"
#include "clock.h"
#include "hub.h"
#include "log.h"
#include "node.h"
#include "plain.h"
#include "stages.h"
#include "ws.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct offline {
    struct gateway gateway;
    uv_loop_t loop;
    struct redis_address redis;
    bool told; /* that there is no Redis */
};

static inline void offline_told(void *ctx, const char *why)
{
    struct offline *o = ctx;

    (void)why;
    o->told = true;
}

/* A secret of 32 bytes, by way of a file. */
static inline struct keyring *offline_keys(void)
{
    struct keyring *keys = keyring_new();
    char path[] = "/tmp/offline-key-XXXXXX";
    int fd = mkstemp(path);
    struct fault f;

    ssize_t n = write(fd, "0123456789abcdef0123456789abcdef", 32);
    int failed = keyring_add_path(keys, path, &f);
    assert(n == 32 && failed == 0);
    (void)n;
    (void)failed;
    close(fd);
    unlink(path);
    return keys;
}

static inline void offline_settings(struct gateway *g, const char *catalog)
{
    char *argv[] = {(char *)"collabd", NULL};
    int first;
    struct fault f;

    enum opt_result result = opt_parse(&settings_program, &g->settings, 1, argv, &first, &f);
    g->catalog = catalog_parse(span_of(catalog), "catalog", &f);
    assert(result == OPT_RUN && g->catalog);
    (void)result;
    limits_settle(&g->limits, &g->settings, g->catalog);
    g->keys = offline_keys();
}

static inline void offline_open(struct offline *o, const char *catalog)
{
    struct gateway *g = &o->gateway;
    struct fault f;

    memset(o, 0, sizeof(*o));
    log_open("test", LOG_ERROR, false);
    offline_settings(g, catalog);
    uv_loop_init(&o->loop);
    g->loop = &o->loop;
    stages_begin(g);
    redis_address_parse(&o->redis, span_of("unix:/nonexistent/redis"), &f);
    stages_connect(g, &o->redis, offline_told, o);
    while (!o->told)
        uv_run(&o->loop, UV_RUN_ONCE);
}

/* Every client must have gone. */
static inline void offline_close(struct offline *o)
{
    struct gateway *g = &o->gateway;

    stages_stop(g);
    stages_disconnect(g);
    uv_run(&o->loop, UV_RUN_DEFAULT);
    stages_free(g);
    redis_address_fini(&o->redis);
    assert(uv_loop_close(&o->loop) == 0);
}

/* --- clients ------------------------------------------------------------------------------- */

struct client {
    struct link link; /* first, so that a link is its client */
    struct web_upgrade upgrade;
    const struct receiver *receiver;
    void *arg;
    struct buf sent; /* frames */
    size_t read;     /* of it: what the test has looked at */
    int writes;
    bool blocked; /* takes nothing */
    bool told_to_go;
};

static inline bool client_send(struct link *l, struct span frames)
{
    struct client *c = (struct client *)l;

    if (c->blocked)
        return false;
    buf_join(&c->sent, frames);
    c->writes++;
    return true;
}

static inline void client_close(struct link *l)
{
    ((struct client *)l)->told_to_go = true;
}

static const struct link_kind client_link = {.send = client_send, .close = client_close};

static inline bool client_take(struct web_upgrade *u, const struct receiver *receiver, void *arg)
{
    struct client *c = (struct client *)(void *)((char *)u - offsetof(struct client, upgrade));

    c->link.kind = &client_link;
    c->receiver = receiver;
    c->arg = receiver->opened(arg, &c->link);
    return true;
}

static inline void client_refuse(struct web_upgrade *u, int status, const char *why)
{
    (void)u;
    (void)status;
    (void)why;
    abort();
}

/* Opens a WebSocket with this token (empty: none), offering these subprotocols. */
static inline void client_connect(struct client *c, struct offline *o, struct span token,
                                  const char *protocols)
{
    struct buf query = {0};
    struct web_request r = {.method = "GET", .path = span_of("/ws")};

    memset(c, 0, sizeof(*c));
    buf_text(&query, "token=");
    buf_join(&query, token);
    r.query = buf_span(&query);
    r.headers[WEB_WS_PROTOCOL] = span_of(protocols);
    c->upgrade = (struct web_upgrade){&r, client_take, client_refuse};
    plain_site.upgrade(&o->gateway, &c->upgrade);
    buf_fini(&query);
}

/* The same with a token of these claims. */
static inline void client_enter(struct client *c, struct offline *o, const char *claims,
                                const char *protocols)
{
    struct buf token = {0};
    struct fault f;

    token_sign(o->gateway.keys, NULL, NULL, span_of(claims), &token, &f);
    client_connect(c, o, buf_span(&token), protocols);
    buf_fini(&token);
}

static inline void client_say(struct client *c, struct span message)
{
    if (!c->link.closing)
        c->receiver->message(c->arg, &c->link, message, false);
}

/* Takes the next frame that was sent; false when there is none. */
static inline bool client_next(struct client *c, struct ws_frame *frame)
{
    size_t missing;
    struct fault f;

    if (c->read == c->sent.len)
        return false;
    struct span rest = {c->sent.at + c->read, c->sent.len - c->read};
    ssize_t n = ws_frame_parse(rest, frame, &missing, &f);
    assert(n > 0 && frame->final);
    c->read += (size_t)n;
    return true;
}

/* The connection has gone. */
static inline void client_leave(struct client *c)
{
    c->receiver->ended(c->arg, &c->link);
    buf_fini(&c->sent);
}

#endif
