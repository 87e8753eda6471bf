/* The catalog: what makes one gateway speak an application's own language. collab-catalog(5) is
 * its description, catalog_file.h reads it.
 *
 * A catalog is made once and then only read. It is reference-counted: a reload puts a new one in
 * its place while sessions still use the old one. Everything in it is its own and goes with it; so
 * is what the functions below return. Finding things allocates nothing.
 *
 * Types, names and texts are compared as they stand in JSON without the quotes, as struct event
 * has them; an escape in one only costs time. */
#ifndef CATALOG_H
#define CATALOG_H

#include "arena.h"
#include "fault.h"
#include "route.h"
#include "schema.h"
#include "shape.h"
#include <stdbool.h>
#include <stdint.h>

enum { CATALOG_ROOMS_MAX = 256, CATALOG_DIGEST_CHARS = 64 };

/* Ways by which somebody may join a room or publish an event: bits. */
enum catalog_way {
    CATALOG_GRANT = 1 << 0,  /* by a claim of the token; always, unless no way is open */
    CATALOG_SELF = 1 << 1,   /* it is the user's own room */
    CATALOG_ANY = 1 << 2,    /* whoever is authenticated */
    CATALOG_MEMBER = 1 << 3, /* members, with one of `roles` if there are any */
    CATALOG_HELPER = 1 << 4, /* whom the authorization helper lets in */
    CATALOG_JOINED = 1 << 5, /* publishing: who is in all the rooms that it goes to */
};

struct catalog_room {
    struct shape pattern;
    const char *about; /* here and below: may be NULL */
    unsigned join;
    const char *const *roles;   /* NULL-terminated; NULL: any */
    const struct shape *parent; /* whose members are members; slots are the pattern's; or NULL */
    bool automatic;             /* joined on connect */
    bool presence;              /* tells who comes and goes */
    bool offline;               /* kept events wait for members who are away */
    int64_t history_length;     /* events kept at most; 0: none */
    int64_t history_ms;
    /* What tells that a member was added, removed, or got another role; or NULL. */
    const struct catalog_event *added, *removed, *changed;
};

enum catalog_class { CATALOG_KEPT, CATALOG_LIVE, CATALOG_SIGNAL };

/* What an event does to its entity's version. */
enum catalog_version {
    CATALOG_UNVERSIONED,
    CATALOG_START, /* it is 0 */
    CATALOG_NEXT,  /* it goes up by one */
    CATALOG_SAME,  /* the event carries it */
    CATALOG_END,   /* the event carries it, and it is forgotten */
};

/* What becomes of an update that was based on a version no longer current. */
enum catalog_conflict { CATALOG_REJECT, CATALOG_LAST, CATALOG_MERGE };

struct catalog_event {
    const char *type; /* a family's ends with `*` */
    const char *about;
    struct route route;
    enum catalog_class class;
    unsigned publish; /* ways open to clients; 0: none publishes it */
    const char *const *roles;
    const char *user;           /* the field that gets the publishing client's user; or NULL */
    const struct shape *entity; /* slots are the route's; or NULL */
    enum catalog_version version;
    enum catalog_conflict conflict;
    const char *expect; /* path of the field with the version that it was based on; or NULL */
    /* Of a signal: when it is over by itself, what tells so, how many a receiver gets. */
    int64_t expires_ms;
    const struct catalog_event *then; /* or NULL */
    const struct catalog_event *ends; /* the signal whose `then` this event is; or NULL */
    struct rate rate;
};

/* What a client's message asks for. word, reply when the catalog names none (or NULL), whether
 * it takes rooms, whether it takes an event, the arguments it has as a list of words */
#define CATALOG_ACTIONS(X)                                                                         \
    X(CATALOG_AUTHENTICATE, "authenticate", NULL, false, false, "token device")                    \
    X(CATALOG_JOIN, "join", "subscribed", true, false, "rooms since")                              \
    X(CATALOG_LEAVE, "leave", "unsubscribed", true, false, "rooms")                                \
    X(CATALOG_PRESENCE, "presence", NULL, false, false, "status")                                  \
    X(CATALOG_VIEWING, "viewing", NULL, true, false, "rooms")                                      \
    X(CATALOG_SIGNALS, "signal", NULL, false, true, "")                                            \
    X(CATALOG_PUBLISH, "publish", "published", false, true, "key")                                 \
    X(CATALOG_SYNC, "sync", "synced", true, false, "rooms since before limit order")               \
    X(CATALOG_WHO, "who", "who", true, false, "rooms")                                             \
    X(CATALOG_ACKNOWLEDGE, "acknowledge", NULL, false, false, "ids")                               \
    X(CATALOG_PING, "ping", "pong", false, false, "")                                              \
    X(CATALOG_CLOSE, "close", NULL, false, false, "")

