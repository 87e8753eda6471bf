#include "neighbours.h"
#include "adapter.h"
#include "bus.h"
#include "emission.h"
#include "errands.h"
#include "hub.h"
#include "log.h"

/* --- what this node publishes ------------------------------------------------------------- */

static void note(struct gateway *g, const struct event *e, struct buf *out)
{
    adapter_event_note(e, g->catalog->socketio.meta, out);
}

static void pass(struct gateway *g, struct span noted)
{
    store_adapter_event(bus_store(g->bus), g->errands->prefix, g->catalog->socketio.namespaces,
                        noted, NULL, NULL);
    g->metrics.value[M_NEIGHBOUR_OUT]++;
}

/* --- what they emit ----------------------------------------------------------------------- */

static bool is_here(const struct gateway *g, struct span room)
{
    return !room.len || hub_place(g->hub, room) || session_find(g, room);
}

static void take_event(struct gateway *g, const struct store_adapter *from, struct span text)
{
    struct hub_group group = {0};
    struct adapter_event e;
    struct fault f;
    if (adapter_event_parse(text, &e, &f) != 0) {
        errands_malformed(g, &f);
        return;
    }
    if (span_is(e.uid, ADAPTER_UID) || !span_equal(e.nsp, from->nsp))
        return;
    hub_gather(g->hub, e.nsp, e.to.rooms, e.to.except, &group);
    emission_send(g, &e, &group, (struct span){0}, NULL);
    hub_group_fini(&group);
}

static void came(struct gateway *g, const struct store_adapter *from, struct span message)
{
    struct buf text = {0};
    struct fault f;
    if (from->channel == STORE_BROADCAST && !is_here(g, from->room))
        return;
    g->metrics.value[M_NEIGHBOUR_IN]++;
    if (adapter_read(message, &text, &f) != 0)
        errands_malformed(g, &f);
    else if (from->channel == STORE_BROADCAST)
        take_event(g, from, buf_span(&text));
    else
        errands_take(g, from->nsp, buf_span(&text));
    buf_fini(&text);
}

/* --- set-up ------------------------------------------------------------------------------- */

static const struct bus_others others = {.note = note, .pass = pass, .came = came};

void neighbours_begin(struct gateway *g)
{
    if (!g->settings.socketio_redis)
        return;
    g->errands = errands_new(g, span_of(g->settings.socketio_redis));
    bus_meet(g->bus, &others);
}

void neighbours_end(struct gateway *g)
{
    if (g->errands)
        errands_free(g->errands);
    g->errands = NULL;
}

static void listened(void *arg, enum store_result result, const char *why)
{
    (void)arg;
    if (result == STORE_REFUSED)
        log_error("servers of Socket.IO cannot be listened to: %s", why);
}

void neighbours_up(struct gateway *g)
{
    struct store *store = bus_store(g->bus);
    if (!g->errands || !bus_is_up(g->bus))
        return;
    for (const char *const *nsp = g->catalog->socketio.namespaces; *nsp; nsp++)
        store_adapter_listen(store, g->errands->prefix, span_of(*nsp));
    store_settle(store, listened, g);
}
