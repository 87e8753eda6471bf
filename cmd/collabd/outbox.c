#include "outbox.h"
#include "clock.h"
#include "mem.h"
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
    FRAMES_KEPT = 8,         /* room for so many stays with an idle outbox */
    WRITE_BYTES_MAX = 262144 /* of one write; it may be copied once when the socket is full */
};

struct outboxes {
    struct metrics *metrics;
    outbox_send *send;
    struct outbox *dirty;    /* the list of those to flush */
    struct outbox *blocked;  /* and of those whose links take nothing, the longest first */
    struct frame **gathered; /* the frames that `bytes` was made of; borrowed */
    uint32_t gathered_count, gathered_cap;
    struct buf bytes;
};

struct outboxes *outboxes_new(struct metrics *metrics, outbox_send *send)
{
    struct outboxes *all = mem_zero(sizeof(*all));
    all->metrics = metrics;
    all->send = send;
    return all;
}

void outboxes_free(struct outboxes *all)
{
    free(all->gathered);
    buf_fini(&all->bytes);
    free(all);
}

void outbox_wake(struct outboxes *all, struct outbox *box)
{
    if (box->dirty)
        return;
    box->dirty = true;
    DL_APPEND(all->dirty, box);
}

static void grow(struct outbox *box)
{
    box->cap = box->cap ? box->cap * 2 : FRAMES_KEPT;
    box->frames = mem_resize(box->frames, box->cap * sizeof(struct frame *));
}

bool outbox_put(struct outboxes *all, struct outbox *box, struct frame *frame, int64_t bytes_max)
{
    if (box->count && (int64_t)box->bytes + frame->len > bytes_max) {
        frame_unref(frame);
        return false;
    }
    if (box->count == box->cap)
        grow(box);
    box->frames[box->count++] = frame;
    box->bytes += frame->len;
    all->metrics->value[M_OUTBOX_BYTES] += frame->len;
    if (!box->blocked_ms)
        outbox_wake(all, box);
    return true;
}

/* Forgets the first n frames. */
static void take_away(struct outboxes *all, struct outbox *box, uint32_t n)
{
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < n; i++) {
        bytes += box->frames[i]->len;
        frame_unref(box->frames[i]);
    }
    box->count -= n;
    box->bytes -= bytes;
    all->metrics->value[M_OUTBOX_BYTES] -= bytes;
    if (box->count)
        memmove(box->frames, box->frames + n, box->count * sizeof(struct frame *));
}

static void clean(struct outboxes *all, struct outbox *box)
{
    DL_DELETE(all->dirty, box);
    box->dirty = false;
}

static void unlist_blocked(struct outboxes *all, struct outbox *box)
{
    if (!box->blocked_prev)
        return;
    DL_DELETE2(all->blocked, box, blocked_prev, blocked_next);
    box->blocked_prev = NULL;
}

static void block(struct outboxes *all, struct outbox *box)
{
    if (box->blocked_ms)
        return;
    box->blocked_ms = clock_steady_ms();
    DL_APPEND2(all->blocked, box, blocked_prev, blocked_next);
}

static void unblock(struct outboxes *all, struct outbox *box)
{
    box->blocked_ms = 0;
    unlist_blocked(all, box);
}

struct outbox *outboxes_stuck(struct outboxes *all, int64_t since_ms)
{
    struct outbox *box = all->blocked;
    if (!box || box->blocked_ms > since_ms)
        return NULL;
    unlist_blocked(all, box);
    return box;
}

void outbox_drop(struct outboxes *all, struct outbox *box)
{
    take_away(all, box, box->count);
}

void outbox_fini(struct outboxes *all, struct outbox *box)
{
    if (box->dirty)
        clean(all, box);
    unlist_blocked(all, box);
    outbox_drop(all, box);
    free(box->frames);
    memset(box, 0, sizeof(*box));
}

void outbox_trim(struct outbox *box)
{
    if (box->count || box->cap <= FRAMES_KEPT)
        return;
    free(box->frames);
    box->frames = NULL;
    box->cap = 0;
}

/* How many of the frames waiting one write takes. */
static uint32_t portion(const struct outbox *box)
{
    if (box->bytes <= WRITE_BYTES_MAX)
        return box->count;
    uint32_t n = 1;
    for (size_t bytes = box->frames[0]->len; n < box->count; n++) {
        bytes += box->frames[n]->len;
        if (bytes > WRITE_BYTES_MAX)
            break;
    }
    return n;
}

static bool was_gathered(const struct outboxes *all, const struct outbox *box, uint32_t n)
{
    return n == all->gathered_count &&
           memcmp(box->frames, all->gathered, n * sizeof(struct frame *)) == 0;
}

/* The bytes of the first n frames; those gathered last, when the frames are the same. */
static struct span gather(struct outboxes *all, const struct outbox *box, uint32_t n)
{
    if (n == 1)
        return (struct span){box->frames[0]->bytes, box->frames[0]->len};
    if (was_gathered(all, box, n))
        return buf_span(&all->bytes);
    buf_clear(&all->bytes);
    for (uint32_t i = 0; i < n; i++)
        buf_add(&all->bytes, box->frames[i]->bytes, box->frames[i]->len);
    if (n > all->gathered_cap) {
        all->gathered_cap = n;
        all->gathered = mem_resize(all->gathered, n * sizeof(struct frame *));
    }
    memcpy(all->gathered, box->frames, n * sizeof(struct frame *));
    all->gathered_count = n;
    return buf_span(&all->bytes);
}

static void flush(struct outboxes *all, struct outbox *box)
{
    while (box->count) {
        uint32_t n = portion(box);
        struct span bytes = gather(all, box, n);
        if (!all->send(box, bytes)) {
            block(all, box);
            return;
        }
        unblock(all, box);
        all->metrics->value[M_BYTES_OUT] += (int64_t)bytes.len;
        take_away(all, box, n);
    }
    unblock(all, box);
}

void outboxes_flush(struct outboxes *all)
{
    while (all->dirty) {
        struct outbox *box = all->dirty;
        clean(all, box);
        flush(all, box);
    }
    /* Frames may be freed and their addresses used again before the next turn. */
    all->gathered_count = 0;
}
