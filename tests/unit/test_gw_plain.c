/* The plain protocol, from a client's messages to the frames it is sent, without a socket. */
#include "offline_gateway.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const char PLAIN[] = "{\"rooms\":{\"*\":{}},\"events\":{\"*\":{\"class\":\"live\"}}}";
static const char ALL[] = "{\"sub\":\"ann\",\"rooms\":\"*\",\"publish\":\"*\"}";
static const char WHY[] = "\"degraded\":true,\"reason\":"
                          "\"unix:/nonexistent/redis: no such file or directory\"";

static struct offline offline;
static struct client ann, bob;

static int set_up(void **state)
{
    (void)state;
    offline_open(&offline, PLAIN);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    offline_close(&offline);
    return 0;
}

static void say(struct client *c, const char *message)
{
    client_say(c, span_of(message));
}

/* Leaves out what differs from run to run: the time at the end, and a connection's name. */
static char *without_time(struct span text)
{
    char *plain = span_text(text);
    char *time = strstr(plain, ",\"time\":\"20");
    char *name = strstr(plain, "\"connection\":\"");

    if (time && strlen(time) == strlen(",\"time\":\"2026-11-20T18:00:00.123Z\"}"))
        strcpy(time, "}");
    if (name)
        memset(name + strlen("\"connection\":\""), '.', SESSION_ID_CHARS);
    return plain;
}

static struct ws_frame next(struct client *c)
{
    struct ws_frame frame = {.payload = span_of("  ")};

    outboxes_flush(offline.gateway.outboxes);
    assert_true(client_next(c, &frame));
    return frame;
}

static void hear(struct client *c, const char *message)
{
    struct ws_frame frame = next(c);

    assert_int_equal(frame.opcode, WS_TEXT);
    char *heard = without_time(frame.payload);
    assert_string_equal(heard, message);
    free(heard);
}

static void hear_close(struct client *c, int code, const char *reason)
{
    struct ws_frame frame = next(c);
    struct span text = frame.payload;

    assert_int_equal(frame.opcode, WS_CLOSE);
    assert_int_equal((unsigned char)text.at[0] << 8 | (unsigned char)text.at[1], code);
    span_drop(&text, 2);
    assert_true(span_is(text, reason));
    assert_true(c->told_to_go);
}

static void hear_nothing(struct client *c)
{
    struct ws_frame frame;

    outboxes_flush(offline.gateway.outboxes);
    assert_false(client_next(c, &frame));
}

static void enter(struct client *c)
{
    client_enter(c, &offline, ALL, PROTOCOL_NAME);
    next(c);
}

static void who_brings_a_token_is_welcome(void **state)
{
    char welcome[256];

    (void)state;
    snprintf(welcome, sizeof(welcome),
             "{\"type\":\"connection.ack\",\"data\":{\"connection\":\"................\","
             "\"user\":\"ann\",\"node\":\"%s\",\"heartbeat\":{\"interval_ms\":30000,"
             "\"timeout_ms\":60000},\"expires_s\":32503680000}}",
             node_name(offline.gateway.node));
    client_enter(&ann, &offline, "{\"sub\":\"ann\",\"exp\":32503680000}", PROTOCOL_NAME);
    hear(&ann, welcome);
    assert_int_equal(offline.gateway.metrics.value[M_SESSIONS], 1);
    client_leave(&ann);
    assert_int_equal(offline.gateway.metrics.value[M_SESSIONS], 0);
    assert_int_equal(offline.gateway.metrics.value[M_CONNECTIONS], 0);
}

static void who_brings_a_bad_one_is_told_and_heard_no_more(void **state)
{
    (void)state;
    client_connect(&ann, &offline, span_of("nonsense"), PROTOCOL_NAME);
    say(&ann, "{\"type\":\"ping\"}");
    hear(&ann, "{\"type\":\"error\",\"code\":\"unauthenticated\",\"message\":"
               "\"not a token: must have 3 parts with a dot between, found 1\"}");
    hear_close(&ann, 1008, "not authenticated");
    hear_nothing(&ann);
    client_leave(&ann);
}

static void answers_come_in_order_in_one_write(void **state)
{
    (void)state;
    enter(&ann);
    ann.writes = 0;
    for (int i = 0; i < 20; i++) {
        char message[64];
        snprintf(message, sizeof(message), "{\"type\":\"ping\",\"ref\":%d}", i);
        say(&ann, message);
    }
    for (int i = 0; i < 20; i++) {
        char message[64];
        snprintf(message, sizeof(message), "{\"type\":\"pong\",\"ref\":%d}", i);
        hear(&ann, message);
    }
    assert_int_equal(ann.writes, 1);
    client_leave(&ann);
}

static void members_get_events_and_their_sender_an_answer(void **state)
{
    char reply[256];

    (void)state;
    enter(&ann);
    enter(&bob);
    say(&bob, "{\"type\":\"subscribe\",\"data\":[\"a:1\"]}");
    snprintf(reply, sizeof(reply), "{\"type\":\"subscribed\",\"data\":{\"rooms\":[\"a:1\"],%s}}",
             WHY);
    hear(&bob, reply);
    say(&ann, "{\"type\":\"publish\",\"ref\":\"r\",\"data\":"
              "{\"type\":\"x\",\"room\":\"a:1\",\"data\":[1.0, \"\\u00e9\"]}}");
    snprintf(reply, sizeof(reply),
             "{\"type\":\"published\",\"data\":{\"rooms\":[\"a:1\"],%s},\"ref\":\"r\"}", WHY);
    hear(&ann, reply);

    struct ws_frame frame = next(&bob);
    assert_true(span_starts(frame.payload,
                            "{\"type\":\"x\",\"room\":\"a:1\",\"user\":\"ann\",\"time\":\"20"));
    assert_non_null(memmem(frame.payload.at, frame.payload.len, "\"data\":[1.0,\"\\u00e9\"]}", 22));
    client_leave(&ann);
    client_leave(&bob);
    assert_int_equal(offline.gateway.metrics.value[M_JOINS], 0);
}

