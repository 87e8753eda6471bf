/* collab-bench: puts a WebSocket gateway under load and measures what it delivers, how fast and at
 * what cost. It speaks to any gateway by templates. */
#include "client.h"
#include "clock.h"
#include "event.h"
#include "fill.h"
#include "json.h"
#include "mem.h"
#include "num.h"
#include "process.h"
#include "protocol.h"
#include "room.h"
#include "store.h"
#include "tally.h"
#include "tool.h"
#include "ws.h"
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    TICK_MS = 50,
    PACE_MS = 1,           /* how evenly --rate is kept */
    GIVE_UP_MS = 5000,     /* an event that has not arrived by then is lost */
    ANSWER_MS = 10 * 1000, /* no client got ready for so long: something is wrong */
    EXCERPT_BYTES = 200,   /* of an answer that was not the one expected */
    CLIENTS_MAX = 1000000,
};

enum publish_by { BY_REDIS, BY_WS };
enum report_format { TEXT, JSON };

struct settings {
    char *url, *token_file, *protocol;
    bool binary;
    int64_t clients, rooms;
    char *room_name, *subscribe, *subscribed;
    int64_t size, window, rate, duration_ms, events, warmup_ms, settle_ms;
    int publish; /* enum publish_by */
    char *redis, *publish_url, *publish_hello, *publish_message;
    struct opt_list pids;
    int format; /* enum report_format */
};

#define AT(field) offsetof(struct settings, field)
static const struct opt rows[] = {
    {0, "url", "URL", OPT_TEXT, AT(url), .first = true,
     .help = "the gateway's WebSocket address; %r is the client's room, %c its number"},
    {0, "token-file", "FILE", OPT_TEXT, AT(token_file), .first = true,
     .help = "the clients' token (else $COLLAB_TOKEN, else none)"},
    {0, "protocol", "NAME", OPT_TEXT, AT(protocol), .help = "ask for this WebSocket subprotocol"},
    {0, "binary", NULL, OPT_FLAG, AT(binary), .help = "send binary messages"},
    {'c', "clients", "N", OPT_INT, AT(clients), .first = true, .preset = "100", .min = 1,
     .max = CLIENTS_MAX, .help = "how many clients"},
    {'m', "rooms", "N", OPT_INT, AT(rooms), .first = true, .preset = "1", .min = 1,
     .max = CLIENTS_MAX, .help = "over how many rooms they are spread; each is in one"},
    {0, "room-name", "TEMPLATE", OPT_TEXT, AT(room_name), .preset = "bench:%n",
     .help = "the rooms' names; %n is a number"},
    {0, "subscribe", "TEMPLATE", OPT_TEXT, AT(subscribe),
     .preset = "{\"type\":\"subscribe\",\"ref\":1,\"data\":{\"rooms\":[\"%r\"]}}",
     .help = "what a client sends first; empty: nothing"},
    {0, "subscribed", "TEXT", OPT_TEXT, AT(subscribed), .preset = "\"subscribed\"",
     .help = "a client is ready when this comes; empty: at once"},
    {'s', "size", "BYTES", OPT_BYTES, AT(size), .first = true, .preset = "128", .min = 1,
     .max = 1 << 20, .help = "the size of an event, all of its JSON"},
    {'w', "window", "N", OPT_INT, AT(window), .preset = "64", .min = 1, .max = 1000000,
     .help = "flat out: how many events may be on their way"},
    {'r', "rate", "N", OPT_INT, AT(rate), .first = true, .min = 1, .max = 10000000,
     .help = "publish so many events a second, rather than flat out"},
    {'d', "duration", "TIME", OPT_MS, AT(duration_ms), .first = true, .preset = "5s", .min = 0,
     .max = 24 * 3600 * 1000, .help = "how long to measure; 0: only connect"},
    {'n', "events", "N", OPT_INT, AT(events), .first = true, .min = 1, .max = INT64_MAX,
     .help = "measure so many events, rather than for a time"},
    {0, "warmup", "TIME", OPT_MS, AT(warmup_ms), .preset = "1s", .min = 0, .max = 3600 * 1000,
     .help = "publish for so long before measuring"},
    {0, "settle", "TIME", OPT_MS, AT(settle_ms), .preset = "500ms", .min = 0, .max = 3600 * 1000,
     .help = "wait for so long once all clients are ready"},
    {0, "publish", "redis|ws", OPT_CHOICE, AT(publish), .first = true, .preset = "redis",
     .help = "how events are published"},
    {0, "redis", "URL", OPT_TEXT, AT(redis), .first = true,
     .help = "where Redis is (else $COLLAB_REDIS)"},
    {0, "publish-url", "URL", OPT_TEXT, AT(publish_url),
     .help = "where to publish by WebSocket; with %r, a connection for each room (else --url)"},
    {0, "publish-hello", "TEMPLATE", OPT_TEXT, AT(publish_hello),
     .help = "what a connection for publishing sends first"},
    {0, "publish-message", "TEMPLATE", OPT_TEXT, AT(publish_message),
     .preset =
         "{\"type\":\"publish\",\"data\":{\"type\":\"bench\",\"rooms\":[\"%r\"],\"data\":%d}}",
     .help = "what publishes an event: %r is its room, %d its data, %e all of it, %l the length "
             "of that"},
    {0, "pid", "PID", OPT_LIST, AT(pids), .first = true,
     .help = "a process of the server, whose CPU time and memory are told (repeat: their sum)"},
    {0, "format", "text|json", OPT_CHOICE, AT(format), .first = true, .preset = "text",
     .help = "of the report"},
};

