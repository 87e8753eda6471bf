/* collab-member: who is a member of which room, and in which role. */
#include "catalog_file.h"
#include "json.h"
#include "lines.h"
#include "mem.h"
#include "notice.h"
#include "store_member.h"
#include "terms.h"
#include "tool.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum format { FORMAT_TEXT, FORMAT_JSON };

/* So many changes may be on their way to Redis before the input is held. */
enum { WINDOW = 1000 };

struct settings {
    int format;
    char *catalog;
    int64_t limit_ms;
    bool quiet;
    char *redis;
};

#define AT(field) offsetof(struct settings, field)
static const struct opt rows[] = {
    {0, "format", "text|json", OPT_CHOICE, AT(format), .preset = "text",
     .help = "how members and rooms are printed"},
    {'c', "catalog", "FILE", OPT_TEXT, AT(catalog),
     .help = "the catalog that names the events (else the one that the gateways have in force)"},
    {'q', "quiet", NULL, OPT_FLAG, AT(quiet), .help = "do not say what was changed"},
    {'W', "limit", "TIME", OPT_MS, AT(limit_ms), .min = 1, .max = INT64_MAX,
     .help = "give up after this long, with status 6"},
    {0, "redis", "URL", OPT_TEXT, AT(redis), .help = "where Redis is (else $COLLAB_REDIS)"},
};

static const struct opt_program program = {
    .name = "collab-member",
    .operands = "add|remove|role|list|rooms|load [ROOM] [USER] [ROLE] [FILE]...",
    .purpose = "Adds, removes and lists the members of rooms.",
    .rows = rows,
    .row_count = sizeof(rows) / sizeof(*rows),
};

/* A change on its way to Redis. */
struct ticket {
    struct line from; /* without its text */
    char *room, *user, *role;
};

/* A member or a room, to be printed in order. */
struct item {
    char *name, *role;
};

static struct {
    struct settings set;
    char **operands;
    int operand_count;
    const struct command *command;
    struct catalog *catalog;
    struct store *store;
    struct lines *lines;
    bool begun, ended, held;
    bool refused;
    int outstanding;
    struct item *items;
    size_t item_count;
    int asking; /* answers to come about them */
} member;

/* --- saying -------------------------------------------------------------------------------- */

static void refuse(const struct line *from, const char *why)
{
    member.refused = true;
    if (from->number == 0)
        tool_say("%s", why);
    else if (from->file)
        tool_say("%s: line %" PRIu64 ": %s", from->file, from->number, why);
    else
        tool_say("line %" PRIu64 ": %s", from->number, why);
}

static void stop_when_done(void)
{
    if (member.ended && member.outstanding == 0)
        tool_stop(member.refused ? STATUS_NO : STATUS_OK);
}

static void tell_change(const struct ticket *t, enum store_member_change change)
{
    static const char *const words[] = {
        [STORE_MEMBER_ADDED] = "added",
        [STORE_MEMBER_CHANGED] = "changed",
        [STORE_MEMBER_REMOVED] = "removed",
        [STORE_MEMBER_SAME] = "unchanged",
    };
    struct buf line = {0};

    if (member.set.quiet)
        return;
    buf_printf(&line, "{\"change\":\"%s\",\"room\":", words[change]);
    json_encode(&line, span_of(t->room));
    buf_text(&line, ",\"user\":");
    json_encode(&line, span_of(t->user));
    if (t->role[0] != '\0' && change != STORE_MEMBER_REMOVED) {
        buf_text(&line, ",\"role\":");
        json_encode(&line, span_of(t->role));
    }
    buf_char(&line, '}');
    tool_out(buf_span(&line));
    buf_fini(&line);
}

/* --- changing ------------------------------------------------------------------------------ */

static void ticket_free(struct ticket *t)
{
    free(t->room);
    free(t->user);
    free(t->role);
    free(t);
}

static void on_change(void *arg, enum store_result result, enum store_member_change change,
                      const char *why)
{
    struct ticket *t = arg;
    struct fault f;

    member.outstanding--;
    if (result == STORE_UNAVAILABLE) {
        tool_unreachable(why);
    } else if (result == STORE_REFUSED) {
        refuse(&t->from, why);
    } else if (change == STORE_MEMBER_NONE) {
        fault_set(&f, "%s is no member of %s", t->user, t->room);
        refuse(&t->from, f.text);
    } else {
        tell_change(t, change);
    }
    ticket_free(t);
    if (member.held && member.outstanding < WINDOW / 2) {
        member.held = false;
        lines_resume(member.lines);
    }
    stop_when_done();
}

