#include "tool.h"
#include "catalog_file.h"
#include "clock.h"
#include "embedded.h"
#include "log.h"
#include "mem.h"
#include "near.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    OUTPUT_BYTES = 64 * 1024,   /* gathered at most before it leaves */
    SECRET_BYTES = 64 * 1024,   /* longer than any token */
    PROGRESS_INTERVAL_MS = 100, /* faster, nobody reads it */
};

static struct {
    const char *name;
    uv_loop_t loop;
    uv_prepare_t before_wait;
    uv_async_t wake;
    uv_timer_t limit;
    bool running;
    bool stopped;
    enum exit_status status;
    struct buf out;
    bool progress_shown;
    int64_t progress_ms;
    struct redis_address redis;
    bool redis_guessed; /* nobody named it, and it is not collabd's own */
    void (*got_catalog)(struct catalog *c);
} tool;

static volatile sig_atomic_t caught; /* the signal that ends the tool; 0: none */

static void erase_progress(void)
{
    if (tool.progress_shown)
        fputs("\r\033[K", stderr);
    tool.progress_shown = false;
}

static void say(const char *format, va_list args)
{
    erase_progress();
    struct buf line = {0};
    buf_printf(&line, "%s: ", tool.name);
    buf_vprintf(&line, format, args);
    buf_char(&line, '\n');
    fwrite(line.at, 1, line.len, stderr);
    buf_fini(&line);
}

void tool_say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
}

void tool_progress(const char *format, ...)
{
    int64_t now = clock_steady_ms();
    if (!tool_tells_terminal() || now - tool.progress_ms < PROGRESS_INTERVAL_MS)
        return;
    tool.progress_ms = now;
    tool.progress_shown = true;
    va_list args;
    va_start(args, format);
    fputc('\r', stderr);
    vfprintf(stderr, format, args);
    fputs("\033[K", stderr);
    va_end(args);
}

/* Ends the process as the signal would have: the shell sees why, and stops a script's loop. */
static void __attribute__((noreturn)) die_by(int sig)
{
    signal(sig, SIG_DFL);
    raise(sig);
    _exit(128 + sig);
}

/* Called for a write that failed. Returns when it is worth another try. */
static void write_failed(int error)
{
    if (error == EINTR)
        return;
    if (error == EAGAIN) {
        struct pollfd room = {.fd = STDOUT_FILENO, .events = POLLOUT};
        poll(&room, 1, -1);
        return;
    }
    if (error == EPIPE)
        die_by(SIGPIPE);
    tool_say("standard output: %s", uv_strerror(-error));
    _exit(STATUS_NO);
}

/* A signal that comes while a write waits for a slow reader ends the tool there and then. */
void tool_flush(void)
{
    int caught_before = caught;
    for (size_t done = 0; done < tool.out.len;) {
        ssize_t n = write(STDOUT_FILENO, tool.out.at + done, tool.out.len - done);
        if (n < 0)
            write_failed(errno);
        else
            done += (size_t)n;
        if (caught != caught_before && done < tool.out.len)
            die_by(caught);
    }
    buf_clear(&tool.out);
}

void tool_out_raw(struct span bytes)
{
    buf_join(&tool.out, bytes);
    if (tool.out.len >= OUTPUT_BYTES)
        tool_flush();
}

void tool_out(struct span record)
{
    buf_join(&tool.out, record);
    tool_out_raw(span_of("\n"));
}

void tool_fail(enum exit_status status, const char *format, ...)
{
    tool_flush();
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
    exit(status);
}

/* A missing descriptor 0, 1 or 2 would be taken by the first socket, and get our output. Opened
 * the wrong way round, it fails when it is used. */
