#include "settings.h"
#include "redis_url.h"
#include "room.h"
#include <ctype.h>
#include <string.h>

#define FIELD(name) offsetof(struct settings, name)
enum { RATE_MAX = 1000000000, PREFIX_BYTES_MAX = 100 };
enum { SECOND = 1000, MINUTE = 60 * SECOND, KIB = 1024, MIB = 1024 * KIB };

static int check_redis(const char *text, struct fault *f)
{
    struct redis_address address;
    if (redis_address_parse(&address, span_of(text), f) != 0)
        return -1;
    redis_address_fini(&address);
    return 0;
}

static int check_prefix(const char *text, struct fault *f)
{
    struct span rest = span_of(text);
    size_t len = rest.len;
    while (rest.len && span_printable(rest))
        span_drop(&rest, span_printable(rest));
    if (!rest.len && len && len <= PREFIX_BYTES_MAX)
        return 0;
    return fault_set(f, "1 to %d bytes, no control characters", PREFIX_BYTES_MAX);
}

static int check_node(const char *text, struct fault *f)
{
    if (room_is_segment(span_of(text)))
        return 0;
    return fault_set(f, "only letters, digits and . _ ~ @ -");
}

/* HOST[:PORT]; an IPv6 address, which has colons, is in brackets. */
static int check_host(const char *text, struct fault *f)
{
    const char *colon = strrchr(text, ':');
    int64_t port;
    if (strpbrk(text, "/?#@"))
        return fault_set(f, "an origin is only scheme, host and port");
    if (strchr(text, '*'))
        return fault_set(f, "* stands by itself, for all origins");
    if (!colon || strchr(colon, ']'))
        return 0;
    return num_parse(span_of(colon + 1), 1, 65535, &port, f) == 0 ? 0 : fault_at(f, "port");
}

/* As browsers write it: SCHEME://HOST[:PORT], in lower case; or null. */
static int check_origin(const char *text, struct fault *f)
{
    const char *mark = strstr(text, "://");
    if (strcmp(text, "*") == 0 || strcmp(text, "null") == 0)
        return 0;
    for (const char *c = text; *c; c++)
        if (isupper((unsigned char)*c))
            return fault_set(f, "must be in lower case, as browsers send it");
    if (!mark || mark == text || !mark[3] || strpbrk(text, " \t\r\n"))
        return fault_set(f, "not like https://app.example.org, nor *");
    return check_host(mark + 3, f);
}

