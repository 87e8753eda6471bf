/* collab-catalog: checks a catalog, and describes it to other programs. */
#include "asyncapi.h"
#include "catalog_file.h"
#include "tool.h"
#include "typescript.h"
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct settings {
    char *redis;
    int64_t limit_ms;
};

#define AT(field) offsetof(struct settings, field)
static const struct opt rows[] = {
    {0, "redis", "URL", OPT_TEXT, AT(redis), .help = "where Redis is (else $COLLAB_REDIS)"},
    {'W', "limit", "TIME", OPT_MS, AT(limit_ms), .preset = "10s", .min = 1, .max = 3600000,
     .help = "give up after this long, with status 6"},
};

static const struct opt_program program = {
    .name = "collab-catalog",
    .operands = "types|asyncapi|show|check [FILE]",
    .purpose = "Checks a catalog; prints it, or types or an AsyncAPI document of it.",
    .rows = rows,
    .row_count = sizeof(rows) / sizeof(*rows),
};

static struct settings set;

/* --- commands --- */

static void print(const struct catalog *c, void (*write)(const struct catalog *c, struct buf *out))
{
    struct buf out = {0};

    write(c, &out);
    while (out.len > 0 && out.at[out.len - 1] == '\n')
        out.len--;
    tool_out(buf_span(&out));
    buf_fini(&out);
}

static void types(const struct catalog *c)
{
    print(c, typescript_write);
}

static void asyncapi(const struct catalog *c)
{
    print(c, asyncapi_write);
}

static void show(const struct catalog *c)
{
    tool_out(c->text);
}

static void check(const struct catalog *c)
{
    (void)c;
}

static const struct command {
    const char *name;
    void (*run)(const struct catalog *c);
} commands[] = {{"types", types}, {"asyncapi", asyncapi}, {"show", show}, {"check", check}};

/* --- the catalog in force --- */

static struct {
    struct store *store;
    const struct command *command;
} force;

static void run(const struct command *command, struct catalog *c, const struct fault *f)
{
    if (!c) {
        tool_say("%s", f->text);
        tool_stop(STATUS_NO);
        return;
    }
    command->run(c);
    catalog_unref(c);
    tool_stop(STATUS_OK);
}

static void got(void *arg, enum store_result result, struct span text)
{
    struct fault f;

    (void)arg;
    if (result != STORE_DONE) {
        tool_not_done(result, "the catalog in force could not be read");
    } else if (text.len == 0) {
        tool_say("no catalog is in force: no collabd has run on this Redis");
        tool_stop(STATUS_NO);
    } else {
        run(force.command, catalog_parse(text, "the catalog in force", &f), &f);
    }
}

static void on_up(void *ctx)
{
    (void)ctx;
    store_catalog_get(force.store, got, NULL);
}

static void on_down(void *ctx, const char *why)
{
    (void)ctx;
    tool_unreachable(why);
}

static int run_on_catalog_in_force(const struct command *command)
{
    static const struct store_hooks hooks = {.up = on_up, .down = on_down};

    force.command = command;
    tool_limit(set.limit_ms);
    force.store = store_open(tool_loop(), tool_redis(set.redis), &hooks, NULL);
    int status = tool_run();
    store_close(force.store);
    return status;
}

/* --- a file --- */

/* name: what a fault calls it. */
static struct catalog *read_catalog(FILE *in, const char *name, struct fault *f)
{
    struct buf text = {0};
    size_t room = CATALOG_BYTES_MAX + 1;

    text.len = fread(buf_room(&text, room), 1, room, in);
    if (ferror(in))
        tool_fail(STATUS_USAGE, "%s: %s", name, uv_strerror(-errno));
    if (text.len == room)
        tool_fail(STATUS_NO, "%s: larger than 1m, which a catalog may be", name);
    struct catalog *c = catalog_parse(buf_span(&text), name, f);
    buf_fini(&text);
    return c;
}

static int run_on_file(const struct command *command, const char *path)
{
    struct fault f;
    bool standard = strcmp(path, "-") == 0;
    FILE *in = standard ? stdin : fopen(path, "re");

    if (!in)
        tool_fail(STATUS_USAGE, "%s: %s", path, uv_strerror(-errno));
    if (isatty(fileno(in)))
        tool_say("reading a catalog from the terminal");
    run(command, read_catalog(in, standard ? "standard input" : path, &f), &f);
    if (!standard)
        fclose(in);
    return tool_run();
}

int main(int argc, char **argv)
{
    int first = tool_start(&program, &set, argc, argv);

    const struct command *command = &commands[tool_command(
        argv[first], commands, sizeof(commands) / sizeof(*commands), sizeof(*commands))];
    if (argc > first + 2)
        tool_fail(STATUS_USAGE, "%s takes one FILE", command->name);
    int status = argc == first + 2 ? run_on_file(command, argv[first + 1])
                                   : run_on_catalog_in_force(command);
    opt_free(&program, &set);
    return status;
}
