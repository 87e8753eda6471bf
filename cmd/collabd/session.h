/* A session: one client, whatever protocol it speaks and whatever carries it.
 *
 * It stands between three that don't know each other: a codec, which turns events and replies into
 * frames; a link, which carries bytes; and the hub, which knows rooms. A session is made by its
 * link and lives until the link has gone and nobody holds a reference any more (an answer from
 * Redis may still be under way): session_ended(), then session_unref(). */
#ifndef SESSION_H
#define SESSION_H

#include "catalog.h"
#include "event.h"
#include "frame.h"
#include "gateway.h"
#include "json.h"
#include "outbox.h"
#include "protocol.h"

/* What a client asked, while it is being answered. */
struct request {
    const struct catalog_message *message; /* NULL: it asked nothing that could be understood */
    struct span ref;  /* the client's own mark: a JSON string or number, or empty */
    struct span data; /* the arguments: any JSON value, or empty */
};

/* What carries the bytes. */
struct link {
    const struct link_kind *kind;
};
struct link_kind {
    /* Takes whole frames and sends them. False when it can't take any now: it will call
     * session_writable() when it can. */
    bool (*send)(struct link *l, struct span frames);
    /* The last frame was queued, one that tells the client to go; it may take some seconds for
     * that. session_ended() follows, never from within. */
    void (*close)(struct link *l);
};

/* How the client's protocol writes what we tell it, in the names of the catalog. Each returns a
 * frame, or NULL where there is nothing to be said. */
struct codec {
    int index; /* among the codecs of a parcel (hub.h) */
    struct frame *(*event)(const struct catalog *c, const struct event *e, struct span text);
    /* type: of a notice, or of the reply to r; NULL: only who waits for a reply gets it */
    struct frame *(*reply)(const struct catalog *c, const struct request *r, const char *type,
                           const struct json *data);
    struct frame *(*error)(const struct catalog *c, const struct request *r, enum error_code code,
                           const char *message, const struct json *data);
    struct frame *(*ping)(void);
    struct frame *(*close)(enum close_code code);
};
enum { CODEC_PLAIN, CODEC_COUNT };

struct seat; /* hub.h: one room that the session is in */

enum { SESSION_ID_CHARS = 16 };

struct session {
    struct gateway *gateway;
    const struct codec *codec;
    struct link *link;           /* NULL once it has gone */
    struct identity *who;        /* NULL until authenticated; the session's own */
    struct session *prev, *next; /* in gateway->sessions */
    struct wheel_timer timer;
    struct outbox outbox;
    struct seat *seats;
    uint32_t seat_count, seat_cap;
    uint64_t mark;     /* the hub's: the last delivery that this session was part of */
    int64_t opened_ms; /* steady */
    int64_t heard_ms;  /* steady: the last sign of life */
    uint32_t refs;
    bool closing;
    char id[SESSION_ID_CHARS + 1];
};

struct session *session_new(struct gateway *g, const struct codec *codec, struct link *link);

/* The link has gone: nothing is sent any more. The caller gives its reference back afterwards. */
void session_ended(struct session *s);
struct session *session_ref(struct session *s);
void session_unref(struct session *s);

/* Takes who over, as the session's identity or in place of the one it had. */
void session_identify(struct session *s, struct identity *who);

/* Something came from the client; the link can take bytes again. */
void session_heard(struct session *s);
void session_writable(struct session *s);

/* Queues a frame, taking over one reference. Over the outbox's bound the session is closed. */
void session_put(struct session *s, struct frame *frame);

/* The outboxes' way to the link. */
bool session_send(struct outbox *box, struct span frames);

/* Answers; nothing once the session is closing. data and detail may be NULL; they stay the
 * caller's. */
void session_reply(struct session *s, const struct request *r, const char *type,
                   const struct json *data);
void session_refuse(struct session *s, const struct request *r, enum error_code code,
                    const char *message, const struct json *detail);

/* Tells the client to go, after what is waiting for it; nothing is sent after that. A client that
 * is too slow gets no more of what is waiting. */
void session_close(struct session *s, enum close_code code);

/* The gateway's wheel calls it when the session's time has come. */
void session_due(struct wheel_timer *timer);

#endif
