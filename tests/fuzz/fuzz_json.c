/* Any bytes: json_check() is asked, and of what it accepts everything else must hold. */
#include "json.h"
#include <assert.h>
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CJSON_NUMBER_MAX = 63 }; /* cJSON cuts longer ones, and then stumbles over the rest */

static bool accepted(struct span text)
{
    struct fault f;

    return json_check(text, &f) == 0;
}

static void fault_is_printable(struct span text)
{
    struct fault f = {""};

    assert(json_check(text, &f) == -1 && f.text[0] != '\0');
    for (struct span rest = span_of(f.text); rest.len > 0;) {
        size_t len = span_printable(rest);
        assert(len > 0);
        span_drop(&rest, len);
    }
}

static void within(struct span inner, struct span outer, const char *after)
{
    assert(inner.len > 0 && inner.at > after);
    assert(inner.at > outer.at && inner.at + inner.len < outer.at + outer.len);
}

static void string_holds(struct span string)
{
    struct buf decoded = {0}, encoded = {0}, again = {0};

    json_decode(string, &decoded);
    json_encode(&encoded, buf_span(&decoded));
    assert(accepted(buf_span(&encoded)));
    json_decode(buf_span(&encoded), &again);
    assert(span_equal(buf_span(&decoded), buf_span(&again)));
    assert(json_string_is(string, decoded.at) == (strlen(decoded.at) == decoded.len));
    buf_fini(&decoded);
    buf_fini(&encoded);
    buf_fini(&again);
}

static void number_holds(struct span number)
{
    struct buf text = {0};
    int64_t value;

    if (json_int(number, &value) == 0) {
        buf_printf(&text, "%" PRId64, value);
        assert(span_equal(buf_span(&text), number) || span_is(number, "-0"));
    }
    buf_fini(&text);
}

/* The member found by a key's name is the last one with it. */
static void member_holds(struct span object, struct span key, struct span value)
{
    struct buf name = {0};
    struct span found;

    json_decode(key, &name);
    if (strlen(name.at) == name.len) {
        assert(json_get(object, name.at, &found));
        assert(found.at >= value.at);
    }
    buf_fini(&name);
}

static void rebuild(struct buf *out, struct span value);

static void rebuild_object(struct buf *out, struct span object)
{
    struct json_walk w = json_walk(object);
    struct span key, value;
    const char *after = object.at;

    for (const char *mark = "{"; json_next_member(&w, &key, &value); mark = ",") {
        within(key, object, after);
        within(value, object, key.at + key.len);
        after = value.at + value.len - 1;
        string_holds(key);
        member_holds(object, key, value);
        buf_text(out, mark);
        buf_join(out, key);
        buf_char(out, ':');
        rebuild(out, value);
    }
    buf_text(out, after == object.at ? "{}" : "}");
}

static void rebuild_array(struct buf *out, struct span array)
{
    struct json_walk w = json_walk(array);
    struct span value;
    const char *after = array.at;

    for (const char *mark = "["; json_next_element(&w, &value); mark = ",") {
        within(value, array, after);
        after = value.at + value.len - 1;
        buf_text(out, mark);
        rebuild(out, value);
    }
    buf_text(out, after == array.at ? "[]" : "]");
}

/* Puts the text together again from what the walkers hand out. */
static void rebuild(struct buf *out, struct span value)
{
    assert(accepted(value));
    switch (json_type(value)) {
    case JSON_OBJECT:
        rebuild_object(out, value);
        return;
    case JSON_ARRAY:
        rebuild_array(out, value);
        return;
    case JSON_STRING:
        string_holds(value);
        break;
    case JSON_NUMBER:
        number_holds(value);
        break;
    case JSON_BOOL:
    case JSON_NULL:
        break;
    }
    buf_join(out, value);
}

static void compact_is_what_the_walkers_see(struct span text)
{
    struct buf compact = {0}, again = {0}, rebuilt = {0};

    json_compact(&compact, text);
    assert(accepted(buf_span(&compact)));
    json_compact(&again, buf_span(&compact));
    assert(span_equal(buf_span(&compact), buf_span(&again)));
    rebuild(&rebuilt, json_trim(text));
    assert(span_equal(buf_span(&compact), buf_span(&rebuilt)));
    buf_fini(&compact);
    buf_fini(&again);
    buf_fini(&rebuilt);
}

static void documents_carry_it_through(struct span text)
{
    struct buf compact = {0}, line = {0}, pretty = {0}, again = {0};
    struct json *document = json_new_object();
    struct span value;

    json_add_raw(document, "v", text);
    json_write(document, &line);
    json_compact(&compact, text);
    assert(json_get(buf_span(&line), "v", &value));
    assert(span_equal(value, buf_span(&compact)));
    json_write_pretty(document, &pretty);
    json_compact(&again, buf_span(&pretty));
    assert(span_equal(buf_span(&again), buf_span(&line)));
    json_free(document);
    buf_fini(&compact);
    buf_fini(&line);
    buf_fini(&pretty);
    buf_fini(&again);
}

/* The 16 bits of \uXXXX at a place; 0 when none stands there. */
static unsigned long escape_at(const char *at, const char *end)
{
    char digits[5] = {0};

    if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return 0;
    memcpy(digits, at + 2, 4);
    return strtoul(digits, NULL, 16);
}

/* RFC 8259 allows lone surrogates (section 8.2), and numbers of any length; cJSON does not. */
static bool cjson_takes_less(struct span text)
{
    const char *end = text.at + text.len;
    size_t digits = 0;

    for (const char *at = text.at; at < end; at++) {
        digits = strchr("+-.0123456789eE", *at) ? digits + 1 : 0;
        if (digits > CJSON_NUMBER_MAX)
            return true;
        if (*at != '\\')
            continue;
        unsigned long code = escape_at(at, end);
        if (code >> 10 == 0x36 && escape_at(at + 6, end) >> 10 == 0x37)
            at += 11;
        else if (code >> 11 == 0x1b)
            return true;
        else
            at++;
    }
    return false;
}

static void cjson_takes_it_too(struct span text)
{
    if (cjson_takes_less(text))
        return;
    cJSON *tree = cJSON_ParseWithLength(text.at, text.len);
    assert(tree);
    cJSON_Delete(tree);
}

static bool is_utf8(struct span text)
{
    while (text.len > 0) {
        size_t len = span_utf8(text);
        if (len == 0)
            return false;
        span_drop(&text, len);
    }
    return true;
}

/* Holds of any bytes, JSON or not. */
static void text_can_be_encoded(struct span text)
{
    struct buf encoded = {0}, decoded = {0};

    json_encode(&encoded, text);
    assert(accepted(buf_span(&encoded)));
    json_decode(buf_span(&encoded), &decoded);
    assert(is_utf8(buf_span(&decoded)));
    assert(span_equal(buf_span(&decoded), text) == is_utf8(text));
    buf_fini(&encoded);
    buf_fini(&decoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = {(const char *)data, size};

    text_can_be_encoded(text);
    if (!accepted(text)) {
        fault_is_printable(text);
        return 0;
    }
    compact_is_what_the_walkers_see(text);
    documents_carry_it_through(text);
    cjson_takes_it_too(text);
    return 0;
}
