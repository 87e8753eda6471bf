#include "adapter.h"
#include "json.h"
#include "pack.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_span(struct span s, const char *expected)
{
    assert_int_equal(s.len, strlen(expected));
    assert_memory_equal(s.at, expected, s.len);
}

static void assert_no_event(const char *json, const char *why)
{
    struct adapter_event e;
    struct fault f;

    assert_int_equal(json_check(span_of(json), &f), 0);
    assert_int_equal(adapter_event_parse(span_of(json), &e, &f), -1);
    assert_string_equal(f.text, why);
}

static struct adapter_event event_of(const char *json)
{
    struct adapter_event e;
    struct fault f;

    assert_int_equal(json_check(span_of(json), &f), 0);
    if (adapter_event_parse(span_of(json), &e, &f) != 0)
        fail_msg("%s: %s", json, f.text);
    return e;
}

static struct adapter_request request_of(const char *json)
{
    struct adapter_request r;
    struct fault f;

    assert_int_equal(json_check(span_of(json), &f), 0);
    if (adapter_request_parse(span_of(json), &r, &f) != 0)
        fail_msg("%s: %s", json, f.text);
    return r;
}

static void assert_no_request(const char *json, const char *why)
{
    struct adapter_request r;
    struct fault f;

    assert_int_equal(json_check(span_of(json), &f), 0);
    assert_int_equal(adapter_request_parse(span_of(json), &r, &f), -1);
    assert_string_equal(f.text, why);
}

static void events_are_parsed(void **state)
{
    (void)state;
    struct adapter_event e = event_of(
        "[\"emitter\",{\"type\":2,\"data\":[\"ev\",{\"a\":1}],\"nsp\":\"/admin\"},"
        "{\"rooms\":[\"r1\"],\"flags\":{\"volatile\":true,\"timeout\":7},\"except\":[\"x\"]}]");
    assert_span(e.uid, "emitter");
    assert_span(e.nsp, "/admin");
    assert_span(e.args, "[\"ev\",{\"a\":1}]");
    assert_span(e.to.rooms, "[\"r1\"]");
    assert_span(e.to.except, "[\"x\"]");
    assert_true(e.is_volatile);
    assert_int_equal(e.timeout_ms, 7);

    e = event_of(
        "[\"\",{\"type\":5,\"data\":[7]},{\"rooms\":[],\"except\":null,\"flags\":[]},\"more\"]");
    assert_span(e.nsp, "/");
    assert_int_equal(e.to.rooms.len, 0);
    assert_int_equal(e.to.except.len, 0);
    assert_false(e.is_volatile);
    assert_int_equal(e.timeout_ms, 0);
}

static void what_is_no_event_is_refused(void **state)
{
    const char *const form = "must be a list of the sender, a packet and options";

    (void)state;
    assert_no_event("{}", form);
    assert_no_event("[\"a\",{}]", form);
    assert_no_event("[1,{},{}]", "the sender must be a string");
    assert_no_event("[\"a\",[],{}]", "packet: must be an object");
    assert_no_event("[\"a\",{\"type\":3},{}]", "packet: is no event");
    assert_no_event("[\"a\",{\"type\":2.5},{}]", "packet: is no event");
    assert_no_event("[\"a\",{\"type\":2,\"nsp\":1},{}]", "nsp: must be a string");
    assert_no_event("[\"a\",{\"type\":2},{}]", "data: must be a list");
    assert_no_event("[\"a\",{\"type\":2,\"data\":[]},{}]",
                    "data: must begin with the event's name");
    assert_no_event("[\"a\",{\"type\":2,\"data\":[{}]},{}]",
                    "data: must begin with the event's name");
    assert_no_event("[\"a\",{\"type\":2,\"data\":[\"e\"]},7]", "opts: must be an object");
    assert_no_event("[\"a\",{\"type\":2,\"data\":[\"e\"]},{\"rooms\":\"r\"}]",
                    "rooms: must be a list");
    assert_no_event("[\"a\",{\"type\":2,\"data\":[\"e\"]},{\"except\":{}}]",
                    "except: must be a list");
}

static void requests_are_parsed(void **state)
{
    (void)state;
    struct adapter_request r =
        request_of("{\"uid\":\"u\",\"requestId\":\"q\",\"type\":5,\"opts\":{\"rooms\":[\"a\"]}}");
    assert_int_equal(r.type, ADAPTER_FETCH);
    assert_span(r.uid, "u");
    assert_span(r.id, "\"q\"");
    assert_span(r.to.rooms, "[\"a\"]");

    r = request_of(
        "{\"type\":2,\"opts\":{\"rooms\":[],\"except\":[\"x\"]},\"rooms\":[\"a\",\"b\"]}");
    assert_int_equal(r.type, ADAPTER_JOIN);
    assert_int_equal(r.id.len, 0);
    assert_int_equal(r.to.rooms.len, 0);
    assert_span(r.to.except, "[\"x\"]");
    assert_span(r.names, "[\"a\",\"b\"]");

    r = request_of("{\"type\":3,\"requestId\":\"q\",\"sid\":\"s\",\"room\":\"a\"}");
    assert_span(r.sid, "s");
    assert_span(r.names, "\"a\"");

    r = request_of("{\"type\":4,\"opts\":{\"rooms\":[\"a\"]},\"close\":true}");
    assert_int_equal(r.type, ADAPTER_DISCONNECT);
    assert_true(r.closes);
    r = request_of("{\"type\":4,\"opts\":{},\"close\":false}");
    assert_false(r.closes);
    r = request_of("{\"type\":4,\"sid\":\"s\"}");
    assert_false(r.closes);

    r = request_of("{\"type\":7,\"requestId\":\"q\",\"packet\":{\"type\":2,\"data\":[\"e\"]},"
                   "\"opts\":{\"rooms\":[\"a\"],\"flags\":{\"timeout\":100}}}");
    assert_span(r.event.args, "[\"e\"]");
    assert_int_equal(r.event.timeout_ms, 100);
    request_of("{\"type\":6,\"data\":7}");
    request_of("{\"type\":1}");
}

