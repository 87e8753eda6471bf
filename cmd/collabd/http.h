/* HTTP/1.1 on a connection that was just accepted (RFC 9112, parsed by libhttp-parser): reads
 * requests within bounds of size and time, has them answered by api.h one after the other, and
 * hands a connection that asks for a WebSocket on to websocket.h. */
#ifndef HTTP_H
#define HTTP_H

#include "gateway.h"
#include "websocket.h"

struct https;
struct https *https_new(struct gateway *g, struct websockets *websockets);

/* Takes over an accepted connection: a uv_tcp_t or uv_pipe_t on the gateway's loop, in memory
 * that free() takes. */
void http_take(struct https *h, uv_stream_t *stream);

/* Ends every connection that still speaks HTTP; they are gone after a turn of the loop. */
void https_end_all(struct https *h);
void https_free(struct https *h);

/* How many connections speak HTTP now. */
size_t https_count(const struct https *h);

#endif
