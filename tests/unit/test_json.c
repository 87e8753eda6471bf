#include "json.h"
#include "mem.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A copy that ends where the text does, so that a sanitizer sees every byte read too far. */
static struct span exact(struct span text)
{
    char *copy = mem_alloc(text.len);

    if (text.len > 0)
        memcpy(copy, text.at, text.len);
    return (struct span){copy, text.len};
}

static int check(struct span text, struct fault *f)
{
    struct span copy = exact(text);
    int result = json_check(copy, f);

    free((char *)copy.at);
    return result;
}

static void assert_accepts(struct span text)
{
    struct fault f = {""};

    if (check(text, &f) != 0)
        fail_msg("%.*s refused: %s", (int)text.len, text.at, f.text);
    assert_string_equal(f.text, "");
}

static void assert_refuses(struct span text, const char *want)
{
    struct fault f = {""};

    if (check(text, &f) == 0)
        fail_msg("%.*s accepted", (int)text.len, text.at);
    if (want)
        assert_string_equal(f.text, want);
}

static void what_is_json(void **state)
{
    (void)state;
    static const char *const texts[] = {
        /* scalars, alone and within white space */
        "null",
        "true",
        "false",
        "0",
        "\"\"",
        " \t\r\n0\n\r\t ",
        "[]",
        "{}",
        "[ ]",
        "{ }",
        "[\n]",
        /* numbers */
        "-0",
        "-1",
        "-0.0",
        "0.0",
        "1.25",
        "10",
        "1e5",
        "1E5",
        "1e+5",
        "1e-05",
        "0e0",
        "0e+1",
        "-0e-1",
        "123.456e789",
        "100000000000000000000000000000000000000000000000000",
        "18446744073709551615",
        "[0]",
        "[-0,1]",
        /* strings */
        "\"abc\"",
        "\"'\"",
        "\"/\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"\\u0000\\u0041\\uABCD\\uabcd\"",
        "\"\\uD83D\\uDE00\"",
        "\"\\uD800\"",
        "\"\\uDC00\\uD800\"",
        "\"\\uD800x\"",
        "\"\x7f\"",
        "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"",
        "\"\xef\xbf\xbf\xf4\x8f\xbf\xbf\xef\xbb\xbf\"",
        "\"exactly 8\"",
        "\"more than sixteen bytes of plain text\"",
        "\"seven..\\\"eight.. and on\"",
        /* containers */
        "[1]",
        "[1,2]",
        "[ 1 , 2 ]",
        "[null,true,false,0,\"\",[],{}]",
        "{\"a\":1}",
        "{ \"a\" : 1 , \"b\" : 2 }",
        "{\"\":0}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":{\"b\":[{\"c\":[[]]}]}}",
        "{\"\\u0061\":1}",
        "[[],[[]],{\"a\":[]},[]]",
    };

    for (size_t i = 0; i < COUNT(texts); i++)
        assert_accepts(span_of(texts[i]));
}

static void what_is_no_json(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        " ",
        "\n",
        "\xef\xbb\xbf{}",
        "nul",
        "nulll",
        "True",
        "NaN",
        "-",
        "Infinity",
        "-Infinity",
        "tru",
        "falsey",
        "undefined",
        "'a'",
        "a",
        "0x10",
        "+1",
        "01",
        "-01",
        "00",
        "1.",
        ".5",
        "-.5",
        "1.e5",
        "1e",
        "1e+",
        "1E-",
        "1e5.5",
        "1,2",
        "1 2",
        "- 1",
        "--1",
        "1_000",
        "1\xc2\xa0",
        "\v1",
        "\f1",
        "\"",
        "\"a",
        "\"\\\"",
        "\"\\x41\"",
        "\"\\'\"",
        "\"\\u\"",
        "\"\\u12\"",
        "\"\\u12",
        "\"\\uGGGG\"",
        "\"\\u 123\"",
        "\"\\",
        "\"\\\n\"",
        "\"\n\"",
        "\"\t\"",
        "\"\x1f\"",
        "\"a\"b",
        "\"\" \"\"",
        "\"\\U1\"",
        "[",
        "]",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[,]",
        "[1,,2]",
        "[1 2]",
        "[1]]",
        "[1}",
        "[\"a\"",
        "[1:2]",
        "[a]",
        "[1;2]",
        "{",
        "}",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{\"a\":}",
        "{\"a\" 1}",
        "{\"a\",1}",
        "{a:1}",
        "{1:1}",
        "{'a':1}",
        "{:1}",
        "{,}",
        "{\"a\":1,,}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":1}}",
        "{\"a\":1]",
        "{null:1}",
        "{[]:1}",
        "{\"a\"::1}",
        "/**/1",
        "1//",
        "[1,/**/2]",
        "{}{}",
        "[][]",
        "#",
        "\xff",
        "[\xff]",
        "\"\xff\"",
        "\"\xc3\"",
    };
    static const char *const broken_utf8[] = {
        "\x80",         "\xbf",         "\xc0\xaf",     "\xc1\xbf",         "\xe0\x80\xaf",
        "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x80\x80\xaf", "\xf4\x90\x80\x80",
        "\xf5\x80\x80", "\xfe",         "\xe2\x82",     "\xf0\x9f\x98",     "\xc3\xc3\xa4",
    };

    for (size_t i = 0; i < COUNT(texts); i++)
        assert_refuses(span_of(texts[i]), NULL);
    for (size_t i = 0; i < COUNT(broken_utf8); i++) {
        char text[64];
        snprintf(text, sizeof(text), "\"plain \xc3\xa4%s plain\"", broken_utf8[i]);
        assert_refuses(span_of(text), NULL);
        snprintf(text, sizeof(text), "\"%s\"", broken_utf8[i]);
        assert_refuses(span_of(text), NULL);
    }
}

