#include "pack.h"
#include "base64.h"
#include "clock.h"
#include "json.h"
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#define BINARY_KEY "\"$binary\""

#define LAST_SECOND INT64_C(253402300799) /* of the year 9999 */

/* --- reading ------------------------------------------------------------------------------- */

/* An array or a map that is being read. */
struct level {
    uint32_t left; /* elements, or pairs, that are not whole yet */
    bool is_map;
    bool has_key; /* of the pair that is being read */
};

struct reading {
    struct buf *out;
    struct level levels[PACK_DEPTH];
    int depth;
    const char *why; /* it can't be JSON */
};

static bool is_key(const struct reading *r)
{
    return r->depth > 0 && r->levels[r->depth - 1].is_map && !r->levels[r->depth - 1].has_key;
}

static int refuse(struct reading *r, const char *why)
{
    r->why = why;
    return -1;
}

/* After a whole value: what stands between it and the next, or ends what it was the last of. */
static int end_value(struct reading *r)
{
    while (r->depth > 0) {
        struct level *l = &r->levels[r->depth - 1];
        if (l->is_map && !l->has_key) {
            l->has_key = true;
            buf_char(r->out, ':');
            return 0;
        }
        l->has_key = false;
        if (--l->left > 0) {
            buf_char(r->out, ',');
            return 0;
        }
        buf_char(r->out, l->is_map ? '}' : ']');
        r->depth--;
    }
    return 0;
}

static int put_word(struct reading *r, const char *word)
{
    if (is_key(r))
        return refuse(r, "a key that is no string");
    buf_text(r->out, word);
    return end_value(r);
}

static int put_integer(struct reading *r, const char *digits)
{
    const char *quote = is_key(r) ? "\"" : "";

    buf_printf(r->out, "%s%s%s", quote, digits, quote);
    return end_value(r);
}

static int put_unsigned(struct reading *r, uint64_t n)
{
    char digits[24];

    snprintf(digits, sizeof(digits), "%" PRIu64, n);
    return put_integer(r, digits);
}

static int put_signed(struct reading *r, int64_t n)
{
    char digits[24];

    snprintf(digits, sizeof(digits), "%" PRId64, n);
    return put_integer(r, digits);
}

/* As few digits as bring the same number back. */
static int put_double(struct reading *r, double d)
{
    char digits[32];

    if (!isfinite(d))
        return put_word(r, "null");
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(digits, sizeof(digits), "%.*g", precision, d);
        if (strtod(digits, NULL) == d)
            break;
    }
    return put_word(r, digits);
}

static int begin_container(struct reading *r, uint32_t count, bool is_map)
{
    if (is_key(r))
        return refuse(r, "a key that is no string");
    if (r->depth == PACK_DEPTH)
        return refuse(r, "nested too deep");
    buf_char(r->out, is_map ? '{' : '[');
    if (count == 0) {
        buf_char(r->out, is_map ? '}' : ']');
        return end_value(r);
    }
    r->levels[r->depth++] = (struct level){.left = count, .is_map = is_map};
    return 0;
}

static int put_bytes(struct reading *r, struct span bytes)
{
    if (is_key(r))
        return refuse(r, "a key that is no string");
    buf_text(r->out, "{" BINARY_KEY ":\"");
    base64_encode(r->out, bytes);
    buf_text(r->out, "\"}");
    return end_value(r);
}

static int put_time(struct reading *r, const msgpack_object *o)
{
    char stamp[CLOCK_STAMP_BYTES + 2];
    msgpack_timestamp t;

    if (!msgpack_object_to_timestamp(o, &t) || t.tv_sec < 0 || t.tv_sec > LAST_SECOND ||
        t.tv_nsec >= 1000000000)
        return refuse(r, "a time that is none");
    stamp[0] = '"';
    clock_stamp(t.tv_sec * 1000 + t.tv_nsec / 1000000, stamp + 1);
    strcat(stamp, "\"");
    return put_word(r, stamp);
}

