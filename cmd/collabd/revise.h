/* Revision: the authorization helper has said that a user's rights changed, or everybody's. Whom it
 * let in, and where, is asked anew; who may no longer goes at once. Of everybody a few are asked
 * about at a time, so that those who come meanwhile need not wait for all of them. */
#ifndef REVISE_H
#define REVISE_H

#include "gateway.h"

struct revision;
struct revision *revision_new(struct gateway *g);
void revision_stop(struct revision *r); /* no more timers */
void revision_free(struct revision *r);

/* For authz_new(). user empty: everybody. */
void revise(struct gateway *g, struct span user);

#endif
