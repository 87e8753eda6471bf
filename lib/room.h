/* Rooms and patterns of rooms: their rules.
 *
 * A room is `kind:id` or longer, 1 to 200 bytes of letters, digits and . _ ~ @ - in segments
 * that colons separate, none of them empty.
 *
 * A pattern is a room in which `*` may end a segment: it stands for the rest of that segment. A
 * last segment that is nothing but `*` stands for one or more segments. So `project:*` takes
 * project:p1, `tenant:t1:*` takes all that is under that tenant, `team:eu-*` takes team:eu-1 but
 * not team:eu-1:x, `tenant:*:audit` takes tenant:t1:audit, and `*` takes every room. */
#ifndef ROOM_H
#define ROOM_H

#include "buf.h"
#include "fault.h"
#include <stdbool.h>

enum { ROOM_BYTES_MAX = 200 };

/* Returns 0, or -1 with a fault that names the room and the rule. */
int room_check(struct span room, struct fault *f);
int room_check_pattern(struct span pattern, struct fault *f);

/* Whether a text can be one segment of a room: an id from elsewhere, before a room is made of
 * it. */
bool room_is_segment(struct span text);

/* Whether a (checked) pattern takes a (checked) room. */
bool room_matches(struct span pattern, struct span room);

#endif
