#include "store_steps.h"
#include "clock.h"
#include "json.h"
#include "mem.h"
#include <stdlib.h>

enum {
    REMEMBERED_MS = 86400000, /* that a version was published in a room */
    TRIES_MAX = 1000,         /* others whose work was in the way */
    HEAD = 5,                 /* words of work: whose, version, mode, key, how long that lasts */
    EACH = 5,                 /* and of each room: room, head, tail, length, age */
};

struct step {
    struct store *store;
    store_appended *done;
    void *arg;
    struct store_words words; /* of the first script, but for the copy that a call takes */
    int tries;
    struct store_words work; /* that is to be done; words as above */
    int waiting;
    enum store_result result;
    char *why;
    struct buf ids[EVENT_ROOMS_MAX];
    int id_count;
};

static int64_t number_of(struct span text)
{
    int64_t number;

    return json_int(text, &number) == 0 ? number : -1;
}

static void step_free(struct step *p)
{
    for (int i = 0; i < EVENT_ROOMS_MAX; i++)
        buf_fini(&p->ids[i]);
    buf_fini(&p->words.text);
    buf_fini(&p->work.text);
    free(p->why);
    free(p);
}

static void finish(struct step *p, enum store_result result, const struct store_receipt *receipt)
{
    const char *why = result == STORE_REFUSED ? p->why : redis_why(p->store->redis);
    bool told = result == STORE_DONE || result == STORE_CONFLICT;

    if (p->done)
        p->done(p->arg, result, told ? receipt : NULL, told ? NULL : why);
    step_free(p);
}

/* Of a script that failed. */
static void note_failure(struct step *p, const struct reply *r)
{
    if (!r) {
        p->result = STORE_UNAVAILABLE;
    } else if (p->result == STORE_DONE) {
        p->result = STORE_REFUSED;
        p->why = span_text(reply_text(r));
    }
}

static void finish_failed(struct step *p, const struct reply *r)
{
    note_failure(p, r);
    finish(p, p->result, NULL);
}

/* {"conflict", version, id, text} */
static void finish_conflict(struct step *p, const struct reply *r)
{
    struct store_receipt receipt = {.version = number_of(reply_text(reply_at(r, 1)))};
    struct span id = reply_text(reply_at(r, 2)), text = reply_text(reply_at(r, 3));
    struct buf last = {0};

    if (text.len > 0)
        buf_printf(&last, "{\"id\":\"%.*s\",%.*s", (int)id.len, id.at, (int)text.len, text.at);
    receipt.last = buf_span(&last);
    finish(p, STORE_CONFLICT, &receipt);
    buf_fini(&last);
}

/* {"again", version, id, ...} */
static void finish_again(struct step *p, const struct reply *r)
{
    struct store_receipt receipt = {.again = true,
                                    .version = number_of(reply_text(reply_at(r, 1)))};

    for (size_t i = 2; i < reply_count(r) && receipt.id_count < EVENT_ROOMS_MAX; i++)
        receipt.ids[receipt.id_count++] = reply_text(reply_at(r, i));
    finish(p, STORE_DONE, &receipt);
}

/* --- the work ----------------------------------------------------------------------------- */

static struct span work_at(const struct step *p, int i)
{
    return store_word_at(&p->work, i);
}

static struct span room_word(const struct step *p, int room, int word)
{
    return work_at(p, HEAD + room * EACH + word);
}

static int room_count(const struct step *p)
{
    return (p->work.count - HEAD) / EACH;
}

static void add_head(struct buf *out, const struct step *p, int room)
{
    struct span version = work_at(p, 1);

    buf_join(out, room_word(p, room, 1));
    if (version.len > 0)
        buf_printf(out, ",\"version\":%.*s", (int)version.len, version.at);
}

static void take_step(struct step *p);

static void on_finished(void *arg, const struct reply *r)
{
    struct step *p = arg;
    struct store_receipt receipt = {.version = -1};

    if (!r || reply_kind(r) == REPLY_ERROR) {
        finish_failed(p, r);
        return;
    }
    if (!span_is(work_at(p, 0), "own")) {
        take_step(p);
        return;
    }
    receipt.version = number_of(work_at(p, 1));
    receipt.id_count = p->id_count;
    for (int i = 0; i < p->id_count; i++)
        receipt.ids[i] = buf_span(&p->ids[i]);
    finish(p, STORE_DONE, &receipt);
}

static void send_done(struct step *p)
{
    struct store_words w = {.count = 0};
    struct span key = work_at(p, 3);

    store_word_number(&w, key.len > 0 ? 2 : 1);
    store_word(&w, store_word_at(&p->words, 1));
    if (key.len > 0)
        store_word(&w, key);
    store_word(&w, work_at(p, 1));
    store_word(&w, work_at(p, 2));
    store_word(&w, work_at(p, 4));
    add_head(&w.text, p, 0);
    store_word(&w, room_word(p, 0, 2));
    for (int i = 0; i < p->id_count; i++)
        store_word(&w, buf_span(&p->ids[i]));
    store_script(p->store, SCRIPT_STEP_DONE, on_finished, p, &w);
}

