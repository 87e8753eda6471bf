/* collab-emit: publishes events, one from its options or many from lines of JSON. */
#include "adapter.h"
#include "buf.h"
#include "catalog_file.h"
#include "clock.h"
#include "event.h"
#include "ident.h"
#include "json.h"
#include "lines.h"
#include "mem.h"
#include "opt.h"
#include "spool.h"
#include "store.h"
#include "terms.h"
#include "tool.h"
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

/* So much may be on its way to Redis before the input is held. */
enum { WINDOW_BYTES = 4 * 1024 * 1024 };

/* What tells the keys of one run from another's. */
enum { RUN_CHARS = 20 };

/* Progress is looked at after so many events, and shown if it is time. */
enum { PROGRESS_EVENTS = 1024 };

struct settings {
    struct opt_list rooms;
    char *type;
    char *data;
    char *user;
    bool receipts;
    bool dry_run;
    bool quiet;
    int64_t limit_ms;
    char *redis;
    char *catalog;
    char *key;
    int64_t expect; /* -1: any */
    char *spool;
    bool replay;
    int64_t speed;
    char *socketio;
};

#define AT(field) offsetof(struct settings, field)
static const struct opt rows[] = {
    {'r', "room", "ROOM", OPT_LIST, AT(rooms),
     .help = "to this room, whatever the events say (repeatable)"},
    {'t', "type", "TYPE", OPT_TEXT, AT(type),
     .help = "the one event's type; with FILE, of those without"},
    {'d', "data", "JSON|@FILE|-", OPT_TEXT, AT(data), .help = "the one event's data"},
    {'u', "user", "USER", OPT_TEXT, AT(user), .help = "who did it, where the event doesn't say"},
    {0, "receipts", NULL, OPT_FLAG, AT(receipts),
     .help = "print a line for each event that Redis has taken"},
    {'n', "dry-run", NULL, OPT_FLAG, AT(dry_run),
     .help = "print events as they would be published, no more"},
    {'q', "quiet", NULL, OPT_FLAG, AT(quiet), .help = "no hint and no progress on a terminal"},
    {'W', "limit", "TIME", OPT_MS, AT(limit_ms), .min = 1, .max = INT64_MAX,
     .help = "give up after this long, with status 6"},
    {'k', "key", "KEY", OPT_TEXT, AT(key),
     .help = "publish once under this key; several: KEY:1, KEY:2..."},
    {'e', "expect-version", "N", OPT_INT, AT(expect), "-1", .min = -1, .max = INT64_MAX,
     .help = "if this is the version, else status 5"},
    {0, "spool", "DIR", OPT_TEXT, AT(spool),
     .help = "keep here what Redis can't take now, for the next call"},
    {0, "replay", NULL, OPT_FLAG, AT(replay),
     .help = "as far apart as their times are, with the time of now"},
    {0, "speed", "X", OPT_INT, AT(speed), "1", .min = 1, .max = 1000000,
     .help = "with --replay, so many times as fast"},
    {0, "socketio", "PREFIX", OPT_TEXT, AT(socketio),
     .help = "also to Socket.IO servers whose adapter has this key"},
    {'c', "catalog", "FILE", OPT_TEXT, AT(catalog),
     .help = "go by this catalog (else by that of the gateways)"},
    {0, "redis", "URL", OPT_TEXT, AT(redis), .help = "where Redis is (else $COLLAB_REDIS)"},
};

static const struct opt_program program = {
    .name = "collab-emit",
    .operands = "[FILE]...",
    .purpose = "Publishes events: one from the options, or one a line (NDJSON) from files.",
    .rows = rows,
    .row_count = sizeof(rows) / sizeof(*rows),
};

/* An event on its way to Redis. */
struct ticket {
    struct ticket *next;
    uint64_t number;
    struct line from; /* without its text */
    char *receipt;    /* without its end; NULL: none is wanted */
    char *record;     /* for the spool; NULL: there is none */
    char *note;       /* for servers of Socket.IO; NULL: there are none */
};

/* An event that waits for its time. */
struct pending {
    struct pending *next;
    struct line from;
    int64_t due_ms; /* steady */
    struct buf text;
};

