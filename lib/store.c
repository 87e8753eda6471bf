#include "store.h"
#include "ident.h"
#include "mem.h"
#include "room.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Names in Redis. ROOM_CHANNEL and NODE_KEY are followed by a room or an id. */
#define ROOM_CHANNEL  "collab:room:"
#define PROBE_CHANNEL "collab:probe:"
#define NODE_KEY      "collab:node:"
#define NODES_KEY     "collab:nodes"
#define CATALOG_KEY   "collab:catalog"

enum {
    BATCH_MAX = 500, /* channels in one command */
    PROBE_CHARS = 16,
};

/* What is asked of the subscribing connection, in the order in which it was asked. */
enum ask_kind { LISTEN, UNLISTEN, LISTEN_PATTERN, SETTLE };

struct ask {
    struct ask *next;
    enum ask_kind kind;
    store_done *done; /* of SETTLE */
    void *arg;
    size_t len;
    char channel[]; /* of the others */
};

struct pattern {
    struct pattern *next;
    size_t len;
    char text[]; /* as in room.h */
};

struct store {
    struct redis *redis;
    const struct store_hooks *hooks;
    void *ctx;
    bool up;
    bool told_down;
    bool closed;

    struct ask *asks; /* the first `sent` of them are on their way in one command */
    struct ask **asks_end;
    size_t sent;
    size_t singly;       /* so many are to be sent one by one: which of them was refused? */
    char *refusal;       /* of what was asked for since the last settling; NULL: none */
    bool refusal_is_old; /* a settling has told it */
    struct pattern *patterns;

    char probe[sizeof(PROBE_CHANNEL) + PROBE_CHARS];
    uv_timer_t probe_timer;
    bool probe_sent;  /* and has not come back */
    bool probe_taken; /* Redis has answered its PUBLISH */
    bool heard;       /* anything subscribed to, since the probe was last looked after */
    int probe_turns;  /* of the timer since then */

    struct buf name; /* for one call */
    struct buf text;
};

/* --- names -------------------------------------------------------------------------------- */

static struct span make_name(struct store *s, const char *prefix, struct span rest)
{
    buf_clear(&s->name);
    buf_text(&s->name, prefix);
    buf_join(&s->name, rest);
    return buf_span(&s->name);
}

static bool take_room(struct span channel, struct span *room)
{
    size_t len = sizeof(ROOM_CHANNEL) - 1;

    if (channel.len <= len || memcmp(channel.at, ROOM_CHANNEL, len) != 0)
        return false;
    *room = (struct span){channel.at + len, channel.len - len};
    return true;
}

/* --- calls that end with a store_done ------------------------------------------------------ */

struct call {
    struct redis *redis;
    store_done *done;
    void *arg;
    int waiting; /* replies to come */
    enum store_result result;
    char *why; /* Redis' words when it refused */
};

static struct call *call_new(struct store *s, store_done *done, void *arg, int replies)
{
    struct call *c = mem_alloc(sizeof(*c));

    *c = (struct call){.redis = s->redis, .done = done, .arg = arg, .waiting = replies};
    return c;
}

static void call_note(struct call *c, const struct reply *r)
{
    if (r == NULL) {
        c->result = STORE_UNAVAILABLE;
    } else if (reply_kind(r) == REPLY_ERROR && c->result == STORE_DONE) {
        c->result = STORE_REFUSED;
        c->why = span_text(reply_text(r));
    }
}

static void call_end(struct call *c)
{
    const char *why = c->result == STORE_REFUSED ? c->why : redis_why(c->redis);

    if (c->done != NULL)
        c->done(c->arg, c->result, c->result == STORE_DONE ? NULL : why);
    free(c->why);
    free(c);
}

static void on_call_reply(void *arg, const struct reply *r)
{
    struct call *c = arg;

    call_note(c, r);
    if (--c->waiting == 0)
        call_end(c);
}

/* --- publishing ---------------------------------------------------------------------------- */

