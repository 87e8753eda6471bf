#include "store_presence.h"
#include "json.h"
#include "mem.h"
#include "store_base.h"
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char place_letters[] = {
    [STORE_IN_ROOM] = 'r',
    [STORE_VIEWING] = 'v',
    [STORE_ONLINE] = 'u',
};

static const char *const place_keys[] = {
    [STORE_IN_ROOM] = PRESENT_KEY,
    [STORE_VIEWING] = VIEWING_KEY,
    [STORE_ONLINE] = USER_KEY,
};

static struct span number(int64_t n, char out[24])
{
    snprintf(out, 24, "%" PRId64, n);
    return span_of(out);
}

/* --- owners -------------------------------------------------------------------------------- */

static void owners_set(struct store *s, const char *word, struct span owner)
{
    struct span argv[] = {span_of(word), span_of(OWNERS_KEY), owner};

    redis_command(s->redis, NULL, NULL, 3, argv);
}

void store_owner_begin(struct store *s, struct span owner, struct span node, int64_t lease_ms)
{
    char ms[24];
    struct span set[] = {span_of("SET"), store_name(s, LEASE_KEY, owner), node, span_of("PX"),
                         number(lease_ms, ms)};

    redis_command(s->redis, NULL, NULL, 5, set);
    owners_set(s, "SADD", owner);
}

struct alive_call {
    store_alive *done;
    void *arg;
};

/* An error says nothing of the lease. */
static void on_alive(void *arg, const struct reply *r)
{
    struct alive_call *c = arg;
    enum store_result result = STORE_DONE;

    if (!r)
        result = STORE_UNAVAILABLE;
    else if (reply_kind(r) == REPLY_ERROR)
        result = STORE_REFUSED;
    c->done(c->arg, result, r && reply_kind(r) == REPLY_TEXT);
    free(c);
}

static struct alive_call *alive_call(store_alive *done, void *arg)
{
    struct alive_call *c = mem_alloc(sizeof(*c));

    *c = (struct alive_call){done, arg};
    return c;
}

void store_owner_renew(struct store *s, struct span owner, struct span node, int64_t lease_ms,
                       store_alive *done, void *arg)
{
    char ms[24];
    struct span set[] = {
        span_of("SET"), store_name(s, LEASE_KEY, owner), node, span_of("PX"), number(lease_ms, ms),
        span_of("XX")};

    redis_command(s->redis, on_alive, alive_call(done, arg), 6, set);
}

void store_owner_end(struct store *s, struct span owner, int64_t in_ms)
{
    char ms[24];
    struct span argv[] = {span_of("PEXPIRE"), store_name(s, LEASE_KEY, owner), number(in_ms, ms)};

    redis_command(s->redis, NULL, NULL, 3, argv);
    owners_set(s, "SADD", owner);
}

void store_owner_claim(struct store *s, struct span owner, int64_t period_ms, store_alive *done,
                       void *arg)
{
    char ms[24];
    struct span set[] = {span_of("SET"), store_name(s, CLAIM_KEY, owner), span_of("1"),
                         span_of("PX"),  number(period_ms, ms),           span_of("NX")};

    redis_command(s->redis, on_alive, alive_call(done, arg), 6, set);
}

static void owned_name(struct buf *b, enum store_place place, struct span name)
{
    buf_clear(b);
    buf_char(b, place_letters[place]);
    buf_char(b, ':');
    buf_join(b, name);
}

void store_owner_note(struct store *s, struct span owner, enum store_place place, struct span name,
                      bool has)
{
    struct buf key = {0}, member = {0};

    owned_name(&member, place, name);
    struct span argv[] = {span_of(has ? "SADD" : "SREM"), store_key(&key, OWNED_KEY, owner),
                          buf_span(&member)};
    redis_command(s->redis, NULL, NULL, 3, argv);
    buf_fini(&key);
    buf_fini(&member);
}

void store_owner_forget(struct store *s, struct span owner)
{
    struct buf key = {0};
    struct span argv[] = {span_of("DEL"), store_key(&key, OWNED_KEY, owner)};

    redis_command(s->redis, NULL, NULL, 2, argv);
    owners_set(s, "SREM", owner);
    buf_fini(&key);
}