static struct {
    struct settings set;
    struct event defaults; /* what the options say of every event */
    struct buf defaults_text;
    struct lines *lines;
    struct store *store;
    char **files;
    char *data_file[2]; /* of -d, NULL-terminated */
    bool begun, ended;  /* reading the input */
    bool done;
    struct catalog *catalog; /* NULL: nobody says what is kept */
    struct spool *spool;
    struct ticket *unsent; /* for the spool */
    char *spool_files[2];  /* what waits there, NULL-terminated */
    struct span key;       /* of the event at hand, if it has one of its own */
    char run[RUN_CHARS + 1];
    uint64_t keys; /* given out in this run */
    bool conflict;

    struct pending *pending, **pending_end;
    uv_timer_t timer;
    int64_t first_ms; /* wall clock: the first event's time; -1: none came yet */
    bool refused;     /* an event, or a file */
    bool lost;        /* Redis, after it was there */
    int64_t began_ms;

    uint64_t read, sent, outstanding, confirmed, unknown;
    struct line first_unknown;
    uint64_t first_unknown_number;
    struct buf typed, scratch;
} emit;

/* One event from the options; else events from the input. */
static bool is_single(void)
{
    return emit.set.type && !*emit.files;
}

/* Options are checked as events are: by event_parse(). */
static void read_defaults(void)
{
    const struct settings *set = &emit.set;
    struct buf *b = &emit.defaults_text;
    buf_text(b, "{\"type\":");
    json_encode(b, span_of(set->type ? set->type : "any"));
    if (set->user) {
        buf_text(b, ",\"user\":");
        json_encode(b, span_of(set->user));
    }
    for (size_t i = 0; i < set->rooms.count; i++) {
        buf_text(b, i == 0 ? ",\"rooms\":[" : ",");
        json_encode(b, span_of(set->rooms.at[i]));
    }
    buf_text(b, set->rooms.count > 0 ? "]}" : "}");

    struct fault f;
    if (event_parse(&emit.defaults, buf_span(b), true, &f) < 0)
        tool_fail(STATUS_USAGE, "%s", f.text);
}

static void check_usage(void)
{
    if (emit.set.data && !emit.set.type)
        tool_fail(STATUS_USAGE, "--data is for one event, and needs --type");
    if (emit.set.data && *emit.files)
        tool_fail(STATUS_USAGE, "--data is for one event: no FILE can stand beside it");
    if (emit.set.replay && (is_single() || emit.set.spool))
        tool_fail(STATUS_USAGE, "--replay is for recorded events, and can't go with --spool");
}

static void refuse(const struct line *from, const char *why)
{
    emit.refused = true;
    if (from->number == 0)
        tool_say("%s", why);
    else if (from->file)
        tool_say("%s: line %" PRIu64 ": %s", from->file, from->number, why);
    else
        tool_say("line %" PRIu64 ": %s", from->number, why);
}

static struct ticket *ticket_new(const struct line *from, char *record)
{
    struct ticket *t = mem_zero(sizeof(*t));
    t->number = ++emit.read;
    t->from = *from;
    t->record = record;
    return t;
}

static void ticket_free(struct ticket *t)
{
    free(t->receipt);
    free(t->record);
    free(t->note);
    free(t);
}

static int by_number(const struct ticket *a, const struct ticket *b)
{
    return a->number < b->number ? -1 : a->number > b->number;
}

/* Keeps what Redis has not taken for the next call, each with the key that it was sent under, if it
 * was. Several servers fail in any order: what they had is kept in the order in which it was read.
 */
static void put_by_unsent(void)
{
    struct fault f;
    if (emit.outstanding > 0)
        return;
    LL_SORT(emit.unsent, by_number);
    while (emit.unsent) {
        struct ticket *t = emit.unsent;
        if (spool_add(emit.spool, span_of(t->record), &f) < 0)
            tool_fail(STATUS_UNREACHABLE, "%s", f.text);
        LL_DELETE(emit.unsent, t);
        ticket_free(t);
    }
}

