#include "emission.h"
#include "clock.h"
#include "room.h"

/* Frames of one event, each made once. */
struct emission {
    struct gateway *gateway;
    const struct adapter_event *event;
    struct span ack;
    struct span room; /* that the frames of events are for */
    struct frame *frames[CODECS_MAX];
    bool made[CODECS_MAX];
};

static void drop_frame(struct emission *m, int index)
{
    if (m->frames[index])
        frame_unref(m->frames[index]);
    m->frames[index] = NULL;
    m->made[index] = false;
}

/* --- as an event -------------------------------------------------------------------------- */

/* Those that could be an event's rooms; none when they are more than it can have. */
static void take_rooms(struct event *e, struct span rooms)
{
    struct json_walk w = json_walk(rooms);
    struct span room;
    struct fault f;
    while (json_next_element(&w, &room)) {
        if (json_type(room) != JSON_STRING || room_check(json_inside(room), &f) != 0)
            continue;
        if (e->room_count == EVENT_ROOMS_MAX) {
            e->room_count = 0;
            return;
        }
        e->rooms[e->room_count++] = json_inside(room);
    }
}

static void make_event(struct emission *m, const struct codec *k)
{
    struct json_walk w = json_walk(m->event->args);
    struct event e = {.room = m->room, .version = -1}, checked;
    struct span name;
    struct buf text = {0};
    struct fault f;
    char now[CLOCK_STAMP_BYTES];
    json_next_element(&w, &name);
    if (json_type(name) != JSON_STRING)
        return;
    e.type = json_inside(name);
    json_next_element(&w, &e.data);
    clock_stamp(clock_wall_ms(), now);
    e.time = span_of(now);
    if (e.room.len)
        take_rooms(&e, m->event->to.rooms);
    event_format(&e, &text);
    if (event_parse(&checked, buf_span(&text), false, &f) == 0)
        m->frames[k->index] = k->event(k, m->gateway->catalog, &checked, buf_span(&text));
    buf_fini(&text);
}

/* --- to all ------------------------------------------------------------------------------- */

static void turn_to(struct emission *m, struct span room)
{
    if (span_equal(m->room, room))
        return;
    m->room = room;
    for (int i = 0; i < CODEC_SOCKETIO; i++)
        drop_frame(m, i);
}

/* A reference; NULL: it is not for such clients. */
static struct frame *frame_for(struct emission *m, const struct codec *k)
{
    if (!m->made[k->index] && k->emit)
        m->frames[k->index] = k->emit(k, m->event->args, m->ack);
    else if (!m->made[k->index])
        make_event(m, k);
    m->made[k->index] = true;
    return m->frames[k->index] ? frame_ref(m->frames[k->index]) : NULL;
}

static bool may_have(const struct session *s, const struct adapter_event *e)
{
    return !session_is_closing(s) && !(e->is_volatile && s->link->outbox.blocked);
}

size_t emission_send(struct gateway *g, const struct adapter_event *e,
                     const struct hub_group *group, struct span ack, struct session **got)
{
    struct emission m = {.gateway = g, .event = e, .ack = ack};
    size_t count = 0;
    for (size_t i = 0; i < group->count; i++) {
        struct session *s = group->at[i].session;
        if (!may_have(s, e))
            continue;
        turn_to(&m, group->at[i].room);
        struct frame *frame = frame_for(&m, s->codec);
        if (!frame)
            continue;
        session_put(s, frame);
        g->metrics.value[M_DELIVERIES]++;
        if (!s->codec->emit)
            continue;
        if (got)
            got[count] = s;
        count++;
    }
    for (int i = 0; i < CODECS_MAX; i++)
        drop_frame(&m, i);
    return count;
}
