#include "api.h"
#include "auth.h"
#include "bus.h"
#include "catalog.h"
#include "event.h"
#include "hub.h"
#include "mem.h"
#include "node.h"
#include "process.h"
#include "protocol.h"
#include "room.h"
#include "www.h"
#include <stdlib.h>
#include <string.h>

enum { REFUSALS_TOLD_MAX = 100, KEY_BYTES_MAX = 200 };

static const char TYPE_JSON[] = "application/json";

/* --- answers ------------------------------------------------------------------------------ */

/* What is wrong with a token, as RFC 6750 says it (section 3). */
static const char NO_TOKEN[] = "WWW-Authenticate: Bearer realm=\"collab\"\r\n";
static const char BAD_TOKEN[] =
    "WWW-Authenticate: Bearer realm=\"collab\", error=\"invalid_token\"\r\n";
static const char WEAK_TOKEN[] =
    "WWW-Authenticate: Bearer realm=\"collab\", error=\"insufficient_scope\"\r\n";

/* headers: whole lines that go with the status; NULL: none. */
static void answer_document(struct web_exchange *to, int status, const char *headers,
                            struct json *document)
{
    struct buf body = {0};
    json_write(document, &body);
    buf_char(&body, '\n');
    const struct web_answer a = {
        .status = status, .type = TYPE_JSON, .headers = headers, .body = buf_span(&body)};
    to->answer(to, &a);
    buf_fini(&body);
    json_free(document);
}

static void answer_error(struct web_exchange *to, int status, const char *headers,
                         enum error_code code, const char *message)
{
    struct json *document = json_new_object();
    json_add_text(document, "code", error_name(code));
    json_add_text(document, "message", message);
    answer_document(to, status, headers, document);
}

static void answer_too_often(struct gateway *g, struct web_exchange *to, int64_t wait_ms)
{
    char headers[64];
    struct fault f;
    auth_too_often(g, wait_ms, &f);
    snprintf(headers, sizeof(headers), "Retry-After: %lld\r\n", (long long)(wait_ms + 999) / 1000);
    answer_error(to, 429, headers, ERROR_RATE_LIMITED, f.text);
}

static struct span token_of(const struct web_request *r)
{
    struct auth_request ask = {.query = r->query, .authorization = r->headers[WEB_AUTHORIZATION]};
    return auth_find(&ask, CATALOG_FROM_QUERY | CATALOG_FROM_HEADER);
}

/* The bearer of the request's token; NULL after answering. */
static struct identity *authenticate(struct gateway *g, const struct web_request *r,
                                     struct web_exchange *to)
{
    struct fault f;
    struct span token = token_of(r);
    if (!token.len) {
        answer_error(to, 401, NO_TOKEN, ERROR_UNAUTHENTICATED,
                     "a token is needed: Authorization: Bearer");
        return NULL;
    }
    int64_t wait_ms = auth_wait_ms(g, r->address);
    if (wait_ms) {
        answer_too_often(g, to, wait_ms);
        return NULL;
    }
    struct identity *who = auth_check(g, r->address, token, &f);
    if (!who)
        answer_error(to, 401, BAD_TOKEN, ERROR_UNAUTHENTICATED, f.text);
    return who;
}

/* Whether the statistics may be read; answers when not. */
static bool may_read(struct gateway *g, const struct web_request *r, struct web_exchange *to)
{
    if (g->settings.stats == STATS_ALL)
        return true;
    struct identity *who = authenticate(g, r, to);
    if (!who)
        return false;
    bool admin = who->admin;
    identity_free(who);
    if (!admin)
        answer_error(to, 403, WEAK_TOKEN, ERROR_FORBIDDEN, "an admin's token is needed");
    return admin;
}

/* --- health, metrics, statistics ---------------------------------------------------------- */

static void health(struct gateway *g, const struct web_request *r, struct web_exchange *to)
{
    (void)r;
    struct json *document = json_new_object();
    json_add_text(document, "node", node_name(g->node));
    bool ready = node_add_health(g->node, document);
    answer_document(to, ready ? 200 : 503, NULL, document);
}

