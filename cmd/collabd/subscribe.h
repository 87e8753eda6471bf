/* The requests to join and to leave rooms, and their answers. Who joins may name the last event
 * that it had of a room; what it missed then comes before the answer. */
#ifndef SUBSCRIBE_H
#define SUBSCRIBE_H

#include "session.h"

/* Each room is judged by itself; the answer, which comes when all are, tells what came of each. */
void subscribe_rooms(struct session *s, const struct request *r);
void unsubscribe_rooms(struct session *s, const struct request *r);

#endif