void store_publish(struct store *s, const struct event *e, store_done *done, void *arg)
{
    struct event copy = *e;
    struct call *call = NULL;

    assert(copy.room_count > 0);
    if (done != NULL)
        call = call_new(s, done, arg, copy.room_count);
    for (int i = 0; i < copy.room_count; i++) {
        copy.room = copy.rooms[i];
        buf_clear(&s->text);
        event_format(&copy, &s->text);
        struct span publish[] = {span_of("PUBLISH"), make_name(s, ROOM_CHANNEL, copy.room),
                                 buf_span(&s->text)};
        redis_command(s->redis, call != NULL ? on_call_reply : NULL, call, 3, publish);
    }
}

size_t store_backlog(const struct store *s)
{
    return redis_backlog(s->redis);
}

/* --- listening ----------------------------------------------------------------------------- */

/* One command at a time is on its way, so what was asked takes effect in that order, whatever is
 * refused; what gathers meanwhile goes in the next, so batches grow with the load. */

static struct ask *ask_new(enum ask_kind kind, size_t len)
{
    struct ask *a = mem_alloc(sizeof(*a) + len);

    *a = (struct ask){.kind = kind, .len = len};
    return a;
}

static void push_ask(struct store *s, struct ask *a)
{
    *s->asks_end = a;
    s->asks_end = &a->next;
}

static struct ask *pop_ask(struct store *s)
{
    struct ask *a = s->asks;

    s->asks = a->next;
    if (s->asks == NULL)
        s->asks_end = &s->asks;
    a->next = NULL;
    return a;
}

static void settle(struct store *s)
{
    struct ask *a = pop_ask(s);
    store_done *done = a->done;
    void *arg = a->arg;

    free(a);
    s->refusal_is_old = true;
    done(arg, s->refusal != NULL ? STORE_REFUSED : STORE_DONE, s->refusal);
}

static void note_refusal(struct store *s, const struct ask *a, struct span words)
{
    struct span name = {a->channel, a->len};
    struct buf b = {0};

    if (s->refusal != NULL)
        return;
    take_room(name, &name);
    buf_printf(&b, "%.*s: ", (int)name.len, name.at);
    buf_join(&b, words);
    s->refusal = b.at;
}

static void forget_refusal(struct store *s)
{
    free(s->refusal);
    s->refusal = NULL;
    s->refusal_is_old = false;
}

static void send_asks(struct store *s);

static void on_batch(void *arg, const struct reply *r)
{
    struct store *s = arg;

    if (r == NULL)
        return; /* `down` follows */
    if (reply_kind(r) == REPLY_ERROR && s->sent > 1) {
        s->singly = s->sent;
        s->sent = 0;
    } else if (reply_kind(r) == REPLY_ERROR) {
        note_refusal(s, s->asks, reply_text(r));
    }
    if (s->singly > 0 && s->sent > 0)
        s->singly--;
    for (; s->sent > 0; s->sent--)
        free(pop_ask(s));
    send_asks(s);
}

static void send_batch(struct store *s)
{
    static const char *const words[] = {"SUBSCRIBE", "UNSUBSCRIBE", "PSUBSCRIBE"};
    struct span argv[1 + BATCH_MAX];
    size_t most = s->singly > 0 ? 1 : BATCH_MAX;
    size_t count = 0;

    if (s->refusal_is_old)
        forget_refusal(s);
    enum ask_kind kind = s->asks->kind;
    argv[0] = span_of(words[kind]);
    for (const struct ask *a = s->asks; a != NULL && a->kind == kind && count < most; a = a->next)
        argv[++count] = (struct span){a->channel, a->len};
    s->sent = count;
    redis_subscription(s->redis, on_batch, s, (int)count + 1, argv);
}

static void send_asks(struct store *s)
{
    while (s->asks != NULL && s->sent == 0) {
        if (s->asks->kind == SETTLE)
            settle(s);
        else
            send_batch(s);
    }
}