static void metrics(struct gateway *g, const struct web_request *r, struct web_exchange *to)
{
    struct buf labels = {0}, body = {0};
    if (!may_read(g, r, to))
        return;
    buf_printf(&labels, "node=\"%s\"", node_name(g->node));
    metrics_prometheus(&g->metrics, labels.at, &body);
    process_prometheus(labels.at, &body);
    const struct web_answer a = {
        .status = 200,
        .type = "text/plain; version=0.0.4; charset=utf-8",
        .body = buf_span(&body),
    };
    to->answer(to, &a);
    buf_fini(&labels);
    buf_fini(&body);
}

static void add_room(void *arg, struct span room, uint32_t members)
{
    char name[ROOM_BYTES_MAX + 1];
    snprintf(name, sizeof(name), "%.*s", (int)room.len, room.at);
    json_add_number(arg, name, members);
}

static void stats(struct gateway *g, const struct web_request *r, struct web_exchange *to)
{
    if (!may_read(g, r, to))
        return;
    struct json *document = json_new_object();
    node_add_record(g->node, document);
    json_add_number(document, "clients", (double)g->metrics.value[M_SESSIONS]);
    json_add_number(document, "rooms", (double)g->metrics.value[M_ROOMS]);
    hub_rooms(g->hub, add_room, json_add_object(document, "clients_per_room"));
    answer_document(to, 200, NULL, document);
}

/* --- publishing --------------------------------------------------------------------------- */

/* A request's events under way: answered when each of them is. */
struct batch {
    struct web_exchange *to;
    struct identity *who;
    struct span key; /* of the request; empty: it has none */
    struct json *document;
    struct json *refused;  /* {"line","code","message"} */
    struct json *receipts; /* {"line","ids","version","again"}; NULL: nothing was kept */
    int outstanding;       /* one for each event under way, one for the reading */
    int accepted;
    int told;   /* how many are in refused */
    int status; /* when nothing was accepted: of the first that was refused */
    bool local; /* some were delivered on this node alone */
};

struct posted {
    struct batch *batch;
    int line;
    bool kept;
};

/* Each is told, but for those of a body that is no events at all. */
static void batch_refuse(struct batch *b, int line, int status, enum error_code code,
                         const char *message)
{
    if (!b->status)
        b->status = status;
    if (b->told == REFUSALS_TOLD_MAX)
        return;
    b->told++;
    struct json *one = json_new_object();
    json_add_number(one, "line", line);
    json_add_text(one, "code", error_name(code));
    json_add_text(one, "message", message);
    json_push(b->refused, one);
}

static void batch_unref(struct batch *b)
{
    if (--b->outstanding)
        return;
    json_add_number(b->document, "accepted", b->accepted);
    if (b->local)
        json_add_bool(b->document, "degraded", true);
    int status = b->accepted || !b->status ? 200 : b->status;
    answer_document(b->to, status, status == 403 ? WEAK_TOKEN : NULL, b->document);
    identity_free(b->who);
    free(b);
}

/* What was kept got ids. */
static void batch_add_receipt(struct batch *b, int line, const struct store_receipt *r)
{
    if (!b->receipts)
        b->receipts = json_add_array(b->document, "receipts");
    struct json *one = json_new_object();
    json_add_number(one, "line", line);
    struct json *ids = json_add_array(one, "ids");
    for (int i = 0; i < r->id_count; i++)
        json_push_span(ids, r->ids[i]);
    if (r->version >= 0)
        json_add_number(one, "version", (double)r->version);
    if (r->again)
        json_add_bool(one, "again", true);
    json_push(b->receipts, one);
}

static void batch_add_conflict(struct batch *b, int line, const struct store_receipt *r)
{
    struct json *one = json_new_object();
    json_add_number(one, "line", line);
    json_add_text(one, "code", error_name(ERROR_CONFLICT));
    json_add_text(one, "message", "it was based on a version that is no longer current");
    json_add_number(one, "version", (double)r->version);
    if (r->last.len)
        json_add_raw(one, "event", r->last);
    json_push(b->refused, one);
    if (!b->status)
        b->status = 409;
}

