/* What a reader wants to see of a stream of JSON objects: which of them, and how.
 *
 * A path names a field: "room", or a member of a member, "data.task.id". Objects are such as
 * json_check() accepted. Nothing is remembered from one object to the next. */
#ifndef VIEW_H
#define VIEW_H

#include "buf.h"
#include "fault.h"
#include <stdbool.h>

/* Whether a pattern, in which * stands for any run of bytes or none, takes a text. */
bool view_matches(struct span pattern, struct span text);

/* One condition: PATH (the field is there), PATH=VALUE, or PATH!=VALUE (it is another or is not
 * there). VALUE is a string's text; of anything else, its JSON. */
struct view_filter;
struct view_filter *view_filter_parse(const char *text, struct fault *f); /* NULL: a fault */
bool view_filter_takes(const struct view_filter *x, struct span object);
void view_filter_free(struct view_filter *x);

/* A line of text with {PATH} where a field goes, and \n, \t, \\, \{ and \} in it. Strings are
 * written as their text, anything else as JSON, what is absent not at all. */
struct view_format;
struct view_format *view_format_parse(const char *text, struct fault *f); /* NULL: a fault */
void view_format_free(struct view_format *x);

/* Appends the line. tame: what comes from the object is tamed as by view_tame(). */
void view_format_write(const struct view_format *x, struct span object, bool tame, struct buf *out);

/* Appends text (UTF-8) for a terminal: control characters become \u escapes, so that no event can
 * give it orders. JSON on one line stays JSON of the same meaning. */
void view_tame(struct span text, struct buf *out);

#endif
