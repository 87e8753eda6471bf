#include "mem.h"
#include "opt.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct settings {
    bool quiet;
    bool null;
    char *type;
    char *url;
    struct opt_list rooms;
    int64_t count;
    int64_t port;
    int64_t wait_ms;
    int64_t size_bytes;
    int format;
    char *config;
    char *password_file;
    int64_t token;
};

#define FIELD(name) offsetof(struct settings, name)

static int check_not_bad(const char *text, struct fault *f)
{
    return strcmp(text, "bad") == 0 ? fault_set(f, "a bad one") : 0;
}

static const struct opt rows[] = {
    {'q', "quiet", NULL, OPT_FLAG, FIELD(quiet), NULL, 0, 0, "T_QUIET", .help = "say nothing"},
    {'0', "null", NULL, OPT_FLAG, FIELD(null), NULL, 0, 0, NULL, .help = "end records by NUL"},
    {'t', "type", "TYPE", OPT_TEXT, FIELD(type), NULL, 0, 0, NULL, .check = check_not_bad,
     .help = "the event's type"},
    {0, "url", "URL", OPT_TEXT, FIELD(url), "redis://127.0.0.1:6379", 0, 0, "T_URL",
     .help = "where it is"},
    {'r', "room", "ROOM", OPT_LIST, FIELD(rooms), "a:1, b:2", 0, 0, "T_ROOM",
     .check = check_not_bad, .help = "the room to publish to (may be repeated)"},
    {'C', "count", "N", OPT_INT, FIELD(count), NULL, 0, INT64_MAX, NULL, .help = "stop after N"},
    {'p', "port", "PORT", OPT_INT, FIELD(port), "4000", 0, 65535, "T_PORT", .help = "the port"},
    {'W', "wait", "TIME", OPT_MS, FIELD(wait_ms), "1500ms", 0, 3600000, "T_WAIT",
     .help = "time limit"},
    {0, "size", "SIZE", OPT_BYTES, FIELD(size_bytes), "64k", 1024, 1 << 20, NULL,
     .help = "how much"},
    {'F', "format", "text|json|prometheus", OPT_CHOICE, FIELD(format), "text", 0, 0, "T_FORMAT",
     .help = "how to print"},
    {'c', "config", "FILE", OPT_TEXT, FIELD(config), NULL, 0, 0, "T_CONFIG",
     .help = "the settings file"},
    {0, "password-file", "FILE", OPT_TEXT, FIELD(password_file), NULL, 0, 0, NULL, .secret = true,
     .help = "a secret"},
    {0, "token", "NUMBER", OPT_INT, FIELD(token), NULL, 0, 9, "T_TOKEN", .secret = true,
     .help = "a secret number"},
};

static const struct opt_program program = {
    .name = "collab-test",
    .operands = "[FILE]",
    .purpose = "Test options.",
    .rows = rows,
    .row_count = sizeof(rows) / sizeof(rows[0]),
};

/* One call of opt_parse(): words holds the arguments, split at spaces. */
static struct {
    struct settings settings;
    char *words;
    char *argv[32];
    int argc, first;
    struct fault f;
    char path[64]; /* of the settings file */
} run;

static void split(const char *words)
{
    free(run.words);
    run.words = mem_text(words);
    run.argc = 0;
    run.argv[run.argc++] = "collab-test";
    for (char *word = strtok(run.words, " "); word; word = strtok(NULL, " "))
        run.argv[run.argc++] = word;
    run.argv[run.argc] = NULL;
}

static enum opt_result parse(const char *words)
{
    opt_free(&program, &run.settings);
    run.settings = (struct settings){0};
    run.f.text[0] = '\0';
    run.first = -1;
    split(words);
    return opt_parse(&program, &run.settings, run.argc, run.argv, &run.first, &run.f);
}

static void assert_runs(const char *words)
{
    if (parse(words) != OPT_RUN)
        fail_msg("'%s' refused: %s", words, run.f.text);
    assert_string_equal(run.f.text, "");
}

static void assert_wrong(const char *words, const char *want)
{
    static const struct settings untouched;

    assert_int_equal(parse(words), OPT_WRONG);
    assert_string_equal(run.f.text, want);
    assert_memory_equal(&run.settings, &untouched, sizeof(untouched));
}