static const struct opt_program program = {
    .name = "collab-bench",
    .operands = "",
    .purpose = "Measures what a WebSocket gateway delivers, how fast and at what cost.",
    .rows = rows,
    .row_count = sizeof(rows) / sizeof(*rows),
};

enum phase { CONNECTING, SETTLING, WARMING, MEASURING, DRAINING };

struct room {
    char *name;
    size_t filler; /* bytes that an event's data needs beside its mark */
    struct client *publisher;
};

/* One connection: of a client in a room, or for publishing. */
struct end {
    struct receiver receiver;
    bool is_publisher;
    bool ready;
};

struct usage {
    int64_t at_ns, cpu_ms, memory;
};

static struct {
    struct settings set;
    struct buf hello, publish_hello, publish_message; /* with their escapes decoded */
    char *token;
    int64_t *pids;
    struct client_net *net;
    struct store *store;
    struct tally tally;
    struct room *rooms;
    struct end *ends; /* set.clients of them, then the publishers */
    size_t end_count, ready, gone;

    enum phase phase;
    uv_timer_t phase_timer, tick, pacer;
    uv_prepare_t before_wait;
    int64_t last_ready_ms, publishing_since_ns;
    uint64_t published, measured_from; /* events, from the beginning */
    uint32_t next_room;
    struct buf data, event, message;
    char excerpt[EXCERPT_BYTES]; /* of the last message of a client that isn't ready */

    int64_t ready_ns; /* when the last client got ready */
    struct usage began, settled, from, to;
    struct tally_figures result;
} bench;

/* --- set-up --- */

static void decode(struct buf *out, const char *name, const char *text)
{
    struct fault f;
    if (text && fill_unescape(out, text, &f) < 0)
        tool_fail(STATUS_USAGE, "--%s: %s", name, f.text);
}

static void read_pids(void)
{
    const struct opt_list *list = &bench.set.pids;
    bench.pids = mem_zero((list->count + 1) * sizeof(*bench.pids));
    for (size_t i = 0; i < list->count; i++) {
        struct fault f;
        if (num_parse(span_of(list->at[i]), 1, INT32_MAX, &bench.pids[i], &f) < 0)
            tool_fail(STATUS_USAGE, "--pid: %s: %s", list->at[i], f.text);
        int64_t unused_ms;
        if (process_cpu(bench.pids[i], &unused_ms, &f) < 0)
            tool_fail(STATUS_USAGE, "--pid: %s", f.text);
    }
}

static struct event event_for(const struct room *room, struct span data)
{
    static char time[CLOCK_STAMP_BYTES];
    clock_stamp(clock_wall_ms(), time);
    struct event e = {.type = span_of("bench"), .room_count = 1, .version = -1, .data = data};
    e.room = e.rooms[0] = span_of(room->name);
    e.time = span_of(time);
    return e;
}