static void who_asks_for_the_protocol_has_its_names_and_others_the_catalogs(void **state)
{
    static const char renamed[] =
        "{\"rooms\":{\"*\":{}},\"events\":{\"*\":{\"class\":\"live\"}},"
        "\"envelope\":{\"type\":\"t\",\"data\":\"d\",\"ref\":\"r\",\"room\":\"in\",\"time\":null},"
        "\"notices\":{\"error\":\"oops\"}}";

    (void)state;
    offline_close(&offline);
    offline_open(&offline, renamed);
    enter(&ann);
    client_enter(&bob, &offline, ALL, "");
    assert_true(span_starts(next(&bob).payload, "{\"t\":\"connection.ack\",\"d\":{"));
    say(&bob, "{\"t\":\"ping\",\"r\":1}");
    hear(&bob, "{\"t\":\"pong\",\"r\":1}");
    say(&bob, "{\"type\":\"ping\"}");
    hear(&bob, "{\"t\":\"oops\",\"code\":\"bad_message\",\"message\":\"type: must be a string\"}");
    say(&ann, "{\"t\":\"ping\"}");
    hear(&ann, "{\"type\":\"error\",\"code\":\"bad_message\",\"message\":"
               "\"type: must be a string\"}");
    client_leave(&ann);
    client_leave(&bob);
}

static void errors_without_a_name_are_not_sent(void **state)
{
    (void)state;
    offline_close(&offline);
    offline_open(&offline, "{\"rooms\":{\"*\":{}},\"events\":{\"*\":{}},"
                           "\"notices\":{\"error\":null,\"ack\":null}}");
    client_enter(&ann, &offline, ALL, "");
    say(&ann, "nonsense");
    say(&ann, "{\"type\":\"subscribe\",\"data\":[\"bad\"]}");
    ann.receiver->message(ann.arg, &ann.link, span_of("x"), true);
    hear_nothing(&ann);
    assert_int_equal(offline.gateway.metrics.value[M_ERRORS_OUT], 0);
    client_leave(&ann);
}

static void binary_messages_are_refused(void **state)
{
    (void)state;
    enter(&ann);
    ann.receiver->message(ann.arg, &ann.link, span_of("{\"type\":\"ping\"}"), true);
    hear(&ann, "{\"type\":\"error\",\"code\":\"bad_message\",\"message\":"
               "\"binary messages are not part of collab.v1\"}");
    client_leave(&ann);
}

static void what_breaks_the_websocket_closes_it(void **state)
{
    (void)state;
    enter(&ann);
    ann.receiver->broken(ann.arg, &ann.link, CLOSE_NOT_UTF8);
    hear_close(&ann, 1007, "a text message is not UTF-8");
    hear_nothing(&ann);
    client_leave(&ann);
}

/* Only what a slow client must know is left for it. */
static void an_outbox_over_its_bound_is_dropped_and_its_client_closed(void **state)
{
    (void)state;
    offline.gateway.settings.outbox_bytes_max = 4096;
    enter(&ann);
    ann.blocked = true;
    for (int i = 0; i < 1000 && !ann.told_to_go; i++) {
        say(&ann, "{\"type\":\"ping\"}");
        outboxes_flush(offline.gateway.outboxes);
        assert_true(ann.link.outbox.bytes <= 4096);
    }
    assert_int_equal(offline.gateway.metrics.value[M_SLOW_CLOSED], 1);
    ann.blocked = false;
    ann.receiver->writable(ann.arg, &ann.link);
    hear_close(&ann, 4001, "too slow: come back and resume");
    hear_nothing(&ann);
    client_leave(&ann);
    assert_int_equal(offline.gateway.metrics.value[M_OUTBOX_BYTES], 0);
}

static void one_path_leads_there(void **state)
{
    (void)state;
    assert_true(plain_site.leads(&offline.gateway, span_of("/ws")));
    assert_false(plain_site.leads(&offline.gateway, span_of("/ws/")));
    assert_false(plain_site.leads(&offline.gateway, span_of("/")));
    assert_false(plain_site.leads(&offline.gateway, (struct span){0}));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(who_brings_a_token_is_welcome),
        T(who_brings_a_bad_one_is_told_and_heard_no_more),
        T(answers_come_in_order_in_one_write),
        T(members_get_events_and_their_sender_an_answer),
        T(who_asks_for_the_protocol_has_its_names_and_others_the_catalogs),
        T(errors_without_a_name_are_not_sent),
        T(binary_messages_are_refused),
        T(what_breaks_the_websocket_closes_it),
        T(an_outbox_over_its_bound_is_dropped_and_its_client_closed),
        T(one_path_leads_there),
    };
    return cmocka_run_group_tests_name("plain", tests, NULL, NULL);
}
