#include "redis.h"
#include "clock.h"
#include "ident.h"
#include "mem.h"
#include "num.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

enum {
    PORT_PRESET = 6379,
    DB_MAX = 1000000,
    CONNECT_TIMEOUT_MS = 5000,
    DELAY_MIN_MS = 100,
    DELAY_MAX_MS = 5000,
    PATH_BYTES_MAX = sizeof(((struct sockaddr_un *)0)->sun_path) - 1,
};

/* --- addresses ---------------------------------------------------------------------------- */

static struct span span_skip(struct span s, size_t n)
{
    return (struct span){s.at + n, s.len - n};
}

/* Where a byte stands first, or last; s.len: nowhere. */
static size_t find_first(struct span s, char c)
{
    const char *at = s.len > 0 ? memchr(s.at, c, s.len) : NULL;

    return at != NULL ? (size_t)(at - s.at) : s.len;
}

static size_t find_last(struct span s, char c)
{
    const char *at = s.len > 0 ? memrchr(s.at, c, s.len) : NULL;

    return at != NULL ? (size_t)(at - s.at) : s.len;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Undoes percent-encoding (RFC 3986, section 2.1). The fault doesn't show the text: it may be a
 * password. */
static int decode(struct span text, const char *what, char **out, struct fault *f)
{
    char *to = mem_alloc(text.len + 1);

    *out = to;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (c == '%') {
            int high = i + 2 < text.len ? hex_digit(text.at[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(text.at[i + 2]) : -1;
            if (low < 0)
                return fault_set(f, "%s: %% must be followed by two hexadecimal digits", what);
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (c == '\0')
            return fault_set(f, "%s: a NUL byte in it", what);
        *to++ = c;
    }
    *to = '\0';
    return 0;
}

/* No fault here shows what it found: who forgot the @ has put a password where a host, a port or a
 * path is looked for. */
static int parse_number(struct span text, const char *what, int64_t min, int64_t max, int *out,
                        struct fault *f)
{
    int64_t number;

    if (num_parse(text, min, max, &number, f) != 0)
        return fault_at(f, "%s", what);
    *out = (int)number;
    return 0;
}

static int parse_userinfo(struct redis_address *a, struct span text, struct fault *f)
{
    size_t colon = find_first(text, ':');

    if (colon == text.len)
        return fault_set(f, "a user needs a password: user:password@");
    if (colon > 0 && decode((struct span){text.at, colon}, "user", &a->user, f) != 0)
        return -1;
    return decode(span_skip(text, colon + 1), "password", &a->password, f);
}

static int parse_db(struct redis_address *a, struct span text, struct fault *f)
{
    if (a->db >= 0)
        return fault_set(f, "db: given twice");
    return parse_number(text, "db", 0, DB_MAX, &a->db, f);
}

/* Takes ?db=N off the end. */
static int parse_query(struct redis_address *a, struct span *text, struct fault *f)
{
    size_t mark = find_first(*text, '?');

    if (mark == text->len)
        return 0;
    struct span query = span_skip(*text, mark + 1);
    text->len = mark;
    if (!span_starts(query, "db="))
        return fault_set(f, "only ?db=N may follow the address");
    return parse_db(a, span_skip(query, 3), f);
}

static int check_host(const char *host, struct fault *f)
{
    if (host[0] == '\0')
        return fault_set(f, "no host: redis://host[:port][/db]");
    for (const char *at = host; *at != '\0'; at++)
        if ((unsigned char)*at <= ' ' || *at == 0x7f || strchr("/?#@[]\\", *at) != NULL)
            return fault_set(f, "host: neither a name nor an address");
    return 0;
}

static int parse_host(struct redis_address *a, struct span text, struct fault *f)
{
    bool bracket = span_starts(text, "[");
    size_t end = find_first(text, bracket ? ']' : ':');

    if (bracket && end == text.len)
        return fault_set(f, "host: the closing ] is missing");
    if (!bracket && find_last(text, ':') != end)
        return fault_set(f, "host: an IPv6 address stands in brackets, as in redis://[::1]");
    struct span host = {text.at + bracket, end - bracket};
    struct span rest = span_skip(text, end + bracket);
    if (decode(host, "host", &a->host, f) != 0 || check_host(a->host, f) != 0)
        return -1;
    a->port = PORT_PRESET;
    if (rest.len == 0)
        return 0;
    if (rest.at[0] != ':')
        return fault_set(f, "host: only :port may follow the ]");
    return parse_number(span_skip(rest, 1), "port", 1, 65535, &a->port, f);
}

/* All before the last @ is user and password, also when a / or ? in it should have been encoded:
 * none of it may be taken for something that a message shows. */
static int parse_tcp(struct redis_address *a, struct span text, struct fault *f)
{
    size_t at_sign = find_last(text, '@');

    if (at_sign < text.len) {
        if (parse_userinfo(a, (struct span){text.at, at_sign}, f) != 0)
            return -1;
        text = span_skip(text, at_sign + 1);
    }
    if (parse_query(a, &text, f) != 0)
        return -1;
    size_t slash = find_first(text, '/');
    if (slash + 1 < text.len && parse_db(a, span_skip(text, slash + 1), f) != 0)
        return -1;
    return parse_host(a, (struct span){text.at, slash}, f);
}

static int parse_path(struct redis_address *a, struct span text, struct fault *f)
{
    if (parse_query(a, &text, f) != 0 || decode(text, "path", &a->path, f) != 0)
        return -1;
    size_t len = strlen(a->path);
    if (len == 0)
        return fault_set(f, "no path: unix:///path of a socket");
    if (len > PATH_BYTES_MAX)
        return fault_set(f, "path: %zu bytes, and a Unix socket's has at most %d", len,
                         PATH_BYTES_MAX);
    return 0;
}

static int parse_unix(struct redis_address *a, struct span text, struct fault *f)
{
    if (!span_starts(text, "//"))
        return parse_path(a, text, f);
    text = span_skip(text, 2);
    if (span_starts(text, "/"))
        return parse_path(a, text, f);
    size_t at_sign = find_last(text, '@');
    if (!span_starts(span_skip(text, at_sign), "@/"))
        return fault_set(f, "path: must begin with a / after unix://");
    if (parse_userinfo(a, (struct span){text.at, at_sign}, f) != 0)
        return -1;
    return parse_path(a, span_skip(text, at_sign + 1), f);
}

static char *make_label(const struct redis_address *a)
{
    struct buf b = {0};
    bool bracket = a->host != NULL && strchr(a->host, ':') != NULL;

    if (a->path != NULL)
        buf_printf(&b, "unix:%s", a->path);
    else
        buf_printf(&b, bracket ? "redis://[%s]:%d" : "redis://%s:%d", a->host, a->port);
    if (a->db != 0)
        buf_printf(&b, a->path != NULL ? "?db=%d" : "/%d", a->db);
    return b.at;
}

int redis_address_parse(struct redis_address *a, struct span url, struct fault *f)
{
    int result;

    *a = (struct redis_address){.db = -1};
    if (span_starts(url, "redis://"))
        result = parse_tcp(a, span_skip(url, strlen("redis://")), f);
    else if (span_starts(url, "unix:"))
        result = parse_unix(a, span_skip(url, strlen("unix:")), f);
    else
        result = fault_set(f, "must begin with redis:// or unix:");
    if (result != 0) {
        redis_address_fini(a);
        return fault_at(f, "Redis URL");
    }
    if (a->db < 0)
        a->db = 0;
    a->label = make_label(a);
    return 0;
}

void redis_address_fini(struct redis_address *a)
{
    free(a->path);
    free(a->host);
    free(a->user);
    free(a->password);
    free(a->label);
    *a = (struct redis_address){0};
}

/* --- the deployment ----------------------------------------------------------------------- */

/* One of the two connections. */
struct side {
    struct redis *redis;
    struct rconn *conn; /* NULL: none */
    bool ready;
};

struct redis {
    uv_loop_t *loop;
    const struct redis_address *address;
    const struct redis_hooks *hooks;
    void *ctx;

    struct side commands;
    struct side subscriptions;
    bool up;
    bool told_down;
    bool closed;
    struct fault why; /* it isn't up */

    uv_timer_t retry;
    int delay_ms; /* before the next attempt */
    int64_t up_since_ms;
};

static void give_up(struct side *side)
{
    struct rconn *conn = side->conn;

    side->conn = NULL;
    side->ready = false;
    if (conn != NULL)
        rconn_close(conn);
}

static void on_retry(uv_timer_t *handle);

/* Who was up for long enough starts at the shortest delay again: a server that takes us on and
 * drops us at once is not asked ten times a second. */
static void schedule(struct redis *r, bool was_up)
{
    if (was_up && clock_steady_ms() - r->up_since_ms >= DELAY_MAX_MS)
        r->delay_ms = DELAY_MIN_MS;
    double jitter = 0.5 + ident_jitter();
    uv_timer_start(&r->retry, on_retry, (uint64_t)(r->delay_ms * jitter), 0);
    r->delay_ms = r->delay_ms * 2 < DELAY_MAX_MS ? r->delay_ms * 2 : DELAY_MAX_MS;
}

static void lose(struct redis *r, const char *why)
{
    bool was_up = r->up;

    r->up = false;
    fault_set(&r->why, "%s: %s", r->address->label, why);
    give_up(&r->commands);
    give_up(&r->subscriptions);
    if (r->closed)
        return;
    schedule(r, was_up);
    if (r->told_down)
        return;
    r->told_down = true;
    r->hooks->down(r->ctx, r->why.text);
}

static void on_ready(void *ctx)
{
    struct side *side = ctx;
    struct redis *r = side->redis;

    side->ready = true;
    if (!r->commands.ready || !r->subscriptions.ready)
        return;
    r->up = true;
    r->told_down = false;
    r->up_since_ms = clock_steady_ms();
    r->hooks->up(r->ctx);
}

static void on_push(void *ctx, const struct reply *reply)
{
    struct side *side = ctx;

    side->redis->hooks->push(side->redis->ctx, reply);
}

static void on_closed(void *ctx, const char *why)
{
    struct side *side = ctx;

    lose(side->redis, why);
}

static const struct rconn_hooks rconn_hooks = {
    .ready = on_ready,
    .push = on_push,
    .closed = on_closed,
};

static void connect_both(struct redis *r)
{
    struct side *sides[] = {&r->commands, &r->subscriptions};

    for (int i = 0; i < 2; i++)
        sides[i]->conn =
            rconn_open(r->loop, r->address, CONNECT_TIMEOUT_MS, &rconn_hooks, sides[i]);
}

static void on_retry(uv_timer_t *handle)
{
    connect_both(handle->data);
}

struct redis *redis_open(uv_loop_t *loop, const struct redis_address *address,
                         const struct redis_hooks *hooks, void *ctx)
{
    struct redis *r = mem_zero(sizeof(*r));

    r->loop = loop;
    r->address = address;
    r->hooks = hooks;
    r->ctx = ctx;
    r->commands.redis = r->subscriptions.redis = r;
    r->delay_ms = DELAY_MIN_MS;
    fault_set(&r->why, "%s: not connected yet", address->label);
    uv_timer_init(loop, &r->retry);
    r->retry.data = r;
    connect_both(r);
    return r;
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void redis_close(struct redis *r)
{
    r->closed = true;
    lose(r, "closed");
    uv_close((uv_handle_t *)&r->retry, on_timer_closed);
}

bool redis_is_up(const struct redis *r)
{
    return r->up;
}

const char *redis_why(const struct redis *r)
{
    return r->why.text;
}

void redis_command(struct redis *r, reply_fn *fn, void *arg, int argc, const struct span *argv)
{
    if (r->up)
        rconn_command(r->commands.conn, fn, arg, argc, argv);
    else if (fn != NULL)
        fn(arg, NULL);
}

void redis_subscription(struct redis *r, reply_fn *fn, void *arg, int argc, const struct span *argv)
{
    if (r->up)
        rconn_subscription(r->subscriptions.conn, fn, arg, argc, argv);
    else if (fn != NULL)
        fn(arg, NULL);
}

size_t redis_backlog(const struct redis *r)
{
    return r->commands.conn != NULL ? rconn_backlog(r->commands.conn) : 0;
}

void redis_reset(struct redis *r, const char *why)
{
    lose(r, why);
}
