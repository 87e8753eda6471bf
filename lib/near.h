/* Likeness of names, for "did you mean". */
#ifndef NEAR_H
#define NEAR_H

#include "buf.h"
#include <stdbool.h>

enum { NEAR_NOT = 1000 };

/* How far a wrong name is from a right one that was likely meant: it is how that begins (1), or
 * one or two letters of it were left out, put in, exchanged or swapped (as many). Else NEAR_NOT,
 * as for names of more than 63 bytes. */
int near_distance(struct span wrong, const char *right);

/* Whether it was likely meant. */
bool near_is(struct span wrong, const char *right);

#endif
