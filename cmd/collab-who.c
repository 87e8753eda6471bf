/* collab-who: who is where now, and who comes and goes. */
#include "catalog.h"
#include "clock.h"
#include "due.h"
#include "json.h"
#include "mem.h"
#include "room.h"
#include "store_presence.h"
#include "tool.h"
#include "view.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum format { FORMAT_TEXT, FORMAT_JSON };

struct settings {
    int format;
    bool user;
    bool watch;
    bool waiting;
    int64_t count;
    int64_t limit_ms;
    char *redis;
};

#define AT(field) offsetof(struct settings, field)
static const struct opt rows[] = {
    {0, "format", "text|json", OPT_CHOICE, AT(format), .preset = "text",
     .help = "a table, or a JSON object on each line"},
    {'u', "user", NULL, OPT_FLAG, AT(user),
     .help = "the operand is a user, also if it could be a room"},
    {'w', "watch", NULL, OPT_FLAG, AT(watch), .help = "print who comes and goes, until stopped"},
    {0, "waiting", NULL, OPT_FLAG, AT(waiting),
     .help = "print what waits for the user, on each device and in each room"},
    {'C', "count", "N", OPT_INT, AT(count), .min = 1, .max = INT64_MAX,
     .help = "with --watch: stop after so many lines"},
    {'W', "limit", "TIME", OPT_MS, AT(limit_ms), .min = 1, .max = INT64_MAX,
     .help = "give up after this long, with status 6"},
    {0, "redis", "URL", OPT_TEXT, AT(redis), .help = "where Redis is (else $COLLAB_REDIS)"},
};

static const struct opt_program program = {
    .name = "collab-who",
    .operands = "[ROOM|USER]",
    .purpose = "Shows who is in which room, how users are connected, what waits for one.",
    .rows = rows,
    .row_count = sizeof(rows) / sizeof(*rows),
};

enum subject { ALL_ROOMS, ONE_ROOM, ONE_USER, WAITING };

/* A gateway's life: its node, or NULL when it is over. */
struct owner {
    UT_hash_handle hh;
    char *node;
    char id[];
};

/* A line of the answer: a room, a user in it, a connection, or a room in which events wait. */
struct item {
    char *name;                  /* room, user or connection */
    char *device;                /* for which events wait */
    char *status, *since, *node; /* of a connection */
    enum store_status best;      /* of all connections of a user in a room */
    int64_t count;               /* users, connections, or events */
};

static struct {
    struct settings set;
    enum subject subject;
    char *operand;
    char *encoded; /* the operand as a user, as it stands in JSON */
    struct store *store;
    struct catalog *catalog;
    struct owner *owners;
    struct item *items;
    size_t item_count, item_cap;
    size_t outstanding;
    bool begun;
    int64_t printed;
} who;

/* --- items --------------------------------------------------------------------------------- */

static struct item *add_item(struct span name)
{
    if (who.item_count == who.item_cap) {
        who.item_cap = who.item_cap ? who.item_cap * 2 : 64;
        who.items = mem_resize(who.items, who.item_cap * sizeof(*who.items));
    }
    struct item *x = &who.items[who.item_count++];
    *x = (struct item){.name = span_text(name), .best = STORE_IS_OFFLINE};
    return x;
}

static int compare_items(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    int order = x->device ? strcmp(x->device, y->device) : 0;

    return order != 0 ? order : strcmp(x->name, y->name);
}

static void sort_items(void)
{
    if (who.item_count > 1)
        qsort(who.items, who.item_count, sizeof(*who.items), compare_items);
}

static void free_item(struct item *x)
{
    free(x->name);
    free(x->device);
    free(x->status);
    free(x->node);
    free(x->since);
}

/* --- printing ------------------------------------------------------------------------------ */

/* The text of a user as it stands in JSON, fit for a line. */
static void add_user(struct buf *line, const char *encoded)
{
    struct buf quoted = {0}, text = {0};

    buf_printf(&quoted, "\"%s\"", encoded);
    json_decode(buf_span(&quoted), &text);
    view_tame(buf_span(&text), line);
    buf_fini(&quoted);
    buf_fini(&text);
}

