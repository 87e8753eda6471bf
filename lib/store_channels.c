#include "ident.h"
#include "mem.h"
#include "room.h"
#include "slot.h"
#include "store_base.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH_MAX = 500,    /* channels in one command */
    SINGLES_MAX = 4000, /* commands of one, on their way */
};

static const char *own_channel(const struct store *s, enum store_channel channel)
{
    switch (channel) {
    case STORE_CONTROL:
        return CONTROL_CHANNEL;
    case STORE_PRESENCE:
        return PRESENCE_CHANNEL;
    default:
        return s->answer;
    }
}

struct ask {
    struct ask *next;
    enum ask_kind kind;
    struct store *store;
    store_done *done; /* of SETTLE */
    void *arg;
    char *refusal; /* of the others: Redis' words; NULL: none */
    size_t len;
    char channel[];
};

struct pattern {
    struct pattern *next;
    size_t len;
    char text[]; /* as in room.h */
};

static bool take_room(struct span channel, struct span *room)
{
    size_t len = sizeof(ROOM_CHANNEL) - 1;

    if (channel.len <= len || memcmp(channel.at, ROOM_CHANNEL, len) != 0)
        return false;
    *room = (struct span){channel.at + len, channel.len - len};
    return true;
}

/* --- publishing ---------------------------------------------------------------------------- */

void store_publish(struct store *s, const struct event *e, store_done *done, void *arg)
{
    struct event copy = *e;
    struct store_call *call = NULL;

    assert(copy.room_count > 0);
    if (done)
        call = store_call(s, done, arg, copy.room_count);
    for (int i = 0; i < copy.room_count; i++) {
        copy.room = copy.rooms[i];
        buf_clear(&s->text);
        event_format(&copy, &s->text);
        store_tell(s, call ? store_call_reply : NULL, call, store_name(s, ROOM_CHANNEL, copy.room),
                   buf_span(&s->text));
    }
}

struct sending {
    store_sent *sent;
    void *arg;
    struct redis *redis;
};

static void on_sent(void *arg, const struct reply *r)
{
    struct sending *c = arg;
    struct fault f;

    if (!r) {
        c->sent(c->arg, STORE_UNAVAILABLE, 0, redis_why(c->redis));
    } else if (reply_kind(r) == REPLY_ERROR) {
        struct span words = reply_text(r);
        fault_set(&f, "%.*s", (int)words.len, words.at);
        c->sent(c->arg, STORE_REFUSED, 0, f.text);
    } else {
        c->sent(c->arg, STORE_DONE, reply_integer(r), NULL);
    }
    free(c);
}

/* Of a channel whose listeners are counted: those of a plain one are on all servers of a cluster.
 */
static struct span publish_word(const struct store *s)
{
    return span_of(redis_is_cluster(s->redis) ? "SPUBLISH" : "PUBLISH");
}

void store_control(struct store *s, struct span order, store_sent *sent, void *arg)
{
    struct sending *c = mem_alloc(sizeof(*c));

    *c = (struct sending){sent, arg, s->redis};
    buf_clear(&s->text);
    buf_join(&s->text, order);
    buf_printf(&s->text, ",\"answer\":\"%s\"}", s->answer);
    struct span publish[] = {publish_word(s), span_of(CONTROL_CHANNEL), buf_span(&s->text)};
    redis_command(s->redis, on_sent, c, 3, publish);
}

/* Only channels that are for answers: an order can't make a gateway publish elsewhere. */
void store_answer(struct store *s, struct span channel, struct span text)
{
    struct span publish[] = {publish_word(s), channel, text};

    if (span_starts(channel, ANSWER_CHANNEL))
        redis_command(s->redis, NULL, NULL, 3, publish);
}

void store_flush(struct store *s)
{
    redis_flush(s->redis);
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
    if (!s->asks)
        s->asks_end = &s->asks;
    a->next = NULL;
    return a;
}

