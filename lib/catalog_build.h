/* A catalog in the making: what the modules that read its parts share. For them alone. */
#ifndef CATALOG_BUILD_H
#define CATALOG_BUILD_H

#include "catalog.h"
#include "schema.h"

enum { CATALOG_NAME_BYTES_MAX = 128, CATALOG_ABOUT_BYTES_MAX = 4096 };

/* An event that was named, perhaps before it was read. */
struct catalog_mention {
    const struct catalog_event **into;
    const char *key;
    struct span name;             /* as it stands in the file */
    bool own;                     /* the gateway itself says it, so no client does */
    struct catalog_event *signal; /* what ends with it; or NULL */
    struct catalog_mention *next;
};

/* The reader's ctx. */
struct catalog_build {
    struct catalog *c;
    struct catalog_room *rooms; /* those of c */
    struct span *parents;       /* by room: the value of "parent" */
    struct catalog_event *events;
    struct span *published; /* by event: the value of "publish" */
    struct catalog_mention *mentions;
};
struct catalog_build *catalog_build(const struct schema_reader *r);

/* Whether an object has the key. */
bool catalog_given(struct span object, const char *key);

/* Says of the first of some keys (NULL-terminated) that an object has, that it is of no use
 * without something. Returns -1, or 0 when it has none of them. */
int catalog_of_no_use(struct schema_reader *r, struct span object, const char *const *keys,
                      const char *without);

/* Reads a template; and says so when no room but `*` has its form. */
int catalog_read_template(struct schema_reader *r, const char *key, struct span value,
                          struct shape *out);
int catalog_check_template(struct schema_reader *r, const char *key, struct span value,
                           const struct shape *t);

/* Makes the slots of a template those of a route. */
int catalog_bind(struct schema_reader *r, const char *key, struct span value, struct route *route,
                 struct shape *t);

/* Reads for rows. What `into` points to: */
int catalog_read_path(struct schema_reader *r, const struct schema_row *row, struct span value,
                      void *into); /* const char *: the name of a field */
int catalog_read_fields(struct schema_reader *r, const struct schema_row *row, struct span value,
                        void *into); /* struct route: its fields, needed when the key is "need" */
int catalog_read_templates(struct schema_reader *r, const struct schema_row *row, struct span value,
                           void *into); /* struct route: its templates, after the fields */
int catalog_read_event(struct schema_reader *r, const struct schema_row *row, struct span value,
                       void *into); /* const struct catalog_event *, by and by */
int catalog_read_own_event(struct schema_reader *r, const struct schema_row *row, struct span value,
                           void *into); /* the same; the gateway's own to say */
int catalog_read_then(struct schema_reader *r, const struct schema_row *row, struct span value,
                      void *into); /* struct catalog_event: its `then` */

/* When all is read: finds the events that were mentioned. */
int catalog_resolve(struct schema_reader *r);

#endif
