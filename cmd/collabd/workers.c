#include "workers.h"
#include "clock.h"
#include "embedded.h"
#include "listen.h"
#include "log.h"
#include "mem.h"
#include "notify.h"
#include "num.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <uv.h>

enum {
    LINE_BYTES = 1024,
    PAUSE_MS = 100, /* before another is started in place of one that ended; doubled up to */
    PAUSE_MS_MAX = 10000,
    LONG_MS = 10000, /* one that ran so long did not end soon */
};

/* What a worker is told, in its environment. */
static const char NUMBER[] = "COLLAB_WORKER", LISTEN[] = "COLLAB_WORKER_LISTEN",
                  REDIS[] = "COLLAB_WORKER_REDIS", PARENT[] = "COLLAB_WORKER_PARENT";

/* --- in a worker -------------------------------------------------------------------------- */

static void replace_text(char **text, char *by)
{
    free(*text);
    *text = by;
}

static void replace_list(struct opt_list *list, const char *items)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->at[i]);
    free(list->at);
    *list = (struct opt_list){0};
    while (*items) {
        size_t len = strcspn(items, ",");
        list->at = mem_resize(list->at, (list->count + 1) * sizeof(*list->at));
        list->at[list->count++] = span_text((struct span){items, len});
        items += len + (items[len] != '\0');
    }
}

static void name_node(struct settings *set)
{
    struct buf name = {0};
    if (!set->node)
        return;
    buf_printf(&name, "%s-%d", set->node, set->worker);
    replace_text(&set->node, name.at);
}

/* 0: there is none. */
static int64_t read_number(const char *variable)
{
    const char *text = getenv(variable);
    int64_t number;
    struct fault f;
    return text && num_parse(span_of(text), 1, INT32_MAX, &number, &f) == 0 ? number : 0;
}

void worker_settle(struct settings *set)
{
    const char *redis = getenv(REDIS), *listen = getenv(LISTEN);
    int64_t number = read_number(NUMBER), parent = read_number(PARENT);
    if (!number || !parent || !listen)
        return;
    set->worker = (int)number;
    set->reuse_port = true;
    replace_list(&set->listen, listen);
    if (redis)
        replace_text(&set->redis, mem_text(redis));
    name_node(set);
    /* It was started by another name, which is right even after an upgrade of the file. */
    prctl(PR_SET_NAME, "collabd");
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        exit(STATUS_NO);
}

/* --- the workers -------------------------------------------------------------------------- */

struct workers;

struct worker {
    struct workers *all;
    int number;
    uv_process_t process;
    uv_pipe_t out; /* its standard output */
    uv_timer_t again;
    int handles; /* of these, to be closed before it is started again */
    int64_t began_ms;
    int64_t pause_ms;
    size_t len; /* of line */
    char line[LINE_BYTES];
    bool running;
    bool ready;
};

struct workers {
    uv_loop_t loop;
    uv_signal_t terminate, interrupt, hangup;
    uv_timer_t watchdog;
    struct worker *at;
    int count;
    int argc;
    char **argv;
    struct buf addresses; /* where they listen, with commas */
    struct buf redis;     /* URL of the embedded one; empty: theirs was named */
    int *reserved;        /* sockets that keep the ports ours */
    size_t reserved_count;
    bool announced;
    bool stopping;
    enum exit_status status;
};

static void worker_start(struct worker *w);

static void start_again(uv_timer_t *timer)
{
    worker_start(timer->data);
}

static int running(const struct workers *all)
{
    int n = 0;
    for (int i = 0; i < all->count; i++)
        n += all->at[i].running;
    return n;
}

static void tell_all(struct workers *all, int signal)
{
    for (int i = 0; i < all->count; i++)
        if (all->at[i].running)
            uv_process_kill(&all->at[i].process, signal);
}

static void stop_all(struct workers *all, int signal)
{
    all->stopping = true;
    tell_all(all, signal);
    for (int i = 0; i < all->count; i++)
        uv_timer_stop(&all->at[i].again);
    if (!running(all))
        uv_stop(&all->loop);
}

