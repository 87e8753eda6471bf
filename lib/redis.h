/* A Redis deployment, kept connected for ever: a server, the master of some sentinels, or a
 * cluster.
 *
 * Which it is, the servers say. A cluster's slots are learnt and, while they move, learnt anew;
 * commands go to whom their first key is of, and are in order by slot. It is up while all of it
 * is: a cluster without one of its masters is down. Reconnects with jittered exponential back-off
 * (100 ms to 5 s). It remembers no subscription: at every `up` the user renews what it wants. Knows
 * no key and no script (store.h does). */
#ifndef REDIS_H
#define REDIS_H

#include "shard.h"

struct redis_hooks {
    void (*up)(void *ctx); /* all connections are ready; nothing is subscribed */
    /* One was lost, or the first attempt failed; told once until `up`. */
    void (*down)(void *ctx, const char *why);
    void (*push)(void *ctx, const struct reply *r);
    /* While up, another server of the cluster became ready; ahead of all commands to it. May be
     * NULL. */
    void (*joined)(void *ctx);
};

/* Begins to connect. Hooks are called from the loop and from redis_reset(), not from here. probe: a
 * channel of its own for probing; NULL: it doesn't probe. All must outlive it. */
struct redis;
struct redis *redis_open(uv_loop_t *loop, const struct redis_address *address, const char *probe,
                         const struct redis_hooks *hooks, void *ctx);

/* Outstanding commands get their NULL; no hook is called any more. May be called in any callback.
 * The memory goes when the loop has run its closing callbacks. */
void redis_close(struct redis *r);
bool redis_is_up(const struct redis *r);
bool redis_is_cluster(const struct redis *r); /* while up */

/* Why it is not up: "redis://127.0.0.1:6379: connection refused". Valid until the next turn of the
 * loop. */
const char *redis_why(const struct redis *r);

/* As rconn_command() and rconn_subscription(); while down, fn gets its NULL at once. The key of a
 * command, or its channel, is its second word; of EVAL and EVALSHA the fourth, and SHARD_RUN is for
 * the server that the command is sent to. */
void redis_command(struct redis *r, reply_fn *fn, void *arg, int argc, const struct span *argv);
void redis_subscription(struct redis *r, reply_fn *fn, void *arg, int argc,
                        const struct span *argv);

/* The servers that commands go to, and a command to one of them, whatever its words; beyond the
 * last, fn gets its NULL at once. */
size_t redis_servers(const struct redis *r);
void redis_command_at(struct redis *r, size_t server, reply_fn *fn, void *arg, int argc,
                      const struct span *argv);

/* Writes at once what commands are queued, as rconn_flush(). */
void redis_flush(struct redis *r);

/* Bytes of all commands not yet answered, subscriptions aside: for flow control. */
size_t redis_backlog(const struct redis *r);

/* Gives the connections up and begins anew, as if they had been lost. */
void redis_reset(struct redis *r, const char *why);

/* While probing, a message goes through each server and back every interval, and who serves is
 * asked anew; a server that doesn't return it within the next is as good as lost. */
void redis_probe(struct redis *r, int interval_ms);

#endif
