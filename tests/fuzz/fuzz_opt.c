/* Arguments, one variable and a settings file. The first line of the input holds the arguments,
 * separated by spaces; the second the variable; the rest is the file. */
#include "mem.h"
#include "opt.h"
#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARGUMENTS_MAX = 64 };

struct settings {
    bool quiet;
    char *type;
    struct opt_list rooms;
    int64_t count;
    int64_t wait_ms;
    int64_t size_bytes;
    int format;
    char *config;
};

#define FIELD(name) offsetof(struct settings, name)

static const struct opt rows[] = {
    {'q', "quiet", NULL, OPT_FLAG, FIELD(quiet), NULL, 0, 0, NULL, .help = "say nothing"},
    {'t', "type", "TYPE", OPT_TEXT, FIELD(type), "a", 0, 0, NULL, .help = "a text"},
    {'r', "room", "ROOM", OPT_LIST, FIELD(rooms), "a:1,b:2", 0, 0, "FUZZ_ROOM", .help = "a list"},
    {'C', "count", "N", OPT_INT, FIELD(count), NULL, -5, INT64_MAX, NULL, .help = "a number"},
    {'W', "wait", "TIME", OPT_MS, FIELD(wait_ms), "1s", 0, 3600000, NULL, .help = "a time"},
    {0, "size", "SIZE", OPT_BYTES, FIELD(size_bytes), "64k", 0, INT64_MAX, NULL, .help = "a size"},
    {'F', "format", "text|json", OPT_CHOICE, FIELD(format), NULL, 0, 0, NULL, .help = "a choice"},
    {0, "config", "FILE", OPT_TEXT, FIELD(config), NULL, 0, 0, "FUZZ_CONFIG", .help = "the file"},
};

static const struct opt_program program = {
    .name = "fuzz",
    .operands = "",
    .purpose = "Fuzz.",
    .rows = rows,
    .row_count = sizeof(rows) / sizeof(rows[0]),
};

/* Up to a mark, or the end; leaves what is behind it. A string of its own. */
static char *take_line(struct span *rest)
{
    const char *end = rest->len != 0 ? memchr(rest->at, '\n', rest->len) : NULL;
    size_t len = end ? (size_t)(end - rest->at) : rest->len;
    char *line = mem_copy(rest->at, len);

    span_drop(rest, len + (end != NULL));
    return line;
}

static int split(char *line, char **argv)
{
    int argc = 0;

    argv[argc++] = "fuzz";
    for (char *word = strtok(line, " "); word && argc < ARGUMENTS_MAX; word = strtok(NULL, " ")) {
        /* Other files than the one made here are none of a fuzzer's business. */
        if (!strstr(word, "config"))
            argv[argc++] = word;
    }
    return argc;
}

static void write_file(struct span text)
{
    static int file = -1;

    if (file < 0) {
        char path[64];
        file = memfd_create("settings", 0);
        assert(file >= 0);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
        setenv("FUZZ_CONFIG", path, 1);
    }
    int cut = ftruncate(file, 0);
    assert(cut == 0);
    ssize_t wrote = pwrite(file, text.at, text.len, 0);
    assert(wrote == (ssize_t)text.len);
}

static void fault_is_printable(const struct fault *f)
{
    assert(f->text[0] != '\0');
    for (struct span rest = span_of(f->text); rest.len > 0;) {
        size_t len = span_printable(rest);
        assert(len > 0);
        span_drop(&rest, len);
    }
}

static bool texts_equal(const char *a, const char *b)
{
    return (!a && !b) || (a && b && strcmp(a, b) == 0);
}

static void same_settings(const struct settings *a, const struct settings *b)
{
    assert(a->quiet == b->quiet && a->count == b->count && a->wait_ms == b->wait_ms);
    assert(a->size_bytes == b->size_bytes && a->format == b->format);
    assert(texts_equal(a->type, b->type) && texts_equal(a->config, b->config));
    assert(a->rooms.count == b->rooms.count);
    for (size_t i = 0; i < a->rooms.count; i++)
        assert(texts_equal(a->rooms.at[i], b->rooms.at[i]));
}

static void in_range(const struct settings *s)
{
    assert(s->count >= -5 && s->wait_ms >= 0 && s->wait_ms <= 3600000 && s->size_bytes >= 0);
    assert(s->format == 0 || s->format == 1);
    assert(s->type);
}

/* Reading it all once more changes nothing. */
static void reads_the_same_again(struct settings *s, int argc, char **argv, int first)
{
    struct settings again = {0};
    struct fault f;
    int first_again;

    assert(opt_parse(&program, &again, argc, argv, &first_again, &f) == OPT_RUN);
    assert(first_again == first);
    same_settings(s, &again);
    opt_free(&program, &again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct settings untouched;
    struct settings s = {0};
    struct fault f = {""};
    struct span rest = {(const char *)data, size};
    char *line = take_line(&rest), *variable = take_line(&rest), *argv[ARGUMENTS_MAX];
    int argc = split(line, argv), first = 0;

    setenv("FUZZ_ROOM", variable, 1);
    write_file(rest);
    enum opt_result result = opt_parse(&program, &s, argc, argv, &first, &f);
    if (result == OPT_RUN) {
        assert(first >= 1 && first <= argc);
        in_range(&s);
        reads_the_same_again(&s, argc, argv, first);
        opt_free(&program, &s);
    }
    if (result == OPT_WRONG)
        fault_is_printable(&f);
    assert(memcmp(&s, &untouched, offsetof(struct settings, rooms)) == 0 || result == OPT_RUN);
    free(line);
    free(variable);
    return 0;
}
