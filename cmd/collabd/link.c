#include "link.h"
#include <assert.h>

void link_open(struct gateway *g, struct link *l)
{
    assert(l->kind && !l->closing);
    g->metrics.value[M_CONNECTIONS]++;
    g->metrics.value[M_CONNECTIONS_OPENED]++;
}

void link_shut(struct gateway *g, struct link *l)
{
    l->closing = true;
    outbox_fini(g->outboxes, &l->outbox);
    g->metrics.value[M_CONNECTIONS]--;
    g->metrics.value[M_CONNECTIONS_CLOSED]++;
}

bool link_put(struct gateway *g, struct link *l, struct frame *frame)
{
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

bool link_send(struct outbox *box, struct span frames)
{
    struct link *l = (struct link *)(void *)((char *)box - offsetof(struct link, outbox));
    return l->kind->send(l, frames);
}
