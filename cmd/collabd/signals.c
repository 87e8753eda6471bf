#include "signals.h"
#include "clock.h"
#include "mem.h"
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { TICK_MS = 20, WAITING_MAX = 256 /* of one client; the oldest gives way */ };

/* A signal that waits. */
struct waiting_signal {
    struct waiting_signal *prev, *next;
    struct meter *meter;
    struct frame *frame;
    size_t len;
    char name[];
};

/* How many of one type a client got (the generic cell rate algorithm). */
struct meter {
    struct meter *next;
    struct rate rate;
    int64_t due_us; /* steady: when the last one would have been due at a steady pace */
    size_t len;
    char type[];
};

/* What a session has to do with signals. */
struct signals {
    struct session *session;
    struct signals *prev, *next; /* of those for whom something waits */
    struct waiting_signal *waiting;
    int count;
    struct meter *meters;
};

struct signaller {
    struct gateway *gateway;
    struct signals *busy;
    uv_timer_t tick;
};

void signal_name(const struct catalog_event *rule, const struct event *e, struct buf *name)
{
    const struct catalog_event *base = rule->ends ? rule->ends : rule;
    char entity[ROOM_BYTES_MAX];
    struct fault f;
    int len = catalog_entity(rule, e->data, entity, &f);
    buf_clear(name);
    buf_text(name, base->type);
    buf_char(name, '\0');
    buf_join(name, e->user);
    buf_char(name, '\0');
    buf_join(name, len > 0 ? (struct span){entity, (size_t)len} : e->room);
}

/* --- pace ---------------------------------------------------------------------------------- */

static struct meter *find_meter(struct signals *x, const struct catalog_event *rule)
{
    struct meter *m = x->meters;
    size_t len = strlen(rule->type);
    while (m && (m->len != len || memcmp(m->type, rule->type, len) != 0))
        m = m->next;
    if (!m) {
        m = mem_zero(sizeof(*m) + len + 1);
        m->len = len;
        memcpy(m->type, rule->type, len);
        LL_PREPEND(x->meters, m);
    }
    m->rate = rule->rate;
    return m;
}

/* Whether one may go now; then it is counted. */
static bool take_turn(struct meter *m, int64_t now_us)
{
    if (!m->rate.count)
        return true;
    int64_t period_us = m->rate.period_ms * 1000;
    int64_t step_us = period_us / m->rate.count;
    int64_t due_us = m->due_us > now_us ? m->due_us : now_us;
    if (due_us - now_us > period_us - step_us)
        return false;
    m->due_us = due_us + step_us;
    return true;
}

static bool is_slow(const struct session *s)
{
    return s->link && s->link->outbox.blocked;
}

/* --- waiting ------------------------------------------------------------------------------- */

static void forget(struct signals *x, struct waiting_signal *w)
{
    DL_DELETE(x->waiting, w);
    x->count--;
    free(w);
}

static void send_due(struct signals *x, int64_t now_us)
{
    struct waiting_signal *w, *next;
    DL_FOREACH_SAFE (x->waiting, w, next) {
        if (!take_turn(w->meter, now_us))
            continue;
        session_put(x->session, w->frame);
        forget(x, w);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct signaller *all = timer->data;
    struct signals *x, *next;
    int64_t now_us = clock_steady_ns() / 1000;
    DL_FOREACH_SAFE (all->busy, x, next) {
        if (!is_slow(x->session))
            send_due(x, now_us);
        if (!x->waiting)
            DL_DELETE(all->busy, x);
    }
    if (!all->busy)
        uv_timer_stop(timer);
}

static void wait_for_turn(struct signals *x, struct meter *m, struct span name, struct frame *frame)
{
    struct signaller *all = x->session->gateway->signaller;
    if (!x->waiting)
        DL_APPEND(all->busy, x);
    if (x->count == WAITING_MAX) {
        frame_unref(x->waiting->frame);
        forget(x, x->waiting);
    }
    struct waiting_signal *w = mem_zero(sizeof(*w) + name.len);
    w->meter = m;
    w->frame = frame;
    w->len = name.len;
    memcpy(w->name, name.at, name.len);
    DL_APPEND(x->waiting, w);
    x->count++;
    if (!uv_is_active((uv_handle_t *)&all->tick))
        uv_timer_start(&all->tick, on_tick, TICK_MS, TICK_MS);
}

/* Whether one of that name waits; then this one takes its place. */
static bool replace(struct signals *x, struct meter *m, struct span name, struct frame *frame)
{
    struct waiting_signal *w;
    DL_FOREACH (x->waiting, w)
        if (w->len == name.len && memcmp(w->name, name.at, name.len) == 0)
            break;
    if (!w)
        return false;
    frame_unref(w->frame);
    w->frame = frame;
    w->meter = m;
    return true;
}

void signal_put(struct session *s, const struct catalog_event *rule, struct span name,
                struct frame *frame)
{
    if (!rule->rate.count && !is_slow(s) && !s->signals) {
        session_put(s, frame);
        return;
    }
    if (!s->signals) {
        s->signals = mem_zero(sizeof(*s->signals));
        s->signals->session = s;
    }
    struct meter *m = find_meter(s->signals, rule);
    if (replace(s->signals, m, name, frame))
        return;
    if (!is_slow(s) && take_turn(m, clock_steady_ns() / 1000))
        session_put(s, frame);
    else
        wait_for_turn(s->signals, m, name, frame);
}

void signal_drop(struct session *s)
{
    struct signals *x = s->signals;
    struct meter *m, *next;
    if (!x)
        return;
    s->signals = NULL;
    if (x->waiting)
        DL_DELETE(s->gateway->signaller->busy, x);
    while (x->waiting) {
        frame_unref(x->waiting->frame);
        forget(x, x->waiting);
    }
    LL_FOREACH_SAFE (x->meters, m, next)
        free(m);
    free(x);
}

/* --- life ---------------------------------------------------------------------------------- */

struct signaller *signaller_new(struct gateway *g)
{
    struct signaller *x = mem_zero(sizeof(*x));
    x->gateway = g;
    uv_timer_init(g->loop, &x->tick);
    x->tick.data = x;
    return x;
}

void signaller_stop(struct signaller *x)
{
    uv_close((uv_handle_t *)&x->tick, NULL);
}

void signaller_free(struct signaller *x)
{
    free(x);
}
