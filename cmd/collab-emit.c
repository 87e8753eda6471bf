/* collab-emit: publishes events, one from its options or many from lines of JSON. */
#include "buf.h"
#include "clock.h"
#include "event.h"
#include "json.h"
#include "lines.h"
#include "mem.h"
#include "opt.h"
#include "store.h"
#include "tool.h"
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* So much may be on its way to Redis before the input is held. */
enum { WINDOW_BYTES = 4 * 1024 * 1024 };

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
};

#define AT(field) offsetof(struct settings, field)
static const struct opt rows[] = {
    {'r', "room", "ROOM", OPT_LIST, AT(rooms),
     .help = "publish to this room, whatever the events say (repeat for several)"},
    {'t', "type", "TYPE", OPT_TEXT, AT(type),
     .help = "publish one event of this type; with FILE, the type of events that have none"},
    {'d', "data", "JSON|@FILE|-", OPT_TEXT, AT(data), .help = "the one event's data"},
    {'u', "user", "USER", OPT_TEXT, AT(user), .help = "who did it, where the event doesn't say"},
    {0, "receipts", NULL, OPT_FLAG, AT(receipts),
     .help = "print a line for each event that Redis has taken"},
    {'n', "dry-run", NULL, OPT_FLAG, AT(dry_run),
     .help = "print the events as they would be published; publish nothing"},
    {'q', "quiet", NULL, OPT_FLAG, AT(quiet), .help = "no hint and no progress on a terminal"},
    {'W', "limit", "TIME", OPT_MS, AT(limit_ms), .min = 1, .max = INT64_MAX,
     .help = "give up after this long, with status 6"},
    {0, "redis", "URL", OPT_TEXT, AT(redis), .help = "where Redis is (else $COLLAB_REDIS)"},
};

static const struct opt_program program = {
    .name = "collab-emit",
    .operands = "[FILE]...",
    .purpose = "Publishes events: one from the options, or one a line (NDJSON) from files.",
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
};

/* An event on its way to Redis. */
struct ticket {
    struct line from; /* without its text */
    char *receipt;    /* NULL: none is wanted */
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
    bool refused;       /* an event, or a file */
    bool lost;          /* Redis, after it was there */
    int64_t began_ms;

    uint64_t sent, outstanding, confirmed, unknown;
    struct line first_unknown;
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

static void stop_when_done(void)
{
    bool is_all_known = emit.unknown == 0; /* else on_down() stops it */
    if (emit.ended && emit.outstanding == 0 && is_all_known)
        tool_stop(emit.refused ? STATUS_NO : STATUS_OK);
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

static void on_published(void *arg, enum store_result result, const char *why)
{
    struct ticket *t = arg;
    emit.outstanding--;
    if (result == STORE_UNAVAILABLE) {
        if (emit.unknown++ == 0) /* answers come in the order of sending */
            emit.first_unknown = t->from;
    } else if (result == STORE_REFUSED) {
        refuse(&t->from, why);
    } else {
        emit.confirmed++;
        if (t->receipt)
            tool_out(span_of(t->receipt));
    }
    free(t->receipt);
    free(t);
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
    buf_printf(&out, "],\"time\":\"%.*s\"}", (int)e->time.len, e->time.at);
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

static void publish(const struct event *e, const struct line *from)
{
    struct ticket *t = mem_alloc(sizeof *t);
    *t = (struct ticket){.from = *from};
    if (emit.set.receipts)
        t->receipt = new_receipt(e, from);
    emit.sent++;
    emit.outstanding++;
    store_publish(emit.store, e, on_published, t);
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

static int complete(struct event *e, struct fault *f)
{
    e->id = (struct span){0}; /* of the history that it came from */
    if (emit.defaults.room_count > 0) {
        memcpy(e->rooms, emit.defaults.rooms, sizeof e->rooms);
        e->room_count = emit.defaults.room_count;
    }
    if (e->room_count == 0)
        return fault_set(f, "no room: name one with --room, or in the event");
    e->room = e->rooms[0];
    if (e->user.len == 0)
        e->user = emit.defaults.user;
    if (e->time.len == 0)
        e->time = stamp_now();
    return 0;
}

static void take_event(struct span text, const struct line *from)
{
    struct event e;
    struct fault f;
    if (event_parse(&e, text, true, &f) < 0 || complete(&e, &f) < 0)
        refuse(from, f.text);
    else if (emit.set.dry_run)
        print(&e);
    else
        publish(&e, from);
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
    if (emit.lost || is_blank(line->text))
        return;
    take_event(emit.set.type ? add_type(line->text) : line->text, line);
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

static void begin(void)
{
    const char *data = emit.set.data;
    emit.begun = true;
    emit.began_ms = clock_steady_ms();
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

static void on_up(void *ctx)
{
    (void)ctx;
    if (!emit.begun)
        begin();
}

static void on_down(void *ctx, const char *why)
{
    (void)ctx;
    tool_say("%s", why);
    emit.lost = emit.begun;
    tool_stop(STATUS_UNREACHABLE);
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
    else if (emit.lost)
        tool_say("events confirmed: %" PRIu64 "; no more were sent", emit.confirmed);
}

static void clean_up(void)
{
    lines_close(emit.lines);
    buf_fini(&emit.defaults_text);
    buf_fini(&emit.typed);
    buf_fini(&emit.scratch);
    opt_free(&program, &emit.set);
}

int main(int argc, char **argv)
{
    static const struct store_hooks hooks = {.up = on_up, .down = on_down};
    int first = tool_start(&program, &emit.set, argc, argv);
    emit.files = argv + first;
    check_usage();
    read_defaults();
    tool_limit(emit.set.limit_ms);
    if (emit.set.dry_run)
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
