#include "visitor.h"
#include "clock.h"
#include <stdlib.h>

enum { SPARE = 64 }; /* connections that may be told that they are too many */

static void discard(uv_handle_t *handle)
{
    free(handle);
}

void visitor_send_away(struct visitor *v)
{
    uv_close((uv_handle_t *)v->stream, discard);
}

/* A proxy's address is not its clients'. */
static struct account *find_account(struct gateway *g, const struct visitor *v)
{
    char name[PEER_NAME_BYTES];
    bool direct;
    peer_name(&g->trusted_proxies, &v->end.any, (struct span){0}, name, &direct);
    if (!direct || !name[0])
        return NULL;
    return account_get(&g->accounts, ACCOUNT_ADDRESS, span_of(name), clock_steady_ms());
}

bool visitor_enter(struct gateway *g, struct visitor *v)
{
    if (g->visits >= g->limits.connections + SPARE) {
        visitor_send_away(v);
        return false;
    }
    g->visits++;
    struct account *a = find_account(g, v);
    if (!a)
        return true;
    v->account = account_hold(a);
    v->crowded = (int64_t)++a->visits + a->connections > g->limits.address_connections;
    g->metrics.value[M_CONNECTIONS_REFUSED] += v->crowded;
    return true;
}

void visitor_leave(struct gateway *g, struct visitor *v)
{
    g->visits--;
    if (!v->account)
        return;
    v->account->visits--;
    account_release(v->account);
    v->account = NULL;
}
