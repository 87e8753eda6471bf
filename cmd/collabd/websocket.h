/* The WebSocket transport (RFC 6455), by libwebsockets: takes over connections whose upgrade
 * request http.c has read, and carries frames. One session a connection. The only user of
 * libwebsockets in the gateway. */
#ifndef WEBSOCKET_H
#define WEBSOCKET_H

#include "gateway.h"

struct websockets;
struct websockets *websockets_new(struct gateway *g, struct fault *f);
void websockets_free(struct websockets *w);

/* What the client's handshake asks for (RFC 6455, section 4.2.1), as http.c read it. */
struct websocket_offer {
    struct span key;       /* Sec-WebSocket-Key */
    struct span version;   /* Sec-WebSocket-Version */
    struct span protocols; /* Sec-WebSocket-Protocol; empty: none */
    struct span early;     /* what came behind the request's head already */
};

/* NULL when the offer can be taken; else what is wrong with it. */
const char *websocket_check(const struct websocket_offer *o);

/* Takes the connected socket over and answers 101. who: the bearer of the token that came with
 * the request, taken over; NULL: none came, so the client must authenticate by a message, unless
 * refused (why a token that came was not valid) is set: then it is told so and closed, 1008. */
void websocket_take(struct websockets *w, int fd, const struct websocket_offer *o,
                    struct identity *who, const char *refused);

#endif
