/* One server of a deployment: a connection for commands, and one for subscriptions.
 *
 * It is ready when both are, and it is known which run of the server it is. When one goes, both
 * go. Never reconnects (redis.h does). Memory goes when the loop has run its closing callbacks. */
#ifndef SHARD_H
#define SHARD_H

#include "rconn.h"

struct shard_hooks {
    void (*ready)(void *ctx);
    void (*push)(void *ctx, const struct reply *r); /* but for the probe's own */
    /* Once; not after shard_close(), which may be called here. */
    void (*closed)(void *ctx, const char *why);
};

/* probe: a channel of the caller's own to listen to for probing; NULL: there is no probing. The
 * node is copied; the rest must outlive it. */
struct shard;
struct shard *shard_open(uv_loop_t *loop, const struct redis_node *node, const char *probe,
                         const struct shard_hooks *hooks, void *ctx);

/* Outstanding commands get their NULL; no hook is called any more. */
void shard_close(struct shard *s);

const struct redis_node *shard_node(const struct shard *s);
bool shard_is_ready(const struct shard *s);

/* Its two connections, while it is ready. */
struct rconn *shard_commands(struct shard *s);
struct rconn *shard_subscriptions(struct shard *s);

/* A command, as rconn_command(). Of the keys of an EVAL or EVALSHA some may end with SHARD_RUN, in
 * whose place goes what names this run of the server: INFO's run_id, which is another one at each
 * start; "-" where that isn't told. */
#define SHARD_RUN "\1"
void shard_command(struct shard *s, reply_fn *fn, void *arg, int argc, const struct span *argv);

/* Whether it said that it is a replica. */
bool shard_is_replica(const struct shard *s);

/* While probing, an empty message of its own goes through it and back every interval; when it
 * doesn't come back within the next, the connections are closed: a half-open or frozen server is
 * noticed that way. */
void shard_probe(struct shard *s, int interval_ms);

#endif
