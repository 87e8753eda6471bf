/* The store: all that Redis keeps and carries for collab. The one owner of key names, channel
 * names and scripts; collab-redis(7) is their description. Without a connection nothing is kept
 * back: publishing fails at once, and the caller decides. */
#ifndef STORE_H
#define STORE_H

#include "event.h"
#include "place.h"
#include "redis.h"

/* Channels beside those of rooms: what gateways are told to do; who comes and goes, for tools; what
 * gateways answer to us. */
enum store_channel { STORE_CONTROL, STORE_PRESENCE, STORE_ANSWER };

/* Channels of servers of Socket.IO on the same Redis, as @socket.io/redis-adapter names them: for
 * events, for requests, for the answers to those. */
enum store_adapter_channel { STORE_BROADCAST, STORE_REQUEST, STORE_RESPONSE };
struct store_adapter {
    enum store_adapter_channel channel;
    struct span prefix; /* the adapter's key */
    struct span nsp;    /* the namespace, with its slash */
    struct span room;   /* the one room that an event is for; empty: the message says */
};

struct store_hooks {
    void (*up)(void *ctx); /* Redis answers both ways; nothing is listened to any more: renew it */
    void (*down)(void *ctx, const char *why); /* or the first attempt failed; once until `up` */
    /* An event's text as it was published to room; nothing was checked. */
    void (*event)(void *ctx, struct span room, struct span text);
    /* What came on a channel that is listened to; nothing was checked. May be NULL. */
    void (*message)(void *ctx, enum store_channel channel, struct span text);
    /* Of a cluster: the room was moved to another server, so it is not listened to any more; what
     * is told meanwhile passes by. To be renewed, if it is still wanted. Empty: of the patterns
     * that are listened to, some rooms; they are renewed already. May be NULL. */
    void (*moved)(void *ctx, struct span room);
    /* What came from servers of Socket.IO, if those are listened to; nothing was checked. */
    void (*adapter)(void *ctx, const struct store_adapter *from, struct span message);
};

struct store;

/* hooks and address must outlive the store. ctx goes to every hook; none is called from here. */
struct store *store_open(uv_loop_t *loop, const struct redis_address *address,
                         const struct store_hooks *hooks, void *ctx);

/* Outstanding calls end as unavailable. The memory goes when the loop has run its closing
 * callbacks. */
void store_close(struct store *s);
bool store_is_up(const struct store *s);

enum store_result {
    STORE_DONE,
    STORE_UNAVAILABLE, /* Redis was not reached, or lost before it answered */
    STORE_REFUSED,     /* Redis said no; why has its words */
    STORE_CONFLICT,    /* of store_append() alone: the entity has another version by now */
};

/* Publishes one copy of e to each of its rooms (one at least), in order, in one go. done (may be
 * NULL) is called once, when all are answered. e->time is set by the caller. */
typedef void store_done(void *arg, enum store_result result, const char *why);
void store_publish(struct store *s, const struct event *e, store_done *done, void *arg);

/* Within the hook for an event: its `from`, which stands in the text no more. */
struct span store_from(const struct store *s);

/* What an event does to the version of its entity, and what becomes of one that was based on
 * another version than the current. Of a MERGE, it is taken if none of its fields was changed
 * since. */
enum store_version { STORE_UNVERSIONED, STORE_START, STORE_NEXT, STORE_SAME, STORE_END };
enum store_conflict { STORE_REJECT, STORE_LAST, STORE_MERGE };

enum { STORE_FIELDS_MAX = 64 };

/* How an event is to be kept. */
struct store_terms {
    struct {
        int64_t length;       /* events that the room keeps; 0: none, this one is only published */
        int64_t age_ms;       /* and for how long */
    } rooms[EVENT_ROOMS_MAX]; /* as the event's */
    struct span key;          /* who publishes again under it gets the receipt of the first time */
    struct span entity;       /* empty: it has none */
    enum store_version version;
    enum store_conflict conflict;
    int64_t expect;                       /* the version that it was based on; -1: any */
    struct span fields[STORE_FIELDS_MAX]; /* that it changes, for merging */
    int field_count;                      /* 0: unknown, so it can't be merged */
};

/* What became of it; gone after the call. */
struct store_receipt {
    bool again;                       /* it had been published under its key before */
    struct span ids[EVENT_ROOMS_MAX]; /* by room; empty: not kept there */
    int id_count;
    int64_t version;  /* that it got, or in a conflict the current one; -1: none */
    struct span last; /* in a conflict: the event that made it so; empty when it isn't kept */
};

/* Publishes e to each of its rooms and keeps it there, each copy with its id. An event with an
 * entity goes to all its rooms or to none; one without, to each room by itself. receipt is NULL
 * when the result is STORE_UNAVAILABLE or STORE_REFUSED. done may be NULL. */
typedef void store_appended(void *arg, enum store_result result,
                            const struct store_receipt *receipt, const char *why);
void store_append(struct store *s, const struct event *e, const struct store_terms *terms,
                  store_appended *done, void *arg);

/* A part of a room's history: what stands there from a place on, in that order or backwards. */
struct store_entry {
    struct place place;
    struct span text; /* the event, with its id */
    int64_t kept_ms;  /* wall clock of who published it */
    bool whole;       /* of the first of an epoch: nothing is known to be lacking before it */
};
struct store_page {
    struct span room;
    const struct store_entry *entries; /* these are gone after the call */
    size_t count;
};
enum store_order { STORE_OLDEST_FIRST, STORE_NEWEST_FIRST };
struct store_stretch {
    struct place first, last; /* of what is wanted, both included */
    size_t most;              /* entries */
    enum store_order order;
};
extern const struct place store_beginning, store_end;