/* Makes the settings file hold `text`, and T_CONFIG name it. */
static void write_file(const char *text, size_t len)
{
    FILE *out = fopen(run.path, "w");

    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, len, out), len);
    assert_int_equal(fclose(out), 0);
    setenv("T_CONFIG", run.path, 1);
}

static void use_file(const char *text)
{
    write_file(text, strlen(text));
}

static void assert_wrong_file(const char *text, const char *want)
{
    char whole[512];

    use_file(text);
    snprintf(whole, sizeof(whole), "%s:%s", run.path, want);
    assert_wrong("", whole);
}

/* The operands, or a list's elements, each followed by a '|'. */
static void assert_words(char *const *words, size_t count, const char *want)
{
    struct buf got = {0};

    buf_text(&got, "");
    for (size_t i = 0; i < count; i++)
        buf_printf(&got, "%s|", words[i]);
    assert_string_equal(got.at, want);
    buf_fini(&got);
}

static void assert_operands(const char *want)
{
    assert_in_range(run.first, 1, run.argc);
    assert_words(run.argv + run.first, (size_t)(run.argc - run.first), want);
}

static void assert_rooms(const char *want)
{
    assert_words(run.settings.rooms.at, run.settings.rooms.count, want);
}

static int setup(void **state)
{
    (void)state;
    snprintf(run.path, sizeof(run.path), "/tmp/test_opt-XXXXXX");
    int fd = mkstemp(run.path);
    return fd >= 0 ? close(fd) : -1;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < program.row_count; i++)
        if (rows[i].env)
            unsetenv(rows[i].env);
    opt_free(&program, &run.settings);
    run.settings = (struct settings){0};
    free(run.words);
    run.words = NULL;
    return unlink(run.path);
}

static void without_arguments_presets_hold(void **state)
{
    (void)state;
    assert_runs("");
    assert_false(run.settings.quiet);
    assert_null(run.settings.type);
    assert_string_equal(run.settings.url, "redis://127.0.0.1:6379");
    assert_rooms("a:1|b:2|");
    assert_int_equal(run.settings.count, 0);
    assert_int_equal(run.settings.port, 4000);
    assert_int_equal(run.settings.wait_ms, 1500);
    assert_int_equal(run.settings.size_bytes, 65536);
    assert_int_equal(run.settings.format, 0);
    assert_operands("");
}

static void every_form_of_an_option(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "-q0 -C5 -t x --format=json -W2m --size=2k",
        "-q -0 -C 5 -t x -F json -W 120 --size 2k",
        "-q0C5 -tx -Fjson --wait=2m --size=2048",
        "--quiet --null --count 5 --type x --format json --wait 0.5m -W 2m --size=2k",
        "-0qtx --count=5 -Fjson -W120s --size 2k",
    };

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        assert_runs(forms[i]);
        assert_true(run.settings.quiet);
        assert_true(run.settings.null);
        assert_int_equal(run.settings.count, 5);
        assert_string_equal(run.settings.type, "x");
        assert_int_equal(run.settings.format, 1);
        assert_int_equal(run.settings.wait_ms, 120000);
        assert_int_equal(run.settings.size_bytes, 2048);
        assert_operands("");
    }
}

static void a_value_may_look_like_an_option(void **state)
{
    (void)state;
    assert_runs("-t -q --url --type");
    assert_string_equal(run.settings.type, "-q");
    assert_string_equal(run.settings.url, "--type");
    assert_false(run.settings.quiet);
    assert_runs("--type=a=b --url=");
    assert_string_equal(run.settings.type, "a=b");
    assert_string_equal(run.settings.url, "");
    assert_runs("-t=x -t --");
    assert_string_equal(run.settings.type, "--");
}

static void the_last_of_a_value_counts_and_lists_gather(void **state)
{
    (void)state;
    assert_runs("-C1 -C2 -t x -t y -r a:1 --room=b:2,c:3 -rd:4");
    assert_int_equal(run.settings.count, 2);
    assert_string_equal(run.settings.type, "y");
    assert_rooms("a:1|b:2,c:3|d:4|");
}

