#include "clock.h"
#include "json.h"
#include "mem.h"
#include "room.h"
#include "store_base.h"
#include "store_steps.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct place store_beginning = {0, 0};
const struct place store_end = {UINT64_MAX, UINT64_MAX};

static const char *const versions[] = {"", "start", "next", "same", "end"};
static const char *const conflicts[] = {"reject", "last", "merge"};

/* --- appending ----------------------------------------------------------------------------- */

struct append {
    struct redis *redis;
    store_appended *done;
    void *arg;
    int waiting; /* replies to come */
    enum store_result result;
    char *why;
    struct store_receipt receipt;
    struct buf ids, last;
    size_t id_ends[EVENT_ROOMS_MAX];
};

static void finish(struct append *a)
{
    bool told = a->result == STORE_DONE || a->result == STORE_CONFLICT;
    size_t from = 0;

    for (int i = 0; i < a->receipt.id_count; i++) {
        a->receipt.ids[i] = (struct span){a->ids.at + from, a->id_ends[i] - from};
        from = a->id_ends[i];
    }
    a->receipt.last = buf_span(&a->last);
    const char *why = a->result == STORE_REFUSED ? a->why : redis_why(a->redis);
    if (a->done)
        a->done(a->arg, a->result, told ? &a->receipt : NULL, told ? NULL : why);
    buf_fini(&a->ids);
    buf_fini(&a->last);
    free(a->why);
    free(a);
}

static void note_failure(struct append *a, const struct reply *r)
{
    if (!r) {
        a->result = STORE_UNAVAILABLE;
    } else if (a->result == STORE_DONE) {
        a->result = STORE_REFUSED;
        a->why = span_text(reply_text(r));
    }
}

static void note_id(struct append *a, struct span id)
{
    int i = a->receipt.id_count;

    if (i == EVENT_ROOMS_MAX)
        return;
    buf_join(&a->ids, id);
    a->id_ends[i] = a->ids.len;
    a->receipt.id_count++;
}

static int64_t number_of(struct span text)
{
    int64_t number;

    return json_int(text, &number) == 0 ? number : -1;
}

/* {"conflict", version, id, text} */
static void note_conflict(struct append *a, const struct reply *r)
{
    struct span id = reply_text(reply_at(r, 2)), text = reply_text(reply_at(r, 3));

    a->result = STORE_CONFLICT;
    a->receipt.version = number_of(reply_text(reply_at(r, 1)));
    if (text.len > 0)
        buf_printf(&a->last, "{\"id\":\"%.*s\",%.*s", (int)id.len, id.at, (int)text.len, text.at);
}

/* {"done" or "again", version, id, ...} */
static void note_answer(struct append *a, const struct reply *r)
{
    a->receipt.again |= span_is(reply_text(reply_at(r, 0)), "again");
    a->receipt.version = number_of(reply_text(reply_at(r, 1)));
    for (size_t i = 2; i < reply_count(r); i++)
        note_id(a, reply_text(reply_at(r, i)));
}

static void on_answer(void *arg, const struct reply *r)
{
    struct append *a = arg;

    if (!r || reply_kind(r) == REPLY_ERROR)
        note_failure(a, r);
    else if (reply_kind(r) == REPLY_TEXT)
        note_id(a, reply_text(r));
    else if (reply_kind(r) == REPLY_INTEGER)
        note_id(a, (struct span){0});
    else if (span_is(reply_text(reply_at(r, 0)), "conflict"))
        note_conflict(a, r);
    else
        note_answer(a, r);
    if (--a->waiting == 0)
        finish(a);
}

void store_word_copy(struct store_words *w, const struct event *e, int room, bool split)
{
    static const char data[] = ",\"data\":";
    struct buf text = {0};
    struct event copy = *e;

    copy.id = (struct span){0};
    copy.room = e->rooms[room];
    event_format(&copy, &text);
    struct span rest = {text.at + 1, text.len - 1};
    if (split) { /* where the version goes; no string can hold what is looked for */
        const char *at = memmem(rest.at, rest.len, data, sizeof(data) - 1);
        store_word(w, (struct span){rest.at, (size_t)(at - rest.at)});
        span_drop(&rest, (size_t)(at - rest.at));
    }
    store_word(w, rest);
    buf_fini(&text);
}

