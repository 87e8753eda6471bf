/* Reads catalogs: the format that collab-catalog(5) describes. */
#ifndef CATALOG_FILE_H
#define CATALOG_FILE_H

#include "catalog.h"

enum { CATALOG_BYTES_MAX = 1 << 20 };

/* Reads a catalog. file is its name, for faults, which say FILE:LINE:COLUMN, what is wrong there
 * and what was expected. Returns it with one reference, or NULL. The text may go afterwards. */
struct catalog *catalog_parse(struct span text, const char *file, struct fault *f);

/* The same of a file. */
struct catalog *catalog_load(const char *path, struct fault *f);

/* The one that is in force without another. */
struct catalog *catalog_builtin(void);

/* A key that a catalog may have. */
struct catalog_key {
    const char *object; /* it is of: "an event", "limits" */
    const char *key;
    const char *preset;       /* what is read when it is absent, as JSON; NULL: nothing */
    const char *const *words; /* that its value may be, NULL-terminated; NULL: it is another kind */
};

/* Calls each for every key, for the manual's check and for tools that describe the format. */
typedef void catalog_each_key(void *arg, const struct catalog_key *key);
void catalog_keys(catalog_each_key *each, void *arg);

#endif
