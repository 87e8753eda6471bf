/* Fields of an event's data: what they must be, and whether they are.
 *
 * Kinds that a room can be made of take strings and whole numbers that are segments by the rule of
 * room.h, as they stand in the JSON: an escape is no letter of an id. */
#ifndef FIELD_H
#define FIELD_H

#include "buf.h"
#include "fault.h"
#include <stdbool.h>

/* name, the word for it in a catalog, what such a value is, whether a room can be made of it */
#define FIELD_KINDS(X)                                                                             \
    X(FIELD_ANY, "any", "anything but null", true)                                                 \
    X(FIELD_ID, "id", "an id (letters, digits and . _ ~ @ -, or a whole number)", true)            \
    X(FIELD_CUID, "cuid", "a CUID", true)                                                          \
    X(FIELD_UUID, "uuid", "a UUID", true)                                                          \
    X(FIELD_ULID, "ulid", "a ULID", true)                                                          \
    X(FIELD_STRING, "string", "a string", true)                                                    \
    X(FIELD_NUMBER, "number", "a number", false)                                                   \
    X(FIELD_INTEGER, "integer", "a whole number", true)                                            \
    X(FIELD_BOOL, "bool", "a boolean", false)                                                      \
    X(FIELD_OBJECT, "object", "an object", false)                                                  \
    X(FIELD_ARRAY, "array", "an array", false)

enum field_kind {
#define X(name, word, what, room) name,
    FIELD_KINDS(X)
#undef X
        FIELD_WORD, /* one of some strings */
    FIELD_KIND_COUNT = FIELD_WORD,
};

struct field {
    const char *path; /* "taskId"; of a field of a field, "task.id" */
    size_t path_bytes;
    bool nested; /* the path has a dot */
    enum field_kind kind;
    const char *const *words; /* of FIELD_WORD; NULL-terminated */
    bool needed;
    bool in_room; /* a room is made of it: besides its kind, it must be an id */
};

/* The word for a kind but FIELD_WORD. The kind of a word: FIELD_KIND_COUNT when there is none. */
const char *field_kind_word(enum field_kind kind);
enum field_kind field_kind_of(struct span word);

/* Whether a room can be made of a kind. */
bool field_kind_in_room(enum field_kind kind);

/* Whether a value (json.h; empty or null: it is absent) is as the field must be. Returns 0, or -1
 * with a fault that names the path. */
int field_check(const struct field *field, struct span value, struct fault *f);

/* What a checked value that is in a room puts there; empty when it is absent. */
struct span field_segment(struct span value);

#endif
