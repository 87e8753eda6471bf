/* How many there were of something within a time: a window that opens with the first and counts
 * until the rate's period is over; the next opens with the first after that. So what is allowed is
 * at most twice the count within any one period, and when it is allowed again is known exactly.
 * Knows no client and keeps nothing but two numbers. */
#ifndef RATE_H
#define RATE_H

#include "num.h"
#include <stdbool.h>
#include <stdint.h>

/* Of all zero: nothing was counted yet. */
struct rate_window {
    int64_t ends_ms; /* steady */
    int64_t count;
};

/* Whether one more is within the rate, which counts it then. */
bool rate_take(struct rate_window *w, const struct rate *r, int64_t now_ms);

/* How many there were, and how long until the rate allows one more; 0: it does. */
int64_t rate_count(const struct rate_window *w, int64_t now_ms);
int64_t rate_wait_ms(const struct rate_window *w, const struct rate *r, int64_t now_ms);

#endif
