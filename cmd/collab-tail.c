/* collab-tail: prints events as they happen, from Redis or as a client of a gateway. */
#include "bookmark.h"
#include "client.h"
#include "clock.h"
#include "event.h"
#include "follow.h"
#include "ident.h"
#include "json.h"
#include "mem.h"
#include "num.h"
#include "protocol.h"
#include "room.h"
#include "store.h"
#include "tool.h"
#include "view.h"
#include "ws.h"
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    NOTICE_INTERVAL_MS = 1000,
    RETRY_FIRST_MS = 1000,
    RETRY_LAST_MS = 30 * 1000,
    SAVE_MS = 20, /* how soon the state is saved after something was printed */
    LAST_MAX = 1000000,
};

struct settings {
    struct opt_list types;
    struct opt_list filters;
    char *format;
    bool nul;
    int64_t count;
    int64_t limit_ms;
    bool verbose;
    char *redis;
    char *url;
    char *token_file;
    char *since;
    bool exit;
    char *state;
    bool gaps;
};

#define AT(field) offsetof(struct settings, field)
static const struct opt rows[] = {
    {'t', "type", "TYPE", OPT_LIST, AT(types),
     .help = "only events of this type, * for any text (repeatable)"},
    {'f', "filter", "PATH[[!]=VALUE]", OPT_LIST, AT(filters),
     .help = "only events where this holds (repeat: all must hold)"},
    {'F', "format", "FORMAT", OPT_TEXT, AT(format),
     .help = "print this, with {PATH} for a field, not the event"},
    {'0', "null", NULL, OPT_FLAG, AT(nul), .help = "end each record with a NUL, not a newline"},
    {'C', "count", "N", OPT_INT, AT(count), .min = 1, .max = INT64_MAX,
     .help = "stop after so many events"},
    {'W', "limit", "TIME", OPT_MS, AT(limit_ms), .min = 1, .max = INT64_MAX,
     .help = "stop after this long, with status 6"},
    {0, "since", "ID|-N|TIME|@TIME|beginning", OPT_TEXT, AT(since),
     .help = "first what was kept: after an id, the last N, a time"},
    {'e', "exit", NULL, OPT_FLAG, AT(exit), .help = "stop where the history ends now"},
    {0, "state", "FILE", OPT_TEXT, AT(state),
     .help = "keep in this file how far it has come; go on there"},
    {0, "gaps", NULL, OPT_FLAG, AT(gaps),
     .help = "tell of lost events in a record, and by status 7"},
    {'v', "verbose", NULL, OPT_FLAG, AT(verbose), .help = "say when listening begins"},
    {0, "redis", "URL", OPT_TEXT, AT(redis), .help = "where Redis is (else $COLLAB_REDIS)"},
    {0, "url", "URL", OPT_TEXT, AT(url),
     .help = "listen as a client, at a gateway's WebSocket address"},
    {0, "token-file", "FILE", OPT_TEXT, AT(token_file),
     .help = "the client's token (else $COLLAB_TOKEN)"},
};

static const struct opt_program program = {
    .name = "collab-tail",
    .operands = "[ROOM|PATTERN]...",
    .purpose = "Prints the events of rooms as they happen, one a line.",
    .rows = rows,
    .row_count = sizeof(rows) / sizeof(*rows),
};

/* How often something is said: what a peer can provoke must not flood standard error. */
struct pace {
    int64_t said_ms;
    uint64_t left_out;
};

static struct {
    struct settings set;
    struct span *rooms; /* asked for by name, sorted */
    size_t room_count;
    struct span *patterns;
    size_t pattern_count;
    struct view_filter **filters; /* as many as set.filters */
    struct view_format *format;
    bool to_terminal;
    int64_t shown;
    struct buf record, type;
    struct pace bad_events, lost, found, degraded, errors, gaps;
    bool was_up;   /* the source was reached once */
    bool is_lossy; /* events were lost */

