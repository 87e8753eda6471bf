#include "seek.h"
#include "mem.h"
#include "num.h"
#include "slot.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    ONE_TIMEOUT_MS = 5000,
    SEVERAL_TIMEOUT_MS = 1000, /* then the next is asked */
};

/* --- what is found ------------------------------------------------------------------------ */

void topology_fini(struct topology *t)
{
    for (size_t i = 0; i < t->count; i++)
        redis_node_fini(&t->nodes[i]);
    free(t->nodes);
    free(t->owners);
    redis_node_fini(&t->told_by);
    *t = (struct topology){0};
}

static struct redis_node *add_node(struct topology *t)
{
    t->nodes = mem_resize(t->nodes, (t->count + 1) * sizeof(*t->nodes));
    return &t->nodes[t->count++];
}

static bool is_port(int64_t port)
{
    return port >= 1 && port <= 65535;
}

/* {host, port, id, ...}; without a host it is the one that was asked. Returns its index. */
static int find_or_add(struct topology *t, const struct reply *r, const struct redis_node *by)
{
    if (reply_count(r) < 2 || !is_port(reply_integer(reply_at(r, 1))))
        return -1;
    struct span host = reply_text(reply_at(r, 0));
    int port = (int)reply_integer(reply_at(r, 1));
    if (host.len == 0)
        host = span_of(by->host ? by->host : "127.0.0.1");
    for (size_t i = 0; i < t->count; i++)
        if (redis_node_is(&t->nodes[i], host, port))
            return (int)i;
    redis_node_at(add_node(t), host, port, by);
    return (int)t->count - 1;
}

/* {first, last, master, replicas...} */
static int take_range(struct topology *t, const struct reply *r, const struct redis_node *by)
{
    if (reply_count(r) < 3)
        return -1;
    int64_t first = reply_integer(reply_at(r, 0)), last = reply_integer(reply_at(r, 1));
    int owner = find_or_add(t, reply_at(r, 2), by);
    if (owner < 0 || first < 0 || last >= SLOT_COUNT || first > last)
        return -1;
    for (int64_t i = first; i <= last; i++)
        t->owners[i] = (uint16_t)owner;
    return 0;
}

int topology_parse(struct topology *t, const struct reply *r, const struct redis_node *by,
                   struct fault *f)
{
    *t = (struct topology){.owners = mem_alloc(SLOT_COUNT * sizeof(*t->owners))};
    memset(t->owners, 0xff, SLOT_COUNT * sizeof(*t->owners));
    for (size_t i = 0; i < reply_count(r); i++) {
        if (take_range(t, reply_at(r, i), by) == 0)
            continue;
        topology_fini(t);
        return fault_set(f, "its answer to CLUSTER SLOTS makes no sense");
    }
    for (int i = 0; i < SLOT_COUNT; i++) {
        if (t->owners[i] != UINT16_MAX)
            continue;
        topology_fini(t);
        return fault_set(f, "nobody in the cluster serves slot %d", i);
    }
    redis_node_copy(&t->told_by, by);
    return 0;
}

/* --- asking ------------------------------------------------------------------------------- */

struct seek {
    uv_loop_t *loop;
    struct redis_node *nodes; /* to ask */
    size_t count, next;
    char *master; /* of sentinels; else NULL */
    bool choosy;  /* several servers were named: one of them is meant to be the master */
    const struct redis_node *like;
    seek_done *done;
    void *ctx;
    struct rconn *conn;
    struct fault why;
};

static void seek_free(struct seek *s)
{
    for (size_t i = 0; i < s->count; i++)
        redis_node_fini(&s->nodes[i]);
    free(s->nodes);
    free(s->master);
    free(s);
}

static const struct redis_node *asked(const struct seek *s)
{
    return &s->nodes[s->next];
}

static void hang_up(struct seek *s)
{
    struct rconn *conn = s->conn;

    s->conn = NULL;
    if (conn)
        rconn_close(conn);
}

static void found(struct seek *s, struct topology *t)
{
    hang_up(s);
    s->done(s->ctx, t, NULL);
    topology_fini(t);
    seek_free(s);
}

static void ask(struct seek *s);

static void try_next(struct seek *s, const char *why)
{
    fault_set(&s->why, "%s: %s", asked(s)->label, why);
    hang_up(s);
    if (++s->next < s->count) {
        ask(s);
        return;
    }
    s->done(s->ctx, NULL, s->why.text);
    seek_free(s);
}

static void try_next_for_error(struct seek *s, const struct reply *r)
{
    struct span words = reply_text(r);
    struct fault f;

    fault_set(&f, "%.*s", (int)words.len, words.at);
    try_next(s, f.text);
}

/* A server for itself, or the master that a sentinel named. */
static void found_one(struct seek *s, struct redis_node *node)
{
    struct topology t = {0};

    *add_node(&t) = *node;
    redis_node_copy(&t.told_by, asked(s));
    found(s, &t);
}

/* --- a cluster ---------------------------------------------------------------------------- */

