/* Any bytes as MessagePack: what is read is JSON, and packed again it reads as the same. */
#include "json.h"
#include "pack.h"
#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf text = {0}, packed = {0}, again = {0};
    struct fault f = {""};

    if (pack_read((struct span){(const char *)data, size}, &text, &f) == 0) {
        assert(json_check(buf_span(&text), &f) == 0);
        pack_write(buf_span(&text), &packed);
        assert(pack_read(buf_span(&packed), &again, &f) == 0);
        assert(span_equal(buf_span(&text), buf_span(&again)));
    } else {
        assert(f.text[0] != '\0' && text.len == 0);
    }
    buf_fini(&text);
    buf_fini(&packed);
    buf_fini(&again);
    return 0;
}
