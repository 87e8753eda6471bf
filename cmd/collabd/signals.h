/* Signals on their way to clients: typing, cursors. The latest of a user about an entity takes the
 * place of an older one that still waits; a client gets of each type no more than its rate, and
 * none while its connection takes nothing. So signals never fill an outbox.
 *
 * A signal has a name: what has the same one takes its place. It is the type, or that of the signal
 * which it ends; the user; and the entity, or the room where there is none. */
#ifndef SIGNALS_H
#define SIGNALS_H

#include "session.h"

struct signaller;
struct signaller *signaller_new(struct gateway *g);
void signaller_stop(struct signaller *x); /* no more timers */
void signaller_free(struct signaller *x);

/* Writes an event's name into `name`, which is emptied before. rule: the event's, of the class
 * "signal" or one that ends a signal. */
void signal_name(const struct catalog_event *rule, const struct event *e, struct buf *name);

/* Sends it now or when its time has come, taking over one reference to the frame. */
void signal_put(struct session *s, const struct catalog_event *rule, struct span name,
                struct frame *frame);

/* The client has gone: nothing waits for it any more. */
void signal_drop(struct session *s);

#endif