static void name_room(uint32_t number)
{
    struct room *room = &bench.rooms[number];
    struct buf name = {0};
    char digits[16];
    struct fault f;
    snprintf(digits, sizeof(digits), "%" PRIu32, number);
    const struct fill_value value = {'n', span_of(digits)};
    fill_text(&name, bench.set.room_name, &value, 1);
    if (room_check(buf_span(&name), &f) < 0)
        tool_fail(STATUS_USAGE, "--room-name: %s", f.text);
    room->name = name.at;

    struct event e = event_for(room, span_of("\"\""));
    buf_clear(&bench.event);
    event_format(&e, &bench.event);
    size_t least = bench.event.len + TALLY_MARK_BYTES_MAX;
    if ((size_t)bench.set.size < least)
        tool_fail(STATUS_USAGE, "--size: %" PRId64 ": an event in %s needs %zu bytes",
                  bench.set.size, room->name, least);
    room->filler = (size_t)bench.set.size - bench.event.len;
}

static void check_usage(void)
{
    const struct settings *set = &bench.set;
    if (!set->url)
        tool_fail(STATUS_USAGE, "--url is missing: where is the gateway?");
    if (set->rooms > set->clients)
        tool_fail(STATUS_USAGE, "--rooms: %" PRId64 " rooms for %" PRId64 " clients", set->rooms,
                  set->clients);
}

/* Before Redis is asked for anything: with the names of the first client. */
static void check_url(const char *option, const char *text)
{
    const struct fill_value values[] = {{'r', span_of(bench.rooms[0].name)}, {'c', span_of("0")}};
    struct buf filled = {0};
    struct ws_url url = {0};
    struct fault f;
    fill_text(&filled, text, values, 2);
    if (ws_url_parse(&url, filled.at, &f) < 0)
        tool_fail(STATUS_USAGE, "--%s: %s", option, f.text);
    ws_url_fini(&url);
    buf_fini(&filled);
}

static void prepare(void)
{
    const struct settings *set = &bench.set;
    decode(&bench.hello, "subscribe", set->subscribe);
    decode(&bench.publish_hello, "publish-hello", set->publish_hello);
    decode(&bench.publish_message, "publish-message", set->publish_message);
    read_pids();
    tally_init(&bench.tally, (size_t)set->rooms);
    bench.rooms = mem_zero((size_t)set->rooms * sizeof(*bench.rooms));
    for (uint32_t i = 0; i < set->rooms; i++)
        name_room(i);
    check_url("url", set->url);
    if (set->publish_url)
        check_url("publish-url", set->publish_url);
    bench.token = tool_secret(set->token_file, "COLLAB_TOKEN");
}

/* --- what the server uses --- */

static void measure(struct usage *u)
{
    struct fault f;
    *u = (struct usage){.at_ns = clock_steady_ns()};
    for (size_t i = 0; i < bench.set.pids.count; i++)
        if (process_cpu(bench.pids[i], &u->cpu_ms, &f) < 0 ||
            process_memory(bench.pids[i], &u->memory, &f) < 0)
            tool_fail(STATUS_UNREACHABLE, "--pid: %s", f.text);
}

/* --- publishing --- */

static void on_published(void *arg, enum store_result result, const char *why)
{
    (void)arg;
    if (result != STORE_DONE)
        tool_fail(STATUS_UNREACHABLE, "publishing: %s", why);
}

static void publish_by_ws(struct room *room, struct event *e)
{
    char length[16];
    buf_clear(&bench.event);
    event_format(e, &bench.event);
    snprintf(length, sizeof(length), "%zu", bench.event.len);
    const struct fill_value values[] = {
        {'r', e->room},
        {'d', e->data},
        {'e', buf_span(&bench.event)},
        {'l', span_of(length)},
    };
    buf_clear(&bench.message);
    fill_text(&bench.message, bench.publish_message.at, values, 4);
    client_send(room->publisher, buf_span(&bench.message));
}

static void publish(void)
{
    uint32_t number = bench.next_room;
    struct room *room = &bench.rooms[number];
    struct buf *data = &bench.data;
    bench.next_room = (number + 1) % (uint32_t)bench.set.rooms;

    buf_clear(data);
    buf_char(data, '"');
    tally_send(&bench.tally, number, clock_steady_ns(), data);
    assert(data->len <= room->filler + 1);
    size_t fill = room->filler + 1 - data->len;
    memset(buf_room(data, fill), 'x', fill);
    data->len += fill;
    buf_char(data, '"');

    struct event e = event_for(room, buf_span(data));
    bench.published++;
    if (bench.set.publish == BY_REDIS)
        store_publish(bench.store, &e, on_published, NULL);
    else
        publish_by_ws(room, &e);
}

