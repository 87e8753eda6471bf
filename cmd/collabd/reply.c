#include "reply.h"
#include "mem.h"
#include <stdlib.h>

struct waiting *reply_wait(struct session *s, const struct request *r, struct json *data)
{
    struct waiting *w = mem_zero(sizeof(*w));
    w->session = session_ref(s);
    w->catalog = catalog_ref(s->gateway->catalog);
    w->request.message = r->message;
    w->request.ref = span_of(span_text(r->ref));
    w->data = data;
    return w;
}

static void waiting_free(struct waiting *w)
{
    session_unref(w->session);
    catalog_unref(w->catalog);
    json_free(w->data);
    free((char *)w->request.ref.at);
    free(w);
}

void reply_done_as(struct waiting *w, const char *type)
{
    session_reply(w->session, &w->request, type, w->data);
    waiting_free(w);
}

void reply_done(struct waiting *w)
{
    reply_done_as(w, w->request.message->reply);
}

void reply_refused(struct waiting *w, enum error_code code, const char *why)
{
    session_refuse(w->session, &w->request, code, why, NULL);
    waiting_free(w);
}

void reply_refused_all(struct waiting *w, enum error_code code, const char *why)
{
    session_refuse(w->session, &w->request, code, why, w->data);
    waiting_free(w);
}

void reply_degraded(struct waiting *w, const char *why)
{
    json_add_bool(w->data, "degraded", true);
    json_add_text(w->data, "reason", why);
}
