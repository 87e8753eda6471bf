#include "store_member.h"
#include "clock.h"
#include "json.h"
#include "mem.h"
#include "slot.h"
#include "store_base.h"
#include <stdlib.h>

/* --- changing ------------------------------------------------------------------------------ */

/* A change under way. */
struct change {
    store_member_done *done;
    void *arg;
    struct redis *redis;
};

static void on_change(void *arg, const struct reply *r)
{
    struct change *c = arg;
    char *words;

    if (!r) {
        c->done(c->arg, STORE_UNAVAILABLE, STORE_MEMBER_NONE, redis_why(c->redis));
    } else if (reply_kind(r) == REPLY_ERROR) {
        words = span_text(reply_text(r));
        c->done(c->arg, STORE_REFUSED, STORE_MEMBER_NONE, words);
        free(words);
    } else {
        c->done(c->arg, STORE_DONE, (enum store_member_change)reply_integer(r), NULL);
    }
    free(c);
}

static void add_order(struct store_words *w, const struct store_member *m, const char *word)
{
    struct buf *out = &w->text;

    buf_printf(out, "{\"do\":\"%s\",\"room\":", word);
    json_encode(out, m->room);
    buf_text(out, ",\"user\":");
    json_encode(out, m->user);
    if (m->op != STORE_MEMBER_REMOVE) {
        buf_text(out, ",\"role\":");
        json_encode(out, m->role.len > 0 ? m->role : span_of(STORE_ROLE));
    }
    buf_char(out, '}');
    store_word_end(w);
}

static int copies_of(const struct store_member_event *told)
{
    return told->event ? told->event->room_count : 0;
}

/* Whether the script can keep a copy: its history is where the members are. */
static bool is_kept(const struct store *s, const struct store_member *m,
                    const struct store_member_event *told, int copy)
{
    struct span room = told->event->rooms[copy];

    return told->terms->rooms[copy].length > 0 &&
           (!redis_is_cluster(s->redis) || slot_of(room) == slot_of(m->room));
}

static int add_histories(const struct store *s, struct store_words *w, const struct store_member *m,
                         const struct store_member_event *told)
{
    int kept = 0;

    for (int i = 0; i < copies_of(told); i++) {
        if (!is_kept(s, m, told, i))
            continue;
        kept++;
        if (w)
            store_word_history(w, told->event->rooms[i]);
    }
    return kept;
}

/* Without its brace: the script puts one before it, or that and an id. */
static void add_text(struct store_words *w, const struct event *e, struct span room)
{
    struct buf text = {0};
    struct event copy = *e;

    copy.id = (struct span){0};
    copy.room = room;
    event_format(&copy, &text);
    store_word(w, (struct span){text.at + 1, text.len - 1});
    buf_fini(&text);
}

static void add_copies(struct store *s, struct store_words *w, const struct store_member *m,
                       const struct store_member_event *told)
{
    for (int i = 0; i < copies_of(told); i++) {
        struct span room = told->event->rooms[i];
        store_word_channel(s, w, m->room, ROOM_CHANNEL, room);
        add_text(w, told->event, room);
        store_word_number(w, is_kept(s, m, told, i) ? told->terms->rooms[i].length : 0);
        store_word_number(w, told->terms->rooms[i].age_ms);
    }
}

static void run_script(struct store *s, const struct store_member *m, struct change *change)
{
    static const char *const words[] = {"add", "role", "remove"};
    const struct store_member_event *const told[] = {&m->events.added, &m->events.changed,
                                                     &m->events.removed};
    struct store_words w = {.count = 0};
    int histories = 0;

    for (int i = 0; i < 3; i++)
        histories += add_histories(s, NULL, m, told[i]);
    store_word_number(&w, 3 + 2 * histories);
    store_word_key(&w, MEMBERS_KEY, m->room);
    store_word_key(&w, SINCE_KEY, m->room);
    store_word_key(&w, HISTORY_KEY, m->room);
    for (int i = 0; i < 3; i++)
        add_histories(s, &w, m, told[i]);
    store_word(&w, span_of(words[m->op]));
    store_word(&w, m->user);
    store_word(&w, m->role);
    store_word(&w, span_of(STORE_ROLE));
    store_word(&w, span_of(CONTROL_CHANNEL));
    add_order(&w, m, "member");
    add_order(&w, m, "added");
    for (int i = 0; i < 3; i++)
        store_word_number(&w, copies_of(told[i]));
    store_word_number(&w, clock_wall_ms());
    for (int i = 0; i < 3; i++)
        add_copies(s, &w, m, told[i]);
    store_script(s, SCRIPT_MEMBER, on_change, change, &w);
}

