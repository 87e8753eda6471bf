/* A Redis deployment: a connection for commands, one for subscriptions, kept alive for ever.
 *
 * Reconnects with jittered exponential back-off (100 ms to 5 s). It remembers no subscription:
 * at every `up` the user renews what it wants. Knows no key and no script (store.h does). */
#ifndef REDIS_H
#define REDIS_H

#include "rconn.h"

/* redis://[user:password@]host[:port][/db] (percent-encoding decoded, IPv6 host in brackets),
 * unix://[user:password@]/path or unix:path; each with ?db=N. Returns 0, or -1 with a fault that
 * shows no password. */
int redis_address_parse(struct redis_address *a, struct span url, struct fault *f);
void redis_address_fini(struct redis_address *a);

struct redis_hooks {
    void (*up)(void *ctx); /* both connections are ready; nothing is subscribed */
    /* One was lost, or the first attempt failed; told once until `up`. */
    void (*down)(void *ctx, const char *why);
    void (*push)(void *ctx, const struct reply *r);
};

/* Begins to connect. Hooks are called from the loop and from redis_reset(), not from here. */
struct redis;
struct redis *redis_open(uv_loop_t *loop, const struct redis_address *address,
                         const struct redis_hooks *hooks, void *ctx);

/* Outstanding commands get their NULL; no hook is called any more. May be called in any callback.
 * The memory goes when the loop has run its closing callbacks. */
void redis_close(struct redis *r);
bool redis_is_up(const struct redis *r);

/* Why it is not up: "redis://127.0.0.1:6379: connection refused". Valid until the next turn of the
 * loop. */
const char *redis_why(const struct redis *r);

/* As rconn_command() and rconn_subscription(); while down, fn gets its NULL at once. */
void redis_command(struct redis *r, reply_fn *fn, void *arg, int argc, const struct span *argv);
void redis_subscription(struct redis *r, reply_fn *fn, void *arg, int argc,
                        const struct span *argv);

/* Bytes of all commands not yet answered, subscriptions aside: for flow control. */
size_t redis_backlog(const struct redis *r);

/* Gives the connections up and begins anew, as if they had been lost. */
void redis_reset(struct redis *r, const char *why);

#endif