static void no_byte_below_space_stands_in_a_string(void **state)
{
    (void)state;
    /* At each place of the eight that are looked at together. */
    for (int c = 0; c < 0x20; c++) {
        for (size_t place = 0; place < 20; place++) {
            char text[] = "\"abcdefghijklmnopqrst\"";
            text[1 + place] = (char)c;
            assert_refuses((struct span){text, sizeof(text) - 1}, NULL);
        }
    }
}

static void a_nul_is_no_white_space(void **state)
{
    (void)state;
    assert_refuses((struct span){"1\0", 2}, NULL);
    assert_refuses((struct span){"\0", 1}, NULL);
    assert_refuses((struct span){"\"\\\0\"", 4}, NULL);
    assert_refuses((struct span){NULL, 0}, "column 1: expected a value, "
                                           "found the end");
}

/* What is cut off anywhere is no JSON any more; nor is what one byte follows. */
static void every_byte_counts(void **state)
{
    (void)state;
    const char *text =
        "{\"a\":[1.5e+3,-0,true,false,null,\"x\\u00e4\\n\xe2\x82\xac\",{}],\"b\":{}}";
    size_t len = strlen(text);

    assert_accepts((struct span){text, len});
    for (size_t i = 0; i < len; i++)
        assert_refuses((struct span){text, i}, NULL);
}

static void add_times(struct buf *b, const char *text, int times)
{
    for (int i = 0; i < times; i++)
        buf_text(b, text);
}

