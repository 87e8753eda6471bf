/* The bus: this node's side of Redis. Rooms with members here are listened to, and no others;
 * what arrives goes to the hub; what clients publish goes to Redis. While Redis is away the node
 * serves its own clients: events are handed to the hub directly, and the answer says so. */
#ifndef BUS_H
#define BUS_H

#include "event.h"
#include "gateway.h"
#include "session.h"
#include "store.h"
#include "terms.h"

/* told: called when Redis was reached or lost, the first time too (why NULL: reached). */
typedef void bus_told(void *ctx, const char *why);
struct bus *bus_open(struct gateway *g, const struct redis_address *address, bus_told *told,
                     void *ctx);

/* What comes on the control channel goes to heard, with the gateway as ctx. */
typedef void bus_heard(void *ctx, enum store_channel channel, struct span text);
void bus_hear(struct bus *b, bus_heard *heard);
void bus_close(struct bus *b);

/* Servers of another kind beside this one (neighbours.h). Of an event that this node publishes a
 * note is made, and passed to them when Redis has taken it for the first time. What they say comes
 * as it stood on its channel. */
struct bus_others {
    void (*note)(struct gateway *g, const struct event *e, struct buf *out);
    void (*pass)(struct gateway *g, struct span note);
    void (*came)(struct gateway *g, const struct store_adapter *from, struct span message);
};
void bus_meet(struct bus *b, const struct bus_others *others);

/* Calls done once, from within or later: when it is known whether Redis can be reached. From the
 * start that takes a moment, of some seconds where nothing answers; bus_stop() ends it too. */
void bus_await(struct bus *b, void (*done)(void *arg), void *arg);
void bus_stop(struct bus *b);

bool bus_is_up(const struct bus *b);
/* Why Redis is away; "" while it is not. */
const char *bus_trouble(const struct bus *b);
struct store *bus_store(struct bus *b);

/* The session's joins take effect: listens to a room that is new here. */
void bus_join(struct bus *b, struct session *s, struct span room);

/* A kept event that was read from the history: if it is the next that this node's clients in the
 * room are to get, they get it. seen: the one before it stood in the history too. */
void bus_take(struct bus *b, struct span room, const struct store_entry *entry,
              const struct event *e, bool seen);

/* What a client is told of events that were between two places and are lost. */
struct json *bus_gap(struct span room, struct place after, struct place before);

/* Reads on where this node stands in a room. */
void bus_catch_up(struct bus *b, struct span room);

/* The hub's hook: nobody here is in the room any more. ctx: the gateway. */
void bus_room_gone(void *ctx, struct span room);

/* Calls done when events published from then on reach all that joined so far. */
void bus_settle(struct bus *b, store_done *done, void *arg);

/* Publishes through Redis; on this node alone while Redis is away (result STORE_UNAVAILABLE with
 * local true). Sets e->time when it is empty. */
typedef void bus_done(void *arg, enum store_result result, bool local, const char *why);
void bus_publish(struct bus *b, struct event *e, bus_done *done, void *arg);

/* The same by these terms, and with a receipt (of what Redis has taken or found in conflict; else
 * NULL). What has a key or a version is refused while Redis is away: nobody could keep either. */
typedef void bus_submitted(void *arg, enum store_result result, bool local,
                           const struct store_receipt *receipt, const char *why);
void bus_submit(struct bus *b, struct event *e, const struct terms *terms, bus_submitted *done,
                void *arg);

#endif