/* The owners are read, then the lease of each, in whatever order they come. */
struct owners {
    struct store *store;
    struct store_call *call;
    store_owner_each *each;
    size_t waiting;
};

struct lease {
    struct owners *owners;
    size_t len;
    char owner[];
};

static void one_less(struct owners *o)
{
    struct store_call *call = o->call;

    if (--o->waiting > 0)
        return;
    free(o);
    store_call_end(call);
}

static void on_lease(void *arg, const struct reply *r)
{
    struct lease *l = arg;
    struct owners *o = l->owners;

    store_call_note(o->call, r);
    if (r && reply_kind(r) != REPLY_ERROR)
        o->each(o->call->arg, (struct span){l->owner, l->len}, reply_text(r));
    free(l);
    one_less(o);
}

static void ask_lease(struct owners *o, struct span owner)
{
    struct lease *l = mem_alloc(sizeof(*l) + owner.len);
    struct span argv[] = {span_of("GET"), store_name(o->store, LEASE_KEY, owner)};

    *l = (struct lease){o, owner.len};
    memcpy(l->owner, owner.at, owner.len);
    redis_command(o->store->redis, on_lease, l, 2, argv);
}

static void on_owners(void *arg, const struct reply *r)
{
    struct owners *o = arg;
    size_t count = r ? reply_count(r) : 0;

    store_call_note(o->call, r);
    o->waiting = count + 1;
    for (size_t i = 0; i < count; i++)
        ask_lease(o, reply_text(reply_at(r, i)));
    one_less(o);
}

void store_owners(struct store *s, store_owner_each *each, store_done *done, void *arg)
{
    struct owners *o = mem_zero(sizeof(*o));
    struct span argv[] = {span_of("SMEMBERS"), span_of(OWNERS_KEY)};

    o->store = s;
    o->each = each;
    o->call = store_call(s, done, arg, 0);
    redis_command(s->redis, on_owners, o, 2, argv);
}

struct owned {
    struct store_call *call;
    store_owned_each *each;
};

static void take_owned(const struct owned *o, struct span member)
{
    if (member.len < 3 || member.at[1] != ':')
        return;
    for (enum store_place p = STORE_IN_ROOM; p <= STORE_ONLINE; p++)
        if (member.at[0] == place_letters[p])
            o->each(o->call->arg, p, (struct span){member.at + 2, member.len - 2});
}

static void on_owned(void *arg, const struct reply *r)
{
    struct owned *o = arg;
    size_t count = r ? reply_count(r) : 0;

    store_call_note(o->call, r);
    for (size_t i = 0; i < count; i++)
        take_owned(o, reply_text(reply_at(r, i)));
    store_call_end(o->call);
    free(o);
}

void store_owned(struct store *s, struct span owner, store_owned_each *each, store_done *done,
                 void *arg)
{
    struct owned *o = mem_alloc(sizeof(*o));
    struct buf key = {0};
    struct span argv[] = {span_of("SMEMBERS"), store_key(&key, OWNED_KEY, owner)};

    *o = (struct owned){store_call(s, done, arg, 0), each};
    redis_command(s->redis, on_owned, o, 2, argv);
    buf_fini(&key);
}

/* --- what is told -------------------------------------------------------------------------- */

/* How many copies; then a channel, and what stands before and after the list, for each. Without a
 * list, all stands before it. */
static void arg_tale(struct store *s, struct store_words *a, struct span about,
                     const struct store_tale *t)
{
    struct buf text = {0};

    store_word_number(a, t->event ? t->event->room_count : 0);
    for (int i = 0; t->event && i < t->event->room_count; i++) {
        struct event copy = *t->event;
        copy.room = t->event->rooms[i];
        buf_clear(&text);
        event_format(&copy, &text);
        size_t cut = text.len;
        if (t->list_len > 0) /* data is last, and as it was given */
            cut = text.len - 1 - (copy.data.len - t->list_at);
        store_word_channel(s, a, about, ROOM_CHANNEL, copy.room);
        store_word(a, (struct span){text.at, cut});
        store_word(a, (struct span){text.at + cut + t->list_len, text.len - cut - t->list_len});
    }
    buf_fini(&text);
}