static bool is_publishing(void)
{
    uint64_t limit = (uint64_t)bench.set.events;
    if (bench.phase == MEASURING && limit > 0)
        return bench.published - bench.measured_from < limit;
    return bench.phase == WARMING || bench.phase == MEASURING;
}

static void enter(enum phase phase);

/* Flat out: what arrived meanwhile makes room for as many, which leave together. */
static void on_before_wait(uv_prepare_t *handle)
{
    (void)handle;
    while (bench.set.rate == 0 && is_publishing() &&
           bench.tally.outstanding < (size_t)bench.set.window)
        publish();
    if (bench.phase == MEASURING && !is_publishing() && bench.tally.outstanding == 0)
        enter(DRAINING);
}

static void on_pace(uv_timer_t *timer)
{
    (void)timer;
    double seconds = (double)(clock_steady_ns() - bench.publishing_since_ns) / 1e9;
    uint64_t due = (uint64_t)(seconds * (double)bench.set.rate);
    while (is_publishing() && bench.published < due)
        publish();
}

/* --- phases --- */

static void report(void);

static void finish(void)
{
    const struct tally *t = &bench.tally;
    report();
    if (t->lost > 0)
        tool_stop(STATUS_LOST);
    else
        tool_stop(t->duplicated + t->disordered + t->strayed + bench.gone > 0 ? STATUS_NO
                                                                              : STATUS_OK);
}

static void on_phase_over(uv_timer_t *timer)
{
    (void)timer;
    enter(bench.phase + 1);
}

static void last(int64_t ms)
{
    uv_timer_start(&bench.phase_timer, on_phase_over, (uint64_t)ms, 0);
}

static void begin_publishing(void)
{
    bench.publishing_since_ns = clock_steady_ns();
    uv_prepare_start(&bench.before_wait, on_before_wait);
    if (bench.set.rate > 0)
        uv_timer_start(&bench.pacer, on_pace, PACE_MS, PACE_MS);
    last(bench.set.warmup_ms);
}

static void begin_measuring(void)
{
    tally_restart(&bench.tally);
    bench.measured_from = bench.published;
    measure(&bench.from);
    if (bench.set.events == 0)
        last(bench.set.duration_ms);
}

static void begin_draining(void)
{
    measure(&bench.to);
    bench.result = bench.tally.now;
    uv_prepare_stop(&bench.before_wait);
    uv_timer_stop(&bench.pacer);
}

static void enter(enum phase phase)
{
    bench.phase = phase;
    switch (phase) {
    case CONNECTING:
        break;
    case SETTLING:
        bench.ready_ns = clock_steady_ns();
        last(bench.set.settle_ms);
        break;
    case WARMING:
        measure(&bench.settled);
        if (bench.set.duration_ms == 0)
            finish();
        else
            begin_publishing();
        break;
    case MEASURING:
        begin_measuring();
        break;
    case DRAINING:
        begin_draining();
        break;
    }
}

/* --- clients --- */

static void note_ready(struct end *e)
{
    e->ready = true;
    bench.last_ready_ms = clock_steady_ms();
    if (++bench.ready == bench.end_count && bench.phase == CONNECTING)
        enter(SETTLING);
}

/* Fills a template that may name a client's room and number. */
static void fill_for(const struct end *e, const char *text, struct buf *out)
{
    char number[24];
    snprintf(number, sizeof(number), "%td", e - bench.ends);
    const struct fill_value values[] = {
        {'r', span_of(bench.rooms[e->receiver.room].name)},
        {'c', span_of(number)},
    };
    fill_text(out, text, values, 2);
}

static void send_filled(struct client *c, const struct end *e, const struct buf *text)
{
    buf_clear(&bench.message);
    fill_for(e, text->at, &bench.message);
    client_send(c, buf_span(&bench.message));
}

static void on_open(struct client *c, void *ctx)
{
    struct end *e = ctx;
    const struct buf *hello = e->is_publisher ? &bench.publish_hello : &bench.hello;
    if (hello->len > 0)
        send_filled(c, e, hello);
    if (e->is_publisher || !*bench.set.subscribed)
        note_ready(e);
}