static void operands_come_last_in_their_order(void **state)
{
    (void)state;
    assert_runs("one -q two --count 3 - three -C4");
    assert_operands("one|two|-|three|");
    assert_words(run.argv, (size_t)run.first, "collab-test|-q|--count|3|-C4|");
    assert_int_equal(run.settings.count, 4);
    assert_runs("one -q -- -C4 --help --");
    assert_operands("one|-C4|--help|--|");
    assert_true(run.settings.quiet);
    assert_runs("--");
    assert_operands("");
    assert_runs("-");
    assert_operands("-|");
}

static void what_was_ordered_reads_the_same_again(void **state)
{
    (void)state;
    assert_runs("one -q -- -C4 x");
    int first = -1;
    struct settings again = {0};
    assert_int_equal(opt_parse(&program, &again, run.argc, run.argv, &first, &run.f), OPT_RUN);
    assert_int_equal(first, run.first);
    assert_operands("one|-C4|x|");
    opt_free(&program, &again);
}

static void help_and_version_belong_to_all(void **state)
{
    (void)state;
    assert_int_equal(parse("--help"), OPT_HELP);
    assert_int_equal(parse("-h"), OPT_HELP);
    assert_int_equal(parse("-qh --nonsense"), OPT_HELP);
    assert_int_equal(parse("--help all"), OPT_HELP_ALL);
    assert_int_equal(parse("--help=all"), OPT_HELP_ALL);
    assert_int_equal(parse("-h all"), OPT_HELP_ALL);
    assert_int_equal(parse("x -qh all"), OPT_HELP_ALL);
    assert_int_equal(parse("all --help"), OPT_HELP);
    assert_int_equal(parse("--help all-of-it"), OPT_HELP);
    assert_int_equal(parse("--help x all"), OPT_HELP);
    assert_int_equal(parse("x --version"), OPT_VERSION);
    assert_int_equal(parse("-V"), OPT_VERSION);
    assert_int_equal(parse("-0V"), OPT_VERSION);
    assert_runs("-- --help");
    assert_runs("-t -h");
    setenv("T_PORT", "nonsense", 1);
    assert_int_equal(parse("-h"), OPT_HELP);
}

static void wrong_usage_is_told(void **state)
{
    (void)state;
    assert_wrong("--foo", "unknown option --foo");
    assert_wrong("--foo=secret", "unknown option --foo");
    assert_wrong("--cuont=5", "unknown option --cuont (did you mean --count?)");
    assert_wrong("--prot 5", "unknown option --prot (did you mean --port?)");
    assert_wrong("--form=json", "unknown option --form (did you mean --format?)");
    assert_wrong("--formatt=json", "unknown option --formatt (did you mean --format?)");
    assert_wrong("--hepl", "unknown option --hepl (did you mean --help?)");
    assert_wrong("--tokne=1", "unknown option --tokne (did you mean --token?)");
    assert_wrong("--typ=1", "unknown option --typ (did you mean --type?)");
    assert_wrong("--versoin", "unknown option --versoin (did you mean --version?)");
    assert_wrong("--sort=1", "unknown option --sort (did you mean --port?)");
    assert_wrong("--sizes=1", "unknown option --sizes (did you mean --size?)");
    assert_wrong("--Port=1", "unknown option --Port (did you mean --port?)");
    assert_wrong("--a-name-that-is-longer-than-any-of-ours", "unknown option "
                                                             "--a-name-that-is-longer-than-any-of-"
                                                             "ours");
    assert_wrong("--a-name-too-long-for-a-message-\x7f-and-all-that's",
                 "unknown option --\"a-name-too-long-for-a-message-\\x7f-and-all-\"...");
    assert_wrong("--=5", "unknown option --\"\"");
    assert_wrong("--a\x1b[2Jb", "unknown option --\"a\\x1b[2Jb\"");
    assert_wrong("-x", "unknown option -x");
    assert_wrong("-qx", "unknown option -x");
    assert_wrong("-\xc3\xa4", "unknown option -\xc3\xa4");
    assert_wrong("-\xff", "unknown option -\"\\xff\"");
    assert_wrong("--count", "option --count needs a value");
    assert_wrong("-q -C", "option --count needs a value");
    assert_wrong("--quiet=yes", "option --quiet takes no value");
    assert_wrong("--help=x", "--help=x: not all");
    assert_wrong("--help=", "--help=\"\": not all");
    assert_wrong("--version=all", "option --version takes no value");
    assert_wrong("--quiet=", "option --quiet takes no value");
}