static void ask_free(struct ask *a)
{
    free(a->refusal);
    free(a);
}

/* done may ask for more, or close the store. */
static void settle(struct store *s)
{
    struct ask *a = pop_ask(s);

    s->refusal_is_old = true;
    a->done(a->arg, s->refusal ? STORE_REFUSED : STORE_DONE, s->refusal);
    ask_free(a);
}

static void forget_refusal(struct store *s)
{
    free(s->refusal);
    s->refusal = NULL;
    s->refusal_is_old = false;
}

static void note_outcome(struct store *s, const struct ask *a)
{
    struct span name = {a->channel, a->len};
    struct buf b = {0};

    if (s->refusal_is_old)
        forget_refusal(s);
    if (!a->refusal || s->refusal)
        return;
    take_room(name, &name);
    buf_printf(&b, "%.*s: %s", (int)name.len, name.at, a->refusal);
    s->refusal = b.at;
}

static void send_asks(struct store *s);

/* All that were sent are answered. What waited for some of them alone has its turn among them, so
 * that it is told of no other's refusal. */
static void take_answers(struct store *s)
{
    while (s->sent > 0) {
        if (s->asks->kind == SETTLE) {
            settle(s);
            continue;
        }
        struct ask *a = pop_ask(s);
        s->sent--;
        note_outcome(s, a);
        ask_free(a);
    }
    send_asks(s);
}

static void on_batch(void *arg, const struct reply *r)
{
    struct store *s = arg;

    if (!r)
        return; /* `down` follows */
    if (reply_kind(r) == REPLY_ERROR && s->sent > 1) {
        s->singly = s->sent;
        s->sent = 0;
        send_asks(s);
        return;
    }
    if (reply_kind(r) == REPLY_ERROR)
        s->asks->refusal = span_text(reply_text(r));
    if (s->singly > 0)
        s->singly--;
    take_answers(s);
}

/* The next that is for Redis: those who wait for what stands before them keep nobody from going
 * along with it. */
static struct ask *next_ask(const struct ask *a)
{
    struct ask *next = a->next;

    while (next && next->kind == SETTLE)
        next = next->next;
    return next;
}

static const char *const ask_words[] = {
    [LISTEN] = "SUBSCRIBE",
    [UNLISTEN] = "UNSUBSCRIBE",
    [LISTEN_PATTERN] = "PSUBSCRIBE",
    [LISTEN_SHARD] = "SSUBSCRIBE",
    [UNLISTEN_SHARD] = "SUNSUBSCRIBE",
};

static void send_batch(struct store *s)
{
    struct span argv[1 + BATCH_MAX];
    size_t most = s->singly > 0 ? 1 : BATCH_MAX;
    size_t count = 0;

    enum ask_kind kind = s->asks->kind;
    argv[0] = span_of(ask_words[kind]);
    for (struct ask *a = s->asks; a && a->kind == kind && count < most; a = next_ask(a))
        argv[++count] = (struct span){a->channel, a->len};
    s->sent = count;
    redis_subscription(s->redis, on_batch, s, (int)count + 1, argv);
}

/* On a cluster each is a command of its own, as each may be for another server; they go together
 * all the same. a: gone when r is NULL and `down` was told. */
static void on_single(void *arg, const struct reply *r)
{
    struct ask *a = arg;

    if (!r)
        return; /* `down` follows, or was told */
    if (reply_kind(r) == REPLY_ERROR)
        a->refusal = span_text(reply_text(r));
    if (--a->store->unanswered == 0)
        take_answers(a->store);
}

static void send_singles(struct store *s)
{
    struct ask *a = s->asks;

    for (; a && s->sent < SINGLES_MAX; a = next_ask(a))
        s->sent++;
    s->unanswered = s->sent;
    a = s->asks;
    for (size_t left = s->sent; left > 0; left--, a = next_ask(a)) {
        struct span argv[] = {span_of(ask_words[a->kind]), {a->channel, a->len}};
        redis_subscription(s->redis, on_single, a, 2, argv);
    }
}

