/* The log: one line a message on standard error, as text or JSON.
 *
 *     2026-11-20T18:00:00.123Z info collabd: redis unix:/run/x.sock: connected
 *     {"time":"...","level":"info","program":"collabd","message":"..."}
 *
 * Process-wide state, set once at start. It never holds a secret or a token: callers pass none.
 * Control characters in a message are escaped, so that no input can forge a line. */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* program: a string that outlives the log. */
void log_open(const char *program, enum log_level level, bool json);

/* One message, without a newline; dropped when it is beyond the level. */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Whether a message of that level would be written: for one that is dear to make. */
bool log_wants(enum log_level level);

/* For messages that a peer can provoke: at most a handful a second of one kind; how many were
 * left out is told with the next that passes. `kind` is a small number of the caller's, below
 * LOG_KINDS. */
enum { LOG_KINDS = 16 };
void log_limited(int kind, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
