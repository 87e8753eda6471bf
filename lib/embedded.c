#include "embedded.h"
#include "clock.h"
#include "log.h"
#include "mem.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    LOCK_WAIT_MS = 10000,  /* for the server of a process that was killed to save and end */
    READY_WAIT_MS = 10000, /* for a new server to answer */
    PING_WAIT_MS = 200,
    STOP_WAIT_MS = 10000, /* for a server to save and end; then it is killed */
    TURN_MS = 1,          /* between two looks at what is waited for */
    DELAY_MIN_MS = 100,   /* before a server that ended is started again */
    DELAY_MAX_MS = 5000,
    LOG_TAIL_BYTES = 1024,
    SOCKET_BYTES_MAX = sizeof(((struct sockaddr_un *)0)->sun_path) - 1,
};

static const char socket_name[] = "/redis.sock";

struct embedded {
    char *state_dir;
    char *socket;
    char *log;
    int run_lock;
    int state_lock; /* -1 too where the run directory is the state directory */
    pid_t pid;      /* of the server; 0: none runs */
    int64_t started_ms;
    int delay_ms;

    uv_signal_t child;
    uv_timer_t retry;
    int handles; /* to be closed before the memory goes */
};

static void pause_for_turn(void)
{
    struct timespec turn = {.tv_nsec = TURN_MS * 1000000L};

    nanosleep(&turn, NULL);
}

/* --- directories --------------------------------------------------------------------------- */

/* The variable's value when it is an absolute path, as the XDG Base Directory Specification has it;
 * else NULL. */
static const char *path_variable(const char *name)
{
    const char *path = getenv(name);

    return path && path[0] == '/' ? path : NULL;
}

static void run_path(struct buf *path)
{
    const char *base = path_variable("XDG_RUNTIME_DIR");

    if (base)
        buf_printf(path, "%s/collab", base);
    else
        buf_printf(path, "/tmp/collab-%u", (unsigned)geteuid());
}

static int state_path(struct buf *path, struct fault *f)
{
    const char *base = path_variable("XDG_STATE_HOME");
    const char *home = path_variable("HOME");

    if (!base && !home)
        return fault_set(f, "no state directory: neither XDG_STATE_HOME nor HOME is set");
    if (base)
        buf_printf(path, "%s/collab", base);
    else
        buf_printf(path, "%s/.local/state/collab", home);
    return 0;
}

/* Whether a directory is there, ours, and closed to others. */
static int check_dir(const char *path, struct fault *f)
{
    struct stat st;

    if (lstat(path, &st) != 0)
        return fault_set(f, "%s: %s", path, uv_strerror(-errno));
    if (!S_ISDIR(st.st_mode))
        return fault_set(f, "%s: not a directory", path);
    if (st.st_uid != geteuid())
        return fault_set(f, "%s: belongs to another user", path);
    if ((st.st_mode & 077) != 0)
        return fault_set(f, "%s: open to others (mode %04o): it must have mode 0700", path,
                         (unsigned)(st.st_mode & 07777));
    return 0;
}

static int make_dir(const char *path, struct fault *f)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return fault_set(f, "%s: %s", path, uv_strerror(-errno));
    return check_dir(path, f);
}

/* Makes the directories above the last; what is wrong with one of them shows with the last. */
static void make_parents(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
}

int embedded_run_dir(struct buf *path, struct fault *f)
{
    size_t start = path->len;

    run_path(path);
    return make_dir(path->at + start, f);
}

int embedded_state_dir(struct buf *path, struct fault *f)
{
    size_t start = path->len;

    if (state_path(path, f) != 0)
        return -1;
    make_parents(path->at + start);
    return make_dir(path->at + start, f);
}

static void add_encoded(struct buf *url, const char *path)
{
    for (const char *at = path; *at != '\0'; at++) {
        if (*at == '%' || *at == '?')
            buf_printf(url, "%%%02X", (unsigned char)*at);
        else
            buf_char(url, *at);
    }
}

bool embedded_url(struct buf *url)
{
    struct buf path = {0};
    struct fault f;
    struct stat st;

    run_path(&path);
    /* In another user's directory of that name, another user would be listening. */
    bool ours = check_dir(path.at, &f) == 0;
    buf_text(&path, socket_name);
    buf_text(url, "unix://");
    add_encoded(url, path.at);
    bool there = ours && lstat(path.at, &st) == 0 && S_ISSOCK(st.st_mode);
    buf_fini(&path);
    return there;
}

