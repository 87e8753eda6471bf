#include "event.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define WHOLE                                                                                      \
    "{\"id\":\"1763660000000-42\",\"type\":\"task:moved\",\"room\":\"project:p1\","                \
    "\"rooms\":[\"task:t1\",\"project:p1\"],\"user\":\"u1\",\"time\":\"2026-11-20T18:00:00."       \
    "123Z\","                                                                                      \
    "\"version\":4,\"data\":{\"n\":18446744073709551615,\"s\":\"\\ud83d\\ude00 a\",\"z\":-0.0}}"

static void assert_span(struct span s, const char *text)
{
    assert_int_equal(s.len, strlen(text));
    assert_memory_equal(s.at, text, s.len);
}

static void parse(struct event *e, const char *json)
{
    struct fault f = {""};

    if (event_parse(e, span_of(json), true, &f) != 0)
        fail_msg("%s: %s", json, f.text);
}

static void every_field_is_found(void **state)
{
    struct event e;

    (void)state;
    parse(&e, WHOLE);
    assert_span(e.id, "1763660000000-42");
    assert_span(e.type, "task:moved");
    assert_span(e.room, "project:p1");
    assert_int_equal(e.room_count, 2);
    assert_span(e.rooms[0], "task:t1");
    assert_span(e.rooms[1], "project:p1");
    assert_span(e.user, "u1");
    assert_span(e.time, "2026-11-20T18:00:00.123Z");
    assert_int_equal(e.version, 4);
    assert_span(e.data, "{\"n\":18446744073709551615,\"s\":\"\\ud83d\\ude00 a\",\"z\":-0.0}");
    assert_int_equal(event_room_index(&e), 1);
}

static void a_type_is_enough(void **state)
{
    struct event e;

    (void)state;
    parse(&e, " { \"type\" : \"a\" } ");
    assert_span(e.type, "a");
    assert_int_equal(e.id.len + e.room.len + e.user.len + e.time.len + e.data.len, 0);
    assert_int_equal(e.room_count, 0);
    assert_int_equal(e.version, -1);
    assert_int_equal(event_room_index(&e), 0);
}

static void one_room_is_all_rooms(void **state)
{
    struct event e;

    (void)state;
    parse(&e, "{\"type\":\"a\",\"room\":\"k:1\"}");
    assert_int_equal(e.room_count, 1);
    assert_span(e.rooms[0], "k:1");
}

static void rooms_need_no_room(void **state)
{
    struct event e;

    (void)state;
    parse(&e, "{\"rooms\":[\"k:1\",\"k:2\"],\"type\":\"a\"}");
    assert_int_equal(e.room.len, 0);
    assert_int_equal(e.room_count, 2);
}

/* The type is one letter so many times, each written as an escape. */
static void add_escaped(struct buf *json, int letters)
{
    buf_clear(json);
    buf_text(json, "{\"us\\u0065r\":\"\\u0022\",\"type\":\"");
    while (letters-- > 0)
        buf_text(json, "\\u0061");
    buf_text(json, "\"}");
}

static void escapes_count_as_what_they_mean(void **state)
{
    struct event e;
    struct fault f;
    struct buf json = {0};

    (void)state;
    add_escaped(&json, EVENT_TYPE_BYTES_MAX);
    parse(&e, json.at);
    assert_int_equal(e.type.len, 6 * EVENT_TYPE_BYTES_MAX);
    assert_span(e.user, "\\u0022");
    add_escaped(&json, EVENT_TYPE_BYTES_MAX + 1);
    assert_int_equal(event_parse(&e, buf_span(&json), true, &f), -1);
    assert_string_equal(f.text, "type: must be a string of 1 to 128 bytes, found one of 129");
    buf_fini(&json);
}

#define ROOMS_16                                                                                   \
    "\"k:1\",\"k:2\",\"k:3\",\"k:4\",\"k:5\",\"k:6\",\"k:7\",\"k:8\","                             \
    "\"k:9\",\"k:10\",\"k:11\",\"k:12\",\"k:13\",\"k:14\",\"k:15\",\"k:16\""

