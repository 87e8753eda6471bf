#include "session.h"
#include "clock.h"
#include "ident.h"
#include "mem.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void session_due(struct alarm *alarm);

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
    s->alarm.ring = session_due;
    table_add(&g->sessions, &s->node, (struct span){s->id, SESSION_ID_CHARS});
    wheel_set(g->wheel, &s->alarm.timer, s->opened_ms + g->limits.auth_ms);
    return s;
}

struct session *session_find(const struct gateway *g, struct span id)
{
    return table_find(&g->sessions, id);
}

void session_rename(struct session *s, const char *id)
{
    struct gateway *g = s->gateway;
    table_remove(&g->sessions, &s->node);
    memcpy(s->id, id, SESSION_ID_CHARS);
    table_add(&g->sessions, &s->node, (struct span){s->id, SESSION_ID_CHARS});
}

void session_ended(struct session *s)
{
    struct gateway *g = s->gateway;
    s->link = NULL;
    wheel_cancel(&s->alarm.timer);
    table_remove(&g->sessions, &s->node);
    if (!g->sessions.count)
        table_fini(&g->sessions);
    if (!s->who)
        return;
    g->metrics.value[M_SESSIONS]--;
    s->account->connections--;
    account_release(s->account);
    s->account = NULL;
}

bool session_is_closing(const struct session *s)
{
    return !s->link || s->link->closing;
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
    free(s->device);
    free(s);
}

/* As long as the token is good for a new connection, so that none is let in only to go. */
static int64_t expires_ms(const struct session *s)
{
    return s->who->expires_s * 1000 + s->gateway->settings.leeway_ms;
}

/* The next time at which something may be due: a beat, or the token's end. */
static int64_t next_due_ms(const struct session *s, int64_t now_ms)
{
    int64_t due = now_ms + beat_ms(s);
    if (!s->who->expires_s)
        return due;
    int64_t expires_in_ms = expires_ms(s) - clock_wall_ms();
    return expires_in_ms < beat_ms(s) ? now_ms + expires_in_ms : due;
}

void session_close(struct session *s, enum close_code code)
{
    if (session_is_closing(s))
        return;
    if (code == CLOSE_SLOW)
        outbox_drop(s->gateway->outboxes, &s->link->outbox);
    link_close(s->gateway, s->link, s->codec->close(s, code));
}

void session_part(struct session *s, enum close_code code)
{
    if (!session_is_closing(s) && s->codec->part)
        s->codec->part(s);
    else
        session_close(s, code);
}

static void take_account(struct session *s, const struct identity *who)
{
    struct gateway *g = s->gateway;
    struct span user = span_of(who->user);
    g->metrics.value[M_SESSIONS]++;
    s->account = account_hold(account_get(&g->accounts, ACCOUNT_USER, user, clock_steady_ms()));
    if (++s->account->connections <= g->limits.user_connections)
        return;
    g->metrics.value[M_CONNECTIONS_REFUSED]++;
    session_close(s, CLOSE_TOO_MANY);
}

void session_identify(struct session *s, struct identity *who)
{
    if (!s->who)
        take_account(s, who);
    identity_free(s->who);
    s->who = who;
    wheel_set(s->gateway->wheel, &s->alarm.timer, next_due_ms(s, clock_steady_ms()));
}

const struct catalog_notices *session_notices(const struct session *s)
{
    return s->codec->notices ? s->codec->notices : &s->gateway->catalog->notices;
}

void session_heard(struct session *s)
{
    s->heard_ms = clock_steady_ms();
}

void session_put(struct session *s, struct frame *frame)
{
    if (!frame)
        return;
    if (session_is_closing(s)) {
        frame_unref(frame);
        return;
    }
    if (link_put(s->gateway, s->link, frame))
        return;
    s->gateway->metrics.value[M_SLOW_CLOSED]++;
    session_close(s, CLOSE_SLOW);
}

void session_welcome(struct session *s)
{
    if (s->welcomed)
        return;
    s->welcomed = true;
    if (s->codec->welcome)
        session_put(s, s->codec->welcome(s->codec, s));
}

void session_ping(struct session *s)
{
    if (!s->codec->ping) {
        s->link->kind->ping(s->link);
        return;
    }
    s->link->pings++;
    session_put(s, s->codec->ping());
}

void session_reply(struct session *s, const struct request *r, const char *type,
                   const struct json *data)
{
    session_put(s, s->codec->reply(s->codec, s->gateway->catalog, r, type, data));
}

void session_refuse(struct session *s, const struct request *r, enum error_code code,
                    const char *message, const struct json *detail)
{
    struct frame *frame = s->codec->error(s->codec, s->gateway->catalog, r, code, message, detail);
    if (!frame)
        return;
    s->gateway->metrics.value[M_ERRORS_OUT]++;
    session_put(s, frame);
}

void session_embed(const struct session *s, struct span text, struct buf *out)
{
    if (s->codec->embed)
        s->codec->embed(s->codec, s->gateway->catalog, text, out);
    else
        buf_join(out, text);
}

/* What the clock finds wrong with the session; 0: nothing. */
static enum close_code overdue(const struct session *s, int64_t now_ms)
{
    if (!s->who)
        return CLOSE_LATE;
    if (s->who->expires_s && clock_wall_ms() >= expires_ms(s))
        return CLOSE_EXPIRED;
    if (s->codec->ping && now_ms - s->heard_ms >= s->gateway->limits.silence_ms)
        return CLOSE_SILENT;
    return 0;
}

static void count_overdue(struct metrics *m, enum close_code code)
{
    if (code == CLOSE_SILENT)
        m->value[M_SILENT_CLOSED]++;
    if (code == CLOSE_LATE)
        m->value[M_AUTH_FAILURES]++;
}

static void session_due(struct alarm *alarm)
{
    struct session *s = (struct session *)(void *)((char *)alarm - offsetof(struct session, alarm));
    int64_t now_ms = clock_steady_ms();
    if (session_is_closing(s))
        return;
    enum close_code code = overdue(s, now_ms);
    if (code) {
        count_overdue(&s->gateway->metrics, code);
        session_close(s, code);
        return;
    }
    outbox_trim(&s->link->outbox);
    if (s->codec->ping)
        session_ping(s);
    wheel_set(s->gateway->wheel, &alarm->timer, next_due_ms(s, now_ms));
}
