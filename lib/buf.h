/* Bytes: a view of some (struct span), and a growing run of them (struct buf).
 *
 * A span owns nothing and is not NUL-terminated. A buf owns its bytes; all zero is an empty
 * buf, ready for use. What buf->at holds is followed by a NUL that is not counted in len. */
#ifndef BUF_H
#define BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct span {
    const char *at;
    size_t len; /* bytes */
};

struct buf {
    char *at;   /* NULL while nothing was ever added */
    size_t len; /* bytes in use */
    size_t cap; /* bytes allocated, the NUL's included */
};

/* The span of a NUL-terminated string; of the bytes of a buf. */
struct span span_of(const char *text);
struct span buf_span(const struct buf *b);

bool span_equal(struct span a, struct span b);
bool span_is(struct span a, const char *text);
bool span_starts(struct span a, const char *prefix);

/* Whether what is in it; at, which may be NULL: where it is for the first time, to the end of s. */
bool span_holds(struct span s, const char *what, struct span *at);

/* Leaves the first n bytes out. */
void span_drop(struct span *s, size_t n);

/* Bytes of the UTF-8 sequence (RFC 3629) that a span begins with: 1 to 4; 0 when it begins with
 * none. */
size_t span_utf8(struct span s);

/* Whether all of it is UTF-8. */
bool span_is_utf8(struct span s);

/* As span_utf8(); 0 also for a control character (C0, DEL or C1), so that what counts can be
 * printed. */
size_t span_printable(struct span s);

/* A span's bytes as a string of its own (a NUL inside ends it early). Freed by free(). */
char *span_text(struct span s);

/* Appends. buf_room makes room for at least `more` bytes and a NUL and returns where they go; the
 * caller then adds to len what it wrote there, and writes the NUL if it wants one. */
void buf_add(struct buf *b, const void *at, size_t len);
void buf_char(struct buf *b, char c);
void buf_text(struct buf *b, const char *text);
void buf_join(struct buf *b, struct span s);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
char *buf_room(struct buf *b, size_t more);

/* Drops the first n bytes; all of them; the memory too. */
void buf_drop(struct buf *b, size_t n);
void buf_clear(struct buf *b);
void buf_fini(struct buf *b);

#endif
