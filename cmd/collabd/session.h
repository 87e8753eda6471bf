/* A session: one client, whatever protocol it speaks and whatever carries it.
 *
 * It stands between three that don't know each other: a codec, which turns events and replies into
 * frames; a link, which carries bytes; and the hub, which knows rooms. A session is made when its
 * client comes and lives until the client has gone and nobody holds a reference any more (an
 * answer from Redis may still be under way): session_ended(), then session_unref(). */
#ifndef SESSION_H
#define SESSION_H

#include "catalog.h"
#include "event.h"
#include "frame.h"
#include "gateway.h"
#include "json.h"
#include "link.h"
#include "protocol.h"

struct session;

/* What a client asked, while it is being answered. */
struct request {
    const struct catalog_message *message; /* NULL: it asked nothing that could be understood */
    struct span ref;  /* the client's own mark: a JSON string or number, or empty */
    struct span data; /* the arguments: any JSON value, or empty */
};

/* How the client's protocol writes what we tell it, in the names of the catalog. Each returns a
 * frame, or NULL where there is nothing to be said. */
struct codec {
    int index;       /* among all codecs, below CODECS_MAX */
    struct span nsp; /* of Socket.IO, which its clients are in; "/" is everybody else's too */
    const struct catalog_notices *notices; /* what notices are called; NULL: as in the catalog */
    struct frame *(*event)(const struct codec *k, const struct catalog *c, const struct event *e,
                           struct span text);
    /* the same of an event that had waited for the client, and is marked so */
    struct frame *(*waited)(const struct codec *k, const struct catalog *c, const struct event *e,
                            struct span text);
    /* An event with any number of arguments, a JSON array that begins with its name; ack: digits,
     * by which it is to be acknowledged, or empty. NULL instead of a function: of such a one its
     * clients get the first argument, as an event's data. */
    struct frame *(*emit)(const struct codec *k, struct span args, struct span ack);
    /* type: of a notice, or of the reply to r; NULL: only who waits for a reply gets it */
    struct frame *(*reply)(const struct codec *k, const struct catalog *c, const struct request *r,
                           const char *type, const struct json *data);
    struct frame *(*error)(const struct codec *k, const struct catalog *c, const struct request *r,
                           enum error_code code, const char *message, const struct json *data);
    /* Appends an event that is part of a reply; NULL: as it stands */
    void (*embed)(const struct codec *k, const struct catalog *c, struct span text,
                  struct buf *out);
    /* What tells a client that it is in, before the notice of it; NULL: nothing does */
    struct frame *(*welcome)(const struct codec *k, const struct session *s);
    struct frame *(*ping)(void); /* NULL: the link has a heartbeat of its own */
    struct frame *(*close)(const struct session *s, enum close_code code);
    /* Tells the client that it is out and ends the session, while its connection stays for others;
     * NULL: it can't have others */
    void (*part)(struct session *s);
};
/* From CODEC_SOCKETIO on, one a namespace. */
enum { CODEC_PLAIN, CODEC_V1, CODEC_SOCKETIO, CODECS_MAX = 32 };

struct seat;     /* hub.h: one room that the session is in */
struct recovery; /* recover.h */
struct entering; /* action.c */
struct away;     /* away.h */

enum { SESSION_ID_CHARS = 16 };

struct session {
    struct table_node node; /* first: in gateway->sessions */
    struct gateway *gateway;
    const struct codec *codec;
    struct link *link;                     /* NULL once the session has ended */
    struct identity *who;                  /* NULL until authenticated; the session's own */
    struct person *person;                 /* people.h; NULL until its user is known */
    struct session *same_prev, *same_next; /* of the same user */
    struct alarm alarm;
    struct account *account;   /* of the user, held; NULL until authenticated */
    struct rate_window window; /* of messages */
    uint32_t refusals;         /* for being over a rate, since a message was not */
    uint32_t refs;
    struct recovery *recovery; /* NULL: it is not kept */
    struct entering *entering; /* what it asks waits in there until it is in; NULL: nothing does */
    struct away *away;         /* NULL: no room that it is in keeps events for it */
    char *device;              /* that the client says it is on; NULL: it doesn't */
    struct seat *seats;
    uint32_t seat_count, seat_cap;
    uint64_t mark;           /* the hub's: the last delivery that this session was part of */
    int64_t opened_ms;       /* steady */
    int64_t heard_ms;        /* steady: the last sign of life */
    struct views *views;     /* presence.c's: the rooms it looks at, or NULL */
    struct signals *signals; /* signals.c's, or NULL */
    uint16_t sittings;       /* the hub's: joins so far */
    bool unplaced;           /* join.c's: its user's rooms could not all be asked for */
    bool welcomed;           /* its client was told, in its protocol's words, that it is in */
    bool present;            /* presence.c's: it counts the session */
    char id[SESSION_ID_CHARS + 1];
};

struct session *session_new(struct gateway *g, const struct codec *codec, struct link *link);

/* NULL: there is none of that id. */
struct session *session_find(const struct gateway *g, struct span id);

/* Gives it another id, of SESSION_ID_CHARS: the one that its client has from elsewhere. */
void session_rename(struct session *s, const char *id);

/* The client has gone: nothing is sent any more. The caller gives its reference back afterwards. */
void session_ended(struct session *s);
bool session_is_closing(const struct session *s);
struct session *session_ref(struct session *s);
void session_unref(struct session *s);

/* What notices to this client are called. */
const struct catalog_notices *session_notices(const struct session *s);

/* Takes who over, as the session's identity or in place of the one it had. A session more than the
 * user may have is closed. */
void session_identify(struct session *s, struct identity *who);

/* Something came from the client. */
void session_heard(struct session *s);

/* Tells the client that it is in, if its protocol has a word for that; once. */
void session_welcome(struct session *s);

/* Pings the client, by its link's heartbeat if that has one: link->pings is the number of this one.
 */
void session_ping(struct session *s);

/* Queues a frame, taking over one reference; NULL is none. Over the outbox's bound the session is
 * closed. */
void session_put(struct session *s, struct frame *frame);

/* Answers; nothing once the session is closing. data and detail may be NULL; they stay the
 * caller's. */
void session_reply(struct session *s, const struct request *r, const char *type,
                   const struct json *data);
void session_refuse(struct session *s, const struct request *r, enum error_code code,
                    const char *message, const struct json *detail);

/* Appends an event, of the history, in the names in which this client gets events. */
void session_embed(const struct session *s, struct span text, struct buf *out);

/* Tells the client to go, after what is waiting for it; nothing is sent after that. A client that
 * is too slow gets no more of what is waiting. */
void session_close(struct session *s, enum close_code code);

/* Tells the client that it is out for good, and ends the session but not its connection; closes it
 * where a connection has one session. Who goes on with the session has a reference. */
void session_part(struct session *s, enum close_code code);

#endif
