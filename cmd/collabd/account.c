#include "account.h"
#include "mem.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

static const char letters[] = {
    [ACCOUNT_ADDRESS] = 'a',
    [ACCOUNT_USER] = 'u',
    [ACCOUNT_ROOM] = 'r',
};

static void drop_news(struct account *a)
{
    if (a->news)
        DL_DELETE2(a->all->news, a, news_prev, news_next);
    a->news = 0;
}

static void leave_idle(struct accounts *all, struct account *a)
{
    DL_DELETE(all->idle, a);
    all->idle_count--;
}

static void account_free(struct accounts *all, struct account *a)
{
    drop_news(a);
    leave_idle(all, a);
    table_remove(&all->by_name, &a->node);
    free(a);
}

/* Of the idle ones, those at the front that are of no use any more, and those too many. */
static void tidy(struct accounts *all, int64_t now_ms)
{
    while (all->idle &&
           (all->idle_count >= ACCOUNTS_IDLE_MAX || now_ms >= all->idle->window.ends_ms))
        account_free(all, all->idle);
}

static void write_name(struct buf *out, enum account_kind kind, struct span name)
{
    buf_char(out, letters[kind]);
    buf_char(out, ':');
    buf_join(out, name);
}

static struct account *find(const struct accounts *all, struct span name)
{
    return table_find(&all->by_name, name);
}

static struct account *make(struct accounts *all, enum account_kind kind, struct span name)
{
    struct account *a = mem_zero(sizeof(*a) + name.len + 1);
    a->all = all;
    a->kind = kind;
    memcpy(a->name, name.at, name.len);
    table_add(&all->by_name, &a->node, (struct span){a->name, name.len});
    DL_APPEND(all->idle, a);
    all->idle_count++;
    return a;
}

struct account *account_get(struct accounts *all, enum account_kind kind, struct span name,
                            int64_t now_ms)
{
    struct buf whole = {0};
    write_name(&whole, kind, name);
    struct account *a = find(all, buf_span(&whole));
    if (!a) {
        tidy(all, now_ms);
        a = make(all, kind, buf_span(&whole));
    }
    buf_fini(&whole);
    return a;
}

struct account *account_find(const struct accounts *all, enum account_kind kind, struct span name)
{
    struct buf whole = {0};
    write_name(&whole, kind, name);
    struct account *a = find(all, buf_span(&whole));
    buf_fini(&whole);
    return a;
}

struct account *account_hold(struct account *a)
{
    if (!a->holders++)
        leave_idle(a->all, a);
    return a;
}

void account_release(struct account *a)
{
    assert(a->holders);
    if (--a->holders)
        return;
    DL_APPEND(a->all->idle, a);
    a->all->idle_count++;
}

bool account_take(struct account *a, const struct rate *r, int64_t now_ms)
{
    if (!rate_take(&a->window, r, now_ms))
        return false;
    if (r->count == RATE_OFF || a->kind == ACCOUNT_ADDRESS)
        return true;
    if (!a->news++)
        DL_APPEND2(a->all->news, a, news_prev, news_next);
    return true;
}

int64_t account_news(struct account *a)
{
    int64_t news = a->news;
    drop_news(a);
    return news;
}

void accounts_fini(struct accounts *all)
{
    while (all->idle)
        account_free(all, all->idle);
    assert(!all->by_name.count);
    table_fini(&all->by_name);
}
