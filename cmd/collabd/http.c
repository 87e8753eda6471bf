#include "http.h"
#include "api.h"
#include "auth.h"
#include "catalog.h"
#include "log.h"
#include "mem.h"
#include <http_parser.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <utlist.h>

enum { READ_BYTES = 65536, TARGET_BYTES_MAX = 16384, LOG_KIND_HTTP = 1 };

/* The headers that are looked at; all others are passed over. */
enum header {
    H_HOST,
    H_AUTHORIZATION,
    H_UPGRADE,
    H_WS_KEY,
    H_WS_PROTOCOL,
    H_WS_VERSION,
    H_COUNT,
    H_OTHER = H_COUNT
};
static const char *const header_names[H_COUNT] = {
    "host",
    "authorization",
    "upgrade",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
};

struct https {
    struct gateway *gateway;
    struct websockets *websockets;
    struct exchange *exchanges;
    size_t count;
    char bytes[READ_BYTES]; /* what one read brings; parsed at once */
};

/* One request, as it arrives. */
struct request_head {
    struct buf target;
    struct buf name; /* of the header that is arriving */
    struct buf headers[H_COUNT];
    struct buf body;
    enum header header; /* the one whose value is arriving */
    bool in_value;
};

/* One connection, while it speaks HTTP: one request after the other. */
struct exchange {
    struct https *all;
    struct exchange *prev, *next;
    uv_stream_t *stream;
    uv_timer_t deadline; /* for the request to arrive */
    http_parser parser;
    struct request_head request;
    struct buf waiting; /* bytes behind the request that is being answered */
    int refused;        /* the status of what the parser's callbacks found wrong; 0: nothing */
    const char *why;    /* what that was */
    bool answering;
    bool keep_alive;
    bool closing;
    int holders; /* libuv's two handles, and the answer under way: freed by the last */
};

/* --- the end of a connection -------------------------------------------------------------- */

static void request_fini(struct request_head *r)
{
    buf_fini(&r->target);
    buf_fini(&r->name);
    buf_fini(&r->body);
    for (int i = 0; i < H_COUNT; i++)
        buf_fini(&r->headers[i]);
    memset(r, 0, sizeof(*r));
}

static void let_go(struct exchange *x)
{
    if (--x->holders)
        return;
    request_fini(&x->request);
    buf_fini(&x->waiting);
    free(x->stream);
    free(x);
}

static void handle_closed(uv_handle_t *handle)
{
    let_go(handle->data);
}

static void end(struct exchange *x)
{
    if (x->closing)
        return;
    x->closing = true;
    DL_DELETE(x->all->exchanges, x);
    x->all->count--;
    uv_close((uv_handle_t *)x->stream, handle_closed);
    uv_close((uv_handle_t *)&x->deadline, handle_closed);
}

/* --- answering ---------------------------------------------------------------------------- */

struct response {
    uv_write_t write;
    struct exchange *exchange;
    struct buf bytes;
    bool last; /* the connection ends with it */
};

static void next_request(struct exchange *x);

static void response_free(struct response *r)
{
    buf_fini(&r->bytes);
    free(r);
}

static void written(uv_write_t *write, int status)
{
    struct response *r = write->data;
    struct exchange *x = r->exchange;
    bool last = r->last || status < 0;
    response_free(r);
    if (last)
        end(x);
    else if (!x->closing)
        next_request(x);
    let_go(x);
}

/* headers: whole lines, or "". The exchange has been held for the answer. */
static void respond(struct exchange *x, int status, const char *headers, const char *type,
                    struct span body)
{
    struct response *r = mem_zero(sizeof(*r));
    r->exchange = x;
    r->write.data = r;
    r->last = !x->keep_alive || x->all->gateway->draining;
    buf_printf(&r->bytes,
               "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
               "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
               "%sConnection: %s\r\n\r\n",
               status, http_status_str((enum http_status)status), type, body.len, headers,
               r->last ? "close" : "keep-alive");
    if (x->parser.method != HTTP_HEAD)
        buf_join(&r->bytes, body);
    uv_buf_t out = uv_buf_init(r->bytes.at, (unsigned int)r->bytes.len);
    if (uv_write(&r->write, x->stream, &out, 1, written) == 0)
        return;
    response_free(r);
    end(x);
    let_go(x);
}

/* From here until respond() nothing more is read. */
static void hold_for_answer(struct exchange *x)
{
    x->answering = true;
    x->holders++;
    uv_timer_stop(&x->deadline);
    uv_read_stop(x->stream);
}

/* Answers a request that is not to be served, and ends the connection. */
static void refuse(struct exchange *x, int status, const char *headers, const char *why)
{
    struct buf body = {0};
    x->all->gateway->metrics.value[M_HANDSHAKE_FAILURES]++;
    log_limited(LOG_KIND_HTTP, LOG_INFO, "http: answered %d: %s", status, why);
    hold_for_answer(x);
    x->keep_alive = false;
    buf_printf(&body, "%s\n", why);
    respond(x, status, headers, "text/plain; charset=utf-8", buf_span(&body));
    buf_fini(&body);
}

