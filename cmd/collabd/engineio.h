/* Engine.IO 4 (eio.h): connections that go by HTTP long-polling, by WebSocket, or by the one and
 * then the other, and look the same to those above. Owns them: their handshake, heartbeat, upgrade
 * and end. Knows nothing of what their messages say.
 *
 * Each request of a polling connection has to come to the process that opened it. Any other
 * answers 400, "Session ID unknown", on which a client connects anew. */
#ifndef ENGINEIO_H
#define ENGINEIO_H

#include "gateway.h"
#include "link.h"
#include "web.h"

struct engine; /* one connection */

/* Who speaks over these connections. */
struct engine_user {
    /* One is there. Returns what the other calls get. */
    void *(*opened)(void *ctx, struct engine *e);
    /* A message; UTF-8 unless binary. Not called once the engine's link is closing. */
    void (*message)(void *user, struct span message, bool binary);
    /* It is over, and gone after the call; its link is shut. */
    void (*closed)(void *user);
};

struct engines;
struct engines *engines_new(struct gateway *g, const struct engine_user *user, void *ctx);
void engines_free(struct engines *all);

/* Tells all clients to go. They may still be there for some seconds. */
void engines_close_all(struct engines *all);
size_t engines_count(const struct engines *all);

/* What leads to the catalog's paths for Socket.IO. ctx: the engines. */
extern const struct web_site engines_site;

/* Takes frames of the text and binary messages that eio.h describes, and a close. */
struct link *engine_link(struct engine *e);

/* What opened() returned for the connection of that link. */
void *engine_user_of(struct link *l);

/* The token that came with the handshake's request, in its query or its Authorization header; "":
 * none did. */
const char *engine_token(const struct engine *e);

#endif
