/* Whoever keeps what a session needs to go on elsewhere (recover.c), as the stages below it see it:
 * hooks, handed down in the gateway. */
#ifndef KEEPER_H
#define KEEPER_H

#include "place.h"
#include "session.h"

struct keeper {
    /* A session has joined a room; left it, or is held there or no more. */
    void (*joined)(struct session *s, struct span room);
    void (*changed)(struct session *s);
    /* How many events were delivered that it counts. */
    uint64_t (*serial)(const struct gateway *g);
    /* Where this node stands in a room is known by now; a kept event is about to be delivered. */
    void (*placed)(struct gateway *g, struct span room, struct place at);
    void (*delivering)(struct gateway *g, struct span room, struct place at);
    /* Redis is back, and may have forgotten. */
    void (*again)(struct gateway *g);
};

#endif