static void ask(struct store *s, enum ask_kind kind, const struct span *rooms, size_t count)
{
    if (!store_is_up(s))
        return;
    for (size_t i = 0; i < count; i++) {
        struct span channel = make_name(s, ROOM_CHANNEL, rooms[i]);
        struct ask *a = ask_new(kind, channel.len);
        memcpy(a->channel, channel.at, channel.len);
        push_ask(s, a);
    }
    send_asks(s);
}

void store_listen(struct store *s, const struct span *rooms, size_t count)
{
    ask(s, LISTEN, rooms, count);
}

void store_unlisten(struct store *s, const struct span *rooms, size_t count)
{
    ask(s, UNLISTEN, rooms, count);
}

void store_listen_pattern(struct store *s, struct span pattern)
{
    ask(s, LISTEN_PATTERN, &pattern, 1);
}

void store_settle(struct store *s, store_done *done, void *arg)
{
    if (!store_is_up(s)) {
        done(arg, STORE_UNAVAILABLE, redis_why(s->redis));
        return;
    }
    struct ask *a = ask_new(SETTLE, 0);
    a->done = done;
    a->arg = arg;
    push_ask(s, a);
    send_asks(s);
}

static void drop_asks(struct store *s)
{
    s->sent = s->singly = 0;
    forget_refusal(s);
    while (s->asks != NULL) {
        struct ask *a = pop_ask(s);
        if (a->kind == SETTLE)
            a->done(a->arg, STORE_UNAVAILABLE, redis_why(s->redis));
        free(a);
    }
}

/* --- what arrives -------------------------------------------------------------------------- */

/* From Redis' confirmation on, what matches comes by it too. */
static void note_pattern(struct store *s, struct span channel)
{
    struct span text;

    if (!take_room(channel, &text))
        return;
    struct pattern *p = mem_alloc(sizeof(*p) + text.len);
    *p = (struct pattern){.next = s->patterns, .len = text.len};
    memcpy(p->text, text.at, text.len);
    s->patterns = p;
}

static void drop_patterns(struct store *s)
{
    while (s->patterns != NULL) {
        struct pattern *p = s->patterns;
        s->patterns = p->next;
        free(p);
    }
}

/* Of the copies that Redis sends of one message, the one to hand up: the first matching pattern's,
 * or else the room's own. by: the pattern that this one came by; empty: none. */
static bool is_the_one(const struct store *s, struct span by, struct span room)
{
    for (const struct pattern *p = s->patterns; p != NULL; p = p->next) {
        struct span pattern = {p->text, p->len};
        if (room_matches(pattern, room))
            return span_equal(pattern, by);
    }
    return by.len == 0;
}

static void take_message(struct store *s, struct span by, struct span channel, struct span text)
{
    struct span room;

    if (take_room(channel, &room)) {
        if (is_the_one(s, by, room))
            s->hooks->event(s->ctx, room, text);
    } else if (span_is(channel, s->probe)) {
        s->probe_sent = false;
    }
}

static void on_push(void *ctx, const struct reply *r)
{
    struct store *s = ctx;
    struct span word = reply_text(reply_at(r, 0));
    struct span by = {0};

    s->heard = true;
    if (span_is(word, "message")) {
        take_message(s, by, reply_text(reply_at(r, 1)), reply_text(reply_at(r, 2)));
    } else if (span_is(word, "pmessage") && reply_count(r) == 4) {
        if (take_room(reply_text(reply_at(r, 1)), &by))
            take_message(s, by, reply_text(reply_at(r, 2)), reply_text(reply_at(r, 3)));
    } else if (span_is(word, "psubscribe")) {
        note_pattern(s, reply_text(reply_at(r, 1)));
    }
}

/* --- up, down, and the probe between ------------------------------------------------------- */

static void reset(struct store *s, const struct reply *r)
{
    struct fault f;
    struct span words = reply_text(r);

    fault_set(&f, "%.*s", (int)words.len, words.at);
    redis_reset(s->redis, f.text);
}

