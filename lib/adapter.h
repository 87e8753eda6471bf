/* What servers of Socket.IO say to each other through Redis: the messages of
 * @socket.io/redis-adapter 8 and @socket.io/redis-emitter 5 (socketio/socket.io-redis-adapter and
 * socketio/socket.io-redis-emitter at github.com, lib/index.ts of each).
 *
 * Messages to what they ask for, and back. All is JSON here, whatever it came as; a struct owns
 * nothing, its spans are of the text that was parsed. Lists are JSON arrays, and empty when there
 * are none; names stand in them as they stand in JSON. It touches no Redis. */
#ifndef ADAPTER_H
#define ADAPTER_H

#include "event.h"

enum { ADAPTER_BYTES_MAX = 16 * 1024 * 1024 };

/* Who sends what programs of collab publish; who is one passes it over, since the event comes by
 * the channel of its room too. */
#define ADAPTER_UID "collab"

/* Whom something is for: who is in one of `rooms`, everybody if there are none, but nobody who is
 * in one of `except`. The id of a connection is a room too. */
struct adapter_target {
    struct span rooms, except;
};

/* An event for clients. */
struct adapter_event {
    struct span uid;  /* who sent it, without quotes */
    struct span nsp;  /* its namespace, without quotes */
    struct span args; /* an array, with the event's name first: a string or a number */
    struct adapter_target to;
    bool is_volatile;   /* not for who can't take it now */
    int64_t timeout_ms; /* of acknowledgements; 0: none is said */
};

enum adapter_type {
    ADAPTER_SOCKETS,
    ADAPTER_ALL_ROOMS,
    ADAPTER_JOIN,
    ADAPTER_LEAVE,
    ADAPTER_DISCONNECT,
    ADAPTER_FETCH,
    ADAPTER_SERVER_SIDE_EMIT,
    ADAPTER_BROADCAST,
    ADAPTER_CLIENT_COUNT, /* answers to a broadcast */
    ADAPTER_ACK,
};

/* What a server, or an emitter, asks of all servers. */
struct adapter_request {
    enum adapter_type type; /* up to ADAPTER_BROADCAST */
    struct span uid;        /* without quotes; empty: an emitter's */
    struct span id;         /* a string with its quotes; empty: no answer is wanted */
    struct adapter_target to;
    struct span names; /* rooms to be joined or left */
    struct span sid;   /* one connection, without quotes, that alone is meant, by old servers */
    bool closes;       /* who is disconnected: the connection, with all its namespaces */
    struct adapter_event event;
};

/* Appends the JSON of a message, JSON or MessagePack. Returns 0; or -1 when it is too long or
 * neither. */
int adapter_read(struct span message, struct buf *out, struct fault *f);

/* Parse what was read. Return 0 or -1. */
int adapter_event_parse(struct span text, struct adapter_event *e, struct fault *f);
int adapter_request_parse(struct span text, struct adapter_request *r, struct fault *f);

/* Appends an event as a client of Socket.IO gets it, for all its rooms, as JSON: the lists of
 * arguments and of rooms in a list. meta: the second argument says what it has beside its data.
 * Nothing where its type is a name that libraries keep for themselves, who would end their client's
 * connection. Then, for one namespace, the message that is published. */
void adapter_event_note(const struct event *e, bool meta, struct buf *out);
void adapter_event_write(struct span note, struct span nsp, struct buf *out);

/* The one room of a note; empty: there are more. */
struct span adapter_event_room(struct span note);

/* Appends the message by which a client's acknowledgement is handed on. value: JSON */
void adapter_ack_write(struct span id, struct span value, struct buf *out);

#endif
