/* Notices: events that a gateway or a tool says of its own accord, in the catalog's names. A member
 * was added, a user came online, somebody joined a room.
 *
 * Its data has what the room's pattern captures, by the pattern's names ("projectId"), and the
 * fields below, by those of the catalog's `fields`. Its rooms are those of its templates; without
 * templates, those that the caller gives. */
#ifndef NOTICE_H
#define NOTICE_H

#include "catalog.h"
#include "clock.h"
#include "event.h"

/* What is told; what is empty is left out. Texts are as they stand in JSON without the quotes. */
struct notice_fields {
    struct span room; /* whom or what it concerns, and where it goes unless told otherwise */
    struct span user, status, role;
    struct span users; /* JSON: an array */
    struct span count; /* JSON: a number */
    bool names_room;   /* `room` is told as a field too */
};

/* The event and what it points to; all zero before, and emptied by notice_fini(). */
struct notice {
    struct event event;
    struct route_rooms routed;
    struct buf data;
    size_t list_at;  /* where in data the value of users stands, or that of count; 0: nowhere */
    size_t list_len; /* bytes of it */
    char time[CLOCK_STAMP_BYTES];
};

/* Makes it, for now. rooms (room_count 0: the room of the fields) count where the event has no
 * templates. Returns 0, or -1 with a fault: by the catalog this event can't be told of that room;
 * to be emptied all the same. */
int notice_make(struct notice *n, const struct catalog *c, const struct catalog_event *e,
                const struct notice_fields *fields, const struct span *rooms, int room_count,
                struct fault *f);
void notice_fini(struct notice *n);

#endif
