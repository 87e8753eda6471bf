/* A hash table of things that are found by their name, for those of which there are very many: it
 * costs each of them 16 bytes, and 4 to 8 in the table; where there are one or two, nothing. The
 * things are the owner's, and so are their names; the table allocates nothing but itself. The walk
 * has no order. */
#ifndef TABLE_H
#define TABLE_H

#include "buf.h"
#include <stdint.h>

/* First in the thing. */
struct table_node {
    struct table_node *next;
    uint32_t hash;
    uint16_t name_at, len; /* of the name, from here */
};

/* Of all zero: empty. */
struct table {
    union {
        struct table_node *one;   /* bucket, where size is 1 */
        struct table_node **many; /* size of them */
    } u;
    uint32_t size; /* a power of two, or 0 */
    uint32_t count;
};

/* Gives back the memory; the things are as they were. */
void table_fini(struct table *t);

/* The thing of that name; NULL: there is none. */
void *table_find(const struct table *t, struct span name);

/* Adds one. name: within the thing, in its first 64 KiB; no other may have it, and it stays. */
void table_add(struct table *t, struct table_node *n, struct span name);
void table_remove(struct table *t, struct table_node *n);

/* The name of a thing; it stands in the thing. */
struct span table_name(const struct table_node *n);

/* All of them, one after the other. One may be removed once the next is known. */
void *table_first(const struct table *t);
void *table_next(const struct table *t, const void *thing);

/* Walks over all of them; the one at hand may be removed. */
#define TABLE_EACH(table, thing, following)                                                        \
    for ((thing) = table_first(table), (following) = (thing) ? table_next(table, thing) : NULL;    \
         (thing); (thing) = (following), (following) = (thing) ? table_next(table, thing) : NULL)

#endif
