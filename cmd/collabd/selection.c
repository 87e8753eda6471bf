#include "selection.h"
#include "room.h"
#include <stdio.h>

static bool refuse_too_many(struct session *s, const struct request *r, size_t count)
{
    char message[128];
    size_t most = (size_t)s->gateway->limits.rooms;
    if (count <= most)
        return false;
    snprintf(message, sizeof(message), "%zu rooms; at most %zu may be joined", count, most);
    session_refuse(s, r, ERROR_TOO_MANY, message, NULL);
    return true;
}

/* False after refusing the request. */
static bool find_listed(struct selection *l, struct session *s, const struct request *r)
{
    size_t count = 0;
    struct span rooms, room;
    if (!catalog_take(r->message, CATALOG_ROOMS, r->data, &rooms))
        rooms = r->data;
    if (!rooms.len || json_type(rooms) != JSON_ARRAY) {
        session_refuse(s, r, ERROR_BAD_MESSAGE, "data: must be a list of rooms, or have one", NULL);
        return false;
    }
    for (struct json_walk w = json_walk(rooms); json_next_element(&w, &room);)
        count++;
    l->walk = json_walk(rooms);
    return !refuse_too_many(s, r, count);
}

bool selection_find(struct selection *l, struct session *s, const struct request *r)
{
    struct fault f;
    l->is_listed = !r->message->route.to_count;
    l->next = 0;
    if (l->is_listed)
        return find_listed(l, s, r);
    int failed = catalog_message_route(r->message, r->data, &l->routed, &f);
    /* One may look at nothing, but not join it. */
    if (!failed && !l->routed.count && r->message->action != CATALOG_VIEWING)
        failed = fault_set(&f, "data: no room is named by it");
    if (failed)
        session_refuse(s, r, ERROR_BAD_MESSAGE, f.text, NULL);
    return !failed;
}

bool selection_next(struct selection *l, struct span *room)
{
    if (l->is_listed)
        return json_next_element(&l->walk, room);
    if (l->next == l->routed.count)
        return false;
    *room = l->routed.at[l->next++];
    return true;
}

int selection_read(const struct selection *l, struct span *room, struct fault *f)
{
    if (!l->is_listed)
        return 0;
    if (json_type(*room) != JSON_STRING)
        return fault_set(f, "a room is a string");
    *room = json_inside(*room);
    return room_check(*room, f);
}