static void nesting_is_limited(void **state)
{
    (void)state;
    static const char *const open[] = {"[", "{\"a\":", "[{\"a\":"};
    static const char *const close[] = {"]", "}", "}]"};

    for (int kind = 0; kind < 3; kind++) {
        int most = kind == 2 ? JSON_DEPTH / 2 : JSON_DEPTH;
        struct buf b = {0};
        add_times(&b, open[kind], most);
        buf_text(&b, "0");
        add_times(&b, close[kind], most);
        assert_accepts(buf_span(&b));
        buf_clear(&b);
        add_times(&b, open[kind], most + 1);
        buf_text(&b, "0");
        add_times(&b, close[kind], most + 1);
        assert_refuses(buf_span(&b), NULL);
        buf_fini(&b);
    }
    struct buf deep = {0};
    add_times(&deep, "[", 65);
    assert_refuses(buf_span(&deep), "column 65: expected at most 64 levels, "
                                    "found \"[\"");
    add_times(&deep, "[", 1000000);
    assert_refuses(buf_span(&deep), NULL);
    buf_fini(&deep);
}

/* Arrays in objects and objects in arrays, in every order of eight, close only as they opened. */
static void brackets_match_at_every_level(void **state)
{
    (void)state;
    for (unsigned kinds = 0; kinds < 256; kinds++) {
        struct buf b = {0};
        for (int i = 0; i < 8; i++)
            buf_text(&b, kinds >> i & 1 ? "{\"k\":" : "[");
        buf_text(&b, "1");
        size_t middle = b.len;
        for (int i = 8; i-- > 0;)
            buf_text(&b, kinds >> i & 1 ? "}" : "]");
        assert_accepts(buf_span(&b));
        for (size_t i = middle; i < b.len; i++) {
            char was = b.at[i];
            b.at[i] = was == '}' ? ']' : '}';
            assert_refuses(buf_span(&b), NULL);
            b.at[i] = was;
        }
        buf_fini(&b);
    }
}

static void faults_say_where_and_what(void **state)
{
    (void)state;
    static const struct {
        const char *text, *fault;
    } cases[] = {
        {"{\"a\":1,\"b\":\"two\"x}", "column 17: expected ',' or '}', found \"x\""},
        {"", "column 1: expected a value, found the end"},
        {"{\n \"a\": 1,\n}", "line 3, column 1: expected a key, found \"}\""},
        {"{1}", "column 2: expected a key or '}', found \"1\""},
        {"{\"a\" 1}", "column 6: expected ':', found \"1\""},
        {"{\"a\":}", "column 6: expected a value, found \"}\""},
        {"[x", "column 2: expected a value or ']', found \"x\""},
        {"[1,]", "column 4: expected a value, found \"]\""},
        {"[1 2]", "column 4: expected ',' or ']', found \"2\""},
        {"[[1],\n[}", "line 2, column 2: expected a value or ']', found \"}\""},
        {"1 \xe2\x82\xac", "column 3: expected the end, found \"\xe2\x82\xac\""},
        {"nul", "column 4: expected null, found the end"},
        {"trUe", "column 3: expected true, found \"U\""},
        {"fals\n", "line 1, column 5: expected false, found \"\\n\""},
        {"-x", "column 2: expected a digit, found \"x\""},
        {"1.", "column 3: expected a digit, found the end"},
        {"1e+", "column 4: expected a digit, found the end"},
        {"012", "column 2: expected no digit after a leading 0, found \"1\""},
        {"\"ab", "column 4: expected the string's closing quote, found the end"},
        {"\"a\nb\"", "line 1, column 3: expected control characters of a string to be "
                     "escaped, found \"\\n\""},
        {"\"\\x\"", "column 3: expected one of \"\\/bfnrtu after the backslash, "
                    "found \"x\""},
        {"\"\\u12g4\"", "column 6: expected four hexadecimal digits after \\u, "
                        "found \"g\""},
        {"\"ab\xff\"", "column 4: expected UTF-8, found \"\\xff\""},
    };

    for (size_t i = 0; i < COUNT(cases); i++)
        assert_refuses(span_of(cases[i].text), cases[i].fault);
}

