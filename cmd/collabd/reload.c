#include "reload.h"
#include "auth.h"
#include "catalog_file.h"
#include "clock.h"
#include "listen.h"
#include "log.h"
#include "workers.h"

struct catalog *reload_catalog(const struct settings *set, struct fault *f)
{
    struct catalog *c = set->catalog ? catalog_load(set->catalog, f) : catalog_builtin();
    for (size_t i = 0; c && i < set->without.count; i++) {
        if (catalog_leave_out(c, span_of(set->without.at[i]), f) == 0)
            continue;
        fault_at(f, "--without");
        catalog_unref(c);
        return NULL;
    }
    return c;
}

int reload_proxies(const struct settings *set, struct networks *out, struct fault *f)
{
    if (set->proxy_protocol && !set->trusted_proxies.count)
        return fault_set(f, "--proxy-protocol: only with --trusted-proxy");
    return networks_parse(out, &set->trusted_proxies, f);
}

static bool wants_tls(const struct settings *set)
{
    for (size_t i = 0; i < set->listen.count; i++)
        if (listen_is_secure(set->listen.at[i]))
            return true;
    return false;
}

int reload_identity(const struct settings *set, struct tls_identity **out, struct fault *f)
{
    bool wanted = wants_tls(set);
    *out = NULL;
    if (!set->tls_cert != !set->tls_key)
        return fault_set(f, "--tls-cert and --tls-key: one is not enough");
    if (wanted && !set->tls_cert)
        return fault_set(f, "--listen https://: only with --tls-cert and --tls-key");
    if (!wanted && set->tls_cert)
        return fault_set(f, "--tls-cert: TLS is spoken nowhere: --listen https://ADDRESS");
    if (!wanted)
        return 0;
    *out = tls_identity_load(set->tls_cert, set->tls_key, f);
    if (!*out)
        return fault_at(f, "TLS");
    if (tls_identity_expires_s(*out) * 1000 < clock_wall_ms())
        log_warning("%s: the certificate has expired", set->tls_cert);
    return 0;
}

/* What belongs together. */
struct fresh {
    struct settings settings;
    struct networks proxies;
    struct catalog *catalog;
    struct keyring *keys; /* NULL: those of before */
    struct tls_identity *identity;
};

static void fresh_fini(struct fresh *n)
{
    networks_fini(&n->proxies);
    catalog_unref(n->catalog);
    keyring_free(n->keys);
    tls_identity_free(n->identity);
    opt_free(&settings_program, &n->settings);
}

static int read_all(struct fresh *n, const struct gateway *g, int argc, char **argv,
                    struct fault *f)
{
    int first;
    if (opt_parse(&settings_program, &n->settings, argc, argv, &first, f) != OPT_RUN)
        return -1;
    worker_settle(&n->settings);
    if (reload_proxies(&n->settings, &n->proxies, f) != 0)
        return -1;
    n->catalog = reload_catalog(&n->settings, f);
    if (!n->catalog || reload_identity(&n->settings, &n->identity, f) != 0)
        return -1;
    if (auth_is_development(g))
        return 0;
    n->keys = auth_read_keys(&n->settings, f);
    return n->keys ? 0 : -1;
}

/* What was in force is in n after that. */
static void put_in_force(struct fresh *n, struct gateway *g)
{
    struct fresh before = {g->settings, g->trusted_proxies, g->catalog, n->keys ? g->keys : NULL,
                           g->identity};
    g->settings = n->settings;
    g->trusted_proxies = n->proxies;
    g->catalog = n->catalog;
    g->keys = n->keys ? n->keys : g->keys;
    g->identity = n->identity;
    *n = before;
}

/* What was made for so many is not made anew. */
static void bound_connections(struct gateway *g)
{
    if (g->limits.connections <= g->connections_room)
        return;
    log_warning("SIGHUP: %lld connections take a restart: %lld, as at the start, stay the limit",
                (long long)g->limits.connections, (long long)g->connections_room);
    g->limits.connections = g->connections_room;
}

int reload(struct gateway *g, int argc, char **argv, struct fault *f)
{
    struct fresh n = {0};
    int failed = read_all(&n, g, argc, argv, f);
    if (!failed) {
        put_in_force(&n, g);
        limits_settle(&g->limits, &g->settings, g->catalog);
        bound_connections(g);
        log_open("collabd", (enum log_level)g->settings.log_level, g->settings.log_format == 1);
    }
    fresh_fini(&n);
    return failed;
}
