/* Any bytes as a message between servers of Socket.IO: what is taken from it is JSON of the kind
 * that it has to be. */
#include "adapter.h"
#include "json.h"
#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_list(struct span list)
{
    struct fault f;

    if (list.len != 0)
        assert(json_check(list, &f) == 0 && json_type(list) == JSON_ARRAY);
}

static void check_event(const struct adapter_event *e)
{
    assert(e->args.len != 0 && e->nsp.len != 0 && e->timeout_ms >= 0);
    check_list(e->args);
    check_list(e->to.rooms);
    check_list(e->to.except);
}

static void check_request(const struct adapter_request *r)
{
    struct buf message = {0};
    struct fault f;

    assert(r->type <= ADAPTER_BROADCAST);
    check_list(r->to.rooms);
    check_list(r->to.except);
    if (r->names.len != 0)
        assert(json_check(r->names, &f) == 0);
    if (r->type == ADAPTER_BROADCAST)
        check_event(&r->event);
    if (r->id.len != 0)
        adapter_ack_write(r->id, span_of("1"), &message);
    buf_fini(&message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf text = {0};
    struct adapter_event e;
    struct adapter_request r;
    struct fault f = {""};

    if (adapter_read((struct span){(const char *)data, size}, &text, &f) == 0) {
        assert(json_check(buf_span(&text), &f) == 0);
        if (adapter_event_parse(buf_span(&text), &e, &f) == 0)
            check_event(&e);
        if (adapter_request_parse(buf_span(&text), &r, &f) == 0)
            check_request(&r);
    }
    buf_fini(&text);
    return 0;
}