void store_word_history(struct store_words *w, struct span room)
{
    store_word_key(w, HISTORY_KEY, room);
    buf_printf(&w->text, EPOCH_KEY "{%.*s}:", (int)room.len, room.at);
    store_word(w, span_of(SHARD_RUN));
}

/* One room, and nothing to look up. */
static void send_plain(struct store *s, const struct event *e, const struct store_terms *t,
                       int room, struct append *a)
{
    struct store_words w = {.count = 0};

    store_word_number(&w, 2);
    store_word_history(&w, e->rooms[room]);
    store_word_copy(&w, e, room, false);
    store_word_number(&w, t->rooms[room].length);
    store_word_number(&w, t->rooms[room].age_ms);
    store_word_number(&w, clock_wall_ms());
    store_word_channel(s, &w, e->rooms[room], ROOM_CHANNEL, e->rooms[room]);
    store_script(s, SCRIPT_APPEND, on_answer, a, &w);
}

/* How long a key is remembered: as long as what was published under it is. */
static int64_t longest_ms(const struct store_terms *t, int first, int count)
{
    int64_t most = 0;

    for (int i = first; i < first + count; i++)
        if (t->rooms[i].age_ms > most)
            most = t->rooms[i].age_ms;
    return most > 0 ? most : STORE_KEY_MS;
}

static void add_keys(struct store_words *w, const struct event *e, const struct store_terms *t,
                     int first, int count)
{
    int keys = (t->key.len > 0) + (t->entity.len > 0);

    for (int i = first; i < first + count; i++)
        keys += t->rooms[i].length > 0 ? 2 : 0;
    store_word_number(w, keys);
    if (t->key.len > 0) {
        buf_printf(&w->text, ONCE_KEY "{%.*s}:", (int)e->rooms[first].len, e->rooms[first].at);
        store_word(w, t->key);
    }
    if (t->entity.len > 0)
        store_word_key(w, ENTITY_KEY, t->entity);
    for (int i = first; i < first + count; i++)
        if (t->rooms[i].length > 0)
            store_word_history(w, e->rooms[i]);
}

void store_word_terms(struct store_words *w, const struct store_terms *t)
{
    store_word(w, span_of(t->entity.len > 0 ? versions[t->version] : ""));
    if (t->expect >= 0)
        store_word_number(w, t->expect);
    else
        store_word_end(w);
    store_word(w, span_of(conflicts[t->conflict]));
    store_word_number(w, t->field_count);
    for (int i = 0; i < t->field_count; i++)
        store_word(w, t->fields[i]);
}

static void add_terms(struct store_words *w, const struct store_terms *t, int64_t ttl_ms)
{
    store_word_number(w, clock_wall_ms());
    if (t->key.len > 0)
        store_word_number(w, ttl_ms);
    else
        store_word_end(w);
    store_word_terms(w, t);
}

static void send_terms(struct store *s, const struct event *e, const struct store_terms *t,
                       int first, int count, struct append *a)
{
    struct store_words w = {.count = 0};

    add_keys(&w, e, t, first, count);
    add_terms(&w, t, longest_ms(t, first, count));
    for (int i = first; i < first + count; i++) {
        store_word_channel(s, &w, e->rooms[i], ROOM_CHANNEL, e->rooms[i]);
        store_word_copy(&w, e, i, true);
        store_word_number(&w, t->rooms[i].length);
        store_word_number(&w, t->rooms[i].age_ms);
    }
    store_script(s, SCRIPT_PUBLISH, on_answer, a, &w);
}

static void send_live(struct store *s, const struct event *e, int room, struct append *a)
{
    struct event copy = *e;

    copy.room = e->rooms[room];
    buf_clear(&s->text);
    event_format(&copy, &s->text);
    store_tell(s, on_answer, a, store_name(s, ROOM_CHANNEL, copy.room), buf_span(&s->text));
}