static void wrong_values_are_told(void **state)
{
    (void)state;
    assert_wrong("--count=abc", "--count=abc: not a whole number");
    assert_wrong("--count abc", "--count=abc: not a whole number");
    assert_wrong("-Cabc", "--count=abc: not a whole number");
    assert_wrong("--count=", "--count=\"\": not a whole number");
    assert_wrong("--count=5\x01", "--count=\"5\\x01\": not a whole number");
    assert_wrong("--port=99999", "--port=99999: out of range 0 to 65535");
    assert_wrong("-p-1", "--port=-1: out of range 0 to 65535");
    assert_wrong("-W1x", "--wait=1x: not a duration (like 500ms, 1.5s, 10m, 2h or 7d)");
    assert_wrong("-W2h", "--wait=2h: out of range 0s to 1h");
    assert_wrong("--size=1", "--size=1: out of range 1k to 1m");
    assert_wrong("-Fxml", "--format=xml: not one of text, json, prometheus");
    assert_wrong("-Ftex", "--format=tex: not one of text, json, prometheus");
    assert_wrong("-Ftext|json", "--format=text|json: not one of text, json, prometheus");
    assert_wrong("-t x -r a:b --port=x -q", "--port=x: not a whole number");
}

static void texts_and_each_of_a_list_are_checked(void **state)
{
    (void)state;
    assert_wrong("-t bad", "--type=bad: a bad one");
    assert_wrong("-r a:1 --room=bad", "--room=bad: a bad one");
    setenv("T_ROOM", "a:1, bad, b:1", 1);
    assert_wrong("", "$T_ROOM=bad: a bad one");
    unsetenv("T_ROOM");
    assert_runs("-t good -r a:1");
    assert_wrong_file("room = a:1, bad", "1: room=bad: a bad one");
}

static void secrets_are_not_shown(void **state)
{
    (void)state;
    assert_wrong("--token=hunter2", "--token: not a whole number");
    setenv("T_TOKEN", "hunter2", 1);
    assert_wrong("", "$T_TOKEN: not a whole number");
    unsetenv("T_TOKEN");
    assert_wrong_file("token = hunter2", "1: token: not a whole number");
    assert_wrong_file("token = \"hunter2", "1: token: the closing quote is missing");
    assert_wrong_file("token hunter2", "1: not of the form: name = value");
}

static void the_environment_counts_for_less_than_arguments(void **state)
{
    (void)state;
    setenv("T_PORT", "1", 1);
    setenv("T_QUIET", "true", 1);
    setenv("T_ROOM", " x:1 ,y:2,, ", 1);
    setenv("T_URL", "unix:/x y", 1);
    assert_runs("");
    assert_int_equal(run.settings.port, 1);
    assert_true(run.settings.quiet);
    assert_rooms("x:1|y:2|");
    assert_string_equal(run.settings.url, "unix:/x y");
    assert_runs("-p2 -r z:3");
    assert_int_equal(run.settings.port, 2);
    assert_rooms("z:3|");
    setenv("T_PORT", "nonsense", 1);
    assert_runs("-p2");
    assert_int_equal(run.settings.port, 2);
}

static void wrong_variables_are_told(void **state)
{
    (void)state;
    setenv("T_PORT", "x", 1);
    assert_wrong("", "$T_PORT=x: not a whole number");
    setenv("T_PORT", "", 1);
    assert_runs("");
    assert_int_equal(run.settings.port, 4000);
    setenv("T_QUIET", "yes", 1);
    assert_wrong("", "$T_QUIET=yes: neither true nor false");
    setenv("T_QUIET", "false", 1);
    assert_runs("");
    assert_false(run.settings.quiet);
}

static void a_settings_file_is_read(void **state)
{
    (void)state;
    use_file("# settings\n"
             "\n"
             "  port=5 # the port\r\n"
             "type = \"with # and  spaces \"  # a comment\n"
             "\turl = redis://h/#1\n"
             "room = a:1, b:2\n"
             "room = c:3\n"
             "quiet = true\n"
             "   # another\n"
             "wait = 10m\n"
             "format = \"json\"\n"
             "size=1m");
    assert_runs("");
    assert_int_equal(run.settings.port, 5);
    assert_string_equal(run.settings.type, "with # and  spaces ");
    assert_string_equal(run.settings.url, "redis://h/#1");
    assert_rooms("a:1|b:2|c:3|");
    assert_true(run.settings.quiet);
    assert_int_equal(run.settings.wait_ms, 600000);
    assert_int_equal(run.settings.format, 1);
    assert_int_equal(run.settings.size_bytes, 1 << 20);
    assert_string_equal(run.settings.config, run.path);
}

