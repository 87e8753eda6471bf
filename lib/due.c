#include "due.h"
#include "mem.h"
#include "store_devices.h"
#include "store_member.h"
#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 64 }; /* users being counted for */

/* Names, each once. */
struct names {
    char **at;
    size_t count;
};

struct due {
    struct store *store;
    const struct catalog *catalog;
    char *user;
    due_each *each;
    store_done *done;
    void *arg;
    struct names rooms, devices;
    void (*carry_on)(struct due *d); /* when nothing is outstanding */
    size_t outstanding;
    enum store_result result; /* the first that is none of DONE */
    char *why;
};

/* A device in a room. */
struct pair {
    struct due *due;
    const char *device, *room;
    struct place at;
};

static void add_name(struct names *n, struct span name)
{
    for (size_t i = 0; i < n->count; i++)
        if (span_is(name, n->at[i]))
            return;
    n->at = mem_resize(n->at, (n->count + 1) * sizeof(*n->at));
    n->at[n->count++] = span_text(name);
}

static void free_names(struct names *n)
{
    for (size_t i = 0; i < n->count; i++)
        free(n->at[i]);
    free(n->at);
}

static void end(struct due *d)
{
    d->done(d->arg, d->result, d->why);
    free_names(&d->rooms);
    free_names(&d->devices);
    free(d->user);
    free(d->why);
    free(d);
}

static void note(struct due *d, enum store_result result, const char *why)
{
    if (result != STORE_DONE && d->result == STORE_DONE) {
        d->result = result;
        d->why = mem_text(why);
    }
    if (--d->outstanding > 0)
        return;
    if (d->result == STORE_DONE)
        d->carry_on(d);
    else
        end(d);
}

static void on_part(void *arg, enum store_result result, const char *why)
{
    note(arg, result, why);
}

/* --- how many ------------------------------------------------------------------------------ */

/* Ids count on without a hole within an epoch. */
static int64_t count_after(struct place at, const struct store_extent *e)
{
    uint64_t after = e->last.seq - at.seq;

    if (e->length == 0 || place_compare(e->last, at) <= 0)
        return 0;
    if (at.epoch != e->last.epoch || after > (uint64_t)e->length)
        return e->length;
    return (int64_t)after;
}

static void on_extent(void *arg, enum store_result result, const struct store_extent *e,
                      const char *why)
{
    struct pair *p = arg;
    struct due *d = p->due;

    if (e) {
        struct due_row row = {span_of(p->device), span_of(p->room), count_after(p->at, e)};
        d->each(d->arg, &row);
    }
    free(p);
    note(d, result, why);
}

static void on_standing(void *arg, enum store_result result, const struct store_standing *there,
                        const char *why)
{
    struct pair *p = arg;
    struct due *d = p->due;

    if (!there) {
        free(p);
        note(d, result, why);
        return;
    }
    p->at = there->at;
    store_extent_get(d->store, span_of(p->room), on_extent, p);
}

static void count_all(struct due *d)
{
    d->carry_on = end;
    d->outstanding = d->rooms.count * d->devices.count + 1;
    for (size_t r = 0; r < d->rooms.count; r++) {
        for (size_t i = 0; i < d->devices.count; i++) {
            struct pair *p = mem_alloc(sizeof(*p));
            *p = (struct pair){.due = d, .device = d->devices.at[i], .room = d->rooms.at[r]};
            struct store_device device = {span_of(d->user), span_of(p->device)};
            store_device_get(d->store, &device, span_of(p->room), on_standing, p);
        }
    }
    note(d, STORE_DONE, NULL);
}

/* --- where --------------------------------------------------------------------------------- */

static bool is_role_enough(const struct catalog_room *rule, struct span role)
{
    const char *const *wanted = rule->roles;

    for (; wanted && *wanted; wanted++)
        if (span_is(role, *wanted))
            return true;
    return !wanted && role.len > 0;
}

/* A room that the user may be a member of, until its role there is known. */
struct candidate {
    struct due *due;
    const struct catalog_room *rule;
    size_t len;
    char room[];
};

static void on_role(void *arg, enum store_result result, struct span role, const char *why)
{
    struct candidate *c = arg;
    struct due *d = c->due;

    if (result == STORE_DONE && is_role_enough(c->rule, role))
        add_name(&d->rooms, (struct span){c->room, c->len});
    free(c);
    note(d, result, why);
}

