#include "event.h"
#include "clock.h"
#include "json.h"
#include "near.h"
#include "room.h"
#include <inttypes.h>
#include <string.h>

enum { ID_DIGITS_MAX = 20 }; /* of a 64-bit number */

static struct span unquoted(struct span string)
{
    return (struct span){string.at + 1, string.len - 2};
}

static struct span after(struct span s, size_t n)
{
    return (struct span){s.at + n, s.len - n};
}

static bool has_control(struct span text)
{
    while (text.len > 0) {
        bool plain = text.at[0] >= ' ' && text.at[0] <= '~';
        size_t len = plain ? 1 : span_printable(text);
        if (len == 0)
            return true;
        text = after(text, len);
    }
    return false;
}

static int check_text(struct span text, size_t min, size_t max, struct fault *f)
{
    if (text.len < min || text.len > max)
        return fault_set(f, "must be a string of %zu to %zu bytes, found one of %zu", min, max,
                         text.len);
    if (has_control(text))
        return fault_set(f, "must hold no control characters");
    return 0;
}

/* The limits are on what the string says, not on how it is spelt: escapes count as decoded. */
static int take_text(struct span value, size_t min, size_t max, struct span *out, struct fault *f)
{
    if (json_type(value) != JSON_STRING)
        return fault_set(f, "must be a string of %zu to %zu bytes, found %s", min, max,
                         json_type_name(json_type(value)));
    *out = unquoted(value);
    if (!memchr(out->at, '\\', out->len))
        return check_text(*out, min, max, f);

    struct buf decoded = {0};
    json_decode(value, &decoded);
    int result = check_text(buf_span(&decoded), min, max, f);
    buf_fini(&decoded);
    return result;
}

int event_check_user(struct span user, struct fault *f)
{
    return check_text(user, 1, EVENT_USER_BYTES_MAX, f);
}

static size_t count_digits(struct span text)
{
    size_t n = 0;

    while (n < text.len && text.at[n] >= '0' && text.at[n] <= '9')
        n++;
    return n;
}

static bool is_id(struct span text)
{
    size_t epoch = count_digits(text);

    if (epoch == 0 || epoch > ID_DIGITS_MAX || epoch == text.len || text.at[epoch] != '-')
        return false;
    struct span rest = after(text, epoch + 1);
    return rest.len > 0 && rest.len <= ID_DIGITS_MAX && count_digits(rest) == rest.len;
}

static int take_id(struct event *e, struct span value, struct fault *f)
{
    if (json_type(value) != JSON_STRING || !is_id(unquoted(value)))
        return fault_set(f, "id: must be a string of two numbers, such as 1763660000000-42");
    e->id = unquoted(value);
    return 0;
}

static int take_type(struct event *e, struct span value, struct fault *f)
{
    int result = take_text(value, 1, EVENT_TYPE_BYTES_MAX, &e->type, f);

    return result == 0 ? 0 : fault_at(f, "type");
}

static int take_room_name(const char *field, struct span value, struct span *room, struct fault *f)
{
    if (json_type(value) != JSON_STRING)
        return fault_set(f, "%s: must be the name of a room, found %s", field,
                         json_type_name(json_type(value)));
    *room = unquoted(value);
    return room_check(*room, f);
}

static int take_room(struct event *e, struct span value, struct fault *f)
{
    return take_room_name("room", value, &e->room, f);
}

/* Returns which of e->rooms it is, -1 when none. */
static int find_room(const struct event *e, struct span room)
{
    for (int i = 0; i < e->room_count; i++)
        if (span_equal(e->rooms[i], room))
            return i;
    return -1;
}

static int take_rooms(struct event *e, struct span value, struct fault *f)
{
    struct json_walk walk = json_walk(value);
    struct span element, room;

    if (json_type(value) != JSON_ARRAY)
        return fault_set(f, "rooms: must be an array, found %s", json_type_name(json_type(value)));
    while (json_next_element(&walk, &element)) {
        if (take_room_name("rooms", element, &room, f) != 0)
            return -1;
        if (find_room(e, room) >= 0)
            return fault_set(f, "rooms: room %s: given twice", fault_quote(room));
        if (e->room_count == EVENT_ROOMS_MAX)
            return fault_set(f, "rooms: more than %d", EVENT_ROOMS_MAX);
        e->rooms[e->room_count++] = room;
    }
    if (e->room_count == 0)
        return fault_set(f, "rooms: must hold 1 to %d rooms, found none", EVENT_ROOMS_MAX);
    return 0;
}

static int take_user(struct event *e, struct span value, struct fault *f)
{
    int result = take_text(value, 0, EVENT_USER_BYTES_MAX, &e->user, f);

    return result == 0 ? 0 : fault_at(f, "user");
}

static int take_time(struct event *e, struct span value, struct fault *f)
{
    int64_t ms;

    if (json_type(value) != JSON_STRING || clock_parse_stamp(unquoted(value), &ms) != 0)
        return fault_set(f, "time: must be a string such as 2026-11-20T18:00:00.123Z (RFC 3339)");
    e->time = unquoted(value);
    return 0;
}

static int take_version(struct event *e, struct span value, struct fault *f)
{
    if (json_type(value) != JSON_NUMBER)
        return fault_set(f, "version: must be a whole number from 0 on, found %s",
                         json_type_name(json_type(value)));
    if (json_int(value, &e->version) != 0 || e->version < 0)
        return fault_set(f, "version: must be a whole number from 0 on, found %.*s",
                         value.len < 40 ? (int)value.len : 40, value.at);
    return 0;
}

