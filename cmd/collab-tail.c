/* collab-tail: prints events as they happen, from Redis or as a client of a gateway. */
#include "client.h"
#include "clock.h"
#include "event.h"
#include "ident.h"
#include "json.h"
#include "mem.h"
#include "protocol.h"
#include "room.h"
#include "store.h"
#include "tool.h"
#include "view.h"
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
    NOTICE_INTERVAL_MS = 1000,
    RETRY_FIRST_MS = 1000,
    RETRY_LAST_MS = 30 * 1000,
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
};

#define AT(field) offsetof(struct settings, field)
static const struct opt rows[] = {
    {'t', "type", "TYPE", OPT_LIST, AT(types),
     .help = "print only events of this type; * stands for any text (repeat for several)"},
    {'f', "filter", "PATH[[!]=VALUE]", OPT_LIST, AT(filters),
     .help = "print only events that have this field, with this value, or with another or none "
             "(repeat: all must hold)"},
    {'F', "format", "FORMAT", OPT_TEXT, AT(format),
     .help = "print this, with {PATH} where a field goes, and not the event"},
    {'0', "null", NULL, OPT_FLAG, AT(nul), .help = "end each record with a NUL, not a newline"},
    {'C', "count", "N", OPT_INT, AT(count), .min = 1, .max = INT64_MAX,
     .help = "stop after so many events"},
    {'W', "limit", "TIME", OPT_MS, AT(limit_ms), .min = 1, .max = INT64_MAX,
     .help = "stop after this long, with status 6"},
    {'v', "verbose", NULL, OPT_FLAG, AT(verbose), .help = "say when listening begins"},
    {0, "redis", "URL", OPT_TEXT, AT(redis), .help = "where Redis is (else $COLLAB_REDIS)"},
    {0, "url", "URL", OPT_TEXT, AT(url),
     .help = "listen as a client of the gateway at this WebSocket address"},
    {0, "token-file", "FILE", OPT_TEXT, AT(token_file),
     .help = "the client's token (else $COLLAB_TOKEN)"},
};

