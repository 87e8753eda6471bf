/* Numbers, durations and sizes from text, strictly: the whole text, in range, or a fault. */
#ifndef NUM_H
#define NUM_H

#include "fault.h"
#include <stdint.h>

/* A decimal integer within [min, max]. */
int num_parse(struct span text, int64_t min, int64_t max, int64_t *out, struct fault *f);

/* A duration in milliseconds: a decimal number (a fraction is allowed) and a unit of ms, s, m,
 * h or d; without a unit, seconds. "1.5s" is 1500. Range in milliseconds. */
int num_parse_ms(struct span text, int64_t min, int64_t max, int64_t *out, struct fault *f);

/* A size in bytes: a decimal integer and an optional k, m or g (powers of 1024; "KiB", "kB"
 * and the like are refused). Range in bytes. */
int num_parse_bytes(struct span text, int64_t min, int64_t max, int64_t *out, struct fault *f);

/* So much within so long. RATE_OFF: as much as one likes. */
struct rate {
    int64_t count; /* 0: none is set */
    int64_t period_ms;
};
#define RATE_OFF INT64_MAX

/* A rate: a count within the range, a slash, and a duration of 100 ms to a day, "100/1m". */
int num_parse_rate(struct span text, int64_t min, int64_t max, struct rate *out, struct fault *f);

/* Back again, in the largest unit that leaves no fraction: "90s", "1500ms", "1m"; "64k". */
void num_format_ms(struct buf *b, int64_t ms);
void num_format_bytes(struct buf *b, int64_t bytes);
void num_format_rate(struct buf *b, const struct rate *r); /* or "off" */

#endif