static void write_text(const struct item *x, struct buf *line)
{
    switch (who.subject) {
    case ALL_ROOMS:
        buf_printf(line, "%-40s %8" PRId64, x->name, x->count);
        break;
    case ONE_ROOM:
        add_user(line, x->name);
        buf_printf(line, "%*s %-8s %4" PRId64, line->len < 32 ? (int)(32 - line->len) : 0, "",
                   store_status_word(x->best), x->count);
        break;
    case WAITING:
        buf_printf(line, "%-16s %-40s %8" PRId64, x->device, x->name, x->count);
        break;
    case ONE_USER:
        buf_printf(line, "%-16s %-8s %-24s %s", x->name, x->status, x->since, x->node);
        break;
    }
}

static void write_json(const struct item *x, struct buf *line)
{
    switch (who.subject) {
    case ALL_ROOMS:
        buf_printf(line, "{\"room\":\"%s\",\"count\":%" PRId64 "}", x->name, x->count);
        break;
    case ONE_ROOM:
        buf_printf(line, "{\"user\":\"%s\",\"status\":\"%s\",\"connections\":%" PRId64 "}", x->name,
                   store_status_word(x->best), x->count);
        break;
    case WAITING:
        buf_printf(line, "{\"user\":\"%s\",\"device\":\"%s\",\"room\":\"%s\",", who.encoded,
                   x->device, x->name);
        buf_printf(line, "\"waiting\":%" PRId64 "}", x->count);
        break;
    case ONE_USER:
        buf_printf(line, "{\"user\":\"%s\",\"connection\":\"%s\",\"status\":\"%s\",", who.encoded,
                   x->name, x->status);
        buf_printf(line, "\"since\":\"%s\",\"node\":", x->since);
        json_encode(line, span_of(x->node));
        buf_char(line, '}');
        break;
    }
}

static void print_title(void)
{
    static const char *const titles[] = {
        [ALL_ROOMS] = "ROOM                                        USERS",
        [ONE_ROOM] = "USER                             STATUS   CONNECTIONS",
        [WAITING] = "DEVICE           ROOM                                       WAITING",
        [ONE_USER] = "CONNECTION       STATUS   SINCE                    NODE",
    };

    if (who.set.format == FORMAT_TEXT && tool_on_terminal())
        tool_out(span_of(titles[who.subject]));
}

static void print_items(void)
{
    bool any = false;

    sort_items();
    for (size_t i = 0; i < who.item_count; i++) {
        struct buf line = {0};
        if (who.items[i].count == 0)
            continue;
        if (!any)
            print_title();
        any = true;
        if (who.set.format == FORMAT_JSON)
            write_json(&who.items[i], &line);
        else
            write_text(&who.items[i], &line);
        tool_out(buf_span(&line));
        buf_fini(&line);
    }
    tool_stop(any ? STATUS_OK : STATUS_NO);
}

/* --- asking -------------------------------------------------------------------------------- */

static void answered(enum store_result result, const char *why)
{
    if (result != STORE_DONE)
        tool_not_done(result, why);
    else if (--who.outstanding == 0)
        print_items();
}

/* The node of an owner; NULL: it is dead. */
static const char *node_of(struct span id)
{
    struct owner *o;

    HASH_FIND(hh, who.owners, id.at, id.len, o);
    return o ? o->node : NULL;
}

static void on_answer(void *arg, enum store_result result, const char *why)
{
    (void)arg;
    answered(result, why);
}

/* A connection of the user that is asked about. */
static void take_connection(void *arg, struct span owner, struct span connection,
                            struct span status, struct span since)
{
    const char *node = node_of(owner);

    (void)arg;
    if (!node)
        return;
    struct item *x = add_item(connection);
    x->status = span_text(status);
    x->since = span_text(since);
    x->node = mem_text(node);
    x->count = 1;
}

/* One of a user in the room that is asked about. */
static void count_connection(void *arg, struct span owner, struct span connection,
                             struct span status, struct span since)
{
    struct item *x = &who.items[(size_t)(uintptr_t)arg];
    enum store_status one;

    (void)connection;
    (void)since;
    if (!node_of(owner))
        return;
    x->count++;
    if (store_status_parse(status, &one) && one < x->best)
        x->best = one;
}

