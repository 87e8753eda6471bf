/* Engine.IO, protocol 4: packets, and the payloads of HTTP long-polling that join several.
 * (github.com/socketio/socket.io, docs/engine.io-protocol/v4-current.md.)
 *
 * Bytes to packets and back; it touches no socket and keeps no state. On a WebSocket a packet is a
 * text message, or a binary one, which is a message packet without a prefix. In a payload packets
 * are text, joined by U+001E, and a binary message is `b` and base64. */
#ifndef EIO_H
#define EIO_H

#include "buf.h"
#include "fault.h"
#include <stdint.h>

enum eio_type {
    EIO_OPEN = '0',
    EIO_CLOSE = '1',
    EIO_PING = '2',
    EIO_PONG = '3',
    EIO_MESSAGE = '4',
    EIO_UPGRADE = '5',
    EIO_NOOP = '6',
};

struct eio_packet {
    enum eio_type type;
    bool binary;      /* of a message: the data is bytes, not UTF-8 */
    struct span data; /* of the text that was read, or of `bytes` */
};

/* Reads a packet that came as text; bytes that were base64 are put in place of what is in `bytes`.
 * Returns 0 or -1. */
int eio_parse(struct span text, struct eio_packet *p, struct buf *bytes, struct fault *f);

/* Takes the first packet's text off a payload; false when none is left, and then payload->at is
 * NULL. */
bool eio_next(struct span *payload, struct span *packet);

/* Appends a packet's text to a payload; a binary message. */
void eio_add(struct buf *payload, struct span packet);
void eio_add_binary(struct buf *payload, struct span bytes);

/* What a server says first. */
struct eio_handshake {
    const char *sid; /* needs no escape in JSON */
    bool upgrades;   /* to WebSocket */
    int64_t ping_interval_ms;
    int64_t ping_timeout_ms;
    int64_t payload_bytes_max;
};

/* Appends the open packet. */
void eio_open_format(const struct eio_handshake *h, struct buf *out);

#endif
