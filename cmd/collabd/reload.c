#include "reload.h"
#include "auth.h"
#include "catalog_file.h"
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

/* What belongs together. */
struct fresh {
    struct settings settings;
    struct networks proxies;
    struct catalog *catalog;
    struct keyring *keys; /* NULL: those of before */
};

static void fresh_fini(struct fresh *n)
{
    networks_fini(&n->proxies);
    catalog_unref(n->catalog);
    keyring_free(n->keys);
    opt_free(&settings_program, &n->settings);
}

static int read_all(struct fresh *n, const struct gateway *g, int argc, char **argv,
                    struct fault *f)
{
    int first;
    if (opt_parse(&settings_program, &n->settings, argc, argv, &first, f) != OPT_RUN)
        return -1;
    worker_settle(&n->settings);
    if (networks_parse(&n->proxies, &n->settings.trusted_proxies, f) != 0)
        return -1;
    n->catalog = reload_catalog(&n->settings, f);
    if (!n->catalog)
        return -1;
    if (auth_is_development(g))
        return 0;
    n->keys = auth_read_keys(&n->settings, f);
    return n->keys ? 0 : -1;
}

/* What was in force is in n after that. */
static void put_in_force(struct fresh *n, struct gateway *g)
{
    struct fresh before = {g->settings, g->trusted_proxies, g->catalog, n->keys ? g->keys : NULL};
    g->settings = n->settings;
    g->trusted_proxies = n->proxies;
    g->catalog = n->catalog;
    g->keys = n->keys ? n->keys : g->keys;
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
