#include "rate.h"

int64_t rate_count(const struct rate_window *w, int64_t now_ms)
{
    return now_ms < w->ends_ms ? w->count : 0;
}

int64_t rate_wait_ms(const struct rate_window *w, const struct rate *r, int64_t now_ms)
{
    return rate_count(w, now_ms) < r->count ? 0 : w->ends_ms - now_ms;
}

bool rate_take(struct rate_window *w, const struct rate *r, int64_t now_ms)
{
    if (r->count == RATE_OFF)
        return true;
    if (now_ms >= w->ends_ms)
        *w = (struct rate_window){now_ms + r->period_ms, 0};
    if (w->count >= r->count)
        return false;
    w->count++;
    return true;
}
