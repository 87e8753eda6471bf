/* A catalog, then on the last line the data of an event. What is taken leads every event and
 * message to rooms that are rooms, of patterns that it has. */
#include "catalog_file.h"
#include "json.h"
#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static bool is_printable(struct span text)
{
    while (text.len > 0) {
        size_t len = span_printable(text);
        if (len == 0)
            return false;
        span_drop(&text, len);
    }
    return true;
}

static struct catalog *parse(struct span text)
{
    struct fault f = {""};
    struct catalog *c = catalog_parse(text, "c", &f);

    assert(c || (span_starts(span_of(f.text), "c:") && is_printable(span_of(f.text))));
    return c;
}

static void hold_text(const struct catalog *c)
{
    struct catalog *again = parse(c->text);

    assert(again && strcmp(again->digest, c->digest) == 0);
    catalog_unref(again);
}

static void hold_rooms(const struct catalog *c, const struct route_rooms *rooms)
{
    struct span captures[SHAPE_SEGMENTS_MAX];
    char parent[ROOM_BYTES_MAX];
    struct fault f;

    for (int i = 0; i < rooms->count; i++) {
        assert(room_check(rooms->at[i], &f) == 0);
        const struct catalog_room *room = catalog_room(c, rooms->at[i], captures);
        assert(room);
        int len = catalog_parent(room, rooms->at[i], parent);
        assert(len == 0 || room_check((struct span){parent, (size_t)len}, &f) == 0);
    }
}

static void hold_event(const struct catalog *c, const struct catalog_event *e, struct span data)
{
    struct span type = span_of(e->type);
    char entity[ROOM_BYTES_MAX];
    struct route_rooms rooms;
    struct buf said = {0};
    struct fault f;

    catalog_event(c, type);
    if (catalog_route(e, type, data, &rooms, &f) == 0)
        hold_rooms(c, &rooms);
    int len = catalog_entity(e, data, entity, &f);
    assert(len <= 0 || room_check((struct span){entity, (size_t)len}, &f) == 0);
    catalog_add_user(e, data, span_of("u"), &said);
    assert(json_check(buf_span(&said), &f) == 0);
    buf_fini(&said);
}

static void hold_message(const struct catalog *c, const struct catalog_message *m, struct span data)
{
    struct route_rooms rooms;
    struct span value;
    struct fault f;

    if (catalog_message_route(m, data, &rooms, &f) == 0)
        hold_rooms(c, &rooms);
    for (int i = 0; i < CATALOG_ARGUMENT_COUNT; i++)
        if (m->arguments[i])
            catalog_take(m, i, data, &value);
}

static void hold_catalog(const struct catalog *c, struct span data)
{
    struct fault f;

    hold_text(c);
    catalog_check_claims(c, data, &f);
    for (size_t i = 0; i < c->event_count; i++)
        hold_event(c, &c->events[i], data);
    for (size_t i = 0; i < c->message_count; i++)
        hold_message(c, &c->messages[i], data);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct span text = {(const char *)bytes, size}, data = span_of("{}");
    const char *line = size != 0 ? memrchr(bytes, '\n', size) : NULL;
    struct fault f;

    if (line) {
        data = (struct span){line + 1, (size_t)(text.at + size - line) - 1};
        text.len -= data.len + 1;
    }
    if (json_check(data, &f) != 0)
        data = span_of("{}");
    struct catalog *c = parse(text);
    if (c)
        hold_catalog(c, json_trim(data));
    catalog_unref(c);
    return 0;
}
