#include "outbox.h"
#include "clock.h"
#include "mem.h"
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
    FRAMES_FIRST = 4, /* room for so many, where one is not enough */
    TURNS_FIRST = 64,
    WRITE_BYTES_MAX = 262144 /* of one write; it may be copied once when the socket is full */
};

/* A link that takes nothing. */
struct blockage {
    struct outbox *box;
    struct blockage *prev, *next; /* in the list of those; prev NULL: it was told of, and is not */
    int64_t since_ms;             /* steady */
};

/* Room for FRAMES_FIRST that no outbox needs now. */
struct spare {
    struct spare *next;
};

struct outboxes {
    struct metrics *metrics;
    outbox_send *send;
    struct outbox **turns; /* those to flush, in turn; NULL: one that went before */
    uint32_t turn_count, turn_cap;
    struct blockage *blocked; /* the longest first */
    struct spare *spares;
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
    struct spare *spare, *tmp;
    LL_FOREACH_SAFE (all->spares, spare, tmp)
        free(spare);
    free(all->turns);
    free(all->gathered);
    buf_fini(&all->bytes);
    free(all);
}

void outbox_wake(struct outboxes *all, struct outbox *box)
{
    if (box->turn)
        return;
    if (all->turn_count == all->turn_cap) {
        all->turn_cap = all->turn_cap ? all->turn_cap * 2 : TURNS_FIRST;
        all->turns = mem_resize(all->turns, all->turn_cap * sizeof(struct outbox *));
    }
    all->turns[all->turn_count++] = box;
    box->turn = all->turn_count;
}

static struct frame **frames_of(struct outbox *box)
{
    return box->cap ? box->u.many : &box->u.one;
}

static struct frame **take_spare(struct outboxes *all)
{
    struct spare *spare = all->spares;
    if (!spare)
        return mem_alloc(FRAMES_FIRST * sizeof(struct frame *));
    all->spares = spare->next;
    return (struct frame **)spare;
}

/* What has grown stays with its outbox: it will need it again. */
static void give_spare(struct outboxes *all, struct outbox *box)
{
    if (box->cap != FRAMES_FIRST)
        return;
    struct spare *spare = (struct spare *)box->u.many;
    spare->next = all->spares;
    all->spares = spare;
    box->cap = 0;
}

static void make_room(struct outboxes *all, struct outbox *box)
{
    if (box->count < box->cap || !box->count)
        return;
    if (!box->cap) {
        struct frame *one = box->u.one;
        box->u.many = take_spare(all);
        box->u.many[0] = one;
        box->cap = FRAMES_FIRST;
    } else {
        box->cap *= 2;
        box->u.many = mem_resize(box->u.many, box->cap * sizeof(struct frame *));
    }
}

bool outbox_put(struct outboxes *all, struct outbox *box, struct frame *frame, int64_t bytes_max)
{
    if (box->count && (int64_t)box->bytes + frame->len > bytes_max) {
        frame_unref(frame);
        return false;
    }
    make_room(all, box);
    frames_of(box)[box->count++] = frame;
    box->bytes += frame->len;
    all->metrics->value[M_OUTBOX_BYTES] += frame->len;
    if (!box->blocked)
        outbox_wake(all, box);
    return true;
}

/* Forgets the first n frames. */
static void take_away(struct outboxes *all, struct outbox *box, uint32_t n)
{
    struct frame **frames = frames_of(box);
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < n; i++) {
        bytes += frames[i]->len;
        frame_unref(frames[i]);
    }
    box->count -= n;
    box->bytes -= bytes;
    all->metrics->value[M_OUTBOX_BYTES] -= bytes;
    if (box->count)
        memmove(frames, frames + n, box->count * sizeof(struct frame *));
    else
        give_spare(all, box);
}

static void unlist(struct outboxes *all, struct blockage *b)
{
    if (!b->prev)
        return;
    DL_DELETE(all->blocked, b);
    b->prev = NULL;
}

static void block(struct outboxes *all, struct outbox *box)
{
    if (box->blocked)
        return;
    box->blocked = mem_alloc(sizeof(*box->blocked));
    *box->blocked = (struct blockage){.box = box, .since_ms = clock_steady_ms()};
    DL_APPEND(all->blocked, box->blocked);
}

static void unblock(struct outboxes *all, struct outbox *box)
{
    if (!box->blocked)
        return;
    unlist(all, box->blocked);
    free(box->blocked);
    box->blocked = NULL;
}

struct outbox *outboxes_stuck(struct outboxes *all, int64_t since_ms)
{
    struct blockage *b = all->blocked;
    if (!b || b->since_ms > since_ms)
        return NULL;
    unlist(all, b);
    return b->box;
}

void outbox_drop(struct outboxes *all, struct outbox *box)
{
    take_away(all, box, box->count);
}

void outbox_fini(struct outboxes *all, struct outbox *box)
{
    if (box->turn)
        all->turns[box->turn - 1] = NULL;
    unblock(all, box);
    outbox_drop(all, box);
    outbox_trim(box);
    memset(box, 0, sizeof(*box));
}

void outbox_trim(struct outbox *box)
{
    if (box->count || !box->cap)
        return;
    free(box->u.many);
    box->cap = 0;
}

/* How many of the frames waiting one write takes. */
static uint32_t portion(struct outbox *box)
{
    struct frame **frames = frames_of(box);
    if (box->bytes <= WRITE_BYTES_MAX)
        return box->count;
    uint32_t n = 1;
    for (size_t bytes = frames[0]->len; n < box->count; n++) {
        bytes += frames[n]->len;
        if (bytes > WRITE_BYTES_MAX)
            break;
    }
    return n;
}

static bool were_gathered(const struct outboxes *all, struct frame **frames, uint32_t n)
{
    return n == all->gathered_count &&
           memcmp(frames, all->gathered, n * sizeof(struct frame *)) == 0;
}

/* The bytes of the first n frames; those gathered last, when the frames are the same. */
static struct span gather(struct outboxes *all, struct outbox *box, uint32_t n)
{
    struct frame **frames = frames_of(box);
    if (n == 1)
        return (struct span){frames[0]->bytes, frames[0]->len};
    if (were_gathered(all, frames, n))
        return buf_span(&all->bytes);
    buf_clear(&all->bytes);
    for (uint32_t i = 0; i < n; i++)
        buf_add(&all->bytes, frames[i]->bytes, frames[i]->len);
    if (n > all->gathered_cap) {
        all->gathered_cap = n;
        all->gathered = mem_resize(all->gathered, n * sizeof(struct frame *));
    }
    memcpy(all->gathered, frames, n * sizeof(struct frame *));
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
    for (uint32_t i = 0; i < all->turn_count; i++) {
        struct outbox *box = all->turns[i];
        if (!box)
            continue;
        box->turn = 0;
        flush(all, box);
    }
    all->turn_count = 0;
    /* Frames may be freed and their addresses used again before the next turn. */
    all->gathered_count = 0;
}