void store_append(struct store *s, const struct event *e, const struct store_terms *t,
                  store_appended *done, void *arg)
{
    bool whole = t->entity.len > 0;

    assert(e->room_count > 0 && (t->version != STORE_UNVERSIONED) == whole);
    if (whole && redis_is_cluster(s->redis)) {
        store_step(s, e, t, done, arg);
        return;
    }
    struct append *a = mem_zero(sizeof(*a));
    a->redis = s->redis;
    a->done = done;
    a->arg = arg;
    a->receipt.version = -1;
    a->waiting = whole ? 1 : e->room_count;
    if (whole)
        send_terms(s, e, t, 0, e->room_count, a);
    for (int i = 0; !whole && i < e->room_count; i++) {
        if (t->key.len > 0)
            send_terms(s, e, t, i, 1, a);
        else if (t->rooms[i].length > 0)
            send_plain(s, e, t, i, a);
        else
            send_live(s, e, i, a);
    }
}

/* --- reading ------------------------------------------------------------------------------- */

struct reading {
    struct redis *redis;
    store_read_done *done;
    void *arg;
    size_t len;
    char room[];
};

/* {id, {"e", text, "t", ms}}; the first of an epoch has "w", "1" or "0" besides */
static bool read_entry(const struct reply *r, struct store_entry *entry, struct buf *text)
{
    if (reply_count(r) < 2 || reply_count(reply_at(r, 1)) < 4)
        return false;
    const struct reply *fields = reply_at(r, 1);
    struct span id = reply_text(reply_at(r, 0));
    size_t from = text->len;
    if (place_parse(id, &entry->place) != 0)
        return false;
    entry->kept_ms = number_of(reply_text(reply_at(fields, 3)));
    entry->whole = reply_count(fields) >= 6 && span_is(reply_text(reply_at(fields, 5)), "1");
    buf_printf(text, "{\"id\":\"%.*s\",", (int)id.len, id.at);
    buf_join(text, reply_text(reply_at(fields, 1)));
    entry->text = (struct span){NULL, text->len - from};
    return true;
}

static void hand_over(struct reading *q, const struct reply *r)
{
    struct store_entry *entries = mem_alloc((reply_count(r) + 1) * sizeof(*entries));
    struct store_page page = {.room = {q->room, q->len}, .entries = entries};
    struct buf text = {0};
    size_t from = 0;

    for (size_t i = 0; i < reply_count(r); i++)
        page.count += read_entry(reply_at(r, i), &entries[page.count], &text);
    for (size_t i = 0; i < page.count; i++) {
        entries[i].text.at = text.at + from;
        from += entries[i].text.len;
    }
    q->done(q->arg, STORE_DONE, &page, NULL);
    buf_fini(&text);
    free(entries);
}

static void on_read(void *arg, const struct reply *r)
{
    struct reading *q = arg;

    if (!r) {
        q->done(q->arg, STORE_UNAVAILABLE, NULL, redis_why(q->redis));
    } else if (reply_kind(r) == REPLY_ERROR) {
        char *why = span_text(reply_text(r));
        q->done(q->arg, STORE_REFUSED, NULL, why);
        free(why);
    } else {
        hand_over(q, r);
    }
    free(q);
}

void store_read(struct store *s, struct span room, const struct store_stretch *stretch,
                store_read_done *done, void *arg)
{
    struct reading *q = mem_alloc(sizeof(*q) + room.len);
    char first[PLACE_BYTES], last[PLACE_BYTES];
    bool back = stretch->order == STORE_NEWEST_FIRST;
    struct store_words w = {.count = 0};
    struct span argv[6];

    *q = (struct reading){s->redis, done, arg, room.len};
    memcpy(q->room, room.at, room.len);
    struct span from = place_format(stretch->first, first), to = place_format(stretch->last, last);
    store_word(&w, span_of(back ? "XREVRANGE" : "XRANGE"));
    store_word_key(&w, HISTORY_KEY, room);
    store_word(&w, back ? to : from);
    store_word(&w, back ? from : to);
    store_word(&w, span_of("COUNT"));
    store_word_number(&w, (int64_t)stretch->most);
    for (int i = 0; i < w.count; i++)
        argv[i] = store_word_at(&w, i);
    redis_command(s->redis, on_read, q, w.count, argv);
    buf_fini(&w.text);
}

/* --- how much there is --------------------------------------------------------------------- */

/* Two replies: the length, and the newest. */
struct measuring {
    struct redis *redis;
    store_extends *got;
    void *arg;
    enum store_result result;
    char *why;
    struct store_extent extent;
};

