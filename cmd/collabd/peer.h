/* Where a client is: the address that it is known by to the limits. An IPv6 address counts with
 * all others of its /64, which is what one subscriber has; an IPv4 address in IPv6 clothes as
 * itself.
 *
 * Behind proxies the client's address is what they say in X-Forwarded-For, if they are trusted:
 * anybody can write such a header. */
#ifndef PEER_H
#define PEER_H

#include "opt.h"
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

/* An IPv6 address, IPv4 ones mapped into it (RFC 4291, section 2.5.5.2). */
struct network {
    struct in6_addr address;
    int bits;
};
struct networks {
    struct network *at;
    size_t count;
    bool unix_sockets; /* who comes by one belongs to them too */
};

/* Reads "10.0.0.0/8", "::1" or "unix", each. -1 with a fault that names the one. */
int networks_parse(struct networks *n, const struct opt_list *list, struct fault *f);
void networks_fini(struct networks *n);

enum { PEER_NAME_BYTES = INET6_ADDRSTRLEN + 4 };

/* Whether who is at the other end belongs to them. from: NULL, or of family AF_UNSPEC, for the end
 * of a Unix socket. */
bool peer_is_proxy(const struct networks *trusted, const struct sockaddr *from);

/* The name of the client at the other end; "" when it has no address, at the end of a Unix socket.
 * from: NULL for one of those. forwarded: the header's value, or empty. direct is set when the
 * client is that end itself, and no proxy. */
void peer_name(const struct networks *trusted, const struct sockaddr *from, struct span forwarded,
               char name[PEER_NAME_BYTES], bool *direct);

/* The name of whoever is at an address that is written out. False: it is none. */
bool peer_name_of(struct span address, char name[PEER_NAME_BYTES]);

#endif