static void on_probe_channel(void *arg, const struct reply *r)
{
    struct store *s = arg;

    if (r == NULL)
        return;
    if (reply_kind(r) == REPLY_ERROR) {
        reset(s, r);
        return;
    }
    s->up = true;
    s->told_down = false;
    s->hooks->up(s->ctx);
}

static void on_up(void *ctx)
{
    struct store *s = ctx;
    struct span subscribe[] = {span_of("SUBSCRIBE"), span_of(s->probe)};

    redis_subscription(s->redis, on_probe_channel, s, 2, subscribe);
}

static void on_down(void *ctx, const char *why)
{
    struct store *s = ctx;

    s->up = false;
    s->probe_sent = false;
    s->probe_turns = 0;
    drop_patterns(s);
    drop_asks(s);
    if (s->closed || s->told_down)
        return;
    s->told_down = true;
    s->hooks->down(s->ctx, why);
}

static void on_probe_taken(void *arg, const struct reply *r)
{
    struct store *s = arg;

    if (r != NULL && reply_kind(r) == REPLY_ERROR)
        reset(s, r);
    else
        s->probe_taken = true;
}

static void send_probe(struct store *s)
{
    struct span publish[] = {span_of("PUBLISH"), span_of(s->probe), span_of("")};

    s->probe_sent = true;
    s->probe_taken = false;
    redis_command(s->redis, on_probe_taken, s, 3, publish);
}

/* Two turns make an interval: when this process was held up, what came meanwhile is read between
 * them. A probe that is late in a queue of other messages proves as much as one that is back. */
static void on_probe_timer(uv_timer_t *handle)
{
    struct store *s = handle->data;

    if (!store_is_up(s) || ++s->probe_turns < 2)
        return;
    if (s->probe_sent && !(s->probe_taken && s->heard)) {
        redis_reset(s->redis, "the probe was not answered");
        return;
    }
    s->probe_turns = 0;
    s->heard = false;
    if (!s->probe_sent)
        send_probe(s);
}

void store_probe(struct store *s, int interval_ms)
{
    uint64_t turn_ms = interval_ms > 1 ? (uint64_t)interval_ms / 2 : 1;

    uv_timer_start(&s->probe_timer, on_probe_timer, turn_ms, turn_ms);
}

/* --- opening and closing ------------------------------------------------------------------- */

static const struct redis_hooks redis_hooks = {.up = on_up, .down = on_down, .push = on_push};

struct store *store_open(uv_loop_t *loop, const struct redis_address *address,
                         const struct store_hooks *hooks, void *ctx)
{
    struct store *s = mem_zero(sizeof(*s));

    s->hooks = hooks;
    s->ctx = ctx;
    s->asks_end = &s->asks;
    memcpy(s->probe, PROBE_CHANNEL, sizeof(PROBE_CHANNEL));
    ident_random(s->probe + sizeof(PROBE_CHANNEL) - 1, PROBE_CHARS);
    uv_timer_init(loop, &s->probe_timer);
    s->probe_timer.data = s;
    s->redis = redis_open(loop, address, &redis_hooks, s);
    return s;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct store *s = handle->data;

    buf_fini(&s->name);
    buf_fini(&s->text);
    free(s);
}

void store_close(struct store *s)
{
    s->closed = true;
    s->up = false;
    redis_close(s->redis);
    drop_patterns(s);
    drop_asks(s);
    uv_close((uv_handle_t *)&s->probe_timer, on_timer_closed);
}

bool store_is_up(const struct store *s)
{
    return s->up && redis_is_up(s->redis);
}

/* --- nodes --------------------------------------------------------------------------------- */

void store_node_put(struct store *s, struct span id, struct span record, int64_t ttl_ms)
{
    char ttl[24];

    snprintf(ttl, sizeof(ttl), "%lld", (long long)ttl_ms);
    struct span set[] = {span_of("SET"), make_name(s, NODE_KEY, id), record, span_of("PX"),
                         span_of(ttl)};
    redis_command(s->redis, NULL, NULL, 5, set);
    struct span add[] = {span_of("SADD"), span_of(NODES_KEY), id};
    redis_command(s->redis, NULL, NULL, 3, add);
}

