#include "num.h"

#include <inttypes.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t worth;
};

/* The largest first, for formatting; the last is the one that numbers are counted in. */
static const struct unit durations[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0},
};
static const struct unit sizes[] = {
    {"g", INT64_C(1) << 30}, {"m", INT64_C(1) << 20}, {"k", INT64_C(1) << 10}, {"", 1}, {NULL, 0},
};

typedef void format_fn(struct buf *b, int64_t value);

static void format_plain(struct buf *b, int64_t value)
{
    buf_printf(b, "%" PRId64, value);
}

static void format_units(struct buf *b, int64_t value, const struct unit *unit)
{
    while (value % unit->worth != 0)
        unit++;
    buf_printf(b, "%" PRId64 "%s", value / unit->worth, unit->name);
}

static int out_of_range(int64_t min, int64_t max, format_fn *format, struct fault *f)
{
    struct buf range = {0};

    format(&range, min);
    buf_text(&range, " to ");
    format(&range, max);
    fault_set(f, "out of range %s", range.at);
    buf_fini(&range);
    return -1;
}

/* Where all is allowed that can be said, the end of it is no help to who said too little. */
static int too_small(int64_t min, int64_t max, format_fn *format, struct fault *f)
{
    struct buf least = {0};

    if (max < INT64_MAX)
        return out_of_range(min, max, format, f);
    format(&least, min);
    fault_set(f, "must be %s at least", least.at);
    buf_fini(&least);
    return -1;
}

/* The digits that a text begins with. */
struct digits {
    size_t count;
    int64_t value;
    bool over; /* more than an int64_t holds; then value means nothing */
};

static struct digits take_digits(struct span *text, bool negative)
{
    struct digits d = {0};

    for (; d.count < text->len; d.count++) {
        int digit = text->at[d.count] - '0';
        if (digit < 0 || digit > 9)
            break;
        d.over = d.over || __builtin_mul_overflow(d.value, 10, &d.value) ||
                 __builtin_add_overflow(d.value, negative ? -digit : digit, &d.value);
    }
    span_drop(text, d.count);
    return d;
}

static bool take(struct span *text, char c)
{
    if (text->len == 0 || text->at[0] != c)
        return false;
    span_drop(text, 1);
    return true;
}

int num_parse(struct span text, int64_t min, int64_t max, int64_t *out, struct fault *f)
{
    bool negative = take(&text, '-');
    struct digits d = take_digits(&text, negative);

    if (d.count == 0 || text.len != 0)
        return fault_set(f, "not a whole number");
    if (!d.over && d.value < min)
        return too_small(min, max, format_plain, f);
    if (d.over || d.value > max)
        return out_of_range(min, max, format_plain, f);
    *out = d.value;
    return 0;
}

/* 0: no such unit. */
static int64_t unit_worth(const struct unit *unit, struct span name)
{
    while (unit->name && !span_is(name, unit->name))
        unit++;
    return unit->worth;
}

/* What the digits after the point are worth: -1 when less than one of the smallest unit. */
static int64_t fraction(struct span digits, int64_t worth)
{
    int64_t sum = 0;

    for (size_t i = digits.len; i-- > 0;) {
        sum += (digits.at[i] - '0') * worth;
        if (sum % 10 != 0)
            return -1;
        sum /= 10;
    }
    return sum;
}

int num_parse_ms(struct span text, int64_t min, int64_t max, int64_t *out, struct fault *f)
{
    struct digits whole = take_digits(&text, false);
    struct span after = {text.at, 0};
    bool point = take(&text, '.');
    int64_t ms;

    if (point) {
        after.at = text.at;
        after.len = take_digits(&text, false).count;
    }
    int64_t worth = text.len != 0 ? unit_worth(durations, text) : 1000;
    if (whole.count == 0 || worth == 0 || (point && after.len == 0))
        return fault_set(f, "not a duration (like 500ms, 1.5s, 10m, 2h or 7d)");
    int64_t part = fraction(after, worth);
    if (part < 0)
        return fault_set(f, "finer than a millisecond");
    if (whole.over || __builtin_mul_overflow(whole.value, worth, &ms) ||
        __builtin_add_overflow(ms, part, &ms) || ms > max)
        return out_of_range(min, max, num_format_ms, f);
    if (ms < min)
        return too_small(min, max, num_format_ms, f);
    *out = ms;
    return 0;
}

int num_parse_bytes(struct span text, int64_t min, int64_t max, int64_t *out, struct fault *f)
{
    struct digits d = take_digits(&text, false);
    int64_t worth = unit_worth(sizes, text);
    int64_t bytes;

    if (d.count == 0 || worth == 0)
        return fault_set(f, "not a size (like 4096, 64k, 16m or 1g)");
    if (d.over || __builtin_mul_overflow(d.value, worth, &bytes) || bytes < min || bytes > max)
        return out_of_range(min, max, num_format_bytes, f);
    *out = bytes;
    return 0;
}

int num_parse_rate(struct span text, int64_t min, int64_t max, struct rate *out, struct fault *f)
{
    const int64_t least_ms = 100, day_ms = 86400000;
    const char *slash = text.len != 0 ? memchr(text.at, '/', text.len) : NULL;
    struct rate rate;

    if (!slash)
        return fault_set(f, "not a rate (like 100/1m)");
    struct span count = {text.at, (size_t)(slash - text.at)};
    struct span period = {slash + 1, text.len - count.len - 1};
    if (num_parse(count, min, max, &rate.count, f) != 0 ||
        num_parse_ms(period, least_ms, day_ms, &rate.period_ms, f) != 0)
        return -1;
    *out = rate;
    return 0;
}

void num_format_ms(struct buf *b, int64_t ms)
{
    if (ms == 0)
        buf_text(b, "0s");
    else
        format_units(b, ms, durations);
}

void num_format_bytes(struct buf *b, int64_t bytes)
{
    if (bytes == 0)
        buf_text(b, "0");
    else
        format_units(b, bytes, sizes);
}

void num_format_rate(struct buf *b, const struct rate *r)
{
    if (r->count == RATE_OFF) {
        buf_text(b, "off");
        return;
    }
    buf_printf(b, "%" PRId64 "/", r->count);
    num_format_ms(b, r->period_ms);
}
