#include "errands.h"
#include "adapter.h"
#include "bus.h"
#include "clock.h"
#include "emission.h"
#include "hub.h"
#include "join.h"
#include "log.h"
#include "mem.h"
#include "room.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum {
    LOG_KIND_NEIGHBOUR = 7,
    BROADCASTS_MAX = 1000, /* awaited at once */
    PATIENCE_MS = 5000,    /* for acknowledgements, where the request does not say */
    PATIENCE_MS_MAX = 60 * 1000,
};

/* A client that is to acknowledge a broadcast. */
struct waiting {
    struct session *session; /* a reference */
    bool done;
};

/* One whose clients are to acknowledge it. */
struct broadcast {
    UT_hash_handle hh;
    uint64_t id;
    struct errands *all;
    struct alarm late;
    char *nsp, *request;     /* JSON: the request's id */
    struct waiting *waiting; /* in order of the sessions' addresses */
    size_t count, left;
};

/* A request that is being done. */
struct errand {
    struct gateway *gateway;
    struct span nsp;
    struct adapter_request request;
    struct hub_group group; /* whom it is about */
};

void errands_malformed(struct gateway *g, const struct fault *f)
{
    g->metrics.value[M_NEIGHBOUR_BAD]++;
    log_limited(LOG_KIND_NEIGHBOUR, LOG_WARNING, "servers of Socket.IO: %s", f->text);
}

/* --- answers ------------------------------------------------------------------------------ */

static void publish(struct gateway *g, struct span nsp, struct span message)
{
    struct store_adapter to = {STORE_RESPONSE, g->errands->prefix, nsp, {0}};
    store_adapter_publish(bus_store(g->bus), &to, message, NULL, NULL);
}

static struct json *answer_new(const struct errand *e)
{
    struct json *answer = json_new_object();
    if (e->request.id.len)
        json_add_raw(answer, "requestId", e->request.id);
    return answer;
}

/* Who asked without an id waits for nothing. */
static void answer_send(const struct errand *e, struct json *answer)
{
    struct buf text = {0};
    json_write(answer, &text);
    json_free(answer);
    if (e->request.id.len)
        publish(e->gateway, e->nsp, buf_span(&text));
    buf_fini(&text);
}

/* --- who is there ------------------------------------------------------------------------- */

static void gather(struct errand *e, const struct adapter_target *to)
{
    hub_gather(e->gateway->hub, e->nsp, to->rooms, to->except, &e->group);
}

static void tell_sockets(struct errand *e)
{
    struct json *answer = answer_new(e);
    struct json *sockets = json_add_array(answer, "sockets");
    gather(e, &e->request.to);
    for (size_t i = 0; i < e->group.count; i++)
        json_push_span(sockets, span_of(e->group.at[i].session->id));
    answer_send(e, answer);
}

struct census {
    struct span nsp;
    struct hub *hub;
    struct json *rooms;
    bool found; /* somebody of the namespace, in the room at hand */
};

static void look_at(void *arg, struct session *s)
{
    struct census *c = arg;
    c->found |= s->who && span_equal(s->codec->nsp, c->nsp);
}

static void count_room(void *arg, struct span room, uint32_t members)
{
    struct census *c = arg;
    (void)members;
    c->found = false;
    hub_members(c->hub, room, look_at, c);
    if (c->found)
        json_push_span(c->rooms, room);
}

/* A connection's id is a room too. */
static void tell_rooms(struct errand *e)
{
    struct json *answer = answer_new(e);
    struct census c = {e->nsp, e->gateway->hub, json_add_array(answer, "rooms"), false};
    hub_rooms(e->gateway->hub, count_room, &c);
    gather(e, &e->request.to);
    for (size_t i = 0; i < e->group.count; i++)
        json_push_span(c.rooms, span_of(e->group.at[i].session->id));
    answer_send(e, answer);
}

static void push_room(void *arg, struct span room)
{
    json_push_span(arg, room);
}

/* What came with the client's request is not told: a token may be in it. */
static void add_handshake(struct json *socket, const struct session *s)
{
    struct json *handshake = json_add_object(socket, "handshake");
    char opened[CLOCK_STAMP_BYTES];
    int64_t issued_ms = clock_wall_ms() - (clock_steady_ms() - s->opened_ms);
    clock_stamp(issued_ms, opened);
    json_add_object(handshake, "headers");
    json_add_text(handshake, "time", opened);
    json_add_text(handshake, "address", s->link->address ? s->link->address->name + 2 : "");
    json_add_bool(handshake, "xdomain", false);
    json_add_bool(handshake, "secure", false);
    json_add_number(handshake, "issued", (double)issued_ms);
    json_add_text(handshake, "url", "");
    json_add_object(handshake, "query");
    json_add_object(handshake, "auth");
}

