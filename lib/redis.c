#include "redis.h"
#include "clock.h"
#include "ident.h"
#include "lane.h"
#include "mem.h"
#include "seek.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
    DELAY_MIN_MS = 100,
    DELAY_MAX_MS = 5000,
};

/* A server of the deployment. */
struct member {
    struct member *next;
    struct redis *redis;
    struct shard *shard;
    bool serves;   /* some slot; or all, as there are none */
    bool is_plain; /* it carries subscriptions that belong to no slot */
    bool is_left;  /* since it serves nothing, its sharded subscriptions have ended */
};

struct redis {
    uv_loop_t *loop;
    const struct redis_address *address;
    const char *probe;
    const struct redis_hooks *hooks;
    void *ctx;

    struct topology found; /* last */
    struct seek *seek;     /* NULL: none under way */
    bool is_stale;         /* what it finds may be: seek again after it */
    struct member *members;
    struct member **owners; /* by slot; NULL: it is no cluster */
    struct lanes *lanes;    /* of a cluster */

    bool up;
    bool told_down;
    bool closed;
    struct fault why; /* it isn't up */

    uv_timer_t retry, watch;
    int handles;
    int probe_ms; /* 0: not yet */
    int delay_ms; /* before the next attempt */
    int64_t up_since_ms;
};

/* --- members ------------------------------------------------------------------------------ */

static void member_free(struct redis *r, struct member *m)
{
    LL_DELETE(r->members, m);
    shard_close(m->shard);
    free(m);
}

static const struct shard_hooks shard_hooks;

static struct member *member_open(struct redis *r, const struct redis_node *node)
{
    struct member *m = mem_zero(sizeof(*m));

    m->redis = r;
    m->shard = shard_open(r->loop, node, r->probe, &shard_hooks, m);
    LL_APPEND(r->members, m);
    return m;
}

static struct member *find_member(const struct redis *r, const struct redis_node *node)
{
    struct member *m;

    LL_FOREACH (r->members, m) {
        if (strcmp(shard_node(m->shard)->label, node->label) == 0)
            return m;
    }
    return NULL;
}

static struct member *find_or_open(struct redis *r, const struct redis_node *node)
{
    struct member *m = find_member(r, node);

    return m ? m : member_open(r, node);
}

static bool is_member(const struct redis *r, const void *who)
{
    const struct member *m;

    LL_FOREACH (r->members, m) {
        if (m == who)
            return true;
    }
    return false;
}

/* --- up and down -------------------------------------------------------------------------- */

static void on_retry(uv_timer_t *handle);
static void seek(struct redis *r);

/* Who was up for long enough starts at the shortest delay again: a server that takes us on and
 * drops us at once is not asked ten times a second. */
static void schedule(struct redis *r, bool was_up)
{
    if (was_up && clock_steady_ms() - r->up_since_ms >= DELAY_MAX_MS)
        r->delay_ms = DELAY_MIN_MS;
    double jitter = 0.5 + ident_jitter();
    uv_timer_start(&r->retry, on_retry, (uint64_t)(r->delay_ms * jitter), 0);
    r->delay_ms = r->delay_ms * 2 < DELAY_MAX_MS ? r->delay_ms * 2 : DELAY_MAX_MS;
}

static void give_up(struct redis *r)
{
    if (r->seek)
        seek_stop(r->seek);
    r->seek = NULL;
    r->is_stale = false;
    while (r->members)
        member_free(r, r->members);
    if (r->lanes)
        lanes_drop(r->lanes);
}

static void lose(struct redis *r, const char *label, const char *why)
{
    bool was_up = r->up;
    struct fault f;

    if (label)
        fault_set(&f, "%s: %s", label, why);
    else
        fault_set(&f, "%s", why);
    r->why = f;
    r->up = false;
    give_up(r);
    if (r->closed)
        return;
    schedule(r, was_up);
    if (r->told_down)
        return;
    r->told_down = true;
    r->hooks->down(r->ctx, r->why.text);
}

