/* The rooms that a request names: those that its message's templates make of its data, or else the
 * list that its `rooms` argument is. Says nothing of who may be in them. */
#ifndef SELECTION_H
#define SELECTION_H

#include "session.h"

/* Points into the request, which must outlast it. Nothing in it is to be freed. */
struct selection {
    bool is_listed; /* by the request, in walk; else routed */
    struct json_walk walk;
    struct route_rooms routed;
    int next; /* of routed */
};

/* Finds them. False after refusing the request: there are none, or too many, or no list. */
bool selection_find(struct selection *l, struct session *s, const struct request *r);

/* The next one as the client wrote it. False after the last. */
bool selection_next(struct selection *l, struct span *room);

/* Whether what selection_next() gave is a room; takes the quotes off. 0, or -1 with a fault. */
int selection_read(const struct selection *l, struct span *room, struct fault *f);

#endif
