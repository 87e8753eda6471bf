/* Shapes of rooms: {names} in the place of segments, "tenant:{tenantId}:project:{projectId}".
 *
 * A shape is read in two ways. As a template it makes a room of the values of its names. As a
 * pattern it takes rooms, and captures what stands in the place of the names; the last segment of
 * a pattern may be `*`, which takes one segment or more and captures nothing. Values are segments
 * by the rule of room.h.
 *
 * What a name means is its owner's matter: each segment has a slot, the index of its value among
 * those that the owner knows. */
#ifndef SHAPE_H
#define SHAPE_H

#include "arena.h"
#include "fault.h"
#include "room.h"
#include <stdbool.h>

enum { SHAPE_SEGMENTS_MAX = 16 };

struct shape_segment {
    struct span text; /* what stands there, or the name */
    int slot;         /* -1: it is no name */
};

struct shape {
    const char *text; /* as it was written */
    struct shape_segment *at;
    int count;
    bool open; /* a pattern that ends with `*`, which is not among the segments */
};

/* Parses a template. Names are of letters, digits, _ and -, and may be paths, "task.id". Slots are
 * 0, 1, ... in the order of the names, the same one for the same name. Returns 0, or -1 with a
 * fault that names the rule but not the text. */
int shape_parse_template(struct shape *s, struct span text, struct arena *arena, struct fault *f);

/* Parses a pattern. Names are no paths, and none stands twice. `*` alone is one too. */
int shape_parse_pattern(struct shape *s, struct span text, struct arena *arena, struct fault *f);

/* Whether a text can be a name in a template. */
bool shape_is_path(struct span name);

/* How many slots there are. The slot of a name; -1: there is none. */
int shape_slots(const struct shape *s);
int shape_slot(const struct shape *s, struct span name);

/* Writes the room that values (by slot) make. Returns its bytes; 0 when the value of one is empty,
 * -1 when it would be longer than ROOM_BYTES_MAX. */
int shape_expand(const struct shape *s, const struct span *values, char room[ROOM_BYTES_MAX]);

/* Whether a pattern takes a (checked) room. captures (may be NULL): has a place for each slot. */
bool shape_takes(const struct shape *pattern, struct span room, struct span *captures);

/* Whether a pattern takes all that a template makes. */
bool shape_covers(const struct shape *pattern, const struct shape *t);

/* Orders patterns: of two that take the same room, the more special one is first. 0: they take
 * the same rooms. */
int shape_compare(const struct shape *a, const struct shape *b);

#endif
