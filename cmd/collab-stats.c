/* collab-stats: shows the nodes of a cluster and what they do, from their records in Redis. */
#include "catalog.h"
#include "clock.h"
#include "due.h"
#include "ident.h"
#include "json.h"
#include "mem.h"
#include "metric.h"
#include "num.h"
#include "store.h"
#include "tool.h"
#include "view.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_PROMETHEUS };

struct settings {
    int format;
    int sort; /* 0: by name; else the column with that number, from 1 */
    int64_t interval_ms;
    int64_t count;
    char *redis;
    bool check;
    bool waiting;
    int64_t within_ms;
};

/* The table's numbers: where each stands in a node's record. */
static const struct column {
    const char *title;
    const char *path;
} columns[] = {
    {"CLIENTS", "metrics.connections"},  {"ROOMS", "metrics.rooms"},
    {"JOINS", "metrics.joins"},          {"EVENTS/S", "rates.events_in"},
    {"DELIV/S", "rates.deliveries"},     {"MESSAGES/S", "rates.messages_in"},
    {"WAITING", "metrics.outbox_bytes"},
};
enum { COLUMN_COUNT = sizeof(columns) / sizeof(*columns) };

static const char *const rate_names[] = {"events_in", "events_out", "deliveries", "messages_in",
                                         "sent_bytes"};
enum { RATE_COUNT = sizeof(rate_names) / sizeof(*rate_names) };

#define AT(field) offsetof(struct settings, field)
static const struct opt rows[] = {
    {0, "format", "text|json|prometheus", OPT_CHOICE, AT(format), .preset = "text",
     .help = "how a sample is printed"},
    {'s', "sort", "node|clients|rooms|joins|events|deliveries|messages|waiting", OPT_CHOICE,
     AT(sort), .preset = "node", .help = "order of the nodes: by name, or largest first"},
    {'i', "interval", "TIME", OPT_MS, AT(interval_ms), .preset = "2s", .min = 100,
     .max = 24 * 3600 * 1000, .help = "time from one sample to the next"},
    {'C', "count", "N", OPT_INT, AT(count), .min = 1, .max = INT64_MAX,
     .help = "stop after so many samples (else 1; on a terminal, none)"},
    {0, "check", NULL, OPT_FLAG, AT(check),
     .help = "say in a line whether all is well, for Nagios and cron; the status is 0, 1 for a "
             "warning, 2 when it is not, 3 when that is unknown"},
    {0, "waiting", NULL, OPT_FLAG, AT(waiting),
     .help = "count the events that wait for users who are away, and print that instead"},
    {'W', "limit", "TIME", OPT_MS, AT(within_ms), .preset = "5s", .min = 1, .max = 3600 * 1000,
     .help = "how long a check may take"},
    {0, "redis", "URL", OPT_TEXT, AT(redis), .help = "where Redis is (else $COLLAB_REDIS)"},
};

static const struct opt_program program = {
    .name = "collab-stats",
    .operands = "",
    .purpose = "Shows the gateways of a cluster: connections, rooms, rates.",
    .rows = rows,
    .row_count = sizeof(rows) / sizeof(*rows),
};

struct node {
    char *id;
    char *record; /* JSON */
    double values[COLUMN_COUNT];
};

enum { PROBE_CHARS = 16 };

/* Of a check: an event of our own, on its way through Redis and back. */
struct probe {
    char room[PROBE_CHARS + sizeof "check:"];
    int64_t sent_ms; /* steady; 0: not yet */
    int64_t took_ms; /* -1: it has not come */
    uv_timer_t limit;
};

static struct {
    struct settings set;
    const struct redis_address *address;
    struct catalog *catalog; /* of --waiting alone */
    struct store *store;
    uv_timer_t timer;
    uv_signal_t resized;
    bool is_live; /* a screen is redrawn, sample by sample */
    bool was_up;
    bool asking;
    int64_t samples;
    struct node *nodes; /* of the last whole sample */
    size_t node_count;
    struct node *coming; /* of the one that is coming in */
    size_t coming_count;
    struct fault trouble; /* with Redis; empty: none */
    struct probe probe;
    struct buf out;
} stats;

