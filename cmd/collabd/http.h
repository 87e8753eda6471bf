/* HTTP/1.1 on a connection that was just accepted (RFC 9112, parsed by libhttp-parser): reads
 * requests within bounds of size and time, has them answered one after the other, now or later, by
 * whom the routes name, and hands a connection that becomes a WebSocket on to websocket.h. */
#ifndef HTTP_H
#define HTTP_H

#include "visitor.h"
#include "web.h"
#include "websocket.h"

struct https;
/* routes stay the caller's. */
struct https *https_new(struct gateway *g, struct websockets *websockets,
                        const struct web_route *routes);

/* Takes over an accepted connection, which has entered. */
void http_take(struct https *h, const struct visitor *v);

/* Ends every connection that has no request to answer, and each of the others with its answer; ends
 * all of them at once. They are gone after a turn of the loop. */
void https_drain(struct https *h);
void https_end_all(struct https *h);
void https_free(struct https *h);

/* How many connections speak HTTP now. */
size_t https_count(const struct https *h);

#endif
