#include "link.h"
#include "clock.h"
#include "deflate.h"
#include <assert.h>

bool link_has_place(struct gateway *g, const struct account *address)
{
    if (g->metrics.value[M_CONNECTIONS] < g->limits.connections &&
        (!address || address->connections < g->limits.address_connections))
        return true;
    g->metrics.value[M_CONNECTIONS_REFUSED]++;
    return false;
}

void link_open(struct gateway *g, struct link *l, struct account *address)
{
    assert(l->kind && !l->closing);
    l->address = address ? account_hold(address) : NULL;
    if (l->address)
        l->address->connections++;
    g->metrics.value[M_CONNECTIONS]++;
    g->metrics.value[M_CONNECTIONS_OPENED]++;
}

void link_shut(struct gateway *g, struct link *l)
{
    l->closing = true;
    outbox_fini(g->outboxes, &l->outbox);
    if (l->address) {
        l->address->connections--;
        account_release(l->address);
        l->address = NULL;
    }
    g->metrics.value[M_CONNECTIONS]--;
    g->metrics.value[M_CONNECTIONS_CLOSED]++;
}

/* The frame in the form that is sent. */
static struct frame *pack(struct gateway *g, struct frame *frame)
{
    int64_t *count = g->metrics.value;
    bool fresh;
    struct frame *packed =
        deflate_pack(g->deflate, frame, (size_t)g->settings.compress_bytes_min, &fresh);
    if (packed != frame) {
        count[M_COMPRESSED] += fresh;
        count[M_COMPRESSED_OUT]++;
        count[M_COMPRESSION_SAVED] += (int64_t)frame->len - packed->len;
    }
    frame_unref(frame);
    return packed;
}

bool link_put(struct gateway *g, struct link *l, struct frame *frame)
{
    if (l->deflates)
        frame = pack(g, frame);
    return outbox_put(g->outboxes, &l->outbox, frame, g->settings.outbox_bytes_max);
}

void link_close(struct gateway *g, struct link *l, struct frame *last)
{
    l->closing = true;
    outbox_put(g->outboxes, &l->outbox, last, INT64_MAX);
    l->kind->close(l);
}

void link_writable(struct gateway *g, struct link *l)
{
    outbox_wake(g->outboxes, &l->outbox);
}

static struct link *link_of(struct outbox *box)
{
    return (struct link *)(void *)((char *)box - offsetof(struct link, outbox));
}

void links_check(struct gateway *g)
{
    int64_t since_ms = clock_steady_ms() - g->settings.outbox_ms_max;
    for (struct outbox *box; (box = outboxes_stuck(g->outboxes, since_ms));) {
        struct link *l = link_of(box);
        if (l->closing)
            continue;
        g->metrics.value[M_SLOW_CLOSED]++;
        l->kind->stuck(l);
    }
}

bool link_send(struct outbox *box, struct span frames)
{
    struct link *l = link_of(box);
    return l->kind->send(l, frames);
}
