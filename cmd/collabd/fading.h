/* Signals that fade: typing, and what else ends by itself. The node where one was begun tells its
 * end (expiry.h). Should that node die, each other one tells its own clients, a second after the
 * end was due: so every client hears it, and once, whoever is late. */
#ifndef FADING_H
#define FADING_H

#include "catalog.h"
#include "event.h"
#include "gateway.h"

struct fading;
struct fading *fading_new(struct gateway *g);
void fading_stop(struct fading *x); /* no more timers */
void fading_free(struct fading *x);

/* A signal is about to be delivered in a room. False: it is an end that was told here already. */
bool fading_note(struct fading *x, struct span room, const struct event *e);

/* Writes the event that tells a signal's end, for one whose rule has such: it has the signal's
 * data, and its rooms unless it has templates of its own. */
void fading_write_end(const struct catalog_event *rule, const struct event *e, struct buf *out);

#endif
