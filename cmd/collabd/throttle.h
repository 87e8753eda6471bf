/* The rates at work: what is more than one allows is refused, with the time until it is allowed
 * again, and a client that goes on regardless is closed.
 *
 * The accounts of users and rooms are of all nodes: every THROTTLE_SHARE_MS what was taken from
 * each here is added to its counter in Redis, which answers with what all nodes took. So a busy
 * user costs three short commands an interval, and no message waits for one; what comes to other
 * nodes within an interval may go over the rate. Without Redis each node counts for itself. */
#ifndef THROTTLE_H
#define THROTTLE_H

#include "session.h"

enum { THROTTLE_SHARE_MS = 250 };

struct throttle;
struct throttle *throttle_new(struct gateway *g);

/* After the bus was closed: what was asked of Redis has its answer then. */
void throttle_free(struct throttle *t);

/* Counts a message of the session's client, whatever it says. False: over a rate, and refused. */
bool throttle_message(struct session *s, const struct request *r);

/* Counts an event for each room that it is to go to. False: over one's rate, and refused. */
bool throttle_rooms(struct session *s, const struct request *r, const struct span *rooms,
                    int count);

/* Whether the session's address may try to authenticate. False: over the rate, and refused. */
bool throttle_attempt(struct session *s, const struct request *r);

/* Forgets what was counted of a client; of a user, its clients included; of a room; of an address,
 * as peer.h names it. Returns how many counts that were. Other nodes count on until they do so too.
 */
int throttle_reset_client(struct session *s);
int throttle_reset_user(struct gateway *g, struct span user);
int throttle_reset_room(struct gateway *g, struct span room);
int throttle_reset_address(struct gateway *g, struct span name);

#endif
