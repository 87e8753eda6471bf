#include "lines.h"
#include "mem.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SLICE_BYTES = 64 * 1024 }; /* read in one turn of the loop: a full pipe */

struct lines {
    uv_loop_t *loop;
    const struct lines_hooks *hooks;
    void *ctx;
    char *const *next; /* file to open */
    bool whole;
    bool paused;
    bool ended;  /* nothing is left to read, and no handle open */
    bool closed; /* by its user: freed as soon as no handle is open */

    int fd; /* the open file; -1: none, and the handle closing or gone */
    union {
        uv_handle_t any;
        uv_poll_t poll; /* of what can be waited for */
        uv_idle_t idle; /* of a plain file, which always has something */
    } handle;
    struct line at;
    struct buf in; /* what was read and not passed on: the beginning of a line */
    bool skipping; /* the rest of a line that is too long */
};

static void open_next(struct lines *l);

static void lines_free(struct lines *l)
{
    buf_fini(&l->in);
    free(l);
}

static void pass_on(struct lines *l, struct span text)
{
    if (l->skipping) {
        l->skipping = false;
        return;
    }
    l->at.number++;
    l->at.text = text;
    l->hooks->line(l->ctx, &l->at);
}

static void skip_long_line(struct lines *l)
{
    if (!l->skipping) {
        l->skipping = true;
        l->at.number++;
        l->hooks->unread(l->ctx, &l->at, "longer than 16 MiB: passed over");
    }
    buf_clear(&l->in);
}

/* Passes on each line that the last `fresh` bytes of l->in have made whole. */
static void take_lines(struct lines *l, size_t fresh)
{
    const char *begin = l->in.at;
    const char *end = begin + l->in.len;
    const char *seek = l->whole ? end : end - fresh;
    const char *newline;

    while ((newline = memchr(seek, '\n', (size_t)(end - seek)))) {
        pass_on(l, (struct span){begin, (size_t)(newline - begin)});
        begin = seek = newline + 1;
    }
    buf_drop(&l->in, (size_t)(begin - l->in.at));
    if (l->skipping || l->in.len > LINE_BYTES_MAX)
        skip_long_line(l);
}

static void on_file_closed(uv_handle_t *handle)
{
    struct lines *l = handle->data;
    if (l->closed)
        lines_free(l);
    else
        open_next(l);
}

static void close_file(struct lines *l)
{
    if (l->fd != STDIN_FILENO)
        close(l->fd);
    l->fd = -1;
    uv_close(&l->handle.any, on_file_closed);
}

static void end_file(struct lines *l)
{
    if (l->in.len > 0 || l->whole)
        pass_on(l, buf_span(&l->in));
    buf_clear(&l->in);
    l->skipping = false;
    close_file(l);
}

static void fail_file(struct lines *l, int error)
{
    l->at.number = 0;
    l->hooks->unread(l->ctx, &l->at, uv_strerror(-error));
}

static void read_slice(struct lines *l)
{
    ssize_t n = read(l->fd, buf_room(&l->in, SLICE_BYTES), SLICE_BYTES);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n > 0) {
        l->in.len += (size_t)n;
        take_lines(l, (size_t)n);
        return;
    }
    if (n < 0) {
        fail_file(l, errno);
        close_file(l);
    } else {
        end_file(l);
    }
}

static void start_reading(struct lines *l);

/* After an error libuv polls no more; read() finds the same error, once it has read the rest. */
static void on_poll(uv_poll_t *handle, int status, int events)
{
    (void)events;
    struct lines *l = handle->data;
    read_slice(l);
    if (status < 0)
        start_reading(l);
}

static void on_idle(uv_idle_t *handle)
{
    read_slice(handle->data);
}

static void start_reading(struct lines *l)
{
    if (l->paused || l->fd < 0)
        return;
    if (l->handle.any.type == UV_POLL)
        uv_poll_start(&l->handle.poll, UV_READABLE, on_poll);
    else
        uv_idle_start(&l->handle.idle, on_idle);
}

/* libuv makes what it polls non-blocking, for all who share the open file: a shell's terminal, and
 * our own standard output. A read after a poll does not wait, so it is set back. */
static void init_handle(struct lines *l)
{
    int flags = fcntl(l->fd, F_GETFL);
    if (uv_poll_init(l->loop, &l->handle.poll, l->fd) < 0)
        uv_idle_init(l->loop, &l->handle.idle);
    fcntl(l->fd, F_SETFL, flags);
    l->handle.any.data = l;
}

static int open_file(const char *file)
{
    /* Non-blocking, as a named pipe that nobody writes to yet must not stop the loop. */
    return file ? open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) : STDIN_FILENO;
}

static void open_next(struct lines *l)
{
    for (; *l->next; l->next++) {
        l->at = (struct line){.file = strcmp(*l->next, "-") == 0 ? NULL : *l->next};
        l->fd = open_file(l->at.file);
        if (l->fd >= 0) {
            l->next++;
            init_handle(l);
            start_reading(l);
            return;
        }
        fail_file(l, errno);
    }
    l->ended = true;
    l->hooks->end(l->ctx);
}

struct lines *lines_open(uv_loop_t *loop, char *const *files, bool whole,
                         const struct lines_hooks *hooks, void *ctx)
{
    static char *const standard_input[] = {"-", NULL};
    struct lines *l = mem_zero(sizeof(*l));
    l->loop = loop;
    l->hooks = hooks;
    l->ctx = ctx;
    l->next = *files ? files : standard_input;
    l->whole = whole;
    open_next(l);
    return l;
}

void lines_close(struct lines *l)
{
    if (!l)
        return;
    l->closed = true;
    if (l->ended)
        lines_free(l);
    else if (l->fd >= 0)
        close_file(l);
}

void lines_pause(struct lines *l)
{
    if (l->paused)
        return;
    l->paused = true;
    if (l->fd < 0)
        return;
    if (l->handle.any.type == UV_POLL)
        uv_poll_stop(&l->handle.poll);
    else
        uv_idle_stop(&l->handle.idle);
}

void lines_resume(struct lines *l)
{
    if (!l->paused)
        return;
    l->paused = false;
    start_reading(l);
}