/* The catalog's events for what may come of the change. */
struct tale {
    struct notice notice;
    struct terms terms;
};
struct telling {
    struct tale added, changed, removed;
    struct buf user, role;
};

static struct store_member_event tell(struct tale *t, const struct catalog_event *e,
                                      const struct notice_fields *fields, struct fault *f,
                                      bool *failed)
{
    if (!e || *failed)
        return (struct store_member_event){NULL, NULL};
    *failed = notice_make(&t->notice, member.catalog, e, fields, NULL, 0, f) != 0 ||
              terms_find(&t->terms, member.catalog, &t->notice.event, f) != 0;
    return (struct store_member_event){&t->notice.event, &t->terms.store};
}

static int prepare(struct telling *t, struct store_member *m, struct fault *f)
{
    const struct catalog_room *rule = catalog_room(member.catalog, m->room, NULL);
    struct span role = m->role.len > 0 ? m->role : span_of(STORE_ROLE);
    struct notice_fields fields = {.room = m->room};
    bool failed = false;

    json_encode(&t->user, m->user);
    json_encode(&t->role, role);
    fields.user = json_inside(buf_span(&t->user));
    if (!rule)
        return 0;
    if (m->op == STORE_MEMBER_REMOVE)
        m->events.removed = tell(&t->removed, rule->removed, &fields, f, &failed);
    fields.role = json_inside(buf_span(&t->role));
    if (m->op == STORE_MEMBER_ADD)
        m->events.added = tell(&t->added, rule->added, &fields, f, &failed);
    if (m->op != STORE_MEMBER_REMOVE && m->role.len > 0)
        m->events.changed = tell(&t->changed, rule->changed, &fields, f, &failed);
    return failed ? -1 : 0;
}

/* The change it was made for speaks of it no more. */
static void telling_fini(struct telling *t, struct store_member *m)
{
    m->events = (struct store_member_events){0};
    notice_fini(&t->added.notice);
    notice_fini(&t->changed.notice);
    notice_fini(&t->removed.notice);
    buf_fini(&t->user);
    buf_fini(&t->role);
}

static int check(const struct store_member *m, struct fault *f)
{
    if (room_check(m->room, f) != 0)
        return -1;
    if (event_check_user(m->user, f) != 0)
        return fault_at(f, "user");
    if (m->op == STORE_MEMBER_ROLE && m->role.len == 0)
        return fault_set(f, "role: it is needed");
    if (m->role.len > STORE_ROLE_BYTES_MAX)
        return fault_set(f, "role: more than %d bytes", STORE_ROLE_BYTES_MAX);
    return m->role.len == 0 || event_check_user(m->role, f) == 0 ? 0 : fault_at(f, "role");
}

static void change(struct store_member *m, const struct line *from)
{
    struct telling telling = {0};
    struct fault f;

    if (check(m, &f) != 0 || prepare(&telling, m, &f) != 0) {
        refuse(from, f.text);
        telling_fini(&telling, m);
        return;
    }
    struct ticket *t = mem_alloc(sizeof(*t));
    *t = (struct ticket){*from, span_text(m->room), span_text(m->user), span_text(m->role)};
    t->from.text = (struct span){0};
    member.outstanding++;
    store_member_change(member.store, m, on_change, t);
    telling_fini(&telling, m);
    if (member.lines && member.outstanding > WINDOW && !member.held) {
        member.held = true;
        lines_pause(member.lines);
    }
}

static struct span operand(int i)
{
    return i < member.operand_count ? span_of(member.operands[i]) : (struct span){0};
}

static void change_one(enum store_member_op op)
{
    static const struct line nowhere;
    struct store_member m = {.op = op, .room = operand(0), .user = operand(1), .role = operand(2)};
    struct fault f;

    if (check(&m, &f) != 0)
        tool_fail(STATUS_USAGE, "%s", f.text);
    change(&m, &nowhere);
    member.ended = true;
    stop_when_done();
}

static void add_member(void)
{
    change_one(STORE_MEMBER_ADD);
}

static void remove_member(void)
{
    change_one(STORE_MEMBER_REMOVE);
}

static void set_role(void)
{
    change_one(STORE_MEMBER_ROLE);
}

/* --- changing many ------------------------------------------------------------------------- */

/* A field that must be a string, or may be absent. Its text is appended to out. */
static int read_text(struct span object, const char *name, bool needed, struct buf *out,
                     struct fault *f)
{
    struct span value;

