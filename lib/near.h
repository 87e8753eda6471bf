/* Likeness of names, for "did you mean". */
#ifndef NEAR_H
#define NEAR_H

#include "buf.h"
#include <stdbool.h>

/* Whether a wrong name was likely meant to be that right one: it is how that begins, or one or two
 * letters of it were left out, put in, exchanged or swapped. Names of more than 63 bytes are like
 * nothing. */
bool near_is(struct span wrong, const char *right);

#endif
