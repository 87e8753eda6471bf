#include "embedded.h"
#include "log.h"
#include "mem.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "redis_server.h"

/* Run and state directories of a test's own. `server` stands for the embedded one: its socket, to
 * be asked, and no pid. */
struct trial {
    char dir[32];
    char run[48];
    char state[48];
    char *path; /* PATH as it was */
    struct server server;
    struct embedded *embedded;
    pid_t holder;
};

static int set_up(void **state)
{
    struct trial *t = mem_zero(sizeof(*t));

    strcpy(t->dir, "/tmp/collab-test-XXXXXX");
    assert_non_null(mkdtemp(t->dir));
    snprintf(t->run, sizeof(t->run), "%s/collab", t->dir);
    snprintf(t->state, sizeof(t->state), "%s/state/collab", t->dir);
    snprintf(t->server.socket, sizeof(t->server.socket), "%s/redis.sock", t->run);
    setenv("XDG_RUNTIME_DIR", t->dir, 1);
    char home[48];
    snprintf(home, sizeof(home), "%s/state", t->dir);
    setenv("XDG_STATE_HOME", home, 1);
    t->path = mem_text(getenv("PATH"));
    *state = t;
    return 0;
}

static void end_holder(struct trial *t)
{
    if (t->holder == 0)
        return;
    kill(t->holder, SIGKILL);
    waitpid(t->holder, NULL, 0);
    t->holder = 0;
}

static int tear_down(void **state)
{
    struct trial *t = *state;

    end_holder(t);
    embedded_stop(t->embedded);
    setenv("PATH", t->path, 1);
    free(t->path);
    remove_tree(t->dir);
    free(t);
    return 0;
}

static void start(struct trial *t)
{
    struct fault f;

    t->embedded = embedded_start(&f);
    if (!t->embedded)
        fail_msg("%s", f.text);
}

static void stop(struct trial *t)
{
    embedded_stop(t->embedded);
    t->embedded = NULL;
}

static void assert_not_started(struct trial *t, const char *why)
{
    struct fault f = {""};

    t->embedded = embedded_start(&f);
    assert_null(t->embedded);
    assert_string_equal(f.text, why);
}

/* Who listens on the socket; 0: nobody. */
static pid_t listener(const struct trial *t)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct ucred peer = {0};
    socklen_t len = sizeof(peer);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strcpy(address.sun_path, t->server.socket);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
    close(fd);
    return peer.pid;
}

static void wait_for_end(pid_t pid)
{
    int64_t until_ms = now_ms() + WAIT_MS;

    while (kill(pid, 0) == 0) {
        assert_true(now_ms() < until_ms);
        pause_briefly();
    }
}

/* --- directories --------------------------------------------------------------------------- */

