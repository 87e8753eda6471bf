#include "mem.h"
#include "tool.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Each tool of these tests is a child process: most of what the frame promises is about how a
 * process ends and what it leaves on its standard files. */

struct settings {
    int64_t count;
};

static const struct opt rows[] = {
    {'C', "count", "N", OPT_INT, offsetof(struct settings, count), .max = 9, .help = "How many"},
};

static const struct opt_program program = {"collab-test", "[FILE]...", "Tests.", rows, 1};

static struct settings settings;

static void start(int argc, char **argv)
{
    tool_start(&program, &settings, argc, argv);
}

static void start_plain(void)
{
    char name[] = "collab-test";
    char *argv[] = {name, NULL};
    start(1, argv);
}

struct child {
    pid_t pid;
    int in, out, err; /* our ends of its standard files */
};

typedef int scenario(void);

static struct child spawn(scenario *run)
{
    int in[2], out[2], err[2];
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(err, O_CLOEXEC), 0);
    struct child c = {.in = in[1], .out = out[0], .err = err[0]};
    fflush(NULL);
    c.pid = fork();
    if (c.pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        dup2(err[1], STDERR_FILENO);
        close(in[1]);
        close(out[0]);
        close(err[0]);
        alarm(30); /* nothing here takes so long */
        exit(run());
    }
    close(in[0]);
    close(out[1]);
    close(err[1]);
    return c;
}

static char *read_all(int fd)
{
    struct buf b = {0};
    for (ssize_t n = 1; n > 0; b.len += n > 0 ? (size_t)n : 0)
        n = read(fd, buf_room(&b, 65536), 65536);
    close(fd);
    buf_char(&b, '\0');
    return b.at;
}

static struct {
    int status;      /* its exit status; minus the signal that ended it */
    char *out, *err; /* of the last child that was awaited */
} was;

static void await(struct child c)
{
    free(was.out);
    free(was.err);
    if (c.in >= 0)
        close(c.in);
    was.out = c.out < 0 ? mem_text("") : read_all(c.out);
    was.err = read_all(c.err);
    int status;
    assert_int_equal(waitpid(c.pid, &status, 0), c.pid);
    was.status = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void run(scenario *scenario_)
{
    await(spawn(scenario_));
}

static int teardown_group(void **state)
{
    (void)state;
    free(was.out);
    free(was.err);
    return 0;
}

static int asks_for_help(void)
{
    char *argv[] = {(char[]){"collab-test"}, (char[]){"--help"}, NULL};
    start(2, argv);
    return STATUS_NO;
}

static void test_help(void **state)
{
    (void)state;
    run(asks_for_help);
    assert_int_equal(was.status, STATUS_OK);
    assert_non_null(strstr(was.out, "--count"));
    assert_string_equal(was.err, "");
}

static int asks_for_help_in_vain(void)
{
    int full = open("/dev/full", O_WRONLY);
    dup2(full, STDOUT_FILENO);
    return asks_for_help();
}

static void test_help_unwritten(void **state)
{
    (void)state;
    run(asks_for_help_in_vain);
    assert_int_equal(was.status, STATUS_NO);
    assert_string_equal(was.err, "collab-test: standard output: no space left on device\n");
}

static int asks_for_version(void)
{
    char *argv[] = {(char[]){"collab-test"}, (char[]){"-V"}, NULL};
    start(2, argv);
    return STATUS_NO;
}

static void test_version(void **state)
{
    (void)state;
    run(asks_for_version);
    assert_int_equal(was.status, STATUS_OK);
    assert_string_equal(was.out, "collab-test " COLLAB_VERSION "\n");
}

static int is_used_wrong(void)
{
    char *argv[] = {(char[]){"collab-test"}, (char[]){"--count=x"}, NULL};
    start(2, argv);
    return STATUS_OK;
}

static void test_wrong_usage(void **state)
{
    (void)state;
    run(is_used_wrong);
    assert_int_equal(was.status, STATUS_USAGE);
    assert_memory_equal(was.err, "collab-test: --count", 20);
    assert_string_equal(was.out, "");
}

static void stop_first(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, NULL);
    tool_stop(STATUS_LOST);
    tool_stop(STATUS_OK);
}

