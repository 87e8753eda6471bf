/* Joining and leaving rooms: who may, and the answers. */
#ifndef JOIN_H
#define JOIN_H

#include "session.h"

/* The rooms of a request: those that its message's templates make of its data, or the list that
 * its `rooms` argument is. Each is judged by itself; the reply tells what came of each. */
void join_rooms(struct session *s, const struct request *r);
void leave_rooms(struct session *s, const struct request *r);

/* Joins the rooms that are joined by themselves on connect. */
void join_own_rooms(struct session *s);

#endif