static void the_file_counts_for_less_than_the_environment(void **state)
{
    (void)state;
    use_file("port = 1\ntype = file\nroom = f:1\nroom = f:2\nwait = 7s\n");
    setenv("T_WAIT", "8s", 1);
    setenv("T_ROOM", "e:1", 1);
    assert_runs("--type=argument");
    assert_int_equal(run.settings.port, 1);
    assert_string_equal(run.settings.type, "argument");
    assert_rooms("e:1|");
    assert_int_equal(run.settings.wait_ms, 8000);
    assert_runs("-r z:1 -p 3");
    assert_rooms("z:1|");
    assert_int_equal(run.settings.port, 3);
}

static void an_empty_value_is_one(void **state)
{
    (void)state;
    use_file("url =\nroom =\ntype = \"\"\n");
    assert_runs("");
    assert_string_equal(run.settings.url, "");
    assert_string_equal(run.settings.type, "");
    assert_rooms("");
    use_file("");
    assert_runs("");
    assert_rooms("a:1|b:2|");
}

static void wrong_settings_are_told_by_line(void **state)
{
    (void)state;
    assert_wrong_file("\n# x\nprot = 1\n", "3: unknown setting 'prot' (did you mean port?)");
    assert_wrong_file("nonsense = 1\n", "1: unknown setting 'nonsense'");
    assert_wrong_file("= 1\n", "1: unknown setting \"\"");
    assert_wrong_file("a b = 1\n", "1: unknown setting \"a b\"");
    assert_wrong_file("config = /x\n", "1: config does not belong in a settings file");
    assert_wrong_file("help = true\n", "1: unknown setting 'help'");
    assert_wrong_file("port\n", "1: not of the form: name = value");
    assert_wrong_file("port = x\n", "1: port=x: not a whole number");
    assert_wrong_file("port = 1\nport = 2\n", "2: port is set already in line 1");
    assert_wrong_file("quiet = yes\n", "1: quiet=yes: neither true nor false");
    assert_wrong_file("type = \"abc\n", "1: type: the closing quote is missing");
    assert_wrong_file("type = \"abc\" d\n", "1: type: something follows the closing quote");
    assert_wrong_file("type = \"\n\"\n", "1: type: the closing quote is missing");
    assert_wrong_file("port =\n", "1: port=\"\": not a whole number");
    write_file("type = a\0b\n", 11);
    assert_int_equal(parse(""), OPT_WRONG);
    assert_non_null(strstr(run.f.text, ":1: type: a NUL byte in it"));
}

/* A file is right or wrong as a whole, whatever else is given. */
static void overridden_settings_are_checked_too(void **state)
{
    (void)state;
    char want[128];

    use_file("type = x\nport = nonsense\n");
    snprintf(want, sizeof(want), "%s:2: port=nonsense: not a whole number", run.path);
    assert_wrong("--port=5", want);
    use_file("port = 1\nport = 2\n");
    snprintf(want, sizeof(want), "%s:2: port is set already in line 1", run.path);
    assert_wrong("--port=5", want);
}

static void a_file_that_cannot_be_read_is_told(void **state)
{
    (void)state;
    assert_wrong("--config=/nonexistent/c.conf", "/nonexistent/c.conf: no such file or directory");
    assert_wrong("-c /", "/: illegal operation on a directory");
    assert_wrong("-c /dev/zero", "/dev/zero: larger than a settings file may be");
    use_file("port = 7");
    assert_wrong("-c /nonexistent", "/nonexistent: no such file or directory");
}

