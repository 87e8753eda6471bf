/* A connection that was just accepted, on its way from listen.h through the stages to the one that
 * reads its request; and the count of those on that way, in all and of an address. */
#ifndef VISITOR_H
#define VISITOR_H

#include "gateway.h"

struct visitor {
    uv_stream_t *stream; /* a uv_tcp_t or uv_pipe_t on the gateway's loop, in memory for free() */
    union {
        struct sockaddr any;
        struct sockaddr_in6 v6; /* the largest */
    } end;                      /* the other one; of family AF_UNSPEC: a Unix socket */
    bool tls;                   /* it is to speak TLS */
    struct account *account;    /* the client's, held; NULL: a proxy is at the end, or none known */
    bool crowded;               /* of its address there is one connection more than may be */
};

/* Begins and ends the visit. A visitor that may not come in, there being too many of all, is sent
 * away: false. */
bool visitor_enter(struct gateway *g, struct visitor *v);
void visitor_leave(struct gateway *g, struct visitor *v);

/* Closes the stream, which belongs to nobody yet. */
void visitor_send_away(struct visitor *v);

#endif
