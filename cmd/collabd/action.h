/* What a client may ask for: the table of actions, and those that concern the session itself. Each
 * answers through the session's codec. */
#ifndef ACTION_H
#define ACTION_H

#include "session.h"

/* Finds the catalog's message of that name (as it stands in JSON, without quotes), sets r->message,
 * and carries out what it is for. */
void action_do(struct session *s, struct span name, struct request *r);

/* Finds out whose token it is and whether that user is let in; then greets the session, or refuses
 * it, and closes it if it has no user yet. What its client asks before the greeting waits. */
void action_enter(struct session *s, struct span token, const struct request *r);

/* The same for a session that is new and has been identified: greets it when it is in the rooms
 * that it joins by itself and what is published there reaches it. */
void action_welcome(struct session *s, const struct request *r);

/* The client has gone: it leaves every room. */
void action_goodbye(struct session *s);

#endif
