#include "node.h"
#include "bus.h"
#include "catalog.h"
#include "clock.h"
#include "ident.h"
#include "log.h"
#include "mem.h"
#include "store.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NODE_ID_CHARS = 8, HOST_BYTES = 256, COMPARE_EVERY = 5 /* records */ };

/* The counters whose growth a second the record shows, and under which name. */
static const struct {
    const char *name;
    enum metric_id id;
} rate_rows[] = {
    {"events_in", M_EVENTS_IN},     {"events_out", M_EVENTS_OUT}, {"deliveries", M_DELIVERIES},
    {"messages_in", M_MESSAGES_IN}, {"sent_bytes", M_BYTES_OUT},
};
enum { RATES = sizeof(rate_rows) / sizeof(rate_rows[0]) };

struct node {
    struct gateway *gateway;
    char *name;
    char *addresses; /* NULL until announced */
    char host[HOST_BYTES];
    int64_t started_wall_ms;
    uv_timer_t timer;
    int64_t sampled_ms; /* steady; when `last` was taken */
    int64_t last[RATES];
    double rates[RATES];
    int renewals;
    char *other; /* a node with another catalog; NULL: there is none */
    char *found; /* the same, while the nodes are being looked at */
    void (*withdrawn)(void *arg);
    void *arg;
};

struct node *node_new(struct gateway *g)
{
    struct node *n = mem_zero(sizeof(*n));
    n->gateway = g;
    n->started_wall_ms = clock_wall_ms();
    n->sampled_ms = clock_steady_ms();
    gethostname(n->host, sizeof(n->host) - 1);
    if (g->settings.node) {
        n->name = mem_text(g->settings.node);
    } else {
        n->name = mem_alloc(NODE_ID_CHARS + 1);
        ident_random(n->name, NODE_ID_CHARS);
    }
    uv_timer_init(g->loop, &n->timer);
    n->timer.data = n;
    return n;
}

static void timer_closed(uv_handle_t *handle)
{
    struct node *n = handle->data;
    free(n->name);
    free(n->addresses);
    free(n->other);
    free(n->found);
    free(n);
}

void node_free(struct node *n)
{
    uv_close((uv_handle_t *)&n->timer, timer_closed);
}

const char *node_name(const struct node *n)
{
    return n->name;
}

static void add_disagreement(struct json *reasons, const char *other)
{
    struct buf text = {0};
    buf_printf(&text, "node %s has another catalog", other);
    json_push_span(reasons, buf_span(&text));
    buf_fini(&text);
}

bool node_add_health(const struct node *n, struct json *object)
{
    struct gateway *g = n->gateway;
    bool up = bus_is_up(g->bus);
    bool ready = n->addresses && !g->draining;
    json_add_bool(object, "live", true);
    json_add_bool(object, "ready", ready);
    json_add_bool(object, "degraded", !up);
    struct json *reasons = json_add_array(object, "reasons");
    if (!up)
        json_push_span(reasons, span_of(bus_trouble(g->bus)));
    if (n->other)
        add_disagreement(reasons, n->other);
    if (g->draining)
        json_push_span(reasons, span_of("draining: no new connections"));
    return ready;
}

static const char *state_name(const struct node *n)
{
    if (n->gateway->draining)
        return "draining";
    return bus_is_up(n->gateway->bus) ? "ready" : "degraded";
}

void node_add_record(const struct node *n, struct json *object)
{
    char started[CLOCK_STAMP_BYTES];
    int64_t uptime_s = (clock_wall_ms() - n->started_wall_ms) / 1000;
    clock_stamp(n->started_wall_ms, started);
    json_add_text(object, "node", n->name);
    json_add_text(object, "version", COLLAB_VERSION);
    json_add_text(object, "host", n->host);
    json_add_number(object, "pid", getpid());
    json_add_text(object, "address", n->addresses ? n->addresses : "");
    json_add_text(object, "started", started);
    json_add_number(object, "uptime_s", (double)uptime_s);
    json_add_text(object, "state", state_name(n));
    json_add_text(object, "catalog", n->gateway->catalog->digest);
    metrics_add(&n->gateway->metrics, json_add_object(object, "metrics"));
    struct json *rates = json_add_object(object, "rates");
    for (int i = 0; i < RATES; i++)
        json_add_number(rates, rate_rows[i].name, n->rates[i]);
}

static void sample(struct node *n)
{
    int64_t now_ms = clock_steady_ms();
    int64_t passed_ms = now_ms - n->sampled_ms;
    n->sampled_ms = now_ms;
    for (int i = 0; i < RATES; i++) {
        int64_t value = n->gateway->metrics.value[rate_rows[i].id];
        if (passed_ms > 0)
            n->rates[i] = (double)(value - n->last[i]) * 1000 / (double)passed_ms;
        n->last[i] = value;
    }
}

/* --- other nodes' catalogs ---------------------------------------------------------------- */

void node_share_catalog(struct node *n)
{
    const struct catalog *c = n->gateway->catalog;
    store_catalog_put(bus_store(n->gateway->bus), c->text);
}

static void compare(void *arg, struct span id, struct span record)
{
    struct node *n = arg;
    struct span digest;
    if (n->found || !json_get(record, "catalog", &digest) ||
        json_string_is(digest, n->gateway->catalog->digest))
        return;
    n->found = span_text(id);
}

static void compared(void *arg, enum store_result result, const char *why)
{
    struct node *n = arg;
    (void)why;
    if (result == STORE_DONE && n->found && !n->other)
        log_warning("node %s has another catalog than this one", n->found);
    if (result != STORE_DONE)
        return;
    free(n->other);
    n->other = n->found;
    n->found = NULL;
}

static void renew(uv_timer_t *timer)
{
    struct node *n = timer->data;
    struct json *record = json_new_object();
    struct buf text = {0};
    sample(n);
    node_add_record(n, record);
    json_write(record, &text);
    store_node_put(bus_store(n->gateway->bus), span_of(n->name), buf_span(&text), NODE_LEASE_MS);
    buf_fini(&text);
    json_free(record);
    if (n->renewals++ % COMPARE_EVERY == 0)
        store_nodes(bus_store(n->gateway->bus), compare, compared, n);
}

void node_announce(struct node *n, struct span addresses)
{
    n->addresses = span_text(addresses);
    uv_timer_start(&n->timer, renew, 0, NODE_RECORD_MS);
}

static void record_dropped(void *arg, enum store_result result, const char *why)
{
    (void)result;
    (void)why;
    struct node *n = arg;
    n->withdrawn(n->arg);
}

void node_withdraw(struct node *n, void (*done)(void *arg), void *arg)
{
    uv_timer_stop(&n->timer);
    n->withdrawn = done;
    n->arg = arg;
    store_node_drop(bus_store(n->gateway->bus), span_of(n->name), record_dropped, n);
}