static void answered(void *arg, int status, const char *type, struct span body)
{
    struct exchange *x = arg;
    if (x->closing)
        let_go(x);
    else
        respond(x, status, "", type, body);
}

/* --- a whole request ---------------------------------------------------------------------- */

static struct span header(const struct exchange *x, enum header h)
{
    return buf_span(&x->request.headers[h]);
}

static void split_target(struct span target, struct span *path, struct span *query)
{
    const char *mark = memchr(target.at, '?', target.len);
    *path = (struct span){target.at, mark ? (size_t)(mark - target.at) : target.len};
    *query = (struct span){0};
    if (mark)
        *query = (struct span){mark + 1, target.len - path->len - 1};
}

static void serve(struct exchange *x)
{
    struct api_request r = {
        .method = x->parser.method == HTTP_HEAD
                      ? "GET"
                      : http_method_str((enum http_method)x->parser.method),
        .authorization = header(x, H_AUTHORIZATION),
        .body = buf_span(&x->request.body),
    };
    split_target(buf_span(&x->request.target), &r.path, &r.query);
    hold_for_answer(x);
    x->keep_alive = http_should_keep_alive(&x->parser);
    api_handle(x->all->gateway, &r, answered, x);
}

/* Why the connection can't become a WebSocket; 0: it can. */
static int upgrade_status(struct exchange *x, struct span path, const char **why)
{
    struct gateway *g = x->all->gateway;
    *why = "no WebSocket is here";
    if (!catalog_has_path(g->catalog->endpoints.websocket, path))
        return 404;
    *why = "draining: try another node";
    if (g->draining)
        return 503;
    *why = "as many connections as allowed";
    if (g->metrics.value[M_CONNECTIONS] >= g->limits.connections)
        return 503;
    return 0;
}

static void hand_over(struct exchange *x, struct span query, const struct websocket_offer *offer)
{
    struct auth_request ask = {
        .query = query,
        .authorization = header(x, H_AUTHORIZATION),
        .protocols = offer->protocols,
    };
    struct span token = auth_find(&ask);
    struct identity *who = NULL;
    struct fault f = {0};
    uv_os_fd_t fd;
    if (token.len)
        who = auth_check(x->all->gateway, token, &f);
    uv_fileno((uv_handle_t *)x->stream, &fd);
    /* libuv closes its own descriptor with its handle. */
    fd = dup(fd);
    if (fd >= 0)
        websocket_take(x->all->websockets, fd, offer, who, token.len && !who ? f.text : NULL);
    else
        identity_free(who);
    end(x);
}

static void upgrade(struct exchange *x, struct span early)
{
    struct websocket_offer offer = {
        .key = header(x, H_WS_KEY),
        .version = header(x, H_WS_VERSION),
        .protocols = header(x, H_WS_PROTOCOL),
        .early = early,
    };
    struct span path, query;
    const char *why;
    split_target(buf_span(&x->request.target), &path, &query);
    int status = upgrade_status(x, path, &why);
    const char *fault = websocket_check(&offer);
    if (status)
        refuse(x, status, "", why);
    else if (fault)
        refuse(x, 400, "Sec-WebSocket-Version: 13\r\n", fault);
    else
        hand_over(x, query, &offer);
}

/* --- parsing ------------------------------------------------------------------------------ */

static struct exchange *exchange_of(http_parser *p)
{
    return p->data;
}

/* Not 1 or 2, which on_headers_complete() says other things by. */
static int wrong(struct exchange *x, int status, const char *why)
{
    x->refused = status;
    x->why = why;
    return -1;
}

static int on_url(http_parser *p, const char *at, size_t len)
{
    struct exchange *x = exchange_of(p);
    buf_add(&x->request.target, at, len);
    if (x->request.target.len > TARGET_BYTES_MAX)
        return wrong(x, 414, "the request target is longer than allowed");
    return 0;
}

static int on_header_field(http_parser *p, const char *at, size_t len)
{
    struct request_head *r = &exchange_of(p)->request;
    if (r->in_value)
        buf_clear(&r->name);
    r->in_value = false;
    buf_add(&r->name, at, len);
    return 0;
}

static enum header find_header(struct span name)
{
    for (int i = 0; i < H_COUNT; i++)
        if (name.len == strlen(header_names[i]) &&
            strncasecmp(name.at, header_names[i], name.len) == 0)
            return (enum header)i;
    return H_OTHER;
}

/* The header's name is complete. Proxies differ about these two: what they let through may be
 * another request to us than to them (RFC 9112, sections 3.2 and 5.1). */
static int begin_value(struct exchange *x)
{
    struct request_head *r = &x->request;
    struct span name = buf_span(&r->name);
    r->header = find_header(name);
    r->in_value = true;
    if (name.len && memchr(name.at, ' ', name.len))
        return wrong(x, 400, "white space in the name of a header");
    if (r->header == H_OTHER || !r->headers[r->header].len)
        return 0;
    if (r->header == H_HOST)
        return wrong(x, 400, "Host: given twice");
    buf_char(&r->headers[r->header], ',');
    return 0;
}