static void a_preset_file_may_be_absent(void **state)
{
    (void)state;
    struct opt own[] = {
        {0, "port", "PORT", OPT_INT, FIELD(port), "1", 0, 65535, NULL, .help = "the port"},
        {0, "config", "FILE", OPT_TEXT, FIELD(config), run.path, 0, 0, NULL, .help = "the file"},
    };
    struct opt_program p = {
        .name = "x", .operands = "", .purpose = "X.", .rows = own, .row_count = 2};
    struct settings s = {0};
    int first;

    use_file("port = 6");
    split("");
    assert_int_equal(opt_parse(&p, &s, run.argc, run.argv, &first, &run.f), OPT_RUN);
    assert_int_equal(s.port, 6);
    assert_string_equal(s.config, run.path);
    own[1].preset = "/nonexistent/c.conf";
    assert_int_equal(opt_parse(&p, &s, run.argc, run.argv, &first, &run.f), OPT_RUN);
    assert_int_equal(s.port, 1);
    opt_free(&p, &s);
}

/* Into settings of before or into new ones, it is the same. */
static enum opt_result read_again(void)
{
    return opt_parse(&program, &run.settings, run.argc, run.argv, &run.first, &run.f);
}

static void reading_again_takes_all_but_the_arguments_afresh(void **state)
{
    (void)state;
    use_file("type = one\nport = 1\nroom = a:1\nroom = b:2\n");
    setenv("T_WAIT", "1s", 1);
    assert_runs("operand -F json --count=3");
    use_file("type = two\nroom = c:3\ncount = 9\n");
    setenv("T_WAIT", "2s", 1);
    assert_int_equal(read_again(), OPT_RUN);
    assert_string_equal(run.settings.type, "two");
    assert_int_equal(run.settings.port, 4000);
    assert_rooms("c:3|");
    assert_int_equal(run.settings.wait_ms, 2000);
    assert_int_equal(run.settings.format, 1);
    assert_int_equal(run.settings.count, 3);
    assert_operands("operand|");
}

static void a_second_reading_that_fails_changes_nothing(void **state)
{
    (void)state;
    use_file("type = one\nport = 1\nroom = a:1\n");
    assert_runs("-q");
    struct settings before = run.settings;
    use_file("type = two\nroom = x:1\nport = x\n");
    assert_int_equal(read_again(), OPT_WRONG);
    assert_non_null(strstr(run.f.text, ":3: port=x: not a whole number"));
    assert_memory_equal(&before, &run.settings, sizeof(before));
    assert_string_equal(run.settings.type, "one");
    assert_rooms("a:1|");
    unlink(run.path);
    assert_int_equal(read_again(), OPT_WRONG);
    assert_non_null(strstr(run.f.text, "no such file or directory"));
    assert_memory_equal(&before, &run.settings, sizeof(before));
    use_file("type = three\n");
    assert_int_equal(read_again(), OPT_RUN);
    assert_string_equal(run.settings.type, "three");
}

static void freeing_twice_is_harmless(void **state)
{
    (void)state;
    assert_runs("-t x");
    opt_free(&program, &run.settings);
    assert_null(run.settings.type);
    assert_null(run.settings.rooms.at);
    opt_free(&program, &run.settings);
}

static void assert_help(const struct opt_program *p, bool all, const char *want)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    opt_help(p, all, out);
    fclose(out);
    assert_string_equal(text, want);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        assert_in_range(strlen(line), 1, 80);
    free(text);
}

static void help_is_regular(void **state)
{
    (void)state;
    assert_help(&program, true,
                "usage: collab-test [options] [FILE]\n"
                "Test options.\n"
                "\n"
                "  -q, --quiet             say nothing [$T_QUIET]\n"
                "  -0, --null              end records by NUL\n"
                "  -t, --type=TYPE         the event's type\n"
                "      --url=URL           where it is (default: redis://127.0.0.1:6379) [$T_URL]\n"
                "  -r, --room=ROOM         the room to publish to (may be repeated)\n"
                "                          (default: a:1, b:2) [$T_ROOM]\n"
                "  -C, --count=N           stop after N\n"
                "  -p, --port=PORT         the port (default: 4000) [$T_PORT]\n"
                "  -W, --wait=TIME         time limit (default: 1500ms) [$T_WAIT]\n"
                "      --size=SIZE         how much (default: 64k)\n"
                "  -F, --format=text|json|prometheus\n"
                "                          how to print (default: text) [$T_FORMAT]\n"
                "  -c, --config=FILE       the settings file [$T_CONFIG]\n"
                "      --password-file=FILE\n"
                "                          a secret\n"
                "      --token=NUMBER      a secret number [$T_TOKEN]\n"
                "  -h, --help[=all]        show this help, or all of it\n"
                "  -V, --version           show the version\n");
}

