/* What is built into the library: the catalog that is in force without another. */
#ifndef BUILTIN_H
#define BUILTIN_H

#include "buf.h"

/* The text of examples/kanban/catalog.json, as it was when the library was built. */
struct span builtin_catalog(void);

#endif
