#include "publish.h"
#include "bus.h"
#include "hub.h"
#include "mem.h"
#include "reply.h"
#include "room.h"
#include <stdlib.h>

/* An event that a client asks to have published, being put together. */
struct draft {
    struct event event;
    const struct catalog_event *rule; /* NULL: the catalog doesn't know the type */
    struct route_rooms routed;
    struct buf data; /* with the user's name in it, where the catalog wants that */
    struct buf user; /* encoded, quotes included */
};

static void draft_fini(struct draft *d)
{
    buf_fini(&d->data);
    buf_fini(&d->user);
}

/* --- putting it together ------------------------------------------------------------------ */

/* Of a message that publishes one type, the data is the event's; else it is the whole event. */
static int read_event(struct session *s, const struct request *r, struct draft *d, struct fault *f)
{
    const struct catalog_message *m = r->message;
    if (m->event) {
        d->event = (struct event){.version = -1, .type = span_of(m->event->type), .data = r->data};
        d->rule = m->event;
        return 0;
    }
    if (!r->data.len)
        return fault_set(f, "data: must be an event");
    if (event_parse(&d->event, r->data, true, f) != 0)
        return -1;
    d->rule = catalog_event(s->gateway->catalog, d->event.type);
    return 0;
}

/* What a client can't say of its own event. */
static void stamp(struct session *s, struct draft *d)
{
    struct event *e = &d->event;
    json_encode(&d->user, span_of(s->who->user));
    e->user = json_inside(buf_span(&d->user));
    e->id = e->time = (struct span){0};
    e->version = -1;
    if (!d->rule || !d->rule->user || !e->data.len || json_type(e->data) != JSON_OBJECT)
        return;
    json_put(&d->data, e->data, d->rule->user, buf_span(&d->user));
    e->data = buf_span(&d->data);
}

/* --- rights ------------------------------------------------------------------------------- */

static bool may_publish_to(const struct session *s, unsigned ways, struct span room)
{
    if (ways & CATALOG_ANY)
        return true;
    if (ways & CATALOG_GRANT && identity_may_publish(s->who, room))
        return true;
    return ways & CATALOG_JOINED && hub_is_in(s->gateway->hub, s, room);
}

static int check_rights(const struct session *s, const struct draft *d, struct fault *f)
{
    unsigned ways = d->rule ? d->rule->publish : CATALOG_GRANT;
    const struct event *e = &d->event;
    if (!ways)
        return fault_set(f, "clients do not publish %.*s", (int)e->type.len, e->type.at);
    for (int i = 0; i < e->room_count; i++)
        if (!may_publish_to(s, ways, e->rooms[i]))
            return fault_set(f, "not allowed to publish to %.*s", (int)e->rooms[i].len,
                             e->rooms[i].at);
    return 0;
}

/* --- publishing --------------------------------------------------------------------------- */

static void published(void *arg, enum store_result result, bool local, const char *why)
{
    struct waiting *w = arg;
    if (result != STORE_DONE && !local) {
        reply_refused(w, ERROR_UNAVAILABLE, why);
        return;
    }
    if (local)
        reply_degraded(w, why);
    reply_done(w);
}

static void send_off(struct session *s, const struct request *r, struct event *e)
{
    struct json *data = json_new_object();
    struct json *rooms = json_add_array(data, "rooms");
    for (int i = 0; i < e->room_count; i++)
        json_push_span(rooms, e->rooms[i]);
    bus_publish(s->gateway->bus, e, published, reply_wait(s, r, data));
}

void publish_event(struct session *s, const struct request *r)
{
    struct draft d = {0};
    struct fault f;
    if (read_event(s, r, &d, &f) != 0) {
        session_refuse(s, r, ERROR_BAD_EVENT, f.text, NULL);
        return;
    }
    stamp(s, &d);
    if (catalog_address(s->gateway->catalog, &d.event, &d.routed, &f) != 0)
        session_refuse(s, r, ERROR_BAD_EVENT, f.text, NULL);
    else if (check_rights(s, &d, &f) != 0)
        session_refuse(s, r, ERROR_FORBIDDEN, f.text, NULL);
    else
        send_off(s, r, &d.event);
    draft_fini(&d);
}