static const struct opt_program program = {
    .name = "collab-tail",
    .operands = "[ROOM|PATTERN]...",
    .purpose = "Prints the events of rooms as they happen, one a line.",
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
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
    struct pace bad_events, lost, found, degraded, errors;
    bool was_up; /* the source was reached once */

    const struct redis_address *address;
    struct store *store;

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

static void show(const struct event *e, struct span text)
{
    bool is_full = tail.set.count > 0 && tail.shown == tail.set.count;
    if (is_full || !takes_type(e->type) || !takes_fields(text))
        return;
    struct span record = make_record(text);
    if (tail.set.nul) {
        tool_out_raw(record);
        tool_out_raw((struct span){"", 1});
    } else {
        tool_out(record);
    }
    if (++tail.shown == tail.set.count)
        tool_stop(STATUS_OK);
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
           bsearch(&room, tail.rooms, tail.room_count, sizeof room, compare_rooms);
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

static void on_event(void *ctx, struct span room, struct span text)
{
    (void)ctx;
    struct event e;
    struct fault f;
    if (event_parse(&e, text, false, &f) < 0)
        notice(&tail.bad_events, "room %s: not an event: %s", fault_quote(room), f.text);
    else if (is_first_copy(&e, room))
        show(&e, text);
}

static void on_settled(void *arg, enum store_result result, const char *why)
{
    (void)arg;
    if (result == STORE_REFUSED)
        tool_fail(STATUS_FORBIDDEN, "%s: %s", tail.address->label, why);
    if (result == STORE_DONE)
        say_listening(tail.room_count, tail.pattern_count);
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

static void on_down(void *ctx, const char *why)
{
    (void)ctx;
    if (!tail.was_up)
        tool_fail(STATUS_UNREACHABLE, "%s", why);
    notice(&tail.lost, "%s; what happens now is missed; trying again", why);
}

static void open_redis(void)
{
    static const struct store_hooks hooks = {on_up, on_down, on_event};
    tail.address = tool_redis(tail.set.redis);
    tail.store = store_open(tool_loop(), tail.address, &hooks, NULL);
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

static void subscribe(struct client *c)
{
    struct buf message = {0};
    buf_text(&message, "{\"type\":\"subscribe\",\"ref\":1,\"data\":{\"rooms\":[");
    for (size_t i = 0; i < tail.room_count; i++) {
        buf_text(&message, i > 0 ? "," : "");
        json_encode(&message, tail.rooms[i]);
    }
    buf_text(&message, "]}}");
    client_send(c, buf_span(&message));
    buf_fini(&message);
}

static void on_welcome(struct client *c)
{
    tail.retry_ms = RETRY_FIRST_MS;
    subscribe(c);
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

static void on_subscribed(struct span data)
{
    struct span degraded;
    size_t refused = say_refused(data);
    if (tail.was_up)
        notice(&tail.found, "%s: connected again", tail.set.url);
    if (json_get(data, "degraded", &degraded))
        notice(&tail.degraded, "%s: the gateway has lost Redis; only its own clients are heard",
               tail.set.url);
    tail.was_up = true;
    say_listening(tail.room_count - refused, 0);
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
    if (say_refused(data) == 0)
        notice(&tail.errors, "%s: %s", tail.set.url, message);
    if (json_get(text, "ref", &ref) && strcmp(code, error_name(ERROR_UNAVAILABLE)) != 0)
        tool_stop(status_of(code));
    else if (json_get(text, "ref", &ref))
        client_close(c);
    free(code);
    free(message);
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
        show(&e, text);
    else if (json_get(text, "code", &unused))
        on_error(c, text, e.data);
    else if (json_get(text, "ref", &unused))
        on_subscribed(e.data);
    else if (span_is(e.type, "connection.ack"))
        on_welcome(c);
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

/* By the protocol's rule, which needs no table of codes. */
static bool is_final(int code, struct span why)
{
    return code == CLOSE_POLICY || (code >= 4500 && code <= 4999) ||
           span_is(why, "HTTP status 401") || span_is(why, "HTTP status 403");
}

static void on_closed(struct client *c, void *ctx, int code, struct span why)
{
    (void)c;
    (void)ctx;
    struct buf reason = {0};
    view_tame(why, &reason);
    if (reason.len == 0)
        buf_printf(&reason, "closed with code %d", code);
    if (is_final(code, why))
        tool_fail(STATUS_FORBIDDEN, "%s: %s", tail.set.url, reason.at);
    if (code == 0 && !tail.was_up)
        tool_fail(STATUS_UNREACHABLE, "%s: %s", tail.set.url, reason.at);
    notice(&tail.lost, "%s: %s; what happens now is missed; trying again", tail.set.url, reason.at);
    buf_fini(&reason);
    try_again();
}

static void connect_gateway(void)
{
    const struct client_target target = {
        .url = tail.set.url, .token = tail.token, .protocol = PROTOCOL_NAME};
    struct fault f;
    if (!client_open(tail.net, &target, NULL, &f))
        tool_fail(STATUS_USAGE, "--url: %s", f.text);
}

static void open_gateway(void)
{
    static const struct client_hooks hooks = {on_open, on_message, on_closed};
    tail.token = tool_secret(tail.set.token_file, "COLLAB_TOKEN");
    tail.retry_ms = RETRY_FIRST_MS;
    tail.net = client_net_new(tool_loop(), 1, &hooks);
    uv_timer_init(tool_loop(), &tail.retry);
    connect_gateway();
}

/* --- From the command line --- */

static void read_operands(char **operands, size_t count)
{
    tail.rooms = mem_zero((count + 1) * sizeof *tail.rooms);
    tail.patterns = mem_zero((count + 1) * sizeof *tail.patterns);
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
    qsort(tail.rooms, tail.room_count, sizeof *tail.rooms, compare_rooms);
}

static void read_views(void)
{
    const struct opt_list *filters = &tail.set.filters;
    struct fault f;
    tail.filters = mem_zero((filters->count + 1) * sizeof *tail.filters);
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
}

static void clean_up(void)
{
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
    check_usage();
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
