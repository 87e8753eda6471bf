/* Finds out who serves: asks the servers that a URL names, one after the other, until one tells.
 *
 * A sentinel tells the master; a server whether it is one for itself or of a cluster, and then
 * which master has which slots. Owns the connection that it asks by, for as long as it asks. */
#ifndef SEEK_H
#define SEEK_H

#include "rconn.h"

/* Who serves. */
struct topology {
    struct redis_node *nodes; /* one, or the masters of a cluster */
    size_t count;
    uint16_t *owners; /* by slot, which of the nodes; NULL: it is no cluster */
    struct redis_node told_by;
};
void topology_fini(struct topology *t);

/* What CLUSTER SLOTS was answered with; by is who was asked. Returns 0, or -1 with a fault: a slot
 * that nobody serves, or an answer that makes no sense. */
int topology_parse(struct topology *t, const struct reply *r, const struct redis_node *by,
                   struct fault *f);

/* Asks; done is called once, from the loop. t is the callee's; NULL: nobody told, and why has who
 * was asked last and what came of it. What was found last is asked first; it is copied. */
struct seek;
typedef void seek_done(void *ctx, struct topology *t, const char *why);
struct seek *seek_start(uv_loop_t *loop, const struct redis_address *address,
                        const struct topology *last, seek_done *done, void *ctx);

/* done is not called any more. */
void seek_stop(struct seek *s);

#endif
