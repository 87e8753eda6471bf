#include "typescript.h"
#include "form.h"
#include "json.h"
#include <string.h>

enum { INDENT = 2 };

static const char reply_type[] =
    "/** What an acknowledgement callback gets. */\n"
    "export type Reply<T = object> =\n"
    "  | ({ ok: true } & T)\n"
    "  | { ok: false; code: string; message: string; data?: unknown };\n\n";

static const char meta_type[] = "/** What comes with an event beside its data. */\n"
                                "export interface EventMeta {\n"
                                "  id?: string;\n"
                                "  room: string;\n"
                                "  user?: string;\n"
                                "  time: string;\n"
                                "  version?: number;\n"
                                "}\n\n";

/* --- comments ----------------------------------------------------------------------------- */

/* Text of a catalog, in which a comment can't end. */
static void add_comment(struct buf *out, int depth, const char *text)
{
    if (!text || !*text)
        return;
    buf_printf(out, "%*s/** ", depth * INDENT, "");
    for (; *text; text++)
        buf_text(out, text[0] == '*' && text[1] == '/' ? "* " : (char[2]){*text, '\0'});
    buf_text(out, " */\n");
}

/* --- data --------------------------------------------------------------------------------- */

static bool is_identifier(const char *name)
{
    return !strchr(name, '-') && !(*name >= '0' && *name <= '9');
}

static void add_words(struct buf *out, const char *const *words)
{
    for (int i = 0; words[i]; i++) {
        buf_text(out, i ? " | " : "");
        json_encode(out, span_of(words[i]));
    }
}

static void add_object(struct buf *out, const struct form *f);

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the paths of a catalog, which are short */
static void add_type(struct buf *out, const struct form *f)
{
    if (f->fields)
        add_object(out, f);
    else if (f->words)
        add_words(out, f->words);
    else
        buf_text(out, f->type ? f->type->typescript : "unknown");
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the paths of a catalog, which are short */
static void add_object(struct buf *out, const struct form *f)
{
    buf_text(out, "{ ");
    for (const struct form *one = f->fields; one; one = one->next) {
        const char *quote = is_identifier(one->name) ? "" : "\"";
        buf_printf(out, "%s%s%s%s: ", quote, one->name, quote, one->needed ? "" : "?");
        add_type(out, one);
        buf_text(out, "; ");
    }
    buf_text(out, "[field: string]: unknown }");
}

/* --- what the gateway sends --------------------------------------------------------------- */

static bool is_family(const char *type)
{
    size_t len = strlen(type);
    return len && type[len - 1] == '*';
}

/* A family's type has to take all that belongs to it: it says something of its data only if no
 * other event does. */
static bool is_alone(const struct catalog *c, const struct catalog_event *family)
{
    size_t prefix = strlen(family->type) - 1;
    for (size_t i = 0; i < c->event_count; i++)
        if (&c->events[i] != family && strncmp(c->events[i].type, family->type, prefix) == 0)
            return false;
    return true;
}

/* As the key of an index signature: `user:${string}`. */
static void add_family_key(struct buf *out, const char *type)
{
    buf_text(out, "[type: `");
    for (const char *at = type; at[1]; at++)
        buf_printf(out, "%s%c", strchr("`$\\", *at) ? "\\" : "", *at);
    buf_text(out, "${string}`]");
}

static void add_event(struct buf *out, const struct catalog *c, const struct catalog_event *e)
{
    struct arena arena = {0};
    bool family = is_family(e->type);
    /* With that, any name at all would be allowed: a misspelt one too. */
    if (strcmp(e->type, "*") == 0)
        return;
    add_comment(out, 1, e->about);
    buf_text(out, "  ");
    if (family)
        add_family_key(out, e->type);
    else
        json_encode(out, span_of(e->type));
    buf_text(out, ": (data: ");
    if (family && !is_alone(c, e))
        buf_text(out, "any");
    else
        add_type(out, form_of_event(e, &arena));
    buf_printf(out, "%s) => void;\n", c->socketio.meta ? ", meta: EventMeta" : "");
    arena_fini(&arena);
}

static void add_notice(struct buf *out, const char *name, const char *argument)
{
    if (!name)
        return;
    buf_text(out, "  ");
    json_encode(out, span_of(name));
    buf_printf(out, ": (%s) => void;\n", argument);
}

static void add_server_events(struct buf *out, const struct catalog *c)
{
    buf_text(out, "export interface ServerToClientEvents {\n");
    for (size_t i = 0; i < c->event_count; i++)
        add_event(out, c, &c->events[i]);
    add_notice(out, c->notices.ack,
               "data: { connection: string; user: string; node: string; "
               "[field: string]: unknown }");
    add_notice(out, c->notices.error, "error: { code: string; message: string; data?: unknown }");
    add_notice(out, c->notices.gap, "data: { [field: string]: unknown }");
    buf_text(out, "}\n\n");
}

/* --- what clients send -------------------------------------------------------------------- */

static void add_message(struct buf *out, const struct catalog_message *m)
{
    struct arena arena = {0};
    const struct form *data = form_of_message(m, &arena);
    const struct form *reply = form_of_reply(m, &arena);
    add_comment(out, 1, m->about);
    buf_text(out, "  ");
    json_encode(out, span_of(m->name));
    buf_printf(out, ": (data%s: ", data->needed ? "" : "?");
    add_type(out, data);
    buf_text(out, ", ack?: (reply: Reply");
    if (reply->fields) {
        buf_char(out, '<');
        add_object(out, reply);
        buf_char(out, '>');
    }
    buf_text(out, ") => void) => void;\n");
    arena_fini(&arena);
}

void typescript_write(const struct catalog *c, struct buf *out)
{
    buf_printf(out, "// Made from the catalog %s by collab-catalog types.\n\n", c->name);
    buf_text(out, reply_type);
    if (c->socketio.meta)
        buf_text(out, meta_type);
    add_comment(out, 0, c->about);
    add_server_events(out, c);
    buf_text(out, "export interface ClientToServerEvents {\n");
    for (size_t i = 0; i < c->message_count; i++)
        add_message(out, &c->messages[i]);
    buf_text(out, "}\n");
}
