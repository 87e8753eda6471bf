#include "recover.h"
#include "bus.h"
#include "catalog.h"
#include "clock.h"
#include "follow.h"
#include "hub.h"
#include "ident.h"
#include "mem.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { MARKS_MS = 3 * RECOVER_MS };

struct recovery {
    struct session *session;
    char *came; /* the offset that its client came back with; NULL: none */
    struct alarm renew;
    bool changed;                 /* it is in the list */
    struct recovery *prev, *next; /* of those that have changed */
    char pid[RECOVER_PID_CHARS + 1];
};

struct recoveries {
    struct gateway *gateway;
    struct recovery *changed;
    uint64_t serial;
    char run[RECOVER_RUN_CHARS + 1];
};

struct recoveries *recoveries_new(struct gateway *g)
{
    struct recoveries *all = mem_zero(sizeof(*all));
    all->gateway = g;
    ident_random(all->run, RECOVER_RUN_CHARS);
    return all;
}

void recoveries_free(struct recoveries *all)
{
    free(all);
}

bool recover_is_on(const struct gateway *g)
{
    const struct catalog *c = g->catalog;
    for (size_t i = 0; g->recoveries && i < c->room_count; i++)
        if (c->rooms[i].history_length)
            return true;
    return false;
}

static uint64_t recover_serial(const struct gateway *g)
{
    return g->recoveries ? g->recoveries->serial : 0;
}

void recover_offset(const struct gateway *g, struct buf *out)
{
    buf_printf(out, "%s.%" PRIu64, g->recoveries->run, g->recoveries->serial);
}

/* --- marks -------------------------------------------------------------------------------- */

static struct store *store_of(const struct recoveries *all)
{
    return bus_store(all->gateway->bus);
}

static void renew_marks(struct recoveries *all, struct span room)
{
    struct hub_mark *mark = hub_mark(all->gateway->hub, room);
    int64_t now_ms = clock_steady_ms();
    if (!mark || !mark->based || now_ms - mark->renewed_ms < RECOVER_MS / 2)
        return;
    mark->renewed_ms = now_ms;
    store_mark_renew(store_of(all), span_of(all->run), room, MARKS_MS);
}

static void put_mark(struct recoveries *all, struct span room, struct place at)
{
    struct store_mark mark = {span_of(all->run), room, ++all->serial};
    store_mark_put(store_of(all), &mark, at);
    renew_marks(all, room);
}

static void recover_placed(struct gateway *g, struct span room, struct place at)
{
    struct hub_mark *mark = g->recoveries ? hub_mark(g->hub, room) : NULL;
    if (!mark || !mark->wanted || mark->based || place_compare(at, follow_anywhere) == 0)
        return;
    mark->based = true;
    mark->renewed_ms = -RECOVER_MS;
    put_mark(g->recoveries, room, at);
    hub_set_since(g->hub, room, g->recoveries->serial);
}

static void recover_delivering(struct gateway *g, struct span room, struct place at)
{
    const struct hub_mark *mark = g->recoveries ? hub_mark(g->hub, room) : NULL;
    if (mark && mark->based)
        put_mark(g->recoveries, room, at);
}

/* --- records ------------------------------------------------------------------------------ */

/* The rooms in which it has no right of its own to be. */
static void add_placed(const struct session *s, struct buf *out)
{
    const char *lead = ",\"placed\":[\"";
    for (uint32_t i = 0; i < s->seat_count; i++) {
        if (!s->seats[i].placed)
            continue;
        buf_text(out, lead);
        buf_join(out, hub_seat_room(s, i));
        buf_char(out, '"');
        lead = ",\"";
    }
    buf_text(out, lead[2] == 'p' ? "" : "]");
}

static void write_record(const struct recovery *r, struct buf *out)
{
    const struct session *s = r->session;
    buf_printf(out, "{\"sid\":\"%s\",\"user\":", s->id);
    json_encode(out, span_of(s->who->user));
    buf_text(out, ",\"nsp\":");
    json_encode(out, s->codec->nsp);
    buf_printf(out, ",\"run\":\"%s\",\"came\":\"%s\",\"rooms\":{", s->gateway->recoveries->run,
               r->came ? r->came : "");
    for (uint32_t i = 0; i < s->seat_count; i++) {
        struct span room = hub_seat_room(s, i);
        buf_printf(out, "%s\"%.*s\":%" PRIu64, i ? "," : "", (int)room.len, room.at,
                   s->seats[i].since);
    }
    buf_char(out, '}');
    add_placed(s, out);
    buf_char(out, '}');
}

