/* The terms of an event: how the catalog wants it kept, and what it does to its entity's version.
 */
#ifndef TERMS_H
#define TERMS_H

#include "catalog.h"
#include "store.h"

struct terms {
    struct store_terms store;
    bool kept; /* in one of its rooms at least, or versioned: store_append() is for it */
    char entity[ROOM_BYTES_MAX];
};

/* Fills t for an event that has its rooms and was checked (catalog_address()). t refers to the
 * event's data and to the catalog. Returns 0, or -1 with a fault: the field with the version that
 * it was based on holds none. */
int terms_find(struct terms *t, const struct catalog *c, const struct event *e, struct fault *f);

#endif
