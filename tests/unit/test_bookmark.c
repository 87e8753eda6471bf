#include "bookmark.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64], path[96], out_path[96];
static const struct place start = {0, 0};

static int set_up(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/collab-bookmark-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/state", dir);
    snprintf(out_path, sizeof(out_path), "%s/out", dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    unlink(out_path);
    return rmdir(dir);
}

static void set(struct bookmark *b, const char *room, uint64_t epoch, uint64_t seq)
{
    *bookmark_place(b, span_of(room), start) = (struct place){epoch, seq};
}

static void save(struct bookmark *b, int output)
{
    struct fault f;

    assert_int_equal(bookmark_save(b, path, output, UINT64_MAX, &f), 0);
}

static void places_are_found_again(void **state)
{
    struct bookmark *b = bookmark_new();
    struct fault f;

    (void)state;
    assert_int_equal(bookmark_load(b, path, -1, &f), 0);
    assert_null(bookmark_find(b, span_of("a:1")));
    set(b, "a:1", 5, 7);
    set(b, "a:2", UINT64_MAX, 0);
    set(b, "a:3", 0, 0);
    save(b, -1);
    bookmark_free(b);

    b = bookmark_new();
    assert_int_equal(bookmark_load(b, path, -1, &f), 1);
    assert_int_equal(bookmark_find(b, span_of("a:1"))->seq, 7);
    assert_null(bookmark_find(b, span_of("a:2")));
    assert_int_equal(bookmark_find(b, span_of("a:3"))->epoch, 0);
    bookmark_free(b);
}

static void no_place_at_all_is_a_state_too(void **state)
{
    struct bookmark *b = bookmark_new();
    struct fault f;

    (void)state;
    save(b, -1);
    assert_int_equal(bookmark_load(b, path, -1, &f), 1);
    bookmark_free(b);
}

static void output_after_the_last_save_is_cut_off(void **state)
{
    struct bookmark *b = bookmark_new();
    struct fault f;
    char got[32] = "";
    int out = open(out_path, O_RDWR | O_CREAT, 0600);

    (void)state;
    assert_int_equal(write(out, "one\n", 4), 4);
    save(b, out);
    assert_int_equal(write(out, "two\nthr", 7), 7);
    close(out);
    out = open(out_path, O_RDWR | O_APPEND);
    assert_int_equal(bookmark_load(b, path, out, &f), 1);
    assert_int_equal(write(out, "2\n", 2), 2);
    assert_int_equal(pread(out, got, sizeof(got) - 1, 0), 6);
    assert_string_equal(got, "one\n2\n");
    close(out);

    unlink(out_path); /* another file stays as it is */
    out = open(out_path, O_RDWR | O_CREAT | O_APPEND, 0600);
    assert_int_equal(write(out, "other file\n", 11), 11);
    int other = open(path, O_RDONLY);
    assert_int_equal(bookmark_load(b, path, other, &f), 1);
    assert_int_equal(lseek(out, 0, SEEK_END), 11);
    close(other);
    close(out);
    bookmark_free(b);
}

static void output_appended_to_stays_though_this_run_wrote_nothing(void **state)
{
    struct bookmark *b = bookmark_new();
    struct fault f;
    int out = open(out_path, O_WRONLY | O_CREAT | O_APPEND, 0600);

    (void)state;
    assert_int_equal(write(out, "one\n", 4), 4);
    close(out);
    out = open(out_path, O_WRONLY | O_APPEND);
    save(b, out);
    assert_int_equal(bookmark_load(b, path, out, &f), 1);
    assert_int_equal(lseek(out, 0, SEEK_END), 4);
    close(out);
    bookmark_free(b);
}

static void a_file_of_another_kind_is_refused(void **state)
{
    static const char *const bad[] = {"", "{}", "{\"rooms\":{\"a:1\":5}}",
                                      "{\"rooms\":{\"a:1\":\"x\"}}"};
    struct bookmark *b = bookmark_new();
    struct fault f;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        FILE *file = fopen(path, "w");
        fputs(bad[i], file);
        fclose(file);
        assert_int_equal(bookmark_load(b, path, -1, &f), -1);
        assert_memory_equal(f.text, path, strlen(path));
    }
    assert_int_equal(bookmark_load(b, dir, -1, &f), -1);
    assert_int_equal(bookmark_save(b, "/nonexistent/state", -1, 0, &f), -1);
    bookmark_free(b);
}

#define TRIAL(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIAL(places_are_found_again),
        TRIAL(no_place_at_all_is_a_state_too),
        TRIAL(output_after_the_last_save_is_cut_off),
        TRIAL(output_appended_to_stays_though_this_run_wrote_nothing),
        TRIAL(a_file_of_another_kind_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
