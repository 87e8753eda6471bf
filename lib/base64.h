/* Base64 (RFC 4648, section 4): the standard alphabet, padded. And, to be read only, base64url
 * (section 5): the one for URLs, without padding. */
#ifndef BASE64_H
#define BASE64_H

#include "buf.h"
#include "fault.h"

/* Appends bytes as base64. */
void base64_encode(struct buf *out, struct span bytes);

/* Appends the bytes that text stands for. Returns 0; or -1, with nothing appended, for anything
 * that base64_encode() would not have written. */
int base64_decode(struct buf *out, struct span text);

/* The same for base64url; the fault says which byte is wrong. */
int base64url_decode(struct buf *out, struct span text, struct fault *f);

#endif
