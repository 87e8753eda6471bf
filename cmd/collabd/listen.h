/* The listening sockets: IPv4, IPv6 and Unix. Hands on what it accepts. */
#ifndef LISTEN_H
#define LISTEN_H

#include "gateway.h"
#include "proxied.h"

/* Whether the settings name addresses: as far as their text tells, and without keys on loopback
 * only. 0, or -1 with a fault that names the address. What follows takes them for checked. */
int listen_check(const struct settings *set, struct fault *f);

/* Listens at every address of the settings; connections are accepted as the loop runs. NULL with
 * a fault that names the address. */
struct listener;
struct listener *listen_open(struct gateway *g, struct proxieds *proxieds, struct fault *f);

/* Whether an address of the settings asks for TLS. */
bool listen_is_secure(const char *address);

/* Takes a port for processes that will share it: binds a socket to an address of the settings that
 * gets no connection, and appends the address, with its port. Returns the socket, or -1 with a
 * fault.
 */
int listen_reserve(const struct settings *set, const char *address, struct buf *out,
                   struct fault *f);

/* With --reuse-port: has the kernel give new connections to the other processes on the port, if
 * there are any. */
void listen_turn_away(const struct listener *l);

/* Stops listening; what was accepted lives on. */
void listen_close(struct listener *l);

/* Appends the addresses, with the ports that were given, separated by blanks. */
void listen_addresses(const struct listener *l, struct buf *out);

#endif
