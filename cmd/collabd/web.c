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

bool web_lists(struct span list, const char *wanted)
{
    while (list.len) {
        const char *comma = memchr(list.at, ',', list.len);
        size_t len = comma ? (size_t)(comma - list.at) : list.len;
        struct span item = {list.at, len};
        while (item.len && item.at[0] == ' ')
            item = (struct span){item.at + 1, item.len - 1};
        if (span_is(item, wanted))
            return true;
        len += comma ? 1 : 0;
        list = (struct span){list.at + len, list.len - len};
    }
    return false;
}
