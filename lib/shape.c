#include "shape.h"
#include <string.h>

/* Takes off what stands before the next mark, and the mark; false when nothing is left. What ends
 * with a mark leaves an empty part behind it. */
static bool take_part(struct span *rest, char mark, struct span *part)
{
    if (!rest->at)
        return false;
    const char *found = rest->len != 0 ? memchr(rest->at, mark, rest->len) : NULL;
    *part = *rest;
    if (!found) {
        *rest = (struct span){0};
        return true;
    }
    part->len = (size_t)(found - part->at);
    rest->at = found + 1;
    rest->len -= part->len + 1;
    return true;
}

static bool is_name(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && !(c >= '0' && c <= '9') && c != '-')
            return false;
    }
    return name.len != 0;
}

bool shape_is_path(struct span name)
{
    struct span part;

    while (take_part(&name, '.', &part))
        if (!is_name(part))
            return false;
    return true;
}

int shape_slot(const struct shape *s, struct span name)
{
    for (int i = 0; i < s->count; i++)
        if (s->at[i].slot >= 0 && span_equal(s->at[i].text, name))
            return s->at[i].slot;
    return -1;
}

int shape_slots(const struct shape *s)
{
    int slots = 0;

    for (int i = 0; i < s->count; i++)
        if (s->at[i].slot >= slots)
            slots = s->at[i].slot + 1;
    return slots;
}

static bool is_braced(struct span segment)
{
    return segment.len >= 2 && segment.at[0] == '{' && segment.at[segment.len - 1] == '}';
}

static int add_name(struct shape *s, struct span segment, bool pattern, struct fault *f)
{
    struct span name = {segment.at + 1, segment.len - 2};
    int slot = shape_slot(s, name);

    if (pattern && !is_name(name))
        return fault_set(f, "%s: a name is of letters, digits, _ and -", fault_quote(segment));
    if (!pattern && !shape_is_path(name))
        return fault_set(f,
                         "%s: a name is of letters, digits, _ and -, or such names with dots "
                         "between them",
                         fault_quote(segment));
    if (pattern && slot >= 0)
        return fault_set(f, "%s stands there twice", fault_quote(segment));
    if (slot < 0)
        slot = shape_slots(s);
    s->at[s->count++] = (struct shape_segment){name, slot};
    return 0;
}

static int add_segment(struct shape *s, struct span segment, bool pattern, struct fault *f)
{
    if (s->count == SHAPE_SEGMENTS_MAX)
        return fault_set(f, "more than %d segments", SHAPE_SEGMENTS_MAX);
    if (segment.len == 0)
        return fault_set(f, "has an empty segment");
    if (is_braced(segment))
        return add_name(s, segment, pattern, f);
    if (!room_is_segment(segment))
        return fault_set(f, "%s: a segment is a {name}, or of letters, digits and . _ ~ @ -",
                         fault_quote(segment));
    s->at[s->count++] = (struct shape_segment){segment, -1};
    return 0;
}

static int parse(struct shape *s, struct span text, bool pattern, struct arena *arena,
                 struct fault *f)
{
    struct shape_segment segments[SHAPE_SEGMENTS_MAX];
    struct span segment;

    *s = (struct shape){.text = arena_text(arena, text), .at = segments};
    struct span rest = {s->text, text.len};
    if (text.len > ROOM_BYTES_MAX)
        return fault_set(f, "longer than %d bytes", ROOM_BYTES_MAX);
    while (take_part(&rest, ':', &segment)) {
        s->open = pattern && !rest.at && span_is(segment, "*");
        if (!s->open && add_segment(s, segment, pattern, f) != 0)
            return -1;
    }
    if (s->count < 2 && !s->open)
        return fault_set(f, "must be kind:id or longer");
    size_t bytes = (size_t)s->count * sizeof(segments[0]);
    s->at = arena_alloc(arena, bytes);
    memcpy(s->at, segments, bytes);
    return 0;
}

int shape_parse_template(struct shape *s, struct span text, struct arena *arena, struct fault *f)
{
    return parse(s, text, false, arena, f);
}

int shape_parse_pattern(struct shape *s, struct span text, struct arena *arena, struct fault *f)
{
    return parse(s, text, true, arena, f);
}

int shape_expand(const struct shape *s, const struct span *values, char room[ROOM_BYTES_MAX])
{
    size_t len = 0;

    for (int i = 0; i < s->count; i++) {
        struct span text = s->at[i].slot >= 0 ? values[s->at[i].slot] : s->at[i].text;
        if (text.len == 0)
            return 0;
        if (len + (i != 0) + text.len > ROOM_BYTES_MAX)
            return -1;
        if (i != 0)
            room[len++] = ':';
        memcpy(room + len, text.at, text.len);
        len += text.len;
    }
    return (int)len;
}

static bool begins(struct span text, struct span prefix)
{
    return text.len >= prefix.len && memcmp(text.at, prefix.at, prefix.len) == 0;
}

/* Most patterns that don't take a room differ in its first bytes, so that is looked at before it
 * is cut into segments. */
bool shape_takes(const struct shape *pattern, struct span room, struct span *captures)
{
    struct span rest = room;

    for (int i = 0; i < pattern->count; i++) {
        const struct shape_segment *s = &pattern->at[i];
        struct span segment;
        if (!rest.at || (s->slot < 0 && !begins(rest, s->text)))
            return false;
        take_part(&rest, ':', &segment);
        if (s->slot < 0 && segment.len != s->text.len)
            return false;
        if (s->slot >= 0 && captures)
            captures[s->slot] = segment;
    }
    return pattern->open == (rest.at != NULL);
}

bool shape_covers(const struct shape *pattern, const struct shape *t)
{
    if (pattern->open ? t->count <= pattern->count : t->count != pattern->count)
        return false;
    for (int i = 0; i < pattern->count; i++) {
        const struct shape_segment *s = &pattern->at[i];
        if (s->slot < 0 && (t->at[i].slot >= 0 || !span_equal(s->text, t->at[i].text)))
            return false;
    }
    return true;
}

/* What a pattern says of one segment, the most special first. */
static int breadth(const struct shape *s, int i)
{
    enum { FIXED, NAMED, REST, END };

    if (i == s->count)
        return s->open ? REST : END;
    return s->at[i].slot < 0 ? FIXED : NAMED;
}

static int compare_texts(struct span a, struct span b)
{
    int order = memcmp(a.at, b.at, a.len < b.len ? a.len : b.len);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

int shape_compare(const struct shape *a, const struct shape *b)
{
    for (int i = 0; i <= a->count && i <= b->count; i++) {
        int order = breadth(a, i) - breadth(b, i);
        if (order == 0 && i < a->count && a->at[i].slot < 0)
            order = compare_texts(a->at[i].text, b->at[i].text);
        if (order != 0)
            return order;
    }
    return 0;
}
