/* An HTTP request on its way from http.c, which carries it, to the one who answers it. */
#ifndef WEB_H
#define WEB_H

#include "buf.h"
#include "link.h"

/* The headers that somebody looks at; all others are passed over. name, as it is written */
#define WEB_HEADERS(X)                                                                             \
    X(WEB_HOST, "host")                                                                            \
    X(WEB_AUTHORIZATION, "authorization")                                                          \
    X(WEB_CONTENT_TYPE, "content-type")                                                            \
    X(WEB_FORWARDED_FOR, "x-forwarded-for")                                                        \
    X(WEB_IDEMPOTENCY_KEY, "idempotency-key")                                                      \
    X(WEB_EXPECT, "expect")                                                                        \
    X(WEB_ORIGIN, "origin")                                                                        \
    X(WEB_REQUEST_HEADERS, "access-control-request-headers")                                       \
    X(WEB_UPGRADE, "upgrade")                                                                      \
    X(WEB_WS_EXTENSIONS, "sec-websocket-extensions")                                               \
    X(WEB_WS_KEY, "sec-websocket-key")                                                             \
    X(WEB_WS_PROTOCOL, "sec-websocket-protocol")                                                   \
    X(WEB_WS_VERSION, "sec-websocket-version")

enum web_header {
#define X(name, text) name,
    WEB_HEADERS(X)
#undef X
        WEB_HEADER_COUNT
};

struct web_request {
    const char *method; /* "GET" */
    struct span path;   /* decoded no further: as it came, without the query */
    struct span query;
    struct span headers[WEB_HEADER_COUNT]; /* one that came several times: joined by commas */
    struct span body;
    struct account *address; /* the client's, while the call lasts; NULL: none is known */
};

struct web_answer {
    int status;
    const char *type;    /* of the content */
    const char *headers; /* whole lines; NULL: none besides the usual */
    struct span body;
};

/* A request that waits for its answer: now or later, from the loop. It is gone after that. */
struct web_exchange {
    const struct web_request *request;
    void (*answer)(struct web_exchange *x, const struct web_answer *a);
    /* Set by one who answers later and wants to know that the client has gone instead; then no
     * answer is due any more. */
    void (*aborted)(void *arg);
    void *arg;
};

/* A request that asks for a WebSocket: one of the two is called, at once. */
struct web_upgrade {
    const struct web_request *request;
    /* Gives the socket to a receiver, whose opened() is called before this returns. False when
     * the client had gone: it was not called. */
    bool (*take)(struct web_upgrade *u, const struct receiver *receiver, void *arg);
    void (*refuse)(struct web_upgrade *u, int status, const char *why);
};

/* Who answers. request or upgrade may be NULL: that is for another site. */
struct web_site {
    /* Whether a path leads to it. */
    bool (*leads)(void *ctx, struct span path);
    void (*request)(void *ctx, struct web_exchange *x);
    void (*upgrade)(void *ctx, struct web_upgrade *u);
};

/* A list of sites: the first to which a path leads has it. site NULL ends the list. */
struct web_route {
    const struct web_site *site;
    void *ctx;
};

/* Whether an origin (RFC 6454, section 7) is one of those that the settings name; and whether a
 * request may open a WebSocket: one of a page of such an origin, of the host that it asks, or of no
 * page at all. Browsers open WebSockets to any origin, and leave it to the server. */
bool web_is_listed(const struct settings *set, struct span origin);
bool web_may_open(const struct settings *set, const struct web_request *r);

/* Takes the next item off a header's list, which commas separate, without the blanks around it. */
struct span web_item(struct span *list);

/* Whether such a list has that item. */
bool web_lists(struct span list, const char *wanted);

/* The value that a query gives a name, as it stands there; empty when it gives none. */
struct span web_query(struct span query, const char *name);

#endif