static int64_t lasts_ms(const struct session *s)
{
    return RECOVER_MS + s->gateway->limits.silence_ms;
}

static void save(struct recoveries *all, const struct recovery *r)
{
    struct buf record = {0};
    if (hub_is_held(r->session)) {
        store_session_drop(store_of(all), span_of(r->pid));
        return;
    }
    write_record(r, &record);
    store_session_put(store_of(all), span_of(r->pid), buf_span(&record), lasts_ms(r->session));
    buf_fini(&record);
}

void recover_flush(struct gateway *g)
{
    struct recoveries *all = g->recoveries;
    if (!all->changed)
        return;
    while (all->changed) {
        struct recovery *r = all->changed;
        DL_DELETE(all->changed, r);
        r->changed = false;
        save(all, r);
    }
    store_flush(store_of(all));
}

static void recover_changed(struct session *s)
{
    struct recovery *r = s->recovery;
    if (!r || r->changed)
        return;
    r->changed = true;
    DL_APPEND(s->gateway->recoveries->changed, r);
}

static void recover_joined(struct session *s, struct span room)
{
    struct gateway *g = s->gateway;
    if (!s->recovery)
        return;
    hub_mark(g->hub, room)->wanted = true;
    recover_placed(g, room, *hub_place(g->hub, room));
    recover_changed(s);
}

static void mark_again(void *arg, struct span room, uint32_t members)
{
    struct gateway *g = arg;
    struct hub_mark *mark = hub_mark(g->hub, room);
    (void)members;
    if (!mark->based)
        return;
    mark->renewed_ms = -RECOVER_MS;
    put_mark(g->recoveries, room, *hub_place(g->hub, room));
}

static void recover_again(struct gateway *g)
{
    struct session *s, *next;
    if (!g->recoveries)
        return;
    hub_rooms(g->hub, mark_again, g);
    TABLE_EACH (&g->sessions, s, next)
        recover_changed(s);
}

/* --- sessions ----------------------------------------------------------------------------- */

/* The node's marks and the record are to outlast the client's silence. */
static void renew(struct alarm *alarm)
{
    struct recovery *r =
        (struct recovery *)(void *)((char *)alarm - offsetof(struct recovery, renew));
    struct session *s = r->session;
    struct gateway *g = s->gateway;
    if (session_is_closing(s))
        return;
    for (uint32_t i = 0; i < s->seat_count; i++)
        renew_marks(g->recoveries, hub_seat_room(s, i));
    store_session_renew(bus_store(g->bus), span_of(r->pid), lasts_ms(s));
    wheel_set(g->wheel, &alarm->timer, clock_steady_ms() + RECOVER_MS / 2);
}

void recover_begin(struct session *s, struct span pid, struct span offset)
{
    struct gateway *g = s->gateway;
    struct recovery *r = mem_zero(sizeof(*r));
    r->session = s;
    r->came = offset.len ? span_text(offset) : NULL;
    r->renew.ring = renew;
    ident_random(r->pid, RECOVER_PID_CHARS);
    if (pid.len == RECOVER_PID_CHARS)
        memcpy(r->pid, pid.at, pid.len);
    s->recovery = r;
    for (uint32_t i = 0; i < s->seat_count; i++) {
        recover_joined(s, hub_seat_room(s, i));
        s->seats[i].since = recover_serial(g);
    }
    recover_changed(s);
    wheel_set(g->wheel, &r->renew.timer, clock_steady_ms() + RECOVER_MS / 2);
}

const char *recover_pid(const struct session *s)
{
    return s->recovery ? s->recovery->pid : NULL;
}

void recover_end(struct session *s, bool for_good)
{
    struct recovery *r = s->recovery;
    struct recoveries *all = s->gateway->recoveries;
    if (!r)
        return;
    if (r->changed)
        DL_DELETE(all->changed, r);
    if (for_good)
        store_session_drop(store_of(all), span_of(r->pid));
    else if (r->changed)
        save(all, r);
    else
        store_session_renew(store_of(all), span_of(r->pid), RECOVER_MS);
    s->recovery = NULL;
    wheel_cancel(&r->renew.timer);
    free(r->came);
    free(r);
}

const struct keeper recover_keeper = {
    .joined = recover_joined,
    .changed = recover_changed,
    .serial = recover_serial,
    .placed = recover_placed,
    .delivering = recover_delivering,
    .again = recover_again,
};
