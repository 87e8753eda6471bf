#include "plain.h"
#include "action.h"
#include "auth.h"
#include "away.h"
#include "clock.h"
#include "session.h"
#include "throttle.h"
#include <inttypes.h>
#include <string.h>

enum { REF_BYTES_MAX = 64 };

/* --- names -------------------------------------------------------------------------------- */

/* Who asks for collab.v1 is spoken to in its own names; all others in those of the catalog. */
static const struct catalog_envelope v1_envelope = {
    .type = "type",
    .data = "data",
    .id = "id",
    .room = "room",
    .rooms = "rooms",
    .user = "user",
    .time = "time",
    .version = "version",
    .ref = "ref",
    .offline = "offline",
    .errors = CATALOG_ERRORS_TOP,
};
static const struct catalog_notices v1_notices = {
    .ack = "connection.ack",
    .error = "error",
    .gap = "gap",
};

static const struct catalog_envelope *envelope_of(const struct codec *k, const struct catalog *c)
{
    return k->index == CODEC_V1 ? &v1_envelope : &c->envelope;
}

/* --- out ---------------------------------------------------------------------------------- */

/* Whether the catalog calls the fields of an event what the event calls them. */
static bool speaks_events(const struct catalog_envelope *v)
{
    const char *const pairs[][2] = {
        {v->type, "type"}, {v->data, "data"}, {v->id, "id"},       {v->room, "room"},
        {v->user, "user"}, {v->time, "time"}, {v->rooms, "rooms"}, {v->version, "version"},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        if (!pairs[i][0] || strcmp(pairs[i][0], pairs[i][1]) != 0)
            return false;
    return true;
}

static void add_name(struct buf *out, const char *name)
{
    buf_char(out, out->len ? ',' : '{');
    json_encode(out, span_of(name));
    buf_char(out, ':');
}

/* text: as it stands in JSON, without the quotes. */
static void add_string(struct buf *out, const char *name, struct span text)
{
    if (!name || !text.len)
        return;
    add_name(out, name);
    buf_char(out, '"');
    buf_join(out, text);
    buf_char(out, '"');
}

static void add_rooms(struct buf *out, const char *name, const struct event *e)
{
    if (!name || e->room_count < 2)
        return;
    add_name(out, name);
    for (int i = 0; i < e->room_count; i++) {
        buf_text(out, i ? ",\"" : "[\"");
        buf_join(out, e->rooms[i]);
        buf_char(out, '"');
    }
    buf_char(out, ']');
}

static void write_event(const struct catalog_envelope *v, const struct event *e, struct buf *out)
{
    add_string(out, v->id, e->id);
    add_string(out, v->type, e->type);
    add_string(out, v->room, e->room);
    add_rooms(out, v->rooms, e);
    add_string(out, v->user, e->user);
    add_string(out, v->time, e->time);
    if (v->version && e->version >= 0) {
        add_name(out, v->version);
        buf_printf(out, "%" PRId64, e->version);
    }
    add_name(out, v->data);
    buf_join(out, e->data.len ? e->data : span_of("null"));
    buf_char(out, '}');
}

/* out: what is said of it first, or empty. */
static struct frame *finish_event(const struct catalog_envelope *v, const struct event *e,
                                  struct buf *out)
{
    write_event(v, e, out);
    struct span whole = buf_span(out);
    struct frame *frame = frame_text(&whole, 1);
    buf_fini(out);
    return frame;
}

static struct frame *event_frame(const struct codec *k, const struct catalog *c,
                                 const struct event *e, struct span text)
{
    const struct catalog_envelope *v = envelope_of(k, c);
    struct buf out = {0};
    if (v == &v1_envelope || speaks_events(v))
        return frame_text(&text, 1);
    return finish_event(v, e, &out);
}

static struct frame *waited_frame(const struct codec *k, const struct catalog *c,
                                  const struct event *e, struct span text)
{
    const struct catalog_envelope *v = envelope_of(k, c);
    struct buf out = {0};
    if (!v->offline)
        return event_frame(k, c, e, text);
    add_name(&out, v->offline);
    buf_text(&out, "true");
    return finish_event(v, e, &out);
}

static void embed_event(const struct codec *k, const struct catalog *c, struct span text,
                        struct buf *out)
{
    const struct catalog_envelope *v = envelope_of(k, c);
    struct buf renamed = {0};
    struct event e;
    struct fault f;
    if (v != &v1_envelope && !speaks_events(v) && event_parse(&e, text, false, &f) == 0) {
        write_event(v, &e, &renamed);
        text = buf_span(&renamed);
    }
    buf_join(out, text);
    buf_fini(&renamed);
}

static void add_document(struct json *message, const char *name, const struct json *document)
{
    struct buf text = {0};
    json_write(document, &text);
    json_add_raw(message, name, buf_span(&text));
    buf_fini(&text);
}

static void add_time(struct json *message, const struct catalog_envelope *v)
{
    char now[CLOCK_STAMP_BYTES];
    if (!v->time)
        return;
    clock_stamp(clock_wall_ms(), now);
    json_add_text(message, v->time, now);
}

static struct frame *finish(const struct catalog_envelope *v, const struct request *r,
                            struct json *message)
{
    struct buf text = {0};
    if (r->ref.len && v->ref)
        json_add_raw(message, v->ref, r->ref);
    add_time(message, v);
    json_write(message, &text);
    json_free(message);
    struct span part = buf_span(&text);
    struct frame *frame = frame_text(&part, 1);
    buf_fini(&text);
    return frame;
}

static struct frame *reply_frame(const struct codec *k, const struct catalog *c,
                                 const struct request *r, const char *type, const struct json *data)
{
    const struct catalog_envelope *v = envelope_of(k, c);
    if (!type)
        return NULL;
    struct json *message = json_new_object();
    json_add_text(message, v->type, type);
    if (data)
        add_document(message, v->data, data);
    return finish(v, r, message);
}

static struct frame *error_frame(const struct codec *k, const struct catalog *c,
                                 const struct request *r, enum error_code code, const char *text,
                                 const struct json *detail)
{
    const struct catalog_envelope *v = envelope_of(k, c);
    const char *type = k->notices ? k->notices->error : c->notices.error;
    if (!type)
        return NULL;
    struct json *message = json_new_object();
    json_add_text(message, v->type, type);
    struct json *at = message;
    if (v->errors == CATALOG_ERRORS_DATA)
        at = json_add_object(message, v->data);
    json_add_text(at, "code", error_name(code));
    json_add_text(at, "message", text);
    if (detail)
        add_document(at, at == message ? v->data : "detail", detail);
    return finish(v, r, message);
}

static struct frame *close_frame(const struct session *s, enum close_code code)
{
    (void)s;
    return frame_close(code, close_reason(code));
}

#define CODEC(number, names)                                                                       \
    {                                                                                              \
        .index = number, .nsp = {"/", 1}, .notices = names, .event = event_frame,                  \
        .waited = waited_frame, .reply = reply_frame, .error = error_frame, .embed = embed_event,  \
        .ping = frame_ping, .close = close_frame,                                                  \
    }
static const struct codec codec = CODEC(CODEC_PLAIN, NULL);
static const struct codec v1_codec = CODEC(CODEC_V1, &v1_notices);

/* --- in ----------------------------------------------------------------------------------- */

/* What can't be understood counts as a message too. */
static void refuse(struct session *s, const struct request *r, const char *message)
{
    if (throttle_message(s, r))
        session_refuse(s, r, ERROR_BAD_MESSAGE, message, NULL);
}

/* The ref, which goes back as it came: a string or a number, and a short one. */
static bool read_ref(struct span message, const char *name, struct request *r)
{
    struct span ref;
    if (!name || !json_get(message, name, &ref))
        return true;
    enum json_type type = json_type(ref);
    if ((type != JSON_STRING && type != JSON_NUMBER) || ref.len > REF_BYTES_MAX)
        return false;
    r->ref = ref;
    return true;
}

/* A request of the envelope's form. False after refusing it. */
static bool read_request(struct session *s, struct span text, struct request *r, struct span *type)
{
    const struct catalog_envelope *v = envelope_of(s->codec, s->gateway->catalog);
    struct fault f;
    if (json_check(text, &f) != 0) {
        refuse(s, r, f.text);
        return false;
    }
    text = json_trim(text);
    if (json_type(text) != JSON_OBJECT) {
        refuse(s, r, "a message is a JSON object with a type");
        return false;
    }
    if (!read_ref(text, v->ref, r)) {
        refuse(s, r, "ref: must be a string or a number of at most 64 bytes");
        return false;
    }
    if (!json_get(text, v->type, type) || json_type(*type) != JSON_STRING) {
        refuse(s, r, "type: must be a string");
        return false;
    }
    *type = (struct span){type->at + 1, type->len - 2};
    json_get(text, v->data, &r->data);
    return true;
}

static void receive(struct session *s, struct span text)
{
    struct request r = {0};
    struct span type;
    s->gateway->metrics.value[M_MESSAGES_IN]++;
    if (read_request(s, text, &r, &type) && throttle_message(s, &r))
        action_do(s, type, &r);
}

/* --- connections -------------------------------------------------------------------------- */

static const struct request unasked;

/* What a client brings along. */
struct arrival {
    struct gateway *gateway;
    struct span token;  /* empty: none came */
    bool must;          /* one had to come */
    struct span device; /* empty: it doesn't say on which */
    const struct codec *codec;
    struct account *address;
};

/* One without a token where none may come later. */
static void refuse_unknown(struct session *s)
{
    struct fault f;
    auth_missing(s->gateway, s->gateway->catalog->auth.from & ~(unsigned)CATALOG_FROM_AUTH, &f);
    session_refuse(s, &unasked, ERROR_UNAUTHENTICATED, f.text, NULL);
    session_close(s, CLOSE_POLICY);
}

static void *opened(void *arg, struct link *l)
{
    struct arrival *a = arg;
    link_open(a->gateway, l, a->address);
    struct session *s = session_new(a->gateway, a->codec, l);
    struct fault f;
    if (a->device.len && away_name(s, a->device, &f) != 0) {
        session_refuse(s, &unasked, ERROR_BAD_MESSAGE, f.text, NULL);
        session_close(s, CLOSE_POLICY);
    } else if (a->token.len)
        action_enter(s, a->token, &unasked);
    else if (a->must)
        refuse_unknown(s);
    return s;
}

static void message(void *arg, struct link *l, struct span text, bool binary)
{
    (void)l;
    if (binary)
        refuse(arg, &unasked, "binary messages are not part of " PROTOCOL_NAME);
    else
        receive(arg, text);
}

static void heard(void *arg)
{
    session_heard(arg);
}

static void writable(void *arg, struct link *l)
{
    struct session *s = arg;
    link_writable(s->gateway, l);
}

static void broken(void *arg, struct link *l, enum close_code code)
{
    (void)l;
    session_close(arg, code);
}

static void ended(void *arg, struct link *l)
{
    struct session *s = arg;
    action_goodbye(s);
    link_shut(s->gateway, l);
    session_ended(s);
    session_unref(s);
}

static const struct receiver receiver = {
    .opened = opened,
    .message = message,
    .heard = heard,
    .writable = writable,
    .broken = broken,
    .ended = ended,
};

static void upgrade(void *ctx, struct web_upgrade *u)
{
    const struct web_request *r = u->request;
    const struct auth_request ask = {
        .query = r->query,
        .authorization = r->headers[WEB_AUTHORIZATION],
        .protocols = r->headers[WEB_WS_PROTOCOL],
    };
    struct arrival a = {.gateway = ctx, .codec = &codec, .address = r->address};
    unsigned from = a.gateway->catalog->auth.from;
    a.token = auth_find(&ask, from);
    a.device = web_query(r->query, "device");
    a.must = (from & CATALOG_FROM_MESSAGE) == 0;
    struct fault f;
    int64_t wait_ms = a.token.len ? auth_wait_ms(a.gateway, a.address) : 0;
    if (web_lists(ask.protocols, PROTOCOL_NAME))
        a.codec = &v1_codec;
    if (wait_ms) {
        auth_too_often(a.gateway, wait_ms, &f);
        u->refuse(u, 429, f.text);
        return;
    }
    u->take(u, &receiver, &a);
}

static bool leads(void *ctx, struct span path)
{
    const struct gateway *g = ctx;
    return catalog_has_path(g->catalog->endpoints.websocket, path);
}

const struct web_site plain_site = {.leads = leads, .upgrade = upgrade};
