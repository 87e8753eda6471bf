#include "mem.h"
#include "store_base.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { MARKS_MOST = 10000 }; /* of a room and a run */

/* --- sessions ------------------------------------------------------------------------------ */

void store_session_put(struct store *s, struct span id, struct span record, int64_t ttl_ms)
{
    char ttl[24];

    snprintf(ttl, sizeof(ttl), "%" PRId64, ttl_ms);
    struct span set[] = {span_of("SET"), store_name(s, SESSION_KEY, id), record, span_of("PX"),
                         span_of(ttl)};
    redis_command(s->redis, NULL, NULL, 5, set);
}

static void expire(struct store *s, struct span key, int64_t ttl_ms)
{
    char ttl[24];

    snprintf(ttl, sizeof(ttl), "%" PRId64, ttl_ms);
    struct span words[] = {span_of("PEXPIRE"), key, span_of(ttl)};
    redis_command(s->redis, NULL, NULL, 3, words);
}

void store_session_renew(struct store *s, struct span id, int64_t ttl_ms)
{
    expire(s, store_name(s, SESSION_KEY, id), ttl_ms);
}

void store_session_drop(struct store *s, struct span id)
{
    struct span del[] = {span_of("DEL"), store_name(s, SESSION_KEY, id)};

    redis_command(s->redis, NULL, NULL, 2, del);
}

void store_session_get(struct store *s, struct span id, store_text *got, void *arg)
{
    store_get(s, store_name(s, SESSION_KEY, id), got, arg);
}

/* --- marks --------------------------------------------------------------------------------- */

static void add_marks_key(struct buf *out, struct span run, struct span room)
{
    buf_printf(out, MARKS_KEY "{%.*s}:%.*s", (int)room.len, room.at, (int)run.len, run.at);
}

void store_mark_put(struct store *s, const struct store_mark *mark, struct place at)
{
    char most[24], id[32], place[PLACE_BYTES];
    struct buf key = {0};

    add_marks_key(&key, mark->run, mark->room);
    snprintf(most, sizeof(most), "%d", MARKS_MOST);
    snprintf(id, sizeof(id), "%" PRIu64 "-0", mark->serial);
    struct span add[] = {
        span_of("XADD"), buf_span(&key), span_of("MAXLEN"), span_of("~"),
        span_of(most),   span_of(id),    span_of("p"),      place_format(at, place),
    };
    redis_command(s->redis, NULL, NULL, 8, add);
    buf_fini(&key);
}

void store_mark_renew(struct store *s, struct span run, struct span room, int64_t ttl_ms)
{
    struct buf key = {0};

    add_marks_key(&key, run, room);
    expire(s, buf_span(&key), ttl_ms);
    buf_fini(&key);
}

struct finding {
    store_marked *marked;
    void *arg;
};

/* {{id, {"p", place}}}, or nothing */
static void on_mark(void *arg, const struct reply *r)
{
    struct finding *f = arg;
    struct place at;
    bool there = r && reply_kind(r) == REPLY_LIST && reply_count(r) > 0;
    const struct reply *fields = there ? reply_at(reply_at(r, 0), 1) : NULL;
    bool good =
        there && reply_count(fields) >= 2 && place_parse(reply_text(reply_at(fields, 1)), &at) == 0;

    f->marked(f->arg, good ? &at : NULL);
    free(f);
}

void store_mark_get(struct store *s, const struct store_mark *mark, store_marked *marked, void *arg)
{
    struct finding *f = mem_alloc(sizeof(*f));
    struct buf key = {0};
    char id[32];

    *f = (struct finding){marked, arg};
    add_marks_key(&key, mark->run, mark->room);
    snprintf(id, sizeof(id), "%" PRIu64, mark->serial);
    struct span words[] = {span_of("XREVRANGE"), buf_span(&key),   span_of(id),
                           span_of("-"),         span_of("COUNT"), span_of("1")};
    redis_command(s->redis, on_mark, f, 6, words);
    buf_fini(&key);
}
