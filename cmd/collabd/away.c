#include "away.h"
#include "bus.h"
#include "clock.h"
#include "follow.h"
#include "hub.h"
#include "link.h"
#include "log.h"
#include "mem.h"
#include "resume.h"
#include "store_devices.h"
#include "table.h"
#include <stdlib.h>
#include <string.h>

enum {
    LOOK_MS = 5000,  /* how often it is seen whether a client was sent more */
    PONG_MS = 250,   /* and, after a ping, whether it has answered */
    WRITE_MS = 1000, /* what is acknowledged within that is written down at once */
    RETRY_MS = 1000, /* while Redis is away */
    TRIES_MAX = 10,  /* while it is there */
    LOG_KIND_AWAY = 7,
};

/* How far the device has come in a room. */
struct step {
    struct table_node node; /* by room */
    struct place at;        /* acknowledged */
    struct place sent;      /* before the ping that is on its way; epoch 0: nothing */
    struct place from;      /* all after this was handed out */
    bool is_handed;
    bool changed; /* Redis has to be told, that it is `at`, or nowhere if that has epoch 0 */
    char room[];
};

/* A room whose events are being handed out. */
struct opening {
    struct handout *handout;
    bool known;    /* where the device stands */
    bool is_asked; /* its client wants what is kept after this, too */
    struct place asked;
    bool is_new; /* it was never there: nothing is missing before what it gets */
    bool done;
};

/* Events being handed out, of all rooms that the session came into at once. */
struct handout {
    struct session *session;
    struct resume_request request;
    struct opening *openings; /* as the request's points */
    int outstanding;
    int tries;
    bool refused;       /* Redis has said no */
    bool failed;        /* it was not reached */
    struct alarm again; /* set: it waits to be tried once more */
};

struct away {
    struct session *session;
    struct alarm look;
    struct table steps;
    struct handout *next, *now; /* being gathered; being handed out */
    bool has_begun;
    bool is_pinged;
    uint32_t ping; /* whose answer is awaited */
};

static bool waits_in(const struct gateway *g, struct span room)
{
    const struct catalog_room *rule = catalog_room(g->catalog, room, NULL);
    return rule && rule->offline;
}

static int64_t longest_ms(const struct catalog *c)
{
    int64_t most = 0;
    for (size_t i = 0; i < c->room_count; i++)
        if (c->rooms[i].offline && c->rooms[i].history_ms > most)
            most = c->rooms[i].history_ms;
    return most;
}

/* --- devices ------------------------------------------------------------------------------ */

int away_name(struct session *s, struct span device, struct fault *f)
{
    if (store_device_check(device, f) != 0)
        return -1;
    free(s->device);
    s->device = span_text(device);
    return 0;
}

/* The token's word counts more than the client's. */
static struct store_device device_of(const struct session *s)
{
    struct fault f;
    struct span claimed = span_of(s->who->device);
    struct store_device d = {span_of(s->who->user), span_of(s->device ? s->device : STORE_DEVICE)};
    if (claimed.len && store_device_check(claimed, &f) == 0)
        d.name = claimed;
    return d;
}

/* --- what is acknowledged ----------------------------------------------------------------- */

static struct step *find_step(struct away *a, struct span room)
{
    struct step *step = table_find(&a->steps, room);
    if (step)
        return step;
    step = mem_zero(sizeof(*step) + room.len);
    memcpy(step->room, room.at, room.len);
    table_add(&a->steps, &step->node, (struct span){step->room, room.len});
    return step;
}

static void advance(struct step *step, struct place at)
{
    if (place_compare(at, step->at) <= 0)
        return;
    step->at = at;
    step->changed = true;
}

static void put(struct away *a, const struct store_step *steps, int count)
{
    struct gateway *g = a->session->gateway;
    struct store_device device = device_of(a->session);
    if (!count)
        return;
    g->metrics.value[M_NOTED]++;
    /* What is published after the last word of a device waits for its whole time; the device is
     * remembered for as long, and longer, so that it can be told of what was too old. */
    store_device_put(bus_store(g->bus), &device, steps, count, 2 * longest_ms(g->catalog));
}