/* --- Nodes --- */

static double number_at(struct span record, const char *path)
{
    struct span value;
    if (!json_find(record, path, &value) || json_type(value) != JSON_NUMBER)
        return 0;
    return strtod(value.at, NULL); /* what follows a number in JSON ends it for strtod() too */
}

/* The text of a string field, fit for a terminal. Freed by free(). */
static char *text_at(const struct node *n, const char *path)
{
    struct span value;
    struct buf text = {0}, tame = {0};
    if (json_find(span_of(n->record), path, &value) && json_type(value) == JSON_STRING)
        json_decode(value, &text);
    view_tame(buf_span(&text), &tame);
    buf_fini(&text);
    return tame.at ? tame.at : mem_text("?");
}

static void free_nodes(struct node **nodes, size_t *count)
{
    for (size_t i = 0; i < *count; i++) {
        free((*nodes)[i].id);
        free((*nodes)[i].record);
    }
    free(*nodes);
    *nodes = NULL;
    *count = 0;
}

static void on_node(void *arg, struct span id, struct span record)
{
    (void)arg;
    struct fault f;
    if (json_check(record, &f) < 0 || json_type(json_trim(record)) != JSON_OBJECT) {
        tool_say("node %s: its record is no JSON object", fault_quote(id));
        return;
    }
    stats.coming = mem_resize(stats.coming, (stats.coming_count + 1) * sizeof(*stats.coming));
    struct node *n = &stats.coming[stats.coming_count++];
    *n = (struct node){.id = span_text(id), .record = span_text(json_trim(record))};
    for (int i = 0; i < COLUMN_COUNT; i++)
        n->values[i] = number_at(span_of(n->record), columns[i].path);
}

static int compare_nodes(const void *a, const void *b)
{
    const struct node *x = a, *y = b;
    int column = stats.set.sort - 1;
    if (column >= 0 && x->values[column] != y->values[column])
        return x->values[column] < y->values[column] ? 1 : -1;
    return strcmp(x->id, y->id);
}

/* --- Text --- */

/* The table: what the screen holds, 0 for no limit, and the columns, each as wide as what has stood
   in it. */
struct layout {
    int screen_rows, screen_columns;
    int name, state, numbers[COLUMN_COUNT];
};

enum { NUMBER_CHARS = 24 };

/* Ends a line, cut to the screen. */
static void end_line(struct buf *line, const struct layout *layout, const char *colour)
{
    size_t most = (size_t)layout->screen_columns;
    struct span text = {line->at, most > 0 && line->len > most ? most : line->len};
    while (text.len < line->len && text.len > 0 && (line->at[text.len] & 0xc0) == 0x80)
        text.len--; /* no character is cut in two */
    if (colour && tool_colour())
        buf_printf(&stats.out, "%s%.*s\033[m", colour, (int)text.len, text.at);
    else
        buf_join(&stats.out, text);
    buf_text(&stats.out, stats.is_live ? "\033[K\n" : "\n");
    buf_clear(line);
}

/* Returns what belongs into a column, in as few characters as it takes. */
static const char *number_text(double number, char text[static NUMBER_CHARS])
{
    if (number >= 1e9)
        snprintf(text, NUMBER_CHARS, "%.1fG", number / 1e9);
    else if (number >= 1e6)
        snprintf(text, NUMBER_CHARS, "%.1fM", number / 1e6);
    else
        snprintf(text, NUMBER_CHARS, "%.0f", number);
    return text;
}

/* Columns that the screen has no room for are left out. */
static void add_column(struct buf *line, const struct layout *layout, int column, const char *text)
{
    size_t end = line->len + 1 + (size_t)layout->numbers[column];
    if (layout->screen_columns == 0 || end <= (size_t)layout->screen_columns)
        buf_printf(line, " %*s", layout->numbers[column], text);
}

