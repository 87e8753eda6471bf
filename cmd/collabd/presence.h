/* Presence: which users are here, in which rooms, looking at what. Of what this node's sessions
 * make of it, Redis is told only when the first or the last session of a user comes or goes; the
 * last one's going after a time of grace, in which a page that is reloaded comes back.
 *
 * The node's entries in Redis are a life's (store_presence.h), which begins with each connection to
 * Redis and each lease that was missed. */
#ifndef PRESENCE_H
#define PRESENCE_H

#include "session.h"
#include "store_presence.h"

struct presence;
struct presence *presence_new(struct gateway *g);
void presence_stop(struct presence *p); /* no more timers */
void presence_free(struct presence *p);

/* Redis was reached. The node ends: what it owns is left to be found by others after the grace. */
void presence_up(struct presence *p);
void presence_end(struct presence *p);

/* A session is there, once it has a user (and is in the rooms that it is in from the start). It is
 * gone, from everywhere. */
void presence_begin(struct session *s);
void presence_gone(struct session *s);

/* It is in a room now; it leaves it. Rooms without presence are passed over. news: the room has not
 * heard yet that the user is online, not being one whose members hear of each other. */
void presence_enter(struct session *s, struct span room, bool news);
void presence_leave(struct session *s, struct span room);

/* What the client says of itself. */
void presence_status(struct session *s, enum store_status status);

/* It looks at these rooms, and at no others. */
void presence_view(struct session *s, const struct span *rooms, int count);

#endif