static void take_user(void *arg, struct span user, struct span owners)
{
    (void)arg;
    while (owners.len > 0) {
        const char *blank = memchr(owners.at, ' ', owners.len);
        size_t len = blank ? (size_t)(blank - owners.at) : owners.len;
        if (node_of((struct span){owners.at, len})) {
            add_item(user);
            return;
        }
        span_drop(&owners, blank ? len + 1 : len);
    }
}

static void *as_arg(size_t index)
{
    return (void *)(uintptr_t)index; // NOLINT(performance-no-int-to-ptr)
}

static void on_users(void *arg, enum store_result result, int64_t count, const char *why)
{
    (void)arg;
    (void)count;
    who.outstanding += who.item_count;
    for (size_t i = 0; i < who.item_count; i++)
        store_connections(who.store, span_of(who.items[i].name), count_connection, on_answer,
                          as_arg(i));
    answered(result, why);
}

static void no_user(void *arg, struct span user, struct span owners)
{
    (void)arg;
    (void)user;
    (void)owners;
}

static void on_room_count(void *arg, enum store_result result, int64_t count, const char *why)
{
    who.items[(size_t)(uintptr_t)arg].count = count;
    answered(result, why);
}

/* The rooms that owners have noted, each once. */
static void count_rooms(void)
{
    size_t kept = 0;

    sort_items();
    for (size_t i = 0; i < who.item_count; i++) {
        if (kept > 0 && strcmp(who.items[kept - 1].name, who.items[i].name) == 0)
            free_item(&who.items[i]);
        else
            who.items[kept++] = who.items[i];
    }
    who.item_count = kept;
    who.outstanding = kept + 1;
    for (size_t i = 0; i < kept; i++)
        store_who(who.store, STORE_IN_ROOM, span_of(who.items[i].name), 0, no_user, on_room_count,
                  as_arg(i));
    answered(STORE_DONE, NULL);
}

static void take_room(void *arg, enum store_place place, struct span name)
{
    (void)arg;
    if (place == STORE_IN_ROOM)
        add_item(name);
}

static void on_owned(void *arg, enum store_result result, const char *why)
{
    (void)arg;
    if (result != STORE_DONE)
        tool_not_done(result, why);
    else if (--who.outstanding == 0)
        count_rooms();
}

static void find_rooms(void)
{
    struct owner *o;

    who.outstanding = 1;
    for (o = who.owners; o; o = o->hh.next) {
        if (!o->node)
            continue;
        who.outstanding++;
        store_owned(who.store, span_of(o->id), take_room, on_owned, NULL);
    }
    on_owned(NULL, STORE_DONE, NULL);
}

static void take_owner(void *arg, struct span id, struct span node)
{
    struct owner *o = mem_zero(sizeof(*o) + id.len + 1);

    (void)arg;
    memcpy(o->id, id.at, id.len);
    o->node = node.len > 0 ? span_text(node) : NULL;
    HASH_ADD(hh, who.owners, id, id.len, o);
}

static void on_owners(void *arg, enum store_result result, const char *why)
{
    (void)arg;
    if (result != STORE_DONE) {
        tool_not_done(result, why);
        return;
    }
    who.outstanding = 1;
    if (who.subject == ALL_ROOMS)
        find_rooms();
    else if (who.subject == ONE_ROOM)
        store_who(who.store, STORE_IN_ROOM, span_of(who.operand), INT64_MAX, take_user, on_users,
                  NULL);
    else
        store_connections(who.store, span_of(who.encoded), take_connection, on_answer, NULL);
}

/* --- what waits ---------------------------------------------------------------------------- */

static void take_due(void *arg, const struct due_row *row)
{
    (void)arg;
    struct item *x = add_item(row->room);
    x->device = span_text(row->device);
    x->count = row->count;
}

static void on_catalog(struct catalog *c)
{
    who.catalog = c;
    who.outstanding = 1;
    due_count(who.store, who.catalog, span_of(who.operand), take_due, on_answer, NULL);
}

/* --- watching ------------------------------------------------------------------------------ */

static bool is_asked_for(struct span text)
{
    struct span value;

    switch (who.subject) {
    case ONE_ROOM:
        return json_get(text, "room", &value) && json_string_is(value, who.operand);
    case ONE_USER:
        return json_get(text, "user", &value) && json_string_is(value, who.operand);
    default:
        return true;
    }
}

