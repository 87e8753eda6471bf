/* Socket.IO, protocol 5: packets, and binary data among JSON.
 * (github.com/socketio/socket.io, docs/socket.io-protocol/v5-current.md.)
 *
 *     <type>[<attachments>-][<namespace>,][<ack id>][<JSON>]
 *
 * Text to packets and back; it touches no socket and keeps no state. A packet owns nothing: its
 * spans are of the text that was parsed.
 *
 * The protocol sends bytes as attachments: binary messages that follow the packet, in whose JSON
 * each has a placeholder, {"_placeholder":true,"num":N}. An event is one JSON text wherever it
 * goes, so among events bytes are {"$binary":"<base64>"}: sio_fill() and sio_lift() turn one form
 * into the other. */
#ifndef SIO_H
#define SIO_H

#include "buf.h"
#include "fault.h"

enum sio_type {
    SIO_CONNECT,
    SIO_DISCONNECT,
    SIO_EVENT,
    SIO_ACK,
    SIO_CONNECT_ERROR,
    SIO_BINARY_EVENT,
    SIO_BINARY_ACK,
};

enum {
    SIO_ATTACHMENTS_MAX = 10, /* as the protocol's own libraries have it, both ways */
    SIO_NAMESPACE_BYTES_MAX = 200,
    SIO_ACK_DIGITS_MAX = 20,
};

struct sio_packet {
    enum sio_type type;
    int attachments;     /* how many are to follow */
    struct span nsp;     /* with its slash; "/" when none was named */
    struct span ack;     /* digits; empty: none */
    struct span payload; /* JSON of the form that the type has; empty where it may be absent */
};

/* Returns 0, or -1 with a fault that says what is wrong. */
int sio_parse(struct span text, struct sio_packet *p, struct fault *f);

/* Appends all of a packet that stands before its JSON. nsp and ack as in struct sio_packet. */
void sio_head_format(struct buf *out, enum sio_type type, int attachments, struct span nsp,
                     struct span ack);

/* Whether an event's name (encoded, with or without its quotes) is one that client libraries keep
 * for themselves: a packet with it ends their connection. */
bool sio_is_reserved(struct span name);

struct sio_attachments {
    struct buf bytes[SIO_ATTACHMENTS_MAX];
    int count;
};
void sio_attachments_fini(struct sio_attachments *a);

/* Appends a (checked) JSON value with each placeholder replaced by the bytes it stands for.
 * Returns 0; or -1 when one stands for none. */
int sio_fill(struct span value, const struct sio_attachments *a, struct buf *out, struct fault *f);

/* Appends a (checked) JSON value with bytes replaced by placeholders, and puts the bytes into *a,
 * which is all zero before. False, with nothing appended or put there, when there are none, more
 * than may be attached, or placeholders already: then the value goes as the JSON that it is. */
bool sio_lift(struct span value, struct buf *out, struct sio_attachments *a);

#endif
