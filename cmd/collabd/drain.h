/* The end of a gateway, told gently: nobody new is let in, those who are there are sent away one
 * after the other over the time of --drain, and what they need to come back is said.
 *
 * With --reuse-port another process may be listening on the port already. The kernel spreads
 * connections over both, and those that wait to be accepted are lost with the socket that they wait
 * at. So it is asked first to send no more of them here (listen_turn_away()), and those on the way
 * are awaited and served, before the socket is closed. */
#ifndef DRAIN_H
#define DRAIN_H

#include "engineio.h"
#include "gateway.h"
#include "http.h"
#include "listen.h"

struct drain {
    struct gateway *gateway;
    struct listener *listener; /* NULL once closed */
    struct proxieds *proxieds;
    struct secures *secures;
    struct https *https;
    struct engines *engines;
    void (*done)(struct drain *d); /* all have gone, or had the time to */
    uv_timer_t timer;
    int64_t began_ms;  /* steady; 0: not yet */
    int64_t settle_ms; /* from there until those on the way have come */
    int64_t spread_ms; /* from there until the last client is sent away */
    int64_t until_ms;  /* steady; when waiting for them is over; 0: not all were sent away */
    size_t sent_away;
    bool withdrawn; /* the node's record is gone from Redis */
};

/* The fields up to `timer` have been set. */
void drain_init(struct drain *d);

/* Begins; or ends what has begun without more delay. */
void drain_begin(struct drain *d, bool at_once);

#endif
