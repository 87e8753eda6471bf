/* Who a client is: keys, tokens, and where a request carries one. */
#ifndef AUTH_H
#define AUTH_H

#include "gateway.h"
#include "protocol.h"

/* Loads the keys that the settings name. Without any: development mode, with a key of our own in
 * the state directory, whose ready-made token is printed to standard error. Returns 0 or -1. */
int auth_load(struct gateway *g, struct fault *f);
/* The keys that settings name, which name some. NULL with a fault. */
struct keyring *auth_read_keys(const struct settings *set, struct fault *f);
bool auth_is_development(const struct gateway *g);

/* Checks a token that came from an address (NULL: none is known). NULL with a fault; failures are
 * counted, and too many from one address are followed by a time in which nothing from there is
 * to be checked: so much of it is left, 0 for none. */
struct identity *auth_check(struct gateway *g, struct account *address, struct span token,
                            struct fault *f);
int64_t auth_wait_ms(const struct gateway *g, const struct account *address);

/* Whether the bearer of a (checked) token is let in: by the claims that the catalog wants, and by
 * the authorization helper, where the catalog says so; and not before it is known whether Redis can
 * be reached (bus_await), as what the client had before is there. Takes who over and calls done
 * once, from within or later: with who, who is done's then; or with NULL, and the error for the
 * client. */
typedef void auth_done(void *arg, struct identity *who, enum error_code code, const char *why);
void auth_let_in(struct gateway *g, struct account *address, struct span token,
                 struct identity *who, auth_done *done, void *arg);

/* auth_check() and auth_let_in(). */
void auth_admit(struct gateway *g, struct account *address, struct span token, auth_done *done,
                void *arg);

/* Says that it is not, in words, and counts that. */
int auth_too_often(struct gateway *g, int64_t wait_ms, struct fault *f);

/* Finds the token of a request: its query's `token`, its Authorization header (Bearer, RFC 6750),
 * or a `bearer.TOKEN` among the subprotocols it offers (a browser can set no header). Only in these
 * places, bits of enum catalog_source. Empty when there is none. A token has no character that a
 * query would encode. */
struct auth_request {
    struct span query;         /* without the '?' */
    struct span authorization; /* the header's value */
    struct span protocols;     /* of Sec-WebSocket-Protocol */
};
struct span auth_find(const struct auth_request *r, unsigned places);

/* A client that may have shown its token in one of these places showed none: says so, and counts
 * it. Returns -1. */
int auth_missing(struct gateway *g, unsigned places, struct fault *f);

#endif
