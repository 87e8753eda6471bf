#include "catalog_build.h"
#include "json.h"
#include "near.h"
#include <string.h>

struct catalog_build *catalog_build(const struct schema_reader *r)
{
    return r->ctx;
}

/* What stands in a string, for a fault. */
static const char *quote(struct span string)
{
    return fault_quote((struct span){string.at + 1, string.len - 2});
}

/* --- Keys --- */

bool catalog_given(struct span object, const char *key)
{
    struct span value;

    return json_get(object, key, &value);
}

int catalog_of_no_use(struct schema_reader *r, struct span object, const char *const *keys,
                      const char *without)
{
    for (; *keys; keys++)
        if (catalog_given(object, *keys))
            return schema_fault(r, schema_place(object, *keys).at, "%s: of no use without %s",
                                *keys, without);
    return 0;
}

/* --- Fields --- */

static const char *const kind_words[] = {
#define X(name, word, what, room) word,
    FIELD_KINDS(X)
#undef X
        NULL,
};

static int read_words(struct schema_reader *r, struct span value, struct field *field)
{
    struct schema_row row = {.key = field->path, .min = 1, .max = CATALOG_NAME_BYTES_MAX};

    field->kind = FIELD_WORD;
    if (schema_texts(r, &row, value, &field->words) != 0)
        return -1;
    if (!field->words[0])
        return schema_fault(r, value.at, "%s: must not be empty", field->path);
    return 0;
}

static int read_kind(struct schema_reader *r, struct span value, struct field *field)
{
    struct schema_row row = {.key = field->path, .arg = kind_words};
    int kind;

    if (json_type(value) == JSON_ARRAY)
        return read_words(r, value, field);
    if (json_type(value) != JSON_STRING)
        return schema_wrong(r, field->path, value, "a kind of field, or an array of words");
    if (schema_word(r, &row, value, &kind) != 0)
        return -1;
    field->kind = (enum field_kind)kind;
    return 0;
}

int catalog_read_path(struct schema_reader *r, const struct schema_row *row, struct span value,
                      void *into)
{
    const char *path = schema_decode(r, row->key, value, 1, CATALOG_NAME_BYTES_MAX);

    if (!path)
        return -1;
    *(const char **)into = path;
    if (!shape_is_path(span_of(path)))
        return schema_wrong(r, row->key, value,
                            "a name of letters, digits, _ and -, or such names with dots between "
                            "them");
    return 0;
}

/* kind: empty when the name is all that is given. */
static int read_field(struct schema_reader *r, const struct schema_row *row, struct route *route,
                      struct span name, struct span kind)
{
    int count = route->field_count;
    const char *path;

    if (catalog_read_path(r, row, name, &path) != 0)
        return -1;
    int i = route_field(route, span_of(path), r->arena);
    if (i < 0)
        return schema_fault(r, name.at, "%s: more than %d fields", row->key, ROUTE_FIELDS_MAX);
    if (i < count)
        return schema_fault(r, name.at, "%s: %s stands there twice", row->key, quote(name));
    route->fields[i].needed = strcmp(row->key, "need") == 0;
    return kind.len == 0 ? 0 : read_kind(r, kind, &route->fields[i]);
}

static int read_names(struct schema_reader *r, const struct schema_row *row, struct span value,
                      struct route *route)
{
    struct schema_list names;

    if (schema_list(r, row, value, &names) != 0)
        return -1;
    for (size_t i = 0; i < names.count; i++)
        if (read_field(r, row, route, names.at[i], (struct span){0}) != 0)
            return -1;
    return 0;
}

int catalog_read_fields(struct schema_reader *r, const struct schema_row *row, struct span value,
                        void *into)
{
    struct json_walk w = json_walk(value);
    struct span name, kind;

    if (json_type(value) == JSON_ARRAY || json_type(value) == JSON_STRING)
        return read_names(r, row, value, into);
    if (json_type(value) != JSON_OBJECT)
        return schema_wrong(r, row->key, value, "an object, or an array of names");
    while (json_next_member(&w, &name, &kind))
        if (read_field(r, row, into, name, kind) != 0)
            return -1;
    return 0;
}

/* --- Templates --- */

int catalog_read_template(struct schema_reader *r, const char *key, struct span value,
                          struct shape *out)
{
    const char *text = schema_decode(r, key, value, 1, ROOM_BYTES_MAX);

    if (!text)
        return -1;
    if (shape_parse_template(out, span_of(text), r->arena, r->fault) == 0)
        return 0;
    fault_at(r->fault, "%s", quote(value));
    return schema_because(r, key, value);
}

static bool is_catch_all(const struct catalog_room *room)
{
    return room->pattern.open && room->pattern.count == 0;
}

