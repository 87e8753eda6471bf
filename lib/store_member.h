/* Members: who may be in a room, and in which role. collab-redis(7) has the names.
 *
 * The room's hash is what counts. A set by user says in which rooms to look: it may name one too
 * many when somebody was stopped half-way, and never one too few. */
#ifndef STORE_MEMBER_H
#define STORE_MEMBER_H

#include "store.h"

#define STORE_ROLE "member" /* of members who were given no other */
enum { STORE_ROLE_BYTES_MAX = 64 };

enum store_member_op {
    STORE_MEMBER_ADD,  /* a member, or gets that role; role empty: keeps its role, if it has one */
    STORE_MEMBER_ROLE, /* gets that role, if it is a member */
    STORE_MEMBER_REMOVE,
};

enum store_member_change {
    STORE_MEMBER_NONE, /* there is no such member */
    STORE_MEMBER_ADDED,
    STORE_MEMBER_CHANGED, /* the role */
    STORE_MEMBER_REMOVED,
    STORE_MEMBER_SAME,
};

/* What is told when it comes to that, and how it is kept: no version is counted by it. On a cluster
 * it is kept in the room itself, and only told in rooms of other slots. event NULL: nothing is. */
struct store_member_event {
    const struct event *event;
    const struct store_terms *terms;
};
struct store_member_events {
    struct store_member_event added, changed, removed;
};

/* Changes one member, tells the event, and tells every gateway when a right may have gone: all of
 * it or nothing. room is checked, user is text. */
struct store_member {
    enum store_member_op op;
    struct span room, user, role;
    struct store_member_events events;
};
typedef void store_member_done(void *arg, enum store_result result, enum store_member_change change,
                               const char *why);
void store_member_change(struct store *s, const struct store_member *m, store_member_done *done,
                         void *arg);

/* The role of a user in a room; empty: no member. */
typedef void store_member_role(void *arg, enum store_result result, struct span role,
                               const char *why);
void store_member_get(struct store *s, struct span room, struct span user, store_member_role *got,
                      void *arg);

/* Calls each for every member with its role, or for every room that a user may be a member of (role
 * empty), in no order; then done. */
typedef void store_member_each(void *arg, struct span name, struct span role);
void store_members(struct store *s, struct span room, store_member_each *each, store_done *done,
                   void *arg);
void store_member_rooms(struct store *s, struct span user, store_member_each *each,
                        store_done *done, void *arg);

#endif
