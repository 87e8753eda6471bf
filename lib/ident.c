#include "ident.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>

void ident_bytes(void *out, size_t bytes)
{
    char *at = out;

    while (bytes > 0) {
        ssize_t got = getrandom(at, bytes, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) /* no kernel that we run on; nothing that is safe can follow */
            abort();
        at += got;
        bytes -= (size_t)got;
    }
}

void ident_random(char *out, size_t chars)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";

    ident_bytes(out, chars);
    for (size_t i = 0; i < chars; i++)
        out[i] = alphabet[(unsigned char)out[i] & 31];
    out[chars] = '\0';
}

double ident_jitter(void)
{
    uint64_t bits;

    ident_bytes(&bits, sizeof(bits));
    return (double)(bits >> 11) * 0x1p-53;
}
