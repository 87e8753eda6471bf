/* Signals that end by themselves: when a client has said nothing for their time, or has gone, the
 * event that the catalog has for it is told in its stead. */
#ifndef EXPIRY_H
#define EXPIRY_H

#include "session.h"

struct expiries;
struct expiries *expiries_new(struct gateway *g);
void expiries_stop(struct expiries *x); /* no more timers */
void expiries_free(struct expiries *x);

/* The session has said this signal. */
void expiry_note(struct session *s, const struct catalog_event *rule, const struct event *e);

/* The client has gone: what it had said is over. */
void expiry_gone(struct session *s);

#endif
