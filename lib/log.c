#include "log.h"

#include "buf.h"
#include "clock.h"
#include "json.h"
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

enum { LIMIT_PER_SECOND = 5 };

static const char *const level_names[] = {"error", "warning", "info", "debug"};

static struct {
    const char *program;
    enum log_level level;
    bool json;
} set = {.program = "collab", .level = LOG_INFO};

static struct {
    int64_t since_ms; /* when its second began */
    int passed;       /* within that second */
    int left_out;     /* since one passed */
} limits[LOG_KINDS];

void log_open(const char *program, enum log_level level, bool json)
{
    set.program = program;
    set.level = level;
    set.json = json;
}

bool log_wants(enum log_level level)
{
    return level <= set.level;
}

static void add_escaped(struct buf *line, struct span message)
{
    while (message.len > 0) {
        size_t len = span_printable(message);

        if (len == 0) {
            buf_printf(line, "\\x%02x", (unsigned char)message.at[0]);
            len = 1;
        } else {
            buf_add(line, message.at, len);
        }
        span_drop(&message, len);
    }
}

static void format_line(struct buf *line, enum log_level level, struct span message)
{
    char stamp[CLOCK_STAMP_BYTES];

    clock_stamp(clock_wall_ms(), stamp);
    if (!set.json) {
        buf_printf(line, "%s %s %s: ", stamp, level_names[level], set.program);
        add_escaped(line, message);
    } else {
        buf_printf(line, "{\"time\":\"%s\",\"level\":\"%s\",\"program\":", stamp,
                   level_names[level]);
        json_encode(line, span_of(set.program));
        buf_text(line, ",\"message\":");
        json_encode(line, message);
        buf_char(line, '}');
    }
    buf_char(line, '\n');
}

/* A log that can't be written has nobody to tell. */
static void write_all(struct span s)
{
    while (s.len > 0) {
        ssize_t wrote = write(STDERR_FILENO, s.at, s.len);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return;
        s.at += wrote;
        s.len -= (size_t)wrote;
    }
}

/* One write a line, so that lines of several processes don't mix. */
static void emit(enum log_level level, struct span message)
{
    struct buf line = {0};

    format_line(&line, level, message);
    write_all(buf_span(&line));
    buf_fini(&line);
}

static void __attribute__((format(printf, 2, 0)))
emit_format(enum log_level level, const char *format, va_list args)
{
    struct buf message = {0};

    if (!log_wants(level))
        return;
    buf_vprintf(&message, format, args);
    emit(level, buf_span(&message));
    buf_fini(&message);
}

void log_error(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    emit_format(LOG_ERROR, format, args);
    va_end(args);
}

void log_warning(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    emit_format(LOG_WARNING, format, args);
    va_end(args);
}

void log_info(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    emit_format(LOG_INFO, format, args);
    va_end(args);
}

void log_debug(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    emit_format(LOG_DEBUG, format, args);
    va_end(args);
}

static bool passes(int kind)
{
    int64_t now_ms = clock_steady_ms();

    if (now_ms - limits[kind].since_ms >= 1000) {
        limits[kind].since_ms = now_ms;
        limits[kind].passed = 0;
    }
    if (limits[kind].passed == LIMIT_PER_SECOND) {
        limits[kind].left_out++;
        return false;
    }
    limits[kind].passed++;
    return true;
}

void log_limited(int kind, enum log_level level, const char *format, ...)
{
    struct buf message = {0};
    va_list args;

    assert(kind >= 0 && kind < LOG_KINDS);
    if (!log_wants(level) || !passes(kind))
        return;
    va_start(args, format);
    buf_vprintf(&message, format, args);
    va_end(args);
    if (limits[kind].left_out > 0)
        buf_printf(&message, " (%d like it left out)", limits[kind].left_out);
    limits[kind].left_out = 0;
    emit(level, buf_span(&message));
    buf_fini(&message);
}
