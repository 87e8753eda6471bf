#include "people.h"
#include "mem.h"
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct person *people_find(const struct gateway *g, struct span user)
{
    return table_find(&g->people, user);
}

static struct person *make_person(struct gateway *g, struct span user)
{
    struct person *p = mem_zero(sizeof(*p) + user.len + 1);
    memcpy(p->user, user.at, user.len);
    table_add(&g->people, &p->node, (struct span){p->user, user.len});
    return p;
}

void people_enter(struct session *s)
{
    struct gateway *g = s->gateway;
    struct span user = span_of(s->who->user);
    if (s->person)
        return;
    s->person = people_find(g, user);
    if (!s->person)
        s->person = make_person(g, user);
    s->person->count++;
    DL_APPEND2(s->person->sessions, s, same_prev, same_next);
}

void people_leave(struct session *s)
{
    struct gateway *g = s->gateway;
    struct person *p = s->person;
    if (!p)
        return;
    s->person = NULL;
    DL_DELETE2(p->sessions, s, same_prev, same_next);
    if (--p->count)
        return;
    table_remove(&g->people, &p->node);
    free(p);
    if (!g->people.count)
        table_fini(&g->people);
}
