/* What a client may ask for: one function an action, one table of them. Each answers through the
 * session's codec, with the request's ref. */
#ifndef ACTION_H
#define ACTION_H

#include "session.h"

/* Carries out the action that is called `name` ("subscribe", ...). */
void action_do(struct session *s, struct span name, const struct request *r);

/* Greets a session that has just been identified. */
void action_welcome(struct session *s, const struct request *r);

/* The client has gone: it leaves every room. */
void action_goodbye(struct session *s);

#endif
