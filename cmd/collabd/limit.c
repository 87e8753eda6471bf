#include "limit.h"

static int64_t first_set(int64_t a, int64_t b, int64_t preset)
{
    if (a)
        return a;
    return b ? b : preset;
}

void limits_settle(struct limits *l, const struct settings *set, const struct catalog *c)
{
#define X(name, setting, catalog, preset) l->name = first_set(set->setting, c->catalog, preset);
    LIMITS(X)
#undef X
}
