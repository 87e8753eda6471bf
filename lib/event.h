/* The event: the one JSON object that tools, Redis, gateway and clients hand on.
 *
 *     {"id":"1763660000000-42","type":"task:moved","room":"project:p1",
 *      "rooms":["task:t1","project:p1"],"user":"u1","time":"2026-11-20T18:00:00.123Z",
 *      "version":4,"data":{...}}
 *
 * A struct event owns nothing: its spans are of the text that was parsed, which must outlive it,
 * or of whatever the caller put there. Strings are encoded JSON without their quotes, so they
 * pass through as they came; data is any JSON value, the very bytes. */
#ifndef EVENT_H
#define EVENT_H

#include "buf.h"
#include "fault.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    EVENT_TYPE_BYTES_MAX = 128,
    EVENT_ROOMS_MAX = 16,
    EVENT_USER_BYTES_MAX = 200,
};

struct event {
    struct span id;                     /* empty unless kept: EPOCH-SEQ */
    struct span type;                   /* 1-128 bytes, no control characters */
    struct span room;                   /* the room this copy went to; empty when not routed yet */
    struct span rooms[EVENT_ROOMS_MAX]; /* all, in routing order */
    int room_count;                     /* 1 when only room was given, 0 when none was */
    struct span user;                   /* may be empty */
    struct span time;                   /* RFC 3339; may be empty */
    int64_t version;                    /* -1: none */
    struct span data;                   /* empty when absent; then null is written */
    struct span from; /* the connection that said it, if that is not to get it: written first, for
                         the store to take off again; never parsed */
};

/* Parses one event. The fault names the field and what is wrong with it. An unknown field is a
 * fault when strict (what people and clients write), and passed over when not (what a newer
 * program may have put into Redis). Rooms are checked by room_check(). */
int event_parse(struct event *e, struct span json, bool strict, struct fault *f);

/* Appends the event on one line, without a newline, as the copy for e->room: fields in the order
 * above, empty ones left out, `rooms` only when more than one, data last and compact. */
void event_format(const struct event *e, struct buf *out);

/* Appends what an event says beside its type and data, as an object: id, room, user, time, version,
 * so far as it has them. */
void event_format_meta(const struct event *e, struct buf *out);

/* Whether a name may be an event's user: 1 to 200 bytes, no control characters. Returns 0 or -1. */
int event_check_user(struct span user, struct fault *f);

/* Which of e->rooms this copy's room is (0 when it is in none of them). */
int event_room_index(const struct event *e);

#endif
