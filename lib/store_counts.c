#include "mem.h"
#include "store_base.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* One counter's call: three commands, whose replies come in order. */
struct counting {
    store_rated *counted;
    void *arg;
    enum store_result result;
    int64_t total;
};

static void note(struct counting *c, const struct reply *r)
{
    if (!r)
        c->result = STORE_UNAVAILABLE;
    else if (reply_kind(r) == REPLY_ERROR && c->result == STORE_DONE)
        c->result = STORE_REFUSED;
}

static void on_set(void *arg, const struct reply *r)
{
    note(arg, r);
}

static void on_total(void *arg, const struct reply *r)
{
    struct counting *c = arg;

    note(c, r);
    c->total = r ? reply_integer(r) : 0;
}

static void on_left(void *arg, const struct reply *r)
{
    struct counting *c = arg;

    note(c, r);
    if (c->result == STORE_DONE)
        c->counted(c->arg, STORE_DONE, c->total, reply_integer(r));
    else
        c->counted(c->arg, c->result, 0, 0);
    free(c);
}

void store_rate(struct store *s, struct span name, int64_t n, int64_t period_ms,
                store_rated *counted, void *arg)
{
    struct counting *c = mem_alloc(sizeof(*c));
    struct span key = store_name(s, COUNT_KEY, name);
    char amount[24], period[24];

    *c = (struct counting){.counted = counted, .arg = arg};
    snprintf(amount, sizeof(amount), "%" PRId64, n);
    snprintf(period, sizeof(period), "%" PRId64, period_ms);
    /* Adding to one that is there leaves its time alone. */
    struct span set[] = {
        span_of("SET"), key, span_of("0"), span_of("PX"), span_of(period), span_of("NX"),
    };
    struct span add[] = {span_of("INCRBY"), key, span_of(amount)};
    struct span left[] = {span_of("PTTL"), key};
    redis_command(s->redis, on_set, c, 6, set);
    redis_command(s->redis, on_total, c, 3, add);
    redis_command(s->redis, on_left, c, 2, left);
}

void store_count_drop(struct store *s, struct span name)
{
    struct span del[] = {span_of("DEL"), store_name(s, COUNT_KEY, name)};

    redis_command(s->redis, NULL, NULL, 2, del);
}
