#include "notify.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* The service manager's end; its path in *state. */
struct manager {
    int fd;
    char path[64];
    char heard[512];
};

static int start(void **state, bool abstract)
{
    static struct manager m;
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    socklen_t len = offsetof(struct sockaddr_un, sun_path);

    snprintf(m.path, sizeof(m.path), "%s/notify-%d", abstract ? "@" : "/tmp", (int)getpid());
    strcpy(a.sun_path, m.path);
    len += (socklen_t)strlen(m.path) + (abstract ? 0 : 1);
    if (abstract)
        a.sun_path[0] = '\0';
    m.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (bind(m.fd, (struct sockaddr *)&a, len) != 0)
        return -1;
    setenv("NOTIFY_SOCKET", m.path, 1);
    *state = &m;
    return 0;
}

static int start_path(void **state)
{
    return start(state, false);
}

static int start_abstract(void **state)
{
    return start(state, true);
}

static int end(void **state)
{
    struct manager *m = *state;

    close(m->fd);
    unlink(m->path);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    return 0;
}

static const char *heard(struct manager *m)
{
    ssize_t n = recv(m->fd, m->heard, sizeof(m->heard) - 1, 0);

    m->heard[n > 0 ? n : 0] = '\0';
    return m->heard;
}

static void each_word_is_a_datagram(void **state)
{
    struct manager *m = *state;

    notify_ready("http://127.0.0.1:1");
    assert_string_equal(heard(m), "READY=1\nSTATUS=http://127.0.0.1:1");
    notify_reloading();
    assert_memory_equal(heard(m), "RELOADING=1\nMONOTONIC_USEC=", 27);
    notify_stopping();
    assert_string_equal(heard(m), "STOPPING=1");
    notify_alive();
    assert_string_equal(heard(m), "WATCHDOG=1");
    assert_string_equal(heard(m), "");
}

static void without_a_manager_nothing_is_told(void **state)
{
    struct manager *m = *state;
    char path[200];

    unsetenv("NOTIFY_SOCKET");
    notify_alive();
    memset(path, 'a', sizeof(path) - 1);
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    setenv("NOTIFY_SOCKET", path, 1);
    notify_alive();
    setenv("NOTIFY_SOCKET", "relative", 1);
    notify_alive();
    assert_string_equal(heard(m), "");
}

static void a_watchdog_of_our_own_counts(void **state)
{
    char pid[16];

    (void)state;
    assert_int_equal(notify_watchdog_ms(), 0);
    setenv("WATCHDOG_USEC", "30000000", 1);
    assert_int_equal(notify_watchdog_ms(), 30000);
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(notify_watchdog_ms(), 30000);
    setenv("WATCHDOG_PID", "1", 1);
    assert_int_equal(notify_watchdog_ms(), 0);
    unsetenv("WATCHDOG_PID");
    setenv("WATCHDOG_USEC", "soon", 1);
    assert_int_equal(notify_watchdog_ms(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_word_is_a_datagram, start_path, end),
        cmocka_unit_test_setup_teardown(each_word_is_a_datagram, start_abstract, end),
        cmocka_unit_test_setup_teardown(without_a_manager_nothing_is_told, start_path, end),
        cmocka_unit_test_setup_teardown(a_watchdog_of_our_own_counts, start_path, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
