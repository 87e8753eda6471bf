/* The plain protocol, collab.v1: JSON text frames (collab-protocol(7)). Turns messages into
 * actions, and events and replies into frames; touches no socket. */
#ifndef PLAIN_H
#define PLAIN_H

#include "web.h"

/* Where WebSockets of the protocol open. A token that came with the request and is not valid is
 * told on the connection, which is then closed, 1008. ctx: the gateway. */
extern const struct web_site plain_site;

#endif
