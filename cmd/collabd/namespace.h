/* A namespace of Socket.IO: what is said to those who are in it, as packets (sio.h) in frames.
 * Knows no connection.
 *
 * What the gateway says without being asked is an event, with the event's data for its argument. An
 * answer is the acknowledgement that a request asked for; where it asked for none, an event too,
 * if the catalog has a name for it:
 *
 *     43ID[{"ok":true,...}]                                 42["subscribed",{...}]
 *     43ID[{"ok":false,"code":"...","message":"..."}]       42["error",{"code":"...",...}] */
#ifndef NAMESPACE_H
#define NAMESPACE_H

#include "session.h"

struct namespace
{
    struct codec codec; /* first, so that a codec is its namespace */
    const struct gateway *gateway;
};

/* number: among all of them, from 0. What ends a session and a connection, the codec's part and
 * close, is left to be set by who has the connections. */
void namespace_init(struct namespace *nsp, const struct gateway *g, int number, struct span name);
void namespace_fini(struct namespace *nsp);

/* An event to a session; the acknowledgement of a request that has a ref. args: a JSON array. */
struct frame *namespace_event(const struct session *s, struct span args);
struct frame *namespace_ack(const struct session *s, const struct request *r, struct span args);

/* Appends the frame that tells a client that it is out of the codec's namespace. */
void namespace_disconnect(const struct codec *k, struct buf *frames);

/* Tells a client that it may not join the namespace of that name, which need not be one. more:
 * further members of the answer's object, each after a comma. */
struct frame *namespace_refusal(struct span name, const char *message, const char *more);

#endif
