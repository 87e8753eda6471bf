#include "sio.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct example {
    const char *text;
    enum sio_type type;
    int attachments;
    const char *nsp, *ack, *payload;
};

static void packets_are_read(void **state)
{
    static const struct example examples[] = {
        {"0", SIO_CONNECT, 0, "/", "", ""},
        {"0{\"token\":\"123\"}", SIO_CONNECT, 0, "/", "", "{\"token\":\"123\"}"},
        {"0/admin", SIO_CONNECT, 0, "/admin", "", ""},
        {"0/admin,", SIO_CONNECT, 0, "/admin", "", ""},
        {"0/admin,{}", SIO_CONNECT, 0, "/admin", "", "{}"},
        {"1", SIO_DISCONNECT, 0, "/", "", ""},
        {"1/admin,", SIO_DISCONNECT, 0, "/admin", "", ""},
        {"2[\"hey\",1]", SIO_EVENT, 0, "/", "", "[\"hey\",1]"},
        {"2[5]", SIO_EVENT, 0, "/", "", "[5]"},
        {"212[\"hey\"]", SIO_EVENT, 0, "/", "12", "[\"hey\"]"},
        {"2/a/b,0[\"hey\"]", SIO_EVENT, 0, "/a/b", "0", "[\"hey\"]"},
        {"2[ \"hey\" , \"/x,\" ]", SIO_EVENT, 0, "/", "", "[ \"hey\" , \"/x,\" ]"},
        {"312[]", SIO_ACK, 0, "/", "12", "[]"},
        {"3/admin,456[1]", SIO_ACK, 0, "/admin", "456", "[1]"},
        {"4{\"message\":\"no\"}", SIO_CONNECT_ERROR, 0, "/", "", "{\"message\":\"no\"}"},
        {"51-[\"a\",{\"_placeholder\":true,\"num\":0}]", SIO_BINARY_EVENT, 1, "/", "",
         "[\"a\",{\"_placeholder\":true,\"num\":0}]"},
        {"510-/n,7[\"a\"]", SIO_BINARY_EVENT, 10, "/n", "7", "[\"a\"]"},
        {"60-1[]", SIO_BINARY_ACK, 0, "/", "1", "[]"},
    };
    struct sio_packet p;
    struct fault f;

    (void)state;
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        const struct example *e = &examples[i];
        assert_int_equal(sio_parse(span_of(e->text), &p, &f), 0);
        assert_int_equal(p.type, e->type);
        assert_int_equal(p.attachments, e->attachments);
        assert_true(span_is(p.nsp, e->nsp));
        assert_true(span_is(p.ack, e->ack));
        assert_true(span_is(p.payload, e->payload));
    }
}

static void what_is_no_packet_is_named(void **state)
{
    static const char *const wrong[][2] = {
        {"", "no packet has the type of \"\""},
        {"7", "no packet has the type of \"7\""},
        {"abc", "no packet has the type of \"abc\""},
        {"0[]", "what comes with it is no object"},
        {"0\"x\"", "what comes with it is no object"},
        {"1{}", "a disconnect packet comes with more"},
        {"2", "a packet ends before its JSON"},
        {"2{}", "an event is a list that begins with its name"},
        {"2[]", "an event is a list that begins with its name"},
        {"2[{}]", "an event's name is an object, not a string"},
        {"2[\"connect\"]", "the name \"\\\"connect\\\"\" is reserved"},
        {"2[\"removeListener\",1]", "the name \"\\\"removeListener\\\"\" is reserved"},
        {"3", "a packet ends before its JSON"},
        {"31{}", "an acknowledgement is a list"},
        {"4", "a packet ends before its JSON"},
        {"5[\"a\"]", "a binary packet does not say how many attachments it has"},
        {"5-[\"a\"]", "a binary packet does not say how many attachments it has"},
        {"51[\"a\"]", "a binary packet does not say how many attachments it has"},
        {"51", "a binary packet does not say how many attachments it has"},
        {"511-[\"a\"]", "more than 10 attachments"},
        {"599999999999999999999-[\"a\"]", "more than 10 attachments"},
        {"2123456789012345678901[\"a\"]", "an ack id is longer than 20 digits"},
    };
    struct sio_packet p;
    struct fault f;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(sio_parse(span_of(wrong[i][0]), &p, &f), -1);
        assert_string_equal(f.text, wrong[i][1]);
    }
    /* JSON that is none, and an ack id that is none. */
    assert_int_equal(sio_parse(span_of("2[\"a\""), &p, &f), -1);
    assert_int_equal(sio_parse(span_of("2abc[\"a\"]"), &p, &f), -1);
    assert_int_equal(sio_parse(span_of("2[\"a\xff\"]"), &p, &f), -1);
}

static void a_namespace_has_a_bound(void **state)
{
    char text[SIO_NAMESPACE_BYTES_MAX + 3] = "0/";
    struct sio_packet p;
    struct fault f;

    (void)state;
    memset(text + 2, 'n', SIO_NAMESPACE_BYTES_MAX - 1);
    assert_int_equal(sio_parse(span_of(text), &p, &f), 0);
    assert_int_equal(p.nsp.len, SIO_NAMESPACE_BYTES_MAX);
    text[SIO_NAMESPACE_BYTES_MAX + 1] = 'n';
    assert_int_equal(sio_parse(span_of(text), &p, &f), -1);
}

