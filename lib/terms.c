#include "terms.h"
#include "json.h"
#include <string.h>

static void find_lengths(struct terms *t, const struct catalog *c, const struct event *e)
{
    for (int i = 0; i < e->room_count; i++) {
        const struct catalog_room *room = catalog_room(c, e->rooms[i], NULL);
        if (!room || room->history_length == 0)
            continue;
        t->store.rooms[i].length = room->history_length;
        t->store.rooms[i].age_ms = room->history_ms;
        t->kept = true;
    }
}

/* A field is no change that names what the event is about, who did it, or the version. */
static bool is_change(const struct catalog_event *rule, struct span key)
{
    const struct shape *entity = rule->entity;

    for (int i = 0; i < entity->count; i++)
        if (entity->at[i].slot >= 0 &&
            json_string_is(key, rule->route.fields[entity->at[i].slot].path))
            return false;
    for (int i = 0; i < rule->route.field_count; i++)
        if (rule->route.fields[i].in_room && json_string_is(key, rule->route.fields[i].path))
            return false;
    return (!rule->user || !json_string_is(key, rule->user)) &&
           (!rule->expect || !json_string_is(key, rule->expect));
}

static void find_changes(struct terms *t, const struct catalog_event *rule, struct span data)
{
    struct json_walk w = json_walk(data);
    struct span key, value;
    int count = 0;

    while (json_next_member(&w, &key, &value)) {
        if (!is_change(rule, key))
            continue;
        if (count == STORE_FIELDS_MAX)
            return;
        t->store.fields[count++] = json_inside(key);
    }
    t->store.field_count = count;
}

static int find_expected(struct terms *t, const struct catalog_event *rule, struct span data,
                         struct fault *f)
{
    struct span value;

    if (!rule->expect || data.len == 0 || !json_find(data, rule->expect, &value) ||
        json_type(value) == JSON_NULL)
        return 0;
    if (json_type(value) != JSON_NUMBER || json_int(value, &t->store.expect) != 0 ||
        t->store.expect < 0)
        return fault_set(f, "%s: must be a version: a whole number from 0 on", rule->expect);
    return 0;
}

static int find_version(struct terms *t, const struct catalog_event *rule, const struct event *e,
                        struct fault *f)
{
    static const enum store_version versions[] = {
        [CATALOG_UNVERSIONED] = STORE_UNVERSIONED,
        [CATALOG_START] = STORE_START,
        [CATALOG_NEXT] = STORE_NEXT,
        [CATALOG_SAME] = STORE_SAME,
        [CATALOG_END] = STORE_END,
    };
    static const enum store_conflict conflicts[] = {[CATALOG_REJECT] = STORE_REJECT,
                                                    [CATALOG_LAST] = STORE_LAST,
                                                    [CATALOG_MERGE] = STORE_MERGE};

    if (rule->version == CATALOG_UNVERSIONED || !rule->entity)
        return 0;
    int len = catalog_entity(rule, e->data, t->entity, f);
    if (len <= 0)
        return len;
    t->kept = true;
    t->store.entity = (struct span){t->entity, (size_t)len};
    t->store.version = versions[rule->version];
    t->store.conflict = conflicts[rule->conflict];
    if (find_expected(t, rule, e->data, f) != 0)
        return -1;
    if (rule->conflict == CATALOG_MERGE || rule->version == CATALOG_NEXT)
        find_changes(t, rule, e->data);
    return 0;
}

int terms_find(struct terms *t, const struct catalog *c, const struct event *e, struct fault *f)
{
    const struct catalog_event *rule = catalog_event(c, e->type);

    memset(t, 0, sizeof(*t));
    t->store.expect = -1;
    if (!rule || rule->class != CATALOG_KEPT)
        return 0;
    find_lengths(t, c, e);
    return find_version(t, rule, e, f);
}
