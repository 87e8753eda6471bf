#include "catalog.h"
#include "catalog_file.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct catalog *parse(const char *text)
{
    struct fault f;
    struct catalog *c = catalog_parse(span_of(text), "c.json", &f);

    if (!c)
        fail_msg("%s", f.text);
    return c;
}

static const char *type_of(const struct catalog *c, const char *type)
{
    const struct catalog_event *e = catalog_event(c, span_of(type));

    return e ? e->type : "none";
}

static void an_event_goes_before_its_family(void **state)
{
    struct catalog *c =
        parse("{\"events\": {\"task:*\": {}, \"task:moved\": {}, \"task:sub:*\": {},"
              " \"a\\\"b\": {}, \"\xc3\xa4\": {}}}");

    (void)state;
    assert_string_equal(type_of(c, "task:moved"), "task:moved");
    assert_string_equal(type_of(c, "task:gone"), "task:*");
    assert_string_equal(type_of(c, "task:"), "task:*");
    assert_string_equal(type_of(c, "task:sub:x"), "task:sub:*");
    assert_string_equal(type_of(c, "task:*"), "task:*");
    assert_string_equal(type_of(c, "task"), "none");
    assert_string_equal(type_of(c, ""), "none");
    catalog_unref(c);
}

static void escapes_make_no_difference(void **state)
{
    struct catalog *c =
        parse("{\"events\": {\"t\\u0061sk\": {}, \"a\\\"b\": {}, \"\xc3\xa4\": {}}}");

    (void)state;
    assert_string_equal(type_of(c, "task"), "task");
    assert_string_equal(type_of(c, "\\u0074ask"), "task");
    assert_string_equal(type_of(c, "a\\\"b"), "a\"b");
    assert_string_equal(type_of(c, "\\u00e4"), "\xc3\xa4");
    assert_string_equal(type_of(c, "\\"), "none");
    assert_string_equal(type_of(c, "a\\x"), "none");
    catalog_unref(c);
}

static void an_unknown_event_is_named(void **state)
{
    struct catalog *c = parse("{\"events\": {\"task:movie\": {}, \"task:moved\": {}}}");
    struct fault f;

    (void)state;
    assert_int_equal(catalog_no_event(c, span_of("task:movd"), &f), -1);
    assert_string_equal(f.text, "no event has the type \"task:movd\" (did you mean task:moved?)");
    assert_int_equal(catalog_no_event(c, span_of("x"), &f), -1);
    assert_string_equal(f.text, "no event has the type \"x\"");
    catalog_unref(c);
}

static void what_is_left_out_is_not_there(void **state)
{
    struct catalog *c =
        parse("{\"rooms\": {\"r:{r}\": {}}, \"events\": {\"typing\": {\"class\": \"signal\"},"
              " \"seen\": {\"class\": \"live\"}, \"x:*\": {}, \"kept\": {}},"
              " \"messages\": {\"type\": {\"action\": \"signal\", \"event\": \"typing\"},"
              " \"seen\": {\"action\": \"presence\"}, \"keep\": {\"action\": \"publish\"}},"
              " \"presence\": {\"online\": \"seen\", \"viewing\": \"seen\"}}");
    struct fault f;

    (void)state;
    assert_int_equal(catalog_leave_out(c, span_of("typing"), &f), 0);
    assert_string_equal(type_of(c, "typing"), "none");
    assert_null(catalog_message(c, span_of("type")));
    catalog_no_event(c, span_of("typing"), &f);
    assert_string_equal(f.text, "no event has the type \"typing\"");
    assert_int_equal(catalog_leave_out(c, span_of("seen"), &f), 0);
    assert_null(c->presence.online);
    assert_null(c->presence.viewing);
    assert_null(catalog_message(c, span_of("seen")));
    assert_int_equal(catalog_leave_out(c, span_of("x:*"), &f), 0);
    assert_string_equal(type_of(c, "x:y"), "none");
    assert_int_equal(catalog_leave_out(c, span_of("keep"), &f), 0);
    assert_null(catalog_message(c, span_of("keep")));
    assert_string_equal(type_of(c, "kept"), "kept");
    assert_int_equal(catalog_leave_out(c, span_of("typing"), &f), -1);
    assert_string_equal(f.text, "no event and no message has the name \"typing\"");
    catalog_unref(c);
}