static void add_numbers(struct buf *line, const struct layout *layout, const double *values)
{
    char text[NUMBER_CHARS];
    for (int i = 0; i < COLUMN_COUNT; i++)
        add_column(line, layout, i, number_text(values[i], text));
}

static void add_uptime(struct buf *line, int64_t seconds)
{
    struct buf text = {0};
    if (seconds >= 100 * 86400)
        buf_printf(&text, "%" PRId64 "d", seconds / 86400);
    else if (seconds >= 86400)
        buf_printf(&text, "%" PRId64 "d%02dh", seconds / 86400, (int)(seconds / 3600 % 24));
    else if (seconds >= 3600)
        buf_printf(&text, "%dh%02dm", (int)(seconds / 3600), (int)(seconds / 60 % 60));
    else
        buf_printf(&text, "%dm%02ds", (int)(seconds / 60), (int)(seconds % 60));
    buf_printf(line, " %6s", text.at);
    buf_fini(&text);
}

static void widen(int *width, const char *text)
{
    int len = (int)strlen(text);
    if (len > *width)
        *width = len;
}

static void widen_numbers(struct layout *layout, const double *values)
{
    char text[NUMBER_CHARS];
    for (int i = 0; i < COLUMN_COUNT; i++)
        widen(&layout->numbers[i], number_text(values[i], text));
}

static void sum_columns(double totals[COLUMN_COUNT])
{
    for (size_t k = 0; k < stats.node_count; k++)
        for (int i = 0; i < COLUMN_COUNT; i++)
            totals[i] += stats.nodes[k].values[i];
}

/* Columns never get narrower: a table that is redrawn would be hard to read. */
static void measure(struct layout *layout, const double *totals)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
        layout->screen_rows = stats.is_live ? size.ws_row : 0;
        layout->screen_columns = size.ws_col;
    }
    widen(&layout->name, "TOTAL");
    widen(&layout->state, "STATE");
    for (int i = 0; i < COLUMN_COUNT; i++)
        widen(&layout->numbers[i], columns[i].title);
    widen_numbers(layout, totals);
    for (size_t k = 0; k < stats.node_count; k++) {
        char *state = text_at(&stats.nodes[k], "state");
        widen(&layout->name, stats.nodes[k].id);
        widen(&layout->state, state);
        widen_numbers(layout, stats.nodes[k].values);
        free(state);
    }
}

static void draw_node(const struct node *n, const struct layout *layout)
{
    struct buf line = {0};
    char *state = text_at(n, "state");
    buf_printf(&line, "%-*s %-*s", layout->name, n->id, layout->state, state);
    add_uptime(&line, (int64_t)number_at(span_of(n->record), "uptime_s"));
    add_numbers(&line, layout, n->values);
    end_line(&line, layout, strcmp(state, "ready") == 0 ? NULL : "\033[33m");
    free(state);
    buf_fini(&line);
}

static void draw_head(const struct layout *layout)
{
    struct buf line = {0};
    if (stats.is_live) {
        char now[CLOCK_STAMP_BYTES];
        clock_stamp(clock_wall_ms(), now);
        buf_printf(&line, "%zu node%s  %s  %s", stats.node_count, stats.node_count == 1 ? "" : "s",
                   now, stats.address->label);
        end_line(&line, layout, NULL);
        if (*stats.trouble.text)
            buf_printf(&line, "%s; trying again", stats.trouble.text);
        end_line(&line, layout, "\033[31m");
    }
    buf_printf(&line, "%-*s %-*s %6s", layout->name, "NODE", layout->state, "STATE", "UPTIME");
    for (int i = 0; i < COLUMN_COUNT; i++)
        add_column(&line, layout, i, columns[i].title);
    end_line(&line, layout, "\033[1m");
    buf_fini(&line);
}

