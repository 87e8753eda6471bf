#include "web.h"
#include <string.h>

/* Takes what stands before the next '&' off the front. */
static struct span take_pair(struct span *query)
{
    const char *end = memchr(query->at, '&', query->len);
    struct span pair = {query->at, end ? (size_t)(end - query->at) : query->len};
    span_drop(query, pair.len + (end ? 1 : 0));
    return pair;
}

struct span web_query(struct span query, const char *name)
{
    size_t len = strlen(name);
    while (query.len) {
        struct span pair = take_pair(&query);
        if (!span_starts(pair, name) || pair.len == len || pair.at[len] != '=')
            continue;
        span_drop(&pair, len + 1);
        return pair;
    }
    return (struct span){0};
}
