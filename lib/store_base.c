#include "store_base.h"
#include "mem.h"
#include <stdlib.h>

struct span store_name(struct store *s, const char *prefix, struct span rest)
{
    buf_clear(&s->name);
    buf_text(&s->name, prefix);
    buf_join(&s->name, rest);
    return buf_span(&s->name);
}

struct span store_key(struct buf *b, const char *prefix, struct span rest)
{
    buf_clear(b);
    buf_text(b, prefix);
    buf_char(b, '{');
    buf_join(b, rest);
    buf_char(b, '}');
    return buf_span(b);
}

struct store_call *store_call(struct store *s, store_done *done, void *arg, int replies)
{
    struct store_call *c = mem_alloc(sizeof(*c));

    *c = (struct store_call){.redis = s->redis, .done = done, .arg = arg, .waiting = replies};
    return c;
}

void store_call_note(struct store_call *c, const struct reply *r)
{
    if (!r) {
        c->result = STORE_UNAVAILABLE;
    } else if (reply_kind(r) == REPLY_ERROR && c->result == STORE_DONE) {
        c->result = STORE_REFUSED;
        c->why = span_text(reply_text(r));
    }
}

void store_call_end(struct store_call *c)
{
    const char *why = c->result == STORE_REFUSED ? c->why : redis_why(c->redis);

    if (c->done)
        c->done(c->arg, c->result, c->result == STORE_DONE ? NULL : why);
    free(c->why);
    free(c);
}

void store_call_reply(void *arg, const struct reply *r)
{
    struct store_call *c = arg;

    store_call_note(c, r);
    if (--c->waiting == 0)
        store_call_end(c);
}