static const struct opt rows[] = {
    {'l', "listen", "ADDR:PORT", OPT_LIST, FIELD(listen), "127.0.0.1", 0, 0, "COLLAB_LISTEN",
     .first = true, .help = "ADDR, ADDR:PORT, https://ADDR:PORT or unix:PATH; may be repeated"},
    {'p', "port", "PORT", OPT_INT, FIELD(port), "4000", 0, 65535, "COLLAB_PORT", .first = true,
     .help = "where an address has none; 0: a free one"},
    {'r', "redis", "URL", OPT_TEXT, FIELD(redis), NULL, 0, 0, "COLLAB_REDIS", .first = true,
     .secret = true, .check = check_redis,
     .help = "redis://[USER:PASSWORD@]HOST[:PORT][/DB] or unix:PATH; without it a private one is "
             "started"},
    {0, "socketio-redis", "PREFIX", OPT_TEXT, FIELD(socketio_redis), NULL, 0, 0,
     "COLLAB_SOCKETIO_REDIS", .check = check_prefix,
     .help = "share rooms with servers and emitters of Socket.IO whose Redis adapter has this key, "
             "which is socket.io unless they say otherwise; without it there are none"},
    {'C', "catalog", "FILE", OPT_TEXT, FIELD(catalog), NULL, 0, 0, "COLLAB_CATALOG", .first = true,
     .help = "rooms and events: see collab-catalog(5); without it, those of boards with tasks"},
    {0, "without", "NAME", OPT_LIST, FIELD(without), NULL, 0, 0, "COLLAB_WITHOUT",
     .help = "an event or a message of the catalog to do without, such as the one that tells of "
             "typing; may be repeated"},
    {0, "www", "DIR", OPT_TEXT, FIELD(www), NULL, 0, 0, "COLLAB_WWW", .first = true,
     .help = "serve this directory's files too"},
    {'k', "key-file", "PATH", OPT_LIST, FIELD(key_files), NULL, 0, 0, "COLLAB_KEY_FILE",
     .first = true,
     .help = "a key that checks tokens, or a directory of keys by kid; may be repeated; without it "
             "one is made, and only loopback is served"},
    {0, "tls-cert", "FILE", OPT_TEXT, FIELD(tls_cert), NULL, 0, 0, "COLLAB_TLS_CERT",
     .help =
         "the certificate that is shown where TLS is spoken, and those between it and the root"},
    {0, "tls-key", "FILE", OPT_TEXT, FIELD(tls_key), NULL, 0, 0, "COLLAB_TLS_KEY",
     .help = "its key, which nobody else may read"},
    {0, "audience", "TEXT", OPT_TEXT, FIELD(audience), NULL, 0, 0, "COLLAB_AUDIENCE",
     .help = "the aud that tokens must carry"},
    {0, "issuer", "TEXT", OPT_TEXT, FIELD(issuer), NULL, 0, 0, "COLLAB_ISSUER",
     .help = "the iss that tokens must carry"},
    {0, "leeway", "TIME", OPT_MS, FIELD(leeway_ms), "5s", 0, 30 * SECOND, "COLLAB_LEEWAY",
     .help = "how far clocks may differ when a token's times are checked"},
    {0, "authz", "COMMAND", OPT_TEXT, FIELD(authz), NULL, 0, 0, "COLLAB_AUTHZ",
     .help = "a program that says who may join, where the catalog wants that asked"},
    {0, "authz-time", "TIME", OPT_MS, FIELD(authz_ms), "2s", 10, 5 * MINUTE, "COLLAB_AUTHZ_TIME",
     .help = "how long it may take to answer; after that it means no"},
    {0, "node", "NAME", OPT_TEXT, FIELD(node), NULL, 0, 0, "COLLAB_NODE", .check = check_node,
     .help = "the name of this node, unique among those on one Redis (default: a random one)"},
    {0, "origin", "ORIGIN", OPT_LIST, FIELD(origins), NULL, 0, 0, "COLLAB_ORIGIN", .first = true,
     .check = check_origin,
     .help = "an origin whose pages may come here, https://HOST, or '*' for all; may be repeated"},
    {0, "stats", "all|admin", OPT_CHOICE, FIELD(stats), "all", 0, 0, "COLLAB_STATS",
     .help = "who may read /metrics and /api/v1/ws/stats: all, or bearers of an admin token"},
    {0, "max-connections", "N", OPT_INT, FIELD(connections_max), NULL, 1, 4000000,
     "COLLAB_MAX_CONNECTIONS", .help = "connections at once (default: the catalog's, else 10000)"},
    {0, "max-user-connections", "N", OPT_INT, FIELD(user_connections_max), NULL, 1, 4000000,
     "COLLAB_MAX_USER_CONNECTIONS",
     .help = "connections of one user to this node (default: the catalog's, else off)"},
    {0, "max-address-connections", "N", OPT_INT, FIELD(address_connections_max), NULL, 1, 4000000,
     "COLLAB_MAX_ADDRESS_CONNECTIONS",
     .help = "connections from one address to this node; an IPv6 address counts as its /64 "
             "(default: the catalog's, else off)"},
    {0, "client-rate", "N/TIME", OPT_RATE, FIELD(client_rate), NULL, 1, RATE_MAX,
     "COLLAB_CLIENT_RATE",
     .help = "messages of one client, such as 100/1m (default: the catalog's, else off)"},
    {0, "user-rate", "N/TIME", OPT_RATE, FIELD(user_rate), NULL, 1, RATE_MAX, "COLLAB_USER_RATE",
     .help = "messages of one user, on all nodes (default: the catalog's, else off)"},
    {0, "room-rate", "N/TIME", OPT_RATE, FIELD(room_rate), NULL, 1, RATE_MAX, "COLLAB_ROOM_RATE",
     .help = "events that clients publish to one room, on all nodes (default: the catalog's, else "
             "off)"},
    {0, "auth-rate", "N/TIME", OPT_RATE, FIELD(auth_rate), NULL, 1, RATE_MAX, "COLLAB_AUTH_RATE",
     .help =
         "failed attempts to authenticate from one address (default: the catalog's, else 10/1m)"},
    {0, "trusted-proxy", "NETWORK", OPT_LIST, FIELD(trusted_proxies), NULL, 0, 0,
     "COLLAB_TRUSTED_PROXY",
     .help = "whose X-Forwarded-For is believed: an address, a network like 10.0.0.0/8, or unix "
             "for who comes by a Unix socket; may be repeated"},
    {0, "proxy-protocol", NULL, OPT_FLAG, FIELD(proxy_protocol), NULL, 0, 0,
     "COLLAB_PROXY_PROTOCOL",
     .help = "a connection from a trusted proxy begins with a header of the PROXY protocol, "
             "version 1 or 2"},
    {0, "max-rooms", "N", OPT_INT, FIELD(rooms_max), NULL, 1, 1000000, "COLLAB_MAX_ROOMS",
     .help = "rooms that one client may be in (default: the catalog's, else 1000)"},
    {0, "max-message", "SIZE", OPT_BYTES, FIELD(message_bytes_max), NULL, 1 * KIB, 64 * MIB,
     "COLLAB_MAX_MESSAGE",
     .help = "the largest message that a client may send (default: the catalog's, else 256k)"},
    {0, "max-header", "SIZE", OPT_BYTES, FIELD(header_bytes_max), "16k", 1 * KIB, 64 * KIB,
     "COLLAB_MAX_HEADER", .help = "the largest HTTP request line with headers"},
    {0, "max-body", "SIZE", OPT_BYTES, FIELD(body_bytes_max), "1m", 1 * KIB, 64 * MIB,
     "COLLAB_MAX_BODY", .help = "the largest HTTP request body"},
    {0, "outbox-size", "SIZE", OPT_BYTES, FIELD(outbox_bytes_max), "1m", 16 * KIB, 1024 * MIB,
     "COLLAB_OUTBOX_SIZE", .help = "what may wait for a slow client before it is closed"},
    {0, "outbox-time", "TIME", OPT_MS, FIELD(outbox_ms_max), "30s", 1 * SECOND, 60 * MINUTE,
     "COLLAB_OUTBOX_TIME", .help = "how long a client may take nothing before it is closed"},
    {0, "compress", "on|off", OPT_CHOICE, FIELD(compress), "on", 0, 0, "COLLAB_COMPRESS",
     .help = "whether messages of WebSocket clients that offer permessage-deflate are compressed"},
    {0, "compress-from", "SIZE", OPT_BYTES, FIELD(compress_bytes_min), "1k", 64, 64 * MIB,
     "COLLAB_COMPRESS_FROM", .help = "the smallest message that is sent compressed"},
    {0, "handshake-time", "TIME", OPT_MS, FIELD(handshake_ms), "10s", 100, 5 * MINUTE,
     "COLLAB_HANDSHAKE_TIME", .help = "how long an HTTP request may take to arrive"},
    {0, "auth-time", "TIME", OPT_MS, FIELD(auth_ms), NULL, 100, 5 * MINUTE, "COLLAB_AUTH_TIME",
     .help = "how long a client without a token may take to authenticate (default: the catalog's, "
             "else 10s)"},
    {0, "ping-interval", "TIME", OPT_MS, FIELD(ping_ms), NULL, 100, 60 * MINUTE,
     "COLLAB_PING_INTERVAL",
     .help = "how often a client is pinged (default: the catalog's, else 30s)"},
    {0, "ping-timeout", "TIME", OPT_MS, FIELD(silence_ms), NULL, 200, 120 * MINUTE,
     "COLLAB_PING_TIMEOUT",
     .help = "after how long without a sign of life a client is closed (default: the catalog's, "
             "else 60s)"},
    {0, "probe-interval", "TIME", OPT_MS, FIELD(probe_ms), "5s", 100, 5 * MINUTE,
     "COLLAB_PROBE_INTERVAL",
     .help = "how often a message is sent through Redis and back to see it works"},
    {0, "drain", "TIME", OPT_MS, FIELD(drain_ms), "0s", 0, 60 * MINUTE, "COLLAB_DRAIN",
     .help = "over which time clients are sent away at SIGTERM"},
    {0, "reuse-port", NULL, OPT_FLAG, FIELD(reuse_port), NULL, 0, 0, "COLLAB_REUSE_PORT",
     .help = "share the port with other processes, so that a new one can take over from this one"},
    {0, "workers", "N", OPT_INT, FIELD(workers), NULL, 1, 1024, "COLLAB_WORKERS",
     .help = "so many processes on the port, each a node of its own, supervised by this one"},
    {0, "lease", "TIME", OPT_MS, FIELD(lease_ms), "10s", 500, 10 * MINUTE, "COLLAB_LEASE",
     .help = "how long after this node has died its users are seen online at most"},
    {0, "log-level", "error|warning|info|debug", OPT_CHOICE, FIELD(log_level), "info", 0, 0,
     "COLLAB_LOG_LEVEL", .help = "how much to log on standard error"},
    {0, "log-format", "text|json", OPT_CHOICE, FIELD(log_format), "text", 0, 0, "COLLAB_LOG_FORMAT",
     .help = "how to log"},
    {0, "check", NULL, OPT_FLAG, FIELD(check), NULL, 0, 0, NULL, .first = true,
     .help = "check the settings and the catalog, and end"},
    {'c', "config", "FILE", OPT_TEXT, FIELD(config), NULL, 0, 0, "COLLAB_CONFIG", .first = true,
     .help = "settings, NAME = VALUE in each line"},
};

const struct opt_program settings_program = {
    .name = "collabd",
    .operands = "",
    .purpose = "The gateway: WebSocket clients in rooms, joined through Redis.",
    .rows = rows,
    .row_count = sizeof(rows) / sizeof(rows[0]),
};