/* --- locks --------------------------------------------------------------------------------- */

/* A directory is held by two locks on one file. flock(2)'s goes with the descriptor, which the
 * server inherits: it lasts until both are gone. fcntl(2)'s is our process' alone, and the kernel
 * tells others whose it is. */

static bool find_holder(int fd, pid_t *holder)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    if (fcntl(fd, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK)
        return false;
    *holder = lock.l_pid;
    return true;
}

static int held_fault(const char *dir, pid_t holder, struct fault *f)
{
    char path[32];
    char name[32] = "another program";

    snprintf(path, sizeof(path), "/proc/%d/comm", (int)holder);
    FILE *in = fopen(path, "re");
    if (in) {
        if (fgets(name, sizeof(name), in))
            name[strcspn(name, "\n")] = '\0';
        fclose(in);
    }
    return fault_set(f, "%s is in use by %s, process %d", dir, name, (int)holder);
}

static int take_lock(int fd, const char *dir, struct fault *f)
{
    int64_t until_ms = clock_steady_ms() + LOCK_WAIT_MS;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    pid_t holder;

    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK)
            return fault_set(f, "%s: cannot be locked: %s", dir, uv_strerror(-errno));
        if (find_holder(fd, &holder))
            return held_fault(dir, holder, f);
        if (clock_steady_ms() >= until_ms)
            return fault_set(f, "%s is in use by the redis-server of a program that has ended",
                             dir);
        pause_for_turn();
    }
    if (fcntl(fd, F_SETLK, &lock) != 0)
        return fault_set(f, "%s: cannot be locked: %s", dir, uv_strerror(-errno));
    return 0;
}