static void faults_of_data_name_the_event(void **state)
{
    struct catalog *c = parse("{\"rooms\": {\"task:{id}\": {}},"
                              " \"events\": {\"moved\": {\"need\": {\"at\": \"number\"},"
                              " \"to\": \"task:{id}\"}}}");
    const struct catalog_event *e = catalog_event(c, span_of("moved"));
    struct span type = span_of("moved");
    struct route_rooms rooms;
    struct fault f;

    (void)state;
    assert_int_equal(catalog_route(e, type, span_of("{\"at\":1,\"id\":2}"), &rooms, &f), 0);
    assert_int_equal(rooms.count, 1);
    assert_int_equal(catalog_route(e, type, span_of("{\"id\":2}"), &rooms, &f), -1);
    assert_string_equal(f.text, "event \"moved\": data.at: is missing");
    assert_int_equal(catalog_route(e, type, span_of("{\"at\":1}"), &rooms, &f), -1);
    assert_string_equal(f.text,
                        "event \"moved\": data: has not the fields of any of its rooms: task:{id}");
    assert_int_equal(catalog_check(e, type, span_of("{\"at\":1}"), &f), 0);
    assert_int_equal(catalog_check(e, type, span_of("{\"at\":\"\"}"), &f), -1);
    assert_string_equal(f.text, "event \"moved\": data.at: must be a number, not \"\"");
    catalog_unref(c);
}

static void an_entity_is_what_a_version_is_of(void **state)
{
    struct catalog *c =
        parse("{\"events\": {\"moved\": {\"need\": {\"id\": \"id\"}, \"version\": \"next\","
              " \"entity\": \"task:{id}\"}, \"other\": {}}}");
    const struct catalog_event *e = catalog_event(c, span_of("moved"));
    char entity[ROOM_BYTES_MAX];
    struct fault f;

    (void)state;
    assert_int_equal(catalog_entity(e, span_of("{\"id\":\"t1\"}"), entity, &f), 7);
    assert_memory_equal(entity, "task:t1", 7);
    assert_int_equal(catalog_entity(catalog_event(c, span_of("other")), span_of("{}"), entity, &f),
                     0);
    catalog_unref(c);
}

static void the_user_is_put_into_the_data(void **state)
{
    static const char *const rows[][2] = {
        {"", "{\"userId\":\"u\\\"1\"}"},
        {"{}", "{\"userId\":\"u\\\"1\"}"},
        {"{\"a\":1.50,\"b\":[]}", "{\"a\":1.50,\"b\":[],\"userId\":\"u\\\"1\"}"},
        {"{\"userId\":\"x\",\"a\":1,\"us\\u0065rId\":2}", "{\"a\":1,\"userId\":\"u\\\"1\"}"},
        {"[\"userId\"]", "[\"userId\"]"},
    };
    struct catalog *c = parse("{\"events\": {\"said\": {\"user\": \"userId\"}, \"other\": {}}}");

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf out = {0};
        catalog_add_user(catalog_event(c, span_of("said")), span_of(rows[i][0]), span_of("u\"1"),
                         &out);
        assert_string_equal(out.at, rows[i][1]);
        buf_clear(&out);
        catalog_add_user(catalog_event(c, span_of("other")), span_of(rows[i][0]), span_of("u"),
                         &out);
        assert_string_equal(out.at, rows[i][0]);
        buf_fini(&out);
    }
    catalog_unref(c);
}

