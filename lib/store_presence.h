/* Presence: who is where now. collab-redis(7) has the names.
 *
 * An entry says that an owner has somebody somewhere: a user in a room, a user looking at a room, a
 * connection of a user. Owners are gateways, or rather their lives: one that was lost for longer
 * than its lease gets another name, and what is left of its former life goes as if it were dead. A
 * user is in a room while some owner says so. What changes is told within the script that changes
 * it, so it is told once, whoever removes an entry, and however often. No clock but that of Redis
 * decides anything.
 *
 * Users are given as they stand in JSON without the quotes. */
#ifndef STORE_PRESENCE_H
#define STORE_PRESENCE_H

#include "store.h"

enum {
    STORE_OWNER_CHARS = 12,
    STORE_WHO_MAX = 1000,      /* users that are named at once */
    STORE_REACH_ROOMS_MAX = 60 /* rooms that hear of one user's coming and going */
};

enum store_place { STORE_IN_ROOM, STORE_VIEWING, STORE_ONLINE };

/* An event to be told. list_len: so many bytes of its data, from list_at on, stand for what is
 * known only then: the users (JSON) or their number. */
struct store_tale {
    const struct event *event; /* NULL: nothing is told */
    size_t list_at, list_len;
};

/* --- owners -------------------------------------------------------------------------------- */

/* Begins a life, and what it owns. */
void store_owner_begin(struct store *s, struct span owner, struct span node, int64_t lease_ms);

/* Lives on; alive false: the lease had ended, so this life is over. */
typedef void store_alive(void *arg, enum store_result result, bool alive);
void store_owner_renew(struct store *s, struct span owner, struct span node, int64_t lease_ms,
                       store_alive *done, void *arg);

/* Ends the life in so many milliseconds; what it owns is left to whoever finds it. So is what it
 * came to own after others had taken it for over and cleared up. */
void store_owner_end(struct store *s, struct span owner, int64_t in_ms);

/* Notes that the owner has entries there (before the first is made), or has none any more. name:
 * the room, or the user. */
void store_owner_note(struct store *s, struct span owner, enum store_place place, struct span name,
                      bool has);

/* Calls each for every owner, with its node, or nothing when it is dead; then done. */
typedef void store_owner_each(void *arg, struct span owner, struct span node);
void store_owners(struct store *s, store_owner_each *each, store_done *done, void *arg);

/* Takes it on oneself to clear up after a dead owner: true for one who asks within ms. */
void store_owner_claim(struct store *s, struct span owner, int64_t ms, store_alive *done,
                       void *arg);
/* Calls each for all that an owner notes. */
typedef void store_owned_each(void *arg, enum store_place place, struct span name);
void store_owned(struct store *s, struct span owner, store_owned_each *each, store_done *done,
                 void *arg);
/* Nothing of it is left. */
void store_owner_forget(struct store *s, struct span owner);

/* --- rooms --------------------------------------------------------------------------------- */

struct store_present {
    enum store_place place; /* STORE_IN_ROOM or STORE_VIEWING */
    bool enter;             /* or leave */
    struct span owner, room, user;
    int64_t crowd; /* where more are, nothing is told */
    struct store_tale tale;
};

/* changed: it is the user's first or last entry there. count: users there now. */
typedef void store_present_done(void *arg, enum store_result result, bool changed, int64_t count);
void store_present(struct store *s, const struct store_present *p, store_present_done *done,
                   void *arg);

/* Tells the number, or the first `most` users, of a room unless that was done within period_ms.
 * wait_ms: it was; ask again then. 0: done. */
struct store_count {
    enum store_place place;
    struct span room;
    int64_t period_ms, most;
    struct store_tale tale;
};
typedef void store_counted(void *arg, enum store_result result, int64_t wait_ms);
void store_count(struct store *s, const struct store_count *c, store_counted *done, void *arg);

/* How many are there, and, if they are at most `most`, who, with their owners (separated by
 * blanks). each is called before done. */
typedef void store_who_each(void *arg, struct span user, struct span owners);
typedef void store_who_done(void *arg, enum store_result result, int64_t count, const char *why);
void store_who(struct store *s, enum store_place place, struct span room, int64_t most,
               store_who_each *each, store_who_done *done, void *arg);

/* --- users --------------------------------------------------------------------------------- */

/* What a user becomes, in all connections taken together; the first that one of them is. */
enum store_status { STORE_IS_ONLINE, STORE_IS_AWAY, STORE_IS_OFFLINE };
enum { STORE_STATUSES = 3 };
const char *store_status_word(enum store_status status);
bool store_status_parse(struct span word, enum store_status *out);

/* A connection of a user begins, has another status, or is gone (status empty). The events tell
 * what the user becomes by that; those of a status that can't come of it may be left out. There is
 * room for STORE_REACH_ROOMS_MAX copies for each of two statuses. */
struct store_user {
    struct span owner, user, connection;
    struct span status;                         /* a word of store_status_word() */
    struct span since;                          /* RFC 3339 */
    const struct event *events[STORE_STATUSES]; /* arrays */
    size_t counts[STORE_STATUSES];
};
void store_user(struct store *s, const struct store_user *u, store_done *done, void *arg);

/* Calls each for every connection of a user. */
typedef void store_connection_each(void *arg, struct span owner, struct span connection,
                                   struct span status, struct span since);
void store_connections(struct store *s, struct span user, store_connection_each *each,
                       store_done *done, void *arg);

#endif