static void hold_standard_files(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

static void on_before_wait(uv_prepare_t *handle)
{
    (void)handle;
    tool_flush();
}

static void on_wake(uv_async_t *handle)
{
    uv_stop(handle->loop);
}

static void on_limit(uv_timer_t *handle)
{
    (void)handle;
    tool_stop(STATUS_TIMEOUT);
}

/* None of these keeps the loop running. */
static void start_loop(void)
{
    uv_loop_init(&tool.loop);
    uv_prepare_init(&tool.loop, &tool.before_wait);
    uv_prepare_start(&tool.before_wait, on_before_wait);
    uv_unref((uv_handle_t *)&tool.before_wait);
    uv_async_init(&tool.loop, &tool.wake, on_wake);
    uv_unref((uv_handle_t *)&tool.wake);
    uv_timer_init(&tool.loop, &tool.limit);
    uv_unref((uv_handle_t *)&tool.limit);
}

static void note_open(uv_handle_t *handle, void *arg)
{
    bool *open = arg;
    *open |= !uv_is_closing(handle);
}

/* Lets what was closed finish, and frees all. Where the tool left something open, no callback may
 * run any more: what it points to may be gone, and the system takes all back. */
static void finish(void)
{
    tool_flush();
    erase_progress();
    buf_fini(&tool.out);
    redis_address_fini(&tool.redis);
    uv_close((uv_handle_t *)&tool.before_wait, NULL);
    uv_close((uv_handle_t *)&tool.wake, NULL);
    uv_close((uv_handle_t *)&tool.limit, NULL);
    bool open = tool.running;
    uv_walk(&tool.loop, note_open, &open);
    while (!open && uv_loop_close(&tool.loop) == UV_EBUSY)
        uv_run(&tool.loop, UV_RUN_NOWAIT);
}

static void __attribute__((noreturn)) answer_and_exit(void)
{
    while (fflush(stdout) != 0)
        write_failed(errno);
    exit(STATUS_OK);
}

int tool_start(const struct opt_program *program, void *settings, int argc, char **argv)
{
    tool.name = program->name;
    hold_standard_files();
    signal(SIGPIPE, SIG_IGN); /* a lost connection is no reason to die; standard output is */
    log_open(program->name, LOG_WARNING, false);

    struct fault f;
    int first = 0;
    enum opt_result result = opt_parse(program, settings, argc, argv, &first, &f);
    switch (result) {
    case OPT_HELP:
    case OPT_HELP_ALL:
        opt_help(program, result == OPT_HELP_ALL, stdout);
        answer_and_exit();
    case OPT_VERSION:
        printf("%s %s\n", program->name, COLLAB_VERSION);
        answer_and_exit();
    case OPT_WRONG:
        tool_say("%s", f.text);
        exit(STATUS_USAGE);
    case OPT_RUN:
        break;
    }
    start_loop();
    atexit(finish);
    return first;
}

uv_loop_t *tool_loop(void)
{
    return &tool.loop;
}

static void on_signal(int sig)
{
    caught = sig;
    uv_async_send(&tool.wake);
}

/* Only while the loop runs: before and after it, a signal ends the tool by itself. The second one
 * always does, and a write that waits for a slow reader is interrupted. */
static void watch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static void unwatch_signals(void)
{
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
}

int tool_run(void)
{
    tool.running = true;
    watch_signals();
    if (!tool.stopped)
        uv_run(&tool.loop, UV_RUN_DEFAULT);
    tool_flush();
    erase_progress();
    if (caught)
        die_by(caught);
    unwatch_signals();
    tool.running = false;
    return tool.status;
}

void tool_stop(enum exit_status status)
{
    if (tool.stopped)
        return;
    tool.stopped = true;
    tool.status = status;
    uv_stop(&tool.loop);
}

void tool_limit(int64_t limit_ms)
{
    if (limit_ms > 0)
        uv_timer_start(&tool.limit, on_limit, (uint64_t)limit_ms, 0);
    else
        uv_timer_stop(&tool.limit);
}

const struct redis_address *tool_redis(const char *named)
{
    struct buf embedded = {0};
    const char *variable = getenv("COLLAB_REDIS");
    const char *url = "redis://127.0.0.1:6379";
    const char *source = NULL;
    if (named) {
        url = named;
        source = "--redis";
    } else if (variable && *variable) {
        url = variable;
        source = "$COLLAB_REDIS";
    } else if (embedded_url(&embedded)) {
        url = embedded.at;
    } else {
        tool.redis_guessed = true;
    }

    struct fault f;
    if (redis_address_parse(&tool.redis, span_of(url), &f) < 0)
        tool_fail(STATUS_USAGE, "%s%s%s", source ? source : "", source ? ": " : "", f.text);
    buf_fini(&embedded);
    return &tool.redis;
}

void tool_unreachable(const char *why)
{
    if (tool.stopped)
        return;
    tool_say("%s", why);
    if (tool.redis_guessed)
        tool_say("no collabd runs here with a Redis of its own; --redis or $COLLAB_REDIS names "
                 "another");
    tool_stop(STATUS_UNREACHABLE);
}

void tool_not_done(enum store_result result, const char *why)
{
    if (result == STORE_UNAVAILABLE) {
        tool_unreachable(why);
        return;
    }
    tool_say("%s: %s", tool.redis.label, why);
    tool_stop(STATUS_FORBIDDEN);
}

static void stop_without_catalog(const char *why)
{
    tool_say("%s", why);
    tool_stop(STATUS_NO);
}

static void on_catalog(void *arg, enum store_result result, struct span text)
{
    struct fault f;

    (void)arg;
    if (result != STORE_DONE) {
        tool_not_done(result, "the catalog in force could not be read");
        return;
    }
    if (text.len == 0) {
        stop_without_catalog("no catalog is in force: no collabd has run on this Redis");
        return;
    }
    struct catalog *c = catalog_parse(text, "the catalog in force", &f);
    if (c)
        tool.got_catalog(c);
    else
        stop_without_catalog(f.text);
}

void tool_catalog(struct store *s, void (*got)(struct catalog *c))
{
    tool.got_catalog = got;
    store_catalog_get(s, on_catalog, NULL);
}

/* --- What the command line names --- */

static const char *row_name(const void *rows, size_t size, size_t i)
{
    const char *name;
    memcpy(&name, (const char *)rows + i * size, sizeof(name));
    return name;
}

/* sign, verify or explain */
static void list_names(const void *rows, size_t count, size_t size, struct buf *out)
{
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%s%s",
                   i == 0          ? ""
                   : i + 1 < count ? ", "
                                   : " or ",
                   row_name(rows, size, i));
}

