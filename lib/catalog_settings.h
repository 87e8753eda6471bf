/* Reads the parts of a catalog that are plain settings. For catalog_file.c. */
#ifndef CATALOG_SETTINGS_H
#define CATALOG_SETTINGS_H

#include "schema.h"

/* Their schemas. `into`: the struct of that name in catalog.h; of auth and presence, which come
 * after rooms and events, the reader's ctx is a struct catalog_build. */
extern const struct schema catalog_presence_schema, catalog_fields_schema, catalog_notices_schema,
    catalog_envelope_schema, catalog_socketio_schema, catalog_endpoints_schema, catalog_auth_schema,
    catalog_limits_schema, catalog_heartbeat_schema;

#endif