static enum exit_status outcome(void)
{
    if (emit.conflict)
        return STATUS_CONFLICT;
    return emit.refused ? STATUS_NO : STATUS_OK;
}

/* What is in the spool is as safe as what Redis has taken. */
static void stop_when_done(void)
{
    struct fault f;
    bool is_all_known = emit.unknown == 0; /* else on_down() stops it */
    put_by_unsent();
    if (emit.done || !emit.ended || emit.outstanding > 0 || emit.pending || !is_all_known)
        return;
    emit.done = true;
    if (emit.spool && spool_commit(emit.spool, &f) < 0)
        tool_fail(STATUS_UNREACHABLE, "%s", f.text);
    if (emit.spool && spool_count(emit.spool) > 0)
        tool_say("%s: %zu events wait there for the next call", emit.set.spool,
                 spool_count(emit.spool));
    tool_stop(outcome());
}

static void hold_or_resume(void)
{
    if (!emit.lines)
        return;
    size_t backlog = store_backlog(emit.store);
    if (backlog > WINDOW_BYTES)
        lines_pause(emit.lines);
    else if (backlog < WINDOW_BYTES / 2)
        lines_resume(emit.lines);
}

/* Completes the receipt with what Redis has said. */
static void print_receipt(const char *begun, const struct store_receipt *r)
{
    struct buf out = {0};
    buf_text(&out, begun);
    bool kept = false;
    for (int i = 0; i < r->id_count; i++)
        kept |= r->ids[i].len > 0;
    for (int i = 0; kept && i < r->id_count; i++)
        buf_printf(&out, "%s\"%.*s\"", i > 0 ? "," : ",\"ids\":[", (int)r->ids[i].len,
                   r->ids[i].at);
    if (kept)
        buf_char(&out, ']');
    if (r->version >= 0)
        buf_printf(&out, ",\"version\":%" PRId64, r->version);
    if (r->again)
        buf_text(&out, ",\"again\":true");
    buf_char(&out, '}');
    tool_out(buf_span(&out));
    buf_fini(&out);
}

static void tell_conflict(const struct ticket *t, const struct store_receipt *r)
{
    char why[80];
    snprintf(why, sizeof(why), "version conflict: the current version is %" PRId64, r->version);
    refuse(&t->from, why);
    emit.conflict = true;
    struct buf out = {0};
    buf_printf(&out, "{\"version\":%" PRId64 ",\"event\":", r->version);
    if (r->last.len > 0)
        buf_join(&out, r->last);
    else
        buf_text(&out, "null");
    buf_char(&out, '}');
    tool_out(buf_span(&out));
    buf_fini(&out);
}

static void note_unknown(const struct ticket *t)
{
    if (emit.unknown++ == 0 || t->number < emit.first_unknown_number) {
        emit.first_unknown = t->from;
        emit.first_unknown_number = t->number;
    }
}

/* --- servers of Socket.IO --- */

static void on_passed(void *arg, enum store_result result, const char *why)
{
    struct ticket *t = arg;
    emit.outstanding--;
    if (result == STORE_REFUSED)
        refuse(&t->from, why);
    else if (result == STORE_UNAVAILABLE && !emit.spool)
        note_unknown(t);
    ticket_free(t);
    hold_or_resume();
    stop_when_done();
}

static void pass(struct ticket *t)
{
    static const char *const main_alone[] = {"/", NULL};
    emit.outstanding++;
    store_adapter_event(emit.store, span_of(emit.set.socketio),
                        emit.catalog ? emit.catalog->socketio.namespaces : main_alone,
                        span_of(t->note), on_passed, t);
}

static char *new_note(const struct event *e)
{
    struct buf out = {0};
    if (emit.set.socketio)
        adapter_event_note(e, emit.catalog && emit.catalog->socketio.meta, &out);
    return out.at;
}

/* --- what Redis has said --- */

