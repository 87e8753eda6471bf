#include "table.h"
#include "ident.h"
#include "mem.h"
#include <assert.h>
#include <stdlib.h>

enum { LOAD_MAX = 2 /* things a bucket */ };

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

static uint32_t bucket_of(const struct table *t, uint32_t hash)
{
    return hash & (t->size - 1);
}

static struct table_node *first_in(const struct table *t, uint32_t bucket)
{
    return t->size == 1 ? t->u.one : t->u.many[bucket];
}

static struct table_node **head_of(struct table *t, uint32_t bucket)
{
    return t->size == 1 ? &t->u.one : &t->u.many[bucket];
}

void table_fini(struct table *t)
{
    if (t->size > 1)
        free(t->u.many);
    *t = (struct table){0};
}

void *table_find(const struct table *t, struct span name)
{
    if (t->count == 0)
        return NULL;
    uint32_t hash = hash_of(name);
    struct table_node *n = first_in(t, bucket_of(t, hash));
    while (n && (n->hash != hash || !span_equal(table_name(n), name)))
        n = n->next;
    return n;
}

static void put(struct table *t, struct table_node *n)
{
    struct table_node **head = head_of(t, bucket_of(t, n->hash));

    n->next = *head;
    *head = n;
}

static void grow(struct table *t)
{
    struct table old = *t;

    t->size = old.size != 0 ? old.size * 2 : 1;
    if (t->size > 1)
        t->u.many = mem_zero(t->size * sizeof(struct table_node *));
    for (uint32_t i = 0; i < old.size; i++) {
        struct table_node *n, *next;
        for (n = first_in(&old, i); n; n = next) {
            next = n->next;
            put(t, n);
        }
    }
    table_fini(&old);
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
    struct table_node **at = head_of(t, bucket_of(t, n->hash));

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
        if (first_in(t, bucket))
            return first_in(t, bucket);
    return NULL;
}

void *table_first(const struct table *t)
{
    return first_from(t, 0);
}

void *table_next(const struct table *t, const void *thing)
{
    const struct table_node *n = thing;

    return n->next ? n->next : first_from(t, bucket_of(t, n->hash) + 1);
}
