/* An arena: memory for many small things that are made together and go together.
 *
 * All zero is an empty arena, ready for use. Nothing in it is freed by itself. */
#ifndef ARENA_H
#define ARENA_H

#include "buf.h"
#include <stddef.h>

struct arena_block;
struct arena {
    struct arena_block *blocks;
};

/* Zeroed memory, aligned for anything. */
void *arena_alloc(struct arena *a, size_t bytes);

/* A span's bytes as a NUL-terminated string. */
const char *arena_text(struct arena *a, struct span s);

/* An array of count elements of that size, to which one more (zeroed) can be added: the array
 * itself while it has room, else a larger copy. NULL is an array of none. Only an array that grew
 * by this alone may be given. */
void *arena_append(struct arena *a, void *array, size_t count, size_t size);

/* Frees it all. The arena is empty again. */
void arena_fini(struct arena *a);

#endif
