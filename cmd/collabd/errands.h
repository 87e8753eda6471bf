/* Errands: what servers of Socket.IO on the same Redis ask of each other (adapter.h), done and
 * answered here for our own clients. Who asks waits for as many answers as there are servers, so
 * none is left out: not where there is nobody to speak of, nor where only a program in Node could
 * have one.
 *
 * Owns the broadcasts whose acknowledgements are awaited. */
#ifndef ERRANDS_H
#define ERRANDS_H

#include "fault.h"
#include "session.h"

struct broadcast;

struct errands {
    struct gateway *gateway;
    struct span prefix; /* of the servers' channels */
    struct broadcast *broadcasts;
    uint64_t last_id;
};
struct errands *errands_new(struct gateway *g, struct span prefix);
void errands_free(struct errands *all);

/* Does what a request (JSON) asks in a namespace. */
void errands_take(struct gateway *g, struct span nsp, struct span text);

/* A message of theirs is none. */
void errands_malformed(struct gateway *g, const struct fault *f);

/* A client acknowledges what it was sent with that id. args: a JSON array */
void errands_acknowledged(struct session *s, struct span id, struct span args);

#endif