static const char *const faults[][2] = {
    {"", "column 1: expected a value, found the end"},
    {"{\"type\":\"a\"", "column 12: expected ',' or '}', found the end"},
    {"{\"type\":\"a\"} x", "column 14: expected the end, found \"x\""},
    {"[]", "an event must be an object, found an array"},
    {"null", "an event must be an object, found null"},
    {"{}", "type: missing"},
    {"{\"room\":\"k:1\"}", "type: missing"},
    {"{\"type\":5}", "type: must be a string of 1 to 128 bytes, found a number"},
    {"{\"type\":null}", "type: must be a string of 1 to 128 bytes, found null"},
    {"{\"type\":\"\"}", "type: must be a string of 1 to 128 bytes, found one of 0"},
    {"{\"type\":\"a\\nb\"}", "type: must hold no control characters"},
    {"{\"type\":\"a\\u0000\"}", "type: must hold no control characters"},
    {"{\"type\":\"a\x7f\"}", "type: must hold no control characters"},
    {"{\"type\":\"\\u0085\"}", "type: must hold no control characters"},
    {"{\"type\":\"a\",\"type\":\"b\"}", "type: given twice"},
    {"{\"type\":\"a\",\"ty\\u0070e\":\"b\"}", "type: given twice"},
    {"{\"type\":\"a\",\"room\":7}", "room: must be the name of a room, found a number"},
    {"{\"type\":\"a\",\"room\":\"\"}", "room \"\": is empty"},
    {"{\"type\":\"a\",\"room\":\"k:\\u0061\"}",
     "room \"k:\\\\u0061\": only letters, digits and . _ ~ @ - may stand between the colons"},
    {"{\"type\":\"a\",\"room\":\"k:*\"}", "room \"k:*\": a pattern where a room is asked for"},
    {"{\"type\":\"a\",\"rooms\":\"k:1\"}", "rooms: must be an array, found a string"},
    {"{\"type\":\"a\",\"rooms\":[]}", "rooms: must hold 1 to 16 rooms, found none"},
    {"{\"type\":\"a\",\"rooms\":[\"k:1\",null]}", "rooms: must be the name of a room, found null"},
    {"{\"type\":\"a\",\"rooms\":[\"k:1\",\"k\"]}", "room \"k\": must be kind:id or longer"},
    {"{\"type\":\"a\",\"rooms\":[\"k:1\",\"k:2\",\"k:1\"]}", "rooms: room \"k:1\": given twice"},
    {"{\"type\":\"a\",\"rooms\":[" ROOMS_16 ",\"k:17\"]}", "rooms: more than 16"},
    {"{\"type\":\"a\",\"room\":\"k:3\",\"rooms\":[\"k:1\",\"k:2\"]}",
     "room \"k:3\": is not among rooms"},
    {"{\"type\":\"a\",\"user\":7}", "user: must be a string of 0 to 200 bytes, found a number"},
    {"{\"type\":\"a\",\"user\":\"\\t\"}", "user: must hold no control characters"},
    {"{\"type\":\"a\",\"time\":\"yesterday\"}",
     "time: must be a string such as 2026-11-20T18:00:00.123Z (RFC 3339)"},
    {"{\"type\":\"a\",\"time\":1763660000}",
     "time: must be a string such as 2026-11-20T18:00:00.123Z (RFC 3339)"},
    {"{\"type\":\"a\",\"version\":-1}", "version: must be a whole number from 0 on, found -1"},
    {"{\"type\":\"a\",\"version\":1.0}", "version: must be a whole number from 0 on, found 1.0"},
    {"{\"type\":\"a\",\"version\":9223372036854775808}",
     "version: must be a whole number from 0 on, found 9223372036854775808"},
    {"{\"type\":\"a\",\"version\":\"4\"}",
     "version: must be a whole number from 0 on, found a string"},
    {"{\"tpye\":\"a\"}", "unknown field \"tpye\" (did you mean type?)"},
    {"{\"typ\":\"a\"}", "unknown field \"typ\" (did you mean type?)"},
    {"{\"types\":\"a\"}", "unknown field \"types\" (did you mean type?)"},
    {"{\"tybe\":\"a\"}", "unknown field \"tybe\" (did you mean type?)"},
    {"{\"payload\":{}}", "unknown field \"payload\""},
    {"{\"\":1}", "unknown field \"\""},
};

static void faults_name_the_field(void **state)
{
    struct event e;
    struct fault f;

    (void)state;
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        assert_int_equal(event_parse(&e, span_of(faults[i][0]), true, &f), -1);
        assert_string_equal(f.text, faults[i][1]);
    }
}

static void an_id_is_two_numbers(void **state)
{
    static const char *const bad[] = {
        "\"\"",
        "\"1\"",
        "\"1-\"",
        "\"-1\"",
        "\"1-2-3\"",
        "\"a-1\"",
        "\"1-b\"",
        "\"1 -2\"",
        "\"-1-2\"",
        "12",
        "\"123456789012345678901-1\"",
        "\"1-123456789012345678901\"",
    };
    struct event e;
    struct fault f;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct buf json = {0};
        buf_printf(&json, "{\"type\":\"a\",\"id\":%s}", bad[i]);
        assert_int_equal(event_parse(&e, buf_span(&json), true, &f), -1);
        assert_string_equal(f.text,
                            "id: must be a string of two numbers, such as 1763660000000-42");
        buf_fini(&json);
    }
    parse(&e, "{\"type\":\"a\",\"id\":\"0-18446744073709551615\"}");
}