size_t tool_command(const char *word, const void *rows, size_t count, size_t size)
{
    struct buf names = {0};
    for (size_t i = 0; word && i < count; i++)
        if (strcmp(row_name(rows, size, i), word) == 0)
            return i;
    for (size_t i = 0; word && i < count; i++)
        if (near_is(span_of(word), row_name(rows, size, i)))
            tool_fail(STATUS_USAGE, "unknown command %s (did you mean %s?)",
                      fault_quote(span_of(word)), row_name(rows, size, i));
    list_names(rows, count, size, &names);
    if (!word)
        tool_fail(STATUS_USAGE, "a command is missing: %s", names.at);
    tool_fail(STATUS_USAGE, "unknown command %s: %s", fault_quote(span_of(word)), names.at);
}

static void read_secret(const char *file, struct buf *b)
{
    bool is_stdin = strcmp(file, "-") == 0;
    const char *name = is_stdin ? "standard input" : file;
    FILE *in = is_stdin ? stdin : fopen(file, "re");
    if (!in)
        tool_fail(STATUS_USAGE, "%s: %s", name, uv_strerror(-errno));
    b->len = fread(buf_room(b, SECRET_BYTES), 1, SECRET_BYTES, in);
    if (ferror(in))
        tool_fail(STATUS_USAGE, "%s: %s", name, uv_strerror(-errno));
    if (b->len == SECRET_BYTES)
        tool_fail(STATUS_USAGE, "%s: larger than any token", name);
    if (!is_stdin)
        fclose(in);
}

/* One line of printable characters, so that it can stand in a header. */
static char *check_secret(struct span text, const char *name)
{
    while (text.len > 0 && (text.at[text.len - 1] == '\n' || text.at[text.len - 1] == '\r'))
        text.len--;
    if (text.len == 0)
        tool_fail(STATUS_USAGE, "%s: empty, where a token was expected", name);
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] <= ' ' || text.at[i] > '~')
            tool_fail(STATUS_USAGE, "%s: not a token: character %zu is not printable ASCII", name,
                      i + 1);
    return mem_copy(text.at, text.len);
}

char *tool_secret(const char *file, const char *variable)
{
    if (file) {
        struct buf b = {0};
        read_secret(file, &b);
        char *secret = check_secret(buf_span(&b), strcmp(file, "-") ? file : "standard input");
        buf_fini(&b);
        return secret;
    }
    const char *value = variable ? getenv(variable) : NULL;
    if (!value || !*value)
        return NULL;
    struct buf name = {0};
    buf_printf(&name, "$%s", variable);
    char *secret = check_secret(span_of(value), name.at);
    buf_fini(&name);
    return secret;
}

bool tool_on_terminal(void)
{
    return isatty(STDOUT_FILENO);
}

bool tool_tells_terminal(void)
{
    return isatty(STDERR_FILENO);
}

bool tool_colour(void)
{
    const char *no_colour = getenv("NO_COLOR");
    return tool_on_terminal() && !(no_colour && *no_colour);
}
