#include "ghosts.h"
#include "bus.h"
#include "log.h"
#include "mem.h"
#include <stdlib.h>
#include <string.h>

/* Something that the dead one noted, and what was found there. */
struct trace {
    struct clearing *clearing;
    enum store_place place;
    char *name; /* room, or user */
};

/* A user in a room, or a connection of a user. */
struct ghost {
    enum store_place place;
    char *room; /* of STORE_ONLINE: the connection */
    char *user;
};

/* One dead owner being cleared up after. */
struct clearing {
    struct gateway *gateway;
    char *owner;
    struct trace *traces;
    size_t trace_count, trace_cap;
    struct ghost *ghosts; /* once all are there: by place (users' connections last), then by user */
    size_t ghost_count, ghost_cap;
    size_t outstanding;
    bool failed; /* Redis was lost: somebody will come again */
};

static void clearing_free(struct clearing *c)
{
    for (size_t i = 0; i < c->trace_count; i++)
        free(c->traces[i].name);
    for (size_t i = 0; i < c->ghost_count; i++) {
        free(c->ghosts[i].room);
        free(c->ghosts[i].user);
    }
    free(c->traces);
    free(c->ghosts);
    free(c->owner);
    free(c);
}

static struct store *store_of(const struct clearing *c)
{
    return bus_store(c->gateway->bus);
}

/* --- gone ---------------------------------------------------------------------------------- */

static void forget_owner(struct clearing *c)
{
    if (!c->failed) {
        store_owner_forget(store_of(c), span_of(c->owner));
        log_info("cleared up after %s: %zu entries", c->owner, c->ghost_count);
    }
    clearing_free(c);
}

static void room_left(void *arg, enum store_result result)
{
    struct clearing *c = arg;
    c->failed |= result != STORE_DONE;
    if (--c->outstanding == 0)
        forget_owner(c);
}

/* After the users, who are offline to the rooms that they were in. */
static void leave_rooms(struct clearing *c)
{
    c->outstanding = 1;
    for (size_t i = 0; i < c->ghost_count && !c->failed; i++) {
        const struct ghost *x = &c->ghosts[i];
        if (x->place == STORE_ONLINE)
            continue;
        c->outstanding++;
        struct tidings_room r = {.place = x->place,
                                 .owner = span_of(c->owner),
                                 .room = span_of(x->room),
                                 .user = span_of(x->user)};
        tidings_room(c->gateway->tidings, &r, room_left, c);
    }
    room_left(c, STORE_DONE);
}

static void user_gone(void *arg, enum store_result result)
{
    struct clearing *c = arg;
    c->failed |= result != STORE_DONE;
    if (--c->outstanding == 0)
        leave_rooms(c);
}

static int compare_ghosts(const void *a, const void *b)
{
    const struct ghost *x = a, *y = b;
    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    return strcmp(x->user, y->user);
}

