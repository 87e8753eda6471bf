#include "web.h"
#include <string.h>
#include <strings.h>

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

bool web_is_listed(const struct settings *set, struct span origin)
{
    const struct opt_list *origins = &set->origins;
    for (size_t i = 0; origin.len && i < origins->count; i++)
        if (span_is(origin, origins->at[i]) || strcmp(origins->at[i], "*") == 0)
            return true;
    return false;
}

/* What of an origin stands in Host too. A proxy that does TLS changes the scheme. */
static bool is_host(struct span origin, struct span host)
{
    const char *mark = memmem(origin.at, origin.len, "://", 3);
    if (!mark)
        return false;
    span_drop(&origin, (size_t)(mark + 3 - origin.at));
    return origin.len == host.len && strncasecmp(origin.at, host.at, host.len) == 0;
}

bool web_may_open(const struct settings *set, const struct web_request *r)
{
    struct span origin = r->headers[WEB_ORIGIN];
    return !origin.len || is_host(origin, r->headers[WEB_HOST]) || web_is_listed(set, origin);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct span web_item(struct span *list)
{
    const char *end = memchr(list->at, ',', list->len);
    struct span item = {list->at, end ? (size_t)(end - list->at) : list->len};
    span_drop(list, item.len + (end ? 1 : 0));
    while (item.len && is_blank(item.at[0]))
        span_drop(&item, 1);
    while (item.len && is_blank(item.at[item.len - 1]))
        item.len--;
    return item;
}

bool web_lists(struct span list, const char *wanted)
{
    while (list.len)
        if (span_is(web_item(&list), wanted))
            return true;
    return false;
}
