#include "shard.h"
#include "mem.h"
#include "num.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECT_TIMEOUT_MS = 5000, RUN_CHARS = 40 };

/* One of the two connections. */
struct side {
    struct shard *shard;
    struct rconn *conn; /* NULL: none */
    bool ready;
};

struct shard {
    struct redis_node node;
    const struct shard_hooks *hooks;
    void *ctx;
    struct side commands;
    struct side subscriptions;
    bool ready, closed;
    int missing; /* answers, until it is ready */
    bool is_replica;
    char run[RUN_CHARS + 1];

    const char *probe;
    uv_timer_t timer;
    bool probe_sent;  /* and has not come back */
    bool probe_taken; /* Redis has answered its PUBLISH */
    bool heard;       /* anything subscribed to, since the probe was last looked after */
    int turns;        /* of the timer since then */
};

static void on_timer_closed(uv_handle_t *handle)
{
    struct shard *s = handle->data;

    redis_node_fini(&s->node);
    free(s);
}

static void hang_up(struct side *side)
{
    struct rconn *conn = side->conn;

    side->conn = NULL;
    if (conn)
        rconn_close(conn);
}

void shard_close(struct shard *s)
{
    if (s->closed)
        return;
    s->closed = true;
    s->ready = false;
    hang_up(&s->commands);
    hang_up(&s->subscriptions);
    uv_close((uv_handle_t *)&s->timer, on_timer_closed);
}

static void lose(struct shard *s, const char *why)
{
    struct fault f;

    if (s->closed)
        return;
    s->ready = false;
    fault_set(&f, "%s", why);
    s->hooks->closed(s->ctx, f.text);
    shard_close(s);
}

static void lose_for_error(struct shard *s, const struct reply *r)
{
    struct span words = reply_text(r);
    struct fault f;

    fault_set(&f, "%.*s", (int)words.len, words.at);
    lose(s, f.text);
}

/* --- getting ready ------------------------------------------------------------------------ */

static void note_answer(struct shard *s)
{
    if (--s->missing > 0 || s->closed)
        return;
    s->ready = true;
    s->hooks->ready(s->ctx);
}

/* What has no right to INFO shares an epoch with others of its kind. */
static void on_info(void *arg, const struct reply *r)
{
    static const char run[] = "run_id:";
    struct shard *s = arg;
    struct span id;

    if (!r)
        return;
    struct span text = reply_text(r);
    snprintf(s->run, sizeof(s->run), "-");
    if (reply_kind(r) == REPLY_TEXT && span_holds(text, run, &id)) {
        span_drop(&id, sizeof(run) - 1);
        snprintf(s->run, sizeof(s->run), "%.*s", (int)id.len, id.at);
    }
    s->is_replica = span_holds(text, "role:slave", NULL);
    note_answer(s);
}

static void on_probe_channel(void *arg, const struct reply *r)
{
    struct shard *s = arg;

    if (!r)
        return;
    if (reply_kind(r) == REPLY_ERROR)
        lose_for_error(s, r);
    else
        note_answer(s);
}

static void on_ready(void *ctx)
{
    struct side *side = ctx;
    struct shard *s = side->shard;
    struct span info[] = {span_of("INFO"), span_of("server"), span_of("replication")};
    struct span subscribe[] = {span_of("SUBSCRIBE"), span_of(s->probe ? s->probe : "")};

    side->ready = true;
    if (side == &s->commands)
        rconn_command(side->conn, on_info, s, 3, info);
    else if (s->probe)
        rconn_subscription(side->conn, on_probe_channel, s, 2, subscribe);
    else
        note_answer(s);
}

static void on_push(void *ctx, const struct reply *r)
{
    struct side *side = ctx;
    struct shard *s = side->shard;

    s->heard = true;
    if (!s->probe || !span_is(reply_text(reply_at(r, 1)), s->probe))
        s->hooks->push(s->ctx, r);
    else if (span_is(reply_text(reply_at(r, 0)), "message"))
        s->probe_sent = false;
}

static void on_closed(void *ctx, const char *why)
{
    struct side *side = ctx;

    side->conn = NULL;
    lose(side->shard, why);
}

static const struct rconn_hooks hooks = {.ready = on_ready, .push = on_push, .closed = on_closed};

