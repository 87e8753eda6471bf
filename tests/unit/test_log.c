#include "buf.h"
#include "clock.h"
#include "json.h"
#include "log.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* While a test runs, standard error is a temporary file. */
static struct {
    FILE *file;
    int terminal; /* the real standard error */
    struct buf text;
} err;

static int setup(void **state)
{
    (void)state;
    err.file = tmpfile();
    err.terminal = dup(STDERR_FILENO);
    return err.file && dup2(fileno(err.file), STDERR_FILENO) >= 0 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    dup2(err.terminal, STDERR_FILENO);
    close(err.terminal);
    fclose(err.file);
    buf_fini(&err.text);
    return 0;
}

/* What was logged since it was last asked. */
static const char *logged(void)
{
    size_t got;

    fseek(err.file, (long)err.text.len, SEEK_SET);
    size_t before = err.text.len;
    while ((got = fread(buf_room(&err.text, BUFSIZ), 1, BUFSIZ, err.file)) > 0)
        err.text.len += got;
    buf_text(&err.text, "");
    return err.text.at + before;
}

/* The message after the stamp, which is checked to be one. */
static const char *after_stamp(const char *line)
{
    int64_t ms;

    assert_true(strlen(line) > CLOCK_STAMP_BYTES);
    assert_int_equal(clock_parse_stamp((struct span){line, CLOCK_STAMP_BYTES - 1}, &ms), 0);
    assert_int_equal(line[CLOCK_STAMP_BYTES - 1], ' ');
    return line + CLOCK_STAMP_BYTES;
}

static void a_line_has_stamp_level_program_message(void **state)
{
    (void)state;
    log_open("collabd", LOG_DEBUG, false);
    log_info("redis %s: %d", "unix:/run/x.sock", 7);
    assert_string_equal(after_stamp(logged()), "info collabd: redis unix:/run/x.sock: 7\n");
    log_error("e");
    assert_string_equal(after_stamp(logged()), "error collabd: e\n");
    log_warning("w");
    assert_string_equal(after_stamp(logged()), "warning collabd: w\n");
    log_debug("d");
    assert_string_equal(after_stamp(logged()), "debug collabd: d\n");
}

static void what_is_below_the_level_is_not_logged(void **state)
{
    (void)state;
    log_open("x", LOG_WARNING, false);
    assert_true(log_wants(LOG_ERROR));
    assert_true(log_wants(LOG_WARNING));
    assert_false(log_wants(LOG_INFO));
    assert_false(log_wants(LOG_DEBUG));
    log_info("no");
    log_debug("no");
    log_limited(0, LOG_INFO, "no");
    assert_string_equal(logged(), "");
    log_open("x", LOG_ERROR, false);
    log_warning("no");
    assert_string_equal(logged(), "");
}

static void no_message_can_forge_a_line(void **state)
{
    (void)state;
    log_open("x", LOG_INFO, false);
    log_info("a%sb", "\n2026-11-20T18:00:00.123Z error x: forged\r\x1b[2J");
    assert_string_equal(after_stamp(logged()),
                        "info x: a\\x0a2026-11-20T18:00:00.123Z error x: forged"
                        "\\x0d\\x1b[2Jb\n");
    log_info("\xc3\xa4 \xff \xc2\x9b 31m");
    assert_string_equal(after_stamp(logged()), "info x: \xc3\xa4 \\xff \\xc2\\x9b 31m\n");
}

static void a_long_message_is_whole(void **state)
{
    (void)state;
    log_open("x", LOG_INFO, false);
    log_info("%0100000d", 5);
    assert_int_equal(strlen(after_stamp(logged())), strlen("info x: ") + 100000 + 1);
}

static void assert_member(struct span object, const char *name, const char *want)
{
    struct span value;
    struct buf text = {0};

    assert_true(json_get(object, name, &value));
    json_decode(value, &text);
    assert_string_equal(text.at, want);
    buf_fini(&text);
}

static void as_json_it_is_an_object_a_line(void **state)
{
    (void)state;
    struct fault f;
    struct span time;
    int64_t ms;

    log_open("collabd", LOG_INFO, true);
    log_warning("say \"hi\"\n\\ %s", "\xff");
    const char *text = logged();
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    struct span line = {text, strlen(text) - 1};
    assert_int_equal(json_check(line, &f), 0);
    assert_true(span_starts(line, "{\"time\":\"20"));
    assert_true(json_get(line, "time", &time));
    assert_int_equal(clock_parse_stamp((struct span){time.at + 1, time.len - 2}, &ms), 0);
    assert_member(line, "level", "warning");
    assert_member(line, "program", "collabd");
    assert_member(line, "message", "say \"hi\"\n\\ \xef\xbf\xbd");
}

static int count_lines(const char *text)
{
    int lines = 0;

    while ((text = strchr(text, '\n'))) {
        text++;
        lines++;
    }
    return lines;
}

static int count_told(const char *text)
{
    int told = 0;

    for (const char *at = text; (at = strstr(at, " (")) != NULL; at++)
        told += (int)strtol(at + 2, NULL, 10);
    return told;
}

/* How many pass depends on how many seconds it takes, but every one left out is told in the end. */
static void a_flood_is_limited_and_counted(void **state)
{
    (void)state;
    int64_t start_ms = clock_steady_ms();
    int sent = 0, told = 0, passed;

    log_open("x", LOG_INFO, false);
    for (; sent < 1000; sent++)
        log_limited(1, LOG_INFO, "flood");
    const char *text = logged();
    assert_true(strncmp(after_stamp(text), "info x: flood\n", 14) == 0);
    passed = count_lines(text);
    told = count_told(text);
    assert_in_range(passed, 5, 5 * (1 + (clock_steady_ms() - start_ms + 999) / 1000));

    while (text = logged(), *text == '\0') {
        assert_in_range(clock_steady_ms(), start_ms, start_ms + 60000);
        usleep(10000);
        log_limited(1, LOG_INFO, "after");
        sent++;
    }
    assert_int_equal(count_lines(text), 1);
    assert_true(strncmp(after_stamp(text), "info x: after (", 15) == 0);
    assert_non_null(strstr(text, " like it left out)\n"));
    assert_int_equal(passed + 1 + told + count_told(text), sent);
}

static void kinds_are_limited_apart(void **state)
{
    (void)state;
    log_open("x", LOG_INFO, false);
    for (int kind = 2; kind < LOG_KINDS; kind++)
        log_limited(kind, LOG_ERROR, "kind %d", kind);
    assert_int_equal(count_lines(logged()), LOG_KINDS - 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_line_has_stamp_level_program_message),
        TEST(what_is_below_the_level_is_not_logged),
        TEST(no_message_can_forge_a_line),
        TEST(a_long_message_is_whole),
        TEST(as_json_it_is_an_object_a_line),
        TEST(a_flood_is_limited_and_counted),
        TEST(kinds_are_limited_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