static void event_published(void *arg, enum store_result result, bool local,
                            const struct store_receipt *r, const char *why)
{
    struct posted *p = arg;
    struct batch *b = p->batch;
    if (result == STORE_CONFLICT)
        batch_add_conflict(b, p->line, r);
    else if (result == STORE_DONE || local)
        b->accepted++;
    else
        batch_refuse(b, p->line, 503, ERROR_UNAVAILABLE, why);
    if (result == STORE_DONE && p->kept)
        batch_add_receipt(b, p->line, r);
    b->local |= local;
    free(p);
    batch_unref(b);
}

static bool may_publish(const struct identity *who, const struct event *e, struct fault *f)
{
    for (int i = 0; i < e->room_count; i++)
        if (!identity_may_publish(who, e->rooms[i]))
            return fault_set(f, "the token does not grant publishing to %.*s", (int)e->rooms[i].len,
                             e->rooms[i].at) == 0;
    return true;
}

/* Only an admin's emitter speaks for others, and of other times. */
static struct span speaker(const struct identity *who, const struct event *e, struct buf *user)
{
    if (who->admin && e->user.len)
        return e->user;
    json_encode(user, span_of(who->user));
    return (struct span){user->at + 1, user->len - 2};
}

/* The key of a line: what a client publishes under it by a WebSocket is the same as the first. */
static void find_key(const struct batch *b, int line, struct buf *key)
{
    if (!b->key.len)
        return;
    buf_printf(key, "%s:%.*s", b->who->user, (int)b->key.len, b->key.at);
    if (line > 1)
        buf_printf(key, ":%d", line);
}

static void post_event(struct gateway *g, struct batch *b, int line, struct span text)
{
    struct event e;
    struct route_rooms routed;
    struct terms terms;
    struct fault f;
    struct buf user = {0}, key = {0};
    if (event_parse(&e, text, true, &f) != 0 || catalog_address(g->catalog, &e, &routed, &f) != 0 ||
        terms_find(&terms, g->catalog, &e, &f) != 0) {
        batch_refuse(b, line, 400, ERROR_BAD_EVENT, f.text);
        return;
    }
    if (!may_publish(b->who, &e, &f)) {
        batch_refuse(b, line, 403, ERROR_FORBIDDEN, f.text);
        return;
    }
    e.id = (struct span){0};
    if (!b->who->admin)
        e.time = (struct span){0};
    e.user = speaker(b->who, &e, &user);
    struct posted *p = mem_alloc(sizeof(*p));
    find_key(b, line, &key);
    terms.store.key = buf_span(&key);
    *p = (struct posted){b, line, terms.kept || key.len};
    b->outstanding++;
    bus_submit(g->bus, &e, &terms, event_published, p);
    buf_fini(&user);
    buf_fini(&key);
}

static bool is_blank(struct span line)
{
    return line.len == 0 || json_trim(line).len == 0;
}

/* A string, as in RFC 8941 section 3.3.3, or what would be in one. False: it is none. */
static bool read_key(struct span header, struct span *key)
{
    *key = header;
    if (header.len >= 2 && header.at[0] == '"' && header.at[header.len - 1] == '"')
        *key = (struct span){header.at + 1, header.len - 2};
    for (size_t i = 0; i < key->len; i++)
        if (key->at[i] < ' ' || key->at[i] > '~' || key->at[i] == '"' || key->at[i] == '\\')
            return false;
    return !header.len || (key->len > 0 && key->len <= KEY_BYTES_MAX);
}

/* The body is one event, or one a line. */
static void publish_all(struct gateway *g, struct identity *who, struct web_exchange *to)
{
    struct span key, rest = to->request->body;
    if (!read_key(to->request->headers[WEB_IDEMPOTENCY_KEY], &key)) {
        answer_error(to, 400, NULL, ERROR_BAD_MESSAGE,
                     "Idempotency-Key: must be a string of 1 to 200 characters");
        identity_free(who);
        return;
    }
    struct batch *b = mem_zero(sizeof(*b));
    *b = (struct batch){.to = to, .who = who, .key = key, .outstanding = 1};
    b->document = json_new_object();
    b->refused = json_add_array(b->document, "refused");
    for (int line = 1; rest.len; line++) {
        const char *end = memchr(rest.at, '\n', rest.len);
        struct span text = {rest.at, end ? (size_t)(end - rest.at) : rest.len};
        size_t taken = text.len + (end ? 1 : 0);
        rest = (struct span){rest.at + taken, rest.len - taken};
        if (!is_blank(text))
            post_event(g, b, line, text);
    }
    batch_unref(b);
}

