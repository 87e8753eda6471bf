/* Versioned events on a cluster, where their entity and their rooms are on several servers.
 *
 * The version is given in one place; what is to be published by it is kept there until it has been,
 * in all rooms. Who finds it unfinished finishes it first: so an entity's events are published in
 * the order of their versions, each once, in all rooms in the end. For lib/store_history.c alone.
 */
#ifndef STORE_STEPS_H
#define STORE_STEPS_H

#include "store_base.h"

/* As store_append(), for an event with an entity. */
void store_step(struct store *s, const struct event *e, const struct store_terms *terms,
                store_appended *done, void *arg);

#endif
