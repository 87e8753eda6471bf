#include "route.h"
#include "json.h"
#include <string.h>

int route_field(struct route *r, struct span path, struct arena *arena)
{
    for (int i = 0; i < r->field_count; i++)
        if (span_is(path, r->fields[i].path))
            return i;
    if (r->field_count == ROUTE_FIELDS_MAX)
        return -1;
    r->fields = arena_append(arena, r->fields, (size_t)r->field_count, sizeof(r->fields[0]));
    r->fields[r->field_count] = (struct field){
        .path = arena_text(arena, path),
        .path_bytes = path.len,
        .nested = memchr(path.at, '.', path.len) != NULL,
    };
    return r->field_count++;
}

static int bind_segment(struct route *r, struct shape_segment *s, struct arena *arena,
                        struct fault *f)
{
    int slot = route_field(r, s->text, arena);

    if (slot < 0)
        return fault_set(f, "more than %d fields", ROUTE_FIELDS_MAX);
    struct field *field = &r->fields[slot];
    if (!field_kind_in_room(field->kind))
        return fault_set(f, "{%s} is of the kind \"%s\", of which no room can be made", field->path,
                         field_kind_word(field->kind));
    field->in_room = true;
    s->slot = slot;
    return 0;
}

int route_bind(struct route *r, struct shape *t, struct arena *arena, struct fault *f)
{
    for (int i = 0; i < t->count; i++)
        if (t->at[i].slot >= 0 && bind_segment(r, &t->at[i], arena, f) != 0)
            return -1;
    return 0;
}

void route_add(struct route *r, const struct shape *t, struct arena *arena)
{
    r->to = arena_append(arena, r->to, (size_t)r->to_count, sizeof(r->to[0]));
    r->to[r->to_count++] = *t;
}

static bool needs_any(const struct route *r)
{
    for (int i = 0; i < r->field_count; i++)
        if (r->fields[i].needed)
            return true;
    return false;
}

/* Whether a key (encoded, in quotes) is the name of a field. */
static bool key_is(struct span key, bool escaped, const struct field *field)
{
    if (escaped)
        return json_string_is(key, field->path);
    return key.len == field->path_bytes + 2 &&
           memcmp(key.at + 1, field->path, field->path_bytes) == 0;
}

/* Finds all fields in one walk, but the few that are fields of a field. */
static void find(const struct route *r, struct span object, struct span *values)
{
    struct json_walk w = json_walk(object);
    struct span key, value;

    while (json_next_member(&w, &key, &value)) {
        bool escaped = memchr(key.at, '\\', key.len) != NULL;
        for (int i = 0; i < r->field_count; i++)
            if (!r->fields[i].nested && key_is(key, escaped, &r->fields[i]))
                values[i] = value;
    }
    for (int i = 0; i < r->field_count; i++)
        if (r->fields[i].nested)
            json_find(object, r->fields[i].path, &values[i]);
}

/* Checks each field, and leaves what it puts into a room. */
static int take(const struct route *r, struct span data, struct span *values, struct fault *f)
{
    bool object = data.len != 0 && json_type(data) == JSON_OBJECT;

    memset(values, 0, (size_t)r->field_count * sizeof(values[0]));
    if (object)
        find(r, data, values);
    else if (needs_any(r))
        return fault_set(f, "data: must be an object, not %s",
                         data.len != 0 ? json_type_name(json_type(data)) : "absent");
    for (int i = 0; i < r->field_count; i++) {
        if (field_check(&r->fields[i], values[i], f) != 0)
            return -1;
        values[i] = field_segment(values[i]);
    }
    return 0;
}

int route_check(const struct route *r, struct span data, struct fault *f)
{
    struct span values[ROUTE_FIELDS_MAX];

    return take(r, data, values, f);
}

static int expand(const struct shape *t, const struct span *values, char room[ROOM_BYTES_MAX],
                  struct fault *f)
{
    int len = shape_expand(t, values, room);

    return len >= 0 ? len : fault_set(f, "room %s: longer than %d bytes", t->text, ROOM_BYTES_MAX);
}

static bool is_among(const struct route_rooms *rooms, struct span room)
{
    for (int i = 0; i < rooms->count; i++)
        if (span_equal(rooms->at[i], room))
            return true;
    return false;
}

int route_find(const struct route *r, struct span data, struct route_rooms *out, struct fault *f)
{
    struct span values[ROUTE_FIELDS_MAX];
    char *text = out->text;

    out->count = 0;
    if (take(r, data, values, f) != 0)
        return -1;
    for (int i = 0; i < r->to_count; i++) {
        int len = expand(&r->to[i], values, text, f);
        if (len < 0)
            return -1;
        struct span room = {text, (size_t)len};
        if (len == 0 || is_among(out, room))
            continue;
        out->at[out->count++] = room;
        text += len;
    }
    return 0;
}

int route_expand(const struct route *r, const struct shape *t, struct span data,
                 char room[ROOM_BYTES_MAX], struct fault *f)
{
    struct span values[ROUTE_FIELDS_MAX];

    return take(r, data, values, f) == 0 ? expand(t, values, room, f) : -1;
}

int route_none(const struct route *r, struct fault *f)
{
    struct buf rooms = {0};

    if (r->to_count == 0)
        return fault_set(f, "leads to no room by itself: name one");
    for (int i = 0; i < r->to_count; i++)
        buf_printf(&rooms, "%s%s",
                   i == 0                ? ""
                   : i + 1 < r->to_count ? ", "
                                         : " or ",
                   r->to[i].text);
    fault_set(f, "data: has not the fields of any of its rooms: %s", rooms.at);
    buf_fini(&rooms);
    return -1;
}