    struct bookmark *places;
    struct bookmark *begun; /* rooms whose beginning was settled */
    bool resumed;           /* places are of a state file */
    struct place since;     /* of --since ID, or the beginning; else anywhere */
    int64_t last;           /* of --since -N; 0: not given */
    int64_t since_ms;       /* wall clock, of --since TIME; -1: not given */
    size_t behind;          /* rooms that are being read from where they were left */
    bool started;
    bool is_settling; /* rooms that a cluster moved are listened to anew */
    uv_timer_t save;

    const struct redis_address *address;
    struct store *store;
    struct follow *follow;

    struct buf url; /* of the gateway, with our device */
    struct client_net *net;
    char *token;
    uv_timer_t retry;
    int64_t retry_ms;
} tail;

static void __attribute__((format(printf, 2, 3))) notice(struct pace *pace, const char *format, ...)
{
    int64_t now_ms = clock_steady_ms();
    if (pace->said_ms != 0 && now_ms - pace->said_ms < NOTICE_INTERVAL_MS) {
        pace->left_out++;
        return;
    }
    struct buf text = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    if (pace->left_out > 0)
        buf_printf(&text, " (and %" PRIu64 " more since)", pace->left_out);
    tool_say("%s", text.at);
    buf_fini(&text);
    *pace = (struct pace){.said_ms = now_ms};
}

static void say_listening(size_t rooms, size_t patterns)
{
    struct buf what = {0};
    if (!tail.set.verbose)
        return;
    if (rooms > 0)
        buf_printf(&what, " %zu room%s", rooms, rooms > 1 ? "s" : "");
    if (rooms > 0 && patterns > 0)
        buf_text(&what, " and");
    if (patterns > 0)
        buf_printf(&what, " %zu pattern%s", patterns, patterns > 1 ? "s" : "");
    tool_say("listening to%s", what.at);
    buf_fini(&what);
}

/* --- What is printed --- */

static bool takes_type(struct span type)
{
    const struct opt_list *types = &tail.set.types;
    if (memchr(type.at, '\\', type.len)) { /* as it is spelt does not matter */
        buf_clear(&tail.type);
        json_decode((struct span){type.at - 1, type.len + 2}, &tail.type);
        type = buf_span(&tail.type);
    }
    for (size_t i = 0; i < types->count; i++)
        if (view_matches(span_of(types->at[i]), type))
            return true;
    return types->count == 0;
}

static bool takes_fields(struct span text)
{
    for (size_t i = 0; i < tail.set.filters.count; i++)
        if (!view_filter_takes(tail.filters[i], text))
            return false;
    return true;
}

static struct span make_record(struct span text)
{
    bool is_one_line = !memchr(text.at, '\n', text.len);
    if (!tail.format && !tail.to_terminal && is_one_line)
        return text;
    buf_clear(&tail.record);
    if (tail.format) {
        view_format_write(tail.format, text, tail.to_terminal, &tail.record);
        return buf_span(&tail.record);
    }
    struct buf line = {0};
    json_compact(&line, text);
    if (tail.to_terminal)
        view_tame(buf_span(&line), &tail.record);
    else
        buf_join(&tail.record, buf_span(&line));
    buf_fini(&line);
    return buf_span(&tail.record);
}

/* --- How far it has come --- */

static enum exit_status outcome(void)
{
    return tail.set.gaps && tail.is_lossy ? STATUS_LOST : STATUS_OK;
}

/* What was printed goes out first: the state never says more than was. */
static void save(void)
{
    struct fault f;
    if (!tail.set.state)
        return;
    tool_flush();
    if (bookmark_save(tail.places, tail.set.state, STDOUT_FILENO, follow_anywhere.epoch, &f) < 0)
        tool_fail(STATUS_NO, "--state: %s", f.text);
}

static void on_save(uv_timer_t *timer)
{
    (void)timer;
    save();
}

static void save_soon(void)
{
    if (tail.set.state && !uv_is_active((uv_handle_t *)&tail.save))
        uv_timer_start(&tail.save, on_save, SAVE_MS, 0);
}

static void print(struct span record)
{
    if (tail.set.nul) {
        tool_out_raw(record);
        tool_out_raw((struct span){"", 1});
    } else {
        tool_out(record);
    }
}