/* While Redis is away, later. */
static void write_down(struct away *a)
{
    struct store_step changed[STORE_STEPS_MAX];
    struct step *step, *next;
    int count = 0;
    if (!bus_is_up(a->session->gateway->bus))
        return;
    TABLE_EACH (&a->steps, step, next) {
        if (!step->changed)
            continue;
        step->changed = false;
        changed[count++] = (struct store_step){table_name(&step->node), step->at};
        if (count < STORE_STEPS_MAX)
            continue;
        put(a, changed, count);
        count = 0;
    }
    put(a, changed, count);
}

/* --- by a ping ---------------------------------------------------------------------------- */

/* Whether the client has had what it was sent before the ping. */
static bool has_answered(const struct away *a)
{
    const struct link *l = a->session->link;
    return a->is_pinged && (int32_t)(l->pongs - a->ping) >= 0;
}

static void take_answer(struct away *a)
{
    struct step *step, *next;
    if (!has_answered(a))
        return;
    a->is_pinged = false;
    TABLE_EACH (&a->steps, step, next) {
        if (step->sent.epoch)
            advance(step, step->sent);
        step->sent = (struct place){0};
    }
}

/* Whether the client was sent more since; it may not be all that is for it in a room where it is
 * held. */
static bool note_sent(struct away *a)
{
    struct session *s = a->session;
    bool any = false;
    for (uint32_t i = 0; i < s->seat_count; i++) {
        struct span room = hub_seat_room(s, i);
        struct place at = hub_seat_place(s, i);
        bool is_placed = at.epoch && place_compare(at, follow_anywhere) != 0;
        if (!is_placed || hub_is_seat_held(s, i) || !waits_in(s->gateway, room))
            continue;
        struct step *step = find_step(a, room);
        if (place_compare(at, step->at) <= 0)
            continue;
        step->sent = at;
        any = true;
    }
    return any;
}

static void look_after(struct away *a)
{
    take_answer(a);
    if (a->is_pinged || !note_sent(a))
        return;
    session_ping(a->session);
    a->is_pinged = true;
    a->ping = a->session->link->pings;
}

static void set_look(struct away *a, int64_t in_ms)
{
    wheel_set(a->session->gateway->wheel, &a->look.timer, clock_steady_ms() + in_ms);
}

static void look(struct alarm *alarm)
{
    struct away *a = (struct away *)(void *)((char *)alarm - offsetof(struct away, look));
    if (session_is_closing(a->session))
        return;
    if (!a->session->device)
        look_after(a);
    write_down(a);
    if (!a->session->device)
        set_look(a, a->is_pinged ? PONG_MS : LOOK_MS);
}

/* --- handing out -------------------------------------------------------------------------- */

static void hand_out(struct handout *h);

static struct gateway *gateway_of(const struct handout *h)
{
    return h->session->gateway;
}

static struct span room_of(const struct handout *h, size_t i)
{
    return span_of(h->request.points[i].room);
}

static void hold(const struct handout *h, size_t i)
{
    h->request.points[i].sitting = hub_hold(gateway_of(h)->hub, h->session, room_of(h, i));
}

static void let_go(const struct handout *h, size_t i)
{
    hub_let_go(gateway_of(h)->hub, h->session, room_of(h, i), h->request.points[i].sitting);
}

static void handout_free(struct handout *h)
{
    for (size_t i = 0; i < h->request.count; i++)
        free(h->request.points[i].room);
    free(h->request.points);
    free(h->openings);
    session_unref(h->session);
    free(h);
}

/* What ends begins the one that waits behind it, of which there is one at most; that is the depth.
 * NOLINTBEGIN(misc-no-recursion) */
static void begin_next(struct away *a)
{
    if (a->now || !a->next)
        return;
    a->now = a->next;
    a->next = NULL;
    a->session->gateway->metrics.value[M_CATCHING_UP]++;
    hand_out(a->now);
}

static void end_handout(struct handout *h)
{
    struct away *a = h->session->away;
    gateway_of(h)->metrics.value[M_CATCHING_UP]--;
    handout_free(h);
    if (!a)
        return;
    a->now = NULL;
    begin_next(a);
    set_look(a, PONG_MS);
}

/* gap: NULL: nobody knows what is missing, but that it is after this place. */
static void tell_gap(const struct handout *h, size_t i, const struct json *gap)
{
    static const struct request unasked;
    struct session *s = h->session;
    char text[PLACE_BYTES];
    struct json *data = json_new_object();
    json_add_span(data, "room", room_of(h, i));
    json_add_span(data, "after", place_format(h->request.points[i].since, text));
    gateway_of(h)->metrics.value[M_GAPS]++;
    session_reply(s, &unasked, session_notices(s)->gap, gap ? gap : data);
    json_free(data);
}

