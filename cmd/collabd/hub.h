/* The hub: which session is in which room, and who gets an event.
 *
 * Both directions are kept, each entry knowing its place in the other, so that joining, leaving
 * and going away cost the same however large a room is. It knows no protocol, no socket and no
 * Redis. An empty room is gone at once. */
#ifndef HUB_H
#define HUB_H

#include "event.h"
#include "gateway.h"
#include "place.h"
#include "session.h"

struct room;

/* The session's side of a membership. */
struct seat {
    struct room *room;
    uint32_t at;      /* index in the room's members */
    bool present;     /* presence.c's: it counts the session there */
    bool placed;      /* join_place() has put it there, by nobody's right */
    uint16_t sitting; /* which of the session's this is: another, when it has left and come back */
    uint64_t since;   /* recover.h's serial number, when the session had all that came before */
};

/* room_gone: called when the last member left, before the room is freed. */
typedef void hub_gone(void *ctx, struct span room);
struct hub *hub_new(struct gateway *g, hub_gone *room_gone, void *ctx);
void hub_free(struct hub *h);

/* Puts the session into a room, asking nobody whether it may; the room is made if it is new here
 * (HUB_FIRST). The name is copied. */
enum hub_joined { HUB_ALREADY, HUB_JOINED, HUB_FIRST };
enum hub_joined hub_join(struct hub *h, struct session *s, struct span room);
bool hub_is_in(const struct hub *h, const struct session *s, struct span room);
/* Whether it was in it. */
bool hub_leave(struct hub *h, struct session *s, struct span room);
void hub_leave_all(struct hub *h, struct session *s);

/* The session's seat in a room, until it next joins or leaves one; NULL: it has none. */
struct seat *hub_seat(const struct hub *h, struct session *s, struct span room);

/* The room of a session's seat, by its index. Leaving one moves the last one to its place. */
struct span hub_seat_room(const struct session *s, uint32_t index);

/* Calls each for every room that a session is in. */
typedef void hub_own_room(void *arg, struct span room);
void hub_rooms_of(const struct session *s, hub_own_room *each, void *arg);

/* Of one who is resuming, the kept events of the room are held back: its history is on the way.
 * Returns by which sitting it is to be let go; 0: it is not in the room. Held twice, it is to be
 * let go twice. Who has left since, or has come back, is not held by it any more. */
uint16_t hub_hold(struct hub *h, struct session *s, struct span room);
void hub_let_go(struct hub *h, struct session *s, struct span room, uint16_t sitting);

/* Whether it is in the room and has not left since that sitting began. */
bool hub_still_sits(const struct hub *h, const struct session *s, struct span room,
                    uint16_t sitting);

/* Whether the session is held in the room of its seat; in any room. */
bool hub_is_seat_held(const struct session *s, uint32_t index);
bool hub_is_held(const struct session *s);

/* The place of the last kept event that was delivered in a room: the bus's to move. NULL: nobody
 * here is in it. */
struct place *hub_place(struct hub *h, struct span room);

/* The same of the room of a session's seat, by its index. */
struct place hub_seat_place(const struct session *s, uint32_t index);

/* A number that the room has from when somebody here came into it until nobody is in it any more;
 * 0: nobody is. */
uint32_t hub_life(const struct hub *h, struct span room);

/* Whether marks of a room are kept (recover.h), which is what all of it is for. */
struct hub_mark {
    bool wanted, based;
    int64_t renewed_ms; /* steady */
};
struct hub_mark *hub_mark(struct hub *h, struct span room);

/* All who are in the room have what came before this serial number. */
void hub_set_since(struct hub *h, struct span room, uint64_t serial);

/* An event on its way to some sessions: framed once for each codec in use. All but the event and
 * its text is zero at first. */
struct parcel {
    const struct catalog *catalog;
    const struct event *event;
    struct span text;
    bool waited; /* it had waited for those who get it */
    struct frame *frames[CODECS_MAX];
};

/* Gives it to one session, making its codec's frame if that is the first. */
void parcel_put(struct parcel *p, struct session *s);

/* Gives back the frames; event and text are the caller's. */
void parcel_fini(struct parcel *p);

/* Calls each for every member of a room but those that are held. */
typedef void hub_member(void *arg, struct session *s);
void hub_members(const struct hub *h, struct span room, hub_member *each, void *arg);

/* Sessions that were picked out: each holds a reference, so that one may leave meanwhile. All zero
 * at first. */
struct hub_pick {
    struct session *session;
    struct span room; /* by which it was found, of `rooms`; empty: by its id, or with all */
};
struct hub_group {
    struct hub_pick *at;
    size_t count, cap;
};

/* Picks those who are authenticated and in the namespace, and in one of `rooms` (JSON arrays,
 * both; empty: anybody), but in none of `except`. A session's id stands for the session. Each once,
 * room by room. */
void hub_gather(struct hub *h, struct span nsp, struct span rooms, struct span except,
                struct hub_group *out);
void hub_group_fini(struct hub_group *group);

/* Hands the event's copy for `room` to every member that is in none of the rooms before it in
 * e->rooms: each client gets the event once, whatever rooms it shares with it. text: the event
 * as JSON. */
void hub_deliver(struct hub *h, struct span room, const struct event *e, struct span text);

/* Calls each for every room. */
typedef void hub_each(void *arg, struct span room, uint32_t members);
void hub_rooms(const struct hub *h, hub_each *each, void *arg);
size_t hub_room_count(const struct hub *h);

#endif
