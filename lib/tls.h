/* A TLS session, as bytes: what the socket got goes in, what it has to send comes out. Of a client,
 * or of a server.
 *
 * A client checks the server's certificate against the system's (or $SSL_CERT_FILE's) and its name.
 * A server has a certificate and takes TLS 1.2 and 1.3 with the ciphers that Mozilla's guideline
 * calls intermediate, speaks http/1.1 alone (ALPN, RFC 7301), resumes sessions by tickets of its
 * own, and knows no renegotiation. */
#ifndef TLS_H
#define TLS_H

#include "buf.h"
#include "fault.h"
#include <stdbool.h>
#include <stdint.h>

struct tls;

/* A client's. host: the name that the certificate must bear; an IP address without brackets. NULL
 * with a fault when the host can't be one. */
struct tls *tls_new(const char *host, struct fault *f);

/* What a server shows: a certificate, with those that stand between it and the root, and its key,
 * both PEM, in files of ours or root's; the key's nobody else may read. NULL with a fault that
 * begins with the file's name. A session keeps what it needs of it. */
struct tls_identity;
struct tls_identity *tls_identity_load(const char *certificate, const char *key, struct fault *f);
void tls_identity_free(struct tls_identity *id); /* NULL: nothing */

/* When the certificate expires: Unix time in seconds. */
int64_t tls_identity_expires_s(const struct tls_identity *id);

/* A server's. */
struct tls *tls_accept(const struct tls_identity *id);

void tls_free(struct tls *t); /* t may be NULL */

/* Takes bytes that came; appends to plain what they held. Returns 0, or -1 with a fault, after
 * which the session is good for nothing but what tls_output() has to say to the other side. */
int tls_input(struct tls *t, struct span bytes, struct buf *plain, struct fault *f);

/* Takes bytes to send; they are kept until the handshake is done. */
void tls_send(struct tls *t, struct span plain);

/* Says to the other side that nothing more will be sent. */
void tls_finish(struct tls *t);

/* Appends what the socket has to send now. */
void tls_output(struct tls *t, struct buf *out);

/* Whether the handshake is done; whether it went on from a session of before; whether the other
 * side has said that it sends nothing more. */
bool tls_is_open(const struct tls *t);
bool tls_is_resumed(const struct tls *t);
bool tls_has_ended(const struct tls *t);

#endif