    if (!json_get(object, name, &value))
        return needed ? fault_set(f, "%s: it is needed", name) : 0;
    if (json_type(value) != JSON_STRING)
        return fault_set(f, "%s: must be a string", name);
    json_decode(value, out);
    return 0;
}

static int check_keys(struct span object, struct fault *f)
{
    static const char *const known[] = {"op", "room", "user", "role", "change"};
    struct json_walk w = json_walk(object);
    struct span key, value;

    while (json_next_member(&w, &key, &value)) {
        size_t i = 0;
        while (i < sizeof(known) / sizeof(*known) && !json_string_is(key, known[i]))
            i++;
        if (i == sizeof(known) / sizeof(*known))
            return fault_set(f, "%.*s: no such field", (int)key.len, key.at);
    }
    return 0;
}

static int find_op(struct span word, enum store_member_op *op, struct fault *f)
{
    static const char *const words[] = {"add", "role", "remove"};

    *op = STORE_MEMBER_ADD;
    for (int i = 0; i < 3; i++) {
        if (span_is(word, words[i]))
            *op = (enum store_member_op)i;
        if (word.len == 0 || span_is(word, words[i]))
            return 0;
    }
    return fault_set(f, "op: must be add, role or remove");
}

struct row {
    struct buf op, room, user, role;
};

static int read_row(struct span text, struct row *row, struct store_member *m, struct fault *f)
{
    if (json_check(text, f) != 0)
        return -1;
    text = json_trim(text);
    if (json_type(text) != JSON_OBJECT)
        return fault_set(f, "must be an object with room and user");
    if (check_keys(text, f) != 0 || read_text(text, "op", false, &row->op, f) != 0 ||
        read_text(text, "room", true, &row->room, f) != 0 ||
        read_text(text, "user", true, &row->user, f) != 0 ||
        read_text(text, "role", false, &row->role, f) != 0 ||
        find_op(buf_span(&row->op), &m->op, f) != 0)
        return -1;
    m->room = buf_span(&row->room);
    m->user = buf_span(&row->user);
    m->role = buf_span(&row->role);
    return 0;
}

static void on_line(void *ctx, const struct line *line)
{
    struct store_member m = {0};
    struct row row = {0};
    struct fault f;

    (void)ctx;
    if (line->text.len == 0)
        return;
    if (read_row(line->text, &row, &m, &f) != 0)
        refuse(line, f.text);
    else
        change(&m, line);
    buf_fini(&row.op);
    buf_fini(&row.room);
    buf_fini(&row.user);
    buf_fini(&row.role);
}

static void on_unread(void *ctx, const struct line *where, const char *why)
{
    (void)ctx;
    member.refused = true;
    if (where->number == 0)
        tool_say("%s: %s", where->file ? where->file : "standard input", why);
    else
        refuse(where, why);
}

static void on_end(void *ctx)
{
    (void)ctx;
    member.ended = true;
    stop_when_done();
}

static void load(void)
{
    static const struct lines_hooks hooks = {on_line, on_unread, on_end};

    member.lines = lines_open(tool_loop(), member.operands, false, &hooks, NULL);
}

/* --- listing ------------------------------------------------------------------------------- */

static void take_item(void *arg, struct span name, struct span role)
{
    (void)arg;
    member.items = mem_resize(member.items, (member.item_count + 1) * sizeof(*member.items));
    member.items[member.item_count++] = (struct item){span_text(name), span_text(role)};
}

static int compare_items(const void *a, const void *b)
{
    return strcmp(((const struct item *)a)->name, ((const struct item *)b)->name);
}

static void print_item(const struct item *x, const char *what)
{
    struct buf line = {0};

    if (member.set.format == FORMAT_TEXT) {
        buf_printf(&line, "%s\t%s", x->name, x->role);
    } else {
        buf_printf(&line, "{\"%s\":", what);
        json_encode(&line, span_of(x->name));
        buf_text(&line, ",\"role\":");
        json_encode(&line, span_of(x->role));
        buf_char(&line, '}');
    }
    tool_out(buf_span(&line));
    buf_fini(&line);
}

/* Those without a role are none. */
static void print_items(const char *what)
{
    bool any = false;

    if (member.item_count > 1)
        qsort(member.items, member.item_count, sizeof(*member.items), compare_items);
    for (size_t i = 0; i < member.item_count; i++) {
        if (member.items[i].role[0] == '\0')
            continue;
        print_item(&member.items[i], what);
        any = true;
    }
    tool_stop(any ? STATUS_OK : STATUS_NO);
}

