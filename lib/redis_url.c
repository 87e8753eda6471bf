#include "redis_url.h"
#include "mem.h"
#include "num.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

enum {
    PORT_PRESET = 6379,
    SENTINEL_PORT_PRESET = 26379,
    DB_MAX = 1000000,
    NODES_MAX = 100,
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

    return at ? (size_t)(at - s.at) : s.len;
}

static size_t find_last(struct span s, char c)
{
    const char *at = s.len > 0 ? memrchr(s.at, c, s.len) : NULL;

    return at ? (size_t)(at - s.at) : s.len;
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

/* What is being read: what all servers have in common, and all sentinels. */
struct reading {
    struct redis_node shared, sentinel;
    struct redis_address *a;
    bool sentinels;
    int port_preset;
    const char *form; /* of such a URL */
};

static int parse_userinfo(struct redis_node *n, struct span text, struct fault *f)
{
    size_t colon = find_first(text, ':');

    if (colon == text.len)
        return fault_set(f, "a user needs a password: user:password@");
    if (colon > 0 && decode((struct span){text.at, colon}, "user", &n->user, f) != 0)
        return -1;
    return decode(span_skip(text, colon + 1), "password", &n->password, f);
}

static int parse_db(struct redis_node *n, struct span text, struct fault *f)
{
    if (n->db >= 0)
        return fault_set(f, "db: given twice");
    return parse_number(text, "db", 0, DB_MAX, &n->db, f);
}

static const char db_name[] = "db=", user_name[] = "sentinel-user=",
                  password_name[] = "sentinel-password=";

static int parse_once(struct span text, const char *what, char **out, struct fault *f)
{
    if (*out)
        return fault_set(f, "%s: given twice", what);
    return decode(text, what, out, f);
}

static int parse_pair(struct reading *r, struct span pair, struct fault *f)
{
    struct redis_node *n = &r->sentinel;

    if (span_starts(pair, db_name))
        return parse_db(&r->shared, span_skip(pair, sizeof(db_name) - 1), f);
    if (r->sentinels && span_starts(pair, user_name))
        return parse_once(span_skip(pair, sizeof(user_name) - 1), "sentinel-user", &n->user, f);
    if (r->sentinels && span_starts(pair, password_name))
        return parse_once(span_skip(pair, sizeof(password_name) - 1), "sentinel-password",
                          &n->password, f);
    return fault_set(f, "only ?db=N%s may follow the address",
                     r->sentinels ? ", sentinel-user= and sentinel-password=" : "");
}

/* Takes ?NAME=VALUE&... off the end. */
static int parse_query(struct reading *r, struct span *text, struct fault *f)
{
    size_t mark = find_first(*text, '?'), end = mark;
    struct span rest = *text;

    text->len = mark;
    while (end < rest.len) {
        rest = span_skip(rest, end + 1);
        end = find_first(rest, '&');
        if (parse_pair(r, (struct span){rest.at, end}, f) != 0)
            return -1;
    }
    if (r->sentinel.user && (r->sentinel.user[0] == '\0' || !r->sentinel.password))
        return fault_set(f, "a sentinel-user needs a name and a sentinel-password");
    return 0;
}

static int check_host(const struct reading *r, const char *host, struct fault *f)
{
    if (host[0] == '\0')
        return fault_set(f, "no host: %s", r->form);
    for (const char *at = host; *at != '\0'; at++)
        if ((unsigned char)*at <= ' ' || *at == 0x7f || strchr("/?#@[]\\", *at))
            return fault_set(f, "host: neither a name nor an address");
    return 0;
}

static struct redis_node *add_node(struct redis_address *a)
{
    a->nodes = mem_resize(a->nodes, (a->count + 1) * sizeof(*a->nodes));
    struct redis_node *n = &a->nodes[a->count++];
    *n = (struct redis_node){0};
    return n;
}

static int parse_host(const struct reading *r, struct span text, struct fault *f)
{
    struct redis_node *n = add_node(r->a);
    bool bracket = span_starts(text, "[");
    size_t end = find_first(text, bracket ? ']' : ':');

    if (bracket && end == text.len)
        return fault_set(f, "host: the closing ] is missing");
    if (!bracket && find_last(text, ':') != end)
        return fault_set(f, "host: an IPv6 address stands in brackets, as in redis://[::1]");
    struct span host = {text.at + bracket, end - bracket};
    struct span rest = span_skip(text, end + bracket);
    if (decode(host, "host", &n->host, f) != 0 || check_host(r, n->host, f) != 0)
        return -1;
    n->port = r->port_preset;
    if (rest.len == 0)
        return 0;
    if (rest.at[0] != ':')
        return fault_set(f, "host: only :port may follow the ]");
    return parse_number(span_skip(rest, 1), "port", 1, 65535, &n->port, f);
}

static int parse_hosts(const struct reading *r, struct span text, struct fault *f)
{
    size_t comma = find_first(text, ',');

    while (comma < text.len && r->a->count < NODES_MAX) {
        if (parse_host(r, (struct span){text.at, comma}, f) != 0)
            return -1;
        text = span_skip(text, comma + 1);
        comma = find_first(text, ',');
    }
    if (r->a->count == NODES_MAX)
        return fault_set(f, "more than %d hosts", NODES_MAX);
    return parse_host(r, text, f);
}

static int parse_master(struct reading *r, struct span *rest, struct fault *f)
{
    size_t slash = find_first(*rest, '/');

    if (slash == 0)
        return fault_set(f, "no master: %s", r->form);
    if (decode((struct span){rest->at, slash}, "master", &r->a->master, f) != 0)
        return -1;
    *rest = span_skip(*rest, slash < rest->len ? slash + 1 : slash);
    return 0;
}

/* All before the last @ is user and password, also when a / or ? in it should have been encoded:
 * none of it may be taken for something that a message shows. */
static int parse_tcp(struct reading *r, struct span text, struct fault *f)
{
    size_t at_sign = find_last(text, '@');

    if (r->sentinels && at_sign < text.len &&
        memmem(text.at, at_sign, password_name, sizeof(password_name) - 1))
        return fault_set(f, "sentinel-password: an @ in it is written as %%40");
    if (at_sign < text.len) {
        if (parse_userinfo(&r->shared, (struct span){text.at, at_sign}, f) != 0)
            return -1;
        text = span_skip(text, at_sign + 1);
    }
    if (parse_query(r, &text, f) != 0)
        return -1;
    size_t slash = find_first(text, '/');
    struct span rest = span_skip(text, slash < text.len ? slash + 1 : slash);
    if (r->sentinels && parse_master(r, &rest, f) != 0)
        return -1;
    if (rest.len > 0 && parse_db(&r->shared, rest, f) != 0)
        return -1;
    return parse_hosts(r, (struct span){text.at, slash}, f);
}

static int parse_path(struct reading *r, struct span text, struct fault *f)
{
    struct redis_node *n = add_node(r->a);

    if (parse_query(r, &text, f) != 0 || decode(text, "path", &n->path, f) != 0)
        return -1;
    size_t len = strlen(n->path);
    if (len == 0)
        return fault_set(f, "no path: unix:///path of a socket");
    if (len > PATH_BYTES_MAX)
        return fault_set(f, "path: %zu bytes, and a Unix socket's has at most %d", len,
                         PATH_BYTES_MAX);
    return 0;
}

static int parse_unix(struct reading *r, struct span text, struct fault *f)
{
    if (!span_starts(text, "//"))
        return parse_path(r, text, f);
    text = span_skip(text, 2);
    if (span_starts(text, "/"))
        return parse_path(r, text, f);
    size_t at_sign = find_last(text, '@');
    if (!span_starts(span_skip(text, at_sign), "@/"))
        return fault_set(f, "path: must begin with a / after unix://");
    if (parse_userinfo(&r->shared, (struct span){text.at, at_sign}, f) != 0)
        return -1;
    return parse_path(r, span_skip(text, at_sign + 1), f);
}

static int parse(struct reading *r, struct span url, struct fault *f)
{
    static const char server[] = "redis://", sentinel[] = "redis+sentinel://", local[] = "unix:";

    r->port_preset = PORT_PRESET;
    r->form = "redis://host[:port][/db]";
    if (span_starts(url, server))
        return parse_tcp(r, span_skip(url, sizeof(server) - 1), f);
    if (span_starts(url, local))
        return parse_unix(r, span_skip(url, sizeof(local) - 1), f);
    r->sentinels = true;
    r->port_preset = SENTINEL_PORT_PRESET;
    r->form = "redis+sentinel://host[:port]/master[/db]";
    if (span_starts(url, sentinel))
        return parse_tcp(r, span_skip(url, sizeof(sentinel) - 1), f);
    return fault_set(f, "must begin with redis://, redis+sentinel:// or unix:");
}

/* --- labels ------------------------------------------------------------------------------- */

static void add_place(struct buf *b, const struct redis_node *n)
{
    bool bracket = n->host && strchr(n->host, ':');

    if (n->path)
        buf_text(b, n->path);
    else
        buf_printf(b, bracket ? "[%s]:%d" : "%s:%d", n->host, n->port);
}

static void add_db(struct buf *b, const struct redis_node *n)
{
    if (n->db != 0)
        buf_printf(b, n->path ? "?db=%d" : "/%d", n->db);
}

static char *node_label(const struct redis_node *n)
{
    struct buf b = {0};

    buf_text(&b, n->path ? "unix:" : "redis://");
    add_place(&b, n);
    add_db(&b, n);
    return b.at;
}

static char *address_label(const struct redis_address *a)
{
    struct buf b = {0};

    if (!a->master && a->count == 1)
        return node_label(&a->nodes[0]);
    buf_text(&b, a->master ? "redis+sentinel://" : "redis://");
    for (size_t i = 0; i < a->count; i++) {
        buf_text(&b, i > 0 ? "," : "");
        add_place(&b, &a->nodes[i]);
    }
    if (a->master)
        buf_printf(&b, "/%s", a->master);
    add_db(&b, &a->like);
    return b.at;
}

/* --- the whole ---------------------------------------------------------------------------- */

static char *copy_of(const char *text)
{
    return text ? mem_text(text) : NULL;
}

static void share(struct redis_node *n, const struct redis_node *shared)
{
    n->user = copy_of(shared->user);
    n->password = copy_of(shared->password);
    n->db = shared->db;
    n->label = node_label(n);
}

int redis_address_parse(struct redis_address *a, struct span url, struct fault *f)
{
    struct reading r = {.shared.db = -1, .a = a};

    *a = (struct redis_address){0};
    int result = parse(&r, url, f);
    if (r.shared.db < 0)
        r.shared.db = 0;
    if (result == 0) {
        for (size_t i = 0; i < a->count; i++)
            share(&a->nodes[i], r.sentinels ? &r.sentinel : &r.shared);
        a->like = r.shared;
        a->label = address_label(a);
    } else {
        redis_address_fini(a);
        redis_node_fini(&r.shared);
        fault_at(f, "Redis URL");
    }
    redis_node_fini(&r.sentinel);
    return result;
}

void redis_address_fini(struct redis_address *a)
{
    for (size_t i = 0; i < a->count; i++)
        redis_node_fini(&a->nodes[i]);
    free(a->nodes);
    redis_node_fini(&a->like);
    free(a->master);
    free(a->label);
    *a = (struct redis_address){0};
}

void redis_node_at(struct redis_node *n, struct span host, int port, const struct redis_node *like)
{
    *n = (struct redis_node){.host = span_text(host), .port = port};
    share(n, like);
}

void redis_node_copy(struct redis_node *to, const struct redis_node *from)
{
    *to = (struct redis_node){
        .path = copy_of(from->path), .host = copy_of(from->host), .port = from->port};
    share(to, from);
}

void redis_node_fini(struct redis_node *n)
{
    free(n->path);
    free(n->host);
    free(n->user);
    free(n->password);
    free(n->label);
    *n = (struct redis_node){0};
}

bool redis_node_is(const struct redis_node *n, struct span host, int port)
{
    return n->host && n->port == port && span_is(host, n->host);
}
