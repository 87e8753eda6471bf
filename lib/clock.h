/* Time: a steady clock for intervals, the wall clock for stamps. */
#ifndef CLOCK_H
#define CLOCK_H

#include "buf.h"
#include <stdint.h>

/* Milliseconds of a clock that never jumps (CLOCK_MONOTONIC). Nanoseconds of the same. */
int64_t clock_steady_ms(void);
int64_t clock_steady_ns(void);

/* Milliseconds since 1970-01-01 UTC. */
int64_t clock_wall_ms(void);

enum { CLOCK_STAMP_BYTES = 25 }; /* "2026-11-20T18:00:00.123Z" and its NUL */

/* RFC 3339, UTC, milliseconds. Years 1970 to 9999. */
void clock_stamp(int64_t wall_ms, char out[CLOCK_STAMP_BYTES]);

/* Parses any RFC 3339 date-time (fraction and offset allowed). Returns 0, or -1 when it is none. */
int clock_parse_stamp(struct span text, int64_t *wall_ms);

#endif
