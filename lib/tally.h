/* Keeps account of numbered events that go to the receivers of rooms: which are outstanding, how
 * long they take, and which are lost, come twice or out of order.
 *
 * Each event carries a mark, "#RUN.ROOM.NUMBER#", which is found by search in whatever bytes
 * arrive, so that the account is the same for any protocol. Rooms are numbers here. */
#ifndef TALLY_H
#define TALLY_H

#include "buf.h"
#include "histogram.h"
#include <stdint.h>

enum { TALLY_MARK_BYTES_MAX = 4 + 10 + 10 + 4 }; /* of a mark below ten thousand million events */

struct tally_figures {
    uint64_t sent;       /* events */
    uint64_t deliveries; /* copies that arrived for the first time */
    struct histogram latency_ns;
};

struct tally {
    struct tally_figures now;     /* since tally_restart() */
    uint64_t expected, delivered; /* copies, from the beginning */
    uint64_t lost;                /* copies that were given up and did not come after all */
    uint64_t duplicated, disordered;
    uint64_t strayed;   /* copies that came to where they were not sent */
    size_t outstanding; /* events of which a copy is on its way */
    size_t room_count;
    struct tally_room *rooms;
    char run[5]; /* tells our events from those of others */
};

/* A receiver is in one room. */
struct receiver {
    uint32_t room;
    uint64_t next; /* one more than the highest number that came */
    uint64_t seen; /* bit i: next - 1 - i has come */
};

/* rooms: how many; each is called by its number, from 0. */
void tally_init(struct tally *t, size_t rooms);
void tally_fini(struct tally *t);

/* Before the first event of the room. */
void tally_join(struct tally *t, struct receiver *r, uint32_t room);

/* Begins the figures of t->now anew. */
void tally_restart(struct tally *t);

/* Counts an event that is being sent, and appends its mark. */
void tally_send(struct tally *t, uint32_t room, int64_t now_ns, struct buf *mark);

/* Counts the events whose marks are in the bytes. A copy that comes 64 events late counts as a
 * duplicate. */
void tally_receive(struct tally *t, struct receiver *r, struct span bytes, int64_t now_ns);

/* Gives up, as lost, what was sent before that time and has not come. */
void tally_give_up(struct tally *t, int64_t before_ns);

#endif
