#include "deflate.h"
#include "ident.h"
#include "mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct deflate *with;

static int set_up(void **state)
{
    (void)state;
    with = deflate_new();
    return 0;
}

static int take_down(void **state)
{
    (void)state;
    deflate_free(with);
    return 0;
}

static void offers_are_taken_that_can_be_kept(void **state)
{
    static const char *const good[] = {
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; client_max_window_bits=8",
        "permessage-deflate; client_max_window_bits=\"15\"",
        "permessage-deflate;server_no_context_takeover;client_no_context_takeover",
        "Permessage-Deflate ; Server_No_Context_Takeover",
        "x-webkit-deflate-frame, permessage-deflate",
        "permessage-deflate; server_max_window_bits=10, permessage-deflate",
    };
    static const char *const bad[] = {
        "",
        ",",
        "permessage",
        "permessage-deflates",
        "permessage-deflate; server_max_window_bits=10",
        "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=",
        "permessage-deflate; client_max_window_bits=\"",
        "permessage-deflate; client_max_window_bits; client_max_window_bits",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; server_no_context_takeover=",
        "permessage-deflate; level=9",
        "x; permessage-deflate",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(deflate_is_offered(span_of(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(deflate_is_offered(span_of(bad[i])));
}

/* What follows a header of that many bytes says the text. */
static void says(const struct frame *f, size_t header, struct span text)
{
    struct buf plain = {0};
    struct span payload = {f->bytes + header, f->len - header};
    assert_int_equal(deflate_unpack(with, payload, text.len, &plain), DEFLATE_DONE);
    assert_int_equal(plain.len, text.len);
    assert_memory_equal(plain.at, text.at, text.len);
    buf_fini(&plain);
}

static struct buf repeated(const char *text, int times)
{
    struct buf b = {0};
    for (int i = 0; i < times; i++)
        buf_text(&b, text);
    return b;
}

static void a_frame_is_packed_once(void **state)
{
    struct buf text = repeated("{\"n\":1}", 1000);
    struct span part = buf_span(&text);
    struct frame *f = frame_text(&part, 1);
    bool fresh;
    (void)state;
    struct frame *packed = deflate_pack(with, f, 1024, &fresh);
    assert_true(fresh);
    assert_true(packed != f && packed->len < 126);
    assert_memory_equal(packed->bytes, "\xc1", 1);
    assert_int_equal(packed->bytes[1], packed->len - 2);
    says(packed, 2, part);
    struct frame *again = deflate_pack(with, f, 1024, &fresh);
    assert_false(fresh);
    assert_ptr_equal(again, packed);
    frame_unref(again);
    again = deflate_pack(with, packed, 64, &fresh);
    assert_ptr_equal(again, packed);
    frame_unref(again);
    frame_unref(f);
    says(packed, 2, part);
    frame_unref(packed);
    buf_fini(&text);
}

static void stays(struct frame *f, size_t from_bytes)
{
    bool fresh;
    struct frame *packed = deflate_pack(with, f, from_bytes, &fresh);
    assert_ptr_equal(packed, f);
    frame_unref(packed);
    frame_unref(f);
}

static void small_frames_and_those_that_gain_nothing_stay(void **state)
{
    char noise[4096];
    struct buf text = repeated("x", 1023), out = {0};
    struct span part = buf_span(&text);
    (void)state;
    stays(frame_text(&part, 1), 1024);
    ident_bytes(noise, sizeof(noise));
    frame_add_binary(&out, (struct span){noise, sizeof(noise)});
    struct frame *f = frame_join(buf_span(&out));
    stays(frame_ref(f), 64);
    stays(f, 64);
    stays(frame_close(1000, "bye"), 1);
    stays(frame_ping(), 64);
    buf_fini(&text);
    buf_fini(&out);
}

static void of_several_messages_the_large_are_packed(void **state)
{
    struct buf text = repeated("abc", 1000), out = {0};
    bool fresh;
    (void)state;
    frame_add_text(&out, span_of("hi"));
    frame_add_binary(&out, buf_span(&text));
    frame_add_text(&out, span_of("ho"));
    struct frame *f = frame_join(buf_span(&out));
    struct frame *packed = deflate_pack(with, f, 1024, &fresh);
    assert_memory_equal(packed->bytes, "\x81\x02hi\xc2", 5);
    struct frame *middle =
        frame_join((struct span){packed->bytes + 4, (size_t)packed->bytes[5] + 2});
    assert_int_equal(packed->len, 4 + middle->len + 4);
    assert_memory_equal(packed->bytes + 4 + middle->len, "\x81\x02ho", 4);
    says(middle, 2, buf_span(&text));
    frame_unref(middle);
    frame_unref(packed);
    frame_unref(f);
    buf_fini(&out);
    buf_fini(&text);
}

static enum deflate_result unpack(const char *bytes, size_t len, size_t max, const char *text)
{
    struct buf plain = {0};
    enum deflate_result result = deflate_unpack(with, (struct span){bytes, len}, max, &plain);
    assert_true(plain.len <= max + 1);
    if (result == DEFLATE_DONE)
        assert_true(span_is(buf_span(&plain), text));
    buf_fini(&plain);
    return result;
}

#define UNPACK(bytes, max, text) unpack(bytes, sizeof(bytes) - 1, max, text)

/* RFC 7692, section 7.2.3. */
static void the_examples_of_the_rfc_are_read(void **state)
{
    (void)state;
    assert_int_equal(UNPACK("\xf2\x48\xcd\xc9\xc9\x07\x00", 5, "Hello"), DEFLATE_DONE);
    assert_int_equal(UNPACK("\x00\x05\x00\xfa\xffHello\x00", 5, "Hello"), DEFLATE_DONE);
    assert_int_equal(UNPACK("\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 5, "Hello"), DEFLATE_DONE);
    assert_int_equal(UNPACK("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 5, "Hello"),
                     DEFLATE_DONE);
    assert_int_equal(UNPACK("\x00", 0, ""), DEFLATE_DONE);
}

static void what_is_no_compressed_message_is_told(void **state)
{
    (void)state;
    assert_int_equal(UNPACK("", 100, ""), DEFLATE_BAD);
    assert_int_equal(UNPACK("{\"type\":\"ping\"}", 100, ""), DEFLATE_BAD);
    assert_int_equal(UNPACK("\xff\xff\xff\xff", 100, ""), DEFLATE_BAD);
    assert_int_equal(UNPACK("\xf2\x48\xcd", 100, ""), DEFLATE_BAD);
    /* a distance that reaches before the message: nothing is kept of the one before */
    assert_int_equal(UNPACK("\xf2\x00\x11\x00\x00", 100, ""), DEFLATE_BAD);
}

static void a_bomb_ends_at_the_bound(void **state)
{
    struct span zeros = {mem_zero(64 << 20), 64 << 20};
    struct frame *f = frame_text(&zeros, 1);
    struct buf plain = {0};
    bool fresh;
    (void)state;
    struct frame *packed = deflate_pack(with, f, 64, &fresh);
    assert_true(packed->len <= UINT16_MAX);
    struct span payload = {packed->bytes + 4, packed->len - 4};
    assert_int_equal(deflate_unpack(with, payload, 256 << 10, &plain), DEFLATE_TOO_BIG);
    assert_int_equal(plain.len, (256 << 10) + 1);
    assert_true(plain.cap < 1 << 20);
    buf_fini(&plain);
    assert_int_equal(UNPACK("\xf2\x48\xcd\xc9\xc9\x07\x00", 4, ""), DEFLATE_TOO_BIG);
    assert_int_equal(UNPACK("\xf2\x48\xcd\xc9\xc9\x07\x00", 5, "Hello"), DEFLATE_DONE);
    frame_unref(packed);
    frame_unref(f);
    free((void *)zeros.at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offers_are_taken_that_can_be_kept),
        cmocka_unit_test(a_frame_is_packed_once),
        cmocka_unit_test(small_frames_and_those_that_gain_nothing_stay),
        cmocka_unit_test(of_several_messages_the_large_are_packed),
        cmocka_unit_test(the_examples_of_the_rfc_are_read),
        cmocka_unit_test(what_is_no_compressed_message_is_told),
        cmocka_unit_test(a_bomb_ends_at_the_bound),
    };
    return cmocka_run_group_tests(tests, set_up, take_down);
}