/* What is asked for while it is told that something is settled has its turn after that: else each
 * who had waited would be told from within the one before. */
static void send_asks(struct store *s)
{
    if (s->sending)
        return;
    s->sending = true;
    while (s->asks && s->sent == 0) {
        if (s->asks->kind == SETTLE) {
            settle(s);
            continue;
        }
        if (redis_is_cluster(s->redis))
            send_singles(s);
        else
            send_batch(s);
    }
    s->sending = false;
}

static void put_ask(struct store *s, enum ask_kind kind, struct span channel)
{
    struct ask *a = ask_new(kind, channel.len);

    a->store = s;
    memcpy(a->channel, channel.at, channel.len);
    push_ask(s, a);
}

void store_ask(struct store *s, enum ask_kind kind, struct span channel)
{
    if (!store_is_up(s))
        return;
    put_ask(s, kind, channel);
    send_asks(s);
}

static void ask_rooms(struct store *s, enum ask_kind kind, const struct span *rooms, size_t count)
{
    if (!store_is_up(s))
        return;
    for (size_t i = 0; i < count; i++)
        put_ask(s, kind, store_name(s, ROOM_CHANNEL, rooms[i]));
    send_asks(s);
}

/* The same of a cluster's channels of rooms. */
static void ask_shards(struct store *s, enum ask_kind kind, const struct span *rooms, size_t count)
{
    if (!store_is_up(s))
        return;
    for (size_t i = 0; i < count; i++)
        put_ask(s, kind, store_key(&s->name, ROOM_CHANNEL, rooms[i]));
    send_asks(s);
}

void store_listen(struct store *s, const struct span *rooms, size_t count)
{
    if (redis_is_cluster(s->redis))
        ask_shards(s, LISTEN_SHARD, rooms, count);
    else
        ask_rooms(s, LISTEN, rooms, count);
}

void store_unlisten(struct store *s, const struct span *rooms, size_t count)
{
    if (redis_is_cluster(s->redis))
        ask_shards(s, UNLISTEN_SHARD, rooms, count);
    else
        ask_rooms(s, UNLISTEN, rooms, count);
}

/* All that is told in a cluster, by slot. */
static void listen_to_slots(struct store *s)
{
    if (!store_is_up(s) || s->slots_listened)
        return;
    s->slots_listened = true;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        buf_clear(&s->name);
        buf_printf(&s->name, SLOT_CHANNEL "{%u}", slot_tag(slot));
        put_ask(s, LISTEN_SHARD, buf_span(&s->name));
    }
    send_asks(s);
}

static void note_pattern(struct store *s, struct span text)
{
    struct pattern *p = mem_alloc(sizeof(*p) + text.len);

    *p = (struct pattern){.next = s->patterns, .len = text.len};
    memcpy(p->text, text.at, text.len);
    s->patterns = p;
}

void store_listen_pattern(struct store *s, struct span pattern)
{
    if (!redis_is_cluster(s->redis)) {
        ask_rooms(s, LISTEN_PATTERN, &pattern, 1);
        return;
    }
    if (store_is_up(s))
        note_pattern(s, pattern);
    listen_to_slots(s);
}

/* Orders come plain, as they may be part of a script for any room, and sharded, when it is to be
 * known how many got them. */
void store_listen_channel(struct store *s, enum store_channel channel)
{
    struct span name = span_of(own_channel(s, channel));
    bool is_cluster = redis_is_cluster(s->redis);

    if (is_cluster && channel == STORE_PRESENCE)
        listen_to_slots(s);
    if (is_cluster && channel != STORE_PRESENCE)
        store_ask(s, LISTEN_SHARD, name);
    if (!is_cluster || channel == STORE_CONTROL)
        store_ask(s, LISTEN, name);
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
    s->sent = s->singly = s->unanswered = 0;
    s->slots_listened = false;
    forget_refusal(s);
    while (s->asks) {
        struct ask *a = pop_ask(s);
        if (a->kind == SETTLE)
            a->done(a->arg, STORE_UNAVAILABLE, redis_why(s->redis));
        ask_free(a);
    }
}

