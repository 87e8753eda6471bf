#include "lines.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* What the hooks were told, as text: "FILE:NUMBER:TEXT;" and so on. */
struct test {
    uv_loop_t loop;
    struct lines *lines;
    struct buf told;
    size_t longest;
    int pauses; /* how many lines are followed by a pause */
    uv_timer_t timer;
    char directory[32];
    char path[2][64];
};

static void tell_place(struct test *t, const struct line *line)
{
    const char *slash = line->file ? strrchr(line->file, '/') : NULL;
    buf_printf(&t->told, "%s:%d:", slash ? slash + 1 : "", (int)line->number);
}

static void on_timer(uv_timer_t *timer)
{
    struct test *t = timer->data;
    buf_text(&t->told, "resumed;");
    lines_resume(t->lines);
}

static void on_line(void *ctx, const struct line *line)
{
    struct test *t = ctx;
    tell_place(t, line);
    if (line->text.len < 100)
        buf_join(&t->told, line->text);
    else
        t->longest = line->text.len;
    buf_char(&t->told, ';');
    if (t->pauses > 0) {
        t->pauses--;
        lines_pause(t->lines);
        uv_timer_start(&t->timer, on_timer, 1, 0);
    }
}

static void on_unread(void *ctx, const struct line *where, const char *why)
{
    struct test *t = ctx;
    tell_place(t, where);
    buf_printf(&t->told, "%s;", why);
}

static void on_end(void *ctx)
{
    struct test *t = ctx;
    buf_text(&t->told, "end");
}

static const struct lines_hooks hooks = {on_line, on_unread, on_end};

static int set_up(void **state)
{
    struct test *t = calloc(1, sizeof(*t));
    uv_loop_init(&t->loop);
    uv_timer_init(&t->loop, &t->timer);
    t->timer.data = t;
    strcpy(t->directory, "/tmp/test_lines.XXXXXX");
    assert_non_null(mkdtemp(t->directory));
    snprintf(t->path[0], sizeof(t->path[0]), "%s/one", t->directory);
    snprintf(t->path[1], sizeof(t->path[1]), "%s/two", t->directory);
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    struct test *t = *state;
    lines_close(t->lines);
    uv_close((uv_handle_t *)&t->timer, NULL);
    uv_run(&t->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&t->loop), 0);
    unlink(t->path[0]);
    unlink(t->path[1]);
    rmdir(t->directory);
    buf_fini(&t->told);
    free(t);
    return 0;
}

static void write_file(const char *path, const char *text, size_t len)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, len, out), len);
    assert_int_equal(fclose(out), 0);
}

static void put(struct test *t, int file, const char *text)
{
    write_file(t->path[file], text, strlen(text));
}

static void read_files(struct test *t, char *const *files, bool whole)
{
    t->lines = lines_open(&t->loop, files, whole, &hooks, t);
    uv_run(&t->loop, UV_RUN_DEFAULT);
}

static void files_one_after_the_other(void **state)
{
    struct test *t = *state;
    char *files[] = {t->path[0], t->path[1], NULL};
    put(t, 0, "a\n\nb");
    put(t, 1, "c\r\n\n");
    read_files(t, files, false);
    assert_string_equal(t->told.at, "one:1:a;one:2:;one:3:b;two:1:c\r;two:2:;end");
}

static void an_empty_file_has_no_line(void **state)
{
    struct test *t = *state;
    char *files[] = {t->path[0], NULL};
    put(t, 0, "");
    read_files(t, files, false);
    assert_string_equal(t->told.at, "end");
}

static void a_whole_file_is_one_line(void **state)
{
    struct test *t = *state;
    char *files[] = {t->path[0], t->path[1], NULL};
    put(t, 0, "{\n}\n");
    put(t, 1, "");
    read_files(t, files, true);
    assert_string_equal(t->told.at, "one:1:{\n}\n;two:1:;end");
}

static void what_cannot_be_read_is_told_and_the_rest_goes_on(void **state)
{
    struct test *t = *state;
    char *files[] = {"/nonexistent/none", t->directory, t->path[0], NULL};
    put(t, 0, "a\n");
    read_files(t, files, false);
    struct buf want = {0};
    buf_printf(&want,
               "none:0:no such file or directory;%s:0:illegal operation on a directory;one:1:a;end",
               strrchr(t->directory, '/') + 1);
    assert_string_equal(t->told.at, want.at);
    buf_fini(&want);
}

static void lines_that_span_slices_come_whole(void **state)
{
    struct test *t = *state;
    char *files[] = {t->path[0], NULL};
    enum { LEN = 300000 };
    char *text = malloc(LEN + 5);
    memset(text, 'x', LEN);
    memcpy(text + LEN, "\nend\n", 5);
    write_file(t->path[0], text, LEN + 5);
    free(text);
    read_files(t, files, false);
    assert_string_equal(t->told.at, "one:1:;one:2:end;end");
    assert_int_equal(t->longest, LEN);
}

