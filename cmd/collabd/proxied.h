/* Connections that proxies bring: with --proxy-protocol one that comes from a trusted proxy begins
 * with a header that says whose it is. It is read here, within bounds of time and size, and nothing
 * beyond it; who comes from elsewhere has none, and what looks like one is what any client says. */
#ifndef PROXIED_H
#define PROXIED_H

#include "secure.h"
#include "visitor.h"

struct proxieds;
struct proxieds *proxieds_new(struct gateway *g, struct secures *secures);
void proxieds_free(struct proxieds *all);

/* Takes over a visitor whose other end is known, lets it enter, and hands it on. */
void proxied_take(struct proxieds *all, struct visitor *v);

/* Ends those whose header has not come. They are gone after a turn of the loop. */
void proxieds_end_all(struct proxieds *all);

#endif