/* page is NULL unless the result is STORE_DONE. */
typedef void store_read_done(void *arg, enum store_result result, const struct store_page *page,
                             const char *why);
void store_read(struct store *s, struct span room, const struct store_stretch *stretch,
                store_read_done *done, void *arg);

/* How far a history goes, and how much of it there is. extent is NULL unless the result is
 * STORE_DONE. */
struct store_extent {
    struct place last; /* store_beginning: nothing is kept */
    int64_t length;
};
typedef void store_extends(void *arg, enum store_result result, const struct store_extent *extent,
                           const char *why);
void store_extent_get(struct store *s, struct span room, store_extends *got, void *arg);

/* Calls each for every room that has a history and matches the pattern, in no order, then done. */
typedef void store_room(void *arg, struct span room);
void store_histories(struct store *s, struct span pattern, store_room *each, store_done *done,
                     void *arg);

/* Puts the scripts that publish into Redis, for programs in other languages. */
void store_scripts_put(struct store *s);

/* Starts and stops listening to rooms, or to all rooms that match a pattern of room.h. The last
 * call for a room counts. While down these do nothing. However many patterns and rooms a copy was
 * listened to by, it comes once. */
void store_listen(struct store *s, const struct span *rooms, size_t count);
void store_unlisten(struct store *s, const struct span *rooms, size_t count);
void store_listen_pattern(struct store *s, struct span pattern);
void store_listen_channel(struct store *s, enum store_channel channel);

/* Calls done when Redis has confirmed all that was asked for by the calls above: events published
 * from then on arrive. STORE_REFUSED: it took some of what was asked for since the settling before
 * but not all, and why names one that it didn't. At once when nothing is under way, or while down;
 * asked for from within such a call, after that. */
void store_settle(struct store *s, store_done *done, void *arg);

/* While probing, a message of the store's own goes through Redis and back every interval; when
 * it doesn't come back within the next, the connections are given up and made anew: a half-open
 * or frozen server is noticed that way. */
void store_probe(struct store *s, int interval_ms);

/* Tells all gateways to do something (a JSON object without its last brace), with the name of a
 * channel for their answers; sent is called with how many will answer. Answers come as messages of
 * STORE_ANSWER, if that is listened to. */
typedef void store_sent(void *arg, enum store_result result, int64_t nodes, const char *why);
void store_control(struct store *s, struct span order, store_sent *sent, void *arg);
void store_answer(struct store *s, struct span channel, struct span text);

/* Starts to listen to the events and requests of a prefix and namespace, which last until the
 * store is closed. Like rooms they are to be renewed at `up`. */
void store_adapter_listen(struct store *s, struct span prefix, struct span nsp);

/* Publishes an event, as adapter_event_note() has noted it, in each of the namespaces
 * (NULL-terminated); done is called when all are answered. The same of any message. done may be
 * NULL. */
void store_adapter_event(struct store *s, struct span prefix, const char *const *namespaces,
                         struct span note, store_done *done, void *arg);
void store_adapter_publish(struct store *s, const struct store_adapter *to, struct span message,
                           store_done *done, void *arg);

/* Bytes of what was published and is not yet answered, for flow control. */
size_t store_backlog(const struct store *s);

/* What was asked for so far gets to Redis, whatever becomes of this process, but for what its
 * socket does not take at once. */
void store_flush(struct store *s);

/* The catalog that the gateways have in force, for the tools. text is empty when there is none. */
void store_catalog_put(struct store *s, struct span text);
typedef void store_text(void *arg, enum store_result result, struct span text);
void store_catalog_get(struct store *s, store_text *got, void *arg);

/* A node's record: a JSON object that lasts ttl_ms unless renewed. store_nodes() calls each for
 * every node whose record lasts (in order of id), then done. */
void store_node_put(struct store *s, struct span id, struct span record, int64_t ttl_ms);
void store_node_drop(struct store *s, struct span id, store_done *done, void *arg);
typedef void store_each(void *arg, struct span id, struct span record);
void store_nodes(struct store *s, store_each *each, store_done *done, void *arg);

/* A counter that all nodes add to. It lasts period_ms from when it was first added to, and then is
 * gone. counted is called with what it came to and how long it still lasts, or with zeros unless
 * DONE. */
typedef void store_rated(void *arg, enum store_result result, int64_t total, int64_t left_ms);
void store_rate(struct store *s, struct span name, int64_t n, int64_t period_ms,
                store_rated *counted, void *arg);
void store_count_drop(struct store *s, struct span name);

/* What another gateway needs to go on with a session: a JSON object that lasts ttl_ms unless
 * renewed. Of one that isn't there the text is empty. */
void store_session_put(struct store *s, struct span id, struct span record, int64_t ttl_ms);
void store_session_renew(struct store *s, struct span id, int64_t ttl_ms);
void store_session_drop(struct store *s, struct span id);
void store_session_get(struct store *s, struct span id, store_text *got, void *arg);

/* Where a run of a gateway stood in a room when its serial number, which only grows, became that.
 * They last ttl_ms from when they were last renewed. */
struct store_mark {
    struct span run, room;
    uint64_t serial;
};
void store_mark_put(struct store *s, const struct store_mark *mark, struct place at);
void store_mark_renew(struct store *s, struct span run, struct span room, int64_t ttl_ms);

/* Tells where it stood at a serial number: by the mark of that or the last before.
 * at is NULL when there is none. */
typedef void store_marked(void *arg, const struct place *at);
void store_mark_get(struct store *s, const struct store_mark *mark, store_marked *marked,
                    void *arg);

#endif