static void forget_node(struct store *s, struct span id, reply_fn *fn, void *arg)
{
    struct span remove[] = {span_of("SREM"), span_of(NODES_KEY), id};

    redis_command(s->redis, fn, arg, 3, remove);
}

void store_node_drop(struct store *s, struct span id, store_done *done, void *arg)
{
    struct call *call = call_new(s, done, arg, 2);
    struct span del[] = {span_of("DEL"), make_name(s, NODE_KEY, id)};

    redis_command(s->redis, on_call_reply, call, 2, del);
    forget_node(s, id, on_call_reply, call);
}

/* The nodes' ids are read, then the record of each. */
struct listing {
    struct store *store;
    struct call *call;
    store_each *each;
    char **ids;
    size_t count;
    size_t next; /* whose record comes next */
};

static void listing_end(struct listing *l)
{
    struct call *call = l->call;

    for (size_t i = 0; i < l->count; i++)
        free(l->ids[i]);
    free(l->ids);
    free(l);
    call_end(call);
}

/* Not to be touched after each(): that may close the store, and so end the listing. */
static void on_record(void *arg, const struct reply *r)
{
    struct listing *l = arg;
    struct span id = span_of(l->ids[l->next++]);
    bool last = l->next == l->count;

    call_note(l->call, r);
    if (r != NULL && reply_kind(r) == REPLY_NIL)
        forget_node(l->store, id, NULL, NULL);
    else if (r != NULL && reply_kind(r) == REPLY_TEXT)
        l->each(l->call->arg, id, reply_text(r));
    if (last)
        listing_end(l);
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void on_ids(void *arg, const struct reply *r)
{
    struct listing *l = arg;
    struct store *s = l->store;
    size_t count = r != NULL ? reply_count(r) : 0;

    call_note(l->call, r);
    if (count == 0) {
        listing_end(l);
        return;
    }
    l->count = count;
    l->ids = mem_alloc(count * sizeof(*l->ids));
    for (size_t i = 0; i < count; i++)
        l->ids[i] = span_text(reply_text(reply_at(r, i)));
    qsort(l->ids, count, sizeof(*l->ids), compare_ids);
    for (size_t i = 0; i < count; i++) {
        struct span get[] = {span_of("GET"), make_name(s, NODE_KEY, span_of(l->ids[i]))};
        redis_command(s->redis, on_record, l, 2, get);
    }
}

void store_nodes(struct store *s, store_each *each, store_done *done, void *arg)
{
    struct listing *l = mem_zero(sizeof(*l));
    struct span members[] = {span_of("SMEMBERS"), span_of(NODES_KEY)};

    l->store = s;
    l->each = each;
    l->call = call_new(s, done, arg, 0);
    redis_command(s->redis, on_ids, l, 2, members);
}

/* --- the catalog --------------------------------------------------------------------------- */

void store_catalog_put(struct store *s, struct span text)
{
    struct span set[] = {span_of("SET"), span_of(CATALOG_KEY), text};

    redis_command(s->redis, NULL, NULL, 3, set);
}

struct text_call {
    store_text *got;
    void *arg;
};

static void on_text(void *arg, const struct reply *r)
{
    struct text_call *c = arg;
    enum store_result result = STORE_DONE;

    if (r == NULL)
        result = STORE_UNAVAILABLE;
    else if (reply_kind(r) == REPLY_ERROR)
        result = STORE_REFUSED;
    c->got(c->arg, result, r != NULL ? reply_text(r) : (struct span){0});
    free(c);
}

void store_catalog_get(struct store *s, store_text *got, void *arg)
{
    struct text_call *c = mem_alloc(sizeof(*c));
    struct span get[] = {span_of("GET"), span_of(CATALOG_KEY)};

    *c = (struct text_call){got, arg};
    redis_command(s->redis, on_text, c, 2, get);
}