static void handle_closed(uv_handle_t *handle)
{
    struct worker *w = handle->data;
    if (--w->handles || w->all->stopping)
        return;
    uv_timer_start(&w->again, start_again, (uint64_t)w->pause_ms, 0);
    w->pause_ms = w->pause_ms * 2 < PAUSE_MS_MAX ? w->pause_ms * 2 : PAUSE_MS_MAX;
}

/* Before all were ready something is wrong that another try would not mend. */
static void ended(uv_process_t *process, int64_t status, int signal)
{
    struct worker *w = process->data;
    struct workers *all = w->all;
    w->running = w->ready = false;
    uv_close((uv_handle_t *)process, handle_closed);
    uv_close((uv_handle_t *)&w->out, handle_closed);
    if (all->stopping) {
        if (!running(all))
            uv_stop(&all->loop);
        return;
    }
    if (!all->announced && !signal) {
        all->status = (enum exit_status)status;
        stop_all(all, SIGTERM);
        return;
    }
    log_error("worker %d ended with %s %d; another is started", w->number,
              signal ? "signal" : "status", signal ? signal : (int)status);
    if (clock_steady_ms() - w->began_ms >= LONG_MS)
        w->pause_ms = PAUSE_MS;
}

/* All listen at the same addresses. */
static void announce(struct workers *all, const struct worker *w)
{
    for (int i = 0; i < all->count; i++)
        if (!all->at[i].ready)
            return;
    if (!all->announced) {
        printf("%s\n", w->line);
        fflush(stdout);
    }
    all->announced = true;
    notify_ready(w->line);
}

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *out)
{
    struct worker *w = handle->data;
    (void)hint;
    *out = uv_buf_init(w->line + w->len, (unsigned int)(sizeof(w->line) - w->len));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *in)
{
    struct worker *w = stream->data;
    (void)in;
    if (n < 0) {
        uv_read_stop(stream);
        return;
    }
    w->len += (size_t)n;
    char *end = memchr(w->line, '\n', w->len);
    if (!end || w->ready)
        return;
    *end = '\0';
    w->ready = true;
    announce(w->all, w);
}

static void add_variable(char **environment, size_t *count, const char *name, const char *value)
{
    struct buf one = {0};
    buf_printf(&one, "%s=%s", name, value);
    environment[(*count)++] = one.at;
}

/* Ours but for what is only for us. */
static char **make_environment(const struct worker *w, size_t *count)
{
    static const char *const ours[] = {"NOTIFY_SOCKET=", "WATCHDOG_PID=", "WATCHDOG_USEC="};
    char number[24], parent[24];
    size_t size = 0;
    while (environ[size])
        size++;
    char **all = mem_zero((size + 5) * sizeof(*all));
    *count = 0;
    for (size_t i = 0; i < size; i++) {
        bool passed = true;
        for (size_t k = 0; k < sizeof(ours) / sizeof(ours[0]); k++)
            passed = passed && strncmp(environ[i], ours[k], strlen(ours[k])) != 0;
        if (passed)
            all[(*count)++] = mem_text(environ[i]);
    }
    snprintf(number, sizeof(number), "%d", w->number);
    snprintf(parent, sizeof(parent), "%d", (int)getpid());
    add_variable(all, count, NUMBER, number);
    add_variable(all, count, PARENT, parent);
    add_variable(all, count, LISTEN, w->all->addresses.at);
    if (w->all->redis.len)
        add_variable(all, count, REDIS, w->all->redis.at);
    return all;
}

static void worker_start(struct worker *w)
{
    struct workers *all = w->all;
    size_t count;
    char **environment = make_environment(w, &count);
    uv_stdio_container_t stdio[] = {
        {.flags = UV_IGNORE},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&w->out},
        {.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
    };
    uv_process_options_t options = {
        .exit_cb = ended,
        .file = "/proc/self/exe",
        .args = all->argv,
        .env = environment,
        .stdio = stdio,
        .stdio_count = 3,
    };
    w->process.data = w->out.data = w;
    w->len = 0;
    w->began_ms = clock_steady_ms();
    w->handles = 2;
    uv_pipe_init(&all->loop, &w->out, 0);
    int error = uv_spawn(&all->loop, &w->process, &options);
    w->running = error == 0;
    if (!error)
        error = uv_read_start((uv_stream_t *)&w->out, on_alloc, on_read);
    if (!w->running) {
        log_error("worker %d: %s", w->number, uv_strerror(error));
        uv_close((uv_handle_t *)&w->process, handle_closed);
        uv_close((uv_handle_t *)&w->out, handle_closed);
    }
    for (size_t i = 0; i < count; i++)
        free(environment[i]);
    free(environment);
}

