/* The limits in force: what the operator set, else what the catalog says, else a default. */
#ifndef LIMIT_H
#define LIMIT_H

#include "catalog.h"
#include "settings.h"

/* name, of settings, of the catalog, default */
#define LIMITS(X)                                                                                  \
    X(connections, connections_max, limits.connections, 10000)                                     \
    X(rooms, rooms_max, limits.rooms, 1000) /* of one client */                                    \
    X(message_bytes, message_bytes_max, limits.message_bytes, 256 * 1024)                          \
    X(auth_ms, auth_ms, auth.within_ms, 10 * 1000)                                                 \
    X(ping_ms, ping_ms, heartbeat.ping_ms, 30 * 1000)                                              \
    X(silence_ms, silence_ms, heartbeat.silence_ms, 60 * 1000)

struct limits {
#define X(name, setting, catalog, preset) int64_t name;
    LIMITS(X)
#undef X
};

void limits_settle(struct limits *l, const struct settings *set, const struct catalog *c);

#endif