/* --- rooms --------------------------------------------------------------------------------- */

struct present_call {
    store_present_done *done;
    void *arg;
};

static void on_present(void *arg, const struct reply *r)
{
    struct present_call *c = arg;

    if (c->done && !r)
        c->done(c->arg, STORE_UNAVAILABLE, false, 0);
    else if (c->done && reply_kind(r) != REPLY_LIST)
        c->done(c->arg, STORE_REFUSED, false, 0);
    else if (c->done)
        c->done(c->arg, STORE_DONE, reply_integer(reply_at(r, 0)) != 0,
                reply_integer(reply_at(r, 1)));
    free(c);
}

void store_present(struct store *s, const struct store_present *p, store_present_done *done,
                   void *arg)
{
    struct present_call *c = mem_alloc(sizeof(*c));
    struct store_words a = {.count = 0};

    *c = (struct present_call){done, arg};
    store_word_number(&a, 1);
    store_word_key(&a, place_keys[p->place], p->room);
    store_word(&a, span_of(p->enter ? "enter" : "leave"));
    store_word(&a, p->owner);
    store_word(&a, p->user);
    store_word(&a, (struct span){&place_letters[p->place], 1});
    store_word(&a, p->room);
    store_word_number(&a, p->crowd);
    store_word_number(&a, p->tale.list_len > 0);
    store_word_channel(s, &a, p->room, PRESENCE_CHANNEL, (struct span){0});
    arg_tale(s, &a, p->room, &p->tale);
    store_script(s, SCRIPT_PRESENT, on_present, c, &a);
}

struct count_call {
    store_counted *done;
    void *arg;
};

static void on_counted(void *arg, const struct reply *r)
{
    struct count_call *c = arg;

    if (!r)
        c->done(c->arg, STORE_UNAVAILABLE, 0);
    else if (reply_kind(r) == REPLY_ERROR)
        c->done(c->arg, STORE_REFUSED, 0);
    else
        c->done(c->arg, STORE_DONE, reply_integer(r));
    free(c);
}

void store_count(struct store *s, const struct store_count *count, store_counted *done, void *arg)
{
    static const char *const told_keys[] = {
        [STORE_IN_ROOM] = TOLD_COUNT_KEY,
        [STORE_VIEWING] = TOLD_VIEWING_KEY,
    };
    struct count_call *c = mem_alloc(sizeof(*c));
    struct store_words a = {.count = 0};

    *c = (struct count_call){done, arg};
    store_word_number(&a, 2);
    store_word_key(&a, place_keys[count->place], count->room);
    store_word_key(&a, told_keys[count->place], count->room);
    store_word_number(&a, count->period_ms);
    store_word_number(&a, count->place == STORE_VIEWING ? count->most : 0);
    arg_tale(s, &a, count->room, &count->tale);
    store_script(s, SCRIPT_COUNT_USERS, on_counted, c, &a);
}

struct who_call {
    struct redis *redis;
    store_who_each *each;
    store_who_done *done;
    void *arg;
};

static void on_who(void *arg, const struct reply *r)
{
    struct who_call *c = arg;
    struct fault f;

    if (!r) {
        c->done(c->arg, STORE_UNAVAILABLE, 0, redis_why(c->redis));
    } else if (reply_kind(r) != REPLY_LIST) {
        struct span words = reply_text(r);
        fault_set(&f, "%.*s", (int)words.len, words.at);
        c->done(c->arg, STORE_REFUSED, 0, f.text);
    } else {
        const struct reply *users = reply_count(r) > 1 ? reply_at(r, 1) : NULL;
        for (size_t i = 0; users && i + 1 < reply_count(users); i += 2)
            c->each(c->arg, reply_text(reply_at(users, i)), reply_text(reply_at(users, i + 1)));
        c->done(c->arg, STORE_DONE, reply_integer(reply_at(r, 0)), NULL);
    }
    free(c);
}