static void on_slots(void *arg, const struct reply *r)
{
    struct seek *s = arg;
    struct topology t;
    struct fault f;

    if (!r)
        return;
    if (reply_kind(r) == REPLY_ERROR)
        try_next_for_error(s, r);
    else if (topology_parse(&t, r, asked(s), &f) != 0)
        try_next(s, f.text);
    else
        found(s, &t);
}

/* A cluster that serves nobody tells who has which slots all the same. */
static void on_info(void *arg, const struct reply *r)
{
    struct seek *s = arg;

    if (!r)
        return;
    if (reply_kind(r) == REPLY_ERROR) {
        try_next_for_error(s, r);
    } else if (asked(s)->db != 0) {
        try_next(s, "a cluster has no other database than 0");
    } else if (!span_holds(reply_text(r), "cluster_state:ok", NULL)) {
        try_next(s, "the cluster is down");
    } else {
        struct span words[] = {span_of("CLUSTER"), span_of("SLOTS")};
        rconn_command(s->conn, on_slots, s, 2, words);
    }
}

/* --- a server ----------------------------------------------------------------------------- */

/* A list of names and values. */
static struct span value_of(const struct reply *r, const char *name)
{
    for (size_t i = 0; i + 1 < reply_count(r); i += 2)
        if (span_is(reply_text(reply_at(r, i)), name))
            return reply_text(reply_at(r, i + 1));
    return (struct span){0};
}

/* Redis lets everybody ask for this. What does not know it is a server for itself. */
static void on_hello(void *arg, const struct reply *r)
{
    struct seek *s = arg;

    if (!r)
        return;
    if (span_is(value_of(r, "mode"), "cluster")) {
        struct span words[] = {span_of("CLUSTER"), span_of("INFO")};
        rconn_command(s->conn, on_info, s, 2, words);
    } else if (span_is(value_of(r, "mode"), "sentinel")) {
        try_next(s, "is a sentinel: redis+sentinel://host[:port]/master");
    } else if (s->choosy && span_is(value_of(r, "role"), "replica")) {
        try_next(s, "is a replica");
    } else {
        struct redis_node node;
        redis_node_copy(&node, asked(s));
        found_one(s, &node);
    }
}

/* --- a sentinel --------------------------------------------------------------------------- */

static void on_master(void *arg, const struct reply *r)
{
    struct seek *s = arg;
    struct redis_node node;
    struct fault f;
    int64_t port;

    if (!r)
        return;
    if (reply_kind(r) == REPLY_ERROR) {
        try_next_for_error(s, r);
    } else if (reply_count(r) != 2) {
        fault_set(&f, "knows no master %s", s->master);
        try_next(s, f.text);
    } else if (num_parse(reply_text(reply_at(r, 1)), 1, 65535, &port, &f) != 0) {
        try_next(s, "its answer makes no sense");
    } else {
        redis_node_at(&node, reply_text(reply_at(r, 0)), (int)port, s->like);
        found_one(s, &node);
    }
}

/* --- one after the other ------------------------------------------------------------------ */

static void on_ready(void *ctx)
{
    struct seek *s = ctx;
    struct span hello = span_of("HELLO");
    struct span words[] = {span_of("SENTINEL"), span_of("get-master-addr-by-name"),
                           span_of(s->master ? s->master : "")};

    if (s->master)
        rconn_command(s->conn, on_master, s, 3, words);
    else
        rconn_command(s->conn, on_hello, s, 1, &hello);
}

static void on_push(void *ctx, const struct reply *r)
{
    (void)ctx;
    (void)r;
}

static void on_closed(void *ctx, const char *why)
{
    struct seek *s = ctx;

    s->conn = NULL;
    try_next(s, why);
}

static const struct rconn_hooks hooks = {.ready = on_ready, .push = on_push, .closed = on_closed};

static void ask(struct seek *s)
{
    int timeout_ms = s->count > 1 ? SEVERAL_TIMEOUT_MS : ONE_TIMEOUT_MS;

    s->conn = rconn_open(s->loop, asked(s), timeout_ms, &hooks, s);
}

static void add_asked(struct seek *s, const struct redis_node *n)
{
    for (size_t i = 0; i < s->count; i++)
        if (n->host && redis_node_is(&s->nodes[i], span_of(n->host), n->port))
            return;
    redis_node_copy(&s->nodes[s->count++], n);
}

struct seek *seek_start(uv_loop_t *loop, const struct redis_address *address,
                        const struct topology *last, seek_done *done, void *ctx)
{
    struct seek *s = mem_zero(sizeof(*s));

    s->loop = loop;
    s->like = &address->like;
    s->choosy = address->count > 1;
    s->done = done;
    s->ctx = ctx;
    s->master = address->master ? mem_text(address->master) : NULL;
    s->nodes = mem_alloc((address->count + last->count + 1) * sizeof(*s->nodes));
    if (last->told_by.host)
        add_asked(s, &last->told_by);
    for (size_t i = 0; last->owners && i < last->count; i++)
        add_asked(s, &last->nodes[i]);
    for (size_t i = 0; i < address->count; i++)
        add_asked(s, &address->nodes[i]);
    ask(s);
    return s;
}

void seek_stop(struct seek *s)
{
    hang_up(s);
    seek_free(s);
}
