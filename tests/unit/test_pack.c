#include "json.h"
#include "pack.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* "93 a1 78" as bytes. */
static struct buf bytes_of(const char *hex)
{
    struct buf b = {0};
    char *end;

    for (unsigned long byte = strtoul(hex, &end, 16); end != hex; byte = strtoul(hex, &end, 16)) {
        buf_char(&b, (char)byte);
        hex = end;
    }
    return b;
}

static void assert_reads(const char *hex, const char *expected)
{
    struct buf packed = bytes_of(hex), text = {0};
    struct fault f;

    buf_text(&text, "<");
    if (pack_read(buf_span(&packed), &text, &f) != 0)
        fail_msg("%s: %s", hex, f.text);
    assert_string_equal(text.at + 1, expected);
    assert_int_equal(json_check((struct span){text.at + 1, text.len - 1}, &f), 0);
    buf_fini(&text);
    buf_fini(&packed);
}

static void assert_refused(const char *hex, const char *why)
{
    struct buf packed = bytes_of(hex), text = {0};
    struct fault f;

    buf_text(&text, "<");
    assert_int_equal(pack_read(buf_span(&packed), &text, &f), -1);
    assert_string_equal(f.text, why);
    assert_string_equal(text.at, "<");
    buf_fini(&text);
    buf_fini(&packed);
}

static void assert_writes(const char *json, const char *hex)
{
    struct buf packed = {0}, expected = bytes_of(hex);

    pack_write(span_of(json), &packed);
    assert_int_equal(packed.len, expected.len);
    assert_memory_equal(packed.at, expected.at, packed.len);
    buf_fini(&packed);
    buf_fini(&expected);
}

static void scalars_are_read(void **state)
{
    (void)state;
    assert_reads("c0", "null");
    assert_reads("c2", "false");
    assert_reads("c3", "true");
    assert_reads("7f", "127");
    assert_reads("e0", "-32");
    assert_reads("cc ff", "255");
    assert_reads("cd ff ff", "65535");
    assert_reads("ce ff ff ff ff", "4294967295");
    assert_reads("cf ff ff ff ff ff ff ff ff", "18446744073709551615");
    assert_reads("d0 80", "-128");
    assert_reads("d1 80 00", "-32768");
    assert_reads("d2 80 00 00 00", "-2147483648");
    assert_reads("d3 80 00 00 00 00 00 00 00", "-9223372036854775808");
    assert_reads("cb 3f b9 99 99 99 99 99 9a", "0.1");
    assert_reads("cb 40 09 21 fb 54 44 2d 18", "3.141592653589793");
    assert_reads("ca 3f 80 00 00", "1");
    assert_reads("cb 80 00 00 00 00 00 00 00", "-0");
    assert_reads("cb 7f f0 00 00 00 00 00 00", "null");
    assert_reads("cb 7f f8 00 00 00 00 00 00", "null");
}

static void strings_are_read(void **state)
{
    (void)state;
    assert_reads("a0", "\"\"");
    assert_reads("a3 c3 bc 0a", "\"\303\274\\n\"");
    assert_reads("d9 01 61", "\"a\"");
    assert_reads("da 00 01 61", "\"a\"");
    assert_reads("db 00 00 00 01 61", "\"a\"");
    assert_reads("a1 ff", "\"\357\277\275\"");
    assert_reads("a1 00", "\"\\u0000\"");
}

static void containers_are_read(void **state)
{
    (void)state;
    assert_reads("90", "[]");
    assert_reads("80", "{}");
    assert_reads("93 01 92 02 90 80", "[1,[2,[]],{}]");
    assert_reads("82 a1 61 91 01 a1 62 81 a1 63 c0", "{\"a\":[1],\"b\":{\"c\":null}}");
    assert_reads("dc 00 01 c3", "[true]");
    assert_reads("dd 00 00 00 01 c3", "[true]");
    assert_reads("de 00 01 07 c3", "{\"7\":true}");
    assert_reads("df 00 00 00 01 ff c3", "{\"-1\":true}");
}

static void bytes_and_times_are_read(void **state)
{
    (void)state;
    assert_reads("c4 03 01 02 03", "{\"$binary\":\"AQID\"}");
    assert_reads("91 c5 00 00", "[{\"$binary\":\"\"}]");
    assert_reads("c6 00 00 00 01 ff", "{\"$binary\":\"/w==\"}");
    assert_reads("d6 ff 00 00 00 00", "\"1970-01-01T00:00:00.000Z\"");
    assert_reads("d7 ff 1d 7d d4 40 69 1f 59 a0", "\"2025-11-20T18:10:40.123Z\"");
    assert_reads("c7 0c ff 00 00 00 00 00 00 00 3a ff f4 41 7f", "\"9999-12-31T23:59:59.000Z\"");
    assert_reads("d4 00 00", "null");
}

