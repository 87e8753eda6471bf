#include "http.h"
#include "clock.h"
#include "log.h"
#include "mem.h"
#include <http_parser.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <utlist.h>

enum { READ_BYTES = 65536, TARGET_BYTES_MAX = 16384, LINGER_MS = 2000, LOG_KIND_HTTP = 1 };

static const char *const header_names[WEB_HEADER_COUNT] = {
#define X(id, text) [id] = text,
    WEB_HEADERS(X)
#undef X
};

struct https {
    struct gateway *gateway;
    struct websockets *websockets;
    const struct web_route *routes;
    struct exchange *exchanges;
    size_t count;
    char bytes[READ_BYTES]; /* what one read brings; parsed at once */
};

/* One request, as it arrives. */
struct request_head {
    struct buf target;
    struct buf name; /* of the header that is arriving */
    struct buf headers[WEB_HEADER_COUNT];
    struct buf body;
    enum web_header header; /* the one whose value is arriving; WEB_HEADER_COUNT: another */
    bool in_value;
};

/* One connection, while it speaks HTTP: one request after the other. */
struct exchange {
    struct https *all;
    struct exchange *prev, *next;
    uv_stream_t *stream;
    uv_timer_t deadline; /* for the request to arrive */
    uv_shutdown_t shut;  /* of our side */
    struct visitor visitor;
    http_parser parser;
    struct request_head request;
    struct web_request handed;   /* the request, as it is handed on */
    struct web_exchange waiting; /* for the answer */
    struct buf more;             /* bytes behind the request that is being answered */
    int refused;     /* the status of what the parser's callbacks found wrong; 0: nothing */
    const char *why; /* what that was */
    bool answering;
    bool keep_alive;
    bool unread; /* of the request that is refused there is more to come */
    bool closing;
    int holders; /* libuv's two handles, and the answer under way: freed by the last */
};

/* --- the end of a connection -------------------------------------------------------------- */

static void request_fini(struct request_head *r)
{
    buf_fini(&r->target);
    buf_fini(&r->name);
    buf_fini(&r->body);
    for (int i = 0; i < WEB_HEADER_COUNT; i++)
        buf_fini(&r->headers[i]);
    memset(r, 0, sizeof(*r));
}

static void let_go(struct exchange *x)
{
    if (--x->holders)
        return;
    request_fini(&x->request);
    buf_fini(&x->more);
    free(x->stream);
    free(x);
}

static void handle_closed(uv_handle_t *handle)
{
    let_go(handle->data);
}

static void abort_waiting(struct exchange *x);

static void end(struct exchange *x)
{
    if (x->closing)
        return;
    x->closing = true;
    visitor_leave(x->all->gateway, &x->visitor);
    DL_DELETE(x->all->exchanges, x);
    x->all->count--;
    uv_close((uv_handle_t *)x->stream, handle_closed);
    uv_close((uv_handle_t *)&x->deadline, handle_closed);
    abort_waiting(x);
}

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *out)
{
    (void)hint;
    struct exchange *x = handle->data;
    *out = uv_buf_init(x->all->bytes, sizeof(x->all->bytes));
}

static void shut(uv_shutdown_t *request, int status)
{
    (void)request;
    (void)status;
}

static void on_unread(uv_stream_t *stream, ssize_t n, const uv_buf_t *in)
{
    (void)in;
    if (n < 0)
        end(stream->data);
}

static void lingered(uv_timer_t *timer)
{
    end(timer->data);
}

/* What is not read makes the kernel reset the connection, maybe before the client has seen why it
 * was refused (RFC 9112, section 9.6): it is given a while to see that and stop. */
static void linger(struct exchange *x)
{
    if (uv_shutdown(&x->shut, x->stream, shut) != 0 ||
        uv_read_start(x->stream, on_alloc, on_unread) != 0)
        end(x);
    else
        uv_timer_start(&x->deadline, lingered, LINGER_MS, 0);
}

/* --- answering ---------------------------------------------------------------------------- */

struct response {
    uv_write_t write;
    struct exchange *exchange;
    struct buf bytes;
    bool interim; /* the request's body is to come, and then the answer */
    bool last;    /* the connection ends with it */
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
    bool last = r->last || status < 0, interim = r->interim;
    response_free(r);
    if (last && !status && x->unread && !x->closing)
        linger(x);
    else if (last)
        end(x);
    else if (!interim && !x->closing)
        next_request(x);
    let_go(x);
}

