#include "asyncapi.h"
#include "form.h"
#include "json.h"
#include <stdio.h>
#include <string.h>

enum { VERSION_CHARS = 12 };

#define CHANNEL   "#/channels/websocket"
#define COMPONENT "#/components/messages/"

/* The document, and the parts of it that grow. */
struct draft {
    const struct catalog *catalog;
    struct json *channel;    /* its messages */
    struct json *components; /* the messages themselves */
    struct json *sent, *received;
    struct arena arena;
    int count;
};

/* --- schemas ------------------------------------------------------------------------------ */

static void add_object(struct json *schema, const struct form *f);

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the paths of a catalog, which are short */
static void add_field(struct json *properties, const struct form *f)
{
    if (!f->fields && !f->words) {
        json_add_raw(properties, f->name, span_of(f->type ? f->type->schema : "{}"));
        return;
    }
    struct json *schema = json_add_object(properties, f->name);
    if (f->fields) {
        add_object(schema, f);
        return;
    }
    struct json *words = json_add_array(schema, "enum");
    for (int i = 0; f->words[i]; i++)
        json_push_span(words, span_of(f->words[i]));
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the paths of a catalog, which are short */
static void add_object(struct json *schema, const struct form *f)
{
    json_add_text(schema, "type", "object");
    struct json *properties = json_add_object(schema, "properties");
    struct json *required = NULL;
    for (const struct form *one = f->fields; one; one = one->next) {
        add_field(properties, one);
        if (!one->needed)
            continue;
        if (!required)
            required = json_add_array(schema, "required");
        json_push_span(required, span_of(one->name));
    }
}

static void add_data(struct json *properties, const char *name, const struct form *data)
{
    struct json *schema = json_add_object(properties, name);
    if (data->fields)
        add_object(schema, data);
}

/* --- messages ----------------------------------------------------------------------------- */

/* A key of the document is made of letters, digits and . - _ alone. */
static const char *key_of(struct draft *d, const char *direction, const char *type)
{
    struct buf key = {0};
    buf_printf(&key, "%s.%d.", direction, ++d->count);
    for (; *type; type++) {
        bool plain = (*type >= 'a' && *type <= 'z') || (*type >= 'A' && *type <= 'Z') ||
                     (*type >= '0' && *type <= '9') || strchr(".-_", *type);
        buf_char(&key, plain ? *type : '_');
    }
    const char *text = arena_text(&d->arena, buf_span(&key));
    buf_fini(&key);
    return text;
}

static void add_reference(struct json *object, const char *where, const char *key)
{
    char text[256];
    snprintf(text, sizeof(text), "%s%s", where, key);
    json_add_text(object, "$ref", text);
}

/* A message in the channel and in the operation that sends or receives it. Returns the properties
 * of its payload. */
static struct json *add_message(struct draft *d, bool sent, const char *type, const char *about)
{
    const struct catalog_envelope *v = &d->catalog->envelope;
    const char *key = key_of(d, sent ? "event" : "message", type);
    struct json *message = json_add_object(d->components, key);
    struct json *reference = json_new_object();
    add_reference(json_add_object(d->channel, key), COMPONENT, key);
    add_reference(reference, CHANNEL "/messages/", key);
    json_push(sent ? d->sent : d->received, reference);
    json_add_text(message, "name", type);
    if (about)
        json_add_text(message, "summary", about);
    struct json *payload = json_add_object(message, "payload");
    json_add_text(payload, "type", "object");
    json_push_span(json_add_array(payload, "required"), span_of(v->type));
    struct json *properties = json_add_object(payload, "properties");
    struct json *schema = json_add_object(properties, v->type);
    size_t len = strlen(type);
    if (sent && len && type[len - 1] == '*')
        json_add_text(schema, "type", "string");
    else
        json_add_text(schema, "const", type);
    return properties;
}

static void add_field_of(struct json *properties, const char *name, const char *schema)
{
    if (name)
        json_add_raw(properties, name, span_of(schema));
}

static void add_event(struct draft *d, const struct catalog_event *e)
{
    static const char string[] = "{\"type\":\"string\"}";
    const struct catalog_envelope *v = &d->catalog->envelope;
    struct json *properties = add_message(d, true, e->type, e->about);
    add_field_of(properties, v->room, string);
    add_field_of(properties, v->rooms, "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}");
    add_field_of(properties, v->user, string);
    add_field_of(properties, v->time, "{\"type\":\"string\",\"format\":\"date-time\"}");
    add_field_of(properties, v->id, string);
    if (e->class == CATALOG_KEPT)
        add_field_of(properties, v->offline, "{\"type\":\"boolean\"}");
    if (e->version != CATALOG_UNVERSIONED)
        add_field_of(properties, v->version, "{\"type\":\"integer\"}");
    add_data(properties, v->data, form_of_event(e, &d->arena));
}

static void add_request(struct draft *d, const struct catalog_message *m)
{
    const struct catalog_envelope *v = &d->catalog->envelope;
    struct json *properties = add_message(d, false, m->name, m->about);
    add_field_of(properties, v->ref, "{\"type\":[\"string\",\"number\"]}");
    add_data(properties, v->data, form_of_message(m, &d->arena));
}

/* --- the document ------------------------------------------------------------------------- */

static void add_info(struct json *document, const struct catalog *c)
{
    struct json *info = json_add_object(document, "info");
    json_add_text(info, "title", c->name);
    json_add_span(info, "version", (struct span){c->digest, VERSION_CHARS});
    if (c->about)
        json_add_text(info, "description", c->about);
}

static struct json *add_channel(struct json *document, const struct catalog *c)
{
    struct json *channels = json_add_object(document, "channels");
    struct json *channel = json_add_object(channels, "websocket");
    const char *path = c->endpoints.websocket[0];
    if (path)
        json_add_text(channel, "address", path);
    else
        json_add_null(channel, "address");
    return json_add_object(channel, "messages");
}

/* Returns its list of messages. */
static struct json *add_operation(struct json *operations, const char *name, const char *action)
{
    struct json *operation = json_add_object(operations, name);
    json_add_text(operation, "action", action);
    json_add_text(json_add_object(operation, "channel"), "$ref", CHANNEL);
    return json_add_array(operation, "messages");
}

void asyncapi_write(const struct catalog *c, struct buf *out)
{
    struct draft d = {.catalog = c};
    struct json *document = json_new_object();
    json_add_text(document, "asyncapi", "3.0.0");
    add_info(document, c);
    d.channel = add_channel(document, c);
    struct json *operations = json_add_object(document, "operations");
    d.sent = add_operation(operations, "sendEvents", "send");
    d.received = add_operation(operations, "receiveMessages", "receive");
    d.components = json_add_object(json_add_object(document, "components"), "messages");
    for (size_t i = 0; i < c->event_count; i++)
        add_event(&d, &c->events[i]);
    for (size_t i = 0; i < c->message_count; i++)
        add_request(&d, &c->messages[i]);
    json_write_pretty(document, out);
    json_free(document);
    arena_fini(&d.arena);
}