static void draw_total(const struct layout *layout, const double *totals)
{
    struct buf line = {0};
    buf_printf(&line, "%-*s %-*s %6s", layout->name, "TOTAL", layout->state, "", "");
    add_numbers(&line, layout, totals);
    end_line(&line, layout, "\033[1m");
    buf_fini(&line);
}

/* As many nodes as the screen holds beside the other lines; the total is of all. */
static size_t visible_nodes(int screen_rows)
{
    enum { OTHER_LINES = 6 };
    size_t most = screen_rows > OTHER_LINES ? (size_t)(screen_rows - OTHER_LINES) : 1;
    return screen_rows == 0 || stats.node_count <= most ? stats.node_count : most;
}

static void draw_text(void)
{
    static struct layout layout;
    struct buf line = {0};
    double totals[COLUMN_COUNT] = {0};
    sum_columns(totals);
    measure(&layout, totals);
    size_t visible = visible_nodes(layout.screen_rows);
    draw_head(&layout);
    for (size_t i = 0; i < visible; i++)
        draw_node(&stats.nodes[i], &layout);
    if (visible < stats.node_count) {
        buf_printf(&line, "... and %zu more", stats.node_count - visible);
        end_line(&line, &layout, NULL);
    }
    draw_total(&layout, totals);
    buf_fini(&line);
}

/* --- JSON --- */

static void add_node(struct metrics *sum, double rates[RATE_COUNT], struct span record)
{
    struct metrics one;
    struct span found;
    if (json_get(record, "metrics", &found)) {
        metrics_read(&one, found);
        for (int i = 0; i < METRIC_COUNT; i++)
            sum->value[i] += one.value[i];
    }
    if (json_get(record, "rates", &found))
        for (int i = 0; i < RATE_COUNT; i++)
            rates[i] += number_at(found, rate_names[i]);
}

static void add_totals(struct json *document)
{
    struct metrics sum = {0};
    double rates[RATE_COUNT] = {0};
    for (size_t i = 0; i < stats.node_count; i++)
        add_node(&sum, rates, span_of(stats.nodes[i].record));
    struct json *totals = json_add_object(document, "totals");
    json_add_number(totals, "nodes", (double)stats.node_count);
    metrics_add(&sum, json_add_object(totals, "metrics"));
    struct json *object = json_add_object(totals, "rates");
    for (int i = 0; i < RATE_COUNT; i++)
        json_add_number(object, rate_names[i], rates[i]);
}

static void draw_json(void)
{
    char now[CLOCK_STAMP_BYTES];
    clock_stamp(clock_wall_ms(), now);
    struct buf nodes = {0};
    buf_char(&nodes, '[');
    for (size_t i = 0; i < stats.node_count; i++)
        buf_printf(&nodes, "%s%s", i > 0 ? "," : "", stats.nodes[i].record);
    buf_char(&nodes, ']');

    struct json *document = json_new_object();
    json_add_text(document, "time", now);
    json_add_raw(document, "nodes", buf_span(&nodes));
    add_totals(document);
    json_write(document, &stats.out);
    buf_char(&stats.out, '\n');
    json_free(document);
    buf_fini(&nodes);
}

/* --- Prometheus --- */

/* node="NAME", escaped as the text format asks. */
static void add_label(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "%s=\"", name);
    for (; *value; value++) {
        if (*value == '\n')
            buf_text(out, "\\n");
        else if (*value == '"' || *value == '\\')
            buf_printf(out, "\\%c", *value);
        else
            buf_char(out, *value);
    }
    buf_char(out, '"');
}

static void draw_info(void)
{
    buf_text(&stats.out, "# HELP collab_node_info What a node is; always 1.\n"
                         "# TYPE collab_node_info gauge\n");
    for (size_t i = 0; i < stats.node_count; i++) {
        const struct node *n = &stats.nodes[i];
        static const char *const labels[] = {"version", "host", "address"};
        buf_text(&stats.out, "collab_node_info{");
        add_label(&stats.out, "node", n->id);
        for (size_t k = 0; k < sizeof(labels) / sizeof(*labels); k++) {
            char *text = text_at(n, labels[k]);
            buf_char(&stats.out, ',');
            add_label(&stats.out, labels[k], text);
            free(text);
        }
        buf_text(&stats.out, "} 1\n");
    }
}