static void heads_are_written(void **state)
{
    struct buf out = {0};

    (void)state;
    sio_head_format(&out, SIO_EVENT, 0, span_of("/"), (struct span){0});
    buf_char(&out, ' ');
    sio_head_format(&out, SIO_ACK, 0, span_of("/admin"), span_of("12"));
    buf_char(&out, ' ');
    sio_head_format(&out, SIO_BINARY_EVENT, 2, span_of("/"), (struct span){0});
    buf_char(&out, ' ');
    sio_head_format(&out, SIO_BINARY_ACK, 1, span_of("/a"), span_of("3"));
    assert_string_equal(out.at, "2 3/admin,12 52- 61-/a,3");
    buf_fini(&out);
}

static void bytes_take_their_places(void **state)
{
    struct sio_attachments a = {.count = 2};
    struct buf out = {0};
    struct fault f;

    (void)state;
    buf_text(&a.bytes[0], "foo");
    buf_text(&a.bytes[1], "f");
    assert_int_equal(sio_fill(span_of("[\"e\",{\"_placeholder\":true,\"num\":1},"
                                      "{\"a\":[{\"num\":0,\"_placeholder\":true}],\"b\":1e3}]"),
                              &a, &out, &f),
                     0);
    assert_string_equal(out.at, "[\"e\",{\"$binary\":\"Zg==\"},"
                                "{\"a\":[{\"$binary\":\"Zm9v\"}],\"b\":1e3}]");
    sio_attachments_fini(&a);
    buf_fini(&out);
}

static void a_placeholder_needs_its_attachment(void **state)
{
    static const char *const wrong[] = {"1", "-1", "0.5", "\"0\"", "1e0"};
    struct sio_attachments a = {.count = 1};
    struct buf out = {0}, text = {0};
    struct fault f;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        buf_clear(&text);
        buf_printf(&text, "[{\"_placeholder\":true,\"num\":%s}]", wrong[i]);
        assert_int_equal(sio_fill(buf_span(&text), &a, &out, &f), -1);
        assert_string_equal(f.text, "a placeholder stands for no attachment");
    }
    assert_int_equal(sio_fill(span_of("[{\"_placeholder\":true}]"), &a, &out, &f), -1);
    buf_clear(&out);
    assert_int_equal(sio_fill(span_of("[{\"_placeholder\":1,\"num\":7}]"), &a, &out, &f), 0);
    assert_string_equal(out.at, "[{\"_placeholder\":1,\"num\":7}]");
    sio_attachments_fini(&a);
    buf_fini(&out);
    buf_fini(&text);
}

static void bytes_are_lifted_out(void **state)
{
    struct sio_attachments a = {0};
    struct buf out = {0};

    (void)state;
    assert_true(sio_lift(span_of("{\"x\":{\"$binary\":\"AQID\"},\"y\":[{\"$binary\":\"\"}, 1.0]}"),
                         &out, &a));
    assert_string_equal(out.at, "{\"x\":{\"_placeholder\":true,\"num\":0},"
                                "\"y\":[{\"_placeholder\":true,\"num\":1},1.0]}");
    assert_int_equal(a.count, 2);
    assert_true(span_is(buf_span(&a.bytes[0]), "\1\2\3"));
    assert_int_equal(a.bytes[1].len, 0);
    sio_attachments_fini(&a);
    buf_fini(&out);
}

static void what_is_not_lifted_stays_json(void **state)
{
    static const char *const values[] = {
        "{\"a\":1}",
        "{\"$binary\":\"AQI\"}",
        "{\"$binary\":1}",
        "{\"$binary\":\"AQID\",\"more\":1}",
        "{\"more\":1,\"$binary\":\"AQID\"}",
        "\"$binary\"",
        "[{\"$binary\":\"AQID\"},{\"_placeholder\":true,\"num\":7}]",
        "[{\"$binary\":\"AQID\"},{\"\\u005fplaceholder\":true,\"num\":7}]",
    };
    struct sio_attachments a = {0};
    struct buf out = {0};

    (void)state;
    buf_text(&out, "kept");
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        assert_false(sio_lift(span_of(values[i]), &out, &a));
        assert_string_equal(out.at, "kept");
        assert_int_equal(a.count, 0);
    }
    buf_fini(&out);
}

static void no_more_than_a_receiver_takes_is_lifted(void **state)
{
    struct sio_attachments a = {0};
    struct buf text = {0}, out = {0};

    (void)state;
    buf_text(&text, "[{\"$binary\":\"AQID\"}");
    for (int i = 1; i < SIO_ATTACHMENTS_MAX; i++)
        buf_text(&text, ",{\"$binary\":\"AQID\"}");
    buf_char(&text, ']');
    assert_true(sio_lift(buf_span(&text), &out, &a));
    assert_int_equal(a.count, SIO_ATTACHMENTS_MAX);
    sio_attachments_fini(&a);
    text.at[--text.len] = '\0';
    buf_text(&text, ",{\"$binary\":\"AQID\"}]");
    buf_clear(&out);
    assert_false(sio_lift(buf_span(&text), &out, &a));
    assert_int_equal(a.count, 0);
    buf_fini(&text);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_are_read),
        cmocka_unit_test(what_is_no_packet_is_named),
        cmocka_unit_test(a_namespace_has_a_bound),
        cmocka_unit_test(heads_are_written),
        cmocka_unit_test(bytes_take_their_places),
        cmocka_unit_test(a_placeholder_needs_its_attachment),
        cmocka_unit_test(bytes_are_lifted_out),
        cmocka_unit_test(what_is_not_lifted_stays_json),
        cmocka_unit_test(no_more_than_a_receiver_takes_is_lifted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
