/* Control: what Redis tells all nodes to do (collab-redis(7)). A member's right has changed; a user
 * or a connection is to go, or to leave a room; what was counted of one is to be forgotten; a node
 * is to drain. */
#ifndef CONTROL_H
#define CONTROL_H

#include "gateway.h"
#include "store.h"

/* The bus' hook for what comes on the control channel. ctx: the gateway. */
void control_message(void *ctx, enum store_channel channel, struct span text);

/* Redis was reached: what was told meanwhile is unknown, so who is in a room by what others say is
 * judged anew. */
void control_up(struct gateway *g);

#endif