static void on_message(struct client *c, void *ctx, struct span text)
{
    (void)c;
    struct end *e = ctx;
    const char *answer = bench.set.subscribed;
    if (e->is_publisher)
        return;
    if (e->ready) {
        tally_receive(&bench.tally, &e->receiver, text, clock_steady_ns());
        return;
    }
    if (memmem(text.at, text.len, answer, strlen(answer)))
        note_ready(e);
    else
        snprintf(bench.excerpt, sizeof(bench.excerpt), "%.*s", (int)text.len, text.at);
}

static void on_closed(struct client *c, void *ctx, int code, struct span why)
{
    (void)c;
    struct end *e = ctx;
    struct buf text = {0};
    buf_printf(&text, "%s: %.*s", bench.set.url, (int)why.len, why.at);
    if (code != 0)
        buf_printf(&text, " (close code %d)", code);
    if (bench.phase == CONNECTING || e->is_publisher)
        tool_fail(client_is_refused(code, why) ? STATUS_FORBIDDEN : STATUS_UNREACHABLE, "%s",
                  text.at);
    if (bench.gone++ == 0)
        tool_say("%s", text.at);
    buf_fini(&text);
}

static struct client *open_end(struct end *e, const char *url)
{
    struct buf filled = {0};
    fill_for(e, url, &filled);
    struct client_target target = {filled.at, bench.token, bench.set.protocol, bench.set.binary};
    struct fault f;
    struct client *c = client_open(bench.net, &target, e, &f);
    if (!c)
        tool_fail(STATUS_USAGE, "%s", f.text);
    buf_fini(&filled);
    return c;
}

/* Publishers come after the clients: one, or one for each room where the URL tells rooms apart. */
static void open_publishers(const char *url, size_t count)
{
    struct client *c = NULL;
    for (uint32_t i = 0; i < bench.set.rooms; i++) {
        struct end *e = &bench.ends[(size_t)bench.set.clients + (i < count ? i : 0)];
        e->is_publisher = true;
        if (i < count) {
            e->receiver.room = i;
            c = open_end(e, url);
        }
        bench.rooms[i].publisher = c;
    }
}

static void open_all(void)
{
    const struct settings *set = &bench.set;
    static const struct client_hooks hooks = {on_open, on_message, on_closed};
    const char *publish_url = set->publish_url ? set->publish_url : set->url;
    size_t publishers = 0;
    if (set->publish == BY_WS && set->duration_ms > 0)
        publishers = strstr(publish_url, "%r") ? (size_t)set->rooms : 1;

    bench.end_count = (size_t)set->clients + publishers;
    bench.ends = mem_zero(bench.end_count * sizeof(*bench.ends));
    bench.net = client_net_new(tool_loop(), (int)bench.end_count, &hooks);
    measure(&bench.began);
    bench.last_ready_ms = clock_steady_ms();
    for (size_t i = 0; i < (size_t)set->clients; i++) {
        tally_join(&bench.tally, &bench.ends[i].receiver, (uint32_t)(i % (size_t)set->rooms));
        open_end(&bench.ends[i], set->url);
    }
    if (publishers > 0)
        open_publishers(publish_url, publishers);
}

static void on_up(void *ctx)
{
    (void)ctx;
    if (!bench.ends)
        open_all();
}

static void on_down(void *ctx, const char *why)
{
    (void)ctx;
    tool_unreachable(why);
}

/* --- the clock --- */

static void check_answers(void)
{
    if (clock_steady_ms() - bench.last_ready_ms < ANSWER_MS)
        return;
    tool_fail(STATUS_UNREACHABLE,
              "%s: %zu of %zu clients are ready, and no answer came any more; the last other one "
              "was %s",
              bench.set.url, bench.ready, bench.end_count, fault_quote(span_of(bench.excerpt)));
}