/* An event that is of before --since. */
static bool is_early(const struct event *e)
{
    int64_t at_ms;
    return tail.since_ms >= 0 && e->time.len > 0 && clock_parse_stamp(e->time, &at_ms) == 0 &&
           at_ms < tail.since_ms;
}

static void show(const struct event *e, struct span text)
{
    bool is_full = tail.set.count > 0 && tail.shown == tail.set.count;
    save_soon();
    if (is_full || is_early(e) || !takes_type(e->type) || !takes_fields(text))
        return;
    print(make_record(text));
    if (++tail.shown == tail.set.count)
        tool_stop(outcome());
}

/* after, before: ids, or empty. An event of that form, so that what reads events can read it. */
static void tell_gap(struct span room, struct span after, struct span before)
{
    struct buf record = {0};
    tail.is_lossy = true;
    notice(&tail.gaps, "%.*s: events are lost after %.*s", (int)room.len, room.at, (int)after.len,
           after.at);
    if (!tail.set.gaps)
        return;
    buf_printf(
        &record,
        "{\"type\":\"gap\",\"room\":\"%.*s\",\"data\":{\"after\":\"%.*s\",\"before\":\"%.*s\"}}",
        (int)room.len, room.at, (int)after.len, after.at, (int)before.len, before.at);
    print(buf_span(&record));
    buf_fini(&record);
    save_soon();
}

/* --- From Redis --- */

