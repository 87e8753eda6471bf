#include "schema.h"
#include "json.h"
#include "near.h"
#include "num.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

const char schema_needed[] = "";

/* What stands in the quotes of a string. */
static struct span inside(struct span string)
{
    return (struct span){string.at + 1, string.len - 2};
}

/* --- Faults --- */

int schema_fault(struct schema_reader *r, const char *at, const char *format, ...)
{
    struct buf text = {0};
    int line, column;
    va_list args;

    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    assert(at == r->text.at || (at > r->text.at && at <= r->text.at + r->text.len));
    json_place(r->text, at, &line, &column);
    fault_set(r->fault, "%s:%d:%d: %s", r->file, line, column, text.at);
    buf_fini(&text);
    return -1;
}

const char *schema_show(struct span value)
{
    static char number[48];

    switch (json_type(value)) {
    case JSON_STRING:
        return fault_quote(inside(value));
    case JSON_NUMBER:
    case JSON_BOOL:
        snprintf(number, sizeof(number), "%.*s", (int)value.len, value.at);
        return number;
    default:
        return json_type_name(json_type(value));
    }
}

int schema_wrong(struct schema_reader *r, const char *key, struct span value, const char *wanted)
{
    return schema_fault(r, value.at, "%s: must be %s, not %s", key, wanted, schema_show(value));
}

int schema_because(struct schema_reader *r, const char *key, struct span value)
{
    struct fault why = *r->fault;

    return schema_fault(r, value.at, "%s: %s", key, why.text);
}

struct span schema_place(struct span object, const char *key)
{
    struct span value = object;

    json_get(object, key, &value);
    return value;
}

static void list_words(const char *const *words, struct buf *out)
{
    for (; *words; words++)
        buf_printf(out, "%s%s", out->len != 0 ? ", " : "", *words);
}

/* The word that was most likely meant; NULL: none. */
static const char *near_word(const char *const *words, struct span wrong)
{
    const char *nearest = NULL;
    int least = NEAR_NOT;

    for (; *words; words++) {
        int far = near_distance(wrong, *words);
        if (far >= least)
            continue;
        least = far;
        nearest = *words;
    }
    return nearest;
}

static int not_a_word(struct schema_reader *r, const char *key, struct span value,
                      const char *const *words)
{
    struct buf all = {0};
    struct span text = inside(value);
    const char *meant = near_word(words, text);

    list_words(words, &all);
    if (meant)
        schema_fault(r, value.at, "%s: must be one of %s, not %s (did you mean %s?)", key, all.at,
                     fault_quote(text), meant);
    else
        schema_fault(r, value.at, "%s: must be one of %s, not %s", key, all.at, fault_quote(text));
    buf_fini(&all);
    return -1;
}

/* --- Texts --- */

static bool has_control(struct span text)
{
    while (text.len > 0) {
        size_t len = span_printable(text);
        if (len == 0)
            return true;
        text.at += len;
        text.len -= len;
    }
    return false;
}

static int check_text(struct schema_reader *r, const char *key, struct span string,
                      struct span text, int64_t min, int64_t max)
{
    if ((int64_t)text.len < min || (int64_t)text.len > max)
        return schema_fault(r, string.at, "%s: must be a string of %d to %d bytes, not one of %zu",
                            key, (int)min, (int)max, text.len);
    if (has_control(text))
        return schema_fault(r, string.at, "%s: must have no control characters", key);
    return 0;
}

const char *schema_decode(struct schema_reader *r, const char *key, struct span string, int64_t min,
                          int64_t max)
{
    struct buf text = {0};
    const char *copy = NULL;

    if (json_type(string) != JSON_STRING) {
        schema_wrong(r, key, string, "a string");
        return NULL;
    }
    json_decode(string, &text);
    if (check_text(r, key, string, buf_span(&text), min, max) == 0)
        copy = arena_text(r->arena, buf_span(&text));
    buf_fini(&text);
    return copy;
}

int schema_text(struct schema_reader *r, const struct schema_row *row, struct span value,
                void *into)
{
    const char *text = schema_decode(r, row->key, value, row->min, row->max);

    *(const char **)into = text;
    return text ? 0 : -1;
}

