/* A catalog as an AsyncAPI document: what is where in it. That its own parser takes it is in
 * collab-catalog.bats. */
#include "asyncapi.h"
#include "catalog_file.h"
#include "json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct buf text;

static void write_document(const char *catalog)
{
    struct fault f;
    struct catalog *c = catalog_parse(span_of(catalog), "c.json", &f);

    if (!c)
        fail_msg("%s", f.text);
    buf_clear(&text);
    asyncapi_write(c, &text);
    catalog_unref(c);
    assert_int_equal(json_check(buf_span(&text), &f), 0);
}

static int tear_down(void **state)
{
    (void)state;
    buf_fini(&text);
    return 0;
}

/* The value within an object, by the names that lead to it (NULL-terminated); empty: none. */
static struct span find(const char *const *names)
{
    struct span at = json_trim(buf_span(&text));

    for (; *names && at.len; names++)
        if (json_type(at) != JSON_OBJECT || !json_get(at, *names, &at))
            at = (struct span){0};
    return at;
}
#define FIND(...) find((const char *const[]){__VA_ARGS__, NULL})

/* Compared without the white space that makes it readable. */
static void assert_json(struct span value, const char *wanted)
{
    struct buf compact = {0};

    json_compact(&compact, value);
    assert_string_equal(compact.at ? compact.at : "", wanted);
    buf_fini(&compact);
}

static size_t count(struct span array)
{
    struct json_walk w = json_walk(array);
    struct span one;
    size_t n = 0;

    while (json_next_element(&w, &one))
        n++;
    return n;
}

static void the_head_and_the_channel(void **state)
{
    (void)state;
    write_document("{\"name\":\"small\",\"about\":\"A small one.\","
                   "\"endpoints\":{\"websocket\":[\"/first\",\"/second\"]}}");
    assert_json(FIND("asyncapi"), "\"3.0.0\"");
    assert_json(FIND("info", "title"), "\"small\"");
    assert_json(FIND("info", "description"), "\"A small one.\"");
    assert_int_equal(FIND("info", "version").len, 14);
    assert_json(FIND("channels", "websocket", "address"), "\"/first\"");
    assert_json(FIND("operations", "sendEvents", "action"), "\"send\"");
    assert_json(FIND("operations", "receiveMessages", "action"), "\"receive\"");
    assert_json(FIND("operations", "sendEvents", "channel", "$ref"), "\"#/channels/websocket\"");

    write_document("{\"endpoints\":{\"websocket\":[]}}");
    assert_json(FIND("channels", "websocket", "address"), "null");
}

static void an_event_in_the_names_of_the_envelope(void **state)
{
    static const char *const payload[] = {"components", "messages",   "event.1.task_moved",
                                          "payload",    "properties", NULL};

    (void)state;
    write_document("{\"rooms\":{\"task:{t}\":{}},\"envelope\":{\"data\":\"payload\",\"id\":null},"
                   "\"events\":{\"task:moved\":{\"about\":\"It moved.\",\"need\":{\"t\":\"uuid\"},"
                   "\"may\":{\"how\":[\"up\",\"down\"],\"at.x\":\"number\"},\"to\":\"task:{t}\","
                   "\"entity\":\"task:{t}\",\"version\":\"next\"},\"f:*\":{}}}");
    assert_json(FIND("components", "messages", "event.1.task_moved", "summary"), "\"It moved.\"");
    assert_json(FIND("components", "messages", "event.1.task_moved", "payload", "required"),
                "[\"type\"]");
    struct span properties = find(payload), value;
    assert_false(json_get(properties, "id", &value));
    assert_false(json_get(properties, "data", &value));
    assert_true(json_get(properties, "version", &value));
    assert_true(json_get(properties, "type", &value));
    assert_json(value, "{\"const\":\"task:moved\"}");
    assert_true(json_get(properties, "payload", &value));
    assert_json(value, "{\"type\":\"object\",\"properties\":{"
                       "\"t\":{\"type\":\"string\",\"format\":\"uuid\"},"
                       "\"how\":{\"enum\":[\"up\",\"down\"]},"
                       "\"at\":{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"number\"}}}},"
                       "\"required\":[\"t\"]}");
    assert_json(FIND("components", "messages", "event.2.f__", "payload", "properties", "type"),
                "{\"type\":\"string\"}");
    assert_false(
        FIND("components", "messages", "event.2.f__", "payload", "properties", "version").len);
}

/* Each message stands once in the channel and once in one operation. */
static void messages_of_clients(void **state)
{
    struct span requests;

    (void)state;
    write_document("{\"rooms\":{\"task:{t}\":{}},\"messages\":{\"go in\":{\"action\":\"join\","
                   "\"need\":[\"t\"],\"rooms\":\"task:{t}\"}}}");
    assert_json(FIND("components", "messages", "message.1.go_in", "name"), "\"go in\"");
    assert_json(FIND("channels", "websocket", "messages", "message.1.go_in", "$ref"),
                "\"#/components/messages/message.1.go_in\"");
    assert_json(FIND("components", "messages", "message.1.go_in", "payload", "properties", "data",
                     "required"),
                "[\"t\"]");
    requests = FIND("operations", "receiveMessages", "messages");
    assert_int_equal(count(FIND("operations", "sendEvents", "messages")), 0);
    struct json_walk w = json_walk(FIND("components", "messages"));
    struct span name, value;
    size_t all = 0;
    while (json_next_member(&w, &name, &value))
        all++;
    assert_int_equal(count(requests), all);
    assert_true(all > 1); /* the protocol's own are among them */
}

int main(void)
{
#define T(test) cmocka_unit_test_teardown(test, tear_down)
    const struct CMUnitTest tests[] = {
        T(the_head_and_the_channel),
        T(an_event_in_the_names_of_the_envelope),
        T(messages_of_clients),
    };
    return cmocka_run_group_tests_name("asyncapi", tests, NULL, NULL);
}