/* --- signals ------------------------------------------------------------------------------ */

static void on_end(uv_signal_t *handle, int signal)
{
    notify_stopping();
    stop_all(handle->data, signal);
}

static void on_hangup(uv_signal_t *handle, int signal)
{
    notify_reloading();
    tell_all(handle->data, signal);
    notify_ready("told to reload");
}

static void on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    notify_alive();
}

/* --- set-up and take-down ----------------------------------------------------------------- */

static int reserve_ports(struct workers *all, const struct settings *set, struct fault *f)
{
    all->reserved = mem_zero(set->listen.count * sizeof(*all->reserved));
    for (size_t i = 0; i < set->listen.count; i++) {
        if (i)
            buf_char(&all->addresses, ',');
        int fd = listen_reserve(set, set->listen.at[i], &all->addresses, f);
        if (fd < 0)
            return -1;
        all->reserved[all->reserved_count++] = fd;
    }
    return 0;
}

static void set_up(struct workers *all)
{
    int64_t watchdog_ms = notify_watchdog_ms();
    uv_signal_init(&all->loop, &all->terminate);
    uv_signal_init(&all->loop, &all->interrupt);
    uv_signal_init(&all->loop, &all->hangup);
    uv_timer_init(&all->loop, &all->watchdog);
    all->terminate.data = all->interrupt.data = all->hangup.data = all;
    uv_signal_start(&all->terminate, on_end, SIGTERM);
    uv_signal_start(&all->interrupt, on_end, SIGINT);
    uv_signal_start(&all->hangup, on_hangup, SIGHUP);
    if (watchdog_ms)
        uv_timer_start(&all->watchdog, on_watchdog, 0, (uint64_t)watchdog_ms / 2 + 1);
    all->at = mem_zero((size_t)all->count * sizeof(*all->at));
    for (int i = 0; i < all->count; i++) {
        struct worker *w = &all->at[i];
        w->all = all;
        w->number = i + 1;
        w->pause_ms = PAUSE_MS;
        w->again.data = w;
        uv_timer_init(&all->loop, &w->again);
    }
}

static void take_down(struct workers *all)
{
    uv_close((uv_handle_t *)&all->terminate, NULL);
    uv_close((uv_handle_t *)&all->interrupt, NULL);
    uv_close((uv_handle_t *)&all->hangup, NULL);
    uv_close((uv_handle_t *)&all->watchdog, NULL);
    for (int i = 0; i < all->count; i++)
        uv_close((uv_handle_t *)&all->at[i].again, NULL);
    uv_run(&all->loop, UV_RUN_DEFAULT);
    free(all->at);
}

static void release(struct workers *all)
{
    for (size_t i = 0; i < all->reserved_count; i++)
        close(all->reserved[i]);
    free(all->reserved);
    buf_fini(&all->addresses);
    buf_fini(&all->redis);
    uv_loop_close(&all->loop);
}

int workers_run(const struct settings *set, int argc, char **argv, enum exit_status *status,
                struct fault *f)
{
    struct workers all = {.count = (int)set->workers, .argc = argc, .argv = argv};
    struct embedded *embedded = NULL;
    uv_loop_init(&all.loop);
    *status = STATUS_USAGE;
    int failed = reserve_ports(&all, set, f);
    if (!failed && !set->redis) {
        *status = STATUS_UNREACHABLE;
        embedded = embedded_start(f);
        failed = embedded ? 0 : -1;
    }
    if (!failed) {
        if (embedded) {
            embedded_supervise(embedded, &all.loop);
            embedded_url(&all.redis);
        }
        set_up(&all);
        for (int i = 0; i < all.count; i++)
            worker_start(&all.at[i]);
        uv_run(&all.loop, UV_RUN_DEFAULT);
        *status = all.status;
        embedded_stop(embedded);
        take_down(&all);
    }
    release(&all);
    return failed;
}
