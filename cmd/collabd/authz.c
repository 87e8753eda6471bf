#include "authz.h"
#include "clock.h"
#include "ident.h"
#include "json.h"
#include "log.h"
#include "mem.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

enum {
    LOG_KIND_AUTHZ = 6,
    TICK_MS = 20,
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 5000,
    OUTSTANDING_MAX = 10000,
    CACHE_MAX = 100000,
    ANSWER_BYTES_MAX = 65536,
    FOR_MAX_S = 86400,
};

/* Somebody who waits for an answer. */
struct asker {
    struct asker *next;
    authz_done *done;
    void *arg;
};

/* A question under way. Whoever asks the same waits for it too. */
struct question {
    UT_hash_handle hh; /* by key */
    UT_hash_handle by_id;
    int64_t id;
    int64_t due_ms; /* steady: then it means no */
    struct asker *askers;
    uint32_t len;
    char key[]; /* user, NUL, room */
};

/* An answer that may be used again. */
struct known {
    UT_hash_handle hh;
    int64_t until_ms; /* steady */
    bool allow;
    uint32_t len;
    char key[];
};

/* One life of the helper. Its memory goes when its handles have closed. */
struct helper {
    struct authz *authz; /* NULL: it is given up */
    uv_process_t process;
    uv_pipe_t in, out;
    struct buf line;
    int open; /* handles */
    char chunk[16384];
};

struct authz {
    struct gateway *gateway;
    authz_changed *changed;
    struct helper *helper; /* NULL while there is none */
    struct question *questions, *questions_by_id;
    struct known *cache;
    int64_t last_id;
    int64_t backoff_ms;
    uv_timer_t tick, retry;
    bool stopped;
};

/* --- answers ------------------------------------------------------------------------------- */

static void settle(struct authz *a, struct question *q, enum authz_answer answer, const char *why)
{
    struct asker *asker, *next;
    HASH_DELETE(hh, a->questions, q);
    HASH_DELETE(by_id, a->questions_by_id, q);
    if (answer == AUTHZ_SILENT)
        a->gateway->metrics.value[M_AUTHZ_SILENT]++;
    LL_FOREACH_SAFE (q->askers, asker, next) {
        asker->done(asker->arg, answer, why);
        free(asker);
    }
    free(q);
    if (!a->questions)
        uv_timer_stop(&a->tick);
}

static void settle_all(struct authz *a, const char *why)
{
    while (a->questions)
        settle(a, a->questions, AUTHZ_SILENT, why);
}

static bool is_about(const struct known *k, struct span user)
{
    return !user.len || (k->len > user.len && memcmp(k->key, user.at, user.len) == 0 &&
                         k->key[user.len] == '\0');
}

/* Forgets what was answered of a user; of everybody, when that is empty. */
static void drop_cache(struct authz *a, struct span user)
{
    struct known *k, *next;
    HASH_ITER (hh, a->cache, k, next) {
        if (!is_about(k, user))
            continue;
        HASH_DEL(a->cache, k);
        free(k);
    }
}

static void remember(struct authz *a, const struct question *q, bool allow, int64_t for_s)
{
    struct known *k;
    if (for_s <= 0)
        return;
    if (HASH_COUNT(a->cache) >= CACHE_MAX)
        drop_cache(a, (struct span){0});
    k = mem_zero(sizeof(*k) + q->len);
    k->len = q->len;
    k->allow = allow;
    k->until_ms = clock_steady_ms() + for_s * 1000;
    memcpy(k->key, q->key, q->len);
    HASH_ADD(hh, a->cache, key, k->len, k);
}

/* Whether a line answers a question, and how. */
static int read_answer(struct authz *a, struct span line, struct question **q, bool *allow,
                       int64_t *for_s, struct fault *f)
{
    struct span value;
    int64_t id;
    if (!json_get(line, "id", &value) || json_type(value) != JSON_NUMBER ||
        json_int(value, &id) != 0)
        return fault_set(f, "an answer without an id");
    HASH_FIND(by_id, a->questions_by_id, &id, sizeof(id), *q);
    if (!*q)
        return fault_set(f, "an answer to no question, or too late: id %lld", (long long)id);
    if (!json_get(line, "allow", &value) || json_type(value) != JSON_BOOL)
        return fault_set(f, "an answer whose allow is neither true nor false");
    *allow = span_is(value, "true");
    *for_s = 0;
    if (json_get(line, "for", &value) &&
        (json_type(value) != JSON_NUMBER || json_int(value, for_s) != 0 || *for_s < 0 ||
         *for_s > FOR_MAX_S))
        return fault_set(f, "an answer whose for is no number of seconds up to a day");
    return 0;
}

static int take_answer(struct authz *a, struct span line, struct fault *f)
{
    struct question *q = NULL;
    bool allow = false;
    int64_t for_s = 0;
    if (read_answer(a, line, &q, &allow, &for_s, f) != 0)
        return -1;
    remember(a, q, allow, for_s);
    settle(a, q, allow ? AUTHZ_YES : AUTHZ_NO, "the authorization helper says no");
    return 0;
}