enum catalog_action {
#define X(name, word, reply, rooms, event, arguments) name,
    CATALOG_ACTIONS(X)
#undef X
        CATALOG_ACTION_COUNT,
};

/* What an action takes from the message's data. name, word */
#define CATALOG_ARGUMENTS(X)                                                                       \
    X(CATALOG_TOKEN, "token")                                                                      \
    X(CATALOG_DEVICE, "device")                                                                    \
    X(CATALOG_ROOMS, "rooms")                                                                      \
    X(CATALOG_SINCE, "since")                                                                      \
    X(CATALOG_BEFORE, "before")                                                                    \
    X(CATALOG_LIMIT, "limit")                                                                      \
    X(CATALOG_ORDER, "order")                                                                      \
    X(CATALOG_STATUS, "status")                                                                    \
    X(CATALOG_KEY, "key")                                                                          \
    X(CATALOG_IDS, "ids")

enum catalog_argument {
#define X(name, word) name,
    CATALOG_ARGUMENTS(X)
#undef X
        CATALOG_ARGUMENT_COUNT,
};

struct catalog_message {
    const char *name;
    const char *about;
    enum catalog_action action;
    struct route route;                /* what its data must have; its rooms, if it has templates */
    const struct catalog_event *event; /* what it signals or publishes; NULL: what its data says */
    const char *reply;                 /* the reply's type; NULL: only who waits for one gets it */
    const char *arguments[CATALOG_ARGUMENT_COUNT]; /* their paths; NULL: has it not */
};

/* Who hears that somebody came online or went: bits. */
enum catalog_reach {
    CATALOG_REACH_JOINED = 1 << 0, /* rooms with presence that the user is in */
    CATALOG_REACH_MEMBER = 1 << 1, /* rooms with presence that the user is a member of */
};

struct catalog_presence {
    bool on; /* the catalog has the section */
    /* What tells of it; NULL: nothing does. */
    const struct catalog_event *online, *away, *offline; /* a user */
    const struct catalog_event *join, *leave;            /* in a room */
    const struct catalog_event *viewing, *count;
    unsigned reach;
    const char *const *reach_rooms; /* besides; NULL-terminated */
    int64_t grace_ms;               /* after the last connection went, before it is told */
    int64_t crowd;                  /* a room of more tells nobody's join or leave */
    int64_t count_ms;               /* a room's count is told at most this often */
};

/* Names of fields in what the gateway itself says; NULL: it is left out. */
struct catalog_fields {
    const char *user, *users, *viewing, *status, *role, *count, *room;
};
struct catalog_notices {
    const char *ack, *error, *gap;
};
enum catalog_errors { CATALOG_ERRORS_TOP, CATALOG_ERRORS_DATA };
struct catalog_envelope {
    const char *type, *data; /* never NULL */
    const char *id, *room, *rooms, *user, *time, *version, *ref, *offline;
    enum catalog_errors errors; /* code and message of an error are beside data, or in it */
};

struct catalog_socketio {
    const char *const *namespaces; /* NULL-terminated */
    bool meta; /* each event has a second argument, with the rest of the envelope */
};

/* Paths; lists are NULL-terminated, an empty one is off. */
struct catalog_endpoints {
    const char *const *websocket, *const *socketio;
    const char *const *health, *const *metrics, *const *stats, *const *events;
};

/* Where a token may come from: bits. */
enum catalog_source {
    CATALOG_FROM_QUERY = 1 << 0,
    CATALOG_FROM_HEADER = 1 << 1,
    CATALOG_FROM_PROTOCOL = 1 << 2,
    CATALOG_FROM_AUTH = 1 << 3,
    CATALOG_FROM_MESSAGE = 1 << 4,
};

enum catalog_helper { CATALOG_HELPER_NEVER, CATALOG_HELPER_ALWAYS, CATALOG_HELPER_INSTEAD };

struct catalog_claim {
    const char *path;
    struct span value; /* JSON: a scalar */
    const char *text;  /* of a string */
};

struct catalog_auth {
    unsigned from;
    int64_t within_ms; /* 0: collabd's setting */
    const struct catalog_claim *claims;
    size_t claim_count;
    enum catalog_helper helper; /* whether it is asked who may connect */
};

/* 0: collabd's setting. */
struct catalog_limits {
    struct rate client, user, room; /* messages */
    struct rate authentication;     /* attempts per address */
    int64_t connections, user_connections, address_connections;
    int64_t rooms; /* of a client */
    int64_t message_bytes;
};
struct catalog_heartbeat {
    int64_t ping_ms, silence_ms;
};

/* What becomes of messages that no row is for. */
enum catalog_unknown { CATALOG_REFUSE, CATALOG_IGNORE };

struct catalog_index;

