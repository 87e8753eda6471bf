/* The first byte chooses: the rest is a URL, the answer to a handshake, or frames. */
#include "ws.h"
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==";

/* What is accepted can stand in a request. */
static void try_url(struct span bytes)
{
    struct fault f = {""};
    struct ws_url url = {0};
    char *text = span_text(bytes);
    if (ws_url_parse(&url, text, &f) == 0) {
        assert(!url.host != !url.socket);
        assert(*url.path == '/' && !strpbrk(url.path, " \r\n"));
        assert(!strpbrk(url.authority, " \r\n"));
    } else {
        assert(f.text[0] != '\0');
    }
    ws_url_fini(&url);
    free(text);
}

/* What is accepted is accepted with anything after it; what is refused has a reason. */
static void try_answer(struct span bytes)
{
    struct fault f = {""};
    ssize_t len = ws_answer_parse(bytes, key, "collab.v1", &f);
    assert(len <= (ssize_t)bytes.len);
    assert((len < 0) == (f.text[0] != '\0'));
    if (len > 0)
        assert(ws_answer_parse((struct span){bytes.at, (size_t)len}, key, "collab.v1", &f) == len);
}

/* A frame lies within its bytes, and one byte less is too few. */
static size_t try_frame(struct span bytes)
{
    struct fault f = {""};
    struct ws_frame frame;
    size_t missing = 0;
    ssize_t len = ws_frame_parse(bytes, &frame, &missing, &f);
    assert((len < 0) == (f.text[0] != '\0'));
    if (len == 0)
        assert(missing > 0);
    if (len <= 0)
        return 0;
    assert((size_t)len <= bytes.len);
    assert(frame.payload.at + frame.payload.len == bytes.at + len);
    size_t header = (size_t)len - frame.payload.len;
    assert(header >= 2 && header <= WS_HEADER_BYTES_MAX);
    struct span less = {bytes.at, (size_t)len - 1};
    assert(ws_frame_parse(less, &frame, &missing, &f) == 0 && missing >= 1);
    return (size_t)len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct span bytes = {(const char *)data + 1, size - 1};
    if (*data % 3 == 0)
        try_answer(bytes);
    if (*data % 3 == 2)
        try_url(bytes);
    for (size_t len = 1; *data % 3 == 1 && len > 0; bytes.at += len, bytes.len -= len)
        len = try_frame(bytes);
    return 0;
}