static void give_up(struct handout *h)
{
    for (size_t i = 0; i < h->request.count; i++) {
        if (h->openings[i].done)
            continue;
        let_go(h, i);
        tell_gap(h, i, NULL);
    }
    end_handout(h);
}

static void ring_again(struct alarm *alarm)
{
    hand_out((struct handout *)(void *)((char *)alarm - offsetof(struct handout, again)));
}

/* Ends it, or has it tried again: its rooms stay held, for nothing that waits there comes now. */
static void settle(struct handout *h)
{
    struct gateway *g = gateway_of(h);
    if (session_is_closing(h->session) || (!h->failed && !h->refused)) {
        end_handout(h);
    } else if (h->refused || (bus_is_up(g->bus) && h->tries++ == TRIES_MAX)) {
        give_up(h);
    } else {
        h->again.ring = ring_again;
        wheel_set(g->wheel, &h->again.timer, clock_steady_ms() + RETRY_MS);
    }
}

/* A history that is gone has nothing to go on from: the device is as new there, the next time. */
static void forget(struct away *a, struct span room)
{
    struct step *step = find_step(a, room);
    step->at = (struct place){0};
    step->changed = true;
}

static void resumed(void *arg, const struct resume_result *result)
{
    struct opening *o = arg;
    struct handout *h = o->handout;
    size_t i = (size_t)(o - h->openings);
    h->request.points[i].since = result->at;
    o->done = !result->unavailable;
    if (result->unavailable) {
        h->failed = true;
        hold(h, i);
    } else if (result->why && !result->left && !o->is_new && h->session->away) {
        tell_gap(h, i, result->gap);
        if (!result->gap)
            forget(h->session->away, result->room);
    }
    if (!--h->outstanding)
        settle(h);
}

static void listened(void *arg, enum store_result result, const char *why)
{
    struct handout *h = arg;
    (void)why;
    h->failed = result == STORE_UNAVAILABLE;
    h->refused = result == STORE_REFUSED;
    h->outstanding = 1;
    for (size_t i = 0; result == STORE_DONE && i < h->request.count; i++) {
        if (h->openings[i].done)
            continue;
        h->outstanding++;
        resume_room(h->session, &h->request.points[i], &h->request, resumed, &h->openings[i]);
    }
    if (!--h->outstanding)
        settle(h);
}

static void all_known(struct handout *h)
{
    if (--h->outstanding)
        return;
    if (h->failed || h->refused || session_is_closing(h->session))
        settle(h);
    else
        bus_settle(gateway_of(h)->bus, listened, h);
}

static void note_from(struct away *a, struct span room, const struct store_standing *there)
{
    struct step *step = find_step(a, room);
    step->from = there->at;
    step->is_handed = true;
    if (!there->is_new)
        step->at = there->at;
}

static void stands(void *arg, enum store_result result, const struct store_standing *there,
                   const char *why)
{
    struct opening *o = arg;
    struct handout *h = o->handout;
    size_t i = (size_t)(o - h->openings);
    if (there) {
        o->known = true;
        bool counts = o->is_asked && (there->is_new || place_compare(o->asked, there->at) < 0);
        o->is_new = there->is_new && !counts;
        h->request.points[i].since = counts ? o->asked : there->at;
        if (h->session->away)
            note_from(h->session->away, room_of(h, i), there);
    }
    h->failed |= result == STORE_UNAVAILABLE;
    h->refused |= result == STORE_REFUSED;
    if (result == STORE_REFUSED)
        log_limited(LOG_KIND_AWAY, LOG_ERROR, "how far devices have come cannot be read: %s", why);
    all_known(h);
}

static void hand_out(struct handout *h)
{
    struct gateway *g = gateway_of(h);
    struct store_device device = device_of(h->session);
    h->failed = !bus_is_up(g->bus);
    h->refused = false;
    h->outstanding = 1;
    for (size_t i = 0; !h->failed && i < h->request.count; i++) {
        if (h->openings[i].known)
            continue;
        h->outstanding++;
        store_device_get(bus_store(g->bus), &device, room_of(h, i), stands, &h->openings[i]);
    }
    all_known(h);
}
/* NOLINTEND(misc-no-recursion) */

/* --- sessions ----------------------------------------------------------------------------- */