/* One room's part of it. */
struct part {
    struct step *step;
    int room;
};

/* {"done" or "again", "", id} */
static void on_part(void *arg, const struct reply *r)
{
    struct part *part = arg;
    struct step *p = part->step;

    if (!r || reply_count(r) < 3)
        note_failure(p, r);
    else
        buf_join(&p->ids[part->room], reply_text(reply_at(r, 2)));
    free(part);
    if (--p->waiting > 0)
        return;
    if (p->result == STORE_DONE)
        send_done(p);
    else
        finish(p, p->result, NULL);
}

/* Under a key of the entity and its version, so that it is done once whoever does it. */
static void send_part(struct step *p, int room)
{
    struct part *part = mem_alloc(sizeof(*part));
    struct store_words w = {.count = 0};
    struct span name = room_word(p, room, 0), length = room_word(p, room, 3);
    struct span entity = store_word_at(&p->words, 1), version = work_at(p, 1);
    bool is_kept = !span_is(length, "0");

    *part = (struct part){p, room};
    store_word_number(&w, is_kept ? 3 : 1);
    buf_printf(&w.text, STEP_KEY "{%.*s}:", (int)name.len, name.at);
    buf_join(&w.text, entity);
    buf_printf(&w.text, ":%.*s", (int)version.len, version.at);
    store_word_end(&w);
    if (is_kept)
        store_word_history(&w, name);
    store_word_number(&w, clock_wall_ms());
    store_word_number(&w, REMEMBERED_MS);
    store_word_end(&w);
    store_word_end(&w);
    store_word(&w, span_of("reject"));
    store_word_number(&w, 0);
    store_word_channel(p->store, &w, name, ROOM_CHANNEL, name);
    add_head(&w.text, p, room);
    store_word_end(&w);
    store_word(&w, room_word(p, room, 2));
    store_word(&w, length);
    store_word(&w, room_word(p, room, 4));
    store_script(p->store, SCRIPT_PUBLISH, on_part, part, &w);
}

/* {"own" or "other", version, mode, key, ...} */
static void take_work(struct step *p, const struct reply *r)
{
    buf_clear(&p->work.text);
    p->work.count = 0;
    for (size_t i = 0; i < reply_count(r) && i < STORE_WORDS_MAX; i++)
        store_word(&p->work, reply_text(reply_at(r, i)));
    for (int i = 0; i < EVENT_ROOMS_MAX; i++)
        buf_clear(&p->ids[i]);
    p->id_count = p->waiting = room_count(p);
    for (int i = 0, rooms = p->id_count; i < rooms; i++)
        send_part(p, i);
}

static void on_step(void *arg, const struct reply *r)
{
    struct step *p = arg;
    struct span word = r && reply_count(r) > 1 ? reply_text(reply_at(r, 0)) : span_of("");
    bool is_work = span_is(word, "own") || span_is(word, "other");

    if (span_is(word, "conflict") && reply_count(r) == 4)
        finish_conflict(p, r);
    else if (span_is(word, "again"))
        finish_again(p, r);
    else if (is_work && reply_count(r) >= HEAD + EACH &&
             reply_count(r) <= HEAD + EACH * EVENT_ROOMS_MAX && ++p->tries < TRIES_MAX)
        take_work(p, r);
    else
        finish_failed(p, r);
}

static void take_step(struct step *p)
{
    struct store_words w = p->words;

    w.text = (struct buf){0};
    buf_join(&w.text, buf_span(&p->words.text));
    store_script(p->store, SCRIPT_STEP, on_step, p, &w);
}

/* --- the step ----------------------------------------------------------------------------- */

static int64_t longest_ms(const struct event *e, const struct store_terms *t)
{
    int64_t most = 0;

    for (int i = 0; i < e->room_count; i++)
        if (t->rooms[i].age_ms > most)
            most = t->rooms[i].age_ms;
    return most > 0 ? most : STORE_KEY_MS;
}

void store_step(struct store *s, const struct event *e, const struct store_terms *t,
                store_appended *done, void *arg)
{
    struct step *p = mem_zero(sizeof(*p));
    struct store_words *w = &p->words;

    p->store = s;
    p->done = done;
    p->arg = arg;
    store_word_number(w, t->key.len > 0 ? 2 : 1);
    store_word_key(w, ENTITY_KEY, t->entity);
    if (t->key.len > 0) {
        buf_printf(&w->text, ONCE_KEY "{%.*s}:", (int)t->entity.len, t->entity.at);
        store_word(w, t->key);
        store_word_number(w, longest_ms(e, t));
    } else {
        store_word_end(w);
    }
    store_word_terms(w, t);
    for (int i = 0; i < e->room_count; i++) {
        store_word(w, e->rooms[i]);
        store_word_copy(w, e, i, true);
        store_word_number(w, t->rooms[i].length);
        store_word_number(w, t->rooms[i].age_ms);
    }
    take_step(p);
}
