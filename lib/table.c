#include "table.h"
#include "ident.h"
#include "mem.h"
#include <assert.h>
#include <stdlib.h>

enum { FIRST_SIZE = 4, LOAD_MAX = 2 /* things a bucket */ };

/* Clients choose names: where those end up must not be foreseen (FNV-1a from a start of our own,
 * then MurmurHash3's finish, so that each bit counts). */
static uint32_t hash_of(struct span name)
{
    static uint64_t seed;

    while (seed == 0)
        ident_bytes(&seed, sizeof(seed));
    uint64_t h = seed;
    for (size_t i = 0; i < name.len; i++)
        h = (h ^ (unsigned char)name.at[i]) * 0x100000001b3U;
    h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdU;
    return (uint32_t)(h ^ (h >> 33));
}

struct span table_name(const struct table_node *n)
{
    return (struct span){(const char *)n + n->name_at, n->len};
}

static struct table_node **bucket_of(const struct table *t, uint32_t hash)
{
    return &t->buckets[hash & (t->size - 1)];
}

void table_fini(struct table *t)
{
    free(t->buckets);
    t->buckets = NULL;
    t->size = t->count = 0;
}

void *table_find(const struct table *t, struct span name)
{
    if (t->count == 0)
        return NULL;
    uint32_t hash = hash_of(name);
    struct table_node *n = *bucket_of(t, hash);
    while (n && (n->hash != hash || !span_equal(table_name(n), name)))
        n = n->next;
    return n;
}

static void put(struct table *t, struct table_node *n)
{
    struct table_node **bucket = bucket_of(t, n->hash);

    n->next = *bucket;
    *bucket = n;
}

static void grow(struct table *t)
{
    struct table_node **old = t->buckets;
    uint32_t old_size = t->size;

    t->size = old_size != 0 ? old_size * 2 : FIRST_SIZE;
    t->buckets = mem_zero(t->size * sizeof(struct table_node *));
    for (uint32_t i = 0; i < old_size; i++) {
        struct table_node *n, *next;
        for (n = old[i]; n; n = next) {
            next = n->next;
            put(t, n);
        }
    }
    free(old);
}

void table_add(struct table *t, struct table_node *n, struct span name)
{
    size_t name_at = (size_t)(name.at - (const char *)n);

    assert(name_at <= UINT16_MAX && name.len <= UINT16_MAX);
    n->name_at = (uint16_t)name_at;
    n->len = (uint16_t)name.len;
    if (t->count == t->size * LOAD_MAX)
        grow(t);
    n->hash = hash_of(name);
    put(t, n);
    t->count++;
}

void table_remove(struct table *t, struct table_node *n)
{
    struct table_node **at = bucket_of(t, n->hash);

    while (*at != n) {
        assert(*at);
        at = &(*at)->next;
    }
    *at = n->next;
    n->next = NULL;
    t->count--;
}

static void *first_from(const struct table *t, uint32_t bucket)
{
    for (; bucket < t->size; bucket++)
        if (t->buckets[bucket])
            return t->buckets[bucket];
    return NULL;
}

void *table_first(const struct table *t)
{
    return first_from(t, 0);
}

void *table_next(const struct table *t, const void *thing)
{
    const struct table_node *n = thing;

    return n->next ? n->next : first_from(t, (n->hash & (t->size - 1)) + 1);
}
