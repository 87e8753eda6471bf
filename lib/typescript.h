/* A catalog as types of TypeScript, in the form that Socket.IO's libraries take. */
#ifndef TYPESCRIPT_H
#define TYPESCRIPT_H

#include "catalog.h"

/* Appends a module with the interfaces ServerToClientEvents and ClientToServerEvents. */
void typescript_write(const struct catalog *c, struct buf *out);

#endif
