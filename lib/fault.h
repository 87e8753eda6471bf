/* Errors as values: one sentence that says what is wrong, where, and why.
 *
 * A function that can fail for a reason its caller should hear takes a struct fault *, fills
 * it when it fails and leaves it alone when it doesn't. The text is for people; it never
 * holds a secret, and control characters in quoted input are made visible. */
#ifndef FAULT_H
#define FAULT_H

#include "buf.h"

struct fault {
    char text[256]; /* NUL-terminated; cut at the end of a UTF-8 sequence when too long */
};

/* Sets the text. Returns -1, so that `return fault_set(...)` reads as what it is. */
int fault_set(struct fault *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "prefix: " before the text. Returns -1. */
int fault_at(struct fault *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A printable excerpt of input for a message: at most 40 bytes, quoted, control characters and
 * bytes that are no UTF-8 escaped. It stands in one of four static buffers, used in turn. */
const char *fault_quote(struct span input);

#endif
