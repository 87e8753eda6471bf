/* The WebSocket transport (RFC 6455), by libwebsockets: takes over connections whose upgrade
 * request http.c has read, carries frames, and gives what comes to a receiver, of whatever
 * protocol it is. The only user of libwebsockets in the gateway. */
#ifndef WEBSOCKET_H
#define WEBSOCKET_H

#include "gateway.h"
#include "link.h"

struct websockets;
struct websockets *websockets_new(struct gateway *g, struct fault *f);

/* Ends every connection. What is left of it is freed when the loop has run its closing
 * callbacks. */
void websockets_close(struct websockets *w);
void websockets_free(struct websockets *w);

/* Reads what has come of long messages beyond their first piece. Called once a turn of the loop,
 * which would bring one piece a turn. */
void websockets_read_on(struct websockets *w);

/* What the client's handshake asks for (RFC 6455, section 4.2.1), as http.c read it. */
struct websocket_offer {
    struct span key;        /* Sec-WebSocket-Key */
    struct span version;    /* Sec-WebSocket-Version */
    struct span protocols;  /* Sec-WebSocket-Protocol; empty: none */
    struct span extensions; /* Sec-WebSocket-Extensions; likewise */
    struct span early;      /* what came behind the request's head already */
};

/* NULL when the offer can be taken; else what is wrong with it. */
const char *websocket_check(const struct websocket_offer *o);

/* Takes the connected socket over, answers 101, and calls the receiver's opened() with arg before
 * it returns. False when it could not; the socket is closed then. */
bool websocket_take(struct websockets *w, int fd, const struct websocket_offer *o,
                    const struct receiver *receiver, void *arg);

#endif