static int compare_rooms(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    int order = memcmp(x->at, y->at, x->len < y->len ? x->len : y->len);
    return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

static bool is_wanted(struct span room)
{
    for (size_t i = 0; i < tail.pattern_count; i++)
        if (room_matches(tail.patterns[i], room))
            return true;
    return tail.room_count > 0 &&
           bsearch(&room, tail.rooms, tail.room_count, sizeof(room), compare_rooms);
}

/* Of an event that went to several rooms, the copy for the first wanted one is printed: so no
 * event has to be remembered for it to be printed once. */
static bool is_first_copy(const struct event *e, struct span room)
{
    for (int i = 0; i < e->room_count; i++)
        if (is_wanted(e->rooms[i]))
            return span_equal(e->rooms[i], room);
    return is_wanted(room);
}

static struct place *on_place(void *ctx, struct span room)
{
    (void)ctx;
    return bookmark_place(tail.places, room, tail.resumed ? store_beginning : follow_anywhere);
}

static void on_followed(void *ctx, struct span room, const struct event *e, struct span text)
{
    (void)ctx;
    if (is_first_copy(e, room))
        show(e, text);
    else
        save_soon();
}

static void on_gap(void *ctx, struct span room, struct place after, struct place before)
{
    (void)ctx;
    char a[PLACE_BYTES], b[PLACE_BYTES];
    bool asked_for_all = after.epoch == 0 && !tail.resumed;
    if (!asked_for_all)
        tell_gap(room, place_format(after, a), place_format(before, b));
}

static void on_trouble(void *ctx, struct span room, const char *why)
{
    (void)ctx;
    notice(&tail.bad_events, "room %s: history: %s", fault_quote(room), why);
}

static void one_less(void)
{
    if (tail.behind == 0 || --tail.behind > 0)
        return;
    save_soon();
    if (tail.set.exit)
        tool_stop(tail.shown == 0 && outcome() == STATUS_OK ? STATUS_NO : outcome());
}

static void on_caught_up(void *ctx, struct span room)
{
    (void)ctx;
    (void)room;
    one_less();
}

/* The room is read from a place on; what comes meanwhile waits for that. */
static void start_at(struct span room, struct place p)
{
    struct place *at = on_place(NULL, room);
    if (place_compare(*at, follow_anywhere) == 0)
        *at = p;
    follow_check(tail.follow, room);
}

/* The last N of a room, and the one before them, after which it begins. */
static void on_last(void *arg, enum store_result result, const struct store_page *page,
                    const char *why)
{
    (void)arg;
    if (result == STORE_REFUSED)
        tool_not_done(result, why);
    if (result == STORE_DONE && page->count > (size_t)tail.last)
        start_at(page->room, page->entries[page->count - 1].place);
    else if (result == STORE_DONE)
        start_at(page->room, store_beginning);
}

static void start_room(struct span room)
{
    struct store_stretch newest = {store_beginning, store_end, (size_t)tail.last + 1,
                                   STORE_NEWEST_FIRST};
    bool is_known = bookmark_find(tail.places, room) != NULL;
    if (bookmark_find(tail.begun, room))
        return;
    bookmark_place(tail.begun, room, store_beginning);
    tail.behind++;
    if (is_known || tail.resumed)
        start_at(room, *on_place(NULL, room));
    else if (tail.last > 0 || place_compare(tail.since, follow_anywhere) == 0)
        store_read(tail.store, room, &newest, on_last, NULL);
    else
        start_at(room, tail.since);
}

static void on_history(void *arg, struct span room)
{
    (void)arg;
    if (is_wanted(room))
        start_room(room);
}

static bool wants_history(void)
{
    return tail.set.since || tail.set.state || tail.set.exit;
}

/* A room that nobody knew of is begun by what comes from it first. */
static void take_kept(struct span room, const struct event *e, struct span text)
{
    bool is_of_old = tail.set.since || tail.resumed || tail.set.exit;
    if (wants_history() && is_of_old)
        start_room(room);
    else if (wants_history())
        bookmark_place(tail.begun, room, store_beginning);
    bool is_being_begun =
        tail.last > 0 && place_compare(*on_place(NULL, room), follow_anywhere) == 0;
    if (!is_being_begun) /* else it comes with the history */
        follow_event(tail.follow, room, e, text);
}

static void on_event(void *ctx, struct span room, struct span text)
{
    (void)ctx;
    struct event e;
    struct fault f;
    if (event_parse(&e, text, false, &f) < 0)
        notice(&tail.bad_events, "room %s: not an event: %s", fault_quote(room), f.text);
    else if (e.id.len > 0)
        take_kept(room, &e, text);
    else if (is_first_copy(&e, room))
        show(&e, text);
}

static void on_histories(void *arg, enum store_result result, const char *why)
{
    (void)arg;
    if (result == STORE_REFUSED)
        tool_not_done(result, why);
    one_less();
}

/* Where rooms begin must be known if they are to be read, or to be gone on with another time. */
static void start_rooms(void)
{
    if (tail.started || !wants_history())
        return;
    tail.behind = 1; /* this function */
    for (size_t i = 0; i < tail.room_count; i++)
        start_room(tail.rooms[i]);
    for (size_t i = 0; i < tail.pattern_count; i++) {
        tail.behind++;
        store_histories(tail.store, tail.patterns[i], on_history, on_histories, NULL);
    }
    one_less();
}

static void check_place(void *arg, struct span room, struct place *at)
{
    (void)arg;
    (void)at;
    follow_check(tail.follow, room);
}

static void on_settled(void *arg, enum store_result result, const char *why)
{
    (void)arg;
    if (result == STORE_REFUSED)
        tool_not_done(result, why);
    if (result != STORE_DONE)
        return;
    say_listening(tail.room_count, tail.pattern_count);
    if (tail.started)
        bookmark_each(tail.places, check_place, NULL);
    start_rooms();
    tail.started = true;
}

static void on_up(void *ctx)
{
    (void)ctx;
    if (tail.was_up)
        notice(&tail.found, "%s: connected again", tail.address->label);
    tail.was_up = true;
    store_listen(tail.store, tail.rooms, tail.room_count);
    for (size_t i = 0; i < tail.pattern_count; i++)
        store_listen_pattern(tail.store, tail.patterns[i]);
    store_settle(tail.store, on_settled, NULL);
}

static void on_listened_again(void *arg, enum store_result result, const char *why)
{
    (void)arg;
    (void)why;
    tail.is_settling = false;
    if (result == STORE_DONE)
        bookmark_each(tail.places, check_place, NULL);
}

/* In a cluster: what was kept meanwhile is read when all is listened to again. */
static void on_moved(void *ctx, struct span room)
{
    (void)ctx;
    if (room.len > 0)
        store_listen(tail.store, &room, 1);
    if (tail.is_settling)
        return;
    tail.is_settling = true;
    store_settle(tail.store, on_listened_again, NULL);
}

static void on_down(void *ctx, const char *why)
{
    (void)ctx;
    if (!tail.was_up) {
        tool_unreachable(why);
        return;
    }
    notice(&tail.lost, "%s; what is not kept is missed now; trying again", why);
}

static void open_redis(void)
{
    static const struct store_hooks hooks = {
        .up = on_up, .down = on_down, .event = on_event, .moved = on_moved};
    static const struct follow_hooks follow_hooks = {on_place, on_followed, on_gap, on_trouble,
                                                     on_caught_up};
    tail.address = tool_redis(tail.set.redis);
    tail.store = store_open(tool_loop(), tail.address, &hooks, NULL);
    tail.follow = follow_new(tail.store, &follow_hooks, NULL);
}

/* --- From a gateway --- */

static void connect_gateway(void);

/* The text of a string field, fit for a message. Freed by free(). */
static char *field_text(struct span object, const char *name)
{
    struct buf text = {0}, tame = {0};
    struct span value;
    if (json_get(object, name, &value) && json_type(value) == JSON_STRING)
        json_decode(value, &text);
    view_tame(buf_span(&text), &tame);
    buf_fini(&text);
    return tame.at ? tame.at : mem_text("");
}

/* Where the room is to begin, if that is known. */
static void add_since(struct buf *message, struct span room)
{
    const struct place *at = bookmark_find(tail.places, room);
    char id[PLACE_BYTES];
    bool is_first = message->at[message->len - 1] == '{';
    if (!at && place_compare(tail.since, follow_anywhere) == 0)
        return;
    place_format(at ? *at : tail.since, id);
    buf_printf(message, "%s\"%.*s\":\"%s\"", is_first ? "" : ",", (int)room.len, room.at, id);
}

/* Of an event that came, or of where a room stands with none. */
static void note_place(struct span room, struct span id)
{
    struct place p;
    if (place_parse(id, &p) < 0)
        return;
    struct place *at = bookmark_place(tail.places, room, p);
    if (place_compare(p, *at) > 0)
        *at = p;
    save_soon();
}

static void note_last(struct span data)
{
    struct span last, room, id;
    if (!json_get(data, "last", &last))
        return;
    for (struct json_walk w = json_walk(last); json_next_member(&w, &room, &id);)
        note_place(json_inside(room), json_inside(id));
}

static struct span text_of(struct span object, const char *name)
{
    struct span value;
    return json_get(object, name, &value) && json_type(value) == JSON_STRING ? json_inside(value)
                                                                             : (struct span){0};
}

static void on_lost(struct span gap)
{
    tell_gap(text_of(gap, "room"), text_of(gap, "after"), text_of(gap, "before"));
}

/* What the gateway could not find of what was asked for; of the beginning, that is nothing. */
static void say_gaps(struct span data)
{
    struct span gaps, each, lost;
    bool asked_for_all = tail.since.epoch == 0 && !tail.resumed;
    if (!json_get(data, "gaps", &gaps))
        return;
    for (struct json_walk w = json_walk(gaps); json_next_element(&w, &each);) {
        bool is_told = json_get(each, "lost", &lost);
        if (is_told && asked_for_all && span_is(text_of(lost, "after"), "0-0"))
            continue;
        on_lost(is_told ? lost : each);
    }
}

static void subscribe(struct client *c)
{
    struct buf message = {0};
    buf_text(&message, "{\"type\":\"subscribe\",\"ref\":1,\"data\":{\"rooms\":[");
    for (size_t i = 0; i < tail.room_count; i++) {
        buf_text(&message, i > 0 ? "," : "");
        json_encode(&message, tail.rooms[i]);
    }
    buf_text(&message, "],\"since\":{");
    for (size_t i = 0; i < tail.room_count; i++)
        add_since(&message, tail.rooms[i]);
    buf_text(&message, "}}}");
    client_send(c, buf_span(&message));
    buf_fini(&message);
}

static size_t say_refused(struct span data)
{
    size_t count = 0;
    struct span refused, each;
    if (!json_get(data, "refused", &refused))
        return 0;
    struct json_walk walk = json_walk(refused);
    while (json_next_element(&walk, &each)) {
        char *room = field_text(each, "room");
        char *message = field_text(each, "message");
        tool_say("%s: %s", room, message);
        free(room);
        free(message);
        count++;
    }
    return count;
}

/* Whether it was asked for events from before. */
static bool is_resuming(void)
{
    for (size_t i = 0; i < tail.room_count; i++)
        if (bookmark_find(tail.places, tail.rooms[i]))
            return true;
    return place_compare(tail.since, follow_anywhere) != 0;
}

/* The history could not be read, and what comes now would hide what is missing before it. */
static void come_again(struct client *c)
{
    notice(&tail.degraded, "%s: the gateway has lost Redis, and with it the history; trying again",
           tail.set.url);
    client_close(c);
}

static void on_subscribed(struct client *c, struct span data)
{
    struct span degraded;
    size_t refused = say_refused(data);
    if (json_get(data, "degraded", &degraded) && is_resuming()) {
        come_again(c);
        return;
    }
    tail.retry_ms = RETRY_FIRST_MS;
    if (tail.was_up)
        notice(&tail.found, "%s: connected again", tail.set.url);
    if (json_get(data, "degraded", &degraded))
        notice(&tail.degraded, "%s: the gateway has lost Redis; only its own clients are heard",
               tail.set.url);
    tail.was_up = true;
    say_gaps(data);
    note_last(data);
    say_listening(tail.room_count - refused, 0);
    if (tail.set.exit)
        tool_stop(tail.shown == 0 && outcome() == STATUS_OK ? STATUS_NO : outcome());
}

static enum exit_status status_of(const char *code)
{
    bool forbidden = strcmp(code, error_name(ERROR_FORBIDDEN)) == 0 ||
                     strcmp(code, error_name(ERROR_UNAUTHENTICATED)) == 0;
    return forbidden ? STATUS_FORBIDDEN : STATUS_NO;
}

/* One with a ref answers our only request: no room was granted. */
static void on_error(struct client *c, struct span text, struct span data)
{
    struct span ref;
    char *code = field_text(text, "code");
    char *message = field_text(text, "message");
    if (!tail.was_up && strcmp(code, error_name(ERROR_UNAUTHENTICATED)) == 0)
        tool_fail(STATUS_FORBIDDEN, "%s: %s", tail.set.url, message);
    if (say_refused(data) == 0)
        notice(&tail.errors, "%s: %s", tail.set.url, message);
    if (json_get(text, "ref", &ref) && strcmp(code, error_name(ERROR_UNAVAILABLE)) != 0)
        tool_stop(status_of(code));
    else if (json_get(text, "ref", &ref))
        client_close(c);
    free(code);
    free(message);
}

/* A user is in rooms by themself too, which nobody asked for here. */
static bool is_asked_for(const struct event *e)
{
    for (int i = 0; i < e->room_count; i++)
        if (is_wanted(e->rooms[i]))
            return true;
    return is_wanted(e->room);
}

static void show_asked_for(const struct event *e, struct span text)
{
    if (!is_asked_for(e))
        return;
    if (e->id.len > 0)
        note_place(e->room, e->id);
    show(e, text);
}

/* An event has a room; what has none is the gateway's own. An error has a code, an answer the ref
 * of our only request, whatever their types are called. */
static void on_message(struct client *c, void *ctx, struct span text)
{
    (void)ctx;
    struct event e;
    struct fault f;
    struct span unused;
    if (event_parse(&e, text, false, &f) < 0)
        notice(&tail.bad_events, "%s: message not understood: %s", tail.set.url, f.text);
    else if (e.room.len > 0)
        show_asked_for(&e, text);
    else if (span_is(e.type, "gap"))
        on_lost(e.data);
    else if (json_get(text, "code", &unused))
        on_error(c, text, e.data);
    else if (json_get(text, "ref", &unused))
        on_subscribed(c, e.data);
    else if (span_is(e.type, "connection.ack"))
        subscribe(c);
}

static void on_open(struct client *c, void *ctx)
{
    (void)c; /* the gateway speaks first */
    (void)ctx;
}

static void on_retry(uv_timer_t *timer)
{
    (void)timer;
    connect_gateway();
}

/* The back-off of collab-protocol(7). */
static void try_again(void)
{
    double wait_ms = (double)tail.retry_ms * ident_jitter();
    uv_timer_start(&tail.retry, on_retry, (uint64_t)wait_ms, 0);
    tail.retry_ms = tail.retry_ms * 2 < RETRY_LAST_MS ? tail.retry_ms * 2 : RETRY_LAST_MS;
}

static void on_closed(struct client *c, void *ctx, int code, struct span why)
{
    (void)c;
    (void)ctx;
    struct buf reason = {0};
    view_tame(why, &reason);
    if (reason.len == 0)
        buf_printf(&reason, "closed with code %d", code);
    if (client_is_refused(code, why))
        tool_fail(STATUS_FORBIDDEN, "%s: %s%s", tail.set.url, reason.at,
                  tail.token ? "" : " (--token-file or $COLLAB_TOKEN gives one)");
    if (code == 0 && !tail.was_up)
        tool_fail(STATUS_UNREACHABLE, "%s: %s", tail.set.url, reason.at);
    notice(&tail.lost, "%s: %s; what is not kept is missed now; trying again", tail.set.url,
           reason.at);
    buf_fini(&reason);
    try_again();
}

/* As a device of its own, which acknowledges nothing: what waits for the user is not taken from the
 * clients that they work with. */
static void name_device(struct buf *url)
{
    struct span at = {tail.set.url, strcspn(tail.set.url, "#")};
    buf_join(url, at);
    if (!strstr(tail.set.url, "device="))
        buf_printf(url, "%cdevice=collab-tail", memchr(at.at, '?', at.len) ? '&' : '?');
}

/* Before anything is added to it, so that a fault shows it as it was given. */
static void check_url(void)
{
    struct ws_url url = {0};
    struct fault f;
    if (ws_url_parse(&url, tail.set.url, &f) < 0)
        tool_fail(STATUS_USAGE, "--url: %s", f.text);
    ws_url_fini(&url);
}

static void connect_gateway(void)
{
    const struct client_target target = {
        .url = tail.url.at, .token = tail.token, .protocol = PROTOCOL_NAME};
    struct fault f;
    if (!client_open(tail.net, &target, NULL, &f))
        tool_fail(STATUS_USAGE, "--url: %s", f.text);
}

static void open_gateway(void)
{
    static const struct client_hooks hooks = {on_open, on_message, on_closed};
    check_url();
    tail.token = tool_secret(tail.set.token_file, "COLLAB_TOKEN");
    name_device(&tail.url);
    tail.retry_ms = RETRY_FIRST_MS;
    tail.net = client_net_new(tool_loop(), 1, &hooks);
    uv_timer_init(tool_loop(), &tail.retry);
    connect_gateway();
}

/* --- From the command line --- */

static void read_operands(char **operands, size_t count)
{
    tail.rooms = mem_zero((count + 1) * sizeof(*tail.rooms));
    tail.patterns = mem_zero((count + 1) * sizeof(*tail.patterns));
    for (size_t i = 0; i < count; i++) {
        struct span operand = span_of(operands[i]);
        bool is_pattern = memchr(operand.at, '*', operand.len);
        struct fault f;
        if ((is_pattern ? room_check_pattern(operand, &f) : room_check(operand, &f)) < 0)
            tool_fail(STATUS_USAGE, "%s", f.text);
        if (is_pattern)
            tail.patterns[tail.pattern_count++] = operand;
        else
            tail.rooms[tail.room_count++] = operand;
    }
    if (count == 0)
        tail.patterns[tail.pattern_count++] = span_of("*");
    qsort(tail.rooms, tail.room_count, sizeof(*tail.rooms), compare_rooms);
}

static void read_views(void)
{
    const struct opt_list *filters = &tail.set.filters;
    struct fault f;
    tail.filters = mem_zero((filters->count + 1) * sizeof(*tail.filters));
    for (size_t i = 0; i < filters->count; i++) {
        tail.filters[i] = view_filter_parse(filters->at[i], &f);
        if (!tail.filters[i])
            tool_fail(STATUS_USAGE, "--filter: %s", f.text);
    }
    if (tail.set.format && !(tail.format = view_format_parse(tail.set.format, &f)))
        tool_fail(STATUS_USAGE, "--format: %s", f.text);
}

static void check_usage(void)
{
    const struct settings *set = &tail.set;
    if (set->url && set->redis)
        tool_fail(STATUS_USAGE, "--url and --redis exclude each other");
    if (set->token_file && !set->url)
        tool_fail(STATUS_USAGE, "--token-file goes with --url");
    if (set->url && (tail.pattern_count > 0 || tail.room_count == 0))
        tool_fail(STATUS_USAGE, "--url needs rooms by name: a gateway takes no pattern");
    if (set->url && tail.last > 0)
        tool_fail(STATUS_USAGE, "--since -N can't go with --url");
}

/* --since: an id, -N, how long ago, @ and a date, or "beginning". */
static void read_since(void)
{
    struct span text = span_of(tail.set.since ? tail.set.since : "");
    struct fault f;
    bool is_all = tail.set.since || (tail.set.exit && !tail.set.state);
    tail.since = is_all ? store_beginning : follow_anywhere;
    tail.since_ms = -1;
    if (text.len == 0 || span_is(text, "beginning"))
        return;
    if (text.at[0] == '-') {
        span_drop(&text, 1);
        if (num_parse(text, 1, LAST_MAX, &tail.last, &f) < 0)
            tool_fail(STATUS_USAGE, "--since=%s: %s", tail.set.since, f.text);
    } else if (text.at[0] == '@') {
        span_drop(&text, 1);
        if (clock_parse_stamp(text, &tail.since_ms) < 0)
            tool_fail(STATUS_USAGE, "--since=%s: not a time (like @2026-11-20T18:00:00Z)",
                      tail.set.since);
    } else if (place_parse(text, &tail.since) == 0) {
        if (tail.room_count != 1 || tail.pattern_count > 0)
            tool_fail(STATUS_USAGE, "--since=%s: an id is of one room: name that alone",
                      tail.set.since);
    } else {
        int64_t ago_ms;
        if (num_parse_ms(text, 0, INT64_MAX / 2, &ago_ms, &f) < 0)
            tool_fail(STATUS_USAGE,
                      "--since=%s: none of ID, -N, TIME (like 10m), @TIME and beginning",
                      tail.set.since);
        tail.since_ms = clock_wall_ms() - ago_ms;
    }
}

static void read_state(void)
{
    struct fault f;
    tail.places = bookmark_new();
    tail.begun = bookmark_new();
    uv_timer_init(tool_loop(), &tail.save);
    if (!tail.set.state)
        return;
    int found = bookmark_load(tail.places, tail.set.state, STDOUT_FILENO, &f);
    if (found < 0)
        tool_fail(STATUS_USAGE, "--state: %s", f.text);
    tail.resumed = found > 0;
}

static void clean_up(void)
{
    save();
    uv_close((uv_handle_t *)&tail.save, NULL);
    if (tail.follow)
        follow_free(tail.follow);
    bookmark_free(tail.places);
    bookmark_free(tail.begun);
    if (tail.store)
        store_close(tail.store);
    if (tail.net) {
        uv_close((uv_handle_t *)&tail.retry, NULL);
        client_net_free(tail.net);
    }
    for (size_t i = 0; i < tail.set.filters.count; i++)
        view_filter_free(tail.filters[i]);
    free(tail.filters);
    view_format_free(tail.format);
    buf_fini(&tail.url);
    free(tail.rooms);
    free(tail.patterns);
    free(tail.token);
    buf_fini(&tail.record);
    buf_fini(&tail.type);
    opt_free(&program, &tail.set);
}

int main(int argc, char **argv)
{
    int first = tool_start(&program, &tail.set, argc, argv);
    read_operands(argv + first, (size_t)(argc - first));
    read_views();
    read_since();
    check_usage();
    read_state();
    tail.to_terminal = tool_on_terminal();
    tool_limit(tail.set.limit_ms);
    if (tail.set.url)
        open_gateway();
    else
        open_redis();
    int status = tool_run();
    clean_up();
    return status;
}
