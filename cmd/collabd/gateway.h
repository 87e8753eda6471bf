/* What the stages of one gateway share. main.c makes it and takes it down; each stage uses what
 * it needs of it and owns none of it. */
#ifndef GATEWAY_H
#define GATEWAY_H

#include "account.h"
#include "limit.h"
#include "metric.h"
#include "peer.h"
#include "table.h"
#include "tls.h"
#include "token.h"
#include "wheel.h"
#include <stdbool.h>
#include <uv.h>

/* A timer on the gateway's wheel. ring: it is due, and idle again. */
struct alarm {
    struct wheel_timer timer; /* first, so that a timer is its alarm */
    void (*ring)(struct alarm *a);
};

struct gateway {
    uv_loop_t *loop;
    struct settings settings;
    struct limits limits;
    int64_t connections_room;  /* so many connections there can be since the start */
    struct accounts accounts;  /* of what was used up of them */
    int64_t visits;            /* connections that are no client's yet (visitor.h) */
    struct throttle *throttle; /* throttle.h */
    struct networks trusted_proxies;
    struct metrics metrics;
    struct keyring *keys;
    struct tls_identity *identity; /* NULL: TLS is spoken nowhere */
    struct catalog *catalog;       /* the one in force; replaced as a whole by a reload */
    struct wheel *wheel;           /* turned by main.c; its timers are alarms */
    struct outboxes *outboxes;     /* outbox.h */
    struct deflate *deflate;       /* deflate.h; NULL: nothing is compressed */
    struct hub *hub;               /* hub.h */
    struct bus *bus;               /* bus.h */
    struct resumes *resumes;       /* resume.h */
    struct recoveries *recoveries; /* recover.h; NULL: no session can be */
    struct table sessions;         /* all, by id (session.h) */
    struct table people;           /* their users, by name (people.h) */
    struct authz *authz;           /* authz.h; NULL: there is none */
    struct revision *revision;     /* revise.h */
    struct node *node;             /* node.h */
    struct tidings *tidings;       /* tidings.h */
    struct presence *presence;     /* presence.h */
    const struct keeper *keeper;   /* keeper.h */
    struct signaller *signaller;   /* signals.h */
    struct expiries *expiries;     /* expiry.h */
    struct fading *fading;         /* fading.h */
    struct errands *errands;       /* errands.h; NULL: there are no neighbours */
    bool draining;                 /* the clients are being sent away */
    bool closed;                   /* and nobody is let in any more */
};

#endif
