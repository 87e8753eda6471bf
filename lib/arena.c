#include "arena.h"
#include "mem.h"
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 4096, ALIGNMENT = alignof(max_align_t) };

struct arena_block {
    struct arena_block *next;
    size_t used, size; /* bytes of `bytes` */
    alignas(max_align_t) char bytes[];
};

static struct arena_block *add_block(struct arena *a, size_t bytes)
{
    size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
    struct arena_block *b = mem_zero(sizeof(*b) + size);

    b->size = size;
    b->next = a->blocks;
    a->blocks = b;
    return b;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
    size_t whole = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    struct arena_block *b = a->blocks;

    if (!b || b->size - b->used < whole)
        b = add_block(a, whole);
    void *at = b->bytes + b->used;
    b->used += whole;
    return at;
}

const char *arena_text(struct arena *a, struct span s)
{
    char *copy = arena_alloc(a, s.len + 1);

    if (s.len != 0)
        memcpy(copy, s.at, s.len);
    return copy;
}

/* It has room for the next power of two, so what is full shows by the count alone. */
void *arena_append(struct arena *a, void *array, size_t count, size_t size)
{
    if ((count & (count - 1)) != 0)
        return array;
    void *larger = arena_alloc(a, (count != 0 ? 2 * count : 1) * size);
    if (count != 0)
        memcpy(larger, array, count * size);
    return larger;
}

void arena_fini(struct arena *a)
{
    while (a->blocks) {
        struct arena_block *b = a->blocks;
        a->blocks = b->next;
        free(b);
    }
}
