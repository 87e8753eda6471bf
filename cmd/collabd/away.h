/* Who was away: kept events of rooms with `offline` wait for their members, and are handed out when
 * one comes back, marked as such and before what is new.
 *
 * Nothing is written for anybody when an event is published. Redis has how far each device of a
 * user has come in each room, and from there the device resumes (resume.h). How far it has come is
 * what it acknowledges, if it is a client that says which device it is; of one that doesn't, what
 * it was sent before it has answered a ping. So what was on its way when either side died comes
 * again. What was acknowledged is written down after a while, and when the client goes. */
#ifndef AWAY_H
#define AWAY_H

#include "place.h"
#include "session.h"

/* The session's client says that it is on this device; the last word before the session is
 * welcomed counts. Returns 0, or -1 with a fault: no device is called that. */
int away_name(struct session *s, struct span device, struct fault *f);

/* The session has come into a room by itself: if events wait there, new ones do too, until
 * away_begin() has handed them all out. */
void away_join(struct session *s, struct span room);
void away_begin(struct session *s);

/* Whether the session, which asks for what is kept in a room after a place, is being handed that,
 * or was. Only of the first time that it asks: a second time it wants it again. */
bool away_covers(struct session *s, struct span room, struct place since);

/* The same for what it came into since it began; not before. */
void away_go_on(struct session *s);

/* The session leaves a room: it asks for what comes there meanwhile, if it wants it. */
void away_leave(struct session *s, struct span room);

/* The client says what it has got. */
void away_acknowledge(struct session *s, const struct request *r);

/* The client has gone: before it leaves its rooms. */
void away_end(struct session *s);

#endif