struct shard *shard_open(uv_loop_t *loop, const struct redis_node *node, const char *probe,
                         const struct shard_hooks *to, void *ctx)
{
    struct shard *s = mem_zero(sizeof(*s));
    struct side *sides[] = {&s->commands, &s->subscriptions};

    redis_node_copy(&s->node, node);
    s->hooks = to;
    s->ctx = ctx;
    s->probe = probe;
    s->missing = 2;
    uv_timer_init(loop, &s->timer);
    s->timer.data = s;
    for (int i = 0; i < 2; i++) {
        sides[i]->shard = s;
        sides[i]->conn = rconn_open(loop, &s->node, CONNECT_TIMEOUT_MS, &hooks, sides[i]);
    }
    return s;
}

const struct redis_node *shard_node(const struct shard *s)
{
    return &s->node;
}

bool shard_is_ready(const struct shard *s)
{
    return s->ready;
}

struct rconn *shard_commands(struct shard *s)
{
    assert(s->ready);
    return s->commands.conn;
}

struct rconn *shard_subscriptions(struct shard *s)
{
    assert(s->ready);
    return s->subscriptions.conn;
}

bool shard_is_replica(const struct shard *s)
{
    return s->is_replica;
}

/* --- commands ----------------------------------------------------------------------------- */

static bool stands_for_run(struct span word)
{
    return word.len > 0 && word.at[word.len - 1] == SHARD_RUN[0];
}

/* How many words of a script's keys stand for the run; the first is *first. */
static int find_runs(int argc, const struct span *argv, int *first)
{
    int64_t keys;
    struct fault f;
    int count = 0;

    if (argc < 4 || !span_starts(argv[0], "EVAL") ||
        num_parse(argv[2], 1, argc - 3, &keys, &f) != 0)
        return 0;
    for (int i = 2 + (int)keys; i > 2; i--) {
        if (!stands_for_run(argv[i]))
            continue;
        *first = i;
        count++;
    }
    return count;
}

static void send_runs(struct shard *s, reply_fn *fn, void *arg, int argc, const struct span *argv,
                      int first, int count)
{
    struct span *words = mem_alloc((size_t)argc * sizeof(*words));
    struct buf *keys = mem_zero((size_t)count * sizeof(*keys));
    int found = 0;

    memcpy(words, argv, (size_t)argc * sizeof(*words));
    for (int i = first; found < count; i++) {
        if (!stands_for_run(argv[i]))
            continue;
        buf_add(&keys[found], argv[i].at, argv[i].len - 1);
        buf_join(&keys[found], span_of(s->run));
        words[i] = buf_span(&keys[found++]);
    }
    rconn_command(shard_commands(s), fn, arg, argc, words);
    for (int i = 0; i < count; i++)
        buf_fini(&keys[i]);
    free(keys);
    free(words);
}

void shard_command(struct shard *s, reply_fn *fn, void *arg, int argc, const struct span *argv)
{
    int first, count = find_runs(argc, argv, &first);

    if (count > 0)
        send_runs(s, fn, arg, argc, argv, first, count);
    else
        rconn_command(shard_commands(s), fn, arg, argc, argv);
}

/* --- the probe ---------------------------------------------------------------------------- */

static void on_probe_taken(void *arg, const struct reply *r)
{
    struct shard *s = arg;

    if (r && reply_kind(r) == REPLY_ERROR)
        lose_for_error(s, r);
    else
        s->probe_taken = true;
}

static void send_probe(struct shard *s)
{
    struct span publish[] = {span_of("PUBLISH"), span_of(s->probe), span_of("")};

    s->probe_sent = true;
    s->probe_taken = false;
    rconn_command(s->commands.conn, on_probe_taken, s, 3, publish);
}

/* Two turns make an interval: when this process was held up, what came meanwhile is read between
 * them. A probe that is late in a queue of other messages proves as much as one that is back. */
static void on_timer(uv_timer_t *handle)
{
    struct shard *s = handle->data;

    if (!s->ready || ++s->turns < 2)
        return;
    if (s->probe_sent && !(s->probe_taken && s->heard)) {
        lose(s, "the probe was not answered");
        return;
    }
    s->turns = 0;
    s->heard = false;
    if (!s->probe_sent)
        send_probe(s);
}

void shard_probe(struct shard *s, int interval_ms)
{
    uint64_t turn_ms = interval_ms > 1 ? (uint64_t)interval_ms / 2 : 1;

    assert(s->probe);
    uv_timer_start(&s->timer, on_timer, turn_ms, turn_ms);
}