static void directories_are_made_for_us_alone(void **state)
{
    struct trial *t = *state;
    struct buf path = {0};
    struct stat st;
    struct fault f;

    assert_int_equal(embedded_run_dir(&path, &f), 0);
    assert_string_equal(path.at, t->run);
    assert_int_equal(stat(t->run, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    buf_clear(&path);
    assert_int_equal(embedded_state_dir(&path, &f), 0);
    assert_string_equal(path.at, t->state);
    assert_int_equal(stat(t->state, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    buf_fini(&path);
}

static void state_is_kept_at_home_by_default(void **state)
{
    struct trial *t = *state;
    struct buf path = {0};
    struct fault f;
    char expected[128];

    unsetenv("XDG_STATE_HOME");
    char *home = mem_text(getenv("HOME") ? getenv("HOME") : "/");
    setenv("HOME", t->dir, 1);
    assert_int_equal(embedded_state_dir(&path, &f), 0);
    snprintf(expected, sizeof(expected), "%s/.local/state/collab", t->dir);
    assert_string_equal(path.at, expected);
    unsetenv("HOME");
    assert_int_equal(embedded_state_dir(&path, &f), -1);
    assert_string_equal(f.text, "no state directory: neither XDG_STATE_HOME nor HOME is set");
    setenv("HOME", home, 1);
    free(home);
    buf_fini(&path);
}

static void a_directory_open_to_others_is_refused(void **state)
{
    struct trial *t = *state;
    struct buf url = {0};
    char why[256];

    start(t);
    chmod(t->run, 0750);
    assert_false(embedded_url(&url));
    stop(t);
    snprintf(why, sizeof(why), "%s: open to others (mode 0750): it must have mode 0700", t->run);
    assert_not_started(t, why);
    buf_fini(&url);
}

static void what_is_no_directory_is_refused(void **state)
{
    struct trial *t = *state;
    char why[256];

    assert_int_equal(symlink(t->dir, t->run), 0);
    snprintf(why, sizeof(why), "%s: not a directory", t->run);
    assert_not_started(t, why);
}

static void a_directory_of_another_user_is_refused(void **state)
{
    struct trial *t = *state;
    char why[256];

    if (geteuid() != 0)
        skip();
    assert_int_equal(mkdir(t->run, 0700), 0);
    assert_int_equal(chown(t->run, 1, 1), 0);
    snprintf(why, sizeof(why), "%s: belongs to another user", t->run);
    assert_not_started(t, why);
}

static void a_path_too_long_for_a_socket_is_refused(void **state)
{
    struct trial *t = *state;
    char base[128];
    struct fault f;

    snprintf(base, sizeof(base), "%s/%080d", t->dir, 0);
    assert_int_equal(mkdir(base, 0700), 0);
    setenv("XDG_RUNTIME_DIR", base, 1);
    t->embedded = embedded_start(&f);
    assert_null(t->embedded);
    assert_non_null(strstr(f.text, "bytes, and a Unix socket's path has at most 107"));
}

static void the_url_says_where_and_whether(void **state)
{
    struct trial *t = *state;
    struct buf url = {0};
    char expected[128];

    assert_false(embedded_url(&url));
    snprintf(expected, sizeof(expected), "unix://%s/redis.sock", t->run);
    assert_string_equal(url.at, expected);
    start(t);
    buf_clear(&url);
    assert_true(embedded_url(&url));
    assert_string_equal(url.at, expected);
    stop(t);
    assert_false(embedded_url(&url));

    buf_clear(&url);
    setenv("XDG_RUNTIME_DIR", "/a%b?c", 1);
    assert_false(embedded_url(&url));
    assert_string_equal(url.at, "unix:///a%25b%3Fc/collab/redis.sock");
    buf_clear(&url);
    setenv("XDG_RUNTIME_DIR", "relative", 1);
    embedded_url(&url);
    snprintf(expected, sizeof(expected), "unix:///tmp/collab-%u/redis.sock", (unsigned)geteuid());
    assert_string_equal(url.at, expected);
    buf_fini(&url);
}

/* --- start and stop ------------------------------------------------------------------------ */

static void what_was_kept_is_there_again(void **state)
{
    struct trial *t = *state;

    start(t);
    server_do(&t->server, "SET k v", "+OK");
    server_do(&t->server, "CONFIG GET save", "*2");
    stop(t);
    assert_int_equal(listener(t), 0);
    start(t);
    server_do(&t->server, "GET k", "$1");
}

/* Ctrl-C in a terminal is for the gateway, which ends its server itself. */
static void the_server_has_a_session_of_its_own(void **state)
{
    struct trial *t = *state;

    start(t);
    assert_int_equal(getsid(listener(t)), listener(t));
}

static void a_socket_left_behind_is_no_hindrance(void **state)
{
    struct trial *t = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(mkdir(t->run, 0700), 0);
    strcpy(address.sun_path, t->server.socket);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
    start(t);
    server_do(&t->server, "PING", "+PONG");
}

static void no_redis_server_is_told(void **state)
{
    struct trial *t = *state;

    setenv("PATH", t->dir, 1);
    assert_not_started(t, "redis-server is not found on PATH: install it, or name a Redis");
}

static void write_script(const struct trial *t, const char *text)
{
    char path[64];

    snprintf(path, sizeof(path), "%s/redis-server", t->dir);
    FILE *out = fopen(path, "we");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
    assert_int_equal(chmod(path, 0700), 0);
    setenv("PATH", t->dir, 1);
}

static void last_words_of_a_server_are_told(void **state)
{
    struct trial *t = *state;

    write_script(t, "#!/bin/sh\necho first\necho 'Bad directive' >&2\nexit 3\n");
    assert_not_started(t, "redis-server ended at once (status 3): Bad directive");
    write_script(t, "#!/bin/sh\nkill -9 $$\n");
    assert_not_started(t, "redis-server ended at once (signal 9): Bad directive");
}

static void what_cannot_be_run_is_told(void **state)
{
    struct trial *t = *state;

    write_script(t, "#!/no/such/shell\n");
    chmod(t->dir, 0700);
    struct fault f;
    t->embedded = embedded_start(&f);
    assert_null(t->embedded);
    assert_memory_equal(f.text, "redis-server", strlen("redis-server"));
}

static void stopping_none_is_nothing(void **state)
{
    (void)state;
    embedded_stop(NULL);
}

/* --- one at a time ------------------------------------------------------------------------- */

/* Another process that starts one, and holds it until it is killed. */
static void start_holder(struct trial *t)
{
    int told[2];
    char c = 0;
    pid_t parent = getpid();

    assert_int_equal(pipe2(told, O_CLOEXEC), 0);
    t->holder = fork();
    assert_true(t->holder >= 0);
    if (t->holder == 0) {
        struct fault f;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        bool started = getppid() == parent && embedded_start(&f);
        if (write(told[1], started ? "y" : "n", 1) == 1)
            pause();
        _exit(1);
    }
    close(told[1]);
    assert_int_equal(read(told[0], &c, 1), 1);
    close(told[0]);
    assert_int_equal(c, 'y');
}

static void assert_held(struct trial *t)
{
    char why[256];

    snprintf(why, sizeof(why), "%s is in use by test_embedded, process %d", t->run, (int)t->holder);
    /* The name of a process has 15 bytes; a sanitizer's build may be called otherwise. */
    struct fault f;
    t->embedded = embedded_start(&f);
    assert_null(t->embedded);
    assert_memory_equal(f.text, why, strlen(t->run) + strlen(" is in use by test_"));
    assert_string_equal(strstr(f.text, ", process "), strstr(why, ", process "));
    server_do(&t->server, "PING", "+PONG");
}

static void a_second_is_refused_and_told_who_holds_it(void **state)
{
    struct trial *t = *state;

    start_holder(t);
    assert_held(t);
}

/* Two servers must not write one append-only file, whatever their run directories. */
static void a_second_with_the_same_state_is_refused(void **state)
{
    struct trial *t = *state;
    char run[64];
    struct fault f;

    start_holder(t);
    snprintf(run, sizeof(run), "%s/other", t->dir);
    assert_int_equal(mkdir(run, 0700), 0);
    setenv("XDG_RUNTIME_DIR", run, 1);
    t->embedded = embedded_start(&f);
    assert_null(t->embedded);
    assert_memory_equal(f.text, t->state, strlen(t->state));
    assert_non_null(strstr(f.text, " is in use by "));
}

/* By another name too. */
static void one_directory_may_be_for_both(void **state)
{
    struct trial *t = *state;
    char other[48];

    setenv("XDG_STATE_HOME", t->dir, 1);
    start_holder(t);
    assert_held(t);
    end_holder(t);
    snprintf(other, sizeof(other), "%s/other", t->dir);
    assert_int_equal(symlink(t->dir, other), 0);
    setenv("XDG_STATE_HOME", other, 1);
    start(t);
    assert_true(listener(t) > 0);
}

static void a_killed_holder_stops_nobody(void **state)
{
    struct trial *t = *state;

    for (int i = 0; i < 3; i++) {
        start_holder(t);
        server_do(&t->server, "INCR kills", ":");
        pid_t redis = listener(t);
        assert_true(redis > 0);
        end_holder(t);
        start(t);
        assert_true(listener(t) != redis);
        wait_for_end(redis);
        stop(t);
    }
    start(t);
    server_do(&t->server, "INCR kills", ":4");
}

/* --- supervision --------------------------------------------------------------------------- */

struct watch {
    uv_timer_t timer;
    struct trial *trial;
    pid_t not_this;
    int there;
};

static void on_look(uv_timer_t *handle)
{
    struct watch *w = handle->data;
    pid_t pid = listener(w->trial);

    w->there += pid != 0 && pid != w->not_this;
}

static void a_server_that_dies_is_started_again(void **state)
{
    struct trial *t = *state;
    struct watch w = {.trial = t};
    uv_loop_t loop;

    uv_loop_init(&loop);
    uv_timer_init(&loop, &w.timer);
    w.timer.data = &w;
    start(t);
    embedded_supervise(t->embedded, &loop);
    uv_timer_start(&w.timer, on_look, 1, 1);
    for (int i = 1; i <= 2; i++) {
        w.not_this = listener(t);
        w.there = 0;
        kill(w.not_this, SIGKILL);
        run_until(&loop, &w.there, 1);
    }
    uv_close((uv_handle_t *)&w.timer, NULL);
    stop(t);
    end_loop(&loop);
    assert_int_equal(listener(t), 0);
}

#define TRIAL(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIAL(directories_are_made_for_us_alone),
        TRIAL(state_is_kept_at_home_by_default),
        TRIAL(a_directory_open_to_others_is_refused),
        TRIAL(what_is_no_directory_is_refused),
        TRIAL(a_directory_of_another_user_is_refused),
        TRIAL(a_path_too_long_for_a_socket_is_refused),
        TRIAL(the_url_says_where_and_whether),
        TRIAL(what_was_kept_is_there_again),
        TRIAL(the_server_has_a_session_of_its_own),
        TRIAL(a_socket_left_behind_is_no_hindrance),
        TRIAL(no_redis_server_is_told),
        TRIAL(last_words_of_a_server_are_told),
        TRIAL(what_cannot_be_run_is_told),
        TRIAL(stopping_none_is_nothing),
        TRIAL(a_second_is_refused_and_told_who_holds_it),
        TRIAL(a_second_with_the_same_state_is_refused),
        TRIAL(one_directory_may_be_for_both),
        TRIAL(a_killed_holder_stops_nobody),
        TRIAL(a_server_that_dies_is_started_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