static void on_published(void *arg, enum store_result result, const struct store_receipt *r,
                         const char *why)
{
    struct ticket *t = arg;
    emit.outstanding--;
    if (result == STORE_UNAVAILABLE && t->record) {
        LL_PREPEND(emit.unsent, t);
        stop_when_done();
        return;
    }
    if (result == STORE_UNAVAILABLE) {
        note_unknown(t);
    } else if (result == STORE_REFUSED) {
        refuse(&t->from, why);
    } else if (result == STORE_CONFLICT) {
        tell_conflict(t, r);
    } else {
        emit.confirmed++;
        if (t->receipt)
            print_receipt(t->receipt, r);
        if (t->note && !r->again) {
            pass(t);
            return;
        }
    }
    ticket_free(t);
    hold_or_resume();
    stop_when_done();
}

static char *new_receipt(const struct event *e, const struct line *from)
{
    struct buf out = {0};
    buf_char(&out, '{');
    if (from->number > 0 && from->file) {
        buf_text(&out, "\"file\":");
        json_encode(&out, span_of(from->file));
        buf_char(&out, ',');
    }
    if (from->number > 0)
        buf_printf(&out, "\"line\":%" PRIu64 ",", from->number);
    buf_printf(&out, "\"type\":\"%.*s\",\"rooms\":[", (int)e->type.len, e->type.at);
    for (int i = 0; i < e->room_count; i++)
        buf_printf(&out, "%s\"%.*s\"", i > 0 ? "," : "", (int)e->rooms[i].len, e->rooms[i].at);
    buf_printf(&out, "],\"time\":\"%.*s\"", (int)e->time.len, e->time.at);
    return out.at;
}

/* What the spool has of an event: {"key":KEY,"event":EVENT}. Its rooms are those that were named:
 * the catalog in force when it is sent finds the others. Freed by free(). */
static char *new_record(const struct event *e, struct span key)
{
    struct buf out = {0};
    buf_text(&out, "{\"key\":");
    json_encode(&out, key);
    buf_text(&out, ",\"event\":");
    event_format(e, &out);
    buf_char(&out, '}');
    return out.at;
}

static void show_progress(void)
{
    if (emit.sent % PROGRESS_EVENTS != 0 || emit.set.quiet)
        return;
    if (emit.set.receipts && tool_on_terminal())
        return; /* they would stand in each other's way */
    int64_t ms = clock_steady_ms() - emit.began_ms;
    tool_progress("%" PRIu64 " events, %" PRIu64 " events/s", emit.sent,
                  emit.sent * 1000 / (uint64_t)(ms + 1));
}

/* The event's own key, or the next of --key's, or with a spool one that is nobody else's. */
static struct span find_key(struct buf *text)
{
    if (emit.key.len > 0)
        return emit.key;
    if (emit.set.key && is_single())
        return span_of(emit.set.key);
    if (!emit.set.key && !emit.spool)
        return (struct span){0};
    buf_printf(text, "%s:%" PRIu64, emit.set.key ? emit.set.key : emit.run, ++emit.keys);
    return buf_span(text);
}

static int find_terms(struct terms *t, const struct event *e, struct fault *f)
{
    *t = (struct terms){.store.expect = -1};
    if (emit.catalog && terms_find(t, emit.catalog, e, f) < 0)
        return -1;
    if (emit.set.expect < 0)
        return 0;
    if (t->store.version == STORE_UNVERSIONED)
        return fault_set(f, "--expect-version: the catalog gives this event no version");
    t->store.expect = emit.set.expect;
    return 0;
}

static void publish(const struct event *e, const struct terms *terms, const struct line *from,
                    char *record)
{
    struct ticket *t = ticket_new(from, record);
    t->note = new_note(e);
    if (emit.set.receipts)
        t->receipt = new_receipt(e, from);
    emit.sent++;
    emit.outstanding++;
    store_append(emit.store, e, &terms->store, on_published, t);
    hold_or_resume();
    show_progress();
}

static void print(const struct event *e)
{
    buf_clear(&emit.scratch);
    event_format(e, &emit.scratch);
    tool_out(buf_span(&emit.scratch));
}

/* A clock is read for each event, but its text is made once a millisecond. */
static struct span stamp_now(void)
{
    static char text[CLOCK_STAMP_BYTES];
    static int64_t stamped_ms = -1;
    int64_t now_ms = clock_wall_ms();
    if (now_ms != stamped_ms)
        clock_stamp(now_ms, text);
    stamped_ms = now_ms;
    return (struct span){text, CLOCK_STAMP_BYTES - 1};
}

