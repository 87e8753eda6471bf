/* The frame of every small tool: usage, messages, loop, limits, output, and where Redis is.
 *
 * A tool's main() calls tool_start(), sets up what it wants on tool_loop(), and returns
 * tool_run(). Data goes to standard output through tool_out(), all else to standard error
 * through tool_say(). One tool a process, so the state is the module's own. */
#ifndef TOOL_H
#define TOOL_H

#include "catalog.h"
#include "opt.h"
#include "status.h"
#include "store.h"
#include <uv.h>

/* Parses the options. Prints the help or version and exits with 0 when asked for; on a fault prints
 * it and exits with STATUS_USAGE. SIGPIPE and SIGINT, SIGTERM end the tool quietly (SIGINT and
 * SIGTERM: output flushed; killed by the signal as the shell expects). Returns the index of the
 * first operand. */
int tool_start(const struct opt_program *program, void *settings, int argc, char **argv);

/* "collab-tail: ..." on standard error. tool_fail() also ends the tool; it never returns. */
void tool_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void tool_fail(enum exit_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));

/* Which of the commands word is. Each of the count rows, of size bytes, begins with a command's
 * name. NULL and any other word end the tool with STATUS_USAGE, and it says what there is. */
size_t tool_command(const char *word, const void *rows, size_t count, size_t size);

/* Says why Redis can't be had, and, if nobody named one, where another would be; then stops with
 * STATUS_UNREACHABLE. Of a tool that has stopped it says nothing. */
void tool_unreachable(const char *why);

/* The same for a result that is not STORE_DONE. When Redis said no: why, and STATUS_FORBIDDEN. */
void tool_not_done(enum store_result result, const char *why);

/* Has got called, once, with the catalog that the gateways have in force, which is then the
 * callee's. Where there is none, or it is faulty, the tool says so and stops with STATUS_NO; where
 * it can't be read, as tool_not_done(). */
void tool_catalog(struct store *s, void (*got)(struct catalog *c));

/* Shows a line that the next one replaces, when standard error is a terminal; a few a second are
 * enough, others are dropped. tool_say() and the end of the tool erase it. */
void tool_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The tool's one loop, which tool_start() has made. */
uv_loop_t *tool_loop(void);

/* Runs the loop until tool_stop(); returns its status, after the output was flushed. The first call
 * of tool_stop() counts. */
int tool_run(void);
void tool_stop(enum exit_status status);

/* Stops with STATUS_TIMEOUT after that long; 0: never. */
void tool_limit(int64_t limit_ms);

/* Appends one record and a newline to standard output (tool_out), or just bytes. It leaves when the
 * loop is about to wait, or when much has gathered. A reader that is gone ends the tool quietly. */
void tool_out(struct span record);
void tool_out_raw(struct span bytes);
void tool_flush(void);

/* Where Redis is: `named` (an option's value or NULL), $COLLAB_REDIS, the embedded socket if one is
 * there, redis://127.0.0.1:6379. A fault in it ends the tool with STATUS_USAGE. Lives as long as
 * the process. */
const struct redis_address *tool_redis(const char *named);

/* A secret (a token) from file ("-": standard input), else from the variable; NULL when neither is
 * given. Ends the tool with STATUS_USAGE when it can't be read. The trailing newline is dropped.
 * Freed by free(). */
char *tool_secret(const char *file, const char *variable);

/* Whether standard output, standard error are terminals; whether colour is wanted (a terminal, no
 * NO_COLOR). */
bool tool_on_terminal(void);
bool tool_tells_terminal(void);
bool tool_colour(void);

#endif