static int stops_twice(void)
{
    start_plain();
    uv_timer_t timer;
    uv_timer_init(tool_loop(), &timer);
    uv_timer_start(&timer, stop_first, 0, 0);
    return tool_run();
}

static void test_first_stop_counts(void **state)
{
    (void)state;
    run(stops_twice);
    assert_int_equal(was.status, STATUS_LOST);
}

static int stops_before_it_runs(void)
{
    start_plain();
    uv_timer_t hour;
    uv_timer_init(tool_loop(), &hour);
    uv_timer_start(&hour, stop_first, 3600 * 1000, 0);
    tool_stop(STATUS_NO);
    return tool_run();
}

static void test_stop_before_run(void **state)
{
    (void)state;
    run(stops_before_it_runs);
    assert_int_equal(was.status, STATUS_NO);
}

static int waits_an_hour(void)
{
    start_plain();
    static uv_timer_t hour;
    uv_timer_init(tool_loop(), &hour);
    uv_timer_start(&hour, stop_first, 3600 * 1000, 0);
    tool_out(span_of("one"));
    tool_out(span_of("two"));
    return tool_run();
}

static int waits_a_moment(void)
{
    start_plain();
    tool_limit(1);
    static uv_timer_t hour;
    uv_timer_init(tool_loop(), &hour);
    uv_timer_start(&hour, stop_first, 3600 * 1000, 0);
    tool_out(span_of("one"));
    return tool_run();
}

static void test_limit(void **state)
{
    (void)state;
    run(waits_a_moment);
    assert_int_equal(was.status, STATUS_TIMEOUT);
    assert_string_equal(was.out, "one\n");
}

static void read_exactly(int fd, char *to, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = read(fd, to + done, len - done);
        assert_true(n > 0);
        done += (size_t)n;
    }
}

/* The records leave while the tool waits; then the signal ends it, and the parent sees that. */
static void leaves_by(int sig)
{
    struct child c = spawn(waits_an_hour);
    char records[9] = "";
    read_exactly(c.out, records, 8);
    assert_string_equal(records, "one\ntwo\n");
    kill(c.pid, sig);
    await(c);
    assert_int_equal(was.status, -sig);
    assert_string_equal(was.err, "");
}

static void test_sigint(void **state)
{
    (void)state;
    leaves_by(SIGINT);
}

static void test_sigterm(void **state)
{
    (void)state;
    leaves_by(SIGTERM);
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle;
    char line[1000];
    memset(line, 'x', sizeof(line));
    for (int i = 0; i < 1000; i++)
        tool_out((struct span){line, sizeof(line)});
}

static int writes_for_ever(void)
{
    start_plain();
    uv_idle_t idle;
    uv_idle_init(tool_loop(), &idle);
    uv_idle_start(&idle, on_idle);
    return tool_run();
}

static void test_reader_gone(void **state)
{
    (void)state;
    struct child c = spawn(writes_for_ever);
    char some[100];
    read_exactly(c.out, some, sizeof(some));
    close(c.out);
    c.out = -1;
    await(c);
    assert_int_equal(was.status, -SIGPIPE);
    assert_string_equal(was.err, "");
}