/* --- what arrives -------------------------------------------------------------------------- */

static void drop_patterns(struct store *s)
{
    while (s->patterns) {
        struct pattern *p = s->patterns;
        s->patterns = p->next;
        free(p);
    }
}

/* Of the copies that Redis sends of one message, the one to hand up: the first matching pattern's,
 * or else the room's own. by: the pattern that this one came by; empty: none. */
static bool is_the_one(const struct store *s, struct span by, struct span room)
{
    for (const struct pattern *p = s->patterns; p; p = p->next) {
        struct span pattern = {p->text, p->len};
        if (room_matches(pattern, room))
            return span_equal(pattern, by);
    }
    return by.len == 0;
}

/* The member that stands first goes; the rest is an object. */
static struct span take_from(struct store *s, struct span text)
{
    static const char lead[] = "{\"from\":\"";
    size_t at = sizeof(lead) - 1;

    s->from = (struct span){0};
    if (!span_starts(text, lead))
        return text;
    const char *end = memchr(text.at + at, '"', text.len - at);
    if (!end || (size_t)(end - text.at) + 1 >= text.len || end[1] != ',')
        return text;
    s->from = (struct span){text.at + at, (size_t)(end - text.at) - at};
    buf_clear(&s->signal);
    buf_char(&s->signal, '{');
    buf_add(&s->signal, end + 2, text.len - (size_t)(end + 2 - text.at));
    return buf_span(&s->signal);
}

struct span store_from(const struct store *s)
{
    return s->from;
}

static void take_own(struct store *s, struct span channel, struct span text)
{
    for (enum store_channel i = STORE_CONTROL; i <= STORE_ANSWER; i++) {
        if (!span_is(channel, own_channel(s, i)) || !s->hooks->message)
            continue;
        s->hooks->message(s->ctx, i, text);
        return;
    }
    store_adapter_take(s, channel, text);
}

static void take_message(struct store *s, struct span by, struct span channel, struct span text)
{
    struct span room;

    if (take_room(channel, &room)) {
        if (is_the_one(s, by, room))
            s->hooks->event(s->ctx, room, take_from(s, text));
    } else {
        take_own(s, channel, text);
    }
}

/* --- what arrives from a cluster ----------------------------------------------------------- */

/* collab:room:{ROOM} */
static bool take_sharded_room(struct span channel, struct span *room)
{
    if (!take_room(channel, room) || room->len < 3 || room->at[0] != '{')
        return false;
    *room = (struct span){room->at + 1, room->len - 2};
    return true;
}

static bool is_matched(const struct store *s, struct span room)
{
    for (const struct pattern *p = s->patterns; p; p = p->next)
        if (room_matches((struct span){p->text, p->len}, room))
            return true;
    return false;
}

/* NAME TEXT, of all that is told in a slot. */
static void take_of_slot(struct store *s, struct span message)
{
    const char *blank = message.len > 0 ? memchr(message.at, ' ', message.len) : NULL;
    struct span name = {message.at, 0}, room;

    if (!blank)
        return;
    name.len = (size_t)(blank - message.at);
    span_drop(&message, name.len + 1);
    if (!take_room(name, &room))
        take_own(s, name, message);
    else if (is_matched(s, room))
        s->hooks->event(s->ctx, room, take_from(s, message));
}

static void take_sharded(struct store *s, struct span channel, struct span text)
{
    struct span room;

    if (span_starts(channel, SLOT_CHANNEL))
        take_of_slot(s, text);
    else if (!take_sharded_room(channel, &room))
        take_own(s, channel, text);
    else if (!is_matched(s, room))
        s->hooks->event(s->ctx, room, take_from(s, text));
}

