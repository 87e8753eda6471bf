/* A client's TLS session, as bytes: what the socket got goes in, what it has to send comes out.
 * The server's certificate is checked against the system's (or $SSL_CERT_FILE's) and its name. */
#ifndef TLS_H
#define TLS_H

#include "buf.h"
#include "fault.h"

struct tls;

/* host: the name that the certificate must bear; an IP address without brackets. NULL with a fault
 * when the host can't be one. */
struct tls *tls_new(const char *host, struct fault *f);
void tls_free(struct tls *t); /* t may be NULL */

/* Takes bytes that came; appends to plain what they held. Returns 0, or -1 with a fault, after
 * which the session is good for nothing but what tls_output() has to say to the other side. */
int tls_input(struct tls *t, struct span bytes, struct buf *plain, struct fault *f);

/* Takes bytes to send; they are kept until the handshake is done. */
void tls_send(struct tls *t, struct span plain);

/* Appends what the socket has to send now. */
void tls_output(struct tls *t, struct buf *out);

#endif