static bool failed(enum store_result result, const char *why)
{
    if (result == STORE_DONE)
        return false;
    tool_not_done(result, why);
    return true;
}

static void on_members(void *arg, enum store_result result, const char *why)
{
    (void)arg;
    if (!failed(result, why))
        print_items("user");
}

static void list_members(void)
{
    struct fault f;

    if (room_check(operand(0), &f) != 0)
        tool_fail(STATUS_USAGE, "%s", f.text);
    store_members(member.store, operand(0), take_item, on_members, NULL);
}

static void on_role(void *arg, enum store_result result, struct span role, const char *why)
{
    struct item *x = &member.items[(size_t)(uintptr_t)arg];

    member.asking--;
    if (failed(result, why))
        return;
    free(x->role);
    x->role = span_text(role);
    if (member.asking == 0)
        print_items("room");
}

/* What the user's list names is asked of the rooms themselves. */
static void on_rooms(void *arg, enum store_result result, const char *why)
{
    (void)arg;
    if (failed(result, why))
        return;
    member.asking = (int)member.item_count;
    for (size_t i = 0; i < member.item_count; i++)
        store_member_get(member.store, span_of(member.items[i].name), operand(0), on_role,
                         (void *)(uintptr_t)i); // NOLINT(performance-no-int-to-ptr)
    if (member.item_count == 0)
        print_items("room");
}

static void list_rooms(void)
{
    store_member_rooms(member.store, operand(0), take_item, on_rooms, NULL);
}

/* --- commands ------------------------------------------------------------------------------ */

static const struct command {
    const char *word;
    int least, most; /* operands; most -1: any number */
    const char *usage;
    bool tells; /* by the catalog */
    void (*run)(void);
} commands[] = {
    {"add", 2, 3, "ROOM USER [ROLE]", true, add_member},
    {"remove", 2, 2, "ROOM USER", true, remove_member},
    {"role", 3, 3, "ROOM USER ROLE", true, set_role},
    {"list", 1, 1, "ROOM", false, list_members},
    {"rooms", 1, 1, "USER", false, list_rooms},
    {"load", 0, -1, "[FILE]...", true, load},
};

static void find_command(int argc, char **argv)
{
    const struct command *c = &commands[tool_command(
        argv[0], commands, sizeof(commands) / sizeof(*commands), sizeof(*commands))];
    member.command = c;
    member.operands = argv + 1;
    member.operand_count = argc - 1;
    if (argc - 1 < c->least || (c->most >= 0 && argc - 1 > c->most))
        tool_fail(STATUS_USAGE, "usage: collab-member %s %s", c->word, c->usage);
}

static void on_catalog(void *arg, enum store_result result, struct span text)
{
    struct fault f;

    (void)arg;
    if (result == STORE_UNAVAILABLE)
        return; /* `down` has said it */
    if (text.len > 0)
        member.catalog = catalog_parse(text, "the catalog in force", &f);
    else
        member.catalog = catalog_builtin();
    if (!member.catalog)
        tool_fail(STATUS_NO, "%s", f.text);
    member.command->run();
}

static void on_up(void *ctx)
{
    (void)ctx;
    if (member.begun)
        return;
    member.begun = true;
    if (member.command->tells && !member.catalog)
        store_catalog_get(member.store, on_catalog, NULL);
    else
        member.command->run();
}

static void on_down(void *ctx, const char *why)
{
    (void)ctx;
    tool_unreachable(why);
}

static void clean_up(void)
{
    lines_close(member.lines);
    for (size_t i = 0; i < member.item_count; i++) {
        free(member.items[i].name);
        free(member.items[i].role);
    }
    free(member.items);
    catalog_unref(member.catalog);
    opt_free(&program, &member.set);
}

int main(int argc, char **argv)
{
    static const struct store_hooks hooks = {.up = on_up, .down = on_down};
    struct fault f;
    int first = tool_start(&program, &member.set, argc, argv);

    find_command(argc - first, argv + first);
    if (member.set.catalog) {
        member.catalog = catalog_load(member.set.catalog, &f);
        if (!member.catalog)
            tool_fail(STATUS_USAGE, "%s", f.text);
    }
    tool_limit(member.set.limit_ms);
    member.store = store_open(tool_loop(), tool_redis(member.set.redis), &hooks, NULL);
    int status = tool_run();
    store_close(member.store);
    clean_up();
    return status;
}
