/* A place in the history of a room: what the id of a kept event says, EPOCH-SEQ.
 *
 * EPOCH is when that stretch of the history began, in milliseconds; within it SEQ counts 0, 1, 2,
 * ... without a hole. Epochs only grow. Epoch 0 is the place before all events. */
#ifndef PLACE_H
#define PLACE_H

#include "buf.h"
#include <stdbool.h>
#include <stdint.h>

struct place {
    uint64_t epoch, seq;
};

enum { PLACE_BYTES = 42 }; /* two numbers of 20 digits, what parts them, and a NUL */

/* Returns 0, or -1 when the text is no id. */
int place_parse(struct span text, struct place *out);

/* Writes the id into text. Returns it as a span. */
struct span place_format(struct place p, char text[PLACE_BYTES]);

/* Below, at or above zero, as a is before, at or after b. */
int place_compare(struct place a, struct place b);

/* Whether no event can be between: b is the next of a's epoch, or the first of all. */
bool place_follows(struct place a, struct place b);

#endif
