/* What clients say and ask of presence: how they are, what they look at, who is in a room. */
#ifndef WHO_H
#define WHO_H

#include "session.h"

/* The connection is online, away, or would not be seen. */
void who_status(struct session *s, const struct request *r);

/* It looks at the request's rooms, which it must be allowed to join, and at no others any more. */
void who_views(struct session *s, const struct request *r);

/* Answers with the number of users in each of the rooms, and with their names where they are not
 * too many. */
void who_is_there(struct session *s, const struct request *r);

#endif
