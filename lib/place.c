#include "place.h"
#include <inttypes.h>
#include <stdio.h>

/* Takes the digits that a text begins with. */
static int take_number(struct span *text, uint64_t *out)
{
    uint64_t number = 0;
    size_t n = 0;

    for (; n < text->len && text->at[n] >= '0' && text->at[n] <= '9'; n++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(text->at[n] - '0'), &number))
            return -1;
    span_drop(text, n);
    *out = number;
    return n > 0 ? 0 : -1;
}

int place_parse(struct span text, struct place *out)
{
    struct place p;

    if (take_number(&text, &p.epoch) != 0 || text.len == 0 || text.at[0] != '-')
        return -1;
    span_drop(&text, 1);
    if (take_number(&text, &p.seq) != 0 || text.len > 0)
        return -1;
    *out = p;
    return 0;
}

struct span place_format(struct place p, char text[PLACE_BYTES])
{
    int len = snprintf(text, PLACE_BYTES, "%" PRIu64 "-%" PRIu64, p.epoch, p.seq);

    return (struct span){text, (size_t)len};
}

int place_compare(struct place a, struct place b)
{
    if (a.epoch != b.epoch)
        return a.epoch < b.epoch ? -1 : 1;
    return (a.seq > b.seq) - (a.seq < b.seq);
}

bool place_follows(struct place a, struct place b)
{
    if (a.epoch == b.epoch)
        return b.seq == a.seq + 1;
    return a.epoch == 0 && b.seq == 0;
}
