/* MessagePack (github.com/msgpack/msgpack, spec.md), turned into JSON and made of it: the one user
 * of msgpack-c.
 *
 * What is read is written as JSON in the same pass. Nothing is kept or reserved for what a length
 * only claims, and nesting is bounded, so that bytes from anywhere cost no more than their own
 * number. Bytes are {"$binary":"<base64>"} in JSON, as in events (sio.h). */
#ifndef PACK_H
#define PACK_H

#include "buf.h"
#include "fault.h"

/* How deep what is read may nest: less than JSON may. */
enum { PACK_DEPTH = 48 };

/* Appends one packed value as compact JSON. Times (RFC 3339, of 1970 to 9999) are strings, NaN and
 * the infinities null, strings that are no UTF-8 get U+FFFD. Returns 0; or -1, with nothing
 * appended, when it is cut short, followed by more, too deep, or has what JSON has not: another
 * extension, or a key that is neither string nor integer. */
int pack_read(struct span packed, struct buf *out, struct fault *f);

/* Appends a (checked) JSON value, packed: integers as such where 64 bits hold them, other numbers
 * as doubles. */
void pack_write(struct span value, struct buf *out);

#endif
