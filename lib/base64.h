/* Base64 (RFC 4648, section 4): the standard alphabet, padded. */
#ifndef BASE64_H
#define BASE64_H

#include "buf.h"

/* Appends bytes as base64. */
void base64_encode(struct buf *out, struct span bytes);

/* Appends the bytes that text stands for. Returns 0; or -1, with nothing appended, for anything
 * that base64_encode() would not have written. */
int base64_decode(struct buf *out, struct span text);

#endif