/* A request whose bearer is being judged. */
struct poster {
    struct gateway *gateway;
    struct web_exchange *to;
};

static void judged(void *arg, struct identity *who, enum error_code code, const char *why)
{
    static const int statuses[] = {
        [ERROR_UNAUTHENTICATED] = 401, [ERROR_FORBIDDEN] = 403, [ERROR_UNAVAILABLE] = 503};
    struct poster *p = arg;
    if (who)
        publish_all(p->gateway, who, p->to);
    else
        answer_error(p->to, statuses[code], code == ERROR_UNAUTHENTICATED ? BAD_TOKEN : NULL, code,
                     why);
    free(p);
}

/* An admin is a program of the operator's; others must be let in as clients are. */
static void publish(struct gateway *g, const struct web_request *r, struct web_exchange *to)
{
    struct identity *who = authenticate(g, r, to);
    if (!who)
        return;
    if (who->admin) {
        publish_all(g, who, to);
        return;
    }
    struct poster *p = mem_alloc(sizeof(*p));
    *p = (struct poster){g, to};
    auth_let_in(g, r->address, token_of(r), who, judged, p);
}

/* --- routes ------------------------------------------------------------------------------- */

static const struct path {
    size_t names; /* offset of its list in the catalog's endpoints */
    const char *method;
    void (*run)(struct gateway *g, const struct web_request *r, struct web_exchange *to);
} paths[] = {
    {offsetof(struct catalog_endpoints, health), "GET", health},
    {offsetof(struct catalog_endpoints, metrics), "GET", metrics},
    {offsetof(struct catalog_endpoints, stats), "GET", stats},
    {offsetof(struct catalog_endpoints, events), "POST", publish},
};

static bool is_named(const struct gateway *g, const struct path *p, struct span path)
{
    const char *at = (const char *)&g->catalog->endpoints + p->names;
    return catalog_has_path(*(const char *const *const *)at, path);
}

/* What is asked of the head is answered as for the whole; http.c leaves the body out. */
static bool takes(const struct path *p, const char *method)
{
    return strcmp(p->method, strcmp(method, "HEAD") == 0 ? "GET" : method) == 0;
}

/* RFC 9110, section 15.5.22. */
static void answer_upgrade(struct web_exchange *to)
{
    static const char why[] = "a WebSocket is here: ask for the upgrade to it\n";
    to->answer(to, &(struct web_answer){
                       .status = 426,
                       .type = "text/plain; charset=utf-8",
                       .headers = "Upgrade: websocket\r\nConnection: Upgrade\r\n",
                       .body = span_of(why),
                   });
}

static void request(void *ctx, struct web_exchange *x)
{
    const struct gateway *g = ctx;
    const struct web_request *r = x->request;
    const char *allow = NULL;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (!is_named(ctx, &paths[i], r->path))
            continue;
        if (takes(&paths[i], r->method)) {
            paths[i].run(ctx, r, x);
            return;
        }
        allow = strcmp(paths[i].method, "GET") == 0 ? "Allow: GET, HEAD\r\n" : "Allow: POST\r\n";
    }
    if (allow)
        answer_error(x, 405, allow, ERROR_BAD_METHOD, "this path takes another method");
    else if (www_answer(ctx, x))
        return;
    else if (catalog_has_path(g->catalog->endpoints.websocket, r->path))
        answer_upgrade(x);
    else
        answer_error(x, 404, NULL, ERROR_NOT_FOUND, "nothing is here");
}

static bool leads(void *ctx, struct span path)
{
    (void)ctx;
    (void)path;
    return true;
}

const struct web_site api_site = {.leads = leads, .request = request};
