/* A catalog as an AsyncAPI 3 document: one channel, the plain WebSocket, and what goes either way
 * on it. */
#ifndef ASYNCAPI_H
#define ASYNCAPI_H

#include "catalog.h"

/* Appends the document, as indented JSON. */
void asyncapi_write(const struct catalog *c, struct buf *out);

#endif