/* Extension 0 with one byte is how early releases of notepack.io wrote `undefined`. */
static int put_extension(struct reading *r, const char *at, uint32_t len)
{
    msgpack_object o = {.type = MSGPACK_OBJECT_EXT};

    if (len == 0)
        return refuse(r, "an extension without a type");
    o.via.ext.type = (int8_t)*at;
    o.via.ext.size = len - 1;
    o.via.ext.ptr = at + 1;
    if (o.via.ext.type == -1)
        return put_time(r, &o);
    if (o.via.ext.type == 0 && o.via.ext.size == 1)
        return put_word(r, "null");
    return refuse(r, "an extension that JSON has not");
}

/* The library's own template, for those who make something else of it than its objects. Those
 * would be as many as a length claims. */
#define MSGPACK_EMBED_STACK_SIZE        (PACK_DEPTH + 1)
#define msgpack_unpack_struct(name)     struct unpack##name
#define msgpack_unpack_func(type, name) static inline type unpack##name
#define msgpack_unpack_callback(name)   on##name
#define msgpack_unpack_object           char
#define msgpack_unpack_user             struct reading

#define ON_NUMBER(name, type, put)                                                                 \
    static int on_##name(struct reading *r, type n, char *o)                                       \
    {                                                                                              \
        *o = 0;                                                                                    \
        return put(r, n);                                                                          \
    }
ON_NUMBER(uint8, uint8_t, put_unsigned)
ON_NUMBER(uint16, uint16_t, put_unsigned)
ON_NUMBER(uint32, uint32_t, put_unsigned)
ON_NUMBER(uint64, uint64_t, put_unsigned)
ON_NUMBER(int8, int8_t, put_signed)
ON_NUMBER(int16, int16_t, put_signed)
ON_NUMBER(int32, int32_t, put_signed)
ON_NUMBER(int64, int64_t, put_signed)
ON_NUMBER(float, float, put_double)
ON_NUMBER(double, double, put_double)

#define ON_WORD(name, word)                                                                        \
    static int on_##name(struct reading *r, char *o)                                               \
    {                                                                                              \
        *o = 0;                                                                                    \
        return put_word(r, word);                                                                  \
    }
ON_WORD(nil, "null")
ON_WORD(true, "true")
ON_WORD(false, "false")

static char on_root(struct reading *r)
{
    (void)r;
    return 0;
}

static int on_array(struct reading *r, uint32_t count, char *o)
{
    *o = 0;
    return begin_container(r, count, false);
}

static int on_map(struct reading *r, uint32_t count, char *o)
{
    *o = 0;
    return begin_container(r, count, true);
}

static int on_array_item(struct reading *r, const char *array, char item)
{
    (void)r;
    (void)array;
    (void)item;
    return 0;
}

static int on_map_item(struct reading *r, const char *map, char key, char value)
{
    (void)r;
    (void)map;
    (void)key;
    (void)value;
    return 0;
}

static int on_str(struct reading *r, const char *base, const char *at, uint32_t len, char *o)
{
    (void)base;
    *o = 0;
    json_encode(r->out, (struct span){at, len});
    return end_value(r);
}

static int on_bin(struct reading *r, const char *base, const char *at, uint32_t len, char *o)
{
    (void)base;
    *o = 0;
    return put_bytes(r, (struct span){at, len});
}

static int on_ext(struct reading *r, const char *base, const char *at, uint32_t len, char *o)
{
    (void)base;
    *o = 0;
    return put_extension(r, at, len);
}

#include <msgpack/unpack_define.h>
#include <msgpack/unpack_template.h>

