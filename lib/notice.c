#include "notice.h"
#include <string.h>

static void open_field(struct buf *data, struct span name)
{
    buf_text(data, data->len == 0 ? "{\"" : ",\"");
    buf_join(data, name);
    buf_text(data, "\":");
}

static void add_text(struct buf *data, const char *name, struct span text)
{
    if (!name || text.len == 0)
        return;
    open_field(data, span_of(name));
    buf_char(data, '"');
    buf_join(data, text);
    buf_char(data, '"');
}

static void add_list(struct notice *n, const char *name, struct span json)
{
    if (!name || json.len == 0)
        return;
    open_field(&n->data, span_of(name));
    n->list_at = n->data.len;
    n->list_len = json.len;
    buf_join(&n->data, json);
}

/* Whether one of the gateway's own fields has the name. */
static bool is_field(const struct catalog_fields *names, const struct notice_fields *x,
                     struct span name)
{
    return (names->user && x->user.len > 0 && span_is(name, names->user)) ||
           (names->status && x->status.len > 0 && span_is(name, names->status)) ||
           (names->role && x->role.len > 0 && span_is(name, names->role)) ||
           (names->users && x->users.len > 0 && span_is(name, names->users)) ||
           (names->count && x->count.len > 0 && span_is(name, names->count)) ||
           (names->room && x->names_room && span_is(name, names->room));
}

static void add_captures(struct notice *n, const struct catalog *c, const struct notice_fields *x)
{
    struct span captures[SHAPE_SEGMENTS_MAX];
    const struct catalog_room *rule = NULL;

    if (x->room.len > 0)
        rule = catalog_room(c, x->room, captures);
    for (int i = 0; rule && i < rule->pattern.count; i++) {
        const struct shape_segment *s = &rule->pattern.at[i];
        if (s->slot < 0 || is_field(&c->fields, x, s->text))
            continue;
        open_field(&n->data, s->text);
        buf_char(&n->data, '"');
        buf_join(&n->data, captures[s->slot]);
        buf_char(&n->data, '"');
    }
}

static void add_fields(struct notice *n, const struct catalog_fields *names,
                       const struct notice_fields *x)
{
    if (x->names_room)
        add_text(&n->data, names->room, x->room);
    add_text(&n->data, names->user, x->user);
    add_text(&n->data, names->status, x->status);
    add_text(&n->data, names->role, x->role);
    add_list(n, names->count, x->count);
    add_list(n, names->users, x->users);
    buf_text(&n->data, n->data.len == 0 ? "{}" : "}");
}

static int find_rooms(struct notice *n, const struct catalog_event *e,
                      const struct notice_fields *x, const struct span *rooms, int room_count,
                      struct fault *f)
{
    struct event *event = &n->event;

    if (e->route.to_count > 0) {
        if (catalog_route(e, event->type, event->data, &n->routed, f) != 0)
            return -1;
        event->room_count = n->routed.count;
        memcpy(event->rooms, n->routed.at, sizeof(event->rooms));
        return 0;
    }
    if (room_count == 0) {
        rooms = &x->room;
        room_count = 1;
    }
    event->room_count = room_count;
    memcpy(event->rooms, rooms, (size_t)room_count * sizeof(rooms[0]));
    return catalog_check(e, event->type, event->data, f);
}

int notice_make(struct notice *n, const struct catalog *c, const struct catalog_event *e,
                const struct notice_fields *fields, const struct span *rooms, int room_count,
                struct fault *f)
{
    buf_clear(&n->data);
    n->list_at = n->list_len = 0;
    add_captures(n, c, fields);
    add_fields(n, &c->fields, fields);
    clock_stamp(clock_wall_ms(), n->time);
    n->event = (struct event){
        .type = span_of(e->type),
        .user = fields->user,
        .time = span_of(n->time),
        .version = -1,
        .data = buf_span(&n->data),
    };
    if (find_rooms(n, e, fields, rooms, room_count, f) != 0)
        return -1;
    n->event.room = n->event.rooms[0];
    return 0;
}

void notice_fini(struct notice *n)
{
    buf_fini(&n->data);
}
