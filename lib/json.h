/* JSON (RFC 8259): reading it where it stands, and writing documents.
 *
 * Reading is strict and copies nothing: json_check() accepts exactly the texts of RFC 8259 that
 * are valid UTF-8 and nest at most JSON_DEPTH deep; the walkers then hand out spans of the very
 * bytes that came in, so a 64-bit integer, a surrogate pair or -0.0 leaves as it arrived. (cJSON
 * takes control characters, leading zeros and broken UTF-8, and keeps numbers as doubles: it
 * could not do this. It writes our documents.) */
#ifndef JSON_H
#define JSON_H

#include "buf.h"
#include "fault.h"
#include <stdbool.h>
#include <stdint.h>

enum { JSON_DEPTH = 64 };

enum json_type {
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};

/* Whether text is one JSON value with nothing but white space around it. The fault says the column
 * (in bytes, from 1), and the line if text has a line feed, what stands there and what was
 * expected. */
int json_check(struct span text, struct fault *f);

/* The same for a caller that says places in a way of its own: the fault does not say where, and *at
 * is the byte that is wrong, or the text's end. *at is set on a fault only. */
int json_check_at(struct span text, const char **at, struct fault *f);

/* What follows takes only text that json_check() accepted. */

/* The value without the white space around it. Its type. The type's name ("a string"). */
struct span json_trim(struct span text);
enum json_type json_type(struct span value);
const char *json_type_name(enum json_type type);

/* Walks the members of an object, or the elements of an array, in order: set up with
 * json_walk(), then call until false. Keys come as spans of the encoded string, quotes included;
 * values without white space around them. A walk over anything else ends at once. */
struct json_walk {
    struct span rest;
};
struct json_walk json_walk(struct span container);
bool json_next_member(struct json_walk *w, struct span *key, struct span *value);
bool json_next_element(struct json_walk *w, struct span *value);

/* The value of the last member with that name (as JavaScript reads duplicates). A member of a
 * member: json_find with a dotted path, "data.task.id". False when absent. */
bool json_get(struct span object, const char *name, struct span *value);
bool json_find(struct span object, const char *path, struct span *value);

/* What stands between the quotes of an encoded string, still encoded. */
struct span json_inside(struct span string);

/* Whether an encoded string (quotes included) is that text, once decoded. */
bool json_string_is(struct span string, const char *text);

/* Appends the decoded text of an encoded string, in UTF-8; a lone surrogate becomes U+FFFD. */
void json_decode(struct span string, struct buf *out);

/* An integer that fits: no fraction, no exponent. Returns 0 or -1. */
int json_int(struct span number, int64_t *out);

/* Appends text as an encoded string, quotes included. Bytes that are no UTF-8 become U+FFFD. */
void json_encode(struct buf *out, struct span text);

/* Appends the value with the white space between its tokens left out; every token stays. */
void json_compact(struct buf *out, struct span value);

/* Appends an object, compact, with the member of that name set to a value (JSON) and first, whether
 * or not it had it. */
void json_put(struct buf *out, struct span object, const char *name, struct span value);

/* Line and column (both from 1, in bytes) of a place in a text, for messages about it. */
void json_place(struct span text, const char *at, int *line, int *column);

/* A document being written: a tree that owns what is added to it; freed by its root alone. The
 * adders return the new value, so that objects nest. */
struct json;
struct json *json_new_object(void);
struct json *json_new_array(void);
struct json *json_add_object(struct json *object, const char *name);
struct json *json_add_array(struct json *object, const char *name);
void json_add_text(struct json *object, const char *name, const char *text);
void json_add_span(struct json *object, const char *name, struct span text);
void json_add_number(struct json *object, const char *name, double number);
void json_add_bool(struct json *object, const char *name, bool value);
void json_add_null(struct json *object, const char *name);
void json_add_raw(struct json *object, const char *name, struct span checked_json);
void json_push(struct json *array, struct json *value); /* takes value over */
void json_push_span(struct json *array, struct span text);

/* Appends the document on one line; or indented, for people. */
void json_write(const struct json *document, struct buf *out);
void json_write_pretty(const struct json *document, struct buf *out);
void json_free(struct json *document);

#endif
