/* Reads the messages of a catalog, and adds the protocol's own. For catalog_file.c. */
#ifndef CATALOG_MESSAGES_H
#define CATALOG_MESSAGES_H

#include "schema.h"

/* A read for a row; `into` is not looked at, what is read goes into the catalog being built, which
 * has its rooms already. */
int catalog_read_messages(struct schema_reader *r, const struct schema_row *row, struct span value,
                          void *into);

extern const struct schema catalog_message_schema;

#endif
