/* Tidings of presence: turns who comes and goes into the catalog's events, and has Redis tell them
 * in the step in which it takes note.
 *
 * In rooms of more than the catalog's `crowd` nobody's coming and going is told, only how many
 * there are, at most every `period`: so what is sent grows with the number of those who hear, not
 * with its square. Users are given as they stand in JSON without the quotes. */
#ifndef TIDINGS_H
#define TIDINGS_H

#include "gateway.h"
#include "store_presence.h"

struct tidings;
struct tidings *tidings_new(struct gateway *g);
void tidings_stop(struct tidings *t); /* no more timers */
void tidings_free(struct tidings *t);

/* An owner has, or no longer has, a user in a room or looking at it. done may be NULL. */
struct tidings_room {
    enum store_place place;
    bool enter;
    struct span owner, room, user;
    bool online; /* it is news there that the user is online */
};
typedef void tidings_done(void *arg, enum store_result result);
void tidings_room(struct tidings *t, const struct tidings_room *r, tidings_done *done, void *arg);

/* A connection begins, has another status, or is gone (status empty). rooms: those with presence
 * that the user is in, as far as is known. done is called when Redis was given the step: the next
 * one for the same user may be begun. */
struct tidings_user {
    struct span owner, user, connection, status, since;
    const struct span *rooms;
    size_t room_count;
};
void tidings_user(struct tidings *t, const struct tidings_user *u, tidings_done *done, void *arg);

#endif
