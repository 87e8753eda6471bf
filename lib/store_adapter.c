#include "adapter.h"
#include "mem.h"
#include "store_base.h"
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct adapter {
    struct adapter *next;
    struct span prefix, nsp;
};

static void add_name(struct buf *out, const struct store_adapter *a)
{
    static const char *const marks[] = {ADAPTER_BROADCAST, ADAPTER_REQUEST, ADAPTER_RESPONSE};

    buf_join(out, a->prefix);
    buf_text(out, marks[a->channel]);
    buf_join(out, a->nsp);
    buf_char(out, '#');
    if (a->room.len == 0)
        return;
    buf_join(out, a->room);
    buf_char(out, '#');
}

/* --- listening ----------------------------------------------------------------------------- */

static void remember(struct store *s, struct span prefix, struct span nsp)
{
    struct adapter *a;

    LL_FOREACH (s->adapters, a) {
        if (span_equal(a->prefix, prefix) && span_equal(a->nsp, nsp))
            return;
    }
    a = mem_alloc(sizeof(*a));
    *a = (struct adapter){.prefix = {span_text(prefix), prefix.len},
                          .nsp = {span_text(nsp), nsp.len}};
    LL_PREPEND(s->adapters, a);
}

/* Appends a name as a pattern of Redis that takes it alone. */
static void add_escaped(struct buf *out, struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (strchr("*?[]\\", name.at[i]))
            buf_char(out, '\\');
        buf_char(out, name.at[i]);
    }
}

/* Servers count those who listen to requests, and wait for that many answers: so that one is a
 * channel, and not a pattern. */
void store_adapter_listen(struct store *s, struct span prefix, struct span nsp)
{
    struct store_adapter a = {STORE_BROADCAST, prefix, nsp, {NULL, 0}};
    struct buf name = {0}, pattern = {0};

    remember(s, prefix, nsp);
    add_name(&name, &a);
    add_escaped(&pattern, buf_span(&name));
    buf_char(&pattern, '*');
    store_ask(s, LISTEN_PATTERN, buf_span(&pattern));
    buf_clear(&name);
    a.channel = STORE_REQUEST;
    add_name(&name, &a);
    store_ask(s, LISTEN, buf_span(&name));
    buf_fini(&pattern);
    buf_fini(&name);
}

/* --- what arrives -------------------------------------------------------------------------- */

static bool take_prefix(struct span *rest, struct span prefix)
{
    if (rest->len < prefix.len || memcmp(rest->at, prefix.at, prefix.len) != 0)
        return false;
    span_drop(rest, prefix.len);
    return true;
}

static bool read_name(struct span name, struct store_adapter *a)
{
    struct span rest = name;

    if (!take_prefix(&rest, a->prefix))
        return false;
    if (take_prefix(&rest, span_of(ADAPTER_REQUEST)))
        a->channel = STORE_REQUEST;
    else if (take_prefix(&rest, span_of(ADAPTER_BROADCAST)))
        a->channel = STORE_BROADCAST;
    else
        return false;
    if (!take_prefix(&rest, a->nsp) || !take_prefix(&rest, span_of("#")))
        return false;
    if (rest.len == 0)
        return true;
    a->room = (struct span){rest.at, rest.len - 1};
    return a->channel == STORE_BROADCAST && rest.at[rest.len - 1] == '#';
}

void store_adapter_take(struct store *s, struct span channel, struct span message)
{
    const struct adapter *a;

    LL_FOREACH (s->adapters, a) {
        struct store_adapter from = {.prefix = a->prefix, .nsp = a->nsp};
        if (!read_name(channel, &from))
            continue;
        s->hooks->adapter(s->ctx, &from, message);
        return;
    }
}

void store_adapters_free(struct store *s)
{
    while (s->adapters) {
        struct adapter *a = s->adapters;
        LL_DELETE(s->adapters, a);
        free((void *)a->prefix.at);
        free((void *)a->nsp.at);
        free(a);
    }
}

/* --- publishing ---------------------------------------------------------------------------- */

static void publish(struct store *s, const struct store_adapter *to, struct span message,
                    struct store_call *call)
{
    buf_clear(&s->name);
    add_name(&s->name, to);
    struct span publish[] = {span_of("PUBLISH"), buf_span(&s->name), message};
    redis_command(s->redis, call ? store_call_reply : NULL, call, 3, publish);
}

void store_adapter_publish(struct store *s, const struct store_adapter *to, struct span message,
                           store_done *done, void *arg)
{
    publish(s, to, message, done ? store_call(s, done, arg, 1) : NULL);
}

void store_adapter_event(struct store *s, struct span prefix, const char *const *namespaces,
                         struct span note, store_done *done, void *arg)
{
    struct store_adapter to = {STORE_BROADCAST, prefix, {NULL, 0}, adapter_event_room(note)};
    /* One reply more, which comes at the end, so that none has to. */
    struct store_call *call = done ? store_call(s, done, arg, 1) : NULL;
    struct buf message = {0};

    for (const char *const *nsp = namespaces; *nsp; nsp++) {
        to.nsp = span_of(*nsp);
        buf_clear(&message);
        adapter_event_write(note, to.nsp, &message);
        if (call)
            call->waiting++;
        publish(s, &to, buf_span(&message), call);
    }
    buf_fini(&message);
    if (call && --call->waiting == 0)
        store_call_end(call);
}