static int on_header_value(http_parser *p, const char *at, size_t len)
{
    struct exchange *x = exchange_of(p);
    struct request_head *r = &x->request;
    if (!r->in_value && begin_value(x) != 0)
        return -1;
    if (r->header != H_OTHER)
        buf_add(&r->headers[r->header], at, len);
    return 0;
}

static bool asks_for_websocket(const struct exchange *x)
{
    struct span value = header(x, H_UPGRADE);
    return value.len == strlen("websocket") && strncasecmp(value.at, "websocket", value.len) == 0;
}

static int on_headers_complete(http_parser *p)
{
    struct exchange *x = exchange_of(p);
    if (!x->request.headers[H_HOST].len && p->http_major == 1 && p->http_minor == 1)
        return wrong(x, 400, "Host: missing");
    /* Any other protocol offered is declined by answering in this one. */
    if (p->upgrade && (!asks_for_websocket(x) || p->method != HTTP_GET))
        p->upgrade = 0;
    return 0;
}

static int on_body(http_parser *p, const char *at, size_t len)
{
    struct exchange *x = exchange_of(p);
    if (x->request.body.len + len > (size_t)x->all->gateway->settings.body_bytes_max)
        return wrong(x, 413, "the body is larger than allowed");
    buf_add(&x->request.body, at, len);
    return 0;
}

static int on_message_complete(http_parser *p)
{
    http_parser_pause(p, 1);
    return 0;
}

static const http_parser_settings parser_settings = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

static void refuse_malformed(struct exchange *x)
{
    enum http_errno error = HTTP_PARSER_ERRNO(&x->parser);
    int status = 400;
    if (error == HPE_HEADER_OVERFLOW)
        status = 431;
    if (error == HPE_INVALID_VERSION)
        status = 505;
    if (x->refused)
        refuse(x, x->refused, "", x->why);
    else
        refuse(x, status, "", http_errno_description(error));
}

static void feed(struct exchange *x, struct span bytes)
{
    size_t n = http_parser_execute(&x->parser, &parser_settings, bytes.at, bytes.len);
    struct span rest = {bytes.at + n, bytes.len - n};
    if (HTTP_PARSER_ERRNO(&x->parser) == HPE_OK)
        return;
    if (HTTP_PARSER_ERRNO(&x->parser) != HPE_PAUSED) {
        refuse_malformed(x);
    } else if (x->parser.upgrade) {
        upgrade(x, rest);
    } else {
        buf_join(&x->waiting, rest);
        serve(x);
    }
}

/* --- reading ------------------------------------------------------------------------------ */

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *out)
{
    (void)hint;
    struct exchange *x = handle->data;
    *out = uv_buf_init(x->all->bytes, sizeof(x->all->bytes));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *in)
{
    struct exchange *x = stream->data;
    if (n > 0)
        feed(x, (struct span){in->base, (size_t)n});
    else if (n < 0)
        end(x);
}

static void too_late(uv_timer_t *timer)
{
    struct exchange *x = timer->data;
    if (x->request.target.len)
        refuse(x, 408, "", "the request took too long to arrive");
    else
        end(x);
}

static void begin(struct exchange *x)
{
    http_parser_init(&x->parser, HTTP_REQUEST);
    x->parser.data = x;
    uv_timer_start(&x->deadline, too_late, (uint64_t)x->all->gateway->settings.handshake_ms, 0);
    if (uv_read_start(x->stream, on_alloc, on_read) != 0)
        end(x);
}

static void next_request(struct exchange *x)
{
    struct buf waiting = x->waiting;
    x->waiting = (struct buf){0};
    x->answering = false;
    request_fini(&x->request);
    begin(x);
    if (waiting.len && !x->closing)
        feed(x, buf_span(&waiting));
    buf_fini(&waiting);
}

void http_take(struct https *h, uv_stream_t *stream)
{
    struct exchange *x = mem_zero(sizeof(*x));
    x->all = h;
    x->stream = stream;
    x->holders = 2;
    stream->data = x;
    x->deadline.data = x;
    uv_timer_init(h->gateway->loop, &x->deadline);
    DL_APPEND(h->exchanges, x);
    h->count++;
    begin(x);
}

/* --- set-up ------------------------------------------------------------------------------- */

struct https *https_new(struct gateway *g, struct websockets *websockets)
{
    struct https *h = mem_zero(sizeof(*h));
    h->gateway = g;
    h->websockets = websockets;
    http_parser_set_max_header_size((uint32_t)g->settings.header_bytes_max);
    return h;
}

void https_end_all(struct https *h)
{
    struct exchange *x, *tmp;
    DL_FOREACH_SAFE (h->exchanges, x, tmp)
        end(x);
}

void https_free(struct https *h)
{
    free(h);
}

size_t https_count(const struct https *h)
{
    return h->count;
}