static void complete(struct event *e)
{
    e->id = (struct span){0}; /* of the history that it came from */
    if (emit.defaults.room_count > 0) {
        memcpy(e->rooms, emit.defaults.rooms, sizeof(e->rooms));
        e->room_count = emit.defaults.room_count;
    }
    if (e->user.len == 0)
        e->user = emit.defaults.user;
    if (e->time.len == 0 || emit.set.replay)
        e->time = stamp_now();
}

/* Checks it by the catalog, which finds rooms for one that has none. */
static int address(struct event *e, struct route_rooms *routed, struct fault *f)
{
    if (emit.catalog && catalog_address(emit.catalog, e, routed, f) < 0)
        return -1;
    if (e->room_count == 0)
        return fault_set(f, "no room: name one with --room, or in the event");
    e->room = e->rooms[0];
    return 0;
}

static void send_event(struct event *e, const struct line *from)
{
    struct route_rooms routed;
    struct terms terms;
    struct fault f;
    struct buf text = {0};
    struct span key = find_key(&text);
    char *record = emit.spool ? new_record(e, key) : NULL;
    if (emit.lost) {
        struct ticket *t = ticket_new(from, record);
        LL_PREPEND(emit.unsent, t);
        put_by_unsent();
        record = NULL;
    } else if (address(e, &routed, &f) < 0 || find_terms(&terms, e, &f) < 0) {
        refuse(from, f.text);
    } else if (emit.set.dry_run) {
        print(e);
    } else {
        terms.store.key = key;
        publish(e, &terms, from, record);
        record = NULL;
    }
    free(record);
    buf_fini(&text);
}

static void take_event(struct span text, const struct line *from)
{
    struct event e;
    struct fault f;
    if (event_parse(&e, text, true, &f) < 0) {
        refuse(from, f.text);
        return;
    }
    complete(&e);
    send_event(&e, from);
}

/* --- at the pace of old --- */

static void on_due(uv_timer_t *timer)
{
    (void)timer;
    while (emit.pending && emit.pending->due_ms <= clock_steady_ms()) {
        struct pending *p = emit.pending;
        emit.pending = p->next;
        take_event(buf_span(&p->text), &p->from);
        buf_fini(&p->text);
        free(p);
    }
    if (emit.pending) {
        int64_t wait_ms = emit.pending->due_ms - clock_steady_ms();
        uv_timer_start(&emit.timer, on_due, wait_ms > 0 ? (uint64_t)wait_ms : 0, 0);
        return;
    }
    emit.pending_end = &emit.pending;
    lines_resume(emit.lines);
    stop_when_done();
}

/* When an event is to go, by its time; one without goes with the one before it. */
static int64_t due_ms(struct span text)
{
    static int64_t last_ms;
    struct fault unsaid;
    struct span time;
    int64_t at_ms;
    if (json_check(text, &unsaid) == 0 && json_get(text, "time", &time) &&
        json_type(time) == JSON_STRING && clock_parse_stamp(json_inside(time), &at_ms) == 0) {
        if (emit.first_ms < 0)
            emit.first_ms = at_ms;
        last_ms = emit.began_ms + (at_ms - emit.first_ms) / emit.set.speed;
    }
    return last_ms;
}

static void wait_turn(struct span text, const struct line *from)
{
    struct pending *p = mem_zero(sizeof(*p));
    p->from = *from;
    p->due_ms = due_ms(text);
    buf_join(&p->text, text);
    *emit.pending_end = p;
    emit.pending_end = &p->next;
    lines_pause(emit.lines); /* until it has gone */
    if (emit.pending == p)
        uv_timer_start(&emit.timer, on_due, 0, 0);
}

/* Gives an object that has no type the one of --type. What is no object stays as it is: to say so
 * is for event_parse(). */
