/* What is a header is the same one whatever follows it, and none as long as a byte of it is
 * missing; what is refused has a reason, and stays refused. */
#include "proxy.h"
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ssize_t parse(const uint8_t *data, size_t size, struct sockaddr_storage *from)
{
    struct fault f = {""};
    /* In memory of its own, so that a read beyond it is seen. */
    char *copy = malloc(size + 1);
    memcpy(copy, data, size);
    char *exact = realloc(copy, size ? size : 1);
    ssize_t len = proxy_parse((struct span){exact, size}, from, &f);
    assert(len >= -1 && len <= (ssize_t)size);
    assert((len < 0) == (f.text[0] != '\0'));
    free(exact);
    return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sockaddr_storage from, again;
    ssize_t len = parse(data, size, &from);
    if (len == 0)
        assert(size < PROXY_BYTES_MAX);
    if (len > 0) {
        assert(len <= PROXY_BYTES_MAX);
        assert(from.ss_family == AF_UNSPEC || from.ss_family == AF_INET ||
               from.ss_family == AF_INET6);
        assert(parse(data, (size_t)len, &again) == len);
        assert(memcmp(&from, &again, sizeof(from)) == 0);
        for (size_t n = 0; n < (size_t)len; n++)
            assert(parse(data, n, &again) == 0);
    }
    if (len < 0 && size > 1) {
        uint8_t *more = malloc(size + 1);
        memcpy(more, data, size);
        more[size] = '\n';
        assert(parse(more, size + 1, &again) < 0);
        free(more);
    }
    return 0;
}
