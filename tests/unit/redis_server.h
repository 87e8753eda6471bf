/* A redis-server of a test's own, in a directory of its own under /tmp, on a Unix socket there, or
 * a loopback port as well. It is ended by its pid, and dies with the test when that crashes.
 *
 * Included by one test each, so all is static inline. */
#ifndef REDIS_SERVER_H
#define REDIS_SERVER_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

enum { WAIT_MS = 20000 }; /* nothing here takes so long: who waits for it has failed */

struct server {
    pid_t pid;
    int port; /* 0: none but the socket */
    char dir[32];
    char socket[64];
    char url[80];
};

static inline void pause_briefly(void)
{
    struct timespec turn = {.tv_nsec = 1000000};

    nanosleep(&turn, NULL);
}

static inline int64_t now_ms(void)
{
    return (int64_t)(uv_hrtime() / 1000000);
}

/* Sends one command, words parted by spaces, and takes the first line of its reply, with what
 * follows of it in one read. Returns whether there was an answer. */
static inline bool server_try(const struct server *s, const char *command, char *answer,
                              size_t size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = 1};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ssize_t n = -1;

    strcpy(address.sun_path, s->socket);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        dprintf(fd, "%s\r\n", command) > 0)
        n = recv(fd, answer, size - 1, 0);
    close(fd);
    answer[n > 0 ? n : 0] = '\0';
    answer[strcspn(answer, "\r")] = '\0';
    return n > 0;
}

/* The same; the answer must begin so. */
static inline void server_do(const struct server *s, const char *command, const char *begin)
{
    char answer[512] = "";

    server_try(s, command, answer, sizeof(answer));
    if (strncmp(answer, begin, strlen(begin)) != 0)
        fail_msg("%s: got \"%s\" instead of %s", command, answer, begin);
}

/* Waits until a command is answered so. */
static inline void server_wait(const struct server *s, const char *command, const char *begin)
{
    char answer[512] = "";
    int64_t until_ms = now_ms() + WAIT_MS;

    while (!server_try(s, command, answer, sizeof(answer)) ||
           strncmp(answer, begin, strlen(begin)) != 0) {
        if (now_ms() > until_ms)
            fail_msg("%s: never answered %s, but \"%s\"", command, begin, answer);
        pause_briefly();
    }
}

/* Nobody else is given the port while the socket that had it is in no state of waiting. */
static inline int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

/* Starts it, or starts it again after it ended. */
static inline void server_run(struct server *s)
{
    char port[8];
    char log[64];
    pid_t parent = getpid();

    snprintf(port, sizeof(port), "%d", s->port);
    snprintf(log, sizeof(log), "%s/log", s->dir);
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent)
            execlp("redis-server", "redis-server", "--port", port, "--bind", "127.0.0.1",
                   "--unixsocket", s->socket, "--dir", s->dir, "--logfile", log, "--save", "",
                   (char *)NULL);
        _exit(127);
    }
    server_wait(s, "PING", "+PONG");
}

static inline void server_start(struct server *s, int port)
{
    *s = (struct server){.port = port};
    strcpy(s->dir, "/tmp/collab-test-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->socket, sizeof(s->socket), "%s/redis.sock", s->dir);
    snprintf(s->url, sizeof(s->url), "unix:%s", s->socket);
    server_run(s);
}

static inline void server_kill(struct server *s)
{
    if (s->pid <= 0)
        return;
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    s->pid = 0;
}

/* Empties it for the next test; starts it afresh when the last one left it in no state for that. */
static inline void server_clean(struct server *s)
{
    char answer[64];

    if (s->pid > 0 && server_try(s, "FLUSHALL", answer, sizeof(answer)) &&
        strcmp(answer, "+OK") == 0)
        return;
    server_kill(s);
    server_run(s);
}

static inline int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static inline void remove_tree(const char *path)
{
    nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void server_end(struct server *s)
{
    server_kill(s);
    if (s->dir[0] != '\0')
        remove_tree(s->dir);
}

/* --- one for all tests of a file: a group's set-up and teardown ----------------------------- */

static struct server server;

static inline int start_server(void **state)
{
    (void)state;
    server_start(&server, 0);
    return 0;
}

/* On a port as well. */
static inline int start_tcp_server(void **state)
{
    (void)state;
    server_start(&server, free_port());
    return 0;
}

static inline int end_server(void **state)
{
    (void)state;
    server_end(&server);
    return 0;
}

/* --- the loop, bounded --------------------------------------------------------------------- */

static inline void on_patience_over(uv_timer_t *handle)
{
    handle->data = NULL;
}

/* Turns the loop until *count reaches want. */
static inline void run_until(uv_loop_t *loop, const int *count, int want)
{
    uv_timer_t *patience = malloc(sizeof(*patience));
    bool in_time = true;

    uv_timer_init(loop, patience);
    patience->data = patience;
    uv_timer_start(patience, on_patience_over, WAIT_MS, 0);
    while (*count < want && in_time) {
        uv_run(loop, UV_RUN_ONCE);
        in_time = patience->data != NULL;
    }
    uv_close((uv_handle_t *)patience, (uv_close_cb)free);
    if (*count < want)
        fail_msg("waited for %d, got to %d", want, *count);
}

/* Everything on the loop must have been closed: lets it go. */
static inline void end_loop(uv_loop_t *loop)
{
    int64_t until_ms = now_ms() + WAIT_MS;

    while (uv_loop_close(loop) == UV_EBUSY) {
        assert_true(now_ms() < until_ms);
        uv_run(loop, UV_RUN_NOWAIT);
    }
}

#endif