static void print_field(struct buf *line, struct span text, const char *name)
{
    struct span value;
    struct buf plain = {0};

    if (!json_get(text, name, &value))
        return;
    if (json_type(value) == JSON_STRING)
        json_decode(value, &plain);
    else
        buf_join(&plain, value);
    if (line->len > 0)
        buf_char(line, ' ');
    view_tame(buf_span(&plain), line);
    buf_fini(&plain);
}

static void print_event(struct span text)
{
    char now[CLOCK_STAMP_BYTES];
    struct buf line = {0};

    clock_stamp(clock_wall_ms(), now);
    if (who.set.format == FORMAT_JSON) {
        buf_printf(&line, "{\"time\":\"%s\",%.*s", now, (int)text.len - 1, text.at + 1);
    } else {
        buf_text(&line, now);
        print_field(&line, text, "type");
        print_field(&line, text, "room");
        print_field(&line, text, "user");
        print_field(&line, text, "count");
    }
    tool_out(buf_span(&line));
    buf_fini(&line);
    if (++who.printed == who.set.count)
        tool_stop(STATUS_OK);
}

static void on_message(void *ctx, enum store_channel channel, struct span text)
{
    struct fault f;

    (void)ctx;
    if (channel != STORE_PRESENCE || json_check(text, &f) != 0 ||
        json_type(json_trim(text)) != JSON_OBJECT)
        return;
    if (is_asked_for(text))
        print_event(json_trim(text));
}

static void on_settled(void *arg, enum store_result result, const char *why)
{
    (void)arg;
    if (result == STORE_REFUSED)
        tool_not_done(result, why);
    if (result == STORE_DONE)
        tool_say("watching");
}

/* --- main ---------------------------------------------------------------------------------- */

static void on_up(void *ctx)
{
    (void)ctx;
    if (who.set.watch) {
        if (who.begun)
            tool_say("Redis was lost for a while: what came and went meanwhile is not shown");
        store_listen_channel(who.store, STORE_PRESENCE);
        store_settle(who.store, on_settled, NULL);
    } else if (!who.begun && who.subject == WAITING) {
        tool_catalog(who.store, on_catalog);
    } else if (!who.begun) {
        store_owners(who.store, take_owner, on_owners, NULL);
    }
    who.begun = true;
}

static void on_down(void *ctx, const char *why)
{
    (void)ctx;
    if (who.set.watch && who.begun)
        tool_say("%s", why);
    else
        tool_unreachable(why);
}

static void read_operand(int argc, char **argv)
{
    struct fault f;
    struct buf quoted = {0};

    if (argc > 1)
        tool_fail(STATUS_USAGE, "%s: only one room or user", argv[1]);
    if (who.set.waiting && (argc == 0 || who.set.watch))
        tool_fail(STATUS_USAGE, "--waiting is of a USER, and not for --watch");
    if (who.set.user && argc == 0)
        tool_fail(STATUS_USAGE, "--user says that the operand is a user, and there is none");
    if (argc == 0)
        return;
    who.operand = argv[0];
    who.subject = !who.set.user && room_check(span_of(argv[0]), &f) == 0 ? ONE_ROOM : ONE_USER;
    if (who.set.waiting)
        who.subject = WAITING;
    json_encode(&quoted, span_of(argv[0]));
    who.encoded = span_text(json_inside(buf_span(&quoted)));
    buf_fini(&quoted);
}

static void clean_up(void)
{
    struct owner *o, *next;

    HASH_ITER (hh, who.owners, o, next) {
        HASH_DEL(who.owners, o);
        free(o->node);
        free(o);
    }
    for (size_t i = 0; i < who.item_count; i++)
        free_item(&who.items[i]);
    free(who.items);
    free(who.encoded);
    catalog_unref(who.catalog);
    opt_free(&program, &who.set);
}

int main(int argc, char **argv)
{
    static const struct store_hooks hooks = {.up = on_up, .down = on_down, .message = on_message};
    int first = tool_start(&program, &who.set, argc, argv);

    if (who.set.count > 0 && !who.set.watch)
        tool_fail(STATUS_USAGE, "--count is for --watch");
    read_operand(argc - first, argv + first);
    tool_limit(who.set.limit_ms);
    who.store = store_open(tool_loop(), tool_redis(who.set.redis), &hooks, NULL);
    int status = tool_run();
    store_close(who.store);
    clean_up();
    return status;
}
