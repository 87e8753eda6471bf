#include "mem.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* No exit status of ours fits, and the state at this point is worth a core file. */
static void *sure(void *p)
{
    static const char message[] = "out of memory\n";

    if (p)
        return p;
    ssize_t told = write(STDERR_FILENO, message, sizeof(message) - 1);
    (void)told;
    abort();
}

void *mem_alloc(size_t bytes)
{
    return sure(malloc(bytes != 0 ? bytes : 1));
}

void *mem_zero(size_t bytes)
{
    return sure(calloc(1, bytes != 0 ? bytes : 1));
}

void *mem_resize(void *old, size_t bytes)
{
    return sure(realloc(old, bytes != 0 ? bytes : 1));
}

char *mem_copy(const char *at, size_t len)
{
    char *copy = mem_alloc(len + 1);

    if (len != 0)
        memcpy(copy, at, len);
    copy[len] = '\0';
    return copy;
}

char *mem_text(const char *text)
{
    return mem_copy(text, strlen(text));
}
