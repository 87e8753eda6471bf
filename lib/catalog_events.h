/* Reads the events of a catalog. For catalog_file.c. */
#ifndef CATALOG_EVENTS_H
#define CATALOG_EVENTS_H

#include "schema.h"

/* A read for a row; `into` is not looked at, what is read goes into the catalog being built, which
 * has its rooms already. */
int catalog_read_events(struct schema_reader *r, const struct schema_row *row, struct span value,
                        void *into);

extern const struct schema catalog_event_schema;

#endif
