/* Publishing by clients: what the catalog and the token allow them to say, and where it goes. */
#ifndef PUBLISH_H
#define PUBLISH_H

#include "session.h"

/* Takes a request to publish: answers it, now or when Redis has taken the event; or refuses it. */
void publish_event(struct session *s, const struct request *r);

#endif
