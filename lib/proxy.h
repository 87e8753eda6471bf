/* The header by which a proxy says whose connection it brings: PROXY protocol, versions 1 and 2
 * (https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt). Bytes in, an address out. */
#ifndef PROXY_H
#define PROXY_H

#include "buf.h"
#include "fault.h"
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/types.h>

/* Longer ones are refused: version 1 takes 107 bytes, and version 2 a certificate's names besides.
 */
enum { PROXY_BYTES_MAX = 4096 };

/* Reads the header that bytes begin with. Returns its length, 0 when more has to come first, or -1
 * with a fault. from: the client's address and port; of family AF_UNSPEC when the header names
 * none: the proxy speaks for itself, or for somebody without an address. */
ssize_t proxy_parse(struct span bytes, struct sockaddr_storage *from, struct fault *f);

#endif