static void places_count_lines_and_columns(void **state)
{
    (void)state;
    struct span text = span_of("ab\ncd\n\nx");
    static const int want[][2] = {{1, 1}, {1, 2}, {1, 3}, {2, 1}, {2, 2},
                                  {2, 3}, {3, 1}, {4, 1}, {4, 2}};
    int line, column;

    for (size_t i = 0; i < COUNT(want); i++) {
        json_place(text, text.at + i, &line, &column);
        assert_int_equal(line, want[i][0]);
        assert_int_equal(column, want[i][1]);
    }
}

static void assert_span(struct span got, const char *want)
{
    if (!span_is(got, want))
        fail_msg("got <%.*s>, wanted <%s>", (int)got.len, got.at, want);
}

static void trimming_and_types(void **state)
{
    (void)state;
    assert_span(json_trim(span_of(" \n\t{} \r")), "{}");
    assert_span(json_trim(span_of("1")), "1");
    assert_span(json_trim(span_of("\" a \" ")), "\" a \"");
    assert_int_equal(json_type(span_of("null")), JSON_NULL);
    assert_int_equal(json_type(span_of("true")), JSON_BOOL);
    assert_int_equal(json_type(span_of("false")), JSON_BOOL);
    assert_int_equal(json_type(span_of("-1")), JSON_NUMBER);
    assert_int_equal(json_type(span_of("7")), JSON_NUMBER);
    assert_int_equal(json_type(span_of("\"\"")), JSON_STRING);
    assert_int_equal(json_type(span_of(" []")), JSON_ARRAY);
    assert_int_equal(json_type(span_of("\n{}")), JSON_OBJECT);
    assert_string_equal(json_type_name(JSON_NULL), "null");
    assert_string_equal(json_type_name(JSON_BOOL), "a boolean");
    assert_string_equal(json_type_name(JSON_NUMBER), "a number");
    assert_string_equal(json_type_name(JSON_STRING), "a string");
    assert_string_equal(json_type_name(JSON_ARRAY), "an array");
    assert_string_equal(json_type_name(JSON_OBJECT), "an object");
}

/* "key=value;" for each member, "value;" for each element. */
static void assert_walk(const char *text, const char *want)
{
    struct span copy = exact(span_of(text));
    struct json_walk members = json_walk(copy), elements = json_walk(copy);
    struct span key, value;
    struct buf seen = {0};

    buf_text(&seen, "");
    while (json_next_member(&members, &key, &value))
        buf_printf(&seen, "%.*s=%.*s;", (int)key.len, key.at, (int)value.len, value.at);
    while (json_next_element(&elements, &value))
        buf_printf(&seen, "%.*s;", (int)value.len, value.at);
    assert_string_equal(seen.at, want);
    assert_false(json_next_member(&members, &key, &value));
    assert_false(json_next_element(&elements, &value));
    buf_fini(&seen);
    free((char *)copy.at);
}

static void walks_hand_out_the_very_bytes(void **state)
{
    (void)state;
    assert_walk("{}", "");
    assert_walk("[]", "");
    assert_walk(" { } ", "");
    assert_walk(" [ ] ", "");
    assert_walk("{\"a\":1}", "\"a\"=1;");
    assert_walk(" { \"a\" : 1 , \"b\" : [ 2 ] } ", "\"a\"=1;\"b\"=[ 2 ];");
    assert_walk("[1,-0.0,18446744073709551615]", "1;-0.0;18446744073709551615;");
    assert_walk(" [ 1 , \"x\" , {} ] ", "1;\"x\";{};");
    assert_walk("{\"\":null,\"\":true}", "\"\"=null;\"\"=true;");
    assert_walk("[\"]\",\"[\",\"\\\"]\",\"\\\\\"]", "\"]\";\"[\";\"\\\"]\";\"\\\\\";");
    assert_walk("[[1,[2]],{\"a\":[{\"}\":\"]\"}]},3]", "[1,[2]];{\"a\":[{\"}\":\"]\"}]};3;");
    assert_walk("{\"\\ud83d\\ude00\":\"\xf0\x9f\x98\x80\\/\"}",
                "\"\\ud83d\\ude00\"=\"\xf0\x9f\x98\x80\\/\";");
    assert_walk("{\"a\\\"b\":1e5\n,\"c\":false\t}", "\"a\\\"b\"=1e5;\"c\"=false;");
}

