#include "people.h"
#include "mem.h"
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct person *people_find(const struct gateway *g, struct span user)
{
    struct person *p;
    HASH_FIND(hh, g->people, user.at, user.len, p);
    return p;
}

static struct person *make_person(struct gateway *g, struct span user)
{
    struct person *p = mem_zero(sizeof(*p) + user.len + 1);
    p->len = (uint32_t)user.len;
    memcpy(p->user, user.at, user.len);
    HASH_ADD(hh, g->people, user, user.len, p);
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
    HASH_DEL(g->people, p);
    free(p);
}
