/* A framed message: bytes ready for a socket, made once and shared by all who get them. */
#ifndef FRAME_H
#define FRAME_H

#include "buf.h"
#include <stdbool.h>
#include <stdint.h>

struct frame {
    struct frame *packed; /* deflate.h's: the compressed form, or itself; NULL: not asked for yet */
    uint32_t refs;
    uint32_t len; /* bytes */
    char bytes[];
};

/* A WebSocket text frame (RFC 6455, section 5.2: final, not masked, as a server sends it) of the
 * parts in order. One reference, the caller's. At most 4 GiB. */
struct frame *frame_text(const struct span *parts, int count);

/* Several messages as one frame, which nothing can come between: appended to `out` each with its
 * header, then made one. */
void frame_add_text(struct buf *out, struct span text);
void frame_add_binary(struct buf *out, struct span bytes);
/* payload: compressed (RFC 7692, section 7.2.1) */
void frame_add_deflated(struct buf *out, bool binary, struct span payload);
struct frame *frame_join(struct span frames);

/* A WebSocket ping with a payload of one byte (section 5.5.2): one for all, never freed. Of a pong
 * without any libwebsockets 4.1 does not tell. */
struct frame *frame_ping(void);

/* A WebSocket close (section 5.5.1) with a reason of at most 123 bytes; one that gives none. */
struct frame *frame_close(int code, const char *reason);
struct frame *frame_close_silent(void);

/* A reference more; one less: with the last the frame goes, and its compressed form. */
struct frame *frame_ref(struct frame *f);
void frame_unref(struct frame *f);

#endif
