/* Any bytes as an Engine.IO payload: its packets, put together again, are the same payload. */
#include "eio.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span whole = {(const char *)data, size};
    struct span rest = whole, text;
    struct buf bytes = {0}, again = {0};
    struct eio_packet p;
    struct fault f = {""};
    size_t packets = 0, broken = 0;

    for (; eio_next(&rest, &text); packets++) {
        if (eio_parse(text, &p, &bytes, &f) != 0) {
            assert(f.text[0] != '\0');
            broken++;
        } else if (p.binary) {
            eio_add_binary(&again, p.data);
        } else {
            assert(p.data.len + 1 == text.len);
            eio_add(&again, text);
        }
    }
    assert(size == 0 || packets > 0);
    if (packets > 0 && !broken)
        assert(span_equal(buf_span(&again), whole));
    buf_fini(&bytes);
    buf_fini(&again);
    return 0;
}
