#include "mem.h"
#include "process.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static int64_t own_cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Held against what the kernel says of us elsewhere, to its ticks of 10 ms; the name is one that
 * could be taken for the end of its field. */
static void test_cpu(void **state)
{
    (void)state;
    struct fault f;
    prctl(PR_SET_NAME, "a) R 1 2");
    while (own_cpu_ms() < 100)
        continue;
    int64_t before = own_cpu_ms();
    int64_t cpu_ms = 1000;
    assert_int_equal(process_cpu(getpid(), &cpu_ms, &f), 0);
    assert_true(cpu_ms - 1000 >= before - 50);
    assert_true(cpu_ms - 1000 <= own_cpu_ms() + 50);
}

static void test_memory(void **state)
{
    (void)state;
    enum { MUCH = 64 * 1024 * 1024 };
    struct fault f;
    int64_t before = 0, after = 0;
    assert_int_equal(process_memory(getpid(), &before, &f), 0);
    char *much = mem_alloc(MUCH);
    memset(much, 1, MUCH);
    assert_int_equal(process_memory(getpid(), &after, &f), 0);
    assert_in_range(after - before, MUCH - 1024 * 1024, MUCH + 16 * 1024 * 1024);
    assert_int_equal(much[MUCH - 1], 1);
    free(much);
}

/* The number behind a name that stands at the beginning of a line. */
static double sample(const struct buf *text, const char *name)
{
    const char *at = strstr(text->at, name);
    assert_non_null(at);
    assert_true(at[-1] == '\n');
    return strtod(at + strlen(name), NULL);
}

static void test_prometheus(void **state)
{
    (void)state;
    struct buf before = {0}, after = {0};
    while (own_cpu_ms() < 100)
        continue;
    process_prometheus("node=\"a\"", &before);
    int more[3] = {dup(1), dup(1), dup(1)};
    process_prometheus("node=\"a\"", &after);
    for (int i = 0; i < 3; i++)
        close(more[i]);
    double open = sample(&before, "process_open_fds{node=\"a\"} ");
    assert_true(open >= 3);
    assert_true(sample(&after, "process_open_fds{node=\"a\"} ") == open + 3);
    assert_true(sample(&after, "process_max_fds{node=\"a\"} ") >= open);
    assert_true(sample(&after, "process_resident_memory_bytes{node=\"a\"} ") > 100000);
    assert_true(sample(&after, "process_cpu_seconds_total{node=\"a\"} ") >= 0.1);
    buf_fini(&before);
    buf_fini(&after);
}

static void test_no_process(void **state)
{
    (void)state;
    struct fault f;
    int64_t n = 0;
    assert_int_equal(process_cpu(999999999, &n, &f), -1);
    assert_string_equal(f.text, "process 999999999: there is none");
    assert_int_equal(process_memory(999999999, &n, &f), -1);
    assert_string_equal(f.text, "process 999999999: there is none");
    assert_int_equal(n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cpu),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_prometheus),
        cmocka_unit_test(test_no_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
