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

static const struct command *command; /* that was given */

static void run(struct catalog *c)
{
    command->run(c);
    catalog_unref(c);
    tool_stop(STATUS_OK);
}

/* --- the catalog in force --- */

static struct store *store;

static void on_up(void *ctx)
{
    (void)ctx;
    tool_catalog(store, run);
}

static void on_down(void *ctx, const char *why)
{
    (void)ctx;
    tool_unreachable(why);
}

static int run_on_catalog_in_force(void)
{
    static const struct store_hooks hooks = {.up = on_up, .down = on_down};

    tool_limit(set.limit_ms);
    store = store_open(tool_loop(), tool_redis(set.redis), &hooks, NULL);
    int status = tool_run();
    store_close(store);
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

static int run_on_file(const char *path)
{
    struct fault f;
    bool standard = strcmp(path, "-") == 0;
    FILE *in = standard ? stdin : fopen(path, "re");

    if (!in)
        tool_fail(STATUS_USAGE, "%s: %s", path, uv_strerror(-errno));
    if (isatty(fileno(in)))
        tool_say("reading a catalog from the terminal");
    struct catalog *c = read_catalog(in, standard ? "standard input" : path, &f);
    if (!standard)
        fclose(in);
    if (!c)
        tool_fail(STATUS_NO, "%s", f.text);
    run(c);
    return tool_run();
}

int main(int argc, char **argv)
{
    int first = tool_start(&program, &set, argc, argv);

    command = &commands[tool_command(argv[first], commands, sizeof(commands) / sizeof(*commands),
                                     sizeof(*commands))];
    if (argc > first + 2)
        tool_fail(STATUS_USAGE, "%s takes one FILE", command->name);
    int status = argc == first + 2 ? run_on_file(argv[first + 1]) : run_on_catalog_in_force();
    opt_free(&program, &set);
    return status;
}
