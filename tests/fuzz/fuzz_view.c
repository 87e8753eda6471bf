/* A filter in the first line of the input, a format in the second, JSON in the rest. */
#include "json.h"
#include "mem.h"
#include "view.h"
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *take_line(const uint8_t **data, size_t *size)
{
    const uint8_t *newline = memchr(*data, '\n', *size);
    size_t len = newline ? (size_t)(newline - *data) : *size;
    char *line = mem_copy((const char *)*data, len);
    *data += newline ? len + 1 : len;
    *size -= newline ? len + 1 : len;
    return line;
}

/* PATH=VALUE takes an object, or else PATH!=VALUE does. */
static void filter(const char *path, struct span object)
{
    struct fault f;
    struct buf is = {0}, differs = {0};
    buf_printf(&is, "%s=x", path);
    buf_printf(&differs, "%s!=x", path);
    struct view_filter *a = view_filter_parse(is.at, &f);
    struct view_filter *b = view_filter_parse(differs.at, &f);
    if (a && b && !strpbrk(path, "!="))
        assert(view_filter_takes(a, object) != view_filter_takes(b, object));
    view_filter_free(a);
    view_filter_free(b);
    buf_fini(&is);
    buf_fini(&differs);
}

static bool gives_orders(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        bool c1 = c == 0xc2 && i + 1 < text.len && (unsigned char)text.at[i + 1] < 0xa0;
        if (c < 0x20 || c == 0x7f || c1)
            return true;
    }
    return false;
}

static void format(const char *text, struct span object)
{
    struct fault f;
    struct buf out = {0};
    struct view_format *x = view_format_parse(text, &f);
    if (x)
        view_format_write(x, object, true, &out);
    if (!gives_orders(span_of(text)) && !strchr(text, '\\'))
        assert(!gives_orders(buf_span(&out)));
    view_format_free(x);
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fault f;
    char *first = take_line(&data, &size);
    char *second = take_line(&data, &size);
    struct span object = {(const char *)data, size};
    struct view_filter *x = view_filter_parse(first, &f);
    if (json_check(object, &f) == 0) {
        object = json_trim(object);
        if (x)
            view_filter_takes(x, object);
        filter(first, object);
        format(second, object);
    }
    view_filter_free(x);
    view_matches(span_of(first), span_of(second));
    free(first);
    free(second);
    return 0;
}