/* Returns the descriptor, which holds the directory as long as it is open; or -1. */
static int lock_dir(const char *dir, struct fault *f)
{
    struct buf path = {0};

    buf_printf(&path, "%s/lock", dir);
    int fd = open(path.at, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        fault_set(f, "%s: %s", path.at, uv_strerror(-errno));
    buf_fini(&path);
    if (fd >= 0 && take_lock(fd, dir, f) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* --- the server ---------------------------------------------------------------------------- */

static int open_log(const struct embedded *e, struct fault *f)
{
    int fd = open(e->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);

    return fd >= 0 ? fd : fault_set(f, "%s: %s", e->log, uv_strerror(-errno));
}

static void keep_open(int fd)
{
    if (fd >= 0)
        fcntl(fd, F_SETFD, 0);
}

/* In the child: becomes the server, or returns. A session of its own keeps the terminal's Ctrl-C
 * from it: it ends after us, not beside us. */
static void become_server(const struct embedded *e, int log, pid_t parent)
{
    const char *const argv[] = {"redis-server", "--port", "0", "--unixsocket", e->socket,
                                "--unixsocketperm", "700", "--dir", e->state_dir, "--appendonly",
                                "yes", "--save", "",
                                /* A listener that shares its core with a pipeline at full speed
                                 * catches up; Redis' own limit of 32 MB would cut it off. */
                                "--client-output-buffer-limit", "pubsub 256mb 128mb 60", NULL};
    sigset_t none;

    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
    setsid();
    umask(077);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    keep_open(e->run_lock);
    keep_open(e->state_lock);
    execvp(argv[0], (char *const *)argv);
}

/* Reads why the child could not become the server; the end of the pipe, which closes as it does,
 * says that it has. */
static int read_failure(int fd)
{
    int error = 0;
    ssize_t n;

    do
        n = read(fd, &error, sizeof(error));
    while (n < 0 && errno == EINTR);
    return n == sizeof(error) ? error : 0;
}

static int failed_to_start(int error, struct fault *f)
{
    if (error == ENOENT)
        return fault_set(f, "redis-server is not found on PATH: install it, or name a Redis");
    return fault_set(f, "redis-server cannot be started: %s", uv_strerror(-error));
}

static int fork_server(struct embedded *e, int log, struct fault *f)
{
    int told[2];
    pid_t parent = getpid();

    if (pipe2(told, O_CLOEXEC) != 0)
        return failed_to_start(errno, f);
    pid_t pid = fork();
    int error = pid < 0 ? errno : 0;
    if (pid == 0) {
        become_server(e, log, parent);
        error = errno;
        ssize_t n = write(told[1], &error, sizeof(error));
        _exit(n < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
    }
    close(told[1]);
    if (pid > 0)
        error = read_failure(told[0]);
    close(told[0]);
    if (error != 0) {
        if (pid > 0)
            waitpid(pid, NULL, 0);
        return failed_to_start(error, f);
    }
    e->pid = pid;
    e->started_ms = clock_steady_ms();
    return 0;
}

static int start_server(struct embedded *e, struct fault *f)
{
    int log = open_log(e, f);

    if (log < 0)
        return -1;
    int result = fork_server(e, log, f);
    close(log);
    return result;
}

/* Whether it has ended; then how, in words. */
static bool has_ended(struct embedded *e, struct fault *how)
{
    int status;

    if (e->pid == 0 || waitpid(e->pid, &status, WNOHANG) != e->pid)
        return false;
    e->pid = 0;
    if (WIFSIGNALED(status))
        fault_set(how, "signal %d", WTERMSIG(status));
    else
        fault_set(how, "status %d", WEXITSTATUS(status));
    return true;
}

/* The last line of what the server wrote; it stands in tail. */
static const char *last_log_line(const struct embedded *e, char tail[LOG_TAIL_BYTES + 1])
{
    int fd = open(e->log, O_RDONLY | O_CLOEXEC);
    ssize_t n = 0;

    if (fd >= 0) {
        off_t size = lseek(fd, 0, SEEK_END);
        n = pread(fd, tail, LOG_TAIL_BYTES, size > LOG_TAIL_BYTES ? size - LOG_TAIL_BYTES : 0);
        close(fd);
    }
    while (n > 0 && (tail[n - 1] == '\n' || tail[n - 1] == '\r'))
        n--;
    tail[n > 0 ? n : 0] = '\0';
    const char *newline = strrchr(tail, '\n');
    return newline ? newline + 1 : tail;
}

enum answer { ANSWER_NONE, ANSWER_LOADING, ANSWER_PONG };

static enum answer read_answer(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    char line[64];

    if (send(fd, "PING\r\n", 6, MSG_NOSIGNAL) != 6 || poll(&wait, 1, PING_WAIT_MS) != 1)
        return ANSWER_NONE;
    ssize_t n = recv(fd, line, sizeof(line), 0);
    struct span text = {line, n > 0 ? (size_t)n : 0};
    if (span_starts(text, "+PONG"))
        return ANSWER_PONG;
    return span_starts(text, "-LOADING") ? ANSWER_LOADING : ANSWER_NONE;
}

static enum answer ping(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    enum answer answer = ANSWER_NONE;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return ANSWER_NONE;
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        answer = read_answer(fd);
    close(fd);
    return answer;
}

/* A server with much to load answers that it does; that will do when the time is over, as it will
 * be ready in the end. */
static int wait_ready(struct embedded *e, struct fault *f)
{
    int64_t until_ms = clock_steady_ms() + READY_WAIT_MS;
    char tail[LOG_TAIL_BYTES + 1];
    enum answer answer;
    struct fault how;

    do {
        if (has_ended(e, &how))
            return fault_set(f, "redis-server ended at once (%s): %s", how.text,
                             last_log_line(e, tail));
        answer = ping(e->socket);
        if (answer == ANSWER_PONG)
            return 0;
        pause_for_turn();
    } while (clock_steady_ms() < until_ms);
    if (answer == ANSWER_LOADING)
        return 0;
    return fault_set(f, "redis-server gives no answer at %s", e->socket);
}

static void end_server(struct embedded *e)
{
    int64_t until_ms = clock_steady_ms() + STOP_WAIT_MS;
    struct fault how;

    if (e->pid == 0)
        return;
    kill(e->pid, SIGTERM);
    while (!has_ended(e, &how)) {
        if (clock_steady_ms() >= until_ms)
            kill(e->pid, SIGKILL);
        pause_for_turn();
    }
}

/* --- all of it ----------------------------------------------------------------------------- */

static void release(struct embedded *e)
{
    if (e->run_lock >= 0)
        close(e->run_lock);
    if (e->state_lock >= 0)
        close(e->state_lock);
    free(e->state_dir);
    free(e->socket);
    free(e->log);
    free(e);
}

/* Whatever they are called. */
static bool are_one(const char *dir, const char *other)
{
    struct stat a, b;

    return stat(dir, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

/* The state directory has a lock of its own: two servers with different run directories must not
 * write one append-only file. Where it is the run directory, it has that one: a second flock(2) on
 * the file would wait for the first. */
static int prepare(struct embedded *e, const char *run_dir, const char *state_dir, struct fault *f)
{
    struct buf path = {0};

    buf_printf(&path, "%s%s", run_dir, socket_name);
    e->socket = path.at;
    if (path.len > SOCKET_BYTES_MAX)
        return fault_set(f, "%s: %zu bytes, and a Unix socket's path has at most %d", e->socket,
                         path.len, SOCKET_BYTES_MAX);
    path = (struct buf){0};
    buf_printf(&path, "%s/redis.log", state_dir);
    e->log = path.at;
    e->state_dir = mem_text(state_dir);
    e->run_lock = lock_dir(run_dir, f);
    if (e->run_lock < 0)
        return -1;
    if (!are_one(run_dir, state_dir)) {
        e->state_lock = lock_dir(state_dir, f);
        if (e->state_lock < 0)
            return -1;
    }
    unlink(e->socket); /* left by one that was killed */
    return 0;
}

static struct embedded *start_in(const char *run_dir, const char *state_dir, struct fault *f)
{
    struct embedded *e = mem_zero(sizeof(*e));

    e->run_lock = e->state_lock = -1;
    e->delay_ms = DELAY_MIN_MS;
    if (prepare(e, run_dir, state_dir, f) == 0 && start_server(e, f) == 0) {
        if (wait_ready(e, f) == 0)
            return e;
        end_server(e);
    }
    release(e);
    return NULL;
}

struct embedded *embedded_start(struct fault *f)
{
    struct buf run = {0};
    struct buf state = {0};
    struct embedded *e = NULL;

    if (embedded_run_dir(&run, f) == 0 && embedded_state_dir(&state, f) == 0)
        e = start_in(run.at, state.at, f);
    buf_fini(&run);
    buf_fini(&state);
    return e;
}

/* --- supervision --------------------------------------------------------------------------- */

static void on_retry(uv_timer_t *handle);

static void start_later(struct embedded *e)
{
    uv_timer_start(&e->retry, on_retry, (uint64_t)e->delay_ms, 0);
    e->delay_ms = e->delay_ms * 2 < DELAY_MAX_MS ? e->delay_ms * 2 : DELAY_MAX_MS;
}

static void on_retry(uv_timer_t *handle)
{
    struct embedded *e = handle->data;
    struct fault f;

    if (start_server(e, &f) == 0)
        return;
    log_error("%s", f.text);
    start_later(e);
}

static void look_after(struct embedded *e)
{
    struct fault how;

    if (!has_ended(e, &how))
        return;
    log_error("redis-server ended (%s) and is started again: see %s", how.text, e->log);
    if (clock_steady_ms() - e->started_ms >= DELAY_MAX_MS)
        e->delay_ms = DELAY_MIN_MS;
    start_later(e);
}

static void on_child(uv_signal_t *handle, int signal)
{
    (void)signal;
    look_after(handle->data);
}

void embedded_supervise(struct embedded *e, uv_loop_t *loop)
{
    assert(e->handles == 0);
    uv_signal_init(loop, &e->child);
    uv_timer_init(loop, &e->retry);
    e->child.data = e->retry.data = e;
    e->handles = 2;
    uv_signal_start(&e->child, on_child, SIGCHLD);
    uv_unref((uv_handle_t *)&e->child);
    look_after(e);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct embedded *e = handle->data;

    if (--e->handles == 0)
        release(e);
}

void embedded_stop(struct embedded *e)
{
    if (!e)
        return;
    end_server(e);
    if (e->handles == 0) {
        release(e);
        return;
    }
    uv_close((uv_handle_t *)&e->child, on_handle_closed);
    uv_close((uv_handle_t *)&e->retry, on_handle_closed);
}