static void note_reply(struct measuring *m, const struct reply *r)
{
    if (!r) {
        m->result = STORE_UNAVAILABLE;
    } else if (reply_kind(r) == REPLY_ERROR && m->result == STORE_DONE) {
        m->result = STORE_REFUSED;
        m->why = span_text(reply_text(r));
    }
}

static void on_length(void *arg, const struct reply *r)
{
    struct measuring *m = arg;

    note_reply(m, r);
    if (m->result == STORE_DONE)
        m->extent.length = reply_integer(r);
}

static void on_newest(void *arg, const struct reply *r)
{
    struct measuring *m = arg;

    note_reply(m, r);
    bool any = m->result == STORE_DONE && reply_count(r) > 0;
    if (!any || place_parse(reply_text(reply_at(reply_at(r, 0), 0)), &m->extent.last) != 0)
        m->extent.last = store_beginning;
    m->got(m->arg, m->result, m->result == STORE_DONE ? &m->extent : NULL,
           m->result == STORE_REFUSED ? m->why : redis_why(m->redis));
    free(m->why);
    free(m);
}

void store_extent_get(struct store *s, struct span room, store_extends *got, void *arg)
{
    struct measuring *m = mem_zero(sizeof(*m));
    struct buf key = {0};

    m->redis = s->redis;
    m->got = got;
    m->arg = arg;
    struct span history = store_key(&key, HISTORY_KEY, room);
    struct span length[] = {span_of("XLEN"), history};
    struct span newest[] = {span_of("XREVRANGE"), history,          span_of("+"),
                            span_of("-"),         span_of("COUNT"), span_of("1")};
    redis_command(s->redis, on_length, m, 2, length);
    redis_command(s->redis, on_newest, m, 6, newest);
    buf_fini(&key);
}

/* --- which rooms have one ------------------------------------------------------------------ */

struct scan {
    struct store *store;
    struct store_call *call;
    store_room *each;
    const char *type;
    size_t server, before; /* bytes of a key before what it is about */
    struct buf match;
};

static void scan_on(struct scan *c, struct span cursor);

static void tell_key(struct scan *c, struct span key)
{
    struct span pattern = {c->match.at + c->before, c->match.len - c->before - 1};

    if (key.len <= c->before + 1)
        return;
    struct span about = {key.at + c->before, key.len - c->before - 1};
    if (room_matches(pattern, about))
        c->each(c->call->arg, about);
}

static void on_scan(void *arg, const struct reply *r)
{
    struct scan *c = arg;
    const struct reply *keys = r && reply_count(r) == 2 ? reply_at(r, 1) : NULL;

    store_call_note(c->call, r);
    for (size_t i = 0; keys && i < reply_count(keys); i++)
        tell_key(c, reply_text(reply_at(keys, i)));
    if (keys && !span_is(reply_text(reply_at(r, 0)), "0")) {
        scan_on(c, reply_text(reply_at(r, 0)));
        return;
    }
    if (keys && ++c->server < redis_servers(c->store->redis)) {
        scan_on(c, span_of("0"));
        return;
    }
    store_call_end(c->call);
    buf_fini(&c->match);
    free(c);
}

static void scan_on(struct scan *c, struct span cursor)
{
    struct span words[] = {span_of("SCAN"),  cursor,         span_of("MATCH"), buf_span(&c->match),
                           span_of("COUNT"), span_of("500"), span_of("TYPE"),  span_of(c->type)};

    redis_command_at(c->store->redis, c->server, on_scan, c, 8, words);
}

void store_scan(struct store *s, const char *prefix, const char *type, struct span pattern,
                store_room *each, struct store_call *call)
{
    struct scan *c = mem_zero(sizeof(*c));

    c->store = s;
    c->call = call;
    c->each = each;
    c->type = type;
    buf_printf(&c->match, "%s{", prefix);
    c->before = c->match.len;
    buf_join(&c->match, pattern);
    buf_char(&c->match, '}');
    scan_on(c, span_of("0"));
}

void store_histories(struct store *s, struct span pattern, store_room *each, store_done *done,
                     void *arg)
{
    store_scan(s, HISTORY_KEY, "stream", pattern, each, store_call(s, done, arg, 1));
}