static void the_most_special_pattern_takes_a_room(void **state)
{
    static const char *const rows[][2] = {
        {"tenant:t1", "tenant:{t}"},
        {"tenant:t1:project:p1", "tenant:{t}:project:{p}"},
        {"tenant:t1:project:main", "tenant:{t}:project:main"},
        {"tenant:t1:audit", "tenant:{t}:*"},
        {"lobby:main", "*"},
    };
    struct catalog *c = parse("{\"rooms\": {\"*\": {}, \"tenant:{t}:*\": {}, \"tenant:{t}\": {},"
                              " \"tenant:{t}:project:{p}\": {}, \"tenant:{t}:project:main\": {}}}");
    struct span captures[SHAPE_SEGMENTS_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(catalog_room(c, span_of(rows[i][0]), NULL)->pattern.text, rows[i][1]);
    catalog_room(c, span_of("tenant:t1:project:p1"), captures);
    assert_true(span_is(captures[0], "t1"));
    assert_true(span_is(captures[1], "p1"));
    catalog_unref(c);

    c = parse("{\"rooms\": {\"tenant:{t}\": {}}}");
    assert_null(catalog_room(c, span_of("lobby:main"), NULL));
    catalog_unref(c);
}

static void members_may_be_found_in_the_parent(void **state)
{
    struct catalog *c = parse("{\"rooms\": {\"tenant:{t}\": {\"join\": \"member\"},"
                              " \"tenant:{t}:project:{p}\": {\"join\": \"member\","
                              " \"parent\": \"tenant:{t}\"}}}");
    struct span room = span_of("tenant:t1:project:p1");
    char parent[ROOM_BYTES_MAX];

    (void)state;
    assert_int_equal(catalog_parent(catalog_room(c, room, NULL), room, parent), 9);
    assert_memory_equal(parent, "tenant:t1", 9);
    room.len = 9;
    assert_int_equal(catalog_parent(catalog_room(c, room, NULL), room, parent), 0);
    catalog_unref(c);
}

static void a_user_has_a_room(void **state)
{
    struct catalog *c = parse("{\"rooms\": {\"user:{userId}:inbox\": {\"join\": \"self\"}}}");
    char room[ROOM_BYTES_MAX];
    struct fault f;

    (void)state;
    assert_int_equal(catalog_own_room(&c->rooms[0], span_of("u1"), room, &f), 13);
    assert_memory_equal(room, "user:u1:inbox", 13);
    assert_int_equal(catalog_own_room(&c->rooms[0], span_of("auth0|5"), room, &f), -1);
    assert_string_equal(f.text,
                        "user \"auth0|5\": only letters, digits and . _ ~ @ - can stand in a room");
    char name[ROOM_BYTES_MAX];
    memset(name, 'u', sizeof(name));
    assert_int_equal(catalog_own_room(&c->rooms[0], (struct span){name, sizeof(name)}, room, &f),
                     -1);
    assert_string_equal(f.text,
                        "user \"uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu\"...: too long for "
                        "a room of 200 bytes");
    catalog_unref(c);
}

static void messages_of_the_protocol_are_always_there(void **state)
{
    struct catalog *c = parse("{\"messages\": {\"ping\": {\"action\": \"close\"}}}");

    (void)state;
    assert_int_equal(catalog_message(c, span_of("subscribe"))->action, CATALOG_JOIN);
    assert_string_equal(catalog_message(c, span_of("subscribe"))->reply, "subscribed");
    assert_int_equal(catalog_message(c, span_of("ping"))->action, CATALOG_CLOSE);
    assert_null(catalog_message(c, span_of("ping"))->reply);
    assert_null(catalog_message(c, span_of("pong")));
    assert_int_equal(c->message_count, 11);
    assert_string_equal(c->messages[0].name, "ping");
    assert_string_equal(c->messages[1].name, "authenticate");
    catalog_unref(c);
}

static void arguments_are_found_by_their_names(void **state)
{
    struct catalog *c = parse("{\"messages\": {\"sync\": {\"action\": \"sync\","
                              " \"arguments\": {\"since\": \"last.id\"}}}}");
    const struct catalog_message *m = catalog_message(c, span_of("sync"));
    struct span data = span_of("{\"since\":1,\"last\":{\"id\":\"7-8\"},\"limit\":null}");
    struct span value;

    (void)state;
    assert_true(catalog_take(m, CATALOG_SINCE, data, &value));
    assert_true(span_is(value, "\"7-8\""));
    assert_false(catalog_take(m, CATALOG_LIMIT, data, &value));
    assert_false(catalog_take(m, CATALOG_ORDER, data, &value));
    assert_false(catalog_take(m, CATALOG_ROOMS, (struct span){0}, &value));
    catalog_unref(c);
}

static void messages_lead_to_rooms(void **state)
{
    struct catalog *c = parse("{\"rooms\": {\"task:{id}\": {}}, \"messages\": {"
                              "\"join\": {\"action\": \"join\", \"rooms\": \"task:{id}\"}}}");
    const struct catalog_message *m = catalog_message(c, span_of("join"));
    struct route_rooms rooms;
    struct fault f;

    (void)state;
    assert_int_equal(catalog_message_route(m, span_of("{\"id\":\"t1\"}"), &rooms, &f), 0);
    assert_int_equal(rooms.count, 1);
    assert_true(span_is(rooms.at[0], "task:t1"));
    assert_int_equal(catalog_message_route(m, span_of("{}"), &rooms, &f), 0);
    assert_int_equal(rooms.count, 0);
    assert_int_equal(catalog_message_route(m, span_of("{\"id\":\"*\"}"), &rooms, &f), -1);
    catalog_unref(c);
}

static void claims_can_be_demanded(void **state)
{
    static const char *const rows[][2] = {
        {"{\"email_verified\":true,\"plan\":\"pro\",\"app\":{\"level\":2}}", ""},
        {"{\"email_verified\":true,\"plan\":\"p\\u0072o\",\"app\":{\"level\":2}}", ""},
        {"{\"email_verified\":false,\"plan\":\"pro\",\"app\":{\"level\":2}}",
         "claim email_verified: must be true"},
        {"{\"email_verified\":\"true\",\"plan\":\"pro\",\"app\":{\"level\":2}}",
         "claim email_verified: must be true"},
        {"{\"plan\":\"pro\",\"app\":{\"level\":2}}", "claim email_verified: is missing"},
        {"{\"email_verified\":true,\"plan\":[\"pro\"],\"app\":{\"level\":2}}",
         "claim plan: must be \"pro\""},
        {"{\"email_verified\":true,\"plan\":\"pro\",\"app\":2}", "claim app.level: is missing"},
        {"{}", "claim email_verified: is missing"},
    };
    struct catalog *c = parse("{\"auth\": {\"claims\": {\"email_verified\": true,"
                              " \"plan\": \"pro\", \"app.level\": 2}}}");

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fault f = {""};
        int result = catalog_check_claims(c, span_of(rows[i][0]), &f);
        assert_string_equal(f.text, rows[i][1]);
        assert_int_equal(result, rows[i][1][0] != '\0' ? -1 : 0);
    }
    catalog_unref(c);
}

