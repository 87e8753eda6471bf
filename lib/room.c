#include "room.h"
#include <string.h>

/* Whether c may stand in a segment, the pattern's '*' aside. */
static bool is_plain(char c)
{
    switch (c) {
    case '.':
    case '_':
    case '~':
    case '@':
    case '-':
        return true;
    default:
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    }
}

static bool is_star(struct span s)
{
    return s.len == 1 && s.at[0] == '*';
}

/* Takes the first segment off rest, and the colon after it; last says whether there was none. */
static struct span take_segment(struct span *rest, bool *last)
{
    const char *colon = memchr(rest->at, ':', rest->len);
    struct span segment = {rest->at, colon ? (size_t)(colon - rest->at) : rest->len};

    *last = colon == NULL;
    rest->at += segment.len + !*last;
    rest->len -= segment.len + !*last;
    return segment;
}

/* What breaks the rule in one segment; NULL: nothing. */
static const char *segment_fault(struct span segment, bool pattern)
{
    if (segment.len == 0)
        return "has an empty segment";
    for (size_t i = 0; i < segment.len; i++) {
        if (is_plain(segment.at[i]))
            continue;
        if (segment.at[i] != '*')
            return "only letters, digits and . _ ~ @ - may stand between the colons";
        if (!pattern)
            return "a pattern where a room is asked for";
        if (i + 1 < segment.len)
            return "* may only end a segment";
    }
    return NULL;
}

static const char *rule_broken(struct span text, bool pattern)
{
    struct span rest = text;
    bool last = false;
    int segments = 0;

    if (text.len == 0)
        return "is empty";
    if (text.len > ROOM_BYTES_MAX)
        return "longer than 200 bytes";
    for (; !last; segments++) {
        const char *broken = segment_fault(take_segment(&rest, &last), pattern);
        if (broken)
            return broken;
    }
    if (segments == 1 && !(pattern && is_star(text)))
        return "must be kind:id or longer";
    return NULL;
}

static int check(struct span text, bool pattern, struct fault *f)
{
    const char *broken = rule_broken(text, pattern);

    if (!broken)
        return 0;
    return fault_set(f, "%s %s: %s", pattern ? "pattern" : "room", fault_quote(text), broken);
}

int room_check(struct span room, struct fault *f)
{
    return check(room, false, f);
}

int room_check_pattern(struct span pattern, struct fault *f)
{
    return check(pattern, true, f);
}

bool room_is_segment(struct span text)
{
    return !segment_fault(text, false);
}

static bool segment_matches(struct span pattern, struct span segment)
{
    if (pattern.len == 0 || pattern.at[pattern.len - 1] != '*')
        return span_equal(pattern, segment);
    size_t fixed = pattern.len - 1;
    return segment.len >= fixed && memcmp(pattern.at, segment.at, fixed) == 0;
}

bool room_matches(struct span pattern, struct span room)
{
    bool pattern_ends, room_ends;

    for (;;) {
        struct span wanted = take_segment(&pattern, &pattern_ends);
        if (pattern_ends && is_star(wanted))
            return true;
        struct span segment = take_segment(&room, &room_ends);
        if (!segment_matches(wanted, segment) || pattern_ends != room_ends)
            return false;
        if (pattern_ends)
            return true;
    }
}