/* A reader that doesn't read holds the tool up in a write; a signal still ends it. */
static void test_reader_stalled(void **state)
{
    (void)state;
    enum { PAGE = 4096 };
    struct child c = spawn(writes_for_ever);
    int held = 0;
    while (held < fcntl(c.out, F_GETPIPE_SZ) - PAGE)
        assert_int_equal(ioctl(c.out, FIONREAD, &held), 0);
    kill(c.pid, SIGTERM);
    int status;
    assert_int_equal(waitpid(c.pid, &status, 0), c.pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
    close(c.in);
    close(c.out);
    close(c.err);
}

static int has_no_room(void)
{
    dup2(open("/dev/full", O_WRONLY), STDOUT_FILENO);
    start_plain();
    tool_out(span_of("one"));
    return tool_run();
}

static void test_no_room(void **state)
{
    (void)state;
    run(has_no_room);
    assert_int_equal(was.status, STATUS_NO);
    assert_string_equal(was.err, "collab-test: standard output: no space left on device\n");
}

static int has_no_output(void)
{
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    start_plain();
    int fd = open("/dev/null", O_WRONLY);
    if (fd <= STDERR_FILENO)
        return STATUS_CONFLICT;
    tool_out(span_of("one"));
    return tool_run();
}

static void test_no_output(void **state)
{
    (void)state;
    run(has_no_output);
    assert_int_equal(was.status, STATUS_NO);
    assert_string_equal(was.err, "collab-test: standard output: bad file descriptor\n");
}

/* Shared with someone who made it non-blocking, a full pipe is waited for. */
static int writes_much(void)
{
    start_plain();
    fcntl(STDOUT_FILENO, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 100000; i++) {
        char number[16];
        snprintf(number, sizeof(number), "%d", i);
        tool_out(span_of(number));
    }
    return tool_run();
}

static void test_much(void **state)
{
    (void)state;
    run(writes_much);
    assert_int_equal(was.status, STATUS_OK);
    const char *at = was.out;
    for (int i = 0; i < 100000; i++) {
        char *end;
        assert_int_equal(strtol(at, &end, 10), i);
        assert_int_equal(*end, '\n');
        at = end + 1;
    }
    assert_int_equal(*at, '\0');
}

static int fails(void)
{
    start_plain();
    tool_out(span_of("one"));
    tool_fail(STATUS_FORBIDDEN, "%s: not allowed", "a:b");
}

static void test_fail(void **state)
{
    (void)state;
    run(fails);
    assert_int_equal(was.status, STATUS_FORBIDDEN);
    assert_string_equal(was.out, "one\n");
    assert_string_equal(was.err, "collab-test: a:b: not allowed\n");
}

static const char *redis_option;

static int prints_redis(void)
{
    start_plain();
    tool_out(span_of(tool_redis(redis_option)->label));
    return tool_run();
}

static void finds_redis(const char *option, const char *label)
{
    redis_option = option;
    run(prints_redis);
    assert_int_equal(was.status, STATUS_OK);
    assert_memory_equal(was.out, label, strlen(label));
    assert_int_equal(was.out[strlen(label)], '\n');
}

static int reaches_none(void)
{
    start_plain();
    tool_redis(redis_option);
    tool_unreachable("no answer");
    tool_unreachable("is said once");
    return tool_run();
}

static void is_unreachable(const char *option, const char *said)
{
    redis_option = option;
    run(reaches_none);
    assert_int_equal(was.status, STATUS_UNREACHABLE);
    assert_string_equal(was.err, said);
}

static int listen_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static void test_redis(void **state)
{
    (void)state;
    char top[] = "/tmp/test_tool.XXXXXX";
    assert_non_null(mkdtemp(top));
    char run_dir[64], path[80], url[96];
    snprintf(run_dir, sizeof(run_dir), "%s/collab", top);
    snprintf(path, sizeof(path), "%s/redis.sock", run_dir);
    snprintf(url, sizeof(url), "unix:%s", path);
    setenv("XDG_RUNTIME_DIR", top, 1);
    unsetenv("COLLAB_REDIS");

    finds_redis(NULL, "redis://127.0.0.1:6379");
    is_unreachable(NULL, "collab-test: no answer\n"
                         "collab-test: no collabd runs here with a Redis of its own; --redis or "
                         "$COLLAB_REDIS names another\n");
    is_unreachable("redis://127.0.0.1:7002", "collab-test: no answer\n");
    assert_int_equal(mkdir(run_dir, 0700), 0);
    int fd = listen_unix(path);
    finds_redis(NULL, url);
    setenv("COLLAB_REDIS", "redis://:secret@127.0.0.1:7001", 1);
    finds_redis(NULL, "redis://127.0.0.1:7001");
    finds_redis("redis://127.0.0.1:7002", "redis://127.0.0.1:7002");

    close(fd);
    unlink(path);
    rmdir(run_dir);
    rmdir(top);
}

static void test_bad_redis(void **state)
{
    (void)state;
    redis_option = "http://127.0.0.1";
    run(prints_redis);
    assert_int_equal(was.status, STATUS_USAGE);
    assert_memory_equal(was.err, "collab-test: --redis: ", 22);
    redis_option = NULL;
    setenv("COLLAB_REDIS", "redis://:secret@host:port", 1);
    run(prints_redis);
    assert_int_equal(was.status, STATUS_USAGE);
    assert_memory_equal(was.err, "collab-test: $COLLAB_REDIS: ", 28);
    assert_null(strstr(was.err, "secret"));
    unsetenv("COLLAB_REDIS");
}

static const char *secret_file;

static int prints_secret(void)
{
    start_plain();
    char *secret = tool_secret(secret_file, "TEST_TOKEN");
    tool_out(span_of(secret ? secret : "none"));
    free(secret);
    return tool_run();
}

static void reads_secret(const char *file, const char *input)
{
    secret_file = file;
    struct child c = spawn(prints_secret);
    if (input)
        assert_int_equal(write(c.in, input, strlen(input)), strlen(input));
    await(c);
}

static void test_secret(void **state)
{
    (void)state;
    unsetenv("TEST_TOKEN");
    reads_secret(NULL, NULL);
    assert_string_equal(was.out, "none\n");
    setenv("TEST_TOKEN", "abc", 1);
    reads_secret(NULL, NULL);
    assert_string_equal(was.out, "abc\n");
    reads_secret("-", "def\r\n");
    assert_string_equal(was.out, "def\n");

    char path[] = "/tmp/test_tool.XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "ghi\n", 4), 4);
    close(fd);
    reads_secret(path, NULL);
    assert_string_equal(was.out, "ghi\n");
    unlink(path);
    unsetenv("TEST_TOKEN");
}

static void refuses_secret(const char *file, const char *input, const char *why)
{
    reads_secret(file, input);
    assert_int_equal(was.status, STATUS_USAGE);
    assert_string_equal(was.out, "");
    assert_string_equal(was.err, why);
}

static void test_bad_secret(void **state)
{
    (void)state;
    refuses_secret("/nowhere/token", NULL,
                   "collab-test: /nowhere/token: no such file or directory\n");
    refuses_secret("-", "\n", "collab-test: standard input: empty, where a token was expected\n");
    refuses_secret("-", "abc\ndef\n",
                   "collab-test: standard input: not a token: character 4 is not printable "
                   "ASCII\n");
    setenv("TEST_TOKEN", "a b", 1);
    refuses_secret(NULL, NULL,
                   "collab-test: $TEST_TOKEN: not a token: character 2 is not printable ASCII\n");
    unsetenv("TEST_TOKEN");
}

/* Standard error is a pipe here, and so no progress is shown. */
static int tells_progress(void)
{
    start_plain();
    tool_progress("%d%%", 50);
    tool_say("done");
    return tool_run();
}

static void test_progress(void **state)
{
    (void)state;
    run(tells_progress);
    assert_string_equal(was.err, "collab-test: done\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_help_unwritten),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_wrong_usage),
        cmocka_unit_test(test_first_stop_counts),
        cmocka_unit_test(test_stop_before_run),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_sigint),
        cmocka_unit_test(test_sigterm),
        cmocka_unit_test(test_reader_gone),
        cmocka_unit_test(test_reader_stalled),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_no_output),
        cmocka_unit_test(test_much),
        cmocka_unit_test(test_fail),
        cmocka_unit_test(test_redis),
        cmocka_unit_test(test_bad_redis),
        cmocka_unit_test(test_secret),
        cmocka_unit_test(test_bad_secret),
        cmocka_unit_test(test_progress),
    };
    return cmocka_run_group_tests(tests, NULL, teardown_group);
}