int schema_name(struct schema_reader *r, const struct schema_row *row, struct span value,
                void *into)
{
    if (json_type(value) == JSON_STRING)
        return schema_text(r, row, value, into);
    if (json_type(value) != JSON_NULL)
        return schema_wrong(r, row->key, value, "a string, or null to leave it out");
    *(const char **)into = NULL;
    return 0;
}

static void add_string(struct schema_reader *r, struct schema_list *list, struct span string)
{
    list->at = arena_append(r->arena, list->at, list->count, sizeof(list->at[0]));
    list->at[list->count++] = string;
}

int schema_list(struct schema_reader *r, const struct schema_row *row, struct span value,
                struct schema_list *out)
{
    struct json_walk w = json_walk(value);
    struct span element;

    *out = (struct schema_list){0};
    if (json_type(value) == JSON_STRING)
        add_string(r, out, value);
    else if (json_type(value) != JSON_ARRAY)
        return schema_wrong(r, row->key, value, "a string or an array of strings");
    while (json_next_element(&w, &element)) {
        if (json_type(element) != JSON_STRING)
            return schema_wrong(r, row->key, element, "an array of strings");
        add_string(r, out, element);
    }
    return 0;
}

static bool is_among(const char *const *texts, const char *text)
{
    for (; *texts; texts++)
        if (strcmp(*texts, text) == 0)
            return true;
    return false;
}

int schema_texts(struct schema_reader *r, const struct schema_row *row, struct span value,
                 void *into)
{
    struct schema_list list;

    if (schema_list(r, row, value, &list) != 0)
        return -1;
    const char **texts = arena_alloc(r->arena, (list.count + 1) * sizeof(texts[0]));
    for (size_t i = 0; i < list.count; i++) {
        const char *text = schema_decode(r, row->key, list.at[i], row->min, row->max);
        if (!text)
            return -1;
        if (is_among(texts, text))
            return schema_fault(r, list.at[i].at, "%s: %s stands there twice", row->key,
                                fault_quote(span_of(text)));
        texts[i] = text;
    }
    *(const char *const **)into = texts;
    return 0;
}

/* --- Words --- */

/* Which of the row's words it is; -1: a fault. */
static int find_word(struct schema_reader *r, const struct schema_row *row, struct span value)
{
    const char *const *words = row->arg;

    if (json_type(value) != JSON_STRING)
        return schema_wrong(r, row->key, value, "a string");
    for (int i = 0; words[i]; i++)
        if (json_string_is(value, words[i]))
            return i;
    return not_a_word(r, row->key, value, words);
}

int schema_word(struct schema_reader *r, const struct schema_row *row, struct span value,
                void *into)
{
    int word = find_word(r, row, value);

    if (word < 0)
        return -1;
    *(int *)into = word;
    return 0;
}

int schema_words(struct schema_reader *r, const struct schema_row *row, struct span value,
                 void *into)
{
    struct schema_list list;
    unsigned bits = 0;

    if (schema_list(r, row, value, &list) != 0)
        return -1;
    for (size_t i = 0; i < list.count; i++) {
        int word = find_word(r, row, list.at[i]);
        if (word < 0)
            return -1;
        bits |= 1U << word;
    }
    if (bits == 0)
        return schema_fault(r, value.at, "%s: must not be empty", row->key);
    *(unsigned *)into = bits;
    return 0;
}

/* --- Numbers and the like --- */

int schema_bool(struct schema_reader *r, const struct schema_row *row, struct span value,
                void *into)
{
    if (json_type(value) != JSON_BOOL)
        return schema_wrong(r, row->key, value, "true or false");
    *(bool *)into = value.at[0] == 't';
    return 0;
}

int schema_count(struct schema_reader *r, const struct schema_row *row, struct span value,
                 void *into)
{
    if (json_type(value) != JSON_NUMBER)
        return schema_wrong(r, row->key, value, "a number");
    if (num_parse(value, row->min, row->max, into, r->fault) != 0)
        return schema_because(r, row->key, value);
    return 0;
}

int schema_ms(struct schema_reader *r, const struct schema_row *row, struct span value, void *into)
{
    if (json_type(value) != JSON_STRING)
        return schema_wrong(r, row->key, value, "a time as a string, such as \"30s\"");
    if (num_parse_ms(inside(value), row->min, row->max, into, r->fault) != 0)
        return schema_because(r, row->key, value);
    return 0;
}