static struct away *away_of(struct session *s)
{
    if (s->away)
        return s->away;
    s->away = mem_zero(sizeof(*s->away));
    s->away->session = s;
    s->away->look.ring = look;
    return s->away;
}

void away_join(struct session *s, struct span room)
{
    if (!waits_in(s->gateway, room))
        return;
    struct away *a = away_of(s);
    if (!a->next) {
        a->next = mem_zero(sizeof(*a->next));
        a->next->session = session_ref(s);
        a->next->request.waited = true;
    }
    struct handout *h = a->next;
    struct resume_request *q = &h->request;
    q->points = mem_resize(q->points, (q->count + 1) * sizeof(*q->points));
    h->openings = mem_resize(h->openings, (q->count + 1) * sizeof(*h->openings));
    q->points[q->count] = (struct resume_point){.room = span_text(room)};
    h->openings[q->count] = (struct opening){.handout = h};
    hold(h, q->count++);
}

void away_begin(struct session *s)
{
    if (session_is_closing(s) || !longest_ms(s->gateway->catalog))
        return;
    struct away *a = away_of(s);
    a->has_begun = true;
    if (!wheel_is_set(&a->look.timer))
        set_look(a, PONG_MS);
    begin_next(a);
}

/* While it is being found out where the device stands: it is handed all from the earlier place on.
 */
static bool will_cover(struct handout *h, struct span room, struct place since)
{
    for (size_t i = 0; h && i < h->request.count; i++) {
        if (h->openings[i].known || !span_equal(room_of(h, i), room))
            continue;
        h->openings[i].is_asked = true;
        h->openings[i].asked = since;
        return true;
    }
    return false;
}

bool away_covers(struct session *s, struct span room, struct place since)
{
    struct step *step = s->away ? table_find(&s->away->steps, room) : NULL;
    if (s->away && will_cover(s->away->now, room, since))
        return true;
    bool covers = step && step->is_handed && place_compare(since, step->from) >= 0;
    if (step)
        step->is_handed = false;
    return covers;
}

void away_leave(struct session *s, struct span room)
{
    struct step *step = s->away ? table_find(&s->away->steps, room) : NULL;
    if (step)
        step->is_handed = false;
}

void away_go_on(struct session *s)
{
    struct away *a = s->away;
    if (!a || !a->has_begun)
        return;
    if (a->next)
        a->next->request.late = true;
    begin_next(a);
}

void away_end(struct session *s)
{
    struct away *a = s->away;
    struct step *step, *next;
    if (!a)
        return;
    take_answer(a);
    write_down(a);
    s->away = NULL;
    wheel_cancel(&a->look.timer);
    if (a->next)
        handout_free(a->next);
    if (a->now && wheel_is_set(&a->now->again.timer)) {
        wheel_cancel(&a->now->again.timer);
        end_handout(a->now);
    }
    TABLE_EACH (&a->steps, step, next) {
        free(step);
    }
    table_fini(&a->steps);
    free(a);
}

/* --- by a message ------------------------------------------------------------------------- */

static int acknowledge(struct session *s, struct span room, struct span id, struct fault *f)
{
    struct gateway *g = s->gateway;
    struct place at;
    if (json_type(id) != JSON_STRING || place_parse(json_inside(id), &at) != 0)
        return fault_set(f, "ids: must be an object: the last id of each room");
    if (!hub_is_in(g->hub, s, room) || !waits_in(g, room))
        return fault_set(f, "ids: %s: no room of yours where events wait", fault_quote(room));
    advance(find_step(away_of(s), room), at);
    return 0;
}

void away_acknowledge(struct session *s, const struct request *r)
{
    struct span ids, room, id;
    struct fault f;
    bool good = r->data.len && json_type(r->data) == JSON_OBJECT &&
                catalog_take(r->message, CATALOG_IDS, r->data, &ids) &&
                json_type(ids) == JSON_OBJECT;
    if (!good)
        fault_set(&f, "ids: must be an object: the last id of each room");
    for (struct json_walk w = json_walk(good ? ids : span_of("{}"));
         good && json_next_member(&w, &room, &id);)
        good = acknowledge(s, json_inside(room), id, &f) == 0;
    if (s->away && !wheel_is_set(&s->away->look.timer))
        set_look(s->away, WRITE_MS);
    if (good)
        session_reply(s, r, r->message->reply, NULL);
    else
        session_refuse(s, r, ERROR_BAD_MESSAGE, f.text, NULL);
}
