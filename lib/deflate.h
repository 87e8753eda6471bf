/* Compression of WebSocket messages (RFC 7692, permessage-deflate), each by itself: neither side
 * keeps anything of one message for the next, so one struct deflate serves all connections, and a
 * message is compressed once for all who get it. It touches no socket. The only user of zlib. */
#ifndef DEFLATE_H
#define DEFLATE_H

#include "buf.h"
#include "frame.h"
#include <stdbool.h>

#define DEFLATE_NAME "permessage-deflate"
/* What both sides then hold to (section 7.1.1). */
#define DEFLATE_SERVER_ALONE "server_no_context_takeover"
#define DEFLATE_CLIENT_ALONE "client_no_context_takeover"

/* Whether a Sec-WebSocket-Extensions has an offer that can be accepted with the two parameters
 * above: one that is well formed and does not bound the window that we compress with. */
bool deflate_is_offered(struct span extensions);

struct deflate;
struct deflate *deflate_new(void);
void deflate_free(struct deflate *d);

/* The frame with each of its messages compressed that has from_bytes at least and gets shorter by
 * it; or the frame itself. A reference, the caller's; the given one is left alone. The work is done
 * once: the frame keeps its compressed form. fresh is set when it was done now. */
struct frame *deflate_pack(struct deflate *d, struct frame *f, size_t from_bytes, bool *fresh);

/* Appends what a compressed message says (section 7.2.2), which must be at most max bytes; when it
 * is not, or is no compressed message, what was appended means nothing. */
enum deflate_result { DEFLATE_DONE, DEFLATE_TOO_BIG, DEFLATE_BAD };
enum deflate_result deflate_unpack(struct deflate *d, struct span message, size_t max,
                                   struct buf *out);

#endif
