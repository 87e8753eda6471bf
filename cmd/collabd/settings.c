#include "settings.h"

#define FIELD(name) offsetof(struct settings, name)
enum { RATE_MAX = 1000000000 };
enum { SECOND = 1000, MINUTE = 60 * SECOND, KIB = 1024, MIB = 1024 * KIB };

static const struct opt rows[] = {
    {'l', "listen", "ADDR:PORT", OPT_LIST, FIELD(listen), "127.0.0.1", 0, 0, "COLLAB_LISTEN",
     "where to listen: an address with or without a port, [::1]:4000, or unix:PATH; may be "
     "repeated"},
    {'p', "port", "PORT", OPT_INT, FIELD(port), "4000", 0, 65535, "COLLAB_PORT",
     "the port of addresses that name none; 0 takes a free one"},
    {'r', "redis", "URL", OPT_TEXT, FIELD(redis), NULL, 0, 0, "COLLAB_REDIS",
     "redis://[USER:PASSWORD@]HOST[:PORT][/DB] or unix:PATH; without it a private redis-server "
     "is started"},
    {'C', "catalog", "FILE", OPT_TEXT, FIELD(catalog), NULL, 0, 0, "COLLAB_CATALOG",
     "the application's rooms, events and messages, as collab-catalog(5) says; without it a "
     "catalog for boards with tasks and comments"},
    {'k', "key-file", "PATH", OPT_LIST, FIELD(key_files), NULL, 0, 0, "COLLAB_KEY_FILE",
     "a key that tokens are checked with, or a directory of keys by kid; may be repeated; "
     "without it collabd makes a key, prints a token, and listens on loopback only"},
    {0, "audience", "TEXT", OPT_TEXT, FIELD(audience), NULL, 0, 0, "COLLAB_AUDIENCE",
     "the aud that tokens must carry"},
    {0, "issuer", "TEXT", OPT_TEXT, FIELD(issuer), NULL, 0, 0, "COLLAB_ISSUER",
     "the iss that tokens must carry"},
    {0, "leeway", "TIME", OPT_MS, FIELD(leeway_ms), "5s", 0, 30 * SECOND, "COLLAB_LEEWAY",
     "how far clocks may differ when a token's times are checked"},
    {0, "node", "NAME", OPT_TEXT, FIELD(node), NULL, 0, 0, "COLLAB_NODE",
     "the name of this node, unique among those on one Redis (default: a random one)"},
    {0, "origin", "ORIGIN", OPT_LIST, FIELD(origins), NULL, 0, 0, "COLLAB_ORIGIN",
     "the origin of pages that may use Socket.IO from another origin, https://app.example.org, or "
     "'*' for all; may be repeated"},
    {0, "stats", "all|admin", OPT_CHOICE, FIELD(stats), "all", 0, 0, "COLLAB_STATS",
     "who may read /metrics and /api/v1/ws/stats: all, or bearers of an admin token"},
    {0, "max-connections", "N", OPT_INT, FIELD(connections_max), NULL, 1, 4000000,
     "COLLAB_MAX_CONNECTIONS", "connections at once (default: the catalog's, else 10000)"},
    {0, "max-user-connections", "N", OPT_INT, FIELD(user_connections_max), NULL, 1, 4000000,
     "COLLAB_MAX_USER_CONNECTIONS",
     "connections of one user to this node (default: the catalog's, else off)"},
    {0, "max-address-connections", "N", OPT_INT, FIELD(address_connections_max), NULL, 1, 4000000,
     "COLLAB_MAX_ADDRESS_CONNECTIONS",
     "connections from one address to this node; an IPv6 address counts as its /64 (default: the "
     "catalog's, else off)"},
    {0, "client-rate", "N/TIME", OPT_RATE, FIELD(client_rate), NULL, 1, RATE_MAX,
     "COLLAB_CLIENT_RATE",
     "messages of one client, such as 100/1m (default: the catalog's, else "
     "off)"},
    {0, "user-rate", "N/TIME", OPT_RATE, FIELD(user_rate), NULL, 1, RATE_MAX, "COLLAB_USER_RATE",
     "messages of one user, on all nodes (default: the catalog's, else off)"},
    {0, "room-rate", "N/TIME", OPT_RATE, FIELD(room_rate), NULL, 1, RATE_MAX, "COLLAB_ROOM_RATE",
     "events that clients publish to one room, on all nodes (default: the catalog's, else off)"},
    {0, "auth-rate", "N/TIME", OPT_RATE, FIELD(auth_rate), NULL, 1, RATE_MAX, "COLLAB_AUTH_RATE",
     "failed attempts to authenticate from one address (default: the catalog's, else 10/1m)"},
    {0, "trusted-proxy", "NETWORK", OPT_LIST, FIELD(trusted_proxies), NULL, 0, 0,
     "COLLAB_TRUSTED_PROXY",
     "whose X-Forwarded-For is believed: an address, a network like 10.0.0.0/8, or unix for who "
     "comes by a Unix socket; may be repeated"},
    {0, "max-rooms", "N", OPT_INT, FIELD(rooms_max), NULL, 1, 1000000, "COLLAB_MAX_ROOMS",
     "rooms that one client may be in (default: the catalog's, else 1000)"},
    {0, "max-message", "SIZE", OPT_BYTES, FIELD(message_bytes_max), NULL, 1 * KIB, 64 * MIB,
     "COLLAB_MAX_MESSAGE",
     "the largest message that a client may send (default: the catalog's, else 256k)"},
    {0, "max-header", "SIZE", OPT_BYTES, FIELD(header_bytes_max), "16k", 1 * KIB, 64 * KIB,
     "COLLAB_MAX_HEADER", "the largest HTTP request line with headers"},
    {0, "max-body", "SIZE", OPT_BYTES, FIELD(body_bytes_max), "1m", 1 * KIB, 64 * MIB,
     "COLLAB_MAX_BODY", "the largest HTTP request body"},
    {0, "outbox-size", "SIZE", OPT_BYTES, FIELD(outbox_bytes_max), "1m", 16 * KIB, 1024 * MIB,
     "COLLAB_OUTBOX_SIZE", "what may wait for a slow client before it is closed"},
    {0, "outbox-time", "TIME", OPT_MS, FIELD(outbox_ms_max), "30s", 1 * SECOND, 60 * MINUTE,
     "COLLAB_OUTBOX_TIME", "how long a client may take nothing before it is closed"},
    {0, "handshake-time", "TIME", OPT_MS, FIELD(handshake_ms), "10s", 100, 5 * MINUTE,
     "COLLAB_HANDSHAKE_TIME", "how long an HTTP request may take to arrive"},
    {0, "auth-time", "TIME", OPT_MS, FIELD(auth_ms), NULL, 100, 5 * MINUTE, "COLLAB_AUTH_TIME",
     "how long a client without a token may take to authenticate (default: the catalog's, else "
     "10s)"},
    {0, "ping-interval", "TIME", OPT_MS, FIELD(ping_ms), NULL, 100, 60 * MINUTE,
     "COLLAB_PING_INTERVAL", "how often a client is pinged (default: the catalog's, else 30s)"},
    {0, "ping-timeout", "TIME", OPT_MS, FIELD(silence_ms), NULL, 200, 120 * MINUTE,
     "COLLAB_PING_TIMEOUT",
     "after how long without a sign of life a client is closed (default: the catalog's, else 60s)"},
    {0, "probe-interval", "TIME", OPT_MS, FIELD(probe_ms), "5s", 100, 5 * MINUTE,
     "COLLAB_PROBE_INTERVAL", "how often a message is sent through Redis and back to see it works"},
    {0, "drain", "TIME", OPT_MS, FIELD(drain_ms), "0s", 0, 60 * MINUTE, "COLLAB_DRAIN",
     "over which time clients are sent away at SIGTERM"},
    {0, "reuse-port", NULL, OPT_FLAG, FIELD(reuse_port), NULL, 0, 0, "COLLAB_REUSE_PORT",
     "share the port with other processes, so that a new one can take over from this one"},
    {0, "log-level", "error|warning|info|debug", OPT_CHOICE, FIELD(log_level), "info", 0, 0,
     "COLLAB_LOG_LEVEL", "how much to log on standard error"},
    {0, "log-format", "text|json", OPT_CHOICE, FIELD(log_format), "text", 0, 0, "COLLAB_LOG_FORMAT",
     "how to log"},
    {0, "check", NULL, OPT_FLAG, FIELD(check), NULL, 0, 0, NULL,
     "check the settings and the catalog, say what is wrong with them, and end"},
    {'c', "config", "FILE", OPT_TEXT, FIELD(config), NULL, 0, 0, "COLLAB_CONFIG",
     "a file of NAME = VALUE lines, named as the long options are"},
};

const struct opt_program settings_program = {
    .name = "collabd",
    .operands = "",
    .purpose = "The gateway: WebSocket clients in rooms, joined through Redis.",
    .rows = rows,
    .row_count = sizeof(rows) / sizeof(rows[0]),
};
