/* Where a follower stands in the histories of rooms, kept in a file so that the next run goes on
 * there.
 *
 * The file also has how long the output was by then. If the output is a file, what a run wrote to
 * it after its last save is cut off by the next run, which writes it again: so not even a kill
 * makes anything be missing or come twice. What went to a pipe can't be taken back: there, what was
 * written after the last save comes again. */
#ifndef BOOKMARK_H
#define BOOKMARK_H

#include "fault.h"
#include "place.h"
#include <stdbool.h>

struct bookmark;
struct bookmark *bookmark_new(void);
void bookmark_free(struct bookmark *b); /* NULL: nothing */

/* The place in a room, to be read and set; a new one is `fresh`. */
struct place *bookmark_place(struct bookmark *b, struct span room, struct place fresh);

/* The same; NULL when the room has none. */
struct place *bookmark_find(struct bookmark *b, struct span room);

typedef void bookmark_room(void *arg, struct span room, struct place *at);
void bookmark_each(struct bookmark *b, bookmark_room *each, void *arg);

/* Reads a file, and cuts the output off where it says. Returns 1; 0 when there is none; -1 with a
 * fault. */
int bookmark_load(struct bookmark *b, const char *path, int output, struct fault *f);

/* Replaces the file, as a whole. Places of that epoch, which stands for no place, are left out. */
int bookmark_save(struct bookmark *b, const char *path, int output, uint64_t none, struct fault *f);

#endif
