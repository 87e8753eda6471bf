#include "catalog_rooms.h"
#include "catalog_build.h"
#include "json.h"

#define ROOM(field) offsetof(struct catalog_room, field)
#define ROWS(rows)  rows, sizeof(rows) / sizeof((rows)[0])

/* The bits of enum catalog_way. */
static const char *const join_words[] = {"grant", "self", "any", "member", "helper", NULL};

static int read_join(struct schema_reader *r, const struct schema_row *row, struct span value,
                     void *into)
{
    unsigned *join = into;

    if (schema_words(r, row, value, join) != 0)
        return -1;
    *join |= CATALOG_GRANT;
    return 0;
}

/* Makes the slots of a template those of a pattern. */
static int bind_to_pattern(struct schema_reader *r, const char *key, struct span value,
                           struct shape *t, const struct shape *pattern)
{
    for (int i = 0; i < t->count; i++) {
        struct shape_segment *s = &t->at[i];
        if (s->slot < 0)
            continue;
        s->slot = shape_slot(pattern, s->text);
        if (s->slot < 0)
            return schema_fault(r, value.at, "%s: {%.*s} is no name in %s", key, (int)s->text.len,
                                s->text.at, pattern->text);
    }
    return 0;
}

/* It is a shorter one, so the line of parents ends. */
static int read_parent(struct schema_reader *r, const struct schema_row *row, struct span value,
                       void *into)
{
    struct catalog_build *b = catalog_build(r);
    struct catalog_room *room = into;
    struct shape *t = arena_alloc(r->arena, sizeof(*t));

    if (catalog_read_template(r, row->key, value, t) != 0 ||
        bind_to_pattern(r, row->key, value, t, &room->pattern) != 0)
        return -1;
    if (t->count >= room->pattern.count)
        return schema_fault(r, value.at, "%s: must have fewer segments than %s", row->key,
                            room->pattern.text);
    b->parents[room - b->rooms] = value;
    room->parent = t;
    return 0;
}

static const struct schema_row history_rows[] = {
    {"length", schema_count, ROOM(history_length), "1000", NULL, 0, 1000000},
    {"age", schema_ms, ROOM(history_ms), "\"7d\"", NULL, 1000, 3650 * INT64_C(86400000)},
};
static const struct schema history_schema = {"history", ROWS(history_rows), NULL};

static const struct schema_row members_rows[] = {
    {"added", catalog_read_own_event, ROOM(added), NULL, NULL, 0, 0},
    {"removed", catalog_read_own_event, ROOM(removed), NULL, NULL, 0, 0},
    {"changed", catalog_read_own_event, ROOM(changed), NULL, NULL, 0, 0},
};
static const struct schema members_schema = {"members", ROWS(members_rows), NULL};

static const struct schema_row room_rows[] = {
    {"about", schema_text, ROOM(about), NULL, NULL, 0, CATALOG_ABOUT_BYTES_MAX},
    {"join", read_join, ROOM(join), "\"grant\"", join_words, 0, 0},
    {"roles", schema_texts, ROOM(roles), NULL, NULL, 1, CATALOG_NAME_BYTES_MAX},
    {"parent", read_parent, 0, NULL, NULL, 0, 0},
    {"auto", schema_bool, ROOM(automatic), "false", NULL, 0, 0},
    {"presence", schema_bool, ROOM(presence), "false", NULL, 0, 0},
    {"offline", schema_bool, ROOM(offline), "false", NULL, 0, 0},
    {"history", schema_object, 0, "{}", &history_schema, 0, 0},
    {"members", schema_object, 0, NULL, &members_schema, 0, 0},
};

static int check_room(struct schema_reader *r, struct span object, void *into)
{
    static const char *const of_members[] = {"roles", "parent", NULL};
    const struct catalog_room *room = into;
    const struct shape *p = &room->pattern;
    const char *offline = schema_place(object, "offline").at;

    if ((room->join & CATALOG_MEMBER) == 0 &&
        catalog_of_no_use(r, object, of_members, "\"member\" in join") != 0)
        return -1;
    if ((room->join & CATALOG_SELF) != 0 && (p->open || shape_slots(p) != 1))
        return schema_fault(r, schema_place(object, "join").at,
                            "join: \"self\" is for patterns with one {name}, the user's");
    if (room->offline && (room->join & (CATALOG_SELF | CATALOG_MEMBER)) == 0)
        return schema_fault(r, offline,
                            "offline: of no use without \"self\" or \"member\" in join");
    if (room->offline && room->history_length == 0)
        return schema_fault(r, offline, "offline: of no use without a history");
    if (room->offline && !room->automatic)
        return schema_fault(r, offline, "offline: of no use without auto");
    return 0;
}

const struct schema catalog_room_schema = {"a room", ROWS(room_rows), check_room};

static int read_room(struct schema_reader *r, struct catalog_room *room, struct span key,
                     struct span value)
{
    const char *text = schema_decode(r, "rooms", key, 1, ROOM_BYTES_MAX);

    if (!text)
        return -1;
    const char *quoted = fault_quote(span_of(text));
    if (shape_parse_pattern(&room->pattern, span_of(text), r->arena, r->fault) != 0) {
        fault_at(r->fault, "%s", quoted);
        return schema_because(r, "rooms", key);
    }
    const struct catalog_room *same = catalog_add_room(catalog_build(r)->c, room);
    if (same)
        return schema_fault(r, key.at, "rooms: %s takes the same rooms as \"%s\"", quoted,
                            same->pattern.text);
    return schema_read(r, &catalog_room_schema, value, room);
}

int catalog_read_rooms(struct schema_reader *r, const struct schema_row *row, struct span value,
                       void *into)
{
    struct catalog_build *b = catalog_build(r);
    struct json_walk w = json_walk(value);
    struct span key, one;
    size_t count;

    (void)into;
    if (schema_size(r, row, value, CATALOG_ROOMS_MAX, &count) != 0)
        return -1;
    b->rooms = arena_alloc(r->arena, count * sizeof(b->rooms[0]));
    b->parents = arena_alloc(r->arena, count * sizeof(b->parents[0]));
    b->c->rooms = b->rooms;
    while (json_next_member(&w, &key, &one))
        if (read_room(r, &b->rooms[b->c->room_count++], key, one) != 0)
            return -1;
    return 0;
}

int catalog_check_parents(struct schema_reader *r)
{
    const struct catalog_build *b = catalog_build(r);

    for (size_t i = 0; i < b->c->room_count; i++)
        if (b->rooms[i].parent &&
            catalog_check_template(r, "parent", b->parents[i], b->rooms[i].parent) != 0)
            return -1;
    return 0;
}