struct catalog {
    const char *name;
    const char *about;
    const struct catalog_room *rooms; /* these three as in the file */
    size_t room_count;
    const struct catalog_event *events;
    size_t event_count;
    const struct catalog_message *messages; /* then the protocol's own, so far as not replaced */
    size_t message_count;
    enum catalog_unknown unknown;
    struct catalog_presence presence;
    struct catalog_fields fields;
    struct catalog_notices notices;
    struct catalog_envelope envelope;
    struct catalog_socketio socketio;
    struct catalog_endpoints endpoints;
    struct catalog_auth auth;
    struct catalog_limits limits;
    struct catalog_heartbeat heartbeat;

    struct span text;                      /* all of it, compact: what nodes and tools hand on */
    char digest[CATALOG_DIGEST_CHARS + 1]; /* SHA-256 of text */

    struct catalog_index *index;
    struct arena arena;
    unsigned refs;
};

struct catalog *catalog_ref(struct catalog *c);
void catalog_unref(struct catalog *c); /* NULL: nothing */

/* The event of a type: itself, else the family with the longest prefix. NULL: none. */
const struct catalog_event *catalog_event(const struct catalog *c, struct span type);

/* Says that there is no such event, and which was likely meant. Returns -1. */
int catalog_no_event(const struct catalog *c, struct span type, struct fault *f);

/* Checks an event's data and finds its rooms. An event that leads to none is a fault. The faults
 * name the type. With rooms given explicitly, catalog_check() is what is left to do. */
int catalog_route(const struct catalog_event *e, struct span type, struct span data,
                  struct route_rooms *out, struct fault *f);
int catalog_check(const struct catalog_event *e, struct span type, struct span data,
                  struct fault *f);

/* Checks an event by its type's rules, if the catalog knows it, and gives it the rooms of the
 * templates, unless it has some: explicit rooms override them. The rooms are of *routed. */
int catalog_address(const struct catalog *c, struct event *e, struct route_rooms *routed,
                    struct fault *f);

/* Whether a path is in a list of endpoints. */
bool catalog_has_path(const char *const *paths, struct span path);

/* The entity of (checked) data. Returns its bytes, 0 when there is none, -1 with a fault. */
int catalog_entity(const struct catalog_event *e, struct span data, char entity[ROOM_BYTES_MAX],
                   struct fault *f);

/* Appends data as a client published it (absent, or an object) with the field that is for its user
 * set to that, whatever stood there; the rest stays as it is. Of an event without such a field, and
 * data of another kind, just the data. */
void catalog_add_user(const struct catalog_event *e, struct span data, struct span user,
                      struct buf *out);

/* The pattern that takes a (checked) room: the most special one. captures (may be NULL): by slot
 * of the pattern. NULL: no pattern does. */
const struct catalog_room *catalog_room(const struct catalog *c, struct span room,
                                        struct span captures[SHAPE_SEGMENTS_MAX]);

/* Writes the room in which a room's members may be found too. Returns its bytes; 0: there is none.
 */
int catalog_parent(const struct catalog_room *r, struct span room, char parent[ROOM_BYTES_MAX]);

/* Writes the own room of a user by a pattern that is joined by "self". Returns its bytes, or -1
 * with a fault: the user's name can't stand in a room. */
int catalog_own_room(const struct catalog_room *r, struct span user, char room[ROOM_BYTES_MAX],
                     struct fault *f);

/* The message of a name; NULL: none. */
const struct catalog_message *catalog_message(const struct catalog *c, struct span name);

/* Checks a message's data and finds its rooms, by its templates: none, when it has none. */
int catalog_message_route(const struct catalog_message *m, struct span data,
                          struct route_rooms *out, struct fault *f);

/* An argument of a message in its data; false when it is absent or null. */
bool catalog_take(const struct catalog_message *m, enum catalog_argument argument, struct span data,
                  struct span *value);

/* Whether a token's claims (a JSON object) are as the catalog demands. The fault names the one
 * that isn't. */
int catalog_check_claims(const struct catalog *c, struct span claims, struct fault *f);

/* Leaves out the event and the message of a name, messages that publish that event, and what
 * presence tells by it: from then on it is as if the catalog didn't have them. For who makes the
 * catalog, before it is used. text and digest stay. */
int catalog_leave_out(struct catalog *c, struct span name, struct fault *f);

/* Words of the enums above. */
const char *catalog_action_word(enum catalog_action action);
const char *catalog_argument_word(enum catalog_argument argument);

/* For catalog_file.c, which fills what catalog_new() returns. text is compact. What is added stays
 * where it is. catalog_add_room() returns the room whose pattern takes the same rooms, and the
 * others false when the name is taken; then nothing was added. */
struct catalog *catalog_new(struct span text);
const struct catalog_room *catalog_add_room(struct catalog *c, const struct catalog_room *r);
bool catalog_add_event(struct catalog *c, struct catalog_event *e);
bool catalog_add_message(struct catalog *c, struct catalog_message *m);

#endif
