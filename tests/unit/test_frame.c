#include "frame.h"
#include "mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A frame of so many bytes has this header (RFC 6455, section 5.2). */
static void check_header(size_t payload, const char *header, size_t header_len)
{
    char *text = mem_alloc(payload + 1);
    memset(text, 'x', payload);
    struct frame *f = frame_text(&(struct span){text, payload}, 1);

    assert_int_equal(f->len, header_len + payload);
    assert_memory_equal(f->bytes, header, header_len);
    assert_memory_equal(f->bytes + header_len, text, payload);
    frame_unref(f);
    free(text);
}

static void the_length_takes_1_3_or_9_bytes(void **state)
{
    (void)state;
    check_header(0, "\x81\x00", 2);
    check_header(1, "\x81\x01", 2);
    check_header(125, "\x81\x7d", 2);
    check_header(126, "\x81\x7e\x00\x7e", 4);
    check_header(65535, "\x81\x7e\xff\xff", 4);
    check_header(65536, "\x81\x7f\0\0\0\0\0\x01\x00\x00", 10);
    check_header(0x123456, "\x81\x7f\0\0\0\0\0\x12\x34\x56", 10);
}

static void parts_follow_each_other(void **state)
{
    const struct span parts[] = {{"{\"a\":", 5}, {NULL, 0}, {"[1]", 3}, {"}", 1}};
    struct frame *f = frame_text(parts, 4);

    (void)state;
    assert_int_equal(f->len, 11);
    assert_memory_equal(f->bytes, "\x81\x09{\"a\":[1]}", 11);
    frame_unref(f);
}

static void messages_join_into_one_frame(void **state)
{
    struct buf out = {0};

    (void)state;
    frame_add_text(&out, span_of("hi"));
    frame_add_binary(&out, (struct span){"\0\1", 2});
    struct frame *f = frame_join(buf_span(&out));
    assert_int_equal(f->len, 8);
    assert_memory_equal(f->bytes, "\x81\x02hi\x82\x02\0\1", 8);
    frame_unref(f);
    buf_fini(&out);
}

static void a_close_may_give_no_reason(void **state)
{
    struct frame *f = frame_close_silent();

    (void)state;
    assert_int_equal(f->len, 2);
    assert_memory_equal(f->bytes, "\x88\x00", 2);
    frame_unref(f);
}

/* That the last one frees it shows under a sanitizer. */
static void references_are_counted(void **state)
{
    struct frame *f = frame_text(&(struct span){"x", 1}, 1);

    (void)state;
    assert_int_equal(f->refs, 1);
    assert_ptr_equal(frame_ref(f), f);
    assert_int_equal(f->refs, 2);
    frame_unref(f);
    assert_int_equal(f->refs, 1);
    frame_unref(f);
}

static void the_ping_lasts(void **state)
{
    struct frame *f = frame_ping();

    (void)state;
    assert_int_equal(f->len, 3);
    assert_memory_equal(f->bytes, "\x89\x01.", 3);
    for (int i = 0; i < 3; i++)
        frame_unref(f);
    assert_ptr_equal(frame_ref(f), frame_ping());
    assert_memory_equal(f->bytes, "\x89\x01.", 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_length_takes_1_3_or_9_bytes),
        cmocka_unit_test(parts_follow_each_other),
        cmocka_unit_test(messages_join_into_one_frame),
        cmocka_unit_test(a_close_may_give_no_reason),
        cmocka_unit_test(references_are_counted),
        cmocka_unit_test(the_ping_lasts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