static struct span add_type(struct span text)
{
    struct fault unsaid;
    struct span type, key, value;
    if (json_check(text, &unsaid) < 0 || json_get(text, "type", &type))
        return text;
    struct span object = json_trim(text);
    if (json_type(object) != JSON_OBJECT)
        return text;
    struct json_walk walk = json_walk(object);
    bool is_empty = !json_next_member(&walk, &key, &value);

    struct buf *b = &emit.typed;
    buf_clear(b);
    buf_text(b, "{\"type\":\"");
    buf_join(b, emit.defaults.type);
    buf_text(b, is_empty ? "\"" : "\",");
    buf_add(b, object.at + 1, object.len - 1);
    return buf_span(b);
}

static bool is_blank(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] != ' ' && text.at[i] != '\t' && text.at[i] != '\r')
            return false;
    return true;
}

static void on_line(void *ctx, const struct line *line)
{
    (void)ctx;
    if ((emit.lost && !emit.spool) || is_blank(line->text))
        return;
    struct span text = emit.set.type ? add_type(line->text) : line->text;
    if (emit.set.replay)
        wait_turn(text, line);
    else
        take_event(text, line);
}

static void take_data(struct span data)
{
    static const struct line nowhere;
    struct fault f;
    if (json_check(data, &f) < 0) {
        fault_at(&f, "data");
        refuse(&nowhere, f.text);
        return;
    }
    struct buf text = {0};
    buf_text(&text, "{\"type\":\"");
    buf_join(&text, emit.defaults.type);
    buf_text(&text, "\",\"data\":");
    buf_join(&text, data);
    buf_char(&text, '}');
    take_event(buf_span(&text), &nowhere);
    buf_fini(&text);
}

static void on_data(void *ctx, const struct line *line)
{
    (void)ctx;
    take_data(line->text);
}

static void on_unread(void *ctx, const struct line *where, const char *why)
{
    (void)ctx;
    emit.refused = true;
    const char *file = where->file ? where->file : "standard input";
    if (where->number == 0)
        tool_say("%s: %s", file, why);
    else
        refuse(where, why);
}

static void on_end(void *ctx)
{
    (void)ctx;
    emit.ended = true;
    stop_when_done();
}

/* --- what waits in the spool, first --- */

static void on_record(void *ctx, const struct line *line)
{
    (void)ctx;
    struct span key, event;
    struct fault f;
    struct event e;
    struct buf text = {0};
    if (json_check(line->text, &f) < 0 || !json_get(line->text, "key", &key) ||
        !json_get(line->text, "event", &event) || event_parse(&e, event, true, &f) < 0) {
        refuse(line, "no record of a spool");
        return;
    }
    json_decode(key, &text);
    emit.key = buf_span(&text);
    send_event(&e, line);
    emit.key = (struct span){0};
    buf_fini(&text);
}

static void begin_input(void);

static void on_spool_read(uv_timer_t *timer)
{
    (void)timer;
    lines_close(emit.lines);
    emit.lines = NULL;
    begin_input();
}

/* The lines can't be closed from here. */
static void on_spool_end(void *ctx)
{
    (void)ctx;
    uv_timer_start(&emit.timer, on_spool_read, 0, 0);
}

static void read_input(char *const *files, bool whole)
{
    static const struct lines_hooks each_event = {on_line, on_unread, on_end};
    static const struct lines_hooks data_alone = {on_data, on_unread, on_end};
    bool standard = !*files || strcmp(*files, "-") == 0;
    if (standard && isatty(STDIN_FILENO) && !emit.set.quiet)
        tool_say("reading %s from the terminal; Ctrl-D ends it",
                 whole ? "the data" : "events, one a line,");
    emit.lines = lines_open(tool_loop(), files, whole, whole ? &data_alone : &each_event, NULL);
}

static void begin_input(void)
{
    const char *data = emit.set.data;
    if (!is_single()) {
        read_input(emit.files, false);
    } else if (data && (*data == '@' || strcmp(data, "-") == 0)) {
        emit.data_file[0] = emit.set.data + (*data == '@');
        read_input(emit.data_file, true);
    } else {
        take_data(span_of(data ? data : "null"));
        on_end(NULL);
    }
}

