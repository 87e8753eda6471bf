/* The plain protocol, collab.v1: JSON text frames (collab-protocol(7)). Turns messages into
 * actions, and events and replies into frames; touches no socket. */
#ifndef PLAIN_H
#define PLAIN_H

#include "session.h"

extern const struct codec plain_codec;

/* One whole message from the client. */
void plain_receive(struct session *s, struct span text);

#endif
