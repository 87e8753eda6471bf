/* What an operator can set: one table of rows, from which flags, environment, settings file,
 * help, completions and the check of the man page come. */
#ifndef SETTINGS_H
#define SETTINGS_H

#include "num.h"
#include "opt.h"
#include <stdbool.h>

struct settings {
    /* where */
    struct opt_list listen; /* ADDR:PORT, [ADDR]:PORT, both after https:// perhaps, or unix:PATH */
    int64_t port;           /* of addresses that name none */
    char *redis;            /* URL; NULL: the embedded default */
    char *socketio_redis;   /* prefix of the channels of other servers; NULL: there are none */
    char *node;             /* name of this node; NULL: a random one */
    char *config;
    char *catalog;           /* file; NULL: the one built in */
    struct opt_list without; /* events and messages of the catalog that are left out */
    char *www;               /* directory with files for browsers; NULL: none are served */
    bool check;              /* the settings and the catalog, and nothing else */
    /* who */
    struct opt_list key_files;
    char *tls_cert; /* file; NULL: TLS is spoken nowhere */
    char *tls_key;
    char *audience;
    char *issuer;
    int64_t leeway_ms;
    char *authz; /* command of the authorization helper; NULL: none */
    int64_t authz_ms;
    struct opt_list origins; /* of pages that may come from elsewhere; "*": any */
    int stats;               /* who may read the statistics: STATS_ALL, STATS_ADMIN */
    /* limits */
    int64_t connections_max;
    int64_t user_connections_max;
    int64_t address_connections_max;
    struct rate client_rate, user_rate, room_rate, auth_rate;
    struct opt_list trusted_proxies; /* peer.h */
    bool proxy_protocol;             /* they begin each connection with a header (proxied.h) */
    int64_t rooms_max;               /* of one client */
    int64_t message_bytes_max;
    int64_t header_bytes_max;
    int64_t body_bytes_max;
    int64_t outbox_bytes_max;
    int64_t outbox_ms_max;
    int compress; /* messages of clients that offer it: COMPRESS_ON, COMPRESS_OFF */
    int64_t compress_bytes_min;
    /* times */
    int64_t handshake_ms;
    int64_t auth_ms;
    int64_t ping_ms;
    int64_t silence_ms;
    int64_t probe_ms;
    int64_t drain_ms;
    bool reuse_port;
    int64_t workers; /* 0: this process alone */
    int worker;      /* which of them this is, from 1; no row: workers.h sets it */
    int64_t lease_ms;
    /* log */
    int log_level;
    int log_format; /* 0: text, 1: JSON */
};

enum { STATS_ALL, STATS_ADMIN };
enum { COMPRESS_ON, COMPRESS_OFF };

extern const struct opt_program settings_program;

#endif
