#include "wheel.h"

#include "mem.h"
#include <assert.h>
#include <stdlib.h>

/* A hashed wheel: a timer waits in the slot of the tick that it is due at, and one that is due
 * in a later turn of the wheel stays there when the wheel comes by. */
enum { SLOTS = 1024 };

struct wheel {
    int tick_ms;
    int64_t ticks; /* how many have passed */
    wheel_fire *fire;
    void *ctx;
    struct wheel_timer slots[SLOTS]; /* heads of circular lists */
};

static void list_init(struct wheel_timer *head)
{
    head->next = head->prev = head;
}

static void list_append(struct wheel_timer *head, struct wheel_timer *t)
{
    t->prev = head->prev;
    t->next = head;
    head->prev->next = t;
    head->prev = t;
}

/* The first tick at which now is not before due_ms. */
static int64_t tick_of(const struct wheel *w, int64_t due_ms)
{
    return due_ms / w->tick_ms + (due_ms % w->tick_ms > 0);
}

struct wheel *wheel_new(int tick_ms, int64_t now_ms, wheel_fire *fire, void *ctx)
{
    struct wheel *w = mem_alloc(sizeof(*w));

    assert(tick_ms > 0);
    w->tick_ms = tick_ms;
    w->ticks = now_ms / tick_ms;
    w->fire = fire;
    w->ctx = ctx;
    for (int i = 0; i < SLOTS; i++)
        list_init(&w->slots[i]);
    return w;
}

void wheel_free(struct wheel *w)
{
    if (!w)
        return;
    for (int i = 0; i < SLOTS; i++)
        while (w->slots[i].next != &w->slots[i])
            wheel_cancel(w->slots[i].next);
    free(w);
}

void wheel_set(struct wheel *w, struct wheel_timer *t, int64_t due_ms)
{
    wheel_cancel(t);
    t->due_ms = due_ms;
    int64_t tick = tick_of(w, due_ms);
    if (tick <= w->ticks)
        tick = w->ticks + 1;
    list_append(&w->slots[tick % SLOTS], t);
}

void wheel_cancel(struct wheel_timer *t)
{
    if (!t->next)
        return;
    t->prev->next = t->next;
    t->next->prev = t->prev;
    t->next = t->prev = NULL;
}

bool wheel_is_set(const struct wheel_timer *t)
{
    return t->next != NULL;
}

static void take_due(struct wheel *w, struct wheel_timer *slot, struct wheel_timer *due)
{
    struct wheel_timer *next;

    for (struct wheel_timer *t = slot->next; t != slot; t = next) {
        next = t->next;
        if (tick_of(w, t->due_ms) > w->ticks)
            continue;
        wheel_cancel(t);
        list_append(due, t);
    }
}

/* All that is due is gathered before any of it fires: whatever fire() then sets, cancels or
 * frees, no list is being walked. */
void wheel_turn(struct wheel *w, int64_t now_ms)
{
    struct wheel_timer due;
    int64_t from = w->ticks + 1;

    list_init(&due);
    w->ticks = now_ms / w->tick_ms > w->ticks ? now_ms / w->tick_ms : w->ticks;
    if (w->ticks - from >= SLOTS)
        from = w->ticks - SLOTS + 1;
    for (int64_t tick = from; tick <= w->ticks; tick++)
        take_due(w, &w->slots[tick % SLOTS], &due);
    while (due.next != &due) {
        struct wheel_timer *t = due.next;
        wheel_cancel(t);
        w->fire(t, w->ctx);
    }
}
