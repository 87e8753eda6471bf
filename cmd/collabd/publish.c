#include "publish.h"
#include "admit.h"
#include "bus.h"
#include "expiry.h"
#include "hub.h"
#include "mem.h"
#include "reply.h"
#include "room.h"
#include "throttle.h"
#include <stdlib.h>
#include <string.h>

enum { KEY_BYTES_MAX = 200 };

/* An event that a client asks to have published, being put together. */
struct draft {
    struct event event;
    const struct catalog_event *rule; /* NULL: the catalog doesn't know the type */
    struct route_rooms routed;
    struct buf data; /* with the user's name in it, where the catalog wants that */
    struct buf user; /* encoded, quotes included */
    struct buf text; /* the event without the key that came with it */
    struct buf key;  /* USER:KEY, so that nobody uses up another's; empty: none */
};

static void draft_fini(struct draft *d)
{
    buf_fini(&d->data);
    buf_fini(&d->user);
    buf_fini(&d->text);
    buf_fini(&d->key);
}

/* --- putting it together ------------------------------------------------------------------ */

/* Of a message whose data is the event's own, the catalog must say where in it a key would be. */
static bool find_key(const struct request *r, struct span *key)
{
    const char *path = r->message->arguments[CATALOG_KEY];
    const char *word = catalog_argument_word(CATALOG_KEY);
    if (!path || (r->message->event && strcmp(path, word) == 0))
        return false;
    return r->data.len && catalog_take(r->message, CATALOG_KEY, r->data, key);
}

static int read_key(struct session *s, const struct request *r, struct draft *d, struct fault *f)
{
    struct span key;
    if (!find_key(r, &key))
        return 0;
    if (json_type(key) != JSON_STRING || key.len == 2 || key.len > KEY_BYTES_MAX + 2)
        return fault_set(f, "key: must be a string of 1 to %d bytes", KEY_BYTES_MAX);
    buf_text(&d->key, s->who->user);
    buf_char(&d->key, ':');
    buf_join(&d->key, json_inside(key));
    return 0;
}

/* What came, but for the key. */
static struct span leave_key(struct span object, struct buf *out)
{
    struct json_walk w = json_walk(object);
    struct span name, value;
    while (json_next_member(&w, &name, &value)) {
        if (json_string_is(name, "key"))
            continue;
        buf_char(out, out->len ? ',' : '{');
        buf_join(out, name);
        buf_char(out, ':');
        buf_join(out, value);
    }
    buf_text(out, out->len ? "}" : "{}");
    return buf_span(out);
}

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
    struct span text = d->key.len ? leave_key(r->data, &d->text) : r->data;
    if (event_parse(&d->event, text, true, f) != 0)
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

/* Whether it can be published now; if not, whether members may (then Redis has to be asked). */
enum right { HAS_RIGHT, HAS_NO_RIGHT, ASK_FOR_RIGHT };

static enum right check_rights(const struct session *s, const struct draft *d, struct fault *f)
{
    unsigned ways = d->rule ? d->rule->publish : CATALOG_GRANT;
    const struct event *e = &d->event;
    if (!ways) {
        fault_set(f, "clients do not publish %.*s", (int)e->type.len, e->type.at);
        return HAS_NO_RIGHT;
    }
    for (int i = 0; i < e->room_count; i++) {
        if (may_publish_to(s, ways, e->rooms[i]))
            continue;
        fault_set(f, "not allowed to publish to %.*s", (int)e->rooms[i].len, e->rooms[i].at);
        return ways & CATALOG_MEMBER ? ASK_FOR_RIGHT : HAS_NO_RIGHT;
    }
    return HAS_RIGHT;
}

/* --- publishing --------------------------------------------------------------------------- */

static void add_ids(struct json *data, const struct store_receipt *r)
{
    struct json *ids = json_add_array(data, "ids");
    for (int i = 0; i < r->id_count; i++)
        json_push_span(ids, r->ids[i]);
}

static bool is_kept(const struct store_receipt *r)
{
    for (int i = 0; i < r->id_count; i++)
        if (r->ids[i].len)
            return true;
    return false;
}

static void tell_conflict(struct waiting *w, const struct store_receipt *r)
{
    struct buf last = {0};
    json_add_number(w->data, "version", (double)r->version);
    if (r->last.len) {
        session_embed(w->session, r->last, &last);
        json_add_raw(w->data, "event", buf_span(&last));
    }
    buf_fini(&last);
    reply_refused_all(w, ERROR_CONFLICT, "it was based on a version that is no longer current");
}

static void published(void *arg, enum store_result result, bool local,
                      const struct store_receipt *r, const char *why)
{
    struct waiting *w = arg;
    if (result == STORE_CONFLICT) {
        tell_conflict(w, r);
        return;
    }
    if (result != STORE_DONE && !local) {
        reply_refused(w, ERROR_UNAVAILABLE, why);
        return;
    }
    if (local)
        reply_degraded(w, why);
    if (r && is_kept(r))
        add_ids(w->data, r);
    if (r && r->version >= 0)
        json_add_number(w->data, "version", (double)r->version);
    reply_done(w);
}

