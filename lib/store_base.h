/* What the parts of the store share: the names in Redis, the store itself, and calls that wait for
 * several replies. For lib/store_*.c alone. */
#ifndef STORE_BASE_H
#define STORE_BASE_H

#include "store.h"

/* Names in Redis. ROOM_CHANNEL and NODE_KEY are followed by a room or an id. */
#define ROOM_CHANNEL  "collab:room:"
#define PROBE_CHANNEL "collab:probe:"
#define NODE_KEY      "collab:node:"
#define NODES_KEY     "collab:nodes"
#define CATALOG_KEY   "collab:catalog"

enum { STORE_PROBE_CHARS = 16 };

struct ask;
struct pattern;

struct store {
    struct redis *redis;
    const struct store_hooks *hooks;
    void *ctx;
    bool up;
    bool told_down;
    bool closed;

    struct ask *asks; /* the first `sent` of them are on their way in one command */
    struct ask **asks_end;
    size_t sent;
    size_t singly;       /* so many are to be sent one by one: which of them was refused? */
    char *refusal;       /* of what was asked for since the last settling; NULL: none */
    bool refusal_is_old; /* a settling has told it */
    struct pattern *patterns;

    char probe[sizeof(PROBE_CHANNEL) + STORE_PROBE_CHARS];
    uv_timer_t probe_timer;
    bool probe_sent;  /* and has not come back */
    bool probe_taken; /* Redis has answered its PUBLISH */
    bool heard;       /* anything subscribed to, since the probe was last looked after */
    int probe_turns;  /* of the timer since then */

    struct buf name; /* for one call */
    struct buf text;
};

/* A name made of a prefix and what follows it; good until the next call. */
struct span store_name(struct store *s, const char *prefix, struct span rest);

/* A call that ends, with a store_done, when all its replies are there. done may be NULL. */
struct store_call {
    struct redis *redis;
    store_done *done;
    void *arg;
    int waiting; /* replies to come */
    enum store_result result;
    char *why; /* Redis' words when it refused */
};

struct store_call *store_call(struct store *s, store_done *done, void *arg, int replies);
void store_call_note(struct store_call *c, const struct reply *r);
void store_call_end(struct store_call *c);

/* The reply_fn of a call whose replies say nothing but whether it worked. */
void store_call_reply(void *arg, const struct reply *r);

#endif
