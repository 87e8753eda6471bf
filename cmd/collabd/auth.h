/* Who a client is: keys, tokens, and where a request carries one. */
#ifndef AUTH_H
#define AUTH_H

#include "gateway.h"

/* Loads the keys that the settings name. Without any: development mode, with a key of our own in
 * the state directory, whose ready-made token is printed to standard error. Returns 0 or -1. */
int auth_load(struct gateway *g, struct fault *f);
bool auth_is_development(const struct gateway *g);

/* Checks a token. NULL with a fault; failures are counted. */
struct identity *auth_check(struct gateway *g, struct span token, struct fault *f);

/* Finds the token of a request: its query's `token`, its Authorization header (Bearer, RFC 6750),
 * or a `bearer.TOKEN` among the subprotocols it offers (a browser can set no header). Empty when
 * there is none. A token has no character that a query would encode. */
struct auth_request {
    struct span query;         /* without the '?' */
    struct span authorization; /* the header's value */
    struct span protocols;     /* of Sec-WebSocket-Protocol */
};
struct span auth_find(const struct auth_request *r);

#endif
