#include "eio.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct buf bytes;

static int tear_down(void **state)
{
    (void)state;
    buf_fini(&bytes);
    return 0;
}

static void every_type_is_read(void **state)
{
    static const char types[] = "0123456";
    struct eio_packet p;
    struct fault f;

    (void)state;
    for (size_t i = 0; i < strlen(types); i++) {
        const char text[] = {types[i], 'x', '\0'};
        assert_int_equal(eio_parse(span_of(text), &p, &bytes, &f), 0);
        assert_int_equal(p.type, types[i]);
        assert_false(p.binary);
        assert_true(span_is(p.data, "x"));
        assert_int_equal(eio_parse((struct span){text, 1}, &p, &bytes, &f), 0);
        assert_int_equal(p.data.len, 0);
    }
}

static void base64_is_a_binary_message(void **state)
{
    struct eio_packet p;
    struct fault f;

    (void)state;
    for (int again = 0; again < 2; again++) {
        assert_int_equal(eio_parse(span_of("bAQIDBA=="), &p, &bytes, &f), 0);
        assert_int_equal(p.type, EIO_MESSAGE);
        assert_true(p.binary);
        assert_true(span_is(p.data, "\1\2\3\4"));
    }
    assert_int_equal(eio_parse(span_of("b"), &p, &bytes, &f), 0);
    assert_true(p.binary);
    assert_int_equal(p.data.len, 0);
}

static void what_is_no_packet_is_named(void **state)
{
    static const char *const wrong[][2] = {
        {"", "a packet is empty"},
        {"abc", "no packet begins as \"abc\" does"},
        {"7", "no packet begins as \"7\" does"},
        {"/", "no packet begins as \"/\" does"},
        {"bAQ", "a binary packet is not base64"},
        {"b*", "a binary packet is not base64"},
    };
    struct eio_packet p;
    struct fault f;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(eio_parse(span_of(wrong[i][0]), &p, &bytes, &f), -1);
        assert_string_equal(f.text, wrong[i][1]);
    }
}

static void a_payload_comes_apart(void **state)
{
    static const char *const packets[] = {"4hello", "bAQIDBA==", "", "2"};
    struct span payload = span_of("4hello\x1e"
                                  "bAQIDBA==\x1e\x1e"
                                  "2");
    struct span packet;

    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_true(eio_next(&payload, &packet));
        assert_true(span_is(packet, packets[i]));
    }
    assert_false(eio_next(&payload, &packet));
    payload = span_of("3\x1e");
    assert_true(eio_next(&payload, &packet));
    assert_true(eio_next(&payload, &packet));
    assert_int_equal(packet.len, 0);
    assert_false(eio_next(&payload, &packet));
}

static void a_payload_is_put_together(void **state)
{
    struct buf out = {0};

    (void)state;
    eio_add(&out, span_of("4hello"));
    eio_add_binary(&out, span_of("\1\2\3\4"));
    eio_add(&out, span_of("2"));
    assert_string_equal(out.at, "4hello\x1e"
                                "bAQIDBA==\x1e"
                                "2");
    buf_fini(&out);
}

static void the_open_packet_has_what_clients_look_for(void **state)
{
    struct eio_handshake h = {"lv_VI97HAXpY6yYWAAAB", true, 25000, 20000, 1000000};
    struct buf out = {0};

    (void)state;
    eio_open_format(&h, &out);
    assert_string_equal(out.at, "0{\"sid\":\"lv_VI97HAXpY6yYWAAAB\",\"upgrades\":[\"websocket\"],"
                                "\"pingInterval\":25000,\"pingTimeout\":20000,"
                                "\"maxPayload\":1000000}");
    buf_clear(&out);
    h.upgrades = false;
    eio_open_format(&h, &out);
    assert_non_null(strstr(out.at, "\"upgrades\":[],"));
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_is_read),
        cmocka_unit_test(base64_is_a_binary_message),
        cmocka_unit_test(what_is_no_packet_is_named),
        cmocka_unit_test(a_payload_comes_apart),
        cmocka_unit_test(a_payload_is_put_together),
        cmocka_unit_test(the_open_packet_has_what_clients_look_for),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
