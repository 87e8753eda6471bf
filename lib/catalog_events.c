#include "catalog_events.h"
#include "catalog_build.h"
#include "json.h"
#include <string.h>

#define EVENT(field) offsetof(struct catalog_event, field)
#define ROWS(rows)   rows, sizeof(rows) / sizeof((rows)[0])

static const char *const class_words[] = {"kept", "live", "signal", NULL};
static const char *const version_words[] = {"none", "start", "next", "same", "end", NULL};
static const char *const conflict_words[] = {"reject", "last", "merge", NULL};
static const char *const publish_words[] = {"none", "grant", "joined", "member", NULL};

static int read_publish(struct schema_reader *r, const struct schema_row *row, struct span value,
                        void *into)
{
    enum { NONE = 1, GRANT = 2, JOINED = 4, MEMBER = 8 }; /* the bits of publish_words */
    unsigned words, *publish = into;

    if (schema_words(r, row, value, &words) != 0)
        return -1;
    if ((words & NONE) != 0 && words != NONE)
        return schema_fault(r, value.at, "%s: \"none\" must stand alone", row->key);
    *publish = ((words & NONE) == 0 ? CATALOG_GRANT : 0) |
               ((words & JOINED) != 0 ? CATALOG_JOINED : 0) |
               ((words & MEMBER) != 0 ? CATALOG_MEMBER : 0);
    return 0;
}

static int read_user(struct schema_reader *r, const struct schema_row *row, struct span value,
                     void *into)
{
    const char **name = into;

    if (catalog_read_path(r, row, value, name) != 0)
        return -1;
    if (strchr(*name, '.'))
        return schema_wrong(r, row->key, value, "a field of the data itself");
    return 0;
}

static int read_entity(struct schema_reader *r, const struct schema_row *row, struct span value,
                       void *into)
{
    struct catalog_event *e = into;
    struct shape *t = arena_alloc(r->arena, sizeof(*t));

    if (catalog_read_template(r, row->key, value, t) != 0 ||
        catalog_bind(r, row->key, value, &e->route, t) != 0)
        return -1;
    e->entity = t;
    return 0;
}

/* The field that says which version was known is a whole number. */
static int read_expect(struct schema_reader *r, const struct schema_row *row, struct span value,
                       void *into)
{
    struct catalog_event *e = into;

    if (catalog_read_path(r, row, value, &e->expect) != 0)
        return -1;
    int i = route_field(&e->route, span_of(e->expect), r->arena);
    if (i < 0)
        return schema_fault(r, value.at, "%s: more than %d fields", row->key, ROUTE_FIELDS_MAX);
    struct field *field = &e->route.fields[i];
    if (field->kind != FIELD_ANY && field->kind != FIELD_INTEGER)
        return schema_fault(r, value.at, "%s: %s must be of the kind \"integer\"", row->key,
                            e->expect);
    field->kind = FIELD_INTEGER;
    return 0;
}

/* Fields first: what is made of them looks at their kinds. */
static const struct schema_row event_rows[] = {
    {"about", schema_text, EVENT(about), NULL, NULL, 0, CATALOG_ABOUT_BYTES_MAX},
    {"need", catalog_read_fields, EVENT(route), NULL, NULL, 0, 0},
    {"may", catalog_read_fields, EVENT(route), NULL, NULL, 0, 0},
    {"to", catalog_read_templates, EVENT(route), NULL, NULL, 0, 0},
    {"class", schema_word, EVENT(class), "\"kept\"", class_words, 0, 0},
    {"publish", read_publish, EVENT(publish), "\"grant\"", publish_words, 0, 0},
    {"roles", schema_texts, EVENT(roles), NULL, NULL, 1, CATALOG_NAME_BYTES_MAX},
    {"user", read_user, EVENT(user), NULL, NULL, 0, 0},
    {"entity", read_entity, 0, NULL, NULL, 0, 0},
    {"version", schema_word, EVENT(version), "\"none\"", version_words, 0, 0},
    {"conflict", schema_word, EVENT(conflict), "\"reject\"", conflict_words, 0, 0},
    {"expect", read_expect, 0, NULL, NULL, 0, 0},
    {"expires", schema_ms, EVENT(expires_ms), "\"5s\"", NULL, 100, 3600000},
    {"then", catalog_read_then, 0, NULL, NULL, 0, 0},
    {"rate", schema_rate, EVENT(rate), NULL, NULL, 1, 1000000},
};

/* A version is of an entity that every such event names; its conflicts are found in the history.
 */
static int check_version(struct schema_reader *r, struct span object, const struct catalog_event *e)
{
    static const char *const keys[] = {"conflict", "expect", NULL};
    const char *at = schema_place(object, "version").at;

    if (e->version == CATALOG_UNVERSIONED)
        return catalog_of_no_use(r, object, keys, "version");
    if (!e->entity)
        return schema_fault(r, at, "version: needs an entity, whose version it is");
    if (e->class != CATALOG_KEPT)
        return schema_fault(r, at, "version: only events of the class \"kept\" have one");
    for (int i = 0; i < e->entity->count; i++) {
        int slot = e->entity->at[i].slot;
        if (slot >= 0 && !e->route.fields[slot].needed)
            return schema_fault(r, schema_place(object, "entity").at,
                                "entity: {%s} must be in need, for a version",
                                e->route.fields[slot].path);
    }
    return 0;
}

static int check_event(struct schema_reader *r, struct span object, void *into)
{
    static const char *const of_members[] = {"roles", NULL};
    static const char *const of_signals[] = {"expires", "then", "rate", NULL};
    static const char *const of_versions[] = {"entity", NULL};
    struct catalog_build *b = catalog_build(r);
    const struct catalog_event *e = into;
    bool signal = e->class == CATALOG_SIGNAL;

    if (catalog_given(object, "publish"))
        b->published[e - b->events] = schema_place(object, "publish");
    if ((e->publish & CATALOG_MEMBER) == 0 &&
        catalog_of_no_use(r, object, of_members, "\"member\" in publish") != 0)
        return -1;
    if (!signal && catalog_of_no_use(r, object, of_signals, "the class \"signal\"") != 0)
        return -1;
    if (!signal && e->version == CATALOG_UNVERSIONED &&
        catalog_of_no_use(r, object, of_versions, "version") != 0)
        return -1;
    return check_version(r, object, e);
}

const struct schema catalog_event_schema = {"an event", ROWS(event_rows), check_event};

static int read_event(struct schema_reader *r, struct catalog_event *e, struct span key,
                      struct span value)
{
    e->type = schema_decode(r, "events", key, 1, EVENT_TYPE_BYTES_MAX);
    if (!e->type)
        return -1;
    if (!catalog_add_event(catalog_build(r)->c, e))
        return schema_fault(r, key.at, "events: %s stands there twice",
                            fault_quote(span_of(e->type)));
    return schema_read(r, &catalog_event_schema, value, e);
}

int catalog_read_events(struct schema_reader *r, const struct schema_row *row, struct span value,
                        void *into)
{
    struct catalog_build *b = catalog_build(r);
    struct json_walk w = json_walk(value);
    struct span key, one;
    size_t count;

    (void)into;
    if (schema_size(r, row, value, SIZE_MAX, &count) != 0)
        return -1;
    b->events = arena_alloc(r->arena, count * sizeof(b->events[0]));
    b->published = arena_alloc(r->arena, count * sizeof(b->published[0]));
    b->c->events = b->events;
    while (json_next_member(&w, &key, &one))
        if (read_event(r, &b->events[b->c->event_count++], key, one) != 0)
            return -1;
    return 0;
}
