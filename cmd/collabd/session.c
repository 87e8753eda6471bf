#include "session.h"
#include "clock.h"
#include "ident.h"
#include "mem.h"
#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

#define SESSION_OF(pointer, member)                                                                \
    ((struct session *)(void *)((char *)(pointer)-offsetof(struct session, member)))

/* When there is nothing else to look at, a session's time comes this often. */
static int64_t beat_ms(const struct session *s)
{
    return s->gateway->limits.ping_ms;
}

struct session *session_new(struct gateway *g, const struct codec *codec, struct link *link)
{
    struct session *s = mem_zero(sizeof(*s));
    s->gateway = g;
    s->codec = codec;
    s->link = link;
    s->refs = 1;
    s->opened_ms = s->heard_ms = clock_steady_ms();
    ident_random(s->id, SESSION_ID_CHARS);
    DL_APPEND(g->sessions, s);
    g->metrics.value[M_CONNECTIONS]++;
    g->metrics.value[M_CONNECTIONS_OPENED]++;
    wheel_set(g->wheel, &s->timer, s->opened_ms + g->limits.auth_ms);
    return s;
}

void session_ended(struct session *s)
{
    struct gateway *g = s->gateway;
    s->link = NULL;
    s->closing = true;
    wheel_cancel(&s->timer);
    outbox_fini(g->outboxes, &s->outbox);
    DL_DELETE(g->sessions, s);
    g->metrics.value[M_CONNECTIONS]--;
    g->metrics.value[M_CONNECTIONS_CLOSED]++;
    if (s->who)
        g->metrics.value[M_SESSIONS]--;
}

struct session *session_ref(struct session *s)
{
    s->refs++;
    return s;
}

void session_unref(struct session *s)
{
    if (--s->refs)
        return;
    assert(!s->link && !s->seat_count);
    identity_free(s->who);
    free(s->seats);
    free(s);
}

/* The next time at which something may be due: a beat, or the token's end. */
static int64_t next_due_ms(const struct session *s, int64_t now_ms)
{
    int64_t due = now_ms + beat_ms(s);
    if (!s->who->expires_s)
        return due;
    int64_t expires_in_ms = s->who->expires_s * 1000 - clock_wall_ms();
    return expires_in_ms < beat_ms(s) ? now_ms + expires_in_ms : due;
}

void session_identify(struct session *s, struct identity *who)
{
    if (!s->who)
        s->gateway->metrics.value[M_SESSIONS]++;
    identity_free(s->who);
    s->who = who;
    wheel_set(s->gateway->wheel, &s->timer, next_due_ms(s, clock_steady_ms()));
}

void session_heard(struct session *s)
{
    s->heard_ms = clock_steady_ms();
}

void session_writable(struct session *s)
{
    outbox_wake(s->gateway->outboxes, &s->outbox);
}

void session_close(struct session *s, enum close_code code)
{
    struct outboxes *all = s->gateway->outboxes;
    if (s->closing)
        return;
    s->closing = true;
    if (code == CLOSE_SLOW)
        outbox_drop(all, &s->outbox);
    outbox_put(all, &s->outbox, s->codec->close(code), INT64_MAX);
    s->link->kind->close(s->link);
}

void session_put(struct session *s, struct frame *frame)
{
    struct gateway *g = s->gateway;
    if (s->closing) {
        frame_unref(frame);
        return;
    }
    if (outbox_put(g->outboxes, &s->outbox, frame, g->settings.outbox_bytes_max))
        return;
    g->metrics.value[M_SLOW_CLOSED]++;
    session_close(s, CLOSE_SLOW);
}

void session_reply(struct session *s, const struct request *r, const char *type,
                   const struct json *data)
{
    struct frame *frame = s->codec->reply(s->gateway->catalog, r, type, data);
    if (frame)
        session_put(s, frame);
}

void session_refuse(struct session *s, const struct request *r, enum error_code code,
                    const char *message, const struct json *detail)
{
    struct frame *frame = s->codec->error(s->gateway->catalog, r, code, message, detail);
    if (!frame)
        return;
    s->gateway->metrics.value[M_ERRORS_OUT]++;
    session_put(s, frame);
}

bool session_send(struct outbox *box, struct span frames)
{
    struct session *s = SESSION_OF(box, outbox);
    return s->link->kind->send(s->link, frames);
}

/* What the clock finds wrong with the session; 0: nothing. */
static enum close_code overdue(const struct session *s, int64_t now_ms)
{
    const struct settings *set = &s->gateway->settings;
    if (!s->who)
        return CLOSE_LATE;
    if (s->who->expires_s && clock_wall_ms() / 1000 >= s->who->expires_s)
        return CLOSE_EXPIRED;
    if (s->outbox.blocked_ms && now_ms - s->outbox.blocked_ms >= set->outbox_ms_max)
        return CLOSE_SLOW;
    if (now_ms - s->heard_ms >= s->gateway->limits.silence_ms)
        return CLOSE_SILENT;
    return 0;
}

static void count_overdue(struct metrics *m, enum close_code code)
{
    if (code == CLOSE_SLOW)
        m->value[M_SLOW_CLOSED]++;
    if (code == CLOSE_SILENT)
        m->value[M_SILENT_CLOSED]++;
    if (code == CLOSE_LATE)
        m->value[M_AUTH_FAILURES]++;
}

void session_due(struct wheel_timer *timer)
{
    struct session *s = SESSION_OF(timer, timer);
    int64_t now_ms = clock_steady_ms();
    enum close_code code = overdue(s, now_ms);
    if (code) {
        count_overdue(&s->gateway->metrics, code);
        session_close(s, code);
        return;
    }
    outbox_trim(&s->outbox);
    if (!s->closing)
        session_put(s, s->codec->ping());
    wheel_set(s->gateway->wheel, timer, next_due_ms(s, now_ms));
}
