#include "throttle.h"
#include "auth.h"
#include "bus.h"
#include "clock.h"
#include "mem.h"
#include "people.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* So often in a row is a client told that it is over a rate. */
enum { REFUSALS_MAX = 100 };

struct throttle {
    struct gateway *gateway;
    uv_timer_t timer;
};

/* --- refusing ----------------------------------------------------------------------------- */

static void refuse(struct session *s, const struct request *r, enum rate_id id, int64_t wait_ms)
{
    const struct rate_row *row = &limit_rates[id];
    struct buf text = {0};
    s->gateway->metrics.value[row->metric]++;
    buf_printf(&text, "more %s than ", row->what);
    num_format_rate(&text, limits_rate(&s->gateway->limits, id));
    buf_printf(&text, " of one %s; allowed again in ", row->whom);
    num_format_ms(&text, wait_ms < 1000 ? wait_ms : (wait_ms + 999) / 1000 * 1000);
    struct json *detail = json_new_object();
    json_add_number(detail, "retry_after_ms", (double)wait_ms);
    json_add_text(detail, "limit", row->whom);
    session_refuse(s, r, ERROR_RATE_LIMITED, text.at, detail);
    json_free(detail);
    buf_fini(&text);
    if (++s->refusals < REFUSALS_MAX || session_is_closing(s))
        return;
    s->gateway->metrics.value[M_ABUSIVE_CLOSED]++;
    session_close(s, CLOSE_RATE);
}

/* --- counting ----------------------------------------------------------------------------- */

bool throttle_message(struct session *s, const struct request *r)
{
    const struct limits *l = &s->gateway->limits;
    int64_t now_ms = clock_steady_ms();
    if (!rate_take(&s->window, &l->client_rate, now_ms)) {
        refuse(s, r, RATE_client_rate, rate_wait_ms(&s->window, &l->client_rate, now_ms));
        return false;
    }
    if (s->account && !account_take(s->account, &l->user_rate, now_ms)) {
        refuse(s, r, RATE_user_rate, rate_wait_ms(&s->account->window, &l->user_rate, now_ms));
        return false;
    }
    s->refusals = 0;
    return true;
}

bool throttle_rooms(struct session *s, const struct request *r, const struct span *rooms, int count)
{
    struct gateway *g = s->gateway;
    const struct rate *rate = &g->limits.room_rate;
    int64_t now_ms = clock_steady_ms();
    if (rate->count == RATE_OFF)
        return true;
    for (int i = 0; i < count; i++) {
        struct account *a = account_get(&g->accounts, ACCOUNT_ROOM, rooms[i], now_ms);
        if (account_take(a, rate, now_ms))
            continue;
        refuse(s, r, RATE_room_rate, rate_wait_ms(&a->window, rate, now_ms));
        return false;
    }
    return true;
}

bool throttle_attempt(struct session *s, const struct request *r)
{
    int64_t wait_ms = auth_wait_ms(s->gateway, s->link->address);
    if (!wait_ms)
        return true;
    refuse(s, r, RATE_auth_rate, wait_ms);
    return false;
}

/* --- forgetting --------------------------------------------------------------------------- */

static int forget(struct rate_window *w)
{
    bool counted = rate_count(w, clock_steady_ms()) > 0;
    *w = (struct rate_window){0};
    return counted;
}

/* What is on its way from Redis was counted before. */
static int forget_account(struct gateway *g, struct account *a)
{
    if (!a)
        return 0;
    account_news(a);
    a->stale = a->asked;
    if (a->kind != ACCOUNT_ADDRESS)
        store_count_drop(bus_store(g->bus), table_name(&a->node));
    return forget(&a->window);
}

/* Redis may know of one that this node has forgotten. */
static struct account *shared(struct gateway *g, enum account_kind kind, struct span name)
{
    return account_get(&g->accounts, kind, name, clock_steady_ms());
}

int throttle_reset_client(struct session *s)
{
    s->refusals = 0;
    return forget(&s->window);
}

int throttle_reset_user(struct gateway *g, struct span user)
{
    const struct person *p = people_find(g, user);
    int count = forget_account(g, shared(g, ACCOUNT_USER, user));
    struct session *s;
    if (p)
        DL_FOREACH2 (p->sessions, s, same_next)
            count += throttle_reset_client(s);
    return count;
}

int throttle_reset_room(struct gateway *g, struct span room)
{
    return forget_account(g, shared(g, ACCOUNT_ROOM, room));
}

int throttle_reset_address(struct gateway *g, struct span name)
{
    return forget_account(g, account_find(&g->accounts, ACCOUNT_ADDRESS, name));
}

/* --- sharing ------------------------------------------------------------------------------ */

static void counted(void *arg, enum store_result result, int64_t total, int64_t left_ms)
{
    struct account *a = arg;
    a->asked--;
    if (a->stale)
        a->stale--;
    else if (result == STORE_DONE && left_ms > 0)
        a->window = (struct rate_window){clock_steady_ms() + left_ms, total + a->news};
    account_release(a);
}

static void share_one(struct gateway *g, struct account *a)
{
    const struct rate *rate = a->kind == ACCOUNT_USER ? &g->limits.user_rate : &g->limits.room_rate;
    struct span name = table_name(&a->node);
    int64_t n = account_news(a);
    if (!bus_is_up(g->bus))
        return;
    a->asked++;
    store_rate(bus_store(g->bus), name, n, rate->period_ms, counted, account_hold(a));
}

static void share(uv_timer_t *timer)
{
    struct throttle *t = timer->data;
    while (t->gateway->accounts.news)
        share_one(t->gateway, t->gateway->accounts.news);
}

struct throttle *throttle_new(struct gateway *g)
{
    struct throttle *t = mem_zero(sizeof(*t));
    t->gateway = g;
    t->timer.data = t;
    uv_timer_init(g->loop, &t->timer);
    uv_timer_start(&t->timer, share, THROTTLE_SHARE_MS, THROTTLE_SHARE_MS);
    return t;
}

static void timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void throttle_free(struct throttle *t)
{
    uv_close((uv_handle_t *)&t->timer, timer_closed);
}
