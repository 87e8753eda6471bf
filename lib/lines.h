/* Lines of the files that were named, or of standard input, one file after the other, on a libuv
 * loop. Where a tool's input comes from is decided here, once.
 *
 * A file is read in slices, between which the loop turns; a pipe or a terminal whenever it has
 * something, so that a line is passed on as soon as it is whole. It leaves the files' flags alone:
 * whoever shares standard input with us finds it as it was. */
#ifndef LINES_H
#define LINES_H

#include "buf.h"
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

enum { LINE_BYTES_MAX = 16 * 1024 * 1024 };

struct line {
    const char *file; /* as it was named; NULL: standard input */
    uint64_t number;  /* from 1; 0: the file as a whole */
    struct span text; /* without the newline; gone after the call. The last may lack a newline. */
};

struct lines_hooks {
    void (*line)(void *ctx, const struct line *line);
    /* A file could not be opened or read to its end, or a line is longer than LINE_BYTES_MAX and
     * was passed over. The rest goes on. */
    void (*unread)(void *ctx, const struct line *where, const char *why);
    void (*end)(void *ctx); /* everything was read; once */
};

struct lines;

/* Begins to read. files: NULL-terminated, "-" is standard input; no file at all means standard
 * input too. whole: a file's content is one line, newlines and all. files and hooks must outlive
 * it. No hook may close it; unread and end may be called before this returns. */
struct lines *lines_open(uv_loop_t *loop, char *const *files, bool whole,
                         const struct lines_hooks *hooks, void *ctx);
void lines_close(struct lines *l); /* NULL: nothing */

/* Holds the input back, and lets it flow again; once more is no harm. What was read already still
 * comes. */
void lines_pause(struct lines *l);
void lines_resume(struct lines *l);

#endif
