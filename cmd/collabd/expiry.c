#include "expiry.h"
#include "bus.h"
#include "clock.h"
#include "fading.h"
#include "mem.h"
#include "signals.h"
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { TICK_MS = 50 };

/* A signal that lasts. */
struct lasting {
    struct lasting *prev, *next;
    struct session *session;
    int64_t due_ms; /* steady */
    struct buf name;
    struct buf end; /* the event that tells its end */
};

struct expiries {
    struct gateway *gateway;
    struct lasting *all;
    uv_timer_t tick;
};

static void forget(struct expiries *x, struct lasting *l)
{
    DL_DELETE(x->all, l);
    buf_fini(&l->name);
    buf_fini(&l->end);
    free(l);
    if (!x->all)
        uv_timer_stop(&x->tick);
}

static void told(void *arg, enum store_result result, bool local, const char *why)
{
    (void)arg;
    (void)result;
    (void)local;
    (void)why;
}

static void tell_end(struct expiries *x, struct lasting *l)
{
    struct event e;
    struct fault f;
    if (event_parse(&e, buf_span(&l->end), false, &f) == 0) {
        e.from = span_of(l->session->id);
        bus_publish(x->gateway->bus, &e, told, NULL);
    }
    forget(x, l);
}

static void on_tick(uv_timer_t *timer)
{
    struct expiries *x = timer->data;
    struct lasting *l, *next;
    int64_t now_ms = clock_steady_ms();
    DL_FOREACH_SAFE (x->all, l, next)
        if (l->due_ms <= now_ms)
            tell_end(x, l);
}

static struct lasting *find(struct expiries *x, const struct session *s, struct span name)
{
    struct lasting *l;
    DL_FOREACH (x->all, l)
        if (l->session == s && span_equal(buf_span(&l->name), name))
            return l;
    return NULL;
}

void expiry_note(struct session *s, const struct catalog_event *rule, const struct event *e)
{
    struct expiries *x = s->gateway->expiries;
    struct buf name = {0};
    if (!rule->ends && (!rule->then || !rule->expires_ms))
        return;
    signal_name(rule, e, &name);
    struct lasting *l = find(x, s, buf_span(&name));
    if (rule->ends) {
        if (l)
            forget(x, l);
        buf_fini(&name);
        return;
    }
    if (!l) {
        l = mem_zero(sizeof(*l));
        l->session = s;
        buf_join(&l->name, buf_span(&name));
        DL_APPEND(x->all, l);
    }
    buf_fini(&name);
    fading_write_end(rule, e, &l->end);
    l->due_ms = clock_steady_ms() + rule->expires_ms;
    if (!uv_is_active((uv_handle_t *)&x->tick))
        uv_timer_start(&x->tick, on_tick, TICK_MS, TICK_MS);
}

void expiry_gone(struct session *s)
{
    struct expiries *x = s->gateway->expiries;
    struct lasting *l, *next;
    DL_FOREACH_SAFE (x->all, l, next)
        if (l->session == s)
            tell_end(x, l);
}

struct expiries *expiries_new(struct gateway *g)
{
    struct expiries *x = mem_zero(sizeof(*x));
    x->gateway = g;
    uv_timer_init(g->loop, &x->tick);
    x->tick.data = x;
    return x;
}

void expiries_stop(struct expiries *x)
{
    uv_close((uv_handle_t *)&x->tick, NULL);
}

void expiries_free(struct expiries *x)
{
    free(x);
}
