/* Numbers, durations, sizes and time stamps: what is taken is what was meant, and comes back when
 * it is formatted. */
#include "clock.h"
#include "num.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef int parse_fn(struct span text, int64_t min, int64_t max, int64_t *out, struct fault *f);
typedef void format_fn(struct buf *b, int64_t value);

static void agrees_with_strtoll(struct span text)
{
    struct fault f;
    int64_t value;

    if (num_parse(text, INT64_MIN, INT64_MAX, &value, &f) != 0)
        return;
    char *copy = span_text(text), *end;
    errno = 0;
    assert(value == strtoll(copy, &end, 10));
    assert(errno == 0 && *end == '\0' && end == copy + text.len);
    free(copy);
}

static void comes_back(parse_fn *parse, format_fn *format, struct span text)
{
    struct buf formatted = {0};
    struct fault f;
    int64_t value, again;

    if (parse(text, 0, INT64_MAX, &value, &f) != 0)
        return;
    format(&formatted, value);
    assert(parse(buf_span(&formatted), value, value, &again, &f) == 0 && again == value);
    assert(value == 0 || parse(text, 0, value - 1, &again, &f) == -1);
    assert(value == INT64_MAX || parse(text, value + 1, INT64_MAX, &again, &f) == -1);
    buf_fini(&formatted);
}

static void stamp_comes_back(struct span text)
{
    char stamp[CLOCK_STAMP_BYTES];
    int64_t ms, again;

    if (clock_parse_stamp(text, &ms) != 0 || ms < 0 || ms >= INT64_C(253402300800000))
        return;
    clock_stamp(ms, stamp);
    assert(clock_parse_stamp(span_of(stamp), &again) == 0 && again == ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = {(const char *)data, size};

    agrees_with_strtoll(text);
    comes_back(num_parse_ms, num_format_ms, text);
    comes_back(num_parse_bytes, num_format_bytes, text);
    stamp_comes_back(text);
    return 0;
}
