/* The form of data that a catalog asks for: a tree of fields, for those who describe it to other
 * programs. Made once from a catalog, within an arena, and then only read; what it points to is
 * the catalog's. */
#ifndef FORM_H
#define FORM_H

#include "catalog.h"

/* What a field can be, in the words of other languages. */
struct form_type {
    const char *typescript; /* a type */
    const char *schema;     /* a JSON Schema: an object */
};

/* A field, or the data itself, which has no name. One of type, words and fields says what it is; an
 * object without any may have whatever fields it likes, as all objects may have more of them. */
struct form {
    const char *name;
    bool needed;
    const struct form_type *type;
    const char *const *words; /* NULL-terminated */
    struct form *fields;
    struct form *next; /* the field after this one */
};

/* The data of an event; of a message. */
struct form *form_of_event(const struct catalog_event *e, struct arena *arena);
struct form *form_of_message(const struct catalog_message *m, struct arena *arena);

/* What one finds in the answer to a message beside `ok`, as an object. */
struct form *form_of_reply(const struct catalog_message *m, struct arena *arena);

#endif
