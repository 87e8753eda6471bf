/* The HTTP side: what each path answers. Knows requests and answers, not sockets. */
#ifndef API_H
#define API_H

#include "gateway.h"

struct api_request {
    const char *method; /* "GET" */
    struct span path;   /* decoded no further: as it came, without the query */
    struct span query;
    struct span authorization;
    struct span body;
};

/* answer: called once, now or later, from the loop. The spans last for the call. */
typedef void api_answer(void *arg, int status, const char *type, struct span body);
void api_handle(struct gateway *g, const struct api_request *r, api_answer *answer, void *arg);

#endif
