/* The limits in force: what the operator set, else what the catalog says, else a default. */
#ifndef LIMIT_H
#define LIMIT_H

#include "catalog.h"
#include "metric.h"
#include "settings.h"

/* name, of settings, of the catalog, default */
#define LIMITS(X)                                                                                  \
    X(connections, connections_max, limits.connections, 10000)                                     \
    X(user_connections, user_connections_max, limits.user_connections, INT64_MAX)                  \
    X(address_connections, address_connections_max, limits.address_connections, INT64_MAX)         \
    X(rooms, rooms_max, limits.rooms, 1000) /* of one client */                                    \
    X(message_bytes, message_bytes_max, limits.message_bytes, 256 * 1024)                          \
    X(auth_ms, auth_ms, auth.within_ms, 10 * 1000)                                                 \
    X(ping_ms, ping_ms, heartbeat.ping_ms, 30 * 1000)                                              \
    X(silence_ms, silence_ms, heartbeat.silence_ms, 60 * 1000)

/* The rates: how many messages, events or attempts within which time.
 * name, of settings, of the catalog, default, metric of what is refused, of what and of whom */
#define RATES(X)                                                                                   \
    X(client_rate, client_rate, limits.client, RATE_OFF, 1000, M_CLIENT_LIMITED, "messages",       \
      "client")                                                                                    \
    X(user_rate, user_rate, limits.user, RATE_OFF, 1000, M_USER_LIMITED, "messages", "user")       \
    X(room_rate, room_rate, limits.room, RATE_OFF, 1000, M_ROOM_LIMITED, "events", "room")         \
    X(auth_rate, auth_rate, limits.authentication, 10, 60000, M_AUTH_LIMITED,                      \
      "attempts to authenticate", "address")

struct limits {
#define X(name, setting, catalog, preset) int64_t name;
    LIMITS(X)
#undef X
#define X(name, setting, catalog, count, period_ms, metric, what, whom) struct rate name;
    RATES(X)
#undef X
};

/* What is said of each rate; rows are in the order of RATES. */
enum rate_id {
#define X(name, setting, catalog, count, period_ms, metric, what, whom) RATE_##name,
    RATES(X)
#undef X
        RATE_COUNT
};
struct rate_row {
    size_t offset; /* in struct limits */
    enum metric_id metric;
    const char *what, *whom;
};
extern const struct rate_row limit_rates[RATE_COUNT];

/* The rate itself, which lives as long as l. */
const struct rate *limits_rate(const struct limits *l, enum rate_id id);

/* Sets all of l anew: at the start, and when settings or catalog have changed. */
void limits_settle(struct limits *l, const struct settings *set, const struct catalog *c);

#endif
