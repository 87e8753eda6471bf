/* A route: which fields the data of an event or message has, and which rooms they lead to.
 *
 * A route is built once, field by field and template by template, within an arena; then it is only
 * read. Finding the rooms allocates nothing. */
#ifndef ROUTE_H
#define ROUTE_H

#include "arena.h"
#include "event.h"
#include "fault.h"
#include "field.h"
#include "shape.h"

enum { ROUTE_FIELDS_MAX = 32 };

struct route {
    struct field *fields;
    int field_count;
    struct shape *to; /* slots are indexes of fields */
    int to_count;     /* at most EVENT_ROOMS_MAX */
};

/* Rooms that were found. The spans are of text. */
struct route_rooms {
    int count;
    struct span at[EVENT_ROOMS_MAX];
    char text[EVENT_ROOMS_MAX * ROOM_BYTES_MAX];
};

/* The index of the field with that path; a new one is anything, and not needed. -1 when there are
 * as many as there may be. */
int route_field(struct route *r, struct span path, struct arena *arena);

/* Makes a template's slots indexes of the route's fields, which are in rooms from then on. Returns
 * 0, or -1 with a fault: a field is of a kind that no room is made of, or one too many. */
int route_bind(struct route *r, struct shape *t, struct arena *arena, struct fault *f);

/* Adds a bound template: one that was not there. The caller sees to EVENT_ROOMS_MAX. */
void route_add(struct route *r, const struct shape *t, struct arena *arena);

/* Whether data (any JSON value; empty: none) has the fields it must have, each of its kind. The
 * fault names the field and says what is wrong. */
int route_check(const struct route *r, struct span data, struct fault *f);

/* Checks data and finds the rooms: those of the templates all of whose fields are there, in
 * order, each once. There may be none. Returns 0 or -1. */
int route_find(const struct route *r, struct span data, struct route_rooms *out, struct fault *f);

/* The room of one bound template. Returns its bytes; 0 when a field is absent, -1 with a fault. */
int route_expand(const struct route *r, const struct shape *t, struct span data,
                 char room[ROOM_BYTES_MAX], struct fault *f);

/* Says that data leads to no room, and what would. Returns -1. */
int route_none(const struct route *r, struct fault *f);

#endif