static void show_progress(void)
{
    const struct tally *t = &bench.tally;
    if (bench.phase == CONNECTING)
        tool_progress("%zu of %zu clients are ready", bench.ready, bench.end_count);
    else if (bench.phase == MEASURING)
        tool_progress("%.0f s: %" PRIu64 " events, %" PRIu64 " deliveries",
                      (double)(clock_steady_ns() - bench.from.at_ns) / 1e9, t->now.sent,
                      t->now.deliveries);
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
    show_progress();
    if (bench.phase == CONNECTING && bench.ends)
        check_answers();
    if (bench.phase < WARMING)
        return;
    tally_give_up(&bench.tally, clock_steady_ns() - (int64_t)GIVE_UP_MS * 1000000);
    if (bench.phase == DRAINING && bench.tally.outstanding == 0)
        finish();
}

/* --- the report --- */

struct report {
    double connect_s, connect_cpu_us, connection_bytes; /* the last two for each client */
    double seconds, events_s, deliveries_s;
    double cpu_s, cpu_percent, deliveries_cpu_s;
    double p50_ms, p99_ms, max_ms;
};

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

static struct report make_report(void)
{
    const struct tally_figures *got = &bench.result;
    double clients = (double)bench.set.clients;
    struct report r = {
        .connect_s = (double)(bench.ready_ns - bench.began.at_ns) / 1e9,
        .connect_cpu_us = (double)(bench.settled.cpu_ms - bench.began.cpu_ms) * 1000 / clients,
        .connection_bytes = (double)(bench.settled.memory - bench.began.memory) / clients,
        .seconds = (double)(bench.to.at_ns - bench.from.at_ns) / 1e9,
        .cpu_s = (double)(bench.to.cpu_ms - bench.from.cpu_ms) / 1e3,
        .p50_ms = (double)histogram_quantile(&got->latency_ns, 0.5) / 1e6,
        .p99_ms = (double)histogram_quantile(&got->latency_ns, 0.99) / 1e6,
        .max_ms = (double)got->latency_ns.max / 1e6,
    };
    r.events_s = ratio((double)got->sent, r.seconds);
    r.deliveries_s = ratio((double)got->deliveries, r.seconds);
    r.deliveries_cpu_s = ratio((double)got->deliveries, r.cpu_s);
    r.cpu_percent = 100 * ratio(r.cpu_s, r.seconds);
    return r;
}

