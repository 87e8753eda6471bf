/* Socket.IO's clients as callers of the gateway: their tokens, and their events as actions. */
#ifndef CALLER_H
#define CALLER_H

#include "socketio.h"

/* A client's token is `token` of its CONNECT's auth, else what its handshake brought. An event
 * asks for the action of its name, with its first argument for data; what it asks to have
 * acknowledged is answered that way. */
extern const struct socketio_app caller_app;

#endif