static void what_is_no_request_is_refused(void **state)
{
    (void)state;
    assert_no_request("[]", "must be an object");
    assert_no_request("{}", "type: no request has that");
    assert_no_request("{\"type\":8}", "type: no request has that");
    assert_no_request("{\"type\":-1}", "type: no request has that");
    assert_no_request("{\"type\":1,\"requestId\":7}", "requestId: must be a string");
    assert_no_request("{\"type\":1,\"uid\":7}", "uid: must be a string");
    assert_no_request("{\"type\":4}", "opts: must be an object");
    assert_no_request("{\"type\":4,\"sid\":[]}", "sid: must be a string");
    assert_no_request("{\"type\":5}", "opts: must be an object");
    assert_no_request("{\"type\":7}", "packet: must be an object");
}

static void messages_are_json_or_packed(void **state)
{
    struct buf text = {0}, packed = {0};
    struct fault f;

    (void)state;
    assert_int_equal(adapter_read(span_of("{\"a\":1} "), &text, &f), 0);
    assert_string_equal(text.at, "{\"a\":1}");
    assert_int_equal(adapter_read(span_of("{\"a\":1"), &text, &f), -1);
    assert_int_equal(adapter_read(span_of(""), &text, &f), -1);
    pack_write(span_of("[1]"), &packed);
    buf_clear(&text);
    assert_int_equal(adapter_read(buf_span(&packed), &text, &f), 0);
    assert_string_equal(text.at, "[1]");
    buf_fini(&packed);
    buf_room(&packed, ADAPTER_BYTES_MAX + 1);
    memset(packed.at, 0, ADAPTER_BYTES_MAX + 1);
    packed.len = ADAPTER_BYTES_MAX + 1;
    assert_int_equal(adapter_read(buf_span(&packed), &text, &f), -1);
    assert_string_equal(f.text, "longer than 16777216 bytes");
    buf_fini(&packed);
    buf_fini(&text);
}

static void assert_written(const struct event *e, bool meta, const char *nsp, const char *expected)
{
    struct buf note = {0}, message = {0}, text = {0};
    struct fault f;

    adapter_event_note(e, meta, &note);
    adapter_event_write(buf_span(&note), span_of(nsp), &message);
    assert_int_equal(pack_read(buf_span(&message), &text, &f), 0);
    assert_string_equal(text.at, expected);
    buf_fini(&note);
    buf_fini(&message);
    buf_fini(&text);
}

static void events_are_written(void **state)
{
    struct event e = {.type = span_of("t"),
                      .rooms = {span_of("a:1")},
                      .room_count = 1,
                      .version = 2,
                      .user = span_of("ann"),
                      .data = span_of("{\"n\":1}")};
    struct buf note = {0};

    (void)state;
    assert_written(&e, false, "/",
                   "[\"collab\",{\"type\":2,\"data\":[\"t\",{\"n\":1}],\"nsp\":\"/\"},"
                   "{\"rooms\":[\"a:1\"],\"except\":[],\"flags\":{}}]");
    assert_written(&e, true, "/x",
                   "[\"collab\",{\"type\":2,\"data\":[\"t\",{\"n\":1},{\"room\":\"a:1\","
                   "\"user\":\"ann\",\"version\":2}],\"nsp\":\"/x\"},"
                   "{\"rooms\":[\"a:1\"],\"except\":[],\"flags\":{}}]");
    adapter_event_note(&e, false, &note);
    assert_span(adapter_event_room(buf_span(&note)), "a:1");
    e.rooms[e.room_count++] = span_of("b:2");
    e.data = (struct span){0};
    assert_written(&e, false, "/",
                   "[\"collab\",{\"type\":2,\"data\":[\"t\",null],\"nsp\":\"/\"},"
                   "{\"rooms\":[\"a:1\",\"b:2\"],\"except\":[],\"flags\":{}}]");
    buf_clear(&note);
    adapter_event_note(&e, false, &note);
    assert_int_equal(adapter_event_room(buf_span(&note)).len, 0);
    e.type = span_of("disconnect");
    buf_clear(&note);
    adapter_event_note(&e, false, &note);
    assert_int_equal(note.len, 0);
    buf_fini(&note);
}

static void acknowledgements_are_written(void **state)
{
    struct buf message = {0}, text = {0};
    struct fault f;

    (void)state;
    adapter_ack_write(span_of("\"q\""), span_of("{\"$binary\":\"AQ==\"}"), &message);
    assert_int_equal(pack_read(buf_span(&message), &text, &f), 0);
    assert_string_equal(text.at,
                        "{\"type\":9,\"requestId\":\"q\",\"packet\":{\"$binary\":\"AQ==\"}}");
    buf_fini(&message);
    buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_parsed),
        cmocka_unit_test(what_is_no_event_is_refused),
        cmocka_unit_test(requests_are_parsed),
        cmocka_unit_test(what_is_no_request_is_refused),
        cmocka_unit_test(messages_are_json_or_packed),
        cmocka_unit_test(events_are_written),
        cmocka_unit_test(acknowledgements_are_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
