/* A link: one client's connection, as those see it who have something to say over it. It is what
 * waits to be sent, and what carries that away. Sessions that share a connection share its link.
 *
 * It sends WebSocket frames (frame.h), whatever carries them. */
#ifndef LINK_H
#define LINK_H

#include "frame.h"
#include "gateway.h"
#include "outbox.h"
#include "protocol.h"

struct link {
    const struct link_kind *kind; /* set by what carries it */
    struct outbox outbox;
    struct account *address; /* held while the link is in use; NULL: none is known */
    uint32_t pings, pongs;   /* sent, and answered */
    bool closing;  /* the last frame was queued: nothing more is taken, nothing that comes counts */
    bool deflates; /* its client takes compressed messages: set by what carries it */
};

struct link_kind {
    /* Takes whole frames and sends them. False when it can't take any now; link_writable() is
     * called when it can. */
    bool (*send)(struct link *l, struct span frames);
    /* The last frame was queued, one that tells the client to go; it may take some seconds for
     * that. The end is told later, never from within. */
    void (*close)(struct link *l);
    /* It has taken nothing for too long: what is waiting is dropped, and it is closed as too slow.
     */
    void (*stuck)(struct link *l);
    /* Queues a ping of its own kind, and counts it. NULL: a ping is a frame as others. */
    void (*ping)(struct link *l);
};

/* Whether one more may come from an address (NULL: none is known); refusals are counted. */
bool link_has_place(struct gateway *g, const struct account *address);

/* The link is in use from here to there; it counts as a connection, the address' too. Shut, it
 * sends nothing more. */
void link_open(struct gateway *g, struct link *l, struct account *address);
void link_shut(struct gateway *g, struct link *l);

/* Queues a frame, taking over one reference. False when it is dropped, being more than may wait. */
bool link_put(struct gateway *g, struct link *l, struct frame *frame);

/* Queues the frame that tells the client to go, and has the link closed after it. */
void link_close(struct gateway *g, struct link *l, struct frame *last);

/* Closes those that have taken nothing for outbox_ms_max. */
void links_check(struct gateway *g);

/* It can take frames again: what waits for it is sent before the loop blocks. */
void link_writable(struct gateway *g, struct link *l);

/* The outboxes' way to the links that they are of. */
bool link_send(struct outbox *box, struct span frames);

/* Who gets what a WebSocket brings. */
struct receiver {
    /* The handshake is done. Returns what the other calls get as arg in place of this one's. */
    void *(*opened)(void *arg, struct link *l);
    /* A whole message; UTF-8 unless binary. Not called once the link is closing. */
    void (*message)(void *arg, struct link *l, struct span message, bool binary);
    /* A sign of life: a piece of a message, or a pong. */
    void (*heard)(void *arg);
    void (*writable)(void *arg, struct link *l);
    /* What came is against the WebSocket's rules or limits: the link is to be closed with code. */
    void (*broken)(void *arg, struct link *l, enum close_code code);
    /* The connection has gone; the link goes after the call. */
    void (*ended)(void *arg, struct link *l);
};

#endif
