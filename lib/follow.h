/* Follows rooms' histories: hands on what is published, each kept event once and in order, reads
 * what a hole or a lost connection has left out, and tells what can't be had any more.
 *
 * It keeps nothing of a room but a read that is under way; where the follower stands is kept by its
 * user, who listens to the rooms. Not for events without an id. */
#ifndef FOLLOW_H
#define FOLLOW_H

#include "event.h"
#include "store.h"

/* Where a follower stands that doesn't know yet: what comes first is taken. */
extern const struct place follow_anywhere;

struct follow_hooks {
    /* The place of the last event handed on; NULL: nobody follows this room any more. */
    struct place *(*place)(void *ctx, struct span room);
    void (*event)(void *ctx, struct span room, const struct event *e, struct span text);
    /* What was between these (both had, or begun with, are not missing) is lost; how much, nobody
     * knows unless they are of one epoch. */
    void (*gap)(void *ctx, struct span room, struct place after, struct place before);
    /* What was read was no event, or could not be read: why. */
    void (*trouble)(void *ctx, struct span room, const char *why);
    /* A read has ended: all that was in the history by then was handed on. May be NULL. */
    void (*caught_up)(void *ctx, struct span room);
};

struct follow;
struct follow *follow_new(struct store *s, const struct follow_hooks *hooks, void *ctx);

/* No hook is called any more. */
void follow_free(struct follow *f);

/* An event with an id has come. */
void follow_event(struct follow *f, struct span room, const struct event *e, struct span text);

/* Reads on from where the follower stands: done after listening anew. */
void follow_check(struct follow *f, struct span room);

/* Whether an entry can be handed on after a, with nothing missing between. seen: a stands in the
 * history, right before it: then an epoch that begins on a server which had everything goes on
 * where the one before it ended. */
bool follow_continues(struct place a, bool seen, const struct store_entry *entry);

#endif
