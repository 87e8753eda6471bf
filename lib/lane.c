#include "lane.h"
#include "clock.h"
#include "mem.h"
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
    TRIES_MAX = 500,
    TRIES_AT_ONCE = 2, /* then each waits */
    WAIT_MS = 20,
};

/* A lane whose commands wait. */
struct hold {
    struct hold *next;
    unsigned lane;
    struct flight *sent_back; /* in the order of their answers, which is that of sending */
    struct flight *fresh;     /* in the order in which they were asked for, and after those */
    struct flight *sent_back_end, *fresh_end;
    int64_t until_ms; /* steady clock */
    bool releasing;
};

struct lanes {
    const struct lane_hooks *hooks;
    void *ctx;
    uv_timer_t timer;
    struct hold *holds;
    size_t backlog;
    uint32_t flying[2 * SLOT_COUNT]; /* by lane: sent, and not yet answered */
};

static unsigned lane_of(const struct flight *f)
{
    return f->slot * 2 + f->is_subscription;
}

static struct hold *find_hold(const struct lanes *l, unsigned lane)
{
    struct hold *h;

    LL_FOREACH (l->holds, h) {
        if (h->lane == lane)
            return h;
    }
    return NULL;
}

static struct hold *take_hold(struct lanes *l, unsigned lane)
{
    struct hold *h = find_hold(l, lane);

    if (!h) {
        h = mem_zero(sizeof(*h));
        h->lane = lane;
        LL_PREPEND(l->holds, h);
    }
    return h;
}

static void append(struct flight **first, struct flight **last, struct flight *f)
{
    f->next = NULL;
    if (!*first)
        *first = f;
    else
        (*last)->next = f;
    *last = f;
    f->lanes->backlog += f->bytes;
}

static struct flight *pop(struct hold *h)
{
    struct flight **first = h->sent_back ? &h->sent_back : &h->fresh;
    struct flight *f = *first;

    if (!f)
        return NULL;
    *first = f->next;
    f->lanes->backlog -= f->bytes;
    return f;
}

static void push_back(struct hold *h, struct flight *f)
{
    f->next = h->sent_back;
    if (!h->sent_back)
        h->sent_back_end = f;
    h->sent_back = f;
    f->lanes->backlog += f->bytes;
}

static bool depart(struct flight *f)
{
    struct lanes *l = f->lanes;
    unsigned lane = lane_of(f);

    l->flying[lane]++;
    if (l->hooks->send(l->ctx, f))
        return true;
    l->flying[lane]--;
    return false;
}

static void on_timer(uv_timer_t *timer);

static void wake_in(struct lanes *l, int64_t ms)
{
    if (!uv_is_active((uv_handle_t *)&l->timer))
        uv_timer_start(&l->timer, on_timer, (uint64_t)(ms > 1 ? ms : 1), 0);
}

/* Those that are to ask elsewhere go there; behind one that does not, the rest does not either. */
static void release(struct lanes *l, struct hold *h)
{
    int64_t left_ms = h->until_ms - clock_steady_ms();
    bool in_order = true;
    struct flight *f;

    if (l->flying[h->lane] > 0 || h->releasing || !l->hooks->stays(l->ctx))
        return;
    if (left_ms > 0) {
        wake_in(l, left_ms);
        return;
    }
    h->releasing = true;
    while ((f = pop(h))) {
        in_order = in_order && f->asked;
        if (!in_order)
            f->asked = NULL;
        if (depart(f))
            continue;
        push_back(h, f);
        h->releasing = false;
        return;
    }
    LL_DELETE(l->holds, h);
    free(h);
}

void lanes_retry(struct lanes *l)
{
    struct hold *h, *next;

    LL_FOREACH_SAFE (l->holds, h, next) {
        release(l, h);
    }
}

static void on_timer(uv_timer_t *timer)
{
    lanes_retry(timer->data);
}

static struct flight *flight_new(int argc, const struct span *argv)
{
    size_t bytes = 0;