/* The first of the rooms in which the user was; they stand one after the other. */
static size_t first_room(const struct clearing *c, const char *user)
{
    size_t low = 0, high = c->ghost_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct ghost *x = &c->ghosts[middle];
        if (x->place == STORE_IN_ROOM && strcmp(x->user, user) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void end_connection(struct clearing *c, const struct ghost *ghost)
{
    struct span rooms[STORE_REACH_ROOMS_MAX];
    size_t count = 0;
    for (size_t i = first_room(c, ghost->user); i < c->ghost_count; i++) {
        const struct ghost *x = &c->ghosts[i];
        if (x->place != STORE_IN_ROOM || strcmp(x->user, ghost->user) != 0 ||
            count == STORE_REACH_ROOMS_MAX)
            break;
        rooms[count++] = span_of(x->room);
    }
    struct tidings_user u = {.owner = span_of(c->owner),
                             .user = span_of(ghost->user),
                             .connection = span_of(ghost->room),
                             .rooms = rooms,
                             .room_count = count};
    tidings_user(c->gateway->tidings, &u, user_gone, c);
}

static void end_connections(struct clearing *c)
{
    if (c->ghost_count)
        qsort(c->ghosts, c->ghost_count, sizeof(*c->ghosts), compare_ghosts);
    c->outstanding = 1;
    for (size_t i = 0; i < c->ghost_count; i++) {
        if (c->ghosts[i].place != STORE_ONLINE)
            continue;
        c->outstanding++;
        end_connection(c, &c->ghosts[i]);
    }
    user_gone(c, STORE_DONE);
}

/* --- what is there ------------------------------------------------------------------------- */

static void add_ghost(struct clearing *c, enum store_place place, struct span room,
                      struct span user)
{
    if (c->ghost_count == c->ghost_cap) {
        c->ghost_cap = c->ghost_cap ? c->ghost_cap * 2 : 64;
        c->ghosts = mem_resize(c->ghosts, c->ghost_cap * sizeof(*c->ghosts));
    }
    c->ghosts[c->ghost_count++] = (struct ghost){place, span_text(room), span_text(user)};
}

static bool is_among(struct span owners, const char *owner)
{
    size_t len = strlen(owner);
    for (const char *at = owners.at; at + len <= owners.at + owners.len; at += len + 1)
        if (memcmp(at, owner, len) == 0)
            return true;
    return false;
}

static void take_user(void *arg, struct span user, struct span owners)
{
    struct trace *t = arg;
    if (is_among(owners, t->clearing->owner))
        add_ghost(t->clearing, t->place, span_of(t->name), user);
}

static void take_connection(void *arg, struct span owner, struct span connection,
                            struct span status, struct span since)
{
    struct trace *t = arg;
    (void)status;
    (void)since;
    if (span_is(owner, t->clearing->owner))
        add_ghost(t->clearing, STORE_ONLINE, connection, span_of(t->name));
}

static void traced(struct clearing *c, enum store_result result)
{
    c->failed |= result != STORE_DONE;
    if (--c->outstanding)
        return;
    if (c->failed)
        clearing_free(c);
    else
        end_connections(c);
}

static void room_traced(void *arg, enum store_result result, int64_t count, const char *why)
{
    struct trace *t = arg;
    (void)count;
    (void)why;
    traced(t->clearing, result);
}

static void user_traced(void *arg, enum store_result result, const char *why)
{
    struct trace *t = arg;
    (void)why;
    traced(t->clearing, result);
}

static void look_at(struct trace *t)
{
    struct store *s = store_of(t->clearing);
    struct span name = span_of(t->name);
    if (t->place == STORE_ONLINE)
        store_connections(s, name, take_connection, user_traced, t);
    else
        store_who(s, t->place, name, INT64_MAX, take_user, room_traced, t);
}

static void take_trace(void *arg, enum store_place place, struct span name)
{
    struct clearing *c = arg;
    if (c->trace_count == c->trace_cap) {
        c->trace_cap = c->trace_cap ? c->trace_cap * 2 : 64;
        c->traces = mem_resize(c->traces, c->trace_cap * sizeof(*c->traces));
    }
    c->traces[c->trace_count++] = (struct trace){c, place, span_text(name)};
}

static void traces_taken(void *arg, enum store_result result, const char *why)
{
    struct clearing *c = arg;
    (void)why;
    c->outstanding = c->trace_count + 1;
    for (size_t i = 0; i < c->trace_count; i++)
        look_at(&c->traces[i]);
    traced(c, result);
}

/* --- looking ------------------------------------------------------------------------------- */

static void claimed(void *arg, enum store_result result, bool ours)
{
    struct clearing *c = arg;
    if (result != STORE_DONE || !ours)
        clearing_free(c);
    else
        store_owned(store_of(c), span_of(c->owner), take_trace, traces_taken, c);
}

struct looking {
    struct gateway *gateway;
    char *owner;
    int64_t claim_ms;
};

static void take_owner(void *arg, struct span owner, struct span node)
{
    struct looking *l = arg;
    if (node.len || span_is(owner, l->owner))
        return;
    struct clearing *c = mem_zero(sizeof(*c));
    c->gateway = l->gateway;
    c->owner = span_text(owner);
    store_owner_claim(store_of(c), owner, l->claim_ms, claimed, c);
}

static void looked(void *arg, enum store_result result, const char *why)
{
    struct looking *l = arg;
    (void)result;
    (void)why;
    free(l->owner);
    free(l);
}

void ghosts_look(struct gateway *g, struct span owner, int64_t claim_ms)
{
    struct looking *l = mem_alloc(sizeof(*l));
    *l = (struct looking){g, span_text(owner), claim_ms};
    store_owners(bus_store(g->bus), take_owner, looked, l);
}
