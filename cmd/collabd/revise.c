#include "revise.h"
#include "authz.h"
#include "join.h"
#include "mem.h"
#include "people.h"
#include <stdlib.h>
#include <utlist.h>

enum { TICK_MS = 20, LOAD_MAX = 200 /* questions under way */ };

struct revision {
    struct gateway *gateway;
    char **users; /* of everybody */
    size_t count, next;
    uv_timer_t tick;
};

static void asked_again(void *arg, enum authz_answer answer, const char *why)
{
    static const struct request unasked;
    struct session *s = arg;
    if (answer != AUTHZ_YES && !session_is_closing(s)) {
        session_refuse(s, &unasked, answer == AUTHZ_NO ? ERROR_FORBIDDEN : ERROR_UNAVAILABLE, why,
                       NULL);
        session_close(s, answer == AUTHZ_NO ? CLOSE_POLICY : CLOSE_UNDECIDED);
    }
    session_unref(s);
}

static void revise_session(struct session *s)
{
    join_review(s, JOIN_STRICT);
    if (s->who->vouched)
        authz_ask(s->gateway->authz, span_of(s->who->user), (struct span){0}, asked_again,
                  session_ref(s));
}

static void revise_user(struct gateway *g, struct span user)
{
    struct person *p = people_find(g, user);
    struct session *s;
    if (!p)
        return;
    p->changes++;
    DL_FOREACH2 (p->sessions, s, same_next)
        revise_session(s);
}

/* --- everybody ----------------------------------------------------------------------------- */

static void forget_users(struct revision *r)
{
    for (size_t i = 0; i < r->count; i++)
        free(r->users[i]);
    free(r->users);
    r->users = NULL;
    r->count = r->next = 0;
}

static void on_tick(uv_timer_t *timer)
{
    struct revision *r = timer->data;
    while (r->next < r->count && authz_load(r->gateway->authz) < LOAD_MAX)
        revise_user(r->gateway, span_of(r->users[r->next++]));
    if (r->next < r->count)
        return;
    forget_users(r);
    uv_timer_stop(timer);
}

static void revise_all(struct revision *r)
{
    struct person *p, *next;
    forget_users(r);
    r->users = mem_zero((r->gateway->people.count + 1) * sizeof(*r->users));
    TABLE_EACH (&r->gateway->people, p, next)
        r->users[r->count++] = span_text(table_name(&p->node));
    uv_timer_start(&r->tick, on_tick, 0, TICK_MS);
}

void revise(struct gateway *g, struct span user)
{
    if (user.len)
        revise_user(g, user);
    else
        revise_all(g->revision);
}

/* --- life ---------------------------------------------------------------------------------- */

struct revision *revision_new(struct gateway *g)
{
    struct revision *r = mem_zero(sizeof(*r));
    r->gateway = g;
    uv_timer_init(g->loop, &r->tick);
    r->tick.data = r;
    return r;
}

void revision_stop(struct revision *r)
{
    uv_close((uv_handle_t *)&r->tick, NULL);
}

void revision_free(struct revision *r)
{
    forget_users(r);
    free(r);
}