    for (int i = 0; i < argc; i++)
        bytes += argv[i].len;
    struct flight *f = mem_alloc(sizeof(*f) + (size_t)argc * sizeof(*f->argv) + bytes);
    char *to = (char *)&f->argv[argc];
    *f = (struct flight){.bytes = bytes, .argc = argc};
    for (int i = 0; i < argc; i++) {
        f->argv[i] = (struct span){to, argv[i].len};
        if (argv[i].len > 0)
            memcpy(to, argv[i].at, argv[i].len);
        to += argv[i].len;
    }
    return f;
}

void lanes_command(struct lanes *l, unsigned slot, bool is_subscription, reply_fn *fn, void *arg,
                   int argc, const struct span *argv)
{
    struct flight *f = flight_new(argc, argv);

    f->lanes = l;
    f->slot = slot;
    f->is_subscription = is_subscription;
    f->fn = fn;
    f->arg = arg;
    struct hold *h = l->holds ? find_hold(l, lane_of(f)) : NULL;
    if (!h && depart(f))
        return;
    if (!h)
        h = take_hold(l, lane_of(f));
    append(&h->fresh, &h->fresh_end, f);
}

static void finish(struct flight *f, const struct reply *r)
{
    reply_fn *fn = f->fn;
    void *arg = f->arg;

    free(f);
    if (fn)
        fn(arg, r);
}

static bool hold_again(struct flight *f, bool later)
{
    struct hold *h = take_hold(f->lanes, lane_of(f));

    append(&h->sent_back, &h->sent_back_end, f);
    if (later)
        h->until_ms = clock_steady_ms() + WAIT_MS;
    return true;
}

/* What its server did not answer. Of a deployment that is lost, those behind one that waits wait
 * with it, so that they are dropped in the order in which they were asked for. */
static bool keep_unanswered(struct flight *f)
{
    struct lanes *l = f->lanes;

    if (!l->hooks->stays(l->ctx))
        return find_hold(l, lane_of(f)) && hold_again(f, false);
    return f->is_subscription && hold_again(f, true);
}

/* Whether it waits, to be sent once more or dropped with the others. */
static bool send_back(struct flight *f, const struct reply *r)
{
    struct lanes *l = f->lanes;

    if (!r)
        return keep_unanswered(f);
    if (reply_kind(r) != REPLY_ERROR)
        return false;
    struct redirect to = redirect_parse(reply_text(r));
    if (to.kind == REDIRECT_NONE || ++f->tries > TRIES_MAX)
        return false;
    f->asked = NULL;
    if (to.kind == REDIRECT_DOWN)
        hold_again(f, false);
    l->hooks->redirect(l->ctx, f, &to);
    if (to.kind == REDIRECT_DOWN)
        return true;
    return hold_again(f, to.kind == REDIRECT_AGAIN || f->tries > TRIES_AT_ONCE);
}

void lanes_answer(struct flight *f, const struct reply *r)
{
    struct lanes *l = f->lanes;
    unsigned lane = lane_of(f);

    l->flying[lane]--;
    if (!send_back(f, r))
        finish(f, r);
    if (!l->holds || l->flying[lane] > 0)
        return;
    struct hold *h = find_hold(l, lane);
    if (h)
        release(l, h);
}

void lanes_drop(struct lanes *l)
{
    while (l->holds) {
        struct hold *h = l->holds;
        struct flight *f = pop(h);
        if (f) {
            finish(f, NULL);
            continue;
        }
        LL_DELETE(l->holds, h);
        free(h);
    }
}

bool lanes_are_busy(const struct lanes *l, unsigned slot, bool is_subscription)
{
    return l->flying[slot * 2 + is_subscription] > 0;
}

size_t lanes_backlog(const struct lanes *l)
{
    return l->backlog;
}

struct lanes *lanes_new(uv_loop_t *loop, const struct lane_hooks *hooks, void *ctx)
{
    struct lanes *l = mem_zero(sizeof(*l));

    l->hooks = hooks;
    l->ctx = ctx;
    uv_timer_init(loop, &l->timer);
    l->timer.data = l;
    return l;
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void lanes_free(struct lanes *l)
{
    lanes_drop(l);
    uv_close((uv_handle_t *)&l->timer, on_timer_closed);
}
