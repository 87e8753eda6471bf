#include "json.h"

#include "mem.h"
#include "num.h"
#include <assert.h>
#include <cjson/cJSON.h>
#include <endian.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Text still to be read. What stands at `at` may be looked at only while at < end. */
struct cursor {
    const char *at;
    const char *end;
};

static struct cursor cursor_of(struct span text)
{
    return (struct cursor){text.at, text.len != 0 ? text.at + text.len : text.at};
}

static bool stands(const struct cursor *c, char wanted)
{
    return c->at < c->end && *c->at == wanted;
}

static bool take(struct cursor *c, char wanted)
{
    if (!stands(c, wanted))
        return false;
    c->at++;
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void skip_space(struct cursor *c)
{
    while (c->at < c->end && is_space(*c->at))
        c->at++;
}

/* The high bit of each byte of a word is set where the byte is a control character, a quote, a
 * backslash, or no ASCII. Borrows make the bytes behind the first one found unreliable, so only
 * the first counts. */
static uint64_t special_bytes(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t quote = word ^ (ones * '"');
    uint64_t backslash = word ^ (ones * '\\');

    return (word | (word - ones * 0x20) | (quote - ones) | (backslash - ones)) & (ones * 0x80);
}

static bool is_plain(char c)
{
    return (signed char)c >= 0x20 && c != '"' && c != '\\';
}

/* Goes over what stands for itself in a string and is ASCII, eight bytes at a time. */
static void skip_plain(struct cursor *c)
{
    while (c->end - c->at >= 8) {
        uint64_t word;
        memcpy(&word, c->at, 8);
        uint64_t found = special_bytes(le64toh(word));
        if (found != 0) {
            c->at += __builtin_ctzll(found) / 8;
            return;
        }
        c->at += 8;
    }
    while (c->at < c->end && is_plain(*c->at))
        c->at++;
}

/* --- Checking. A function that fails leaves the cursor at what is wrong, and says so. --- */

struct check {
    struct cursor c;
    const char *wrong; /* what was expected of what stands at the cursor */
    uint64_t objects;  /* bit n: what is open at depth n+1 is an object */
    int depth;
};

static_assert(JSON_DEPTH == 64, "check.objects has a bit for each level, and a fault says 64");

static bool wrong(struct check *k, const char *what)
{
    k->wrong = what;
    return false;
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool check_escape(struct check *k)
{
    k->c.at++;
    if (k->c.at == k->c.end || *k->c.at == '\0' || !strchr("\"\\/bfnrtu", *k->c.at))
        return wrong(k, "expected one of \"\\/bfnrtu after the backslash");
    if (*k->c.at++ != 'u')
        return true;
    for (int i = 0; i < 4; i++, k->c.at++)
        if (k->c.at == k->c.end || !is_hex(*k->c.at))
            return wrong(k, "expected four hexadecimal digits after \\u");
    return true;
}

static bool check_utf8(struct check *k)
{
    while (k->c.at < k->c.end && (*k->c.at & 0x80) != 0) {
        size_t len = span_utf8((struct span){k->c.at, (size_t)(k->c.end - k->c.at)});
        if (len == 0)
            return wrong(k, "expected UTF-8");
        k->c.at += len;
    }
    return true;
}

/* The opening quote is at the cursor. */
static bool check_string(struct check *k)
{
    k->c.at++;
    for (;;) {
        skip_plain(&k->c);
        if (k->c.at == k->c.end)
            return wrong(k, "expected the string's closing quote");
        if (take(&k->c, '"'))
            return true;
        bool good;
        if (*k->c.at == '\\')
            good = check_escape(k);
        else if ((*k->c.at & 0x80) != 0)
            good = check_utf8(k);
        else
            good = wrong(k, "expected control characters of a string to be escaped");
        if (!good)
            return false;
    }
}

static bool check_digits(struct check *k)
{
    if (k->c.at == k->c.end || !is_digit(*k->c.at))
        return wrong(k, "expected a digit");
    while (k->c.at < k->c.end && is_digit(*k->c.at))
        k->c.at++;
    return true;
}

static bool check_number(struct check *k)
{
    take(&k->c, '-');
    if (take(&k->c, '0')) {
        if (k->c.at < k->c.end && is_digit(*k->c.at))
            return wrong(k, "expected no digit after a leading 0");
    } else if (!check_digits(k)) {
        return false;
    }
    if (take(&k->c, '.') && !check_digits(k))
        return false;
    if (take(&k->c, 'e') || take(&k->c, 'E')) {
        if (!take(&k->c, '+'))
            take(&k->c, '-');
        return check_digits(k);
    }
    return true;
}

static bool check_word(struct check *k, const char *word, const char *what)
{
    for (; *word != '\0'; word++)
        if (!take(&k->c, *word))
            return wrong(k, what);
    return true;
}

static bool check_scalar(struct check *k, const char *what)
{
    if (k->c.at == k->c.end)
        return wrong(k, what);
    switch (*k->c.at) {
    case '"':
        return check_string(k);
    case 't':
        return check_word(k, "true", "expected true");
    case 'f':
        return check_word(k, "false", "expected false");
    case 'n':
        return check_word(k, "null", "expected null");
    default:
        if (*k->c.at != '-' && !is_digit(*k->c.at))
            return wrong(k, what);
        return check_number(k);
    }
}

static bool check_key(struct check *k, const char *what)
{
    skip_space(&k->c);
    if (!stands(&k->c, '"'))
        return wrong(k, what);
    if (!check_string(k))
        return false;
    skip_space(&k->c);
    if (!take(&k->c, ':'))
        return wrong(k, "expected ':'");
    return true;
}

static bool in_object(const struct check *k)
{
    return (k->objects >> (k->depth - 1) & 1) != 0;
}

/* Enters the array or object at the cursor, and goes on to its first value; an empty one counts
 * as a value that is over, which *empty tells. */
static bool check_open(struct check *k, bool *empty)
{
    bool object = *k->c.at == '{';

    if (k->depth == JSON_DEPTH)
        return wrong(k, "expected at most 64 levels");
    k->c.at++;
    skip_space(&k->c);
    *empty = take(&k->c, object ? '}' : ']');
    if (*empty)
        return true;
    uint64_t bit = UINT64_C(1) << k->depth;
    k->objects = object ? k->objects | bit : k->objects & ~bit;
    k->depth++;
    return !object || check_key(k, "expected a key or '}'");
}

/* A value is over: leaves what ends with it, and goes on to the next value if there is one. */
static bool check_after(struct check *k)
{
    while (k->depth > 0) {
        bool object = in_object(k);
        skip_space(&k->c);
        if (take(&k->c, ','))
            return !object || check_key(k, "expected a key");
        if (!take(&k->c, object ? '}' : ']'))
            return wrong(k, object ? "expected ',' or '}'" : "expected ',' or ']'");
        k->depth--;
    }
    return true;
}

static bool check_text(struct check *k)
{
    const char *what = "expected a value";

    do {
        bool over = true;
        skip_space(&k->c);
        if (stands(&k->c, '{') || stands(&k->c, '[')) {
            if (!check_open(k, &over))
                return false;
            what = !over && !in_object(k) ? "expected a value or ']'" : "expected a value";
        } else {
            if (!check_scalar(k, what))
                return false;
            what = "expected a value";
        }
        if (over && !check_after(k))
            return false;
    } while (k->depth > 0);
    skip_space(&k->c);
    return k->c.at == k->c.end || wrong(k, "expected the end");
}

static int check_fault(const struct check *k, struct fault *f)
{
    struct span rest = {k->c.at, (size_t)(k->c.end - k->c.at)};

    if (rest.len == 0)
        return fault_set(f, "%s, found the end", k->wrong);
    size_t len = span_utf8(rest);
    rest.len = len != 0 ? len : 1;
    return fault_set(f, "%s, found %s", k->wrong, fault_quote(rest));
}

int json_check_at(struct span text, const char **at, struct fault *f)
{
    struct check k = {.c = cursor_of(text)};

    if (check_text(&k))
        return 0;
    *at = k.c.at;
    return check_fault(&k, f);
}

int json_check(struct span text, struct fault *f)
{
    int line, column;
    const char *at;

    if (json_check_at(text, &at, f) == 0)
        return 0;
    json_place(text, at, &line, &column);
    bool lines = text.len > 0 && memchr(text.at, '\n', text.len);
    return lines ? fault_at(f, "line %d, column %d", line, column)
                 : fault_at(f, "column %d", column);
}

void json_place(struct span text, const char *at, int *line, int *column)
{
    const char *line_at = text.at;

    *line = 1;
    for (const char *c = text.at; c < at; c++) {
        if (*c == '\n') {
            (*line)++;
            line_at = c + 1;
        }
    }
    *column = (int)(at - line_at) + 1;
}

/* --- Walking over text that was checked. --- */

/* The opening quote is at the cursor. */
static void skip_string(struct cursor *c)
{
    c->at++;
    for (;;) {
        skip_plain(c);
        if (c->at == c->end || take(c, '"'))
            return;
        c->at += *c->at == '\\' && c->end - c->at > 1 ? 2 : 1;
    }
}

static void skip_container(struct cursor *c)
{
    int depth = 0;

    while (c->at < c->end) {
        switch (*c->at) {
        case '"':
            skip_string(c);
            continue;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            depth--;
            break;
        }
        c->at++;
        if (depth == 0)
            return;
    }
}

static bool ends_scalar(char c)
{
    return c == ',' || c == '}' || c == ']' || is_space(c);
}

static struct span take_value(struct cursor *c)
{
    const char *start = c->at;

    if (stands(c, '"'))
        skip_string(c);
    else if (stands(c, '{') || stands(c, '['))
        skip_container(c);
    else
        while (c->at < c->end && !ends_scalar(*c->at))
            c->at++;
    return (struct span){start, (size_t)(c->at - start)};
}

struct span json_trim(struct span text)
{
    struct cursor c = cursor_of(text);

    skip_space(&c);
    while (c.end > c.at && is_space(c.end[-1]))
        c.end--;
    return (struct span){c.at, (size_t)(c.end - c.at)};
}

enum json_type json_type(struct span value)
{
    struct cursor c = cursor_of(value);

    skip_space(&c);
    assert(c.at < c.end);
    switch (*c.at) {
    case 'n':
        return JSON_NULL;
    case 't':
    case 'f':
        return JSON_BOOL;
    case '"':
        return JSON_STRING;
    case '[':
        return JSON_ARRAY;
    case '{':
        return JSON_OBJECT;
    default:
        return JSON_NUMBER;
    }
}

const char *json_type_name(enum json_type type)
{
    static const char *const names[] = {
        [JSON_NULL] = "null",       [JSON_BOOL] = "a boolean", [JSON_NUMBER] = "a number",
        [JSON_STRING] = "a string", [JSON_ARRAY] = "an array", [JSON_OBJECT] = "an object",
    };

    return names[type];
}

/* What is left always begins with the bracket or the comma before the next value, or with the
 * closing bracket: so a walk knows by itself whether it is over what it was asked to walk. */
struct json_walk json_walk(struct span container)
{
    return (struct json_walk){json_trim(container)};
}

static bool walk_on(const struct json_walk *w, char open, struct cursor *c)
{
    *c = cursor_of(w->rest);
    if (!take(c, open) && !take(c, ','))
        return false;
    skip_space(c);
    return true;
}

static bool walk_end(struct json_walk *w)
{
    w->rest.len = 0;
    return false;
}

static void walk_leave(struct json_walk *w, struct cursor *c)
{
    skip_space(c);
    w->rest = (struct span){c->at, (size_t)(c->end - c->at)};
}

bool json_next_member(struct json_walk *w, struct span *key, struct span *value)
{
    struct cursor c;

    if (!walk_on(w, '{', &c) || !stands(&c, '"'))
        return walk_end(w);
    *key = take_value(&c);
    skip_space(&c);
    if (!take(&c, ':'))
        return walk_end(w);
    skip_space(&c);
    *value = take_value(&c);
    walk_leave(w, &c);
    return true;
}

bool json_next_element(struct json_walk *w, struct span *value)
{
    struct cursor c;

    if (!walk_on(w, '[', &c) || c.at == c.end || *c.at == ']')
        return walk_end(w);
    *value = take_value(&c);
    walk_leave(w, &c);
    return true;
}

static unsigned hex4(const char *at)
{
    unsigned value = 0;

    for (int i = 0; i < 4; i++) {
        unsigned c = (unsigned char)at[i];
        value = value << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return value;
}

static size_t put_utf8(unsigned code, char out[4])
{
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

    for (size_t i = len; i-- > 1; code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)((len > 1 ? lead[len] : 0) | code);
    return len;
}

/* The code point of \uXXXX at the cursor, behind the u; of both halves of a surrogate pair. */
static unsigned take_code(struct cursor *c)
{
    unsigned code = hex4(c->at);

    c->at += 4;
    if (code < 0xd800 || code > 0xdfff)
        return code;
    if (code < 0xdc00 && c->end - c->at >= 6 && c->at[0] == '\\' && c->at[1] == 'u') {
        unsigned low = hex4(c->at + 2);
        if (low >= 0xdc00 && low <= 0xdfff) {
            c->at += 6;
            return 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
    }
    return 0xfffd;
}

/* Decodes the escape at the cursor; returns how many bytes it stands for. */
static size_t take_escape(struct cursor *c, char out[4])
{
    static const char letters[] = "bfnrt";
    static const char meanings[] = "\b\f\n\r\t";
    char letter = c->at[1];

    c->at += 2;
    if (letter == 'u')
        return put_utf8(take_code(c), out);
    const char *found = strchr(letters, letter);
    out[0] = found ? meanings[found - letters] : letter;
    return 1;
}

static struct span inside(struct span string)
{
    assert(string.len >= 2 && string.at[0] == '"');
    return (struct span){string.at + 1, string.len - 2};
}

/* Takes what stands before the next escape as it is, which may be nothing. */
static struct span take_verbatim(struct cursor *c)
{
    const char *start = c->at;
    const char *escape = memchr(start, '\\', (size_t)(c->end - start));

    c->at = escape ? escape : c->end;
    return (struct span){start, (size_t)(c->at - start)};
}

void json_decode(struct span string, struct buf *out)
{
    struct cursor c = cursor_of(inside(string));

    for (;;) {
        buf_join(out, take_verbatim(&c));
        if (c.at == c.end)
            return;
        char bytes[4];
        buf_add(out, bytes, take_escape(&c, bytes));
    }
}

/* Drops what text begins with; false when it doesn't begin with that. */
static bool drop_prefix(struct span *text, struct span prefix)
{
    if (text->len < prefix.len || !span_equal((struct span){text->at, prefix.len}, prefix))
        return false;
    span_drop(text, prefix.len);
    return true;
}

static bool string_is(struct span string, struct span text)
{
    struct cursor c = cursor_of(inside(string));

    for (;;) {
        if (!drop_prefix(&text, take_verbatim(&c)))
            return false;
        if (c.at == c.end)
            return text.len == 0;
        char bytes[4];
        size_t len = take_escape(&c, bytes);
        if (!drop_prefix(&text, (struct span){bytes, len}))
            return false;
    }
}

struct span json_inside(struct span string)
{
    return (struct span){string.at + 1, string.len - 2};
}

bool json_string_is(struct span string, const char *text)
{
    return string_is(string, span_of(text));
}

static bool get(struct span object, struct span name, struct span *value)
{
    struct json_walk w = json_walk(object);
    struct span key, candidate;
    bool found = false;

    while (json_next_member(&w, &key, &candidate)) {
        if (!string_is(key, name))
            continue;
        *value = candidate;
        found = true;
    }
    return found;
}

bool json_get(struct span object, const char *name, struct span *value)
{
    return get(object, span_of(name), value);
}

bool json_find(struct span object, const char *path, struct span *value)
{
    struct span at = object;

    for (;;) {
        size_t len = strcspn(path, ".");
        if (!get(at, (struct span){path, len}, &at))
            return false;
        if (path[len] == '\0')
            break;
        path += len + 1;
    }
    *value = at;
    return true;
}

int json_int(struct span number, int64_t *out)
{
    struct fault unsaid;

    return num_parse(json_trim(number), INT64_MIN, INT64_MAX, out, &unsaid);
}

/* --- Writing. --- */

static void encode_escape(struct buf *out, char c)
{
    static const char named[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    const char *found = c != '\0' ? strchr(named, c) : NULL;

    if (found)
        buf_add(out, (char[]){'\\', letters[found - named]}, 2);
    else
        buf_printf(out, "\\u%04x", (unsigned char)c);
}

static void encode_utf8(struct buf *out, struct cursor *c)
{
    size_t len = span_utf8((struct span){c->at, (size_t)(c->end - c->at)});

    if (len == 0)
        buf_text(out, "\xef\xbf\xbd");
    else
        buf_add(out, c->at, len);
    c->at += len != 0 ? len : 1;
}

void json_encode(struct buf *out, struct span text)
{
    struct cursor c = cursor_of(text);

    buf_char(out, '"');
    while (c.at < c.end) {
        const char *start = c.at;
        skip_plain(&c);
        buf_add(out, start, (size_t)(c.at - start));
        if (c.at == c.end)
            break;
        if ((*c.at & 0x80) != 0)
            encode_utf8(out, &c);
        else
            encode_escape(out, *c.at++);
    }
    buf_char(out, '"');
}

void json_compact(struct buf *out, struct span value)
{
    struct cursor c = cursor_of(value);

    while (c.at < c.end) {
        skip_space(&c);
        const char *start = c.at;
        while (c.at < c.end && !is_space(*c.at)) {
            if (*c.at == '"')
                skip_string(&c);
            else
                c.at++;
        }
        buf_add(out, start, (size_t)(c.at - start));
    }
}

void json_put(struct buf *out, struct span object, const char *name, struct span value)
{
    struct json_walk walk = json_walk(object);
    struct span key, old;

    buf_char(out, '{');
    json_encode(out, span_of(name));
    buf_char(out, ':');
    json_compact(out, value);
    while (json_next_member(&walk, &key, &old)) {
        if (json_string_is(key, name))
            continue;
        buf_char(out, ',');
        buf_join(out, key);
        buf_char(out, ':');
        json_compact(out, old);
    }
    buf_char(out, '}');
}

/* A struct json is a cJSON item. Strings and numbers are put into it as raw text that is written
 * here: cJSON knows only NUL-terminated strings, takes any bytes for UTF-8, and prints integers
 * from 10^15 on with an exponent. */

static cJSON *item(const struct json *j)
{
    return (cJSON *)j;
}

static struct json *wrap(cJSON *i)
{
    return (struct json *)i;
}

/* cJSON then never runs out of memory, so that nothing it returns need be looked at. */
static void use_our_memory(void)
{
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = mem_alloc, .free_fn = free});
}

struct json *json_new_object(void)
{
    use_our_memory();
    return wrap(cJSON_CreateObject());
}

struct json *json_new_array(void)
{
    use_our_memory();
    return wrap(cJSON_CreateArray());
}

struct json *json_add_object(struct json *object, const char *name)
{
    return wrap(cJSON_AddObjectToObject(item(object), name));
}

struct json *json_add_array(struct json *object, const char *name)
{
    return wrap(cJSON_AddArrayToObject(item(object), name));
}

void json_add_text(struct json *object, const char *name, const char *text)
{
    json_add_span(object, name, span_of(text));
}

void json_add_span(struct json *object, const char *name, struct span text)
{
    struct buf encoded = {0};

    json_encode(&encoded, text);
    cJSON_AddRawToObject(item(object), name, encoded.at);
    buf_fini(&encoded);
}

/* The fewest digits that read back as the same number. */
static void format_number(char out[32], double number)
{
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(out, 32, "%.*g", digits, number);
        if (strtod(out, NULL) == number)
            return;
    }
}

void json_add_number(struct json *object, const char *name, double number)
{
    const double exact = 9007199254740992.0; /* 2^53: up to it, every integer is a double */
    char text[32];

    if (!isfinite(number)) {
        json_add_null(object, name);
        return;
    }
    if (fabs(number) <= exact && (double)(int64_t)number == number)
        snprintf(text, sizeof(text), "%.0f", number);
    else
        format_number(text, number);
    cJSON_AddRawToObject(item(object), name, text);
}

void json_add_bool(struct json *object, const char *name, bool value)
{
    cJSON_AddBoolToObject(item(object), name, value);
}

void json_add_null(struct json *object, const char *name)
{
    cJSON_AddNullToObject(item(object), name);
}

void json_add_raw(struct json *object, const char *name, struct span checked_json)
{
    struct buf line = {0};

    json_compact(&line, checked_json);
    cJSON_AddRawToObject(item(object), name, line.at);
    buf_fini(&line);
}

void json_push(struct json *array, struct json *value)
{
    cJSON_AddItemToArray(item(array), item(value));
}

void json_push_span(struct json *array, struct span text)
{
    struct buf encoded = {0};

    json_encode(&encoded, text);
    cJSON_AddItemToArray(item(array), cJSON_CreateRaw(encoded.at));
    buf_fini(&encoded);
}

void json_write(const struct json *document, struct buf *out)
{
    char *text = cJSON_PrintUnformatted(item(document));

    buf_text(out, text);
    free(text);
}

static void new_line(struct buf *out, int depth)
{
    buf_printf(out, "\n%*s", 2 * depth, "");
}

/* c stands at a bracket, comma or colon of text without white space. */
static void indent_mark(struct buf *out, struct cursor *c, int *depth)
{
    char mark = *c->at++;
    bool opens = mark == '{' || mark == '[';
    bool closes = mark == '}' || mark == ']';

    if (opens && (stands(c, '}') || stands(c, ']'))) {
        buf_add(out, c->at - 1, 2);
        c->at++;
        return;
    }
    if (closes)
        new_line(out, --*depth);
    buf_char(out, mark);
    if (opens)
        new_line(out, ++*depth);
    else if (mark == ',')
        new_line(out, *depth);
    else if (mark == ':')
        buf_char(out, ' ');
}

void json_write_pretty(const struct json *document, struct buf *out)
{
    struct buf line = {0};
    int depth = 0;

    json_write(document, &line);
    struct cursor c = cursor_of(buf_span(&line));
    while (c.at < c.end) {
        const char *start = c.at;
        if (*c.at == '"')
            skip_string(&c);
        else
            c.at += strcspn(c.at, "\"{}[],:");
        buf_add(out, start, (size_t)(c.at - start));
        if (c.at < c.end && *c.at != '"')
            indent_mark(out, &c, &depth);
    }
    buf_fini(&line);
}

void json_free(struct json *document)
{
    cJSON_Delete(item(document));
}
