#include "form.h"
#include <string.h>

#define SCHEMA(type) "{\"type\":\"" type "\"}"
#define STRING       SCHEMA("string")
#define STRINGS      "{\"type\":\"array\",\"items\":" STRING "}"

static const struct form_type any = {"unknown", "{}"};
static const struct form_type string = {"string", STRING};
static const struct form_type strings = {"string[]", STRINGS};
static const struct form_type integer = {"number", SCHEMA("integer")};
static const struct form_type boolean = {"boolean", SCHEMA("boolean")};
static const struct form_type rooms = {"string | string[]", "{\"oneOf\":[" STRING "," STRINGS "]}"};
static const struct form_type places = {
    "Record<string, string>", "{\"type\":\"object\",\"additionalProperties\":" STRING "}"};
static const struct form_type points = {"string | number | Record<string, string>",
                                        "{\"type\":[\"string\",\"number\",\"object\"]}"};
static const struct form_type refusals = {
    "{ room: string; code: string; message: string }[]",
    "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"room\":" STRING
    ",\"code\":" STRING ",\"message\":" STRING "}}}"};
static const struct form_type statuses = {"\"online\" | \"away\" | \"offline\"",
                                          "{\"enum\":[\"online\",\"away\",\"offline\"]}"};

static const struct form_type kinds[FIELD_KIND_COUNT] = {
    [FIELD_ANY] = {"unknown", "{\"not\":{\"type\":\"null\"}}"},
    [FIELD_ID] = {"string | number", "{\"type\":[\"string\",\"integer\"]}"},
    [FIELD_CUID] = {"string", STRING},
    [FIELD_UUID] = {"string", "{\"type\":\"string\",\"format\":\"uuid\"}"},
    [FIELD_ULID] = {"string", STRING},
    [FIELD_STRING] = {"string", STRING},
    [FIELD_NUMBER] = {"number", SCHEMA("number")},
    [FIELD_INTEGER] = {"number", SCHEMA("integer")},
    [FIELD_BOOL] = {"boolean", SCHEMA("boolean")},
    [FIELD_OBJECT] = {"Record<string, unknown>", SCHEMA("object")},
    [FIELD_ARRAY] = {"unknown[]", SCHEMA("array")},
};

static const struct {
    const struct form_type *type;
    bool needed;
} arguments[CATALOG_ARGUMENT_COUNT] = {
    [CATALOG_TOKEN] = {&string, true},   [CATALOG_DEVICE] = {&string, false},
    [CATALOG_ROOMS] = {&rooms, false},   [CATALOG_SINCE] = {&places, false},
    [CATALOG_BEFORE] = {&points, false}, [CATALOG_LIMIT] = {&integer, false},
    [CATALOG_ORDER] = {&string, false},  [CATALOG_STATUS] = {&statuses, true},
    [CATALOG_KEY] = {&string, false},    [CATALOG_IDS] = {&places, true},
};

/* --- the tree ----------------------------------------------------------------------------- */

/* The field of that name, new if need be, as the last. */
static struct form *child(struct form *parent, struct span name, struct arena *arena)
{
    struct form **at = &parent->fields;
    for (; *at; at = &(*at)->next)
        if (span_is(name, (*at)->name))
            return *at;
    *at = arena_alloc(arena, sizeof(**at));
    (*at)->name = arena_text(arena, name);
    return *at;
}

/* The field at a path. What is needed makes what it is in needed. */
static struct form *place(struct form *at, const char *path, bool needed, struct arena *arena)
{
    for (const char *end; at->needed |= needed, (end = strchr(path, '.')); path = end + 1)
        at = child(at, (struct span){path, (size_t)(end - path)}, arena);
    at = child(at, span_of(path), arena);
    at->needed |= needed;
    return at;
}

static void add(struct form *root, const char *path, const struct form_type *type, bool needed,
                struct arena *arena)
{
    struct form *f = place(root, path, needed, arena);
    if (!f->type && !f->words)
        f->type = type;
}

static void add_route(struct form *root, const struct route *r, struct arena *arena)
{
    for (int i = 0; i < r->field_count; i++) {
        const struct field *field = &r->fields[i];
        const struct form_type *type = field->kind == FIELD_WORD ? NULL : &kinds[field->kind];
        if (field->kind == FIELD_ANY && field->in_room)
            type = &kinds[FIELD_ID];
        struct form *f = place(root, field->path, field->needed, arena);
        f->type = type;
        f->words = field->words;
    }
}

/* --- what is described -------------------------------------------------------------------- */

struct form *form_of_event(const struct catalog_event *e, struct arena *arena)
{
    struct form *root = arena_alloc(arena, sizeof(*root));
    add_route(root, &e->route, arena);
    return root;
}

/* An event whole, as one publishes it that no row of the catalog is for. */
static void add_any_event(struct form *root, struct arena *arena)
{
    add(root, "type", &string, true, arena);
    add(root, "room", &string, false, arena);
    add(root, "rooms", &strings, false, arena);
    add(root, "data", &any, false, arena);
}

static bool takes_event(const struct catalog_message *m)
{
    return m->action == CATALOG_SIGNALS || m->action == CATALOG_PUBLISH;
}

static void add_event(struct form *root, const struct catalog_event *e, struct arena *arena)
{
    add_route(root, &e->route, arena);
    if (e->user) /* the gateway puts it there */
        place(root, e->user, false, arena)->needed = false;
}

/* One joins behind the last id of each room; a page of history may begin at a time too. */
static const struct form_type *argument_type(const struct catalog_message *m, int argument)
{
    if (argument == CATALOG_SINCE && m->action == CATALOG_SYNC)
        return &points;
    return arguments[argument].type;
}

struct form *form_of_message(const struct catalog_message *m, struct arena *arena)
{
    struct form *root = arena_alloc(arena, sizeof(*root));
    add_route(root, &m->route, arena);
    if (m->event)
        add_event(root, m->event, arena);
    else if (takes_event(m))
        add_any_event(root, arena);
    for (int i = 0; i < CATALOG_ARGUMENT_COUNT; i++)
        if (m->arguments[i] && !(i == CATALOG_ROOMS && m->route.to_count))
            add(root, m->arguments[i], argument_type(m, i), arguments[i].needed, arena);
    return root;
}

struct form *form_of_reply(const struct catalog_message *m, struct arena *arena)
{
    struct form *root = arena_alloc(arena, sizeof(*root));
    bool joins = m->action == CATALOG_JOIN;
    bool publishes = m->action == CATALOG_PUBLISH;
    if (joins || publishes || m->action == CATALOG_LEAVE)
        add(root, "rooms", &strings, true, arena);
    if (joins)
        add(root, "refused", &refusals, false, arena);
    if (joins || publishes) {
        add(root, "degraded", &boolean, false, arena);
        add(root, "reason", &string, false, arena);
    }
    return root;
}
