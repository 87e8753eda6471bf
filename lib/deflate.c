#include "deflate.h"
#include "mem.h"
#include "num.h"
#include "ws.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

enum {
    WINDOW_BITS = 15,
    MEMORY_LEVEL = 8,
    ROOM_BYTES = 16 * 1024, /* made at a time for what is unpacked */
};

/* What a flush ends with, and is not sent (section 7.2.1). */
static const struct span tail = {"\0\0\xff\xff", 4};

struct deflate {
    z_stream out, in;
};

/* --- what a client offers ------------------------------------------------------------------- */

static struct span trim(struct span s)
{
    while (s.len && (*s.at == ' ' || *s.at == '\t'))
        span_drop(&s, 1);
    while (s.len && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* Takes what stands before the next mark off the front, without the blanks around it. */
static struct span take(struct span *list, char mark)
{
    const char *end = memchr(list->at, mark, list->len);
    struct span item = {list->at, end ? (size_t)(end - list->at) : list->len};
    span_drop(list, item.len + (end != NULL));
    return trim(item);
}

static bool same(struct span a, const char *b)
{
    return a.len == strlen(b) && strncasecmp(a.at, b, a.len) == 0;
}

static bool is_window(struct span value)
{
    int64_t bits;
    struct fault f;
    if (value.len >= 2 && value.at[0] == '"' && value.at[value.len - 1] == '"')
        value = (struct span){value.at + 1, value.len - 2};
    return num_parse(value, 8, WINDOW_BITS, &bits, &f) == 0;
}

enum { SERVER_ALONE = 1, CLIENT_ALONE = 2, CLIENT_WINDOW = 4 };

/* Which parameter it is; 0: none that can be accepted. */
static int read_parameter(struct span parameter)
{
    struct span value = parameter;
    struct span name = take(&value, '=');
    bool bare = name.len == parameter.len;
    if (bare && same(name, DEFLATE_SERVER_ALONE))
        return SERVER_ALONE;
    if (bare && same(name, DEFLATE_CLIENT_ALONE))
        return CLIENT_ALONE;
    if (same(name, "client_max_window_bits") && (bare || is_window(trim(value))))
        return CLIENT_WINDOW;
    return 0;
}

static bool is_acceptable(struct span offer)
{
    int seen = 0;
    if (!same(take(&offer, ';'), DEFLATE_NAME))
        return false;
    while (offer.len) {
        int parameter = read_parameter(take(&offer, ';'));
        if (!parameter || seen & parameter)
            return false;
        seen |= parameter;
    }
    return true;
}

bool deflate_is_offered(struct span extensions)
{
    while (extensions.len)
        if (is_acceptable(take(&extensions, ',')))
            return true;
    return false;
}

/* --- compressing ---------------------------------------------------------------------------- */

/* Appends the payload, compressed. */
static void squeeze(struct deflate *d, struct span payload, struct buf *out)
{
    z_stream *z = &d->out;
    deflateReset(z);
    /* The bound is of a stream that is finished; a flush may take some bytes more. */
    size_t room = deflateBound(z, payload.len) + 2 * tail.len;
    z->next_in = (unsigned char *)payload.at;
    z->avail_in = (unsigned)payload.len;
    z->next_out = (unsigned char *)buf_room(out, room);
    z->avail_out = (unsigned)room;
    int result = deflate(z, Z_SYNC_FLUSH);
    assert(result == Z_OK && !z->avail_in && z->avail_out);
    (void)result;
    out->len += room - z->avail_out - tail.len;
}

/* Appends one frame, compressed if that makes it shorter. Whether it did. */
static bool add_packed(struct deflate *d, struct span whole, const struct ws_frame *frame,
                       struct buf *out)
{
    struct buf payload = {0};
    squeeze(d, frame->payload, &payload);
    bool shorter = payload.len < frame->payload.len;
    if (shorter)
        frame_add_deflated(out, frame->opcode == WS_BINARY, buf_span(&payload));
    else
        buf_join(out, whole);
    buf_fini(&payload);
    return shorter;
}

/* The frame itself: none of them gets shorter. */
static struct frame *pack(struct deflate *d, struct frame *f, size_t from_bytes)
{
    struct span rest = {f->bytes, f->len};
    struct buf out = {0};
    struct ws_frame frame;
    struct fault fault;
    size_t missing;
    ssize_t len;
    bool shorter = false;
    while ((len = ws_frame_parse(rest, &frame, &missing, &fault)) > 0) {
        struct span whole = {rest.at, (size_t)len};
        if (frame.opcode < WS_CLOSE && frame.payload.len >= from_bytes)
            shorter |= add_packed(d, whole, &frame, &out);
        else
            buf_join(&out, whole);
        span_drop(&rest, (size_t)len);
    }
    struct frame *packed = shorter ? frame_join(buf_span(&out)) : f;
    buf_fini(&out);
    packed->packed = packed;
    return packed;
}

struct frame *deflate_pack(struct deflate *d, struct frame *f, size_t from_bytes, bool *fresh)
{
    *fresh = !f->packed && f->len >= from_bytes;
    if (*fresh)
        f->packed = pack(d, f, from_bytes);
    return frame_ref(f->packed ? f->packed : f);
}

/* --- unpacking ------------------------------------------------------------------------------ */

/* Not more than one byte over max is ever made. */
static int grow(z_stream *z, size_t max, struct buf *out, size_t had)
{
    size_t left = max + 1 - (out->len - had);
    size_t room = left < ROOM_BYTES ? left : ROOM_BYTES;
    z->next_out = (unsigned char *)buf_room(out, room);
    z->avail_out = (unsigned)room;
    int result = inflate(z, Z_SYNC_FLUSH);
    out->len += room - z->avail_out;
    return result;
}

/* had: the length of out when the message began. */
static enum deflate_result feed(z_stream *z, struct span bytes, size_t max, struct buf *out,
                                size_t had)
{
    z->next_in = (unsigned char *)bytes.at;
    z->avail_in = (unsigned)bytes.len;
    do {
        int result = grow(z, max, out, had);
        if (out->len - had > max)
            return DEFLATE_TOO_BIG;
        /* A message may be of several streams (section 7.2.3.4). */
        if (result == Z_STREAM_END)
            inflateReset(z);
        else if (result != Z_OK && result != Z_BUF_ERROR)
            return DEFLATE_BAD;
    } while (z->avail_in || !z->avail_out);
    return DEFLATE_DONE;
}

/* Bit 7 of data_type is set where a block has ended and none has begun: zlib.h. */
static bool is_between_blocks(const z_stream *z)
{
    return z->data_type & 128;
}

enum deflate_result deflate_unpack(struct deflate *d, struct span message, size_t max,
                                   struct buf *out)
{
    size_t had = out->len;
    inflateReset(&d->in);
    enum deflate_result result = feed(&d->in, message, max, out, had);
    if (result == DEFLATE_DONE)
        result = feed(&d->in, tail, max, out, had);
    if (result == DEFLATE_DONE && !is_between_blocks(&d->in))
        result = DEFLATE_BAD;
    return result;
}

/* --- set-up --------------------------------------------------------------------------------- */

static void *get_memory(void *opaque, unsigned items, unsigned bytes)
{
    (void)opaque;
    return mem_alloc((size_t)items * bytes);
}

static void give_back(void *opaque, void *memory)
{
    (void)opaque;
    free(memory);
}

struct deflate *deflate_new(void)
{
    struct deflate *d = mem_zero(sizeof(*d));
    d->out.zalloc = d->in.zalloc = get_memory;
    d->out.zfree = d->in.zfree = give_back;
    int out = deflateInit2(&d->out, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -WINDOW_BITS, MEMORY_LEVEL,
                           Z_DEFAULT_STRATEGY);
    int in = inflateInit2(&d->in, -WINDOW_BITS);
    assert(out == Z_OK && in == Z_OK);
    (void)out, (void)in;
    return d;
}

void deflate_free(struct deflate *d)
{
    if (!d)
        return;
    deflateEnd(&d->out);
    inflateEnd(&d->in);
    free(d);
}
