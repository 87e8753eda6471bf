#include "view.h"
#include "json.h"
#include "mem.h"
#include <stdlib.h>
#include <string.h>

bool view_matches(struct span pattern, struct span text)
{
    size_t p = 0, t = 0;
    size_t star = SIZE_MAX, resume = 0; /* the last * passed, and the text's byte it ends at */

    while (t < text.len) {
        if (p < pattern.len && pattern.at[p] == '*') {
            star = p++;
            resume = t;
        } else if (p < pattern.len && pattern.at[p] == text.at[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.at[p] == '*')
        p++;
    return p == pattern.len;
}

/* Names separated by dots, none of them empty. */
static int check_path(struct span path, struct fault *f)
{
    bool name_begins = true;
    for (size_t i = 0; i < path.len; i++) {
        bool dot = path.at[i] == '.';
        if (dot && name_begins)
            return fault_set(f, "path %s: a name is missing before a dot", fault_quote(path));
        name_begins = dot;
    }
    if (path.len == 0)
        return fault_set(f, "a path is missing");
    if (name_begins)
        return fault_set(f, "path %s: a name is missing at the end", fault_quote(path));
    return 0;
}

struct view_filter {
    char *path;
    char *value; /* NULL: that the field is there is enough */
    bool differs;
};

struct view_filter *view_filter_parse(const char *text, struct fault *f)
{
    size_t len = strcspn(text, "=");
    const char *value = text[len] ? text + len + 1 : NULL;
    bool differs = value && len > 0 && text[len - 1] == '!';
    struct span path = {text, len - differs};
    if (check_path(path, f) < 0)
        return NULL;

    struct view_filter *x = mem_zero(sizeof(*x));
    x->path = span_text(path);
    x->value = value ? mem_text(value) : NULL;
    x->differs = differs;
    return x;
}

static bool is_value(struct span value, const char *text)
{
    if (json_type(value) == JSON_STRING)
        return json_string_is(value, text);
    return span_is(value, text);
}

bool view_filter_takes(const struct view_filter *x, struct span object)
{
    struct span value;
    if (!json_find(object, x->path, &value))
        return x->differs;
    return !x->value || is_value(value, x->value) != x->differs;
}

void view_filter_free(struct view_filter *x)
{
    if (!x)
        return;
    free(x->path);
    free(x->value);
    free(x);
}

/* Text up to a field, and the field's path; NULL after the last. */
struct part {
    struct buf text;
    char *path;
};

struct view_format {
    struct part *parts;
    size_t count;
};

static struct part *add_part(struct view_format *x)
{
    x->parts = mem_resize(x->parts, (x->count + 1) * sizeof(*x->parts));
    struct part *part = &x->parts[x->count++];
    *part = (struct part){0};
    return part;
}

/* Returns the character after the backslash, or what it stands for; 0 with a fault. */
static char take_escape(const char *at, struct fault *f)
{
    switch (at[1]) {
    case 'n':
        return '\n';
    case 't':
        return '\t';
    case '\\':
    case '{':
    case '}':
        return at[1];
    default:
        fault_set(f, "a backslash must be followed by n, t, \\, { or }");
        return 0;
    }
}

/* Takes the {PATH} that begins at `at`. Returns its length, or 0 with a fault. */
static size_t take_field(struct part *part, const char *at, struct fault *f)
{
    size_t len = strcspn(at, "}");
    if (!at[len]) {
        fault_set(f, "%s: its closing brace is missing (a brace itself is \\{)",
                  fault_quote(span_of(at)));
        return 0;
    }
    struct span path = {at + 1, len - 1};
    if (check_path(path, f) < 0)
        return 0;
    part->path = span_text(path);
    return len + 1;
}

static int parse_parts(struct view_format *x, const char *at, struct fault *f)
{
    struct part *part = add_part(x);
    while (*at) {
        size_t len = strcspn(at, "\\{");
        buf_add(&part->text, at, len);
        at += len;
        if (*at == '\\') {
            char c = take_escape(at, f);
            if (!c)
                return -1;
            buf_char(&part->text, c);
            at += 2;
        } else if (*at == '{') {
            len = take_field(part, at, f);
            if (len == 0)
                return -1;
            at += len;
            part = add_part(x);
        }
    }
    return 0;
}

struct view_format *view_format_parse(const char *text, struct fault *f)
{
    struct view_format *x = mem_zero(sizeof(*x));
    if (parse_parts(x, text, f) == 0)
        return x;
    view_format_free(x);
    return NULL;
}

void view_format_free(struct view_format *x)
{
    if (!x)
        return;
    for (size_t i = 0; i < x->count; i++) {
        buf_fini(&x->parts[i].text);
        free(x->parts[i].path);
    }
    free(x->parts);
    free(x);
}

/* The bytes of a control character at the beginning of well-formed text (C0, DEL, or C1); 0: it
 * is none. */
static size_t control_bytes(const unsigned char *at, size_t len)
{
    if (at[0] < 0x20 || at[0] == 0x7f)
        return 1;
    return len > 1 && at[0] == 0xc2 && at[1] < 0xa0 ? 2 : 0;
}

void view_tame(struct span text, struct buf *out)
{
    const unsigned char *at = (const unsigned char *)text.at;
    size_t len;
    for (size_t i = 0; i < text.len; i += len) {
        len = control_bytes(at + i, text.len - i);
        if (len > 0) {
            buf_printf(out, "\\u%04x", at[i + len - 1]);
        } else {
            len = 1;
            buf_char(out, text.at[i]);
        }
    }
}

static void write_value(struct span value, bool tame, struct buf *out)
{
    struct buf text = {0};
    if (json_type(value) == JSON_STRING)
        json_decode(value, &text);
    else
        json_compact(&text, value);
    if (tame)
        view_tame(buf_span(&text), out);
    else
        buf_join(out, buf_span(&text));
    buf_fini(&text);
}

void view_format_write(const struct view_format *x, struct span object, bool tame, struct buf *out)
{
    for (size_t i = 0; i < x->count; i++) {
        const struct part *part = &x->parts[i];
        struct span value;
        buf_join(out, buf_span(&part->text));
        if (part->path && json_find(object, part->path, &value))
            write_value(value, tame, out);
    }
}
