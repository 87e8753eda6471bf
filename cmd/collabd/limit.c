#include "limit.h"

static int64_t first_set(int64_t a, int64_t b, int64_t preset)
{
    if (a)
        return a;
    return b ? b : preset;
}

static struct rate first_rate(struct rate a, struct rate b, struct rate preset)
{
    if (a.count)
        return a;
    return b.count ? b : preset;
}

const struct rate_row limit_rates[RATE_COUNT] = {
#define X(name, setting, catalog, count, period_ms, metric, what, whom)                            \
    {offsetof(struct limits, name), metric, what, whom},
    RATES(X)
#undef X
};

const struct rate *limits_rate(const struct limits *l, enum rate_id id)
{
    return (const struct rate *)(const void *)((const char *)l + limit_rates[id].offset);
}

void limits_settle(struct limits *l, const struct settings *set, const struct catalog *c)
{
#define X(name, setting, catalog, preset) l->name = first_set(set->setting, c->catalog, preset);
    LIMITS(X)
#undef X
#define X(name, setting, catalog, count, period_ms, metric, what, whom)                            \
    l->name = first_rate(set->setting, c->catalog, (struct rate){count, period_ms});
    RATES(X)
#undef X
}
