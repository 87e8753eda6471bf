#include "drain.h"
#include "clock.h"
#include "node.h"
#include "presence.h"
#include "session.h"

enum {
    TICK_MS = 10,
    SETTLE_MS = 300,   /* for connections on their way here */
    GOODBYE_MS = 3000, /* how long clients may take to close */
    STRIDE_MS = 769,
    RETRY_MS = 2000 /* over which those who were sent away are asked to come back */
};

void drain_init(struct drain *d)
{
    uv_timer_init(d->gateway->loop, &d->timer);
    d->timer.data = d;
}

/* --- sending away ------------------------------------------------------------------------- */

static void say_when_to_return(const struct drain *d, struct session *s)
{
    static const struct request unasked;
    struct json *detail = json_new_object();
    json_add_number(detail, "retry_after_ms", (double)(d->sent_away * STRIDE_MS % RETRY_MS));
    session_refuse(s, &unasked, ERROR_RESTARTING, "the gateway restarts: come back", detail);
    json_free(detail);
}

static void send_away(struct drain *d, struct session *s)
{
    if (d->spread_ms)
        say_when_to_return(d, s);
    session_close(s, CLOSE_RESTART);
    d->sent_away++;
}

/* How many should have been sent away by now. */
static size_t due(const struct drain *d, int64_t passed_ms)
{
    size_t all = d->sent_away;
    struct session *s, *next;
    if (passed_ms < 0)
        return 0;
    TABLE_EACH (&d->gateway->sessions, s, next)
        all += !session_is_closing(s);
    if (passed_ms >= d->spread_ms)
        return all;
    return all * (size_t)passed_ms / (size_t)d->spread_ms + 1;
}

static bool send_away_some(struct drain *d, int64_t passed_ms)
{
    size_t many = due(d, passed_ms);
    struct session *s, *next;
    TABLE_EACH (&d->gateway->sessions, s, next)
        if (d->sent_away < many && !session_is_closing(s))
            send_away(d, s);
    return passed_ms >= d->spread_ms || (passed_ms >= 0 && !d->gateway->sessions.count);
}

/* --- the end ------------------------------------------------------------------------------ */

static void withdrawn(void *arg)
{
    struct drain *d = arg;
    d->withdrawn = true;
}

static void close_doors(struct drain *d)
{
    if (!d->listener)
        return;
    listen_close(d->listener);
    d->listener = NULL;
}

static void wind_up(struct drain *d, int64_t now_ms)
{
    d->until_ms = now_ms + GOODBYE_MS;
    proxieds_end_all(d->proxieds);
    secures_drain(d->secures);
    https_drain(d->https);
    engines_close_all(d->engines);
    presence_end(d->gateway->presence);
    node_withdraw(d->gateway->node, withdrawn, d);
}

static bool is_over(const struct drain *d, int64_t now_ms)
{
    if (now_ms >= d->until_ms)
        return true;
    return d->withdrawn && !d->gateway->sessions.count && !engines_count(d->engines) &&
           !https_count(d->https) && !secures_count(d->secures);
}

static void look(uv_timer_t *timer)
{
    struct drain *d = timer->data;
    int64_t now_ms = clock_steady_ms();
    int64_t passed_ms = now_ms - d->began_ms - d->settle_ms;
    if (2 * passed_ms >= -d->settle_ms)
        close_doors(d);
    if (passed_ms >= 0)
        d->gateway->closed = true;
    if (send_away_some(d, passed_ms) && !d->until_ms)
        wind_up(d, now_ms);
    if (!d->until_ms || !is_over(d, now_ms))
        return;
    uv_timer_stop(timer);
    d->done(d);
}

void drain_begin(struct drain *d, bool at_once)
{
    struct gateway *g = d->gateway;
    if (g->draining)
        at_once = true;
    if (!g->draining)
        d->began_ms = clock_steady_ms();
    g->draining = true;
    d->spread_ms = at_once ? 0 : g->settings.drain_ms;
    d->settle_ms = !at_once && g->settings.reuse_port ? SETTLE_MS : 0;
    if (d->settle_ms)
        listen_turn_away(d->listener);
    uv_timer_start(&d->timer, look, 0, TICK_MS);
}