static void add_socket(struct json *sockets, const struct session *s)
{
    struct json *socket = json_new_object();
    json_add_text(socket, "id", s->id);
    add_handshake(socket, s);
    struct json *rooms = json_add_array(socket, "rooms");
    json_push_span(rooms, span_of(s->id));
    hub_rooms_of(s, push_room, rooms);
    json_add_text(json_add_object(socket, "data"), "user", s->who->user);
    json_push(sockets, socket);
}

static void tell_all_of_them(struct errand *e)
{
    struct json *answer = answer_new(e);
    struct json *sockets = json_add_array(answer, "sockets");
    gather(e, &e->request.to);
    for (size_t i = 0; i < e->group.count; i++)
        add_socket(sockets, e->group.at[i].session);
    answer_send(e, answer);
}

/* --- rooms and connections ---------------------------------------------------------------- */

static bool is_room(struct gateway *g, struct span name)
{
    struct fault f;
    if (json_type(name) == JSON_STRING && room_check(json_inside(name), &f) == 0)
        return true;
    if (json_type(name) != JSON_STRING)
        fault_set(&f, "a room is a string");
    errands_malformed(g, &f);
    return false;
}

static void move(struct errand *e, struct session *s, struct span name)
{
    struct span room = json_inside(name);
    if (session_is_closing(s))
        return;
    if (e->request.type == ADAPTER_LEAVE)
        join_leave(s, room);
    else
        join_place(s, room);
}

static void move_all(struct errand *e, struct span name)
{
    if (!is_room(e->gateway, name))
        return;
    for (size_t i = 0; i < e->group.count; i++)
        move(e, e->group.at[i].session, name);
}

/* names: a list; of an old server, one. */
static void change_rooms(struct errand *e)
{
    struct span names = e->request.names, name;
    struct json_walk w = json_walk(names);
    if (names.len && json_type(names) != JSON_ARRAY)
        move_all(e, names);
    while (json_next_element(&w, &name))
        move_all(e, name);
}

static void disconnect(struct errand *e)
{
    for (size_t i = 0; i < e->group.count; i++) {
        if (e->request.closes)
            session_close(e->group.at[i].session, CLOSE_KICKED);
        else
            session_part(e->group.at[i].session, CLOSE_KICKED);
    }
}

/* Whom it is about. Of one connection that is meant alone, the server that has it says so when it
 * is done. */
static void carry_out(struct errand *e)
{
    struct buf list = {0};
    struct adapter_target to = e->request.to;
    bool is_one = e->request.sid.len > 0;
    if (is_one) {
        buf_printf(&list, "[\"%.*s\"]", (int)e->request.sid.len, e->request.sid.at);
        to.rooms = buf_span(&list);
    }
    gather(e, &to);
    if (e->request.type == ADAPTER_DISCONNECT)
        disconnect(e);
    else
        change_rooms(e);
    if (is_one && e->group.count)
        answer_send(e, answer_new(e));
    buf_fini(&list);
}

/* No program is here whose handlers it could be for. Where an answer is waited for, it is one
 * without a value. */
static void pass_over(struct errand *e)
{
    struct json *answer = answer_new(e);
    json_add_number(answer, "type", ADAPTER_SERVER_SIDE_EMIT);
    answer_send(e, answer);
}

/* --- broadcasts that are acknowledged ----------------------------------------------------- */

static void broadcast_free(struct broadcast *b)
{
    HASH_DEL(b->all->broadcasts, b);
    wheel_cancel(&b->late.timer);
    for (size_t i = 0; i < b->count; i++)
        session_unref(b->waiting[i].session);
    free(b->waiting);
    free(b->nsp);
    free(b->request);
    free(b);
}

static void too_late(struct alarm *alarm)
{
    broadcast_free((struct broadcast *)(void *)((char *)alarm - offsetof(struct broadcast, late)));
}

static int by_address(const void *a, const void *b)
{
    uintptr_t one = (uintptr_t)((const struct waiting *)a)->session;
    uintptr_t other = (uintptr_t)((const struct waiting *)b)->session;
    return (one > other) - (one < other);
}

static int64_t patience_ms(const struct adapter_event *e)
{
    int64_t wanted_ms = e->timeout_ms ? e->timeout_ms : PATIENCE_MS;
    return wanted_ms < PATIENCE_MS_MAX ? wanted_ms : PATIENCE_MS_MAX;
}

