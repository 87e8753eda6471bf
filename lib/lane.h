/* Commands to a Redis Cluster, kept until they are answered for good, in order while slots move.
 *
 * A lane is a slot's commands, or its subscriptions. When one of a lane is sent elsewhere by its
 * server, those after it wait until all that are on their way are answered; then they go in the
 * order in which they were asked for. Owns copies of the commands; knows no connection. */
#ifndef LANE_H
#define LANE_H

#include "rconn.h"
#include "slot.h"

/* A command on its way. */
struct lanes;
struct flight {
    struct lanes *lanes;
    struct flight *next;
    reply_fn *fn;
    void *arg;
    void *asked; /* whom to send it to after ASKING; NULL: who serves the slot */
    unsigned slot;
    bool is_subscription;
    int tries;
    size_t bytes;
    int argc;
    struct span argv[]; /* and what they hold */
};

struct lane_hooks {
    /* Sends it; what comes of it goes to lanes_answer(). false: that can't be done yet. */
    bool (*send)(void *ctx, struct flight *f);
    /* Whether anything can be sent: else all is being dropped. What a server that went did not
     * answer is sent to another then if it is a subscription, as it does no harm to do that twice.
     */
    bool (*stays)(void *ctx);
    /* Its server named another (f->asked may be set), or has not got all. Or it serves nobody: then
     * all is to be dropped, and f with it. */
    void (*redirect)(void *ctx, struct flight *f, const struct redirect *to);
};

/* The memory goes when the loop has run its closing callbacks. */
struct lanes *lanes_new(uv_loop_t *loop, const struct lane_hooks *hooks, void *ctx);
void lanes_free(struct lanes *l);

/* Sends a command or a subscription of the slot, after those of its lane that wait; copied. fn gets
 * the answer once, as of rconn_command(): NULL when it can't be had. */
void lanes_command(struct lanes *l, unsigned slot, bool is_subscription, reply_fn *fn, void *arg,
                   int argc, const struct span *argv);

/* r as in rconn.h, where f is the argument. */
void lanes_answer(struct flight *f, const struct reply *r);

/* Whether any of the slot is on its way. */
bool lanes_are_busy(const struct lanes *l, unsigned slot, bool is_subscription);

/* Tries again to send what could not be sent. */
void lanes_retry(struct lanes *l);

/* What waits gets its NULL, of each lane in the order in which it was asked for; so does all of it
 * if what is on its way was answered with NULL before, while nothing stays. */
void lanes_drop(struct lanes *l);
size_t lanes_backlog(const struct lanes *l); /* bytes of what waits */

#endif
