#include "buf.h"

#include "mem.h"
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BYTES = 64 };

struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

struct span buf_span(const struct buf *b)
{
    return (struct span){b->at, b->len};
}

bool span_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

bool span_is(struct span a, const char *text)
{
    return span_equal(a, span_of(text));
}

bool span_starts(struct span a, const char *prefix)
{
    size_t len = strlen(prefix);

    return a.len >= len && (len == 0 || memcmp(a.at, prefix, len) == 0);
}

bool span_holds(struct span s, const char *what, struct span *at)
{
    const char *first = s.len > 0 ? memmem(s.at, s.len, what, strlen(what)) : NULL;

    if (first && at)
        *at = (struct span){first, s.len - (size_t)(first - s.at)};
    return first != NULL;
}

/* A span of nothing may be at NULL, to which not even 0 may be added. */
void span_drop(struct span *s, size_t n)
{
    assert(n <= s->len);
    if (n == 0)
        return;
    s->at += n;
    s->len -= n;
}

/* The lead byte tells the length, and how far the second byte may go: that alone rules out
 * overlong forms, surrogates, and what is beyond U+10FFFF (RFC 3629, section 4). */
size_t span_utf8(struct span s)
{
    const unsigned char *at = (const unsigned char *)s.at;

    if (s.len == 0)
        return 0;
    if (at[0] < 0x80)
        return 1;
    if (at[0] < 0xc2 || at[0] > 0xf4)
        return 0;
    size_t need = at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    unsigned low = at[0] == 0xe0 ? 0xa0 : at[0] == 0xf0 ? 0x90 : 0x80;
    unsigned high = at[0] == 0xed ? 0x9f : at[0] == 0xf4 ? 0x8f : 0xbf;
    if (s.len < need || at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < need; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return need;
}

bool span_is_utf8(struct span s)
{
    for (size_t n; s.len != 0; span_drop(&s, n)) {
        n = span_utf8(s);
        if (n == 0)
            return false;
    }
    return true;
}

size_t span_printable(struct span s)
{
    size_t len = span_utf8(s);

    if (len == 1 && ((unsigned char)s.at[0] < 0x20 || s.at[0] == 0x7f))
        return 0;
    if (len == 2 && (unsigned char)s.at[0] == 0xc2 && (unsigned char)s.at[1] < 0xa0)
        return 0;
    return len;
}

char *span_text(struct span s)
{
    return mem_copy(s.at, s.len);
}

char *buf_room(struct buf *b, size_t more)
{
    assert(more < SIZE_MAX / 2 - b->len);
    size_t need = b->len + more + 1;
    if (need > b->cap) {
        size_t cap = b->cap != 0 ? b->cap : FIRST_BYTES;
        while (cap < need)
            cap *= 2;
        b->at = mem_resize(b->at, cap);
        b->cap = cap;
    }
    return b->at + b->len;
}

void buf_add(struct buf *b, const void *at, size_t len)
{
    char *to = buf_room(b, len);

    if (len != 0)
        memcpy(to, at, len);
    to[len] = '\0';
    b->len += len;
}

void buf_char(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_text(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_join(struct buf *b, struct span s)
{
    buf_add(b, s.at, s.len);
}

void buf_vprintf(struct buf *b, const char *format, va_list args)
{
    va_list again;

    va_copy(again, args);
    size_t free_bytes = b->cap - b->len;
    int len = vsnprintf(free_bytes != 0 ? b->at + b->len : NULL, free_bytes, format, args);
    assert(len >= 0);
    if ((size_t)len >= free_bytes) {
        char *to = buf_room(b, (size_t)len);
        vsnprintf(to, (size_t)len + 1, format, again);
    }
    va_end(again);
    b->len += (size_t)len;
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    buf_vprintf(b, format, args);
    va_end(args);
}

void buf_drop(struct buf *b, size_t n)
{
    assert(n <= b->len);
    if (n == 0)
        return;
    memmove(b->at, b->at + n, b->len - n);
    b->len -= n;
    b->at[b->len] = '\0';
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    if (b->at)
        b->at[0] = '\0';
}

void buf_fini(struct buf *b)
{
    free(b->at);
    *b = (struct buf){0};
}