static bool is_complete(const struct redis *r)
{
    const struct member *m;

    LL_FOREACH (r->members, m) {
        if (m->serves && !shard_is_ready(m->shard))
            return false;
    }
    return true;
}

static void rise(struct redis *r)
{
    r->up = true;
    r->told_down = false;
    r->up_since_ms = clock_steady_ms();
    r->hooks->up(r->ctx);
}

static void on_ready(void *ctx)
{
    struct member *m = ctx;
    struct redis *r = m->redis;

    if (r->address->master && shard_is_replica(m->shard)) {
        lose(r, shard_node(m->shard)->label, "is a replica");
        return;
    }
    if (r->probe_ms > 0)
        shard_probe(m->shard, r->probe_ms);
    if (!r->up && is_complete(r)) {
        rise(r);
    } else if (r->up) {
        if (r->hooks->joined)
            r->hooks->joined(r->ctx);
        lanes_retry(r->lanes);
    }
}

/* What a server unsubscribes unasked has moved. */
static void on_push(void *ctx, const struct reply *reply)
{
    struct member *m = ctx;
    struct redis *r = m->redis;
    struct span channel = reply_text(reply_at(reply, 1));

    if (!r->up)
        return;
    if (r->owners && span_is(reply_text(reply_at(reply, 0)), "sunsubscribe")) {
        if (channel.len == 0)
            return;
        if (!r->seek && !m->is_left && !lanes_are_busy(r->lanes, slot_of(channel), true))
            seek(r);
    }
    r->hooks->push(r->ctx, reply);
}

static void on_closed(void *ctx, const char *why)
{
    struct member *m = ctx;
    struct redis *r = m->redis;
    struct fault label;

    if (!m->serves && !m->is_plain) {
        member_free(r, m);
        return;
    }
    fault_set(&label, "%s", shard_node(m->shard)->label);
    lose(r, label.text, why);
}

static const struct shard_hooks shard_hooks = {
    .ready = on_ready,
    .push = on_push,
    .closed = on_closed,
};

/* --- who serves --------------------------------------------------------------------------- */

static void retire(struct redis *r);

static void on_left(void *arg, const struct reply *reply)
{
    struct redis *r = arg;

    if (reply && r->up)
        retire(r);
}

static void leave(struct member *m)
{
    m->is_left = true;
    rconn_leave_shard(shard_subscriptions(m->shard), on_left, m->redis);
}

static bool is_busy(const struct member *m)
{
    return shard_is_ready(m->shard) && (rconn_backlog(shard_commands(m->shard)) > 0 ||
                                        rconn_backlog(shard_subscriptions(m->shard)) > 0);
}

/* Those who serve nothing any more go when they have answered all. One that carries other
 * subscriptions stays: they are of the whole cluster. A replica, which a master may have become,
 * takes sharded subscriptions too; so they are ended here, for the user to renew. */
static void retire(struct redis *r)
{
    struct member *m, *next;

    LL_FOREACH_SAFE (r->members, m, next) {
        if (m->serves)
            m->is_left = false;
        else if (shard_is_ready(m->shard) && !m->is_left)
            leave(m);
        else if (!m->is_plain && !is_busy(m))
            member_free(r, m);
    }
}

static void take_cluster(struct redis *r)
{
    struct topology *t = &r->found;
    struct member **nodes = mem_alloc(t->count * sizeof(*nodes));
    struct member *m;

    if (!r->owners)
        r->owners = mem_alloc(SLOT_COUNT * sizeof(*r->owners));
    LL_FOREACH (r->members, m) {
        m->serves = false;
    }
    for (size_t i = 0; i < t->count; i++) {
        nodes[i] = find_or_open(r, &t->nodes[i]);
        nodes[i]->serves = true;
    }
    for (size_t i = 0; i < SLOT_COUNT; i++)
        r->owners[i] = nodes[t->owners[i]];
    free(nodes);
    retire(r);
    if (r->up)
        lanes_retry(r->lanes);
}

static void take_single(struct redis *r)
{
    free(r->owners);
    r->owners = NULL;
    member_open(r, &r->found.nodes[0])->serves = true;
}

