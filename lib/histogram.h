/* A histogram of times (or any numbers of 0 and more), of a fixed size however many are counted.
 *
 * Numbers below 64 are kept as they are; above, a bucket is at most 1/32 of its number wide, so
 * what is read back is up to 3% more than what went in. */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 59 * 32 };

/* All zero is an empty one. */
struct histogram {
    uint64_t count;
    int64_t max; /* exact */
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* Counts a number; a negative one as 0. */
void histogram_add(struct histogram *h, int64_t number);

/* The number that a fraction (0 to 1) of all numbers don't exceed; 0 when there are none. */
int64_t histogram_quantile(const struct histogram *h, double fraction);

#endif