static void a_walk_over_a_scalar_ends_at_once(void **state)
{
    (void)state;
    static const char *const texts[] = {"1", "\"{\"", "\"[1]\"", "null", "true", "\",\""};

    for (size_t i = 0; i < COUNT(texts); i++)
        assert_walk(texts[i], "");
}

static void a_walk_of_the_wrong_kind_ends_at_once(void **state)
{
    (void)state;
    struct span key, value;
    struct json_walk w = json_walk(span_of("[\"a\",1]"));

    assert_false(json_next_member(&w, &key, &value));
    assert_false(json_next_element(&w, &value));
    w = json_walk(span_of("{\"a\":1}"));
    assert_false(json_next_element(&w, &value));
    assert_false(json_next_member(&w, &key, &value));
}

static void members_are_found_by_decoded_name(void **state)
{
    (void)state;
    struct span object = span_of(" {\"a\":1,\"\\u0062\":{\"c\":[2]},\"a\":3,\"\":4,\"a.b\":5,"
                                 "\"n\\u0000ul\":6} ");
    struct span value = {"untouched", 9};

    assert_true(json_get(object, "a", &value));
    assert_span(value, "3");
    assert_true(json_get(object, "b", &value));
    assert_span(value, "{\"c\":[2]}");
    assert_true(json_get(object, "", &value));
    assert_span(value, "4");
    assert_true(json_get(object, "a.b", &value));
    assert_span(value, "5");
    assert_false(json_get(object, "n", &value));
    assert_false(json_get(object, "c", &value));
    assert_false(json_get(object, "aa", &value));
    assert_span(value, "5");
    assert_false(json_get(span_of("[\"a\"]"), "a", &value));
    assert_false(json_get(span_of("\"a\""), "a", &value));
}

static void paths_lead_through_objects(void **state)
{
    (void)state;
    struct span object = span_of("{\"data\":{\"task\":{\"id\":\"t1\"},\"task\":{\"id\":\"t2\"},"
                                 "\"n\":1,\"\":{\"\":2}}}");
    struct span value = {"untouched", 9};

    assert_true(json_find(object, "data.task.id", &value));
    assert_span(value, "\"t2\"");
    assert_true(json_find(object, "data.n", &value));
    assert_span(value, "1");
    assert_true(json_find(object, "data..", &value));
    assert_span(value, "2");
    assert_false(json_find(object, "data.n.x", &value));
    assert_true(json_find(object, "data.", &value));
    assert_span(value, "{\"\":2}");
    assert_false(json_find(object, "", &value));
    assert_false(json_find(object, "task", &value));
    assert_false(json_find(object, "data.task.id.x", &value));
}

static void assert_decodes(const char *encoded, const char *want, size_t len)
{
    struct span copy = exact(span_of(encoded));
    struct buf out = {0};

    buf_text(&out, "<");
    json_decode(copy, &out);
    assert_int_equal(out.len, len + 1);
    assert_memory_equal(out.at + 1, want, len);
    if (!memchr(want, '\0', len))
        assert_true(json_string_is(copy, want));
    buf_fini(&out);
    free((char *)copy.at);
}