int schema_bytes(struct schema_reader *r, const struct schema_row *row, struct span value,
                 void *into)
{
    if (json_type(value) != JSON_STRING)
        return schema_wrong(r, row->key, value, "a size as a string, such as \"256k\"");
    if (num_parse_bytes(inside(value), row->min, row->max, into, r->fault) != 0)
        return schema_because(r, row->key, value);
    return 0;
}

int schema_rate(struct schema_reader *r, const struct schema_row *row, struct span value,
                void *into)
{
    struct span text = json_type(value) == JSON_STRING ? inside(value) : (struct span){0};

    if (text.len == 0 || !memchr(text.at, '/', text.len))
        return schema_wrong(r, row->key, value, "a rate as a string, such as \"100/1m\"");
    if (num_parse_rate(text, row->min, row->max, into, r->fault) != 0)
        return schema_because(r, row->key, value);
    return 0;
}

/* --- Objects --- */

int schema_object(struct schema_reader *r, const struct schema_row *row, struct span value,
                  void *into)
{
    if (json_type(value) != JSON_OBJECT)
        return schema_wrong(r, row->key, value, "an object");
    return schema_read(r, row->arg, value, into);
}

int schema_size(struct schema_reader *r, const struct schema_row *row, struct span value,
                size_t most, size_t *count)
{
    struct json_walk w = json_walk(value);
    struct span key, one;

    if (json_type(value) != JSON_OBJECT)
        return schema_wrong(r, row->key, value, "an object");
    *count = 0;
    while (json_next_member(&w, &key, &one))
        (*count)++;
    if (*count <= most)
        return 0;
    return schema_fault(r, value.at, "%s: at most %zu, found %zu", row->key, most, *count);
}

static int unknown_key(struct schema_reader *r, const struct schema *s, struct span key)
{
    const char *keys[SCHEMA_ROWS_MAX + 1] = {NULL};
    struct span text = inside(key);
    struct buf all = {0};

    for (size_t i = 0; i < s->row_count; i++)
        keys[i] = s->rows[i].key;
    const char *meant = near_word(keys, text);
    list_words(keys, &all);
    if (meant)
        schema_fault(r, key.at, "unknown key %s in %s (did you mean %s?)", fault_quote(text),
                     s->name, meant);
    else
        schema_fault(r, key.at, "unknown key %s in %s: expected one of %s", fault_quote(text),
                     s->name, all.at);
    buf_fini(&all);
    return -1;
}

/* Finds each row's value; empty where the key is absent. */
static int sort_members(struct schema_reader *r, const struct schema *s, struct span object,
                        struct span *values)
{
    struct json_walk w = json_walk(object);
    struct span key, value;

    while (json_next_member(&w, &key, &value)) {
        size_t i = 0;
        while (i < s->row_count && !json_string_is(key, s->rows[i].key))
            i++;
        if (i == s->row_count)
            return unknown_key(r, s, key);
        if (values[i].at)
            return schema_fault(r, key.at, "key %s stands there twice", fault_quote(inside(key)));
        values[i] = value;
    }
    return 0;
}

static int read_row(struct schema_reader *r, const struct schema *s, struct span object,
                    const struct schema_row *row, struct span value, void *into)
{
    if (!value.at && row->preset == schema_needed)
        return schema_fault(r, object.at, "%s must have the key %s", s->name, row->key);
    if (!value.at && !row->preset)
        return 0;
    if (!value.at)
        value = span_of(row->preset);
    return row->read(r, row, value, (char *)into + row->offset);
}

int schema_read(struct schema_reader *r, const struct schema *s, struct span object, void *into)
{
    struct span values[SCHEMA_ROWS_MAX] = {0};

    assert(s->row_count <= SCHEMA_ROWS_MAX);
    if (json_type(object) != JSON_OBJECT)
        return schema_fault(r, object.at, "%s must be an object, not %s", s->name,
                            json_type_name(json_type(object)));
    if (sort_members(r, s, object, values) != 0)
        return -1;
    for (size_t i = 0; i < s->row_count; i++)
        if (read_row(r, s, object, &s->rows[i], values[i], into) != 0)
            return -1;
    return s->check ? s->check(r, object, into) : 0;
}
