#include "field.h"
#include "json.h"
#include "room.h"
#include "schema.h"
#include <assert.h>
#include <string.h>

enum {
    CUID_BYTES_MIN = 8, /* of a cuid2; a cuid has 25 */
    CUID_BYTES_MAX = 32,
    UUID_BYTES = 36,
    ULID_BYTES = 26,
};

static const struct {
    const char *word;
    const char *what;
    bool in_room;
} kinds[] = {
#define X(name, word, what, room) [name] = {word, what, room},
    FIELD_KINDS(X)
#undef X
};

const char *field_kind_word(enum field_kind kind)
{
    assert(kind < FIELD_KIND_COUNT);
    return kinds[kind].word;
}

enum field_kind field_kind_of(struct span word)
{
    enum field_kind kind = 0;

    while (kind < FIELD_KIND_COUNT && !span_is(word, kinds[kind].word))
        kind++;
    return kind;
}

bool field_kind_in_room(enum field_kind kind)
{
    return kind == FIELD_WORD || kinds[kind].in_room;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_small(char c)
{
    return c >= 'a' && c <= 'z';
}

/* Both of them: "c" and 24 letters and digits, and what cuid2 makes of any length. */
static bool is_cuid(struct span text)
{
    if (text.len < CUID_BYTES_MIN || text.len > CUID_BYTES_MAX || !is_small(text.at[0]))
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (!is_small(text.at[i]) && !is_digit(text.at[i]))
            return false;
    return true;
}

static bool is_hex(char c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* RFC 9562, section 4. */
static bool is_uuid(struct span text)
{
    if (text.len != UUID_BYTES)
        return false;
    for (size_t i = 0; i < UUID_BYTES; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text.at[i] != '-' : !is_hex(text.at[i]))
            return false;
    }
    return true;
}

/* Crockford's base32: no I, L, O, U. 128 bits in 26 letters: the first one is 7 at most. */
static bool is_ulid(struct span text)
{
    if (text.len != ULID_BYTES || text.at[0] > '7')
        return false;
    for (size_t i = 0; i < ULID_BYTES; i++) {
        char c = is_small(text.at[i]) ? (char)(text.at[i] - 'a' + 'A') : text.at[i];
        if (!is_digit(c) && (c < 'A' || c > 'Z' || strchr("ILOU", c)))
            return false;
    }
    return true;
}

static bool is_whole(struct span value)
{
    return !memchr(value.at, '.', value.len) && !memchr(value.at, 'e', value.len) &&
           !memchr(value.at, 'E', value.len);
}

static bool is_absent(struct span value)
{
    return value.len == 0 || json_type(value) == JSON_NULL;
}

struct span field_segment(struct span value)
{
    if (is_absent(value))
        return (struct span){0};
    if (json_type(value) == JSON_STRING)
        return (struct span){value.at + 1, value.len - 2};
    return value;
}

static bool is_id(struct span value)
{
    enum json_type type = json_type(value);

    return (type == JSON_STRING || (type == JSON_NUMBER && is_whole(value))) &&
           room_is_segment(field_segment(value));
}

static bool is_word(const struct field *field, struct span value)
{
    if (json_type(value) != JSON_STRING)
        return false;
    for (const char *const *word = field->words; *word; word++)
        if (json_string_is(value, *word))
            return true;
    return false;
}

static bool is_of_kind(const struct field *field, struct span value)
{
    enum json_type type = json_type(value);

    switch (field->kind) {
    case FIELD_ANY:
        return true;
    case FIELD_ID:
        return is_id(value);
    case FIELD_CUID:
        return type == JSON_STRING && is_cuid(field_segment(value));
    case FIELD_UUID:
        return type == JSON_STRING && is_uuid(field_segment(value));
    case FIELD_ULID:
        return type == JSON_STRING && is_ulid(field_segment(value));
    case FIELD_STRING:
        return type == JSON_STRING;
    case FIELD_NUMBER:
        return type == JSON_NUMBER;
    case FIELD_INTEGER:
        return type == JSON_NUMBER && is_whole(value);
    case FIELD_BOOL:
        return type == JSON_BOOL;
    case FIELD_OBJECT:
        return type == JSON_OBJECT;
    case FIELD_ARRAY:
        return type == JSON_ARRAY;
    case FIELD_WORD:
        return is_word(field, value);
    }
    assert(!"a kind of field");
    return false;
}

static int wrong_word(const struct field *field, struct span value, struct fault *f)
{
    struct buf words = {0};

    for (const char *const *word = field->words; *word; word++)
        buf_printf(&words, "%s%s", words.len != 0 ? ", " : "", *word);
    fault_set(f, "data.%s: must be one of %s, not %s", field->path, words.at, schema_show(value));
    buf_fini(&words);
    return -1;
}

static int wrong(const struct field *field, enum field_kind kind, struct span value,
                 struct fault *f)
{
    return fault_set(f, "data.%s: must be %s, not %s", field->path, kinds[kind].what,
                     schema_show(value));
}

int field_check(const struct field *field, struct span value, struct fault *f)
{
    if (is_absent(value))
        return field->needed ? fault_set(f, "data.%s: is missing", field->path) : 0;
    if (!is_of_kind(field, value)) {
        if (field->kind == FIELD_WORD)
            return wrong_word(field, value, f);
        return wrong(field, field->kind, value, f);
    }
    if (field->in_room && !is_id(value))
        return wrong(field, FIELD_ID, value, f);
    return 0;
}