static void add_head(const struct exchange *x, const struct web_answer *a, bool last,
                     struct buf *out)
{
    buf_printf(out, "HTTP/1.1 %d %s\r\n", a->status, http_status_str((enum http_status)a->status));
    if (a->status != HTTP_STATUS_NO_CONTENT)
        buf_printf(out, "Content-Type: %s\r\nContent-Length: %zu\r\n", a->type, a->body.len);
    buf_printf(out,
               "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
               "%sConnection: %s\r\n\r\n",
               a->headers ? a->headers : "", last ? "close" : "keep-alive");
    if (x->parser.method != HTTP_HEAD)
        buf_join(out, a->body);
}

static struct response *response_new(struct exchange *x)
{
    struct response *r = mem_zero(sizeof(*r));
    r->exchange = x;
    r->write.data = r;
    return r;
}

/* The exchange has been held for it. */
static void send_response(struct response *r)
{
    struct exchange *x = r->exchange;
    uv_buf_t out = uv_buf_init(r->bytes.at, (unsigned int)r->bytes.len);
    if (uv_write(&r->write, x->stream, &out, 1, written) == 0)
        return;
    response_free(r);
    end(x);
    let_go(x);
}

static void respond(struct exchange *x, const struct web_answer *a)
{
    struct response *r = response_new(x);
    r->last = !x->keep_alive || x->all->gateway->draining;
    add_head(x, a, r->last, &r->bytes);
    send_response(r);
}

static void ask_for_body(struct exchange *x)
{
    struct response *r = response_new(x);
    r->interim = true;
    x->holders++;
    buf_text(&r->bytes, "HTTP/1.1 100 Continue\r\n\r\n");
    send_response(r);
}

/* From here until respond() what is read is kept for later. */
static void hold_for_answer(struct exchange *x)
{
    x->answering = true;
    x->holders++;
    uv_timer_stop(&x->deadline);
}

/* Answers a request that is not to be served, and ends the connection. */
static void refuse(struct exchange *x, int status, const char *headers, const char *why)
{
    struct buf body = {0};
    struct web_answer a = {status, "text/plain; charset=utf-8", headers, {0}};
    x->all->gateway->metrics.value[M_HANDSHAKE_FAILURES]++;
    log_limited(LOG_KIND_HTTP, LOG_INFO, "http: answered %d: %s", status, why);
    hold_for_answer(x);
    uv_read_stop(x->stream);
    x->keep_alive = false;
    buf_printf(&body, "%s\n", why);
    a.body = buf_span(&body);
    respond(x, &a);
    buf_fini(&body);
}

static void answered(struct web_exchange *waiting, const struct web_answer *a)
{
    struct exchange *x =
        (struct exchange *)(void *)((char *)waiting - offsetof(struct exchange, waiting));
    waiting->aborted = NULL;
    if (x->closing)
        let_go(x);
    else
        respond(x, a);
}

/* The client has gone: whoever kept its request waiting for that is told, and answers no more. */
static void abort_waiting(struct exchange *x)
{
    void (*aborted)(void *) = x->waiting.aborted;
    x->waiting.aborted = NULL;
    if (!aborted)
        return;
    aborted(x->waiting.arg);
    x->holders--; /* libuv's handles are being closed, and hold it until then */
}

/* --- a whole request ---------------------------------------------------------------------- */

static struct span header(const struct exchange *x, enum web_header h)
{
    return buf_span(&x->request.headers[h]);
}

/* Whom the limits know the client as; NULL: nobody. */
static struct account *find_address(struct exchange *x)
{
    struct gateway *g = x->all->gateway;
    char name[PEER_NAME_BYTES];
    bool direct;
    if (x->visitor.account)
        return x->visitor.account;
    peer_name(&g->trusted_proxies, &x->visitor.end.any, header(x, WEB_FORWARDED_FOR), name,
              &direct);
    if (!name[0])
        return NULL;
    return account_get(&g->accounts, ACCOUNT_ADDRESS, span_of(name), clock_steady_ms());
}

/* Leaves scheme and host out of a target that has them (RFC 9112, section 3.2.2). */
static struct span origin_form(struct span target)
{
    const char *end = target.at[0] == '/' ? NULL : memmem(target.at, target.len, "://", 3);
    if (!end)
        return target;
    span_drop(&target, (size_t)(end - target.at) + 3);
    while (target.len && target.at[0] != '/' && target.at[0] != '?')
        span_drop(&target, 1);
    return target;
}