static void long_help_is_wrapped(void **state)
{
    (void)state;
    static const struct opt long_rows[] = {
        {'a', "exactly-eighteen", NULL, OPT_FLAG, 0, NULL, 0, 0, NULL,
         .help = "these are words that come to just fifty-four columns.. and go on"},
        {0, "exactly-eighteenx", NULL, OPT_FLAG, 0, NULL, 0, 0, NULL,
         .help =
             "these are words that come to more than fifty-four columns and that go on for some "
             "lines until they are over"},
        {0, "one-more-than-it-x", NULL, OPT_FLAG, 0, NULL, 0, 0, "A_VARIABLE_WITH_A_LONG_NAME",
         .help = "a word"},
    };
    static const struct opt_program p = {
        .name = "x", .operands = "", .purpose = "X.", .rows = long_rows, .row_count = 3};

    assert_help(&p, true,
                "usage: x [options]\n"
                "X.\n"
                "\n"
                "  -a, --exactly-eighteen  these are words that come to just fifty-four "
                "columns..\n"
                "                          and go on\n"
                "      --exactly-eighteenx\n"
                "                          these are words that come to more than "
                "fifty-four\n"
                "                          columns and that go on for some lines until "
                "they are\n"
                "                          over\n"
                "      --one-more-than-it-x\n"
                "                          a word [$A_VARIABLE_WITH_A_LONG_NAME]\n"
                "  -h, --help[=all]        show this help, or all of it\n"
                "  -V, --version           show the version\n");
}

static void help_shows_what_is_marked_and_how_to_see_all(void **state)
{
    (void)state;
    static const struct opt some_rows[] = {
        {.letter = 'a', .name = "apple", .kind = OPT_FLAG, .help = "one that few need"},
        {.letter = 'b',
         .name = "berry",
         .kind = OPT_FLAG,
         .first = true,
         .help = "one that most do"},
        {.name = "cherry", .kind = OPT_FLAG, .help = "another"},
    };
    struct opt_program p = {
        .name = "x", .operands = "", .purpose = "X.", .rows = some_rows, .row_count = 3};

    assert_help(&p, false,
                "usage: x [options]\n"
                "X.\n"
                "\n"
                "  -b, --berry             one that most do\n"
                "  -h, --help[=all]        show this help, or all of it\n"
                "  -V, --version           show the version\n"
                "\n"
                "x --help all shows 2 more; man x explains them.\n");
    p.row_count = 1;
    assert_help(&p, false,
                "usage: x [options]\n"
                "X.\n"
                "\n"
                "  -a, --apple             one that few need\n"
                "  -h, --help[=all]        show this help, or all of it\n"
                "  -V, --version           show the version\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_arguments_presets_hold),
        TEST(every_form_of_an_option),
        TEST(a_value_may_look_like_an_option),
        TEST(the_last_of_a_value_counts_and_lists_gather),
        TEST(operands_come_last_in_their_order),
        TEST(what_was_ordered_reads_the_same_again),
        TEST(help_and_version_belong_to_all),
        TEST(wrong_usage_is_told),
        TEST(wrong_values_are_told),
        TEST(texts_and_each_of_a_list_are_checked),
        TEST(secrets_are_not_shown),
        TEST(the_environment_counts_for_less_than_arguments),
        TEST(wrong_variables_are_told),
        TEST(a_settings_file_is_read),
        TEST(the_file_counts_for_less_than_the_environment),
        TEST(an_empty_value_is_one),
        TEST(wrong_settings_are_told_by_line),
        TEST(overridden_settings_are_checked_too),
        TEST(a_file_that_cannot_be_read_is_told),
        TEST(a_preset_file_may_be_absent),
        TEST(reading_again_takes_all_but_the_arguments_afresh),
        TEST(a_second_reading_that_fails_changes_nothing),
        TEST(freeing_twice_is_harmless),
        TEST(help_is_regular),
        TEST(long_help_is_wrapped),
        TEST(help_shows_what_is_marked_and_how_to_see_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
