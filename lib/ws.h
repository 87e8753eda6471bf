/* The client's side of the WebSocket protocol (RFC 6455), as bytes: URLs, requests and frames
 * to send, answers and frames that came. It touches no socket and keeps no state; client.h does. */
#ifndef WS_H
#define WS_H

#include "buf.h"
#include "fault.h"
#include <stdbool.h>
#include <sys/types.h>

enum ws_opcode {
    WS_CONTINUATION = 0,
    WS_TEXT = 1,
    WS_BINARY = 2,
    WS_CLOSE = 8,
    WS_PING = 9,
    WS_PONG = 10,
};

enum {
    WS_KEY_BYTES = 25,        /* base64 of 16 bytes, and a NUL */
    WS_HEADER_BYTES_MAX = 10, /* before the payload of a server's frame */
};

/* ws://host[:port][/path][?query], wss:// likewise, or ws+unix:SOCKET[:/path][?query]. */
struct ws_url {
    bool secure;
    char *host; /* NULL for a Unix socket; an IPv6 address has no brackets */
    int port;
    char *socket;    /* the path of a Unix socket, else NULL */
    char *path;      /* with the query, without the fragment; "/" when there is none */
    char *authority; /* for the Host header */
};

/* All zero before. Returns 0, or -1 with a fault that quotes the text; either way ws_url_fini()
 * frees it. */
int ws_url_parse(struct ws_url *url, const char *text, struct fault *f);
void ws_url_fini(struct ws_url *url);

/* What a handshake asks for. All of it is free of control characters. */
struct ws_request {
    const char *authority; /* host[:port] */
    const char *path;      /* with the query */
    const char *token;     /* sent as Authorization: Bearer; NULL: none */
    const char *protocol;  /* NULL: none */
};

/* Appends the handshake with a new random key (section 4.1). */
void ws_request_format(const struct ws_request *r, struct buf *out, char key[WS_KEY_BYTES]);

/* Reads the answer to a handshake with that key and protocol (section 4.2.2). Returns how many
 * bytes it takes; 0 when more are needed; -1 with a fault ("HTTP status 401"). */
ssize_t ws_answer_parse(struct span bytes, const char *key, const char *protocol, struct fault *f);

struct ws_frame {
    enum ws_opcode opcode;
    bool final;
    struct span payload; /* of the bytes that were parsed */
};

/* Parses the frame at the start of bytes that came from a server (section 5.2). Returns how many
 * bytes it takes; 0 when *missing more are needed, or at least that many; -1 with a fault when it
 * breaks the protocol. */
ssize_t ws_frame_parse(struct span bytes, struct ws_frame *frame, size_t *missing, struct fault *f);

/* Appends a frame, final and masked as a client's must be (section 5.3). */
void ws_frame_format(struct buf *out, enum ws_opcode opcode, struct span payload);

#endif
