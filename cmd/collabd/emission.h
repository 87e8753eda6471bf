/* Events of Socket.IO, as other servers hand them on: to clients of whatever protocol. Clients of
 * Socket.IO get them as they are, any number of arguments and bytes among them. To all others the
 * first argument is an event's data; a name that no event could have is not for them. */
#ifndef EMISSION_H
#define EMISSION_H

#include "adapter.h"
#include "hub.h"

/* Sends it to those who were gathered. ack: digits by which it is to be acknowledged, or empty.
 * got: room for as many sessions as are in the group, or NULL; gets those who will acknowledge it,
 * in their order. Returns how many. */
size_t emission_send(struct gateway *g, const struct adapter_event *e,
                     const struct hub_group *group, struct span ack, struct session **got);

#endif
