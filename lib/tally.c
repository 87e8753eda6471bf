#include "tally.h"
#include "ident.h"
#include "mem.h"
#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { SEEN_BITS = 64, FIRST_FLIGHTS = 16 };

/* An event on its way. */
struct flight {
    int64_t sent_ns;
    uint32_t missing; /* copies */
};

struct tally_room {
    uint32_t receivers;
    uint64_t first, next;   /* numbers of the events in flight: first <= n < next */
    struct flight *flights; /* event n is at n modulo cap, a power of two */
    size_t cap;
};

void tally_init(struct tally *t, size_t rooms)
{
    *t = (struct tally){.room_count = rooms};
    t->rooms = mem_zero(rooms * sizeof(*t->rooms));
    ident_random(t->run, sizeof(t->run) - 1);
}

void tally_fini(struct tally *t)
{
    for (size_t i = 0; i < t->room_count; i++)
        free(t->rooms[i].flights);
    free(t->rooms);
}

void tally_join(struct tally *t, struct receiver *r, uint32_t room)
{
    assert(room < t->room_count && t->rooms[room].next == 0);
    *r = (struct receiver){.room = room};
    t->rooms[room].receivers++;
}

void tally_restart(struct tally *t)
{
    t->now = (struct tally_figures){0};
}

static struct flight *flight_of(struct tally_room *room, uint64_t number)
{
    return &room->flights[number & (room->cap - 1)];
}

static void make_room(struct tally_room *room)
{
    if (room->next - room->first < room->cap)
        return;
    struct tally_room old = *room;
    room->cap = old.cap ? old.cap * 2 : FIRST_FLIGHTS;
    room->flights = mem_zero(room->cap * sizeof(*room->flights));
    for (uint64_t n = old.first; n < old.next; n++)
        *flight_of(room, n) = *flight_of(&old, n);
    free(old.flights);
}

/* Forgets the oldest events, as far as all of their copies have come. */
static void land(struct tally_room *room)
{
    while (room->first < room->next && flight_of(room, room->first)->missing == 0)
        room->first++;
}

void tally_send(struct tally *t, uint32_t room, int64_t now_ns, struct buf *mark)
{
    struct tally_room *at = &t->rooms[room];
    make_room(at);
    uint64_t number = at->next++;
    *flight_of(at, number) = (struct flight){now_ns, at->receivers};
    t->now.sent++;
    t->expected += at->receivers;
    t->outstanding += at->receivers > 0;
    land(at);
    buf_printf(mark, "#%s.%u.%llu#", t->run, (unsigned)room, (unsigned long long)number);
}

static bool read_number(const char **at, const char *end, char stop, uint64_t *out)
{
    uint64_t n = 0;
    const char *c = *at;
    while (c < end && *c >= '0' && *c <= '9')
        n = n * 10 + (uint64_t)(*c++ - '0');
    if (c == *at || c == end || *c != stop)
        return false;
    *at = c + 1;
    *out = n;
    return true;
}

/* Whether a copy with that number came before; from now on it has. */
static bool note_seen(struct receiver *r, uint64_t number)
{
    if (number >= r->next) {
        uint64_t ahead = number + 1 - r->next;
        r->seen = ahead < SEEN_BITS ? r->seen << ahead | 1 : 1;
        r->next = number + 1;
        return false;
    }
    uint64_t behind = r->next - 1 - number;
    if (behind >= SEEN_BITS || r->seen >> behind & 1)
        return true;
    r->seen |= UINT64_C(1) << behind;
    return false;
}

static void count_copy(struct tally *t, struct receiver *r, uint64_t number, int64_t now_ns)
{
    struct tally_room *room = &t->rooms[r->room];
    bool in_order = number >= r->next;
    if (note_seen(r, number)) {
        t->duplicated++;
        return;
    }
    t->disordered += !in_order;
    t->delivered++;
    t->now.deliveries++;
    if (number < room->first) { /* given up too early */
        t->lost--;
        return;
    }
    struct flight *flight = flight_of(room, number);
    histogram_add(&t->now.latency_ns, now_ns - flight->sent_ns);
    if (--flight->missing > 0)
        return;
    t->outstanding--;
    land(room);
}

void tally_receive(struct tally *t, struct receiver *r, struct span bytes, int64_t now_ns)
{
    const char *end = bytes.at + bytes.len;
    const char *at = bytes.at;
    size_t run_len = sizeof(t->run) - 1;
    while ((at = memchr(at, '#', (size_t)(end - at)))) {
        at++;
        uint64_t room, number;
        if ((size_t)(end - at) <= run_len || memcmp(at, t->run, run_len) != 0 || at[run_len] != '.')
            continue;
        at += run_len + 1;
        if (!read_number(&at, end, '.', &room) || !read_number(&at, end, '#', &number))
            continue;
        if (room != r->room || number >= t->rooms[room].next)
            t->strayed++;
        else
            count_copy(t, r, number, now_ns);
    }
}

void tally_give_up(struct tally *t, int64_t before_ns)
{
    for (size_t i = 0; i < t->room_count; i++) {
        struct tally_room *room = &t->rooms[i];
        for (land(room); room->first < room->next; land(room)) {
            struct flight *flight = flight_of(room, room->first);
            if (flight->sent_ns >= before_ns)
                break;
            t->lost += flight->missing;
            flight->missing = 0;
            t->outstanding--;
        }
    }
}
