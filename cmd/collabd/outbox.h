/* What waits to be sent, for each link; and the gathering of it.
 *
 * Order: frames leave in the order in which they were put, each whole; all that gathered during
 * one turn of the loop leaves in one write, just before the loop blocks. Sessions of one room
 * mostly have the same frames waiting: those are gathered once and the same bytes sent to all.
 *
 * Bound: an outbox holds at most outbox_bytes_max beyond which its session is closed as too slow,
 * and so is one that has taken nothing for outbox_ms_max (link.c watches the time). */
#ifndef OUTBOX_H
#define OUTBOX_H

#include "frame.h"
#include "metric.h"
#include <stdbool.h>
#include <stdint.h>

struct outbox {
    union {
        struct frame *one;   /* of one without room for more */
        struct frame **many; /* cap of them */
    } u;
    uint32_t count, cap;
    uint32_t bytes;
    uint32_t turn;            /* its place among those to flush, from 1; 0: it has none */
    struct blockage *blocked; /* since its link takes nothing; NULL: it does */
};

/* All outboxes of a node. send: takes whole frames for the owner of box, or returns false when it
 * can't take any now; then outbox_wake() is called when it can. */
typedef bool outbox_send(struct outbox *box, struct span frames);
struct outboxes;
struct outboxes *outboxes_new(struct metrics *metrics, outbox_send *send);
void outboxes_free(struct outboxes *all);

/* Takes over one reference to the frame. When that would be more than bytes_max, the frame is
 * dropped and false returned; but an empty outbox takes any one frame, however large. */
bool outbox_put(struct outboxes *all, struct outbox *box, struct frame *frame, int64_t bytes_max);

/* Has it flushed before the loop next blocks. */
void outbox_wake(struct outboxes *all, struct outbox *box);

/* Gives up what is waiting; and its memory too. */
void outbox_drop(struct outboxes *all, struct outbox *box);
void outbox_fini(struct outboxes *all, struct outbox *box);

/* One whose link has taken nothing since a time or before; NULL: there is none. Each is returned
 * once, until its link takes something. */
struct outbox *outboxes_stuck(struct outboxes *all, int64_t since_ms);

/* Frees the memory that a burst left behind, when nothing is waiting: an idle outbox needs none. */
void outbox_trim(struct outbox *box);

/* Sends what is waiting in all that were put to or woken. Called once a turn of the loop. */
void outboxes_flush(struct outboxes *all);

#endif
