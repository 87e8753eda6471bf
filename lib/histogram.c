#include "histogram.h"
#include <assert.h>

/* The highest SUB_BITS + 1 bits of a number choose its bucket: numbers with the same position of
 * the highest bit share 32 buckets. */
enum { SUB_BITS = 5, EXACT = 2 << SUB_BITS };

static unsigned shift_of(uint64_t number)
{
    return number < EXACT ? 0 : 63 - (unsigned)__builtin_clzll(number) - SUB_BITS;
}

static unsigned bucket_of(uint64_t number)
{
    unsigned shift = shift_of(number);
    return (shift << SUB_BITS) + (unsigned)(number >> shift);
}

/* The largest number that goes into a bucket. */
static int64_t top_of(unsigned bucket)
{
    unsigned shift = bucket < EXACT ? 0 : (bucket >> SUB_BITS) - 1;
    uint64_t first = (uint64_t)(bucket - (shift << SUB_BITS)) << shift;
    return (int64_t)(first + (1ULL << shift) - 1);
}

void histogram_add(struct histogram *h, int64_t number)
{
    if (number < 0)
        number = 0;
    unsigned bucket = bucket_of((uint64_t)number);
    assert(bucket < HISTOGRAM_BUCKETS);
    h->buckets[bucket]++;
    h->count++;
    if (number > h->max)
        h->max = number;
}

int64_t histogram_quantile(const struct histogram *h, double fraction)
{
    uint64_t wanted = (uint64_t)(fraction * (double)h->count + 0.5);
    uint64_t seen = 0;
    if (wanted == 0)
        wanted = 1;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS && h->count > 0; i++) {
        seen += h->buckets[i];
        if (seen >= wanted)
            return top_of(i) < h->max ? top_of(i) : h->max;
    }
    return h->max;
}