/* metrics_prometheus() is for one node: here the samples of a metric have to stand together. */
static void draw_prometheus(void)
{
    struct metrics *each = mem_zero((stats.node_count + 1) * sizeof(*each));
    struct span found;
    for (size_t k = 0; k < stats.node_count; k++)
        if (json_get(span_of(stats.nodes[k].record), "metrics", &found))
            metrics_read(&each[k], found);
    for (int i = 0; i < METRIC_COUNT; i++) {
        const struct metric_row *row = &metric_rows[i];
        buf_printf(&stats.out, "# HELP collab_%s %s\n# TYPE collab_%s %s\n", row->name, row->help,
                   row->name, row->kind == COUNTER ? "counter" : "gauge");
        for (size_t k = 0; k < stats.node_count; k++) {
            buf_printf(&stats.out, "collab_%s{", row->name);
            add_label(&stats.out, "node", stats.nodes[k].id);
            buf_printf(&stats.out, "} %" PRId64 "\n", each[k].value[i]);
        }
    }
    draw_info();
    free(each);
}

/* --- Samples --- */

static void draw(void)
{
    static void (*const draws[])(void) = {draw_text, draw_json, draw_prometheus};
    buf_clear(&stats.out);
    if (stats.is_live)
        buf_text(&stats.out, "\033[H");
    else if (stats.set.format == FORMAT_TEXT && stats.samples > 1)
        buf_char(&stats.out, '\n');
    draws[stats.set.format]();
    if (stats.is_live)
        buf_text(&stats.out, "\033[J");
    tool_out_raw(buf_span(&stats.out));
    tool_flush();
}

static void take_sample(void)
{
    free_nodes(&stats.nodes, &stats.node_count);
    stats.nodes = stats.coming;
    stats.node_count = stats.coming_count;
    stats.coming = NULL;
    stats.coming_count = 0;
    stats.samples++;
    if (stats.node_count > 0)
        qsort(stats.nodes, stats.node_count, sizeof(*stats.nodes), compare_nodes);
}

/* --- The verdict of a check --- */

enum verdict { WELL, WARNING, CRITICAL, UNKNOWN };