static void hand_on(struct exchange *x)
{
    struct web_request *r = &x->handed;
    struct span target = origin_form(buf_span(&x->request.target));
    const char *mark = memchr(target.at, '?', target.len);
    *r = (struct web_request){
        .method = http_method_str((enum http_method)x->parser.method),
        .path = {target.at, mark ? (size_t)(mark - target.at) : target.len},
        .body = buf_span(&x->request.body),
    };
    if (mark)
        r->query = (struct span){mark + 1, target.len - r->path.len - 1};
    if (!r->path.len)
        r->path = span_of("/");
    for (int i = 0; i < WEB_HEADER_COUNT; i++)
        r->headers[i] = header(x, (enum web_header)i);
    r->address = find_address(x);
}

static const char CROWDED[] = "as many connections as allowed";

static void serve(struct exchange *x)
{
    if (x->visitor.crowded) {
        refuse(x, 503, "Retry-After: 10\r\n", CROWDED);
        return;
    }
    hand_on(x);
    hold_for_answer(x);
    x->keep_alive = http_should_keep_alive(&x->parser);
    x->waiting = (struct web_exchange){.request = &x->handed, .answer = answered};
    for (const struct web_route *r = x->all->routes; r->site; r++) {
        if (!r->site->request || !r->site->leads(r->ctx, x->handed.path))
            continue;
        r->site->request(r->ctx, &x->waiting);
        return;
    }
    respond(x, &(struct web_answer){.status = 404, .type = "text/plain"});
}

/* --- becoming a WebSocket ----------------------------------------------------------------- */

/* Of a connection that asks for it. */
struct upgrade {
    struct web_upgrade u; /* first, so that one is the other */
    struct exchange *exchange;
    struct websocket_offer offer;
};

static bool take(struct web_upgrade *u, const struct receiver *receiver, void *arg)
{
    struct upgrade *up = (struct upgrade *)u;
    struct exchange *x = up->exchange;
    uv_os_fd_t fd;
    uv_fileno((uv_handle_t *)x->stream, &fd);
    /* libuv closes its own descriptor with its handle. */
    fd = dup(fd);
    bool taken = fd >= 0 && websocket_take(x->all->websockets, fd, &up->offer, receiver, arg);
    end(x);
    return taken;
}

static void decline(struct web_upgrade *u, int status, const char *why)
{
    refuse(((struct upgrade *)u)->exchange, status, "", why);
}

static const struct web_route *upgrade_route(const struct exchange *x)
{
    for (const struct web_route *r = x->all->routes; r->site; r++)
        if (r->site->upgrade && r->site->leads(r->ctx, x->handed.path))
            return r;
    return NULL;
}

