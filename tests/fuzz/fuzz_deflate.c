/* The first byte chooses: the rest is an offer of extensions, a compressed message, or text that is
 * compressed and comes back. */
#include "deflate.h"
#include <assert.h>
#include <stdint.h>
#include <string.h>

enum { BYTES_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What came before makes no difference, nor does how much more might be said. */
static void try_message(struct deflate *d, struct span bytes)
{
    struct buf plain = {0}, again = {0};
    enum deflate_result result = deflate_unpack(d, bytes, BYTES_MAX, &plain);
    assert(plain.len <= BYTES_MAX + (result != DEFLATE_DONE));
    if (result == DEFLATE_DONE) {
        buf_text(&again, "before");
        assert(deflate_unpack(d, bytes, plain.len, &again) == DEFLATE_DONE);
        assert(again.len == plain.len + 6);
        assert(plain.len == 0 || memcmp(again.at + 6, plain.at, plain.len) == 0);
        buf_clear(&again);
        if (plain.len)
            assert(deflate_unpack(d, bytes, plain.len - 1, &again) == DEFLATE_TOO_BIG);
    }
    buf_fini(&plain);
    buf_fini(&again);
}

/* Bytes before the payload of a frame that a server sends. */
static size_t header_bytes(const struct frame *f)
{
    unsigned char length = (unsigned char)f->bytes[1];
    return length < 126 ? 2 : length == 126 ? 4 : 10;
}

static void try_text(struct deflate *d, struct span text)
{
    struct buf plain = {0};
    bool fresh;
    struct frame *f = frame_text(&text, 1);
    struct frame *packed = deflate_pack(d, f, 1, &fresh);
    size_t header = header_bytes(packed);
    if (packed != f) {
        struct span payload = {packed->bytes + header, packed->len - header};
        assert(packed->len < f->len);
        assert(deflate_unpack(d, payload, text.len, &plain) == DEFLATE_DONE);
        assert(span_equal(buf_span(&plain), text));
    }
    buf_fini(&plain);
    frame_unref(packed);
    frame_unref(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct deflate *d;
    if (!d)
        d = deflate_new();
    if (size == 0)
        return 0;
    struct span bytes = {(const char *)data + 1, size - 1};
    if (*data % 3 == 0)
        deflate_is_offered(bytes);
    if (*data % 3 == 1)
        try_message(d, bytes);
    if (*data % 3 == 2)
        try_text(d, bytes);
    return 0;
}