int catalog_check_template(struct schema_reader *r, const char *key, struct span value,
                           const struct shape *t)
{
    const struct catalog *c = catalog_build(r)->c;
    const char *meant = NULL;

    for (size_t i = 0; i < c->room_count; i++) {
        const struct catalog_room *room = &c->rooms[i];
        if (!is_catch_all(room) && shape_covers(&room->pattern, t))
            return 0;
        if (!meant && near_is(span_of(t->text), room->pattern.text))
            meant = room->pattern.text;
    }
    if (meant)
        return schema_fault(r, value.at, "%s: no pattern in rooms takes %s (did you mean %s?)", key,
                            quote(value), meant);
    return schema_fault(r, value.at, "%s: no pattern in rooms takes %s", key, quote(value));
}

int catalog_bind(struct schema_reader *r, const char *key, struct span value, struct route *route,
                 struct shape *t)
{
    if (route_bind(route, t, r->arena, r->fault) == 0)
        return 0;
    fault_at(r->fault, "%s", quote(value));
    return schema_because(r, key, value);
}

static int add_template(struct schema_reader *r, const char *key, struct span value,
                        struct route *route)
{
    struct shape t;

    if (catalog_read_template(r, key, value, &t) != 0 ||
        catalog_check_template(r, key, value, &t) != 0)
        return -1;
    for (int i = 0; i < route->to_count; i++)
        if (strcmp(route->to[i].text, t.text) == 0)
            return schema_fault(r, value.at, "%s: %s stands there twice", key, quote(value));
    if (route->to_count == EVENT_ROOMS_MAX)
        return schema_fault(r, value.at, "%s: more than %d rooms", key, EVENT_ROOMS_MAX);
    if (catalog_bind(r, key, value, route, &t) != 0)
        return -1;
    route_add(route, &t, r->arena);
    return 0;
}

int catalog_read_templates(struct schema_reader *r, const struct schema_row *row, struct span value,
                           void *into)
{
    struct schema_list list;

    if (schema_list(r, row, value, &list) != 0)
        return -1;
    for (size_t i = 0; i < list.count; i++)
        if (add_template(r, row->key, list.at[i], into) != 0)
            return -1;
    return 0;
}

/* --- Events that are mentioned --- */

static int mention(struct schema_reader *r, struct catalog_mention m)
{
    struct catalog_build *b = catalog_build(r);

    if (json_type(m.name) != JSON_STRING)
        return schema_wrong(r, m.key, m.name, "the type of an event");
    m.next = b->mentions;
    b->mentions = arena_alloc(r->arena, sizeof(m));
    *b->mentions = m;
    return 0;
}

int catalog_read_event(struct schema_reader *r, const struct schema_row *row, struct span value,
                       void *into)
{
    return mention(r, (struct catalog_mention){.into = into, .key = row->key, .name = value});
}

int catalog_read_own_event(struct schema_reader *r, const struct schema_row *row, struct span value,
                           void *into)
{
    return mention(
        r, (struct catalog_mention){.into = into, .key = row->key, .name = value, .own = true});
}

int catalog_read_then(struct schema_reader *r, const struct schema_row *row, struct span value,
                      void *into)
{
    struct catalog_event *e = into;

    return mention(
        r, (struct catalog_mention){.into = &e->then, .key = row->key, .name = value, .signal = e});
}

static int take_from_clients(struct schema_reader *r, const struct catalog_mention *m,
                             struct catalog_event *e)
{
    struct span given = catalog_build(r)->published[e - catalog_build(r)->events];

    if (given.at && e->publish != 0)
        return schema_fault(r, given.at,
                            "publish: must be \"none\": as \"%s\", %s is the gateway's own to say",
                            m->key, quote(m->name));
    e->publish = 0;
    return 0;
}

static int end_signal(struct schema_reader *r, const struct catalog_mention *m,
                      struct catalog_event *e)
{
    if (e == m->signal)
        return schema_fault(r, m->name.at, "%s: must be another event", m->key);
    if (e->ends)
        return schema_fault(r, m->name.at, "%s: %s is what follows %s already", m->key,
                            quote(m->name), e->ends->type);
    e->ends = m->signal;
    return 0;
}

static int resolve(struct schema_reader *r, const struct catalog_mention *m)
{
    struct catalog_build *b = catalog_build(r);
    struct span type = {m->name.at + 1, m->name.len - 2};
    const struct catalog_event *found = catalog_event(b->c, type);

    if (!found || found->type[strlen(found->type) - 1] == '*') {
        if (found && span_is(type, found->type))
            return schema_fault(r, m->name.at, "%s: must be one event, not a family", m->key);
        catalog_no_event(b->c, type, r->fault);
        return schema_because(r, m->key, m->name);
    }
    *m->into = found;
    struct catalog_event *e = &b->events[found - b->c->events];
    if (m->own)
        return take_from_clients(r, m, e);
    return m->signal ? end_signal(r, m, e) : 0;
}

int catalog_resolve(struct schema_reader *r)
{
    for (const struct catalog_mention *m = catalog_build(r)->mentions; m; m = m->next)
        if (resolve(r, m) != 0)
            return -1;
    return 0;
}