static const struct lane_hooks lane_hooks;

static void take_found(struct redis *r)
{
    bool is_cluster = r->found.owners != NULL;

    if (r->up && is_cluster != (r->owners != NULL)) {
        lose(r, r->address->label, "became another kind of server");
    } else if (is_cluster) {
        if (!r->lanes)
            r->lanes = lanes_new(r->loop, &lane_hooks, r);
        take_cluster(r);
    } else if (!r->up) {
        take_single(r);
    } else if (!find_member(r, &r->found.nodes[0])) {
        lose(r, r->found.nodes[0].label, "is the master now");
    }
}

static void on_sought(void *ctx, struct topology *t, const char *why)
{
    struct redis *r = ctx;

    r->seek = NULL;
    if (!t && !r->up)
        lose(r, NULL, why);
    if (!t)
        return;
    topology_fini(&r->found);
    r->found = *t;
    *t = (struct topology){0};
    take_found(r);
    if (r->up && r->is_stale && !r->seek)
        seek(r);
}

static void seek(struct redis *r)
{
    r->is_stale = r->seek != NULL;
    if (!r->seek)
        r->seek = seek_start(r->loop, r->address, &r->found, on_sought, r);
}

static void on_retry(uv_timer_t *handle)
{
    seek(handle->data);
}

/* A server that was named alone and stands for itself is the one, whoever asks. */
static void on_watch(uv_timer_t *handle)
{
    struct redis *r = handle->data;

    if (r->up && !r->seek && (r->owners || r->address->master))
        seek(r);
}

/* --- commands ----------------------------------------------------------------------------- */

static unsigned slot_for(int argc, const struct span *argv)
{
    int key = span_starts(argv[0], "EVAL") ? 3 : 1;

    return key < argc ? slot_of(argv[key]) : 0;
}

static void on_flight(void *arg, const struct reply *r)
{
    lanes_answer(arg, r);
}

static bool is_sharded(struct span command)
{
    return span_is(command, "SSUBSCRIBE") || span_is(command, "SUNSUBSCRIBE");
}

static bool send_flight(void *ctx, struct flight *f)
{
    static const struct span asking = {"ASKING", 6};
    struct redis *r = ctx;
    bool asks = f->asked && is_member(r, f->asked);
    struct member *m = asks ? f->asked : r->owners[f->slot];

    if (!shard_is_ready(m->shard))
        return false;
    if (f->is_subscription) {
        m->is_plain |= !is_sharded(f->argv[0]);
        rconn_subscription(shard_subscriptions(m->shard), on_flight, f, f->argc, f->argv);
        return true;
    }
    if (asks)
        rconn_command(shard_commands(m->shard), NULL, NULL, 1, &asking);
    shard_command(m->shard, on_flight, f, f->argc, f->argv);
    return true;
}

static struct member *find_target(struct redis *r, const struct redirect *to)
{
    struct redis_node node;

    if (to->host.len == 0)
        return NULL;
    redis_node_at(&node, to->host, to->port, &r->address->like);
    struct member *m = find_or_open(r, &node);
    redis_node_fini(&node);
    return m;
}

static void on_redirect(void *ctx, struct flight *f, const struct redirect *to)
{
    struct redis *r = ctx;
    struct member *m;

    switch (to->kind) {
    case REDIRECT_MOVED:
        m = find_target(r, to);
        if (m) {
            r->owners[f->slot] = m;
            m->serves = true;
        }
        seek(r);
        break;
    case REDIRECT_ASK:
        f->asked = find_target(r, to);
        break;
    case REDIRECT_DOWN:
        lose(r, r->address->label, "the cluster is down");
        break;
    default:
        break;
    }
}

static bool stays(void *ctx)
{
    const struct redis *r = ctx;

    return r->up;
}

static const struct lane_hooks lane_hooks = {
    .send = send_flight,
    .stays = stays,
    .redirect = on_redirect,
};

