/* Any bytes as an event: what is taken is written and taken again, as the same. */
#include "event.h"
#include "json.h"
#include "room.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fields_hold(const struct event *e)
{
    struct fault f;

    assert(e->type.len > 0 && e->version >= -1);
    assert(e->room_count >= 0 && e->room_count <= EVENT_ROOMS_MAX);
    for (int i = 0; i < e->room_count; i++)
        assert(room_check(e->rooms[i], &f) == 0);
    if (e->room.len != 0)
        assert(span_equal(e->rooms[event_room_index(e)], e->room));
    if (e->data.len != 0)
        assert(json_check(e->data, &f) == 0);
}

static void same(const struct event *a, const struct event *b)
{
    assert(span_equal(a->id, b->id) && span_equal(a->type, b->type));
    assert(span_equal(a->room, b->room) && a->room_count == b->room_count);
    for (int i = 0; i < a->room_count; i++)
        assert(span_equal(a->rooms[i], b->rooms[i]));
    assert(span_equal(a->user, b->user) && span_equal(a->time, b->time));
    assert(a->version == b->version);
}

/* As the copy for its first room, since of a single one only `room` is written. */
static void round_trip(struct event *e)
{
    struct buf first = {0}, second = {0};
    struct event again;
    struct fault f;

    if (e->room_count > 0 && e->room.len == 0)
        e->room = e->rooms[0];
    event_format(e, &first);
    assert(!memchr(first.at, '\n', first.len));
    assert(event_parse(&again, buf_span(&first), true, &f) == 0);
    same(e, &again);
    event_format(&again, &second);
    assert(span_equal(buf_span(&first), buf_span(&second)));
    buf_fini(&first);
    buf_fini(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = {(const char *)data, size};
    struct event strict, loose;
    struct fault f = {""};

    bool is_loose = event_parse(&loose, text, false, &f) == 0;
    assert(is_loose || f.text[0] != '\0');
    bool is_strict = event_parse(&strict, text, true, &f) == 0;
    if (is_strict) {
        assert(is_loose);
        same(&strict, &loose);
    }
    if (is_loose) {
        fields_hold(&loose);
        round_trip(&loose);
    }
    return 0;
}
