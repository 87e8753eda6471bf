/* What is due to a user: how many events wait for it, on each device and in each room. It is
 * counted when it is asked for, from where the devices and the histories stand; nobody keeps count.
 */
#ifndef DUE_H
#define DUE_H

#include "catalog.h"
#include "store.h"

struct due_row {
    struct span device, room;
    int64_t count; /* where a history has begun anew since, at most so many */
};

/* Calls each for every device that was heard of, or the one that clients are on who name none, and
 * every room in which events wait for the user (text), in no order; then done. The catalog must
 * last until then. */
typedef void due_each(void *arg, const struct due_row *row);
void due_count(struct store *s, const struct catalog *c, struct span user, due_each *each,
               store_done *done, void *arg);

/* Counts it for all users of whom a device is known: one after the other, and a few at a time, so
 * it takes a while where they are many. sum is NULL unless the result is STORE_DONE. */
struct due_sum {
    int64_t users; /* for whom something waits */
    int64_t events;
};
typedef void due_summed(void *arg, enum store_result result, const struct due_sum *sum,
                        const char *why);
void due_count_all(struct store *s, const struct catalog *c, due_summed *done, void *arg);

#endif
