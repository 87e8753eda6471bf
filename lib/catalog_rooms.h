/* Reads the rooms of a catalog. For catalog_file.c. */
#ifndef CATALOG_ROOMS_H
#define CATALOG_ROOMS_H

#include "schema.h"

/* A read for a row; `into` is not looked at, what is read goes into the catalog being built. */
int catalog_read_rooms(struct schema_reader *r, const struct schema_row *row, struct span value,
                       void *into);

/* When all rooms are there: each parent must be one of them. */
int catalog_check_parents(struct schema_reader *r);

extern const struct schema catalog_room_schema;

#endif