static void note_room(struct store *s, const struct store_member *m, const char *word)
{
    struct buf key = {0};
    struct span argv[] = {span_of(word), store_key(&key, MEMBER_OF_KEY, m->user), m->room};

    redis_command(s->redis, NULL, NULL, 3, argv);
    buf_fini(&key);
}

/* Added to the user's rooms before, taken from them after: stopped between, one stays too many. */
void store_member_change(struct store *s, const struct store_member *m, store_member_done *done,
                         void *arg)
{
    struct change *change = mem_alloc(sizeof(*change));

    *change = (struct change){done, arg, s->redis};
    if (m->op == STORE_MEMBER_ADD)
        note_room(s, m, "SADD");
    run_script(s, m, change);
    if (m->op == STORE_MEMBER_REMOVE)
        note_room(s, m, "SREM");
}

/* --- asking -------------------------------------------------------------------------------- */

struct asking {
    store_member_role *got;
    void *arg;
    struct redis *redis;
};

static void on_role(void *arg, const struct reply *r)
{
    struct asking *a = arg;
    char *words;

    if (!r) {
        a->got(a->arg, STORE_UNAVAILABLE, (struct span){0}, redis_why(a->redis));
    } else if (reply_kind(r) == REPLY_ERROR) {
        words = span_text(reply_text(r));
        a->got(a->arg, STORE_REFUSED, (struct span){0}, words);
        free(words);
    } else {
        a->got(a->arg, STORE_DONE, reply_text(r), NULL);
    }
    free(a);
}

void store_member_get(struct store *s, struct span room, struct span user, store_member_role *got,
                      void *arg)
{
    struct asking *a = mem_alloc(sizeof(*a));
    struct buf key = {0};
    struct span argv[] = {span_of("HGET"), store_key(&key, MEMBERS_KEY, room), user};

    *a = (struct asking){got, arg, s->redis};
    redis_command(s->redis, on_role, a, 3, argv);
    buf_fini(&key);
}

/* --- listing ------------------------------------------------------------------------------- */

struct listing {
    struct store_call *call;
    store_member_each *each;
};

static void on_members(void *arg, const struct reply *r)
{
    struct listing *l = arg;
    size_t count = r ? reply_count(r) : 0;

    store_call_note(l->call, r);
    for (size_t i = 0; i + 1 < count; i += 2)
        l->each(l->call->arg, reply_text(reply_at(r, i)), reply_text(reply_at(r, i + 1)));
    store_call_end(l->call);
    free(l);
}

static void on_rooms(void *arg, const struct reply *r)
{
    struct listing *l = arg;
    size_t count = r ? reply_count(r) : 0;

    store_call_note(l->call, r);
    for (size_t i = 0; i < count; i++)
        l->each(l->call->arg, reply_text(reply_at(r, i)), (struct span){0});
    store_call_end(l->call);
    free(l);
}

void store_members(struct store *s, struct span room, store_member_each *each, store_done *done,
                   void *arg)
{
    struct listing *l = mem_alloc(sizeof(*l));
    struct buf key = {0};
    struct span argv[] = {span_of("HGETALL"), store_key(&key, MEMBERS_KEY, room)};

    *l = (struct listing){store_call(s, done, arg, 0), each};
    redis_command(s->redis, on_members, l, 2, argv);
    buf_fini(&key);
}

void store_member_rooms(struct store *s, struct span user, store_member_each *each,
                        store_done *done, void *arg)
{
    struct listing *l = mem_alloc(sizeof(*l));
    struct buf key = {0};
    struct span argv[] = {span_of("SMEMBERS"), store_key(&key, MEMBER_OF_KEY, user)};

    *l = (struct listing){store_call(s, done, arg, 0), each};
    redis_command(s->redis, on_rooms, l, 2, argv);
    buf_fini(&key);
}
