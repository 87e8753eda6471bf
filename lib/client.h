/* A WebSocket client for the tools, many at once on one libuv loop: sockets, TLS, lifetime. The
 * protocol is in ws.h. It never reconnects by itself: its user decides.
 *
 * (libwebsockets 4.1 has a client too. It takes a message byte by byte, which allows 1,300,000 a
 * second in place of 20,000,000; it makes 1002 of the close code 1012, forgets why a connection
 * failed, and blocks the loop while it looks a name up.) */
#ifndef CLIENT_H
#define CLIENT_H

#include "buf.h"
#include "fault.h"
#include <stdbool.h>
#include <uv.h>

struct client;
struct client_hooks {
    void (*open)(struct client *c, void *ctx);
    /* A whole message, text or binary, of at most 16 MiB. */
    void (*message)(struct client *c, void *ctx, struct span text);
    /* The end, once; c is gone after it. code: the peer's close code; 1005 when its close had none,
     * 1006 when it was lost without; ours, when client_close() was called (1000) or the peer broke
     * the protocol (1002, 1009); 0 when the connection could not be made. why: the peer's words, or
     * what happened ("connection refused", "HTTP status 401"). */
    void (*closed)(struct client *c, void *ctx, int code, struct span why);
};

/* All clients of one loop. most: how many will be open at once; the limit of open files is raised
 * for them as far as that is allowed. Connections are made in a row, a few hundred at a time.
 * client_net_free() ends all clients at once, without a hook; the loop must turn once more. */
struct client_net;
struct client_net *client_net_new(uv_loop_t *loop, int most, const struct client_hooks *hooks);
void client_net_free(struct client_net *net);

struct client_target {
    const char *url;      /* ws://host[:port]/path?query; wss likewise; ws+unix:PATH:/path */
    const char *token;    /* sent as Authorization: Bearer; NULL: none */
    const char *protocol; /* Sec-WebSocket-Protocol; NULL: none */
    bool binary;          /* messages are sent as binary frames */
};

/* Begins to connect; how it went is told by a hook. NULL with a fault when the URL is bad. */
struct client *client_open(struct client_net *net, const struct client_target *target, void *ctx,
                           struct fault *f);

/* Queues one message; before the connection is open, too. */
void client_send(struct client *c, struct span text);

/* Whether a connection that ended so is not to be made again as it was: by collab-protocol(7), for
 * which no table of codes is needed, or refused by HTTP. Takes what `closed` was told. */
bool client_is_refused(int code, struct span why);

/* Ends it in order, after what was queued; `closed` follows, `message` doesn't any more. */
void client_close(struct client *c);

#endif