static void upgrade(struct exchange *x, struct span early)
{
    struct gateway *g = x->all->gateway;
    struct upgrade up = {
        .u = {.request = &x->handed, .take = take, .refuse = decline},
        .exchange = x,
        .offer = {.key = header(x, WEB_WS_KEY),
                  .version = header(x, WEB_WS_VERSION),
                  .protocols = header(x, WEB_WS_PROTOCOL),
                  .extensions = header(x, WEB_WS_EXTENSIONS),
                  .early = early},
    };
    hand_on(x);
    const struct web_route *route = upgrade_route(x);
    const char *fault = websocket_check(&up.offer);
    if (!route)
        refuse(x, 404, "", "no WebSocket is here");
    else if (g->closed)
        refuse(x, 503, "", "draining: try another node");
    else if (fault)
        refuse(x, 400, "Sec-WebSocket-Version: 13\r\n", fault);
    else if (!web_may_open(&g->settings, &x->handed))
        refuse(x, 403, "", "pages of that origin may not open WebSockets: see --origin");
    else if (x->visitor.crowded || !link_has_place(g, x->handed.address))
        refuse(x, 503, "Retry-After: 10\r\n", CROWDED);
    else
        route->site->upgrade(route->ctx, &up.u);
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

static enum web_header find_header(struct span name)
{
    for (int i = 0; i < WEB_HEADER_COUNT; i++)
        if (name.len == strlen(header_names[i]) &&
            strncasecmp(name.at, header_names[i], name.len) == 0)
            return (enum web_header)i;
    return WEB_HEADER_COUNT;
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
    if (r->header == WEB_HEADER_COUNT || !r->headers[r->header].len)
        return 0;
    if (r->header == WEB_HOST)
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
    if (r->header != WEB_HEADER_COUNT)
        buf_add(&r->headers[r->header], at, len);
    return 0;
}

static bool asks_for_websocket(const struct exchange *x)
{
    struct span value = header(x, WEB_UPGRADE);
    return value.len == strlen("websocket") && strncasecmp(value.at, "websocket", value.len) == 0;
}

static bool is_longer_than_allowed(const struct exchange *x, size_t body)
{
    return body > (size_t)x->all->gateway->settings.body_bytes_max;
}

static const char BODY_TOO_LARGE[] = "the body is larger than allowed";

/* A client that asks first whether it should send its body is told (RFC 9110, section 10.1.1). */
static int expect_body(struct exchange *x)
{
    const http_parser *p = &x->parser;
    struct span expected = header(x, WEB_EXPECT);
    bool announced = p->content_length != ULLONG_MAX;
    if (!expected.len || p->http_minor == 0)
        return 0;
    if (expected.len != strlen("100-continue") ||
        strncasecmp(expected.at, "100-continue", expected.len) != 0)
        return wrong(x, 417, "Expect: only 100-continue can be met");
    if (announced && is_longer_than_allowed(x, p->content_length))
        return wrong(x, 413, BODY_TOO_LARGE);
    if ((announced && p->content_length) || p->flags & F_CHUNKED)
        ask_for_body(x);
    return 0;
}

static int on_headers_complete(http_parser *p)
{
    struct exchange *x = exchange_of(p);
    if (p->http_major != 1)
        return wrong(x, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    if (!x->request.headers[WEB_HOST].len && p->http_major == 1 && p->http_minor == 1)
        return wrong(x, 400, "Host: missing");
    /* Any other protocol offered is declined by answering in this one. */
    if (p->upgrade && (!asks_for_websocket(x) || p->method != HTTP_GET))
        p->upgrade = 0;
    return p->upgrade ? 0 : expect_body(x);
}

static int on_body(http_parser *p, const char *at, size_t len)
{
    struct exchange *x = exchange_of(p);
    if (is_longer_than_allowed(x, x->request.body.len + len))
        return wrong(x, 413, BODY_TOO_LARGE);
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
    x->unread = true;
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
        buf_join(&x->more, rest);
        serve(x);
    }
}

/* --- reading ------------------------------------------------------------------------------ */

/* Behind the request that is being answered more may come: the next one, or the client's end. A
 * client that only ends its own side still gets its answer, unless whoever keeps it waiting wants
 * to know. */
static void read_ahead(struct exchange *x, ssize_t n, const uv_buf_t *in)
{
    if (n > 0)
        buf_add(&x->more, in->base, (size_t)n);
    if (x->more.len > READ_BYTES || n == UV_EOF)
        uv_read_stop(x->stream);
    if (n == UV_EOF)
        x->keep_alive = false;
    if (n < 0 && (n != UV_EOF || x->waiting.aborted))
        end(x);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *in)
{
    struct exchange *x = stream->data;
    if (x->answering)
        read_ahead(x, n, in);
    else if (n > 0)
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
    int error = uv_read_start(x->stream, on_alloc, on_read);
    if (error && error != UV_EALREADY)
        end(x);
}

static void next_request(struct exchange *x)
{
    struct buf more = x->more;
    x->more = (struct buf){0};
    x->answering = false;
    request_fini(&x->request);
    begin(x);
    if (more.len && !x->closing)
        feed(x, buf_span(&more));
    buf_fini(&more);
}

void http_take(struct https *h, const struct visitor *v)
{
    struct exchange *x = mem_zero(sizeof(*x));
    x->all = h;
    x->visitor = *v;
    x->stream = v->stream;
    x->holders = 2;
    x->stream->data = x;
    x->deadline.data = x;
    uv_timer_init(h->gateway->loop, &x->deadline);
    DL_APPEND(h->exchanges, x);
    h->count++;
    begin(x);
}

/* --- set-up ------------------------------------------------------------------------------- */

struct https *https_new(struct gateway *g, struct websockets *websockets,
                        const struct web_route *routes)
{
    struct https *h = mem_zero(sizeof(*h));
    h->gateway = g;
    h->websockets = websockets;
    h->routes = routes;
    http_parser_set_max_header_size((uint32_t)g->settings.header_bytes_max);
    return h;
}

void https_drain(struct https *h)
{
    struct exchange *x, *tmp;
    DL_FOREACH_SAFE (h->exchanges, x, tmp)
        if (!x->answering)
            end(x);
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