static void as_many_rooms_as_may_be(void **state)
{
    struct event e;

    (void)state;
    parse(&e, "{\"type\":\"a\",\"room\":\"k:16\",\"rooms\":[" ROOMS_16 "]}");
    assert_int_equal(e.room_count, EVENT_ROOMS_MAX);
    assert_int_equal(event_room_index(&e), 15);
}

/* What a newer program writes is passed over; what is known is held to its rule. */
static void not_strict_means_unknown_fields_alone(void **state)
{
    struct event e;
    struct fault f;

    (void)state;
    assert_int_equal(event_parse(&e, span_of("{\"v\":2,\"type\":\"a\",\"x\":{}}"), false, &f), 0);
    assert_span(e.type, "a");
    assert_int_equal(event_parse(&e, span_of("{\"type\":5}"), false, &f), -1);
    assert_int_equal(event_parse(&e, span_of("{\"type\":\"a\",\"type\":\"a\"}"), false, &f), -1);
}

static void assert_format(const struct event *e, const char *line)
{
    struct buf out = {0};

    event_format(e, &out);
    assert_string_equal(out.at, line);
    buf_fini(&out);
}

static void what_was_parsed_is_written(void **state)
{
    struct event e;

    (void)state;
    parse(&e, WHOLE);
    assert_format(&e, WHOLE);
}

static void what_is_empty_is_left_out(void **state)
{
    struct event e = {.type = span_of("a"), .version = -1};

    (void)state;
    assert_format(&e, "{\"type\":\"a\",\"data\":null}");
    e.version = 0;
    e.room = e.rooms[0] = span_of("k:1");
    e.room_count = 1;
    e.data = span_of("0");
    assert_format(&e, "{\"type\":\"a\",\"room\":\"k:1\",\"version\":0,\"data\":0}");
}

static void data_is_compact_and_else_untouched(void **state)
{
    struct event e;

    (void)state;
    parse(&e, "{ \"data\" : { \"b\" : [ 1.0 , 1E2 ] ,\n\t\"a\" : \" \\u00e4 \\/ \" } ,\r\n"
              "\"user\" : \"\\\"\\u00e4\" , \"type\" : \"t\" }");
    assert_format(&e, "{\"type\":\"t\",\"user\":\"\\\"\\u00e4\","
                      "\"data\":{\"b\":[1.0,1E2],\"a\":\" \\u00e4 \\/ \"}}");
}

static void the_copy_of_another_room_differs_in_room_alone(void **state)
{
    struct event e;

    (void)state;
    parse(&e, "{\"type\":\"a\",\"rooms\":[\"k:1\",\"k:2\"]}");
    e.room = e.rooms[1];
    assert_format(&e,
                  "{\"type\":\"a\",\"room\":\"k:2\",\"rooms\":[\"k:1\",\"k:2\"],\"data\":null}");
    e.room = e.rooms[0];
    assert_format(&e,
                  "{\"type\":\"a\",\"room\":\"k:1\",\"rooms\":[\"k:1\",\"k:2\"],\"data\":null}");
}

static void users_are_checked(void **state)
{
    struct fault f;
    char name[EVENT_USER_BYTES_MAX + 1];

    (void)state;
    memset(name, 'u', sizeof(name));
    assert_int_equal(event_check_user((struct span){name, EVENT_USER_BYTES_MAX}, &f), 0);
    assert_int_equal(event_check_user(span_of("J\xc3\xb8rn \"x\""), &f), 0);
    assert_int_equal(event_check_user((struct span){name, sizeof(name)}, &f), -1);
    assert_string_equal(f.text, "must be a string of 1 to 200 bytes, found one of 201");
    assert_int_equal(event_check_user(span_of(""), &f), -1);
    assert_int_equal(event_check_user((struct span){"a\0b", 3}, &f), -1);
    assert_int_equal(event_check_user(span_of("\xff"), &f), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_is_found),
        cmocka_unit_test(a_type_is_enough),
        cmocka_unit_test(one_room_is_all_rooms),
        cmocka_unit_test(rooms_need_no_room),
        cmocka_unit_test(escapes_count_as_what_they_mean),
        cmocka_unit_test(faults_name_the_field),
        cmocka_unit_test(an_id_is_two_numbers),
        cmocka_unit_test(as_many_rooms_as_may_be),
        cmocka_unit_test(not_strict_means_unknown_fields_alone),
        cmocka_unit_test(what_was_parsed_is_written),
        cmocka_unit_test(what_is_empty_is_left_out),
        cmocka_unit_test(data_is_compact_and_else_untouched),
        cmocka_unit_test(the_copy_of_another_room_differs_in_room_alone),
        cmocka_unit_test(users_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
