#include "near.h"
#include <string.h>

enum { NAME_BYTES_MAX = 63 };

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* How many letters are to be put in, left out, exchanged or swapped with their neighbour to make
 * one name of the other (optimal string alignment). */
static int distance(struct span a, struct span b)
{
    int d[NAME_BYTES_MAX + 1][NAME_BYTES_MAX + 1];

    for (size_t i = 0; i <= a.len; i++) {
        for (size_t j = 0; j <= b.len; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = (int)(i + j);
                continue;
            }
            int other = a.at[i - 1] != b.at[j - 1];
            d[i][j] = least(d[i - 1][j - 1] + other, least(d[i - 1][j], d[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a.at[i - 1] == b.at[j - 2] && a.at[i - 2] == b.at[j - 1])
                d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[a.len][b.len];
}

/* How many letters of a name may be wrong: never all of them. */
static int tolerance(struct span name)
{
    return name.len > 5 ? 2 : name.len > 1;
}

int near_distance(struct span wrong, const char *right)
{
    struct span name = span_of(right);

    if (wrong.len == 0 || wrong.len > NAME_BYTES_MAX || name.len > NAME_BYTES_MAX)
        return NEAR_NOT;
    if (name.len > wrong.len && memcmp(name.at, wrong.at, wrong.len) == 0)
        return 1;
    int far = distance(wrong, name);
    return far <= tolerance(name) ? far : NEAR_NOT;
}

bool near_is(struct span wrong, const char *right)
{
    return near_distance(wrong, right) < NEAR_NOT;
}