static void send_off(struct session *s, const struct request *r, const struct catalog_event *rule,
                     struct event *e, const struct terms *terms)
{
    struct json *data = json_new_object();
    struct json *rooms = json_add_array(data, "rooms");
    for (int i = 0; i < e->room_count; i++)
        json_push_span(rooms, e->rooms[i]);
    if (rule && rule->class == CATALOG_SIGNAL) {
        e->room = e->rooms[0];
        e->from = span_of(s->id);
        expiry_note(s, rule, e);
    }
    bus_submit(s->gateway->bus, e, terms, published, reply_wait(s, r, data));
}

/* --- asking for the right ----------------------------------------------------------------- */

/* An event that waits for the answer about one room after the other. */
struct asking {
    struct session *session;
    struct catalog *catalog; /* that the rule is of */
    const struct catalog_event *rule;
    struct request request; /* its ref is the asking's own; its data is gone */
    struct buf text;        /* of the event */
    struct buf key;
    struct event event;
    int next; /* room to be asked about */
};

static void asking_end(struct asking *a)
{
    session_unref(a->session);
    catalog_unref(a->catalog);
    buf_fini(&a->text);
    buf_fini(&a->key);
    free((char *)a->request.ref.at);
    free(a);
}

static void ask_next(struct asking *a);

static void room_judged(void *arg, enum admission result, const char *why)
{
    struct asking *a = arg;
    struct fault f;
    struct span room = a->event.rooms[a->next];
    if (result == ADMITTED) {
        a->next++;
        ask_next(a);
        return;
    }
    if (result == NOT_KNOWN)
        fault_set(&f, "%s", why);
    else
        fault_set(&f, "not allowed to publish to %.*s", (int)room.len, room.at);
    session_refuse(a->session, &a->request,
                   result == NOT_KNOWN ? ERROR_UNAVAILABLE : ERROR_FORBIDDEN, f.text, NULL);
    asking_end(a);
}

static void send_asked(struct asking *a)
{
    struct terms terms;
    struct fault f;
    if (terms_find(&terms, a->catalog, &a->event, &f) != 0) {
        session_refuse(a->session, &a->request, ERROR_BAD_EVENT, f.text, NULL);
        return;
    }
    terms.store.key = buf_span(&a->key);
    send_off(a->session, &a->request, a->rule, &a->event, &terms);
}

static void ask_next(struct asking *a)
{
    struct session *s = a->session;
    const struct catalog_event *rule = a->rule;
    while (a->next < a->event.room_count &&
           may_publish_to(s, rule->publish, a->event.rooms[a->next]))
        a->next++;
    if (a->next < a->event.room_count) {
        admit_member(s, a->event.rooms[a->next], rule->roles, room_judged, a);
        return;
    }
    send_asked(a);
    asking_end(a);
}

static void ask_for_right(struct session *s, const struct request *r, const struct draft *d)
{
    struct asking *a = mem_zero(sizeof(*a));
    struct event e = d->event;
    struct fault f;
    a->session = session_ref(s);
    a->catalog = catalog_ref(s->gateway->catalog);
    a->rule = d->rule;
    a->request = (struct request){.message = r->message, .ref = span_of(span_text(r->ref))};
    e.room = e.rooms[0];
    buf_join(&a->key, buf_span(&d->key));
    event_format(&e, &a->text);
    if (event_parse(&a->event, buf_span(&a->text), false, &f) != 0)
        abort(); /* it is one that we wrote */
    ask_next(a);
}

static void publish_draft(struct session *s, const struct request *r, struct draft *d,
                          const struct terms *terms)
{
    struct fault f;
    switch (check_rights(s, d, &f)) {
    case HAS_RIGHT:
        send_off(s, r, d->rule, &d->event, terms);
        break;
    case HAS_NO_RIGHT:
        session_refuse(s, r, ERROR_FORBIDDEN, f.text, NULL);
        break;
    case ASK_FOR_RIGHT:
        ask_for_right(s, r, d);
        break;
    }
}

void publish_event(struct session *s, const struct request *r)
{
    struct draft d = {0};
    struct terms terms;
    struct fault f;
    if (read_key(s, r, &d, &f) != 0 || read_event(s, r, &d, &f) != 0) {
        session_refuse(s, r, ERROR_BAD_EVENT, f.text, NULL);
        draft_fini(&d);
        return;
    }
    stamp(s, &d);
    if (catalog_address(s->gateway->catalog, &d.event, &d.routed, &f) != 0 ||
        terms_find(&terms, s->gateway->catalog, &d.event, &f) != 0)
        session_refuse(s, r, ERROR_BAD_EVENT, f.text, NULL);
    else if (throttle_rooms(s, r, d.event.rooms, d.event.room_count)) {
        terms.store.key = buf_span(&d.key);
        publish_draft(s, r, &d, &terms);
    }
    draft_fini(&d);
}
