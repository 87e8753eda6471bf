/* Any bytes as a Socket.IO packet: what is taken is written again as the same; binary data that is
 * put into it comes out as it was. */
#include "json.h"
#include "sio.h"
#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const struct sio_packet *a, const struct sio_packet *b)
{
    assert(a->type == b->type && a->attachments == b->attachments);
    assert(span_equal(a->nsp, b->nsp) && span_equal(a->ack, b->ack));
    assert(span_equal(a->payload, b->payload));
}

static void round_trip(const struct sio_packet *p)
{
    struct buf text = {0};
    struct sio_packet again;
    struct fault f;

    sio_head_format(&text, p->type, p->attachments, p->nsp, p->ack);
    buf_join(&text, p->payload);
    assert(sio_parse(buf_span(&text), &again, &f) == 0);
    same(p, &again);
    buf_fini(&text);
}

static void fill_and_lift(struct span value)
{
    struct sio_attachments a = {.count = 2}, back = {0};
    struct buf filled = {0}, lifted = {0}, again = {0};
    struct fault f;

    buf_text(&a.bytes[0], "first");
    if (sio_fill(value, &a, &filled, &f) == 0) {
        assert(json_check(buf_span(&filled), &f) == 0);
        if (sio_lift(buf_span(&filled), &lifted, &back)) {
            assert(json_check(buf_span(&lifted), &f) == 0);
            assert(sio_fill(buf_span(&lifted), &back, &again, &f) == 0);
            assert(span_equal(buf_span(&filled), buf_span(&again)));
        }
    }
    sio_attachments_fini(&a);
    sio_attachments_fini(&back);
    buf_fini(&filled);
    buf_fini(&lifted);
    buf_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = {(const char *)data, size};
    struct sio_packet p;
    struct fault f = {""};

    if (sio_parse(text, &p, &f) != 0) {
        assert(f.text[0] != '\0');
        return 0;
    }
    round_trip(&p);
    if (p.payload.len != 0)
        fill_and_lift(p.payload);
    return 0;
}