static int take_data(struct event *e, struct span value, struct fault *f)
{
    (void)f;
    e->data = value;
    return 0;
}

struct field {
    const char *name;
    size_t len; /* of the name */
    int (*take)(struct event *e, struct span value, struct fault *f);
};

#define FIELD(field) .name = #field, .len = sizeof(#field) - 1, .take = take_##field
static const struct field fields[] = {
    {FIELD(id)},   {FIELD(type)}, {FIELD(room)},    {FIELD(rooms)},
    {FIELD(user)}, {FIELD(time)}, {FIELD(version)}, {FIELD(data)},
};
enum { FIELD_COUNT = sizeof(fields) / sizeof(fields[0]) };

/* Returns which field the (quoted) key names, FIELD_COUNT when none. */
static int find_field(struct span key)
{
    bool escaped = memchr(key.at, '\\', key.len) != NULL;
    int i = 0;

    for (; i < FIELD_COUNT; i++) {
        const struct field *field = &fields[i];
        if (key.len == field->len + 2 && memcmp(key.at + 1, field->name, field->len) == 0)
            break;
        if (escaped && json_string_is(key, field->name))
            break;
    }
    return i;
}

static int unknown_field(struct span key, struct fault *f)
{
    struct span name = unquoted(key);

    for (int i = 0; i < FIELD_COUNT; i++)
        if (near_is(name, fields[i].name))
            return fault_set(f, "unknown field %s (did you mean %s?)", fault_quote(name),
                             fields[i].name);
    return fault_set(f, "unknown field %s", fault_quote(name));
}

static int take_fields(struct event *e, struct span object, bool strict, struct fault *f)
{
    struct json_walk walk = json_walk(object);
    struct span key, value;
    unsigned seen = 0;

    while (json_next_member(&walk, &key, &value)) {
        int i = find_field(key);
        if (i == FIELD_COUNT && strict)
            return unknown_field(key, f);
        if (i == FIELD_COUNT)
            continue;
        /* Readers differ on which of two counts: so none may get through to them. */
        if (seen & 1U << i)
            return fault_set(f, "%s: given twice", fields[i].name);
        seen |= 1U << i;
        if (fields[i].take(e, value, f) != 0)
            return -1;
    }
    return 0;
}

int event_parse(struct event *e, struct span json, bool strict, struct fault *f)
{
    if (json_check(json, f) != 0)
        return -1;
    json = json_trim(json);
    if (json_type(json) != JSON_OBJECT)
        return fault_set(f, "an event must be an object, found %s",
                         json_type_name(json_type(json)));

    *e = (struct event){.version = -1};
    if (take_fields(e, json, strict, f) != 0)
        return -1;
    if (e->type.len == 0)
        return fault_set(f, "type: missing");
    if (e->room.len != 0 && e->room_count == 0)
        e->rooms[e->room_count++] = e->room;
    if (e->room.len != 0 && find_room(e, e->room) < 0)
        return fault_set(f, "room %s: is not among rooms", fault_quote(e->room));
    return 0;
}

/* Adds ,"name":"text" unless the text is empty. */
static void add_field(struct buf *out, const char *lead, struct span text)
{
    if (text.len == 0)
        return;
    buf_text(out, lead);
    buf_join(out, text);
    buf_char(out, '"');
}

static void add_rooms(struct buf *out, const struct event *e)
{
    if (e->room_count < 2)
        return;
    const char *lead = ",\"rooms\":[\"";
    for (int i = 0; i < e->room_count; i++) {
        add_field(out, lead, e->rooms[i]);
        lead = ",\"";
    }
    buf_char(out, ']');
}

void event_format(const struct event *e, struct buf *out)
{
    bool first = e->from.len == 0;

    add_field(out, "{\"from\":\"", e->from);
    add_field(out, first ? "{\"id\":\"" : ",\"id\":\"", e->id);
    add_field(out, first && e->id.len == 0 ? "{\"type\":\"" : ",\"type\":\"", e->type);
    add_field(out, ",\"room\":\"", e->room);
    add_rooms(out, e);
    add_field(out, ",\"user\":\"", e->user);
    add_field(out, ",\"time\":\"", e->time);
    if (e->version >= 0)
        buf_printf(out, ",\"version\":%" PRId64, e->version);
    buf_text(out, ",\"data\":");
    if (e->data.len == 0)
        buf_text(out, "null");
    else
        json_compact(out, e->data);
    buf_char(out, '}');
}

static void add_member(struct buf *out, const char *name, struct span text)
{
    if (text.len == 0)
        return;
    buf_printf(out, "%s\"%s\":\"", out->at[out->len - 1] == '{' ? "" : ",", name);
    buf_join(out, text);
    buf_char(out, '"');
}

void event_format_meta(const struct event *e, struct buf *out)
{
    buf_char(out, '{');
    add_member(out, "id", e->id);
    add_member(out, "room", e->room);
    add_member(out, "user", e->user);
    add_member(out, "time", e->time);
    if (e->version >= 0)
        buf_printf(out, "%s\"version\":%" PRId64, out->at[out->len - 1] == '{' ? "" : ",",
                   e->version);
    buf_char(out, '}');
}

int event_room_index(const struct event *e)
{
    int i = find_room(e, e->room);

    return i < 0 ? 0 : i;
}