static void await(const struct errand *e, uint64_t id, struct session **sessions, size_t count)
{
    struct errands *all = e->gateway->errands;
    struct broadcast *b = mem_zero(sizeof(*b));
    b->all = all;
    b->id = id;
    b->nsp = span_text(e->nsp);
    b->request = span_text(e->request.id);
    b->count = b->left = count;
    b->waiting = mem_alloc(count * sizeof(*b->waiting));
    for (size_t i = 0; i < count; i++)
        b->waiting[i] = (struct waiting){session_ref(sessions[i]), false};
    qsort(b->waiting, count, sizeof(*b->waiting), by_address);
    b->late.ring = too_late;
    HASH_ADD(hh, all->broadcasts, id, sizeof(b->id), b);
    wheel_set(e->gateway->wheel, &b->late.timer,
              clock_steady_ms() + patience_ms(&e->request.event));
}

/* Who asked is told how many will acknowledge it before any of them does. */
static void broadcast(struct errand *e)
{
    struct gateway *g = e->gateway;
    struct errands *all = g->errands;
    const struct adapter_event *event = &e->request.event;
    bool awaited = e->request.id.len && HASH_COUNT(all->broadcasts) < BROADCASTS_MAX;
    char id[24] = "";
    if (awaited)
        snprintf(id, sizeof(id), "%" PRIu64, ++all->last_id);
    gather(e, &event->to);
    struct session **got = mem_alloc((e->group.count + 1) * sizeof(*got));
    size_t count = emission_send(g, event, &e->group, span_of(id), got);
    struct json *answer = answer_new(e);
    json_add_number(answer, "type", ADAPTER_CLIENT_COUNT);
    json_add_number(answer, "clientCount", awaited ? (double)count : 0);
    answer_send(e, answer);
    if (awaited && count)
        await(e, all->last_id, got, count);
    free(got);
}

static struct broadcast *find_broadcast(const struct errands *all, struct span id)
{
    struct broadcast *b;
    int64_t n;
    uint64_t key;
    if (json_int(id, &n) != 0)
        return NULL;
    key = (uint64_t)n;
    HASH_FIND(hh, all->broadcasts, &key, sizeof(key), b);
    return b;
}

/* NULL: the session was not asked, or has answered. */
static struct waiting *find_waiting(const struct broadcast *b, struct session *s)
{
    const struct waiting key = {s, false};
    struct waiting *w = bsearch(&key, b->waiting, b->count, sizeof(*b->waiting), by_address);
    return w && !w->done ? w : NULL;
}

void errands_acknowledged(struct session *s, struct span id, struct span args)
{
    struct errands *all = s->gateway->errands;
    struct broadcast *b = all ? find_broadcast(all, id) : NULL;
    struct waiting *place = b ? find_waiting(b, s) : NULL;
    struct json_walk w = json_walk(args);
    struct span value = span_of("null");
    struct buf message = {0};
    if (!place)
        return;
    json_next_element(&w, &value);
    adapter_ack_write(span_of(b->request), value, &message);
    publish(s->gateway, span_of(b->nsp), buf_span(&message));
    buf_fini(&message);
    place->done = true;
    if (!--b->left)
        broadcast_free(b);
}

/* --- what is asked ------------------------------------------------------------------------ */

static void run(struct errand *e)
{
    switch (e->request.type) {
    case ADAPTER_SOCKETS:
        tell_sockets(e);
        break;
    case ADAPTER_ALL_ROOMS:
        tell_rooms(e);
        break;
    case ADAPTER_FETCH:
        tell_all_of_them(e);
        break;
    case ADAPTER_SERVER_SIDE_EMIT:
        pass_over(e);
        break;
    case ADAPTER_BROADCAST:
        broadcast(e);
        break;
    default:
        carry_out(e);
        break;
    }
}

void errands_take(struct gateway *g, struct span nsp, struct span text)
{
    struct errand e = {.gateway = g, .nsp = nsp};
    struct fault f;
    if (adapter_request_parse(text, &e.request, &f) != 0) {
        errands_malformed(g, &f);
        return;
    }
    run(&e);
    hub_group_fini(&e.group);
}

struct errands *errands_new(struct gateway *g, struct span prefix)
{
    struct errands *all = mem_zero(sizeof(*all));
    all->gateway = g;
    all->prefix = (struct span){span_text(prefix), prefix.len};
    return all;
}

void errands_free(struct errands *all)
{
    struct broadcast *b, *next;
    HASH_ITER (hh, all->broadcasts, b, next)
        broadcast_free(b);
    free((void *)all->prefix.at);
    free(all);
}