static int take_change(struct authz *a, struct span value, struct fault *f)
{
    struct buf user = {0};
    if (json_type(value) == JSON_STRING && json_inside(value).len)
        json_decode(value, &user);
    else if (!span_is(value, "true"))
        return fault_set(f, "changed: must be a user or true");
    drop_cache(a, buf_span(&user));
    a->changed(a->gateway, buf_span(&user));
    buf_fini(&user);
    return 0;
}

static void take_line(struct authz *a, struct span line)
{
    struct fault f;
    struct span value;
    int failed = json_check(line, &f);
    line = json_trim(line);
    if (!failed && json_get(line, "changed", &value))
        failed = take_change(a, value, &f);
    else if (!failed)
        failed = take_answer(a, line, &f);
    if (failed) {
        a->gateway->metrics.value[M_AUTHZ_BAD]++;
        log_limited(LOG_KIND_AUTHZ, LOG_WARNING, "authorization helper: %s", f.text);
        return;
    }
    a->backoff_ms = BACKOFF_MIN_MS;
}

/* --- the helper's life --------------------------------------------------------------------- */

static void start(struct authz *a);

static void on_retry(uv_timer_t *timer)
{
    start(timer->data);
}

static void handle_closed(uv_handle_t *handle)
{
    struct helper *h = handle->data;
    if (--h->open)
        return;
    buf_fini(&h->line);
    free(h);
}

static void close_handles(struct helper *h)
{
    uv_close((uv_handle_t *)&h->in, handle_closed);
    uv_close((uv_handle_t *)&h->out, handle_closed);
    uv_close((uv_handle_t *)&h->process, handle_closed);
}

/* It is given up: what was asked is answered no, and another one is tried after a while. */
static void give_up(struct helper *h, const char *why)
{
    struct authz *a = h->authz;
    struct fault f;
    if (!a)
        return;
    h->authz = NULL;
    a->helper = NULL;
    if (uv_is_active((uv_handle_t *)&h->process))
        uv_process_kill(&h->process, SIGKILL);
    close_handles(h);
    fault_set(&f, "the authorization helper: %s", why);
    settle_all(a, f.text);
    if (a->stopped)
        return;
    a->gateway->metrics.value[M_AUTHZ_RESTARTS]++;
    log_limited(LOG_KIND_AUTHZ, LOG_WARNING, "authorization helper: %s; again in %lld ms", why,
                (long long)a->backoff_ms);
    uv_timer_start(&a->retry, on_retry, (uint64_t)a->backoff_ms, 0);
    a->backoff_ms = a->backoff_ms * 2 < BACKOFF_MAX_MS ? a->backoff_ms * 2 : BACKOFF_MAX_MS;
}

static void on_ended(uv_process_t *process, int64_t status, int number)
{
    char why[64];
    if (number)
        snprintf(why, sizeof(why), "ended by signal %d", number);
    else
        snprintf(why, sizeof(why), "ended with status %lld", (long long)status);
    give_up(process->data, why);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *into)
{
    struct helper *h = handle->data;
    (void)suggested;
    *into = uv_buf_init(h->chunk, sizeof(h->chunk));
}

static void take_lines(struct helper *h)
{
    const char *end;
    while (h->authz && (end = memchr(h->line.at, '\n', h->line.len))) {
        size_t len = (size_t)(end - h->line.at);
        take_line(h->authz, (struct span){h->line.at, len});
        buf_drop(&h->line, len + 1);
    }
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *from)
{
    struct helper *h = stream->data;
    if (n < 0) {
        give_up(h, "closed its output");
        return;
    }
    buf_add(&h->line, from->base, (size_t)n);
    take_lines(h);
    if (h->line.len > ANSWER_BYTES_MAX)
        give_up(h, "an answer is longer than 64 KiB");
}

static void start(struct authz *a)
{
    struct helper *h = mem_zero(sizeof(*h));
    char *argv[] = {"/bin/sh", "-c", a->gateway->settings.authz, NULL};
    uv_stdio_container_t stdio[] = {
        {.flags = (uv_stdio_flags)(UV_CREATE_PIPE | UV_READABLE_PIPE),
         .data.stream = (uv_stream_t *)&h->in},
        {.flags = (uv_stdio_flags)(UV_CREATE_PIPE | UV_WRITABLE_PIPE),
         .data.stream = (uv_stream_t *)&h->out},
        {.flags = UV_INHERIT_FD, .data.fd = 2},
    };
    uv_process_options_t options = {
        .exit_cb = on_ended, .file = argv[0], .args = argv, .stdio = stdio, .stdio_count = 3};
    uv_pipe_init(a->gateway->loop, &h->in, 0);
    uv_pipe_init(a->gateway->loop, &h->out, 0);
    h->in.data = h->out.data = h->process.data = h;
    h->open = 3;
    h->authz = a;
    a->helper = h;
    int error = uv_spawn(a->gateway->loop, &h->process, &options);
    if (error)
        give_up(h, uv_strerror(error));
    else
        uv_read_start((uv_stream_t *)&h->out, on_alloc, on_read);
}

