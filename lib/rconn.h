/* One connection to a Redis server, on a libuv loop: connects, authenticates, selects, pipelines.
 *
 * Owns the socket and hiredis' reader, which it uses without hiredis' own async layer: that
 * layer (0.14) knows no sharded Pub/Sub and lets a subscribed connection carry no command. It
 * never reconnects (redis.h does), and knows no key.
 *
 * What is queued leaves when the loop is about to wait, gathered into one write. A host's name is
 * looked up by a thread of libuv's, so that the loop goes on meanwhile. Memory goes when the loop
 * has run its closing callbacks. */
#ifndef RCONN_H
#define RCONN_H

#include "buf.h"
#include "redis_url.h"
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* A reply, valid during the callback it is given to. */
struct reply;
enum reply_kind { REPLY_NIL, REPLY_TEXT, REPLY_INTEGER, REPLY_LIST, REPLY_ERROR };
enum reply_kind reply_kind(const struct reply *r);
struct span reply_text(const struct reply *r); /* of TEXT (status too) and ERROR; else empty */
int64_t reply_integer(const struct reply *r);  /* of INTEGER; else 0 */
size_t reply_count(const struct reply *r);     /* of LIST; else 0 */
const struct reply *reply_at(const struct reply *r, size_t i);

struct rconn_hooks {
    /* Authenticated, selected, and answering: commands may go. */
    void (*ready)(void *ctx);
    /* A Pub/Sub message, or the confirmation of one channel's (un)subscription. */
    void (*push)(void *ctx, const struct reply *r);
    /* Once; c is gone when it returns; not called after rconn_close(). Outstanding commands get
     * their NULL after it, or within it by rconn_close(), which may still be called here. */
    void (*closed)(void *ctx, const char *why);
};

struct rconn;

/* Begins to connect; how it went is told by a hook, within timeout_ms. The node and the hooks must
 * outlive it. */
struct rconn *rconn_open(uv_loop_t *loop, const struct redis_node *node, int timeout_ms,
                         const struct rconn_hooks *hooks, void *ctx);

/* Queues a command; replies come in order. reply NULL: the connection was lost first, and whether
 * the command was carried out is unknown. fn NULL: the reply is of no interest. On a connection
 * that has subscribed, Redis takes PING and nothing else. */
typedef void reply_fn(void *arg, const struct reply *r);
void rconn_command(struct rconn *c, reply_fn *fn, void *arg, int argc, const struct span *argv);

/* Queues a (P|S)(UN)SUBSCRIBE, named in capitals, of one channel or more. Redis answers it with a
 * push for each channel, or with one error for them all: fn (may be NULL) gets the last push, after
 * the hook had it, or the error, or NULL as above. */
void rconn_subscription(struct rconn *c, reply_fn *fn, void *arg, int argc,
                        const struct span *argv);

/* Ends all sharded subscriptions, with a push for each; then fn gets the reply of a PING. */
void rconn_leave_shard(struct rconn *c, reply_fn *fn, void *arg);

/* What is queued is written when the loop has its next turn; this writes it at once, as far as the
 * socket takes it: then it gets there, whatever becomes of this process. */
void rconn_flush(struct rconn *c);

/* Bytes of all commands that were queued and are not yet answered. */
size_t rconn_backlog(const struct rconn *c);

/* Ends it at once: outstanding commands get their NULL, no hook is called any more. */
void rconn_close(struct rconn *c);

#endif
