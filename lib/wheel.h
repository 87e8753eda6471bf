/* A timer wheel: very many coarse timers for little memory and constant work each.
 *
 * A uv_timer_t costs 152 bytes and a heap operation; a gateway keeps one deadline for each
 * connection and moves it often. Timers fire at most one tick late, never early. */
#ifndef WHEEL_H
#define WHEEL_H

#include <stdbool.h>
#include <stdint.h>

struct wheel_timer {
    struct wheel_timer *next; /* NULL while idle */
    struct wheel_timer *prev;
    int64_t due_ms; /* in the steady clock's milliseconds */
};

struct wheel;

/* fire: called for each timer that is due, which is idle again by then and may be set anew,
 * or freed with what holds it. */
typedef void wheel_fire(struct wheel_timer *timer, void *ctx);
struct wheel *wheel_new(int tick_ms, int64_t now_ms, wheel_fire *fire, void *ctx);
/* Timers that are still set become idle. NULL: nothing. */
void wheel_free(struct wheel *w);

/* (Re)sets a timer; due times in the past fire at the next turn. A timer of all zero is idle. */
void wheel_set(struct wheel *w, struct wheel_timer *t, int64_t due_ms);
void wheel_cancel(struct wheel_timer *t);
bool wheel_is_set(const struct wheel_timer *t);

/* Fires all that are due. The caller turns it once a tick, from a timer of its loop. */
void wheel_turn(struct wheel *w, int64_t now_ms);

#endif