int pack_read(struct span packed, struct buf *out, struct fault *f)
{
    struct unpack_context c = {.user = {.out = out}};
    size_t before = out->len, at = 0;

    unpack_init(&c);
    int result = unpack_execute(&c, packed.at, packed.len, &at);
    if (result > 0 && at == packed.len)
        return 0;
    if (out->len > before) {
        out->len = before;
        out->at[before] = '\0';
    }
    if (result == 0)
        return fault_set(f, "not MessagePack: it is cut short");
    if (result > 0)
        return fault_set(f, "not MessagePack: more follows it");
    return fault_set(f, "not MessagePack: %s", c.user.why ? c.user.why : "no value begins so");
}

/* --- writing ------------------------------------------------------------------------------- */

static int add(void *arg, const char *at, size_t len)
{
    buf_add(arg, at, len);
    return 0;
}

static void write_number(msgpack_packer *p, struct span value)
{
    char *text = span_text(value), *end;
    int64_t n;

    if (json_int(value, &n) == 0 && !span_is(value, "-0")) {
        msgpack_pack_int64(p, n);
    } else {
        errno = 0;
        unsigned long long big = strtoull(text, &end, 10);
        if (text[0] != '-' && *end == '\0' && errno == 0)
            msgpack_pack_uint64(p, big);
        else
            msgpack_pack_double(p, strtod(text, NULL));
    }
    free(text);
}

static void write_string(msgpack_packer *p, struct span value)
{
    struct buf text = {0};

    json_decode(value, &text);
    msgpack_pack_str(p, text.len);
    msgpack_pack_str_body(p, text.len > 0 ? text.at : "", text.len);
    buf_fini(&text);
}

/* An object whose only member is bytes. */
static bool write_bytes(msgpack_packer *p, struct span object)
{
    struct json_walk w = json_walk(object);
    struct span key, value, more;
    struct buf bytes = {0};

    if (!json_next_member(&w, &key, &value) || !span_is(key, BINARY_KEY) ||
        json_type(value) != JSON_STRING || json_next_member(&w, &key, &more) ||
        base64_decode(&bytes, json_inside(value)) != 0)
        return false;
    msgpack_pack_bin(p, bytes.len);
    msgpack_pack_bin_body(p, bytes.len > 0 ? bytes.at : "", bytes.len);
    buf_fini(&bytes);
    return true;
}

static void write_value(msgpack_packer *p, struct span value);

/* NOLINTNEXTLINE(misc-no-recursion): no deeper than json_check() lets a value be */
static void write_array(msgpack_packer *p, struct span array)
{
    struct json_walk w = json_walk(array);
    struct span value;
    size_t count = 0;

    while (json_next_element(&w, &value))
        count++;
    msgpack_pack_array(p, count);
    for (w = json_walk(array); json_next_element(&w, &value);)
        write_value(p, value);
}

/* NOLINTNEXTLINE(misc-no-recursion): no deeper than json_check() lets a value be */
static void write_object(msgpack_packer *p, struct span object)
{
    struct json_walk w = json_walk(object);
    struct span key, value;
    size_t count = 0;

    if (write_bytes(p, object))
        return;
    while (json_next_member(&w, &key, &value))
        count++;
    msgpack_pack_map(p, count);
    for (w = json_walk(object); json_next_member(&w, &key, &value);) {
        write_string(p, key);
        write_value(p, value);
    }
}

/* NOLINTNEXTLINE(misc-no-recursion): no deeper than json_check() lets a value be */
static void write_value(msgpack_packer *p, struct span value)
{
    switch (json_type(value)) {
    case JSON_NULL:
        msgpack_pack_nil(p);
        break;
    case JSON_BOOL:
        if (span_is(value, "true"))
            msgpack_pack_true(p);
        else
            msgpack_pack_false(p);
        break;
    case JSON_NUMBER:
        write_number(p, value);
        break;
    case JSON_STRING:
        write_string(p, value);
        break;
    case JSON_ARRAY:
        write_array(p, value);
        break;
    case JSON_OBJECT:
        write_object(p, value);
        break;
    }
}

void pack_write(struct span value, struct buf *out)
{
    msgpack_packer p;

    msgpack_packer_init(&p, out, add);
    write_value(&p, json_trim(value));
}