static void what_json_has_not_is_refused(void **state)
{
    (void)state;
    assert_refused("", "not MessagePack: it is cut short");
    assert_refused("c1", "not MessagePack: no value begins so");
    assert_refused("91", "not MessagePack: it is cut short");
    assert_refused("01 02", "not MessagePack: more follows it");
    assert_refused("81 c0 01", "not MessagePack: a key that is no string");
    assert_refused("81 90 01", "not MessagePack: a key that is no string");
    assert_refused("81 c4 00 01", "not MessagePack: a key that is no string");
    assert_refused("d4 05 00", "not MessagePack: an extension that JSON has not");
    assert_refused("c9 ff ff ff ff", "not MessagePack: an extension without a type");
    assert_refused("c7 0c ff 00 00 00 00 00 00 00 3a ff f4 41 80",
                   "not MessagePack: a time that is none");
    assert_refused("c7 0c ff 00 00 00 00 ff ff ff ff ff ff ff ff",
                   "not MessagePack: a time that is none");
    assert_refused("d5 ff 00 00", "not MessagePack: a time that is none");
}

/* Lengths that nothing backs cost nothing. */
static void hostile_lengths_are_refused(void **state)
{
    (void)state;
    assert_refused("dd ff ff ff ff", "not MessagePack: it is cut short");
    assert_refused("df ff ff ff ff", "not MessagePack: it is cut short");
    assert_refused("db ff ff ff ff 61", "not MessagePack: it is cut short");
    assert_refused("c6 ff ff ff ff 61", "not MessagePack: it is cut short");
    assert_refused("dd ff ff ff ff dd ff ff ff ff dd ff ff ff ff",
                   "not MessagePack: it is cut short");
}

static void nest(struct buf *b, int depth)
{
    for (int i = 0; i < depth; i++)
        buf_char(b, '\x91');
    buf_text(b, "\xc4");
    buf_char(b, 0);
}

static void nesting_is_bounded(void **state)
{
    struct buf deep = {0}, deeper = {0}, text = {0};
    struct fault f;

    (void)state;
    nest(&deep, PACK_DEPTH);
    assert_int_equal(pack_read(buf_span(&deep), &text, &f), 0);
    assert_int_equal(json_check(buf_span(&text), &f), 0);
    nest(&deeper, PACK_DEPTH + 1);
    assert_int_equal(pack_read(buf_span(&deeper), &text, &f), -1);
    assert_string_equal(f.text, "not MessagePack: nested too deep");
    buf_clear(&deeper);
    nest(&deeper, 1000000);
    assert_int_equal(pack_read(buf_span(&deeper), &text, &f), -1);
    buf_fini(&deep);
    buf_fini(&deeper);
    buf_fini(&text);
}

static void json_is_written(void **state)
{
    (void)state;
    assert_writes("null", "c0");
    assert_writes(" [true, false] ", "92 c3 c2");
    assert_writes("[0,127,128,-1,-33,65536]", "96 00 7f cc 80 ff d0 df ce 00 01 00 00");
    assert_writes("18446744073709551615", "cf ff ff ff ff ff ff ff ff");
    assert_writes("18446744073709551616", "cb 43 f0 00 00 00 00 00 00");
    assert_writes("-9223372036854775808", "d3 80 00 00 00 00 00 00 00");
    assert_writes("[0.1,-0]", "92 cb 3f b9 99 99 99 99 99 9a cb 80 00 00 00 00 00 00 00");
    assert_writes("{\"a\":{},\"b\":\"\\u00fc\"}", "82 a1 61 80 a1 62 a2 c3 bc");
    assert_writes("{\"$binary\":\"AQID\"}", "c4 03 01 02 03");
    assert_writes("{\"$binary\":\"\"}", "c4 00");
    assert_writes("{\"$binary\":\"no base64\"}",
                  "81 a7 24 62 69 6e 61 72 79 a9 6e 6f 20 62 61 73 65 36 34");
    assert_writes("\"\"", "a0");
}

/* What @socket.io/redis-emitter sends for em.to("r1").emit("ev",{a:1}). */
static void a_message_of_the_emitter_is_read(void **state)
{
    (void)state;
    assert_reads("93 a7 65 6d 69 74 74 65 72 83 a4 74 79 70 65 02 a4 64 61 74 61 92 a2 65 76 81 a1 "
                 "61 01 a3 6e 73 70 a1 2f 83 a5 72 6f 6f 6d 73 91 a2 72 31 a5 66 6c 61 67 73 80 a6 "
                 "65 78 63 65 70 74 90",
                 "[\"emitter\",{\"type\":2,\"data\":[\"ev\",{\"a\":1}],\"nsp\":\"/\"},"
                 "{\"rooms\":[\"r1\"],\"flags\":{},\"except\":[]}]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_are_read),
        cmocka_unit_test(strings_are_read),
        cmocka_unit_test(containers_are_read),
        cmocka_unit_test(bytes_and_times_are_read),
        cmocka_unit_test(what_json_has_not_is_refused),
        cmocka_unit_test(hostile_lengths_are_refused),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(json_is_written),
        cmocka_unit_test(a_message_of_the_emitter_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
