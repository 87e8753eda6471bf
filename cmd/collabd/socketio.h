/* Socket.IO 5 (sio.h) over Engine.IO: namespaces, acknowledgements, binary data. Owns the sessions
 * of its clients, one for each namespace that a client has joined, and their codecs. What is said
 * in the packets is the application's, and how a session is spoken to its namespace's. */
#ifndef SOCKETIO_H
#define SOCKETIO_H

#include "auth.h"
#include "engineio.h"
#include "session.h"

/* What the packets are for. */
struct socketio_app {
    /* Who a client is that wants to join. token: as engine_token(); auth: what its CONNECT came
     * with, an object or empty. As auth_admit() does; one who may not is told why. */
    void (*admit)(struct gateway *g, struct account *address, const char *token, struct span auth,
                  auth_done *done, void *arg);
    /* It may join, and hears that it has by session_welcome(), which is the application's to call;
     * it has left. */
    void (*joined)(struct session *s, struct span auth);
    void (*left)(struct session *s);
    /* An event from it. args: a JSON array, with the event's name first; bytes in it as sio.h has
     * them. r: to answer by; it has the ref alone. */
    void (*event)(struct session *s, struct span args, const struct request *r);
    /* It acknowledges what it was sent with that id. args: a JSON array */
    void (*acknowledged)(struct session *s, struct span id, struct span args);
};

struct socketio;
struct socketio *socketio_new(struct gateway *g, const struct socketio_app *app);
void socketio_free(struct socketio *all);

/* For engines_new(). ctx: the struct socketio. */
extern const struct engine_user socketio_user;

#endif