static void strings_decode(void **state)
{
    (void)state;
    assert_decodes("\"\"", "", 0);
    assert_decodes("\"plain\"", "plain", 5);
    assert_decodes("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8);
    assert_decodes("\"a\\nb\\n\"", "a\nb\n", 4);
    assert_decodes("\"\\u0041\\u00e4\\u00E4\\u20ac\"", "A\xc3\xa4\xc3\xa4\xe2\x82\xac", 8);
    assert_decodes("\"\\u007f\\u0080\\u07ff\\u0800\\uffff\"",
                   "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf", 11);
    assert_decodes("\"x\\u0000y\"", "x\0y", 3);
    assert_decodes("\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80", 4);
    assert_decodes("\"\\uD800\\uDC00\\uDBFF\\uDFFF\"", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8);
    assert_decodes("\"\xf0\x9f\x98\x80\"", "\xf0\x9f\x98\x80", 4);
}

static void lone_surrogates_become_the_replacement(void **state)
{
    (void)state;
#define BAD "\xef\xbf\xbd"
    assert_decodes("\"\\ud800\"", BAD, 3);
    assert_decodes("\"\\udc00\"", BAD, 3);
    assert_decodes("\"\\ud800x\"", BAD "x", 4);
    assert_decodes("\"\\ud800\\n\"", BAD "\n", 4);
    assert_decodes("\"\\ud800\\u0041\"", BAD "A", 4);
    assert_decodes("\"\\ud800\\ud800\\udc00\"", BAD "\xf0\x90\x80\x80", 7);
    assert_decodes("\"\\udc00\\ud800\"", BAD BAD, 6);
    assert_decodes("\"\\ud800\\\\dc00\"", BAD "\\dc00", 8);
#undef BAD
}

static void strings_compare_decoded(void **state)
{
    (void)state;
    assert_true(json_string_is(span_of("\"\""), ""));
    assert_false(json_string_is(span_of("\"\""), "a"));
    assert_false(json_string_is(span_of("\"a\""), ""));
    assert_false(json_string_is(span_of("\"ab\""), "a"));
    assert_false(json_string_is(span_of("\"a\""), "ab"));
    assert_true(json_string_is(span_of("\"\\u0061b\\u0063\""), "abc"));
    assert_false(json_string_is(span_of("\"\\u0061b\\u0063\""), "abd"));
    assert_false(json_string_is(span_of("\"a\\n\""), "an"));
    assert_false(json_string_is(span_of("\"a\\n\""), "a"));
    assert_false(json_string_is(span_of("\"a\\u0000\""), "a"));
    assert_false(json_string_is(span_of("\"\\u00e4\""), "\xc3"));
}

static void integers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {
        {"0", 0},
        {"-0", 0},
        {"42", 42},
        {" 42 ", 42},
        {"-7", -7},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
    };
    static const char *const bad[] = {"1.0",
                                      "1e0",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "1E2",
                                      "null",
                                      "\"1\"",
                                      "[1]",
                                      "{}",
                                      "true",
                                      "0.0",
                                      "1e-400",
                                      "18446744073709551616"};
    int64_t got = -5;

    for (size_t i = 0; i < COUNT(good); i++) {
        assert_int_equal(json_int(span_of(good[i].text), &got), 0);
        assert_true(got == good[i].value);
    }
    got = -5;
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(json_int(span_of(bad[i]), &got), -1);
    assert_int_equal(got, -5);
}

static void assert_encodes(const char *text, size_t len, const char *want)
{
    struct span copy = exact((struct span){text, len});
    struct buf out = {0};

    json_encode(&out, copy);
    assert_string_equal(out.at, want);
    assert_accepts(buf_span(&out));
    buf_fini(&out);
    free((char *)copy.at);
}