/* Nodes tell by it whether they agree. */
static void the_digest_is_of_what_the_text_says(void **state)
{
    struct catalog *a = parse("{\"name\": \"x\"}"), *b = parse("\n{ \"name\" :\"x\" }\n");
    struct catalog *other = parse("{\"name\":\"y\"}");

    (void)state;
    assert_true(span_is(a->text, "{\"name\":\"x\"}"));
    assert_string_equal(a->digest, b->digest);
    assert_string_equal(a->digest,
                        "0229d37e33daae149bf40543a5ce1db4459d10f830d5139279aa2bfd5f6485a1");
    assert_string_not_equal(a->digest, other->digest);
    catalog_unref(a);
    catalog_unref(b);
    catalog_unref(other);
}

static void a_catalog_lives_as_long_as_it_is_used(void **state)
{
    struct catalog *c = parse("{\"name\": \"x\"}");

    (void)state;
    assert_ptr_equal(catalog_ref(c), c);
    catalog_unref(c);
    assert_string_equal(c->name, "x");
    catalog_unref(c);
    catalog_unref(NULL);
}

static void enums_have_words(void **state)
{
    (void)state;
#define X(name, word, reply, rooms, event, arguments)                                              \
    assert_string_equal(catalog_action_word(name), word);
    CATALOG_ACTIONS(X)
#undef X
#define X(name, word) assert_string_equal(catalog_argument_word(name), word);
    CATALOG_ARGUMENTS(X)
#undef X
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_goes_before_its_family),
        cmocka_unit_test(escapes_make_no_difference),
        cmocka_unit_test(an_unknown_event_is_named),
        cmocka_unit_test(what_is_left_out_is_not_there),
        cmocka_unit_test(faults_of_data_name_the_event),
        cmocka_unit_test(an_entity_is_what_a_version_is_of),
        cmocka_unit_test(the_user_is_put_into_the_data),
        cmocka_unit_test(the_most_special_pattern_takes_a_room),
        cmocka_unit_test(members_may_be_found_in_the_parent),
        cmocka_unit_test(a_user_has_a_room),
        cmocka_unit_test(messages_of_the_protocol_are_always_there),
        cmocka_unit_test(arguments_are_found_by_their_names),
        cmocka_unit_test(messages_lead_to_rooms),
        cmocka_unit_test(claims_can_be_demanded),
        cmocka_unit_test(the_digest_is_of_what_the_text_says),
        cmocka_unit_test(a_catalog_lives_as_long_as_it_is_used),
        cmocka_unit_test(enums_have_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