void store_who(struct store *s, enum store_place place, struct span room, int64_t most,
               store_who_each *each, store_who_done *done, void *arg)
{
    struct who_call *c = mem_alloc(sizeof(*c));
    struct store_words a = {.count = 0};

    *c = (struct who_call){s->redis, each, done, arg};
    store_word_number(&a, 1);
    store_word_key(&a, place_keys[place], room);
    store_word_number(&a, most);
    store_script(s, SCRIPT_WHO, on_who, c, &a);
}

/* --- users --------------------------------------------------------------------------------- */

const char *store_status_word(enum store_status status)
{
    static const char *const words[STORE_STATUSES] = {"online", "away", "offline"};

    return words[status];
}

bool store_status_parse(struct span word, enum store_status *out)
{
    for (enum store_status i = STORE_IS_ONLINE; i <= STORE_IS_OFFLINE; i++) {
        if (!span_is(word, store_status_word(i)))
            continue;
        *out = i;
        return true;
    }
    return false;
}

static void connection_field(struct buf *b, struct span owner, struct span connection)
{
    buf_clear(b);
    buf_join(b, owner);
    buf_char(b, '/');
    buf_join(b, connection);
}

static int64_t count_copies(const struct event *events, size_t count)
{
    int64_t copies = 0;

    for (size_t i = 0; i < count; i++)
        copies += events[i].room_count;
    assert(copies <= STORE_REACH_ROOMS_MAX);
    return copies;
}

static void arg_copies(struct store *s, struct store_words *a, struct span about,
                       const struct event *e)
{
    struct event copy = *e;

    for (int i = 0; i < e->room_count; i++) {
        copy.room = e->rooms[i];
        store_word_channel(s, a, about, ROOM_CHANNEL, copy.room);
        event_format(&copy, &a->text);
        store_word_end(a);
    }
}

void store_user(struct store *s, const struct store_user *u, store_done *done, void *arg)
{
    struct store_call *c = store_call(s, done, arg, 1);
    struct store_words a = {.count = 0};
    struct buf field = {0};

    connection_field(&field, u->owner, u->connection);
    store_word_number(&a, 1);
    store_word_key(&a, USER_KEY, u->user);
    store_word(&a, buf_span(&field));
    store_word(&a, u->status);
    store_word(&a, u->since);
    store_word_channel(s, &a, u->user, PRESENCE_CHANNEL, (struct span){0});
    store_word(&a, u->user);
    for (int i = 0; i < STORE_STATUSES; i++)
        store_word_number(&a, count_copies(u->events[i], u->counts[i]));
    for (int i = 0; i < STORE_STATUSES; i++)
        for (size_t k = 0; k < u->counts[i]; k++)
            arg_copies(s, &a, u->user, &u->events[i][k]);
    store_script(s, SCRIPT_USER, store_call_reply, c, &a);
    buf_fini(&field);
}

struct connections {
    struct store_call *call;
    store_connection_each *each;
};

/* OWNER/CONNECTION, and STATUS SINCE. */
static void take_connection(const struct connections *c, struct span field, struct span value)
{
    const char *slash = memchr(field.at, '/', field.len);
    const char *blank = memchr(value.at, ' ', value.len);

    if (!slash || !blank)
        return;
    struct span owner = {field.at, (size_t)(slash - field.at)};
    struct span status = {value.at, (size_t)(blank - value.at)};
    span_drop(&field, owner.len + 1);
    span_drop(&value, status.len + 1);
    c->each(c->call->arg, owner, field, status, value);
}

static void on_connections(void *arg, const struct reply *r)
{
    struct connections *c = arg;
    size_t count = r ? reply_count(r) : 0;

    store_call_note(c->call, r);
    for (size_t i = 0; i + 1 < count; i += 2)
        take_connection(c, reply_text(reply_at(r, i)), reply_text(reply_at(r, i + 1)));
    store_call_end(c->call);
    free(c);
}

void store_connections(struct store *s, struct span user, store_connection_each *each,
                       store_done *done, void *arg)
{
    struct connections *c = mem_alloc(sizeof(*c));
    struct buf key = {0};
    struct span argv[] = {span_of("HGETALL"), store_key(&key, USER_KEY, user)};

    *c = (struct connections){store_call(s, done, arg, 0), each};
    redis_command(s->redis, on_connections, c, 2, argv);
    buf_fini(&key);
}