void redis_command(struct redis *r, reply_fn *fn, void *arg, int argc, const struct span *argv)
{
    if (!r->up) {
        if (fn)
            fn(arg, NULL);
    } else if (r->owners) {
        lanes_command(r->lanes, slot_for(argc, argv), false, fn, arg, argc, argv);
    } else {
        shard_command(r->members->shard, fn, arg, argc, argv);
    }
}

void redis_subscription(struct redis *r, reply_fn *fn, void *arg, int argc, const struct span *argv)
{
    if (!r->up) {
        if (fn)
            fn(arg, NULL);
    } else if (r->owners) {
        lanes_command(r->lanes, slot_for(argc, argv), true, fn, arg, argc, argv);
    } else {
        rconn_subscription(shard_subscriptions(r->members->shard), fn, arg, argc, argv);
    }
}

static struct member *nth_serving(const struct redis *r, size_t n)
{
    struct member *m;

    LL_FOREACH (r->members, m) {
        if (m->serves && shard_is_ready(m->shard) && n-- == 0)
            return m;
    }
    return NULL;
}

size_t redis_servers(const struct redis *r)
{
    size_t count = 0;

    while (r->up && nth_serving(r, count))
        count++;
    return count;
}

void redis_command_at(struct redis *r, size_t server, reply_fn *fn, void *arg, int argc,
                      const struct span *argv)
{
    struct member *m = r->up ? nth_serving(r, server) : NULL;

    if (m)
        rconn_command(shard_commands(m->shard), fn, arg, argc, argv);
    else if (fn)
        fn(arg, NULL);
}

void redis_flush(struct redis *r)
{
    struct member *m;

    for (size_t i = 0; r->up && (m = nth_serving(r, i)) != NULL; i++)
        rconn_flush(shard_commands(m->shard));
}

size_t redis_backlog(const struct redis *r)
{
    size_t bytes = r->lanes ? lanes_backlog(r->lanes) : 0;
    const struct member *m;

    LL_FOREACH (r->members, m) {
        if (shard_is_ready(m->shard))
            bytes += rconn_backlog(shard_commands(m->shard));
    }
    return bytes;
}

/* --- opening and closing ------------------------------------------------------------------ */

struct redis *redis_open(uv_loop_t *loop, const struct redis_address *address, const char *probe,
                         const struct redis_hooks *hooks, void *ctx)
{
    struct redis *r = mem_zero(sizeof(*r));

    r->loop = loop;
    r->address = address;
    r->probe = probe;
    r->hooks = hooks;
    r->ctx = ctx;
    r->delay_ms = DELAY_MIN_MS;
    fault_set(&r->why, "%s: not connected yet", address->label);
    uv_timer_init(loop, &r->retry);
    uv_timer_init(loop, &r->watch);
    r->retry.data = r->watch.data = r;
    r->handles = 2;
    seek(r);
    return r;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct redis *r = handle->data;

    if (--r->handles > 0)
        return;
    topology_fini(&r->found);
    free(r->owners);
    free(r);
}

void redis_close(struct redis *r)
{
    r->closed = true;
    lose(r, r->address->label, "closed");
    if (r->lanes)
        lanes_free(r->lanes);
    r->lanes = NULL;
    uv_close((uv_handle_t *)&r->retry, on_timer_closed);
    uv_close((uv_handle_t *)&r->watch, on_timer_closed);
}

bool redis_is_up(const struct redis *r)
{
    return r->up;
}

bool redis_is_cluster(const struct redis *r)
{
    return r->owners != NULL;
}

const char *redis_why(const struct redis *r)
{
    return r->why.text;
}

void redis_reset(struct redis *r, const char *why)
{
    lose(r, r->members ? shard_node(r->members->shard)->label : r->address->label, why);
}

void redis_probe(struct redis *r, int interval_ms)
{
    struct member *m;

    r->probe_ms = interval_ms;
    LL_FOREACH (r->members, m) {
        if (shard_is_ready(m->shard))
            shard_probe(m->shard, interval_ms);
    }
    uv_timer_start(&r->watch, on_watch, (uint64_t)interval_ms, (uint64_t)interval_ms);
}