static void tell_verdict(enum verdict verdict, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A line as monitoring plugins write it: what is the matter, and figures behind a bar. */
static void tell_verdict(enum verdict verdict, const char *format, ...)
{
    static const char *const words[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};
    va_list arguments;
    buf_clear(&stats.out);
    buf_printf(&stats.out, "COLLAB %s - ", words[verdict]);
    va_start(arguments, format);
    buf_vprintf(&stats.out, format, arguments);
    va_end(arguments);
    tool_out(buf_span(&stats.out));
    tool_stop((enum exit_status)verdict);
}

/* The names of nodes that are not ready, with their state. Returns how many. */
static size_t find_unready(struct buf *out)
{
    size_t count = 0;
    for (size_t i = 0; i < stats.node_count; i++) {
        char *state = text_at(&stats.nodes[i], "state");
        if (strcmp(state, "ready") != 0)
            buf_printf(out, "%s%s is %s", count++ ? ", " : "", stats.nodes[i].id, state);
        free(state);
    }
    return count;
}

static void judge(void)
{
    struct buf unready = {0};
    double clients = 0;
    size_t bad = find_unready(&unready);
    const int64_t took_ms = stats.probe.took_ms;
    for (size_t i = 0; i < stats.node_count; i++)
        clients += stats.nodes[i].values[0];
    if (stats.node_count == 0)
        tell_verdict(CRITICAL, "no node");
    else
        tell_verdict(bad ? WARNING : WELL,
                     "%s%s%zu node%s, %.0f client%s, delivery in %" PRId64
                     " ms|nodes=%zu clients=%.0f delivery=%" PRId64 "ms",
                     bad ? unready.at : "", bad ? "; " : "", stats.node_count,
                     stats.node_count == 1 ? "" : "s", clients, clients == 1 ? "" : "s", took_ms,
                     stats.node_count, clients, took_ms);
    buf_fini(&unready);
}

/* --- Asking --- */

static void on_nodes(void *arg, enum store_result result, const char *why)
{
    (void)arg;
    stats.asking = false;
    if (stats.set.check && result != STORE_DONE) {
        tell_verdict(result == STORE_REFUSED ? UNKNOWN : CRITICAL, "%s: %s", stats.address->label,
                     why);
        return;
    }
    if (result == STORE_REFUSED)
        tool_not_done(result, why);
    if (result != STORE_DONE) {
        free_nodes(&stats.coming, &stats.coming_count);
        return;
    }
    take_sample();
    if (stats.set.check) {
        judge();
        return;
    }
    if (stats.node_count == 0 && stats.samples == 1 && stats.set.format != FORMAT_JSON)
        tool_fail(STATUS_NO, "%s: no node found", stats.address->label);
    draw();
    if (stats.samples == stats.set.count)
        tool_stop(stats.node_count > 0 ? STATUS_OK : STATUS_NO);
}

static void ask(void)
{
    if (stats.asking || !store_is_up(stats.store))
        return;
    stats.asking = true;
    store_nodes(stats.store, on_node, on_nodes, NULL);
}

/* --- The probe of a check --- */

static void probe_published(void *arg, enum store_result result, const char *why)
{
    (void)arg;
    if (result != STORE_DONE)
        tell_verdict(result == STORE_REFUSED ? UNKNOWN : CRITICAL, "%s: %s", stats.address->label,
                     why);
}

static void probe_heard(void *arg, enum store_result result, const char *why)
{
    char now[CLOCK_STAMP_BYTES];
    struct event e = {.version = -1, .type = span_of("check"), .room_count = 1};
    if (result != STORE_DONE) {
        probe_published(arg, result, why);
        return;
    }
    clock_stamp(clock_wall_ms(), now);
    e.time = span_of(now);
    e.rooms[0] = span_of(stats.probe.room);
    stats.probe.sent_ms = clock_steady_ms();
    store_publish(stats.store, &e, probe_published, NULL);
}

static void start_probe(void)
{
    struct span room = span_of(stats.probe.room);
    store_listen(stats.store, &room, 1);
    store_settle(stats.store, probe_heard, NULL);
}

/* It is back: what else there is to know is asked for now. */
static void on_event(void *ctx, struct span room, struct span text)
{
    (void)ctx;
    (void)text;
    if (!span_is(room, stats.probe.room) || stats.probe.took_ms >= 0)
        return;
    stats.probe.took_ms = clock_steady_ms() - stats.probe.sent_ms;
    ask();
}

static void check_is_late(uv_timer_t *timer)
{
    struct buf limit = {0};
    (void)timer;
    num_format_ms(&limit, stats.set.within_ms);
    tell_verdict(CRITICAL, "%s: no answer within %s", stats.address->label, limit.at);
    buf_fini(&limit);
}

static void start_check(void)
{
    struct probe *p = &stats.probe;
    char id[PROBE_CHARS + 1];
    ident_random(id, PROBE_CHARS);
    snprintf(p->room, sizeof(p->room), "check:%s", id);
    p->took_ms = -1;
    uv_timer_init(tool_loop(), &p->limit);
    if (stats.set.check)
        uv_timer_start(&p->limit, check_is_late, (uint64_t)stats.set.within_ms, 0);
}

static void on_timer(uv_timer_t *timer)
{
    (void)timer;
    ask();
}

/* --- What waits --- */

static void write_sum(const struct due_sum *sum, struct buf *out)
{
    if (stats.set.format == FORMAT_TEXT)
        buf_printf(out, "%" PRId64 " users, %" PRId64 " events\n", sum->users, sum->events);
    else if (stats.set.format == FORMAT_JSON)
        buf_printf(out, "{\"users\":%" PRId64 ",\"waiting\":%" PRId64 "}\n", sum->users,
                   sum->events);
    else
        buf_printf(out,
                   "# TYPE collab_waiting_users gauge\ncollab_waiting_users %" PRId64 "\n"
                   "# TYPE collab_waiting_events gauge\ncollab_waiting_events %" PRId64 "\n",
                   sum->users, sum->events);
}

static void tell_sum(void *arg, enum store_result result, const struct due_sum *sum,
                     const char *why)
{
    struct buf text = {0};

    (void)arg;
    if (!sum) {
        tool_not_done(result, why);
        return;
    }
    write_sum(sum, &text);
    tool_out_raw(buf_span(&text));
    buf_fini(&text);
    tool_stop(STATUS_OK);
}

static void on_catalog(struct catalog *c)
{
    stats.catalog = c;
    due_count_all(stats.store, stats.catalog, tell_sum, NULL);
}

static void on_up(void *ctx)
{
    (void)ctx;
    stats.was_up = true;
    stats.trouble = (struct fault){0};
    if (stats.set.waiting)
        tool_catalog(stats.store, on_catalog);
    else if (stats.set.check)
        start_probe();
    else
        ask();
}

static void on_down(void *ctx, const char *why)
{
    (void)ctx;
    if (stats.set.check) {
        tell_verdict(CRITICAL, "%s", why);
        return;
    }
    if (!stats.was_up) {
        tool_unreachable(why);
        return;
    }
    fault_set(&stats.trouble, "%s", why);
    if (stats.is_live)
        draw();
    else
        tool_say("%s; trying again", why);
}

static void on_resized(uv_signal_t *handle, int signum)
{
    (void)handle;
    (void)signum;
    tool_out_raw(span_of("\033[2J"));
    draw();
}

static void start_screen(void)
{
    uv_signal_init(tool_loop(), &stats.resized);
    if (!stats.is_live)
        return;
    uv_signal_start(&stats.resized, on_resized, SIGWINCH);
    tool_out_raw(span_of("\033[2J"));
}

static void clean_up(void)
{
    store_close(stats.store);
    uv_close((uv_handle_t *)&stats.timer, NULL);
    uv_close((uv_handle_t *)&stats.resized, NULL);
    uv_close((uv_handle_t *)&stats.probe.limit, NULL);
    free_nodes(&stats.nodes, &stats.node_count);
    free_nodes(&stats.coming, &stats.coming_count);
    buf_fini(&stats.out);
    catalog_unref(stats.catalog);
    opt_free(&program, &stats.set);
}

int main(int argc, char **argv)
{
    static const struct store_hooks hooks = {.up = on_up, .down = on_down, .event = on_event};
    tool_start(&program, &stats.set, argc, argv);
    if (stats.set.check && stats.set.waiting)
        tool_fail(STATUS_USAGE, "--check and --waiting exclude each other");
    stats.is_live = tool_on_terminal() && stats.set.format == FORMAT_TEXT && stats.set.count != 1 &&
                    !stats.set.check && !stats.set.waiting;
    if (!stats.is_live && stats.set.count == 0)
        stats.set.count = 1;

    stats.address = tool_redis(stats.set.redis);
    stats.store = store_open(tool_loop(), stats.address, &hooks, NULL);
    uint64_t interval_ms = (uint64_t)stats.set.interval_ms;
    uv_timer_init(tool_loop(), &stats.timer);
    if (!stats.set.check && !stats.set.waiting)
        uv_timer_start(&stats.timer, on_timer, interval_ms, interval_ms);
    start_screen();
    start_check();
    int status = tool_run();
    clean_up();
    return status;
}