/* Nobody but a cluster takes what is not a room's: its slot has moved, and there it is renewed. */
static void take_unlistened(struct store *s, struct span channel)
{
    struct span room = {NULL, 0};

    if (!take_sharded_room(channel, &room))
        store_ask(s, LISTEN_SHARD, channel);
    if (s->hooks->moved && (room.len > 0 || span_starts(channel, SLOT_CHANNEL)))
        s->hooks->moved(s->ctx, room);
}

/* --- what arrives, of all kinds ------------------------------------------------------------ */

static void on_push(void *ctx, const struct reply *r)
{
    struct store *s = ctx;
    struct span word = reply_text(reply_at(r, 0)), channel = reply_text(reply_at(r, 1));
    struct span by = {0};

    if (span_is(word, "message")) {
        take_message(s, by, channel, reply_text(reply_at(r, 2)));
    } else if (span_is(word, "smessage")) {
        take_sharded(s, channel, reply_text(reply_at(r, 2)));
    } else if (span_is(word, "pmessage") && reply_count(r) == 4) {
        take_room(channel, &by);
        take_message(s, by, reply_text(reply_at(r, 2)), reply_text(reply_at(r, 3)));
    } else if (span_is(word, "sunsubscribe")) {
        take_unlistened(s, channel);
    } else if (span_is(word, "psubscribe") && take_room(channel, &by)) {
        note_pattern(s, by); /* from Redis' confirmation on, what matches comes by it too */
    }
}

/* --- up and down --------------------------------------------------------------------------- */

static void on_up(void *ctx)
{
    struct store *s = ctx;

    s->scripts_loaded = false;
    s->hooks->up(s->ctx);
}

static void on_down(void *ctx, const char *why)
{
    struct store *s = ctx;

    drop_patterns(s);
    drop_asks(s);
    s->hooks->down(s->ctx, why);
}

void store_probe(struct store *s, int interval_ms)
{
    redis_probe(s->redis, interval_ms);
}

/* --- opening and closing ------------------------------------------------------------------- */

static void on_joined(void *ctx)
{
    store_scripts_again(ctx);
}

static const struct redis_hooks redis_hooks = {
    .up = on_up,
    .down = on_down,
    .push = on_push,
    .joined = on_joined,
};

struct store *store_open(uv_loop_t *loop, const struct redis_address *address,
                         const struct store_hooks *hooks, void *ctx)
{
    struct store *s = mem_zero(sizeof(*s));

    s->hooks = hooks;
    s->ctx = ctx;
    s->asks_end = &s->asks;
    memcpy(s->probe, PROBE_CHANNEL, sizeof(PROBE_CHANNEL));
    ident_random(s->probe + sizeof(PROBE_CHANNEL) - 1, STORE_PROBE_CHARS);
    memcpy(s->answer, ANSWER_CHANNEL, sizeof(ANSWER_CHANNEL));
    strcpy(s->answer + sizeof(ANSWER_CHANNEL) - 1, s->probe + sizeof(PROBE_CHANNEL) - 1);
    uv_timer_init(loop, &s->end);
    s->end.data = s;
    s->redis = redis_open(loop, address, s->probe, &redis_hooks, s);
    return s;
}

static void on_end(uv_handle_t *handle)
{
    struct store *s = handle->data;

    store_adapters_free(s);
    buf_fini(&s->signal);
    buf_fini(&s->name);
    buf_fini(&s->text);
    free(s);
}

void store_close(struct store *s)
{
    redis_close(s->redis);
    drop_patterns(s);
    drop_asks(s);
    uv_close((uv_handle_t *)&s->end, on_end);
}

bool store_is_up(const struct store *s)
{
    return redis_is_up(s->redis);
}