/* --- questions ----------------------------------------------------------------------------- */

static void on_tick(uv_timer_t *timer)
{
    struct authz *a = timer->data;
    struct question *q, *next;
    int64_t now_ms = clock_steady_ms();
    HASH_ITER (hh, a->questions, q, next)
        if (q->due_ms <= now_ms)
            settle(a, q, AUTHZ_SILENT, "the authorization helper did not answer in time");
}

struct sending {
    uv_write_t write;
    struct buf text;
};

static void on_written(uv_write_t *write, int status)
{
    struct sending *s = write->data;
    (void)status; /* its end is told by others */
    buf_fini(&s->text);
    free(s);
}

static void send_question(struct helper *h, const struct question *q, struct span user,
                          struct span room)
{
    struct sending *s = mem_zero(sizeof(*s));
    buf_printf(&s->text, "{\"id\":%lld,\"ask\":\"%s\",\"user\":", (long long)q->id,
               room.len ? "join" : "connect");
    json_encode(&s->text, user);
    if (room.len) {
        buf_text(&s->text, ",\"room\":");
        json_encode(&s->text, room);
    }
    buf_text(&s->text, "}\n");
    uv_buf_t bytes = uv_buf_init(s->text.at, (unsigned)s->text.len);
    s->write.data = s;
    if (uv_write(&s->write, (uv_stream_t *)&h->in, &bytes, 1, on_written) != 0)
        on_written(&s->write, -1);
}

static struct question *make_question(struct authz *a, const struct buf *key)
{
    struct question *q = mem_zero(sizeof(*q) + key->len);
    q->id = ++a->last_id;
    q->due_ms = clock_steady_ms() + a->gateway->settings.authz_ms;
    q->len = (uint32_t)key->len;
    memcpy(q->key, key->at, key->len);
    HASH_ADD(hh, a->questions, key, q->len, q);
    HASH_ADD(by_id, a->questions_by_id, id, sizeof(q->id), q);
    if (!uv_is_active((uv_handle_t *)&a->tick))
        uv_timer_start(&a->tick, on_tick, TICK_MS, TICK_MS);
    return q;
}

/* What is known still: true, with the answer. */
static bool look_up(struct authz *a, const struct buf *key, bool *allow)
{
    struct known *k;
    HASH_FIND(hh, a->cache, key->at, key->len, k);
    if (!k)
        return false;
    if (k->until_ms > clock_steady_ms()) {
        *allow = k->allow;
        return true;
    }
    HASH_DEL(a->cache, k);
    free(k);
    return false;
}

static void ask(struct authz *a, const struct buf *key, struct span user, struct span room,
                authz_done *done, void *arg)
{
    struct question *q;
    HASH_FIND(hh, a->questions, key->at, key->len, q);
    if (!q && (!a->helper || HASH_COUNT(a->questions) >= OUTSTANDING_MAX)) {
        a->gateway->metrics.value[M_AUTHZ_SILENT]++;
        done(arg, AUTHZ_SILENT,
             a->helper ? "too much is asked of the authorization helper"
                       : "the authorization helper is not there");
        return;
    }
    if (!q) {
        q = make_question(a, key);
        send_question(a->helper, q, user, room);
    }
    struct asker *asker = mem_alloc(sizeof(*asker));
    *asker = (struct asker){NULL, done, arg};
    LL_APPEND(q->askers, asker);
}

void authz_ask(struct authz *a, struct span user, struct span room, authz_done *done, void *arg)
{
    struct buf key = {0};
    bool allow;
    if (!a) {
        done(arg, AUTHZ_NO, "there is no authorization helper");
        return;
    }
    a->gateway->metrics.value[M_AUTHZ_ASKED]++;
    buf_join(&key, user);
    buf_char(&key, '\0');
    buf_join(&key, room);
    if (look_up(a, &key, &allow))
        done(arg, allow ? AUTHZ_YES : AUTHZ_NO, "the authorization helper says no");
    else
        ask(a, &key, user, room, done, arg);
    buf_fini(&key);
}

size_t authz_load(const struct authz *a)
{
    return HASH_COUNT(a->questions);
}

/* --- life ---------------------------------------------------------------------------------- */

struct authz *authz_new(struct gateway *g, authz_changed *changed)
{
    if (!g->settings.authz)
        return NULL;
    struct authz *a = mem_zero(sizeof(*a));
    a->gateway = g;
    a->changed = changed;
    a->backoff_ms = BACKOFF_MIN_MS;
    uv_timer_init(g->loop, &a->tick);
    uv_timer_init(g->loop, &a->retry);
    a->tick.data = a->retry.data = a;
    start(a);
    return a;
}

void authz_stop(struct authz *a)
{
    if (!a)
        return;
    a->stopped = true;
    if (a->helper)
        give_up(a->helper, "the gateway ends");
    uv_close((uv_handle_t *)&a->tick, NULL);
    uv_close((uv_handle_t *)&a->retry, NULL);
}

void authz_free(struct authz *a)
{
    if (!a)
        return;
    drop_cache(a, (struct span){0});
    free(a);
}