static void begin(void)
{
    static const struct lines_hooks each_record = {on_record, on_unread, on_spool_end};
    emit.begun = true;
    emit.began_ms = clock_steady_ms();
    emit.spool_files[0] = emit.spool ? spool_path(emit.spool) : NULL;
    if (emit.spool_files[0])
        emit.lines = lines_open(tool_loop(), emit.spool_files, false, &each_record, NULL);
    else
        begin_input();
}

/* --- Redis, and the catalog that it has --- */

static void on_catalog(void *arg, enum store_result result, struct span text)
{
    (void)arg;
    struct fault f;
    if (emit.begun || result == STORE_UNAVAILABLE) /* on_down() has seen to it */
        return;
    if (result == STORE_REFUSED)
        tool_say("the catalog can't be read: events are published, but not kept");
    if (text.len > 0 && !(emit.catalog = catalog_parse(text, "catalog", &f)))
        tool_fail(STATUS_USAGE, "the gateways' %s", f.text);
    begin();
}

static void on_up(void *ctx)
{
    (void)ctx;
    if (emit.begun)
        return;
    if (emit.catalog)
        begin();
    else
        store_catalog_get(emit.store, on_catalog, NULL);
}

static void on_down(void *ctx, const char *why)
{
    (void)ctx;
    bool begun = emit.begun;
    if (emit.set.dry_run) {
        if (!begun)
            begin();
        return;
    }
    emit.lost = begun || emit.spool;
    if (!emit.spool) {
        tool_unreachable(why);
        return;
    }
    tool_say("%s", why);
    if (!begun)
        begin();
    else
        stop_when_done();
}

/* What Redis had not answered may have arrived or not: the user is told where to look. */
static void tell_loss(void)
{
    const struct line *from = &emit.first_unknown;
    if (emit.unknown > 0 && is_single())
        tool_say("whether the event arrived is unknown");
    else if (emit.unknown > 0)
        tool_say(
            "events confirmed: %" PRIu64 "; what arrived from %s%sline %" PRIu64 " on is unknown",
            emit.confirmed, from->file ? from->file : "", from->file ? ": " : "", from->number);
    else if (emit.lost && !emit.spool)
        tool_say("events confirmed: %" PRIu64 "; no more were sent", emit.confirmed);
}

static void clean_up(void)
{
    lines_close(emit.lines);
    uv_close((uv_handle_t *)&emit.timer, NULL);
    while (emit.pending) {
        struct pending *p = emit.pending;
        emit.pending = p->next;
        buf_fini(&p->text);
        free(p);
    }
    while (emit.unsent) {
        struct ticket *t = emit.unsent;
        LL_DELETE(emit.unsent, t);
        ticket_free(t);
    }
    spool_close(emit.spool);
    catalog_unref(emit.catalog);
    buf_fini(&emit.defaults_text);
    buf_fini(&emit.typed);
    buf_fini(&emit.scratch);
    opt_free(&program, &emit.set);
}

static void prepare(void)
{
    struct fault f;
    emit.pending_end = &emit.pending;
    emit.first_ms = -1;
    ident_random(emit.run, RUN_CHARS);
    uv_timer_init(tool_loop(), &emit.timer);
    if (emit.set.catalog && !(emit.catalog = catalog_load(emit.set.catalog, &f)))
        tool_fail(STATUS_USAGE, "%s", f.text);
    if (emit.set.spool && !emit.set.dry_run && !(emit.spool = spool_open(emit.set.spool, &f)))
        tool_fail(STATUS_USAGE, "--spool: %s", f.text);
}

int main(int argc, char **argv)
{
    static const struct store_hooks hooks = {.up = on_up, .down = on_down};
    int first = tool_start(&program, &emit.set, argc, argv);
    emit.files = argv + first;
    check_usage();
    read_defaults();
    tool_limit(emit.set.limit_ms);
    prepare();
    if (emit.set.dry_run && emit.catalog)
        begin();
    else
        emit.store = store_open(tool_loop(), tool_redis(emit.set.redis), &hooks, NULL);

    int status = tool_run();
    if (emit.store)
        store_close(emit.store);
    tell_loss();
    clean_up();
    return status;
}