static void texts_encode(void **state)
{
    (void)state;
    assert_encodes("", 0, "\"\"");
    assert_encodes("plain text, longer than a word", 30, "\"plain text, longer than a word\"");
    assert_encodes("\"\\/\b\f\n\r\t", 8, "\"\\\"\\\\/\\b\\f\\n\\r\\t\"");
    assert_encodes("\0\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\x7f\"");
    assert_encodes("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9,
                   "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
    assert_encodes("a\xff"
                   "b",
                   3,
                   "\"a\xef\xbf\xbd"
                   "b\"");
    assert_encodes("\xc3", 1, "\"\xef\xbf\xbd\"");
    assert_encodes("\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_encodes("eight..\xc3\xa4nine", 13, "\"eight..\xc3\xa4nine\"");
}

static void every_character_survives_the_round_trip(void **state)
{
    (void)state;
    struct buf text = {0}, encoded = {0}, back = {0};

    for (unsigned code = 0; code <= 0xff; code++) {
        if (code < 0x80)
            buf_char(&text, (char)code);
        else
            buf_add(&text, (char[]){(char)(0xc0 | code >> 6), (char)(0x80 | (code & 0x3f))}, 2);
    }
    json_encode(&encoded, buf_span(&text));
    assert_accepts(buf_span(&encoded));
    json_decode(buf_span(&encoded), &back);
    assert_true(span_equal(buf_span(&text), buf_span(&back)));
    buf_fini(&text);
    buf_fini(&encoded);
    buf_fini(&back);
}

static void assert_compacts(const char *text, const char *want)
{
    struct span copy = exact(span_of(text));
    struct buf out = {0};

    json_compact(&out, copy);
    assert_string_equal(out.at, want);
    buf_fini(&out);
    free((char *)copy.at);
}

static void compacting_drops_space_between_tokens(void **state)
{
    (void)state;
    assert_compacts("1", "1");
    assert_compacts(" 1 ", "1");
    assert_compacts(" { \"a\" : [ 1 ,\n\t2 ] , \"b c\" : \" d \\\" e \" }\r\n",
                    "{\"a\":[1,2],\"b c\":\" d \\\" e \"}");
    assert_compacts("[-0.0, 1E400, 18446744073709551615, \"\\u0041\\/\"]",
                    "[-0.0,1E400,18446744073709551615,\"\\u0041\\/\"]");
    assert_compacts("{\"a\":1,\"a\":2}", "{\"a\":1,\"a\":2}");
    assert_compacts("\" \\\\\" ", "\" \\\\\"");
    assert_compacts(" [ ] ", "[]");
}

static void assert_written(struct json *document, const char *want)
{
    struct buf out = {0};

    json_write(document, &out);
    assert_string_equal(out.at, want);
    assert_accepts(buf_span(&out));
    buf_fini(&out);
    json_free(document);
}

static void documents_are_written_on_one_line(void **state)
{
    (void)state;
    struct json *root = json_new_object();

    json_add_text(root, "text", "a \"b\"\n");
    json_add_bool(root, "yes", true);
    json_add_bool(root, "no", false);
    json_add_null(root, "none");
    json_add_raw(root, "raw", span_of(" {\"n\": 18446744073709551615,\n \"s\": \"a b\"} "));
    struct json *inner = json_add_object(root, "inner");
    json_add_text(inner, "k\"ey", "");
    struct json *list = json_add_array(root, "list");
    json_push_span(list, span_of("x"));
    struct json *element = json_new_object();
    json_add_number(element, "n", 1);
    json_push(list, element);
    json_push(list, json_new_array());
    assert_written(root, "{\"text\":\"a \\\"b\\\"\\n\",\"yes\":true,\"no\":false,\"none\":null,"
                         "\"raw\":{\"n\":18446744073709551615,\"s\":\"a b\"},"
                         "\"inner\":{\"k\\\"ey\":\"\"},\"list\":[\"x\",{\"n\":1},[]]}");
    assert_written(json_new_array(), "[]");
    assert_written(json_new_object(), "{}");
}

static void added_spans_may_hold_any_bytes(void **state)
{
    (void)state;
    struct json *root = json_new_object();

    json_add_span(root, "part", (struct span){"abcdef", 3});
    json_add_span(root, "nul", (struct span){"a\0b", 3});
    json_add_span(root, "bad",
                  (struct span){"a\xff"
                                "b",
                                3});
    json_add_span(root, "none", (struct span){NULL, 0});
    json_add_text(root, "text", "\xc3");
    assert_written(root, "{\"part\":\"abc\",\"nul\":\"a\\u0000b\",\"bad\":\"a\xef\xbf\xbd"
                         "b\","
                         "\"none\":\"\",\"text\":\"\xef\xbf\xbd\"}");
}

static void numbers_are_written_as_people_write_them(void **state)
{
    (void)state;
    static const struct {
        double number;
        const char *want;
    } cases[] = {
        {0, "{\"n\":0}"},
        {1, "{\"n\":1}"},
        {-42, "{\"n\":-42}"},
        {1763660000000, "{\"n\":1763660000000}"},
        {1e15, "{\"n\":1000000000000000}"},
        {9007199254740991.0, "{\"n\":9007199254740991}"},
        {9007199254740992.0, "{\"n\":9007199254740992}"},
        {-9007199254740992.0, "{\"n\":-9007199254740992}"},
        {1e300, "{\"n\":1e+300}"},
        {0.5, "{\"n\":0.5}"},
        {0.1, "{\"n\":0.1}"},
        {0.1 + 0.2, "{\"n\":0.30000000000000004}"},
        {1.0 / 3, "{\"n\":0.3333333333333333}"},
        {5e-324, "{\"n\":4.94065645841247e-324}"},
        {INFINITY, "{\"n\":null}"},
        {-INFINITY, "{\"n\":null}"},
        {NAN, "{\"n\":null}"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct json *root = json_new_object();
        json_add_number(root, "n", cases[i].number);
        assert_written(root, cases[i].want);
    }
}

static void pretty_documents_are_indented(void **state)
{
    (void)state;
    struct json *root = json_new_object();
    struct buf out = {0};

    json_add_text(root, "a", "x: {[,]}");
    json_add_array(root, "empty");
    json_add_object(root, "none");
    json_add_raw(root, "raw", span_of("[1, {\"b\": \"\\\"\"}]"));
    json_write_pretty(root, &out);
    assert_string_equal(out.at, "{\n"
                                "  \"a\": \"x: {[,]}\",\n"
                                "  \"empty\": [],\n"
                                "  \"none\": {},\n"
                                "  \"raw\": [\n"
                                "    1,\n"
                                "    {\n"
                                "      \"b\": \"\\\"\"\n"
                                "    }\n"
                                "  ]\n"
                                "}");
    buf_fini(&out);
    json_free(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_json),
        cmocka_unit_test(what_is_no_json),
        cmocka_unit_test(no_byte_below_space_stands_in_a_string),
        cmocka_unit_test(a_nul_is_no_white_space),
        cmocka_unit_test(every_byte_counts),
        cmocka_unit_test(nesting_is_limited),
        cmocka_unit_test(brackets_match_at_every_level),
        cmocka_unit_test(faults_say_where_and_what),
        cmocka_unit_test(places_count_lines_and_columns),
        cmocka_unit_test(trimming_and_types),
        cmocka_unit_test(walks_hand_out_the_very_bytes),
        cmocka_unit_test(a_walk_over_a_scalar_ends_at_once),
        cmocka_unit_test(a_walk_of_the_wrong_kind_ends_at_once),
        cmocka_unit_test(members_are_found_by_decoded_name),
        cmocka_unit_test(paths_lead_through_objects),
        cmocka_unit_test(strings_decode),
        cmocka_unit_test(lone_surrogates_become_the_replacement),
        cmocka_unit_test(strings_compare_decoded),
        cmocka_unit_test(integers),
        cmocka_unit_test(texts_encode),
        cmocka_unit_test(every_character_survives_the_round_trip),
        cmocka_unit_test(compacting_drops_space_between_tokens),
        cmocka_unit_test(documents_are_written_on_one_line),
        cmocka_unit_test(added_spans_may_hold_any_bytes),
        cmocka_unit_test(numbers_are_written_as_people_write_them),
        cmocka_unit_test(pretty_documents_are_indented),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
