#include "spool.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64];
static char path[128];

static int set_up(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/collab-spool-XXXXXX");
    assert_non_null(mkdtemp(dir));
    assert_int_equal(rmdir(dir), 0);
    snprintf(path, sizeof(path), "%s/events", dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char fresh[160];
    unlink(path);
    snprintf(fresh, sizeof(fresh), "%s.new", path);
    unlink(fresh);
    rmdir(dir);
    return 0;
}

static struct spool *open_it(void)
{
    struct fault f;
    struct spool *s = spool_open(dir, &f);

    assert_non_null(s);
    return s;
}

static void add(struct spool *s, const char *record)
{
    struct fault f;

    assert_int_equal(spool_add(s, span_of(record), &f), 0);
}

static void commit(struct spool *s)
{
    struct fault f;

    assert_int_equal(spool_commit(s, &f), 0);
    spool_close(s);
}

static void assert_waiting(const char *want)
{
    char got[256] = "";
    FILE *in = fopen(path, "r");

    assert_non_null(in);
    got[fread(got, 1, sizeof(got) - 1, in)] = '\0';
    fclose(in);
    assert_string_equal(got, want);
}

static void what_was_committed_waits_for_the_next_run(void **state)
{
    struct stat st;
    struct spool *s = open_it();

    (void)state;
    assert_null(spool_path(s));
    add(s, "one");
    add(s, "two");
    assert_int_equal(spool_count(s), 2);
    commit(s);
    assert_waiting("one\ntwo\n");
    assert_int_equal(stat(dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);

    s = open_it();
    assert_string_equal(spool_path(s), path);
    add(s, "two");
    commit(s);
    assert_waiting("two\n");

    s = open_it();
    commit(s);
    s = open_it();
    assert_null(spool_path(s));
    spool_close(s);
}

static void a_run_that_did_not_commit_changed_nothing(void **state)
{
    struct spool *s = open_it();

    (void)state;
    add(s, "one");
    commit(s);
    s = open_it();
    add(s, "two");
    spool_close(s);
    assert_waiting("one\n");
    s = open_it();
    add(s, "three");
    commit(s);
    assert_waiting("three\n");
}

static void one_run_at_a_time_has_it(void **state)
{
    struct spool *s = open_it();
    struct fault f;

    (void)state;
    assert_null(spool_open(dir, &f));
    assert_non_null(strstr(f.text, ": another one is using it"));
    spool_close(s);
    s = open_it();
    spool_close(s);
}

static void what_cannot_be_written_is_told(void **state)
{
    struct fault f;
    struct spool *s = open_it();
    char fresh[160];

    (void)state;
    assert_null(spool_open("/nonexistent/spool", &f));
    assert_string_equal(f.text, "/nonexistent/spool: no such file or directory");
    snprintf(fresh, sizeof(fresh), "%s.new", path);
    assert_int_equal(mkdir(fresh, 0700), 0);
    assert_int_equal(spool_add(s, span_of("x"), &f), -1);
    assert_int_equal(spool_commit(s, &f), -1);
    spool_close(s);
    rmdir(fresh);
}

#define TRIAL(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIAL(what_was_committed_waits_for_the_next_run),
        TRIAL(a_run_that_did_not_commit_changed_nothing),
        TRIAL(one_run_at_a_time_has_it),
        TRIAL(what_cannot_be_written_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