/* A number for people: its digits in groups of three. In one of a few static buffers. */
static const char *grouped(double number)
{
    static char texts[8][32];
    static unsigned turn;
    char digits[32];
    char *out = texts[turn++ % 8];
    size_t len = (size_t)snprintf(digits, sizeof(digits), "%.0f", number);
    size_t at = 0;
    for (size_t i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0 && digits[i - 1] != '-')
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

static void write_measured(const struct report *r, struct buf *out)
{
    const struct tally *t = &bench.tally;
    buf_printf(out, "events      %s of %s bytes in %.2f s, %s/s\n",
               grouped((double)bench.result.sent), grouped((double)bench.set.size), r->seconds,
               grouped(r->events_s));
    buf_printf(out, "deliveries  %s, %s/s\n", grouped((double)bench.result.deliveries),
               grouped(r->deliveries_s));
    if (bench.set.pids.count > 0)
        buf_printf(out,
                   "server      %.2f s of CPU, %.1f%% of a core, %s deliveries for each second\n",
                   r->cpu_s, r->cpu_percent, grouped(r->deliveries_cpu_s));
    buf_printf(out, "latency     p50 %.3f ms, p99 %.3f ms, max %.3f ms\n", r->p50_ms, r->p99_ms,
               r->max_ms);
    buf_printf(out, "lost        %s; duplicated %s, out of order %s, astray %s\n",
               grouped((double)t->lost), grouped((double)t->duplicated),
               grouped((double)t->disordered), grouped((double)t->strayed));
}

static void write_text(const struct report *r, struct buf *out)
{
    buf_printf(out, "clients     %s in %s room%s, ready in %.2f s, %s/s\n",
               grouped((double)bench.set.clients), grouped((double)bench.set.rooms),
               bench.set.rooms > 1 ? "s" : "", r->connect_s,
               grouped(ratio((double)bench.set.clients, r->connect_s)));
    if (bench.set.pids.count > 0)
        buf_printf(out, "each        %.1f us of the server's CPU to connect, %s bytes of memory\n",
                   r->connect_cpu_us, grouped(r->connection_bytes));
    if (bench.set.duration_ms > 0)
        write_measured(r, out);
    if (bench.gone > 0)
        buf_printf(out, "gone        %s clients were closed\n", grouped((double)bench.gone));
}

static void add_measured(const struct report *r, struct json *top)
{
    const struct tally *t = &bench.tally;
    json_add_number(top, "seconds", r->seconds);
    json_add_number(top, "events", (double)bench.result.sent);
    json_add_number(top, "events_per_second", r->events_s);
    json_add_number(top, "deliveries", (double)bench.result.deliveries);
    json_add_number(top, "deliveries_per_second", r->deliveries_s);
    if (bench.set.pids.count > 0) {
        json_add_number(top, "cpu_seconds", r->cpu_s);
        json_add_number(top, "cpu_percent", r->cpu_percent);
        json_add_number(top, "deliveries_per_cpu_second", r->deliveries_cpu_s);
    }
    struct json *latency = json_add_object(top, "latency_ms");
    json_add_number(latency, "p50", r->p50_ms);
    json_add_number(latency, "p99", r->p99_ms);
    json_add_number(latency, "max", r->max_ms);
    json_add_number(top, "expected", (double)t->expected);
    json_add_number(top, "lost", (double)t->lost);
    json_add_number(top, "duplicated", (double)t->duplicated);
    json_add_number(top, "out_of_order", (double)t->disordered);
    json_add_number(top, "astray", (double)t->strayed);
}

static void write_json(const struct report *r, struct buf *out)
{
    struct json *top = json_new_object();
    json_add_number(top, "clients", (double)bench.set.clients);
    json_add_number(top, "rooms", (double)bench.set.rooms);
    json_add_number(top, "size_bytes", (double)bench.set.size);
    struct json *connect = json_add_object(top, "connect");
    json_add_number(connect, "seconds", r->connect_s);
    if (bench.set.pids.count > 0) {
        json_add_number(connect, "cpu_us_each", r->connect_cpu_us);
        json_add_number(connect, "memory_bytes_each", r->connection_bytes);
    }
    if (bench.set.duration_ms > 0)
        add_measured(r, top);
    json_add_number(top, "clients_gone", (double)bench.gone);
    json_write(top, out);
    buf_char(out, '\n');
    json_free(top);
}

static void report(void)
{
    struct report r = make_report();
    struct buf out = {0};
    if (bench.set.format == JSON)
        write_json(&r, &out);
    else
        write_text(&r, &out);
    tool_out_raw(buf_span(&out));
    buf_fini(&out);
}

/* --- */

static void begin(void)
{
    static const struct store_hooks hooks = {.up = on_up, .down = on_down};
    uv_timer_init(tool_loop(), &bench.phase_timer);
    uv_timer_init(tool_loop(), &bench.tick);
    uv_timer_init(tool_loop(), &bench.pacer);
    uv_prepare_init(tool_loop(), &bench.before_wait);
    uv_timer_start(&bench.tick, on_tick, TICK_MS, TICK_MS);
    if (bench.set.publish == BY_REDIS && bench.set.duration_ms > 0)
        bench.store = store_open(tool_loop(), tool_redis(bench.set.redis), &hooks, NULL);
    else
        open_all();
}

static void clean_up(void)
{
    if (bench.store)
        store_close(bench.store);
    if (bench.net)
        client_net_free(bench.net);
    uv_close((uv_handle_t *)&bench.phase_timer, NULL);
    uv_close((uv_handle_t *)&bench.tick, NULL);
    uv_close((uv_handle_t *)&bench.pacer, NULL);
    uv_close((uv_handle_t *)&bench.before_wait, NULL);
    for (size_t i = 0; i < (size_t)bench.set.rooms; i++)
        free(bench.rooms[i].name);
    free(bench.rooms);
    free(bench.ends);
    free(bench.pids);
    free(bench.token);
    tally_fini(&bench.tally);
    struct buf *bufs[] = {&bench.hello, &bench.publish_hello, &bench.publish_message,
                          &bench.data,  &bench.event,         &bench.message};
    for (size_t i = 0; i < sizeof(bufs) / sizeof(*bufs); i++)
        buf_fini(bufs[i]);
    opt_free(&program, &bench.set);
}

int main(int argc, char **argv)
{
    tool_start(&program, &bench.set, argc, argv);
    check_usage();
    prepare();
    begin();
    int status = tool_run();
    clean_up();
    return status;
}
