#include "frame.h"
#include "mem.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* The first byte: FIN and the opcode (RFC 6455, section 5.2). */
enum {
    FIN_TEXT = 0x80 | 0x1,
    FIN_BINARY = 0x80 | 0x2,
    FIN_CLOSE = 0x80 | 0x8,
    FIN_PING = 0x80 | 0x9,
    DEFLATED = 0x40 /* RSV1 (RFC 7692, section 6) */
};

enum { HEADER_BYTES_MAX = 10 };

static union {
    struct frame frame;
    char space[sizeof(struct frame) + 3];
} ping;

/* Writes a frame's header. Returns its length. */
static size_t write_header(char header[HEADER_BYTES_MAX], int first, uint64_t payload)
{
    int length_bytes = payload < 126 ? 0 : payload <= UINT16_MAX ? 2 : 8;

    header[0] = (char)first;
    header[1] = (char)(length_bytes == 0 ? payload : length_bytes == 2 ? 126 : 127);
    for (int i = length_bytes; i > 0; i--, payload >>= 8)
        header[1 + i] = (char)(payload & 0xff);
    return (size_t)length_bytes + 2;
}

static struct frame *make(size_t len)
{
    struct frame *f = mem_alloc(sizeof(*f) + len);

    assert(len <= UINT32_MAX);
    f->packed = NULL;
    f->refs = 1;
    f->len = (uint32_t)len;
    return f;
}

struct frame *frame_text(const struct span *parts, int count)
{
    char header[HEADER_BYTES_MAX];
    size_t payload = 0;

    for (int i = 0; i < count; i++)
        payload += parts[i].len;
    size_t header_bytes = write_header(header, FIN_TEXT, payload);
    struct frame *f = make(header_bytes + payload);
    memcpy(f->bytes, header, header_bytes);
    char *to = f->bytes + header_bytes;
    for (int i = 0; i < count; i++) {
        if (parts[i].len != 0)
            memcpy(to, parts[i].at, parts[i].len);
        to += parts[i].len;
    }
    return f;
}

static void add(struct buf *out, int first, struct span payload)
{
    char header[HEADER_BYTES_MAX];

    buf_add(out, header, write_header(header, first, payload.len));
    buf_join(out, payload);
}

void frame_add_text(struct buf *out, struct span text)
{
    add(out, FIN_TEXT, text);
}

void frame_add_binary(struct buf *out, struct span bytes)
{
    add(out, FIN_BINARY, bytes);
}

void frame_add_deflated(struct buf *out, bool binary, struct span payload)
{
    add(out, (binary ? FIN_BINARY : FIN_TEXT) | DEFLATED, payload);
}

struct frame *frame_join(struct span frames)
{
    struct frame *f = make(frames.len);

    memcpy(f->bytes, frames.at, frames.len);
    return f;
}

struct frame *frame_close(int code, const char *reason)
{
    size_t len = strlen(reason);
    assert(len <= 123);
    struct frame *f = make(4 + len);
    f->bytes[0] = (char)FIN_CLOSE;
    f->bytes[1] = (char)(2 + len);
    f->bytes[2] = (char)(code >> 8);
    f->bytes[3] = (char)(code & 0xff);
    memcpy(f->bytes + 4, reason, len);
    return f;
}

struct frame *frame_close_silent(void)
{
    static const char bytes[] = {(char)FIN_CLOSE, 0};

    return frame_join((struct span){bytes, sizeof(bytes)});
}

struct frame *frame_ping(void)
{
    ping.frame.len = 3;
    ping.frame.bytes[0] = (char)FIN_PING;
    ping.frame.bytes[1] = 1;
    ping.frame.bytes[2] = '.';
    return &ping.frame;
}

struct frame *frame_ref(struct frame *f)
{
    if (f != &ping.frame)
        f->refs++;
    return f;
}

static void let_go(struct frame *f)
{
    if (--f->refs == 0)
        free(f);
}

void frame_unref(struct frame *f)
{
    if (f == &ping.frame)
        return;
    if (f->refs == 1 && f->packed && f->packed != f)
        let_go(f->packed);
    let_go(f);
}
