/* Neighbours: servers of Socket.IO on the same Redis that have @socket.io/redis-adapter, and
 * programs that have @socket.io/redis-emitter. Rooms are shared with them, both ways: what this
 * node publishes they get when Redis has taken it, and what they emit goes to clients here, kept by
 * nobody. They are believed, as Redis is.
 *
 * Each namespace of the catalog is one of theirs, with all rooms. Clients that speak no Socket.IO
 * are in "/". */
#ifndef NEIGHBOURS_H
#define NEIGHBOURS_H

#include "gateway.h"

/* From now on, if the settings name a prefix. The bus is there. */
void neighbours_begin(struct gateway *g);
void neighbours_end(struct gateway *g);

/* Redis was reached, or there is another catalog. */
void neighbours_up(struct gateway *g);

#endif