static void write_long_line(const char *path, size_t len, const char *rest)
{
    char *text = malloc(len + strlen(rest));
    memset(text, 'x', len);
    memcpy(text + len, rest, strlen(rest));
    write_file(path, text, len + strlen(rest));
    free(text);
}

static void a_line_too_long_is_passed_over(void **state)
{
    struct test *t = *state;
    char *files[] = {t->path[0], t->path[1], NULL};
    write_long_line(t->path[0], 2 * (size_t)LINE_BYTES_MAX, "\nnext\n");
    write_long_line(t->path[1], LINE_BYTES_MAX + 1000000, "");
    read_files(t, files, false);
    assert_string_equal(t->told.at, "one:1:longer than 16 MiB: passed over;one:2:next;"
                                    "two:1:longer than 16 MiB: passed over;end");
}

static void a_file_too_long_is_passed_over_as_a_whole(void **state)
{
    struct test *t = *state;
    char *files[] = {t->path[0], t->path[1], NULL};
    write_long_line(t->path[0], 2 * (size_t)LINE_BYTES_MAX, "\nnext\n");
    put(t, 1, "a");
    read_files(t, files, true);
    assert_string_equal(t->told.at, "one:1:longer than 16 MiB: passed over;two:1:a;end");
}

/* A writer that waits for each line to have been read before it writes more. */
static void a_pipe_gives_each_line_at_once(void **state)
{
    struct test *t = *state;
    char *files[] = {t->path[0], NULL};
    assert_int_equal(mkfifo(t->path[0], 0600), 0);
    t->lines = lines_open(&t->loop, files, false, &hooks, t);
    int fd = open(t->path[0], O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "a\nb", 3), 3);
    while (t->told.len == 0)
        uv_run(&t->loop, UV_RUN_ONCE);
    assert_string_equal(t->told.at, "one:1:a;");
    assert_int_equal(write(fd, "c\n", 2), 2);
    close(fd);
    uv_run(&t->loop, UV_RUN_DEFAULT);
    assert_string_equal(t->told.at, "one:1:a;one:2:bc;end");
}

static void pause_after_a_line(struct test *t)
{
    char *files[] = {t->path[0], t->path[1], NULL};
    put(t, 1, "c\n");
    t->pauses = 1;
    read_files(t, files, false);
}

/* The lines that were read with the one after which it paused still come. */
static void a_paused_file_waits(void **state)
{
    struct test *t = *state;
    put(t, 0, "a\nb\n");
    pause_after_a_line(t);
    assert_string_equal(t->told.at, "one:1:a;one:2:b;resumed;two:1:c;end");
}

static void a_paused_pipe_waits(void **state)
{
    struct test *t = *state;
    assert_int_equal(mkfifo(t->path[0], 0600), 0);
    int fd = open(t->path[0], O_RDWR); /* not to wait for the reader */
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "a\n", 2), 2);
    char *files[] = {t->path[0], NULL};
    t->pauses = 2;
    t->lines = lines_open(&t->loop, files, false, &hooks, t);
    while (t->told.len == 0)
        uv_run(&t->loop, UV_RUN_ONCE);
    assert_int_equal(write(fd, "b\n", 2), 2);
    close(fd);
    uv_run(&t->loop, UV_RUN_DEFAULT);
    assert_string_equal(t->told.at, "one:1:a;resumed;one:2:b;resumed;end");
}

/* Closed while open, with the loop still to turn: tear_down() finds what is left behind. */
static void closing_early_leaves_nothing(void **state)
{
    struct test *t = *state;
    char *files[] = {t->path[0], t->path[1], NULL};
    put(t, 0, "a\n");
    put(t, 1, "b\n");
    t->lines = lines_open(&t->loop, files, false, &hooks, t);
    uv_run(&t->loop, UV_RUN_NOWAIT);
    assert_string_equal(t->told.at, "one:1:a;");
}

static void the_flags_of_a_shared_file_stay(void **state)
{
    struct test *t = *state;
    int ends[2], saved = dup(STDIN_FILENO);
    assert_int_equal(pipe(ends), 0);
    dup2(ends[0], STDIN_FILENO);
    assert_int_equal(write(ends[1], "a\n", 2), 2);
    close(ends[1]);
    char *none[] = {NULL};
    read_files(t, none, false);
    assert_string_equal(t->told.at, ":1:a;end");
    assert_false(fcntl(ends[0], F_GETFL) & O_NONBLOCK);
    dup2(saved, STDIN_FILENO);
    close(saved);
    close(ends[0]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_one_after_the_other),
        TEST(an_empty_file_has_no_line),
        TEST(a_whole_file_is_one_line),
        TEST(what_cannot_be_read_is_told_and_the_rest_goes_on),
        TEST(lines_that_span_slices_come_whole),
        TEST(a_line_too_long_is_passed_over),
        TEST(a_file_too_long_is_passed_over_as_a_whole),
        TEST(a_pipe_gives_each_line_at_once),
        TEST(a_paused_file_waits),
        TEST(a_paused_pipe_waits),
        TEST(closing_early_leaves_nothing),
        TEST(the_flags_of_a_shared_file_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