static void take_room(void *arg, struct span room, struct span role)
{
    struct due *d = arg;
    struct fault f;

    (void)role;
    if (room_check(room, &f) != 0)
        return;
    const struct catalog_room *rule = catalog_room(d->catalog, room, NULL);
    if (!rule || !rule->offline || (rule->join & CATALOG_MEMBER) == 0)
        return;
    struct candidate *c = mem_alloc(sizeof(*c) + room.len);
    *c = (struct candidate){d, rule, room.len};
    memcpy(c->room, room.at, room.len);
    d->outstanding++;
    store_member_get(d->store, room, span_of(d->user), on_role, c);
}

static void take_device(void *arg, struct span device, struct span room, struct place at)
{
    struct due *d = arg;

    (void)room;
    (void)at;
    add_name(&d->devices, device);
}

static void add_own_rooms(struct due *d)
{
    char room[ROOM_BYTES_MAX];
    struct fault f;

    for (size_t i = 0; i < d->catalog->room_count; i++) {
        const struct catalog_room *rule = &d->catalog->rooms[i];
        if (!rule->offline || (rule->join & CATALOG_SELF) == 0)
            continue;
        int len = catalog_own_room(rule, span_of(d->user), room, &f);
        if (len > 0)
            add_name(&d->rooms, (struct span){room, (size_t)len});
    }
}

static void all_found(struct due *d)
{
    if (d->devices.count == 0)
        add_name(&d->devices, span_of(STORE_DEVICE));
    count_all(d);
}

void due_count(struct store *s, const struct catalog *c, struct span user, due_each *each,
               store_done *done, void *arg)
{
    struct due *d = mem_zero(sizeof(*d));

    *d = (struct due){.store = s, .catalog = c, .each = each, .done = done, .arg = arg};
    d->user = span_text(user);
    d->carry_on = all_found;
    d->outstanding = 2;
    add_own_rooms(d);
    store_member_rooms(s, user, take_room, on_part, d);
    store_devices(s, user, take_device, on_part, d);
}

/* --- for all ------------------------------------------------------------------------------- */

struct summing {
    struct store *store;
    const struct catalog *catalog;
    due_summed *done;
    void *arg;
    struct due_sum sum;
    char **users;
    size_t user_count, next, under_way;
    enum store_result result;
    char *why;
};

/* One user of them. */
struct share {
    struct summing *all;
    int64_t events;
};

static void add_row(void *arg, const struct due_row *row)
{
    struct share *one = arg;

    one->events += row->count;
}

static void go_on(struct summing *all);

static void note_failure(struct summing *all, enum store_result result, const char *why)
{
    if (result == STORE_DONE || all->result != STORE_DONE)
        return;
    all->result = result;
    all->why = mem_text(why);
}

static void on_share(void *arg, enum store_result result, const char *why)
{
    struct share *one = arg;
    struct summing *all = one->all;

    note_failure(all, result, why);
    all->sum.users += one->events > 0;
    all->sum.events += one->events;
    free(one);
    all->under_way--;
    go_on(all);
}

static void end_sum(struct summing *all)
{
    all->done(all->arg, all->result, all->result == STORE_DONE ? &all->sum : NULL, all->why);
    for (size_t i = 0; i < all->user_count; i++)
        free(all->users[i]);
    free(all->users);
    free(all->why);
    free(all);
}

static void go_on(struct summing *all)
{
    while (all->next < all->user_count && all->under_way < AT_ONCE && all->result == STORE_DONE) {
        struct share *one = mem_alloc(sizeof(*one));
        *one = (struct share){all, 0};
        all->under_way++;
        due_count(all->store, all->catalog, span_of(all->users[all->next++]), add_row, on_share,
                  one);
    }
    if (all->under_way == 0)
        end_sum(all);
}

static void take_user(void *arg, struct span user)
{
    struct summing *all = arg;

    all->users = mem_resize(all->users, (all->user_count + 1) * sizeof(*all->users));
    all->users[all->user_count++] = span_text(user);
}

static int compare_users(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A scan may tell of one twice. */
static void drop_doubles(struct summing *all)
{
    size_t kept = 0;

    if (all->user_count > 1)
        qsort(all->users, all->user_count, sizeof(*all->users), compare_users);
    for (size_t i = 0; i < all->user_count; i++) {
        if (kept > 0 && strcmp(all->users[kept - 1], all->users[i]) == 0)
            free(all->users[i]);
        else
            all->users[kept++] = all->users[i];
    }
    all->user_count = kept;
}

static void on_users(void *arg, enum store_result result, const char *why)
{
    struct summing *all = arg;

    note_failure(all, result, why);
    drop_doubles(all);
    go_on(all);
}

void due_count_all(struct store *s, const struct catalog *c, due_summed *done, void *arg)
{
    struct summing *all = mem_zero(sizeof(*all));

    *all = (struct summing){.store = s, .catalog = c, .done = done, .arg = arg};
    store_device_users(s, take_user, on_users, all);
}
