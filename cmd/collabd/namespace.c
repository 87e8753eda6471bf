#include "namespace.h"
#include "eio.h"
#include "log.h"
#include "recover.h"
#include "sio.h"
#include <stdlib.h>

enum { LOG_KIND_RESERVED = 4 };

static const struct span none;

/* --- packets -------------------------------------------------------------------------------- */

static void add_head(const struct codec *k, enum sio_type type, int attachments, struct span ack,
                     struct buf *out)
{
    buf_char(out, EIO_MESSAGE);
    sio_head_format(out, type, attachments, k->nsp, ack);
}

/* A packet and its attachments, as one frame. */
static struct frame *binary_packet(struct span text, const struct sio_attachments *a)
{
    struct buf out = {0};
    frame_add_text(&out, text);
    for (int i = 0; i < a->count; i++)
        frame_add_binary(&out, buf_span(&a->bytes[i]));
    struct frame *frame = frame_join(buf_span(&out));
    buf_fini(&out);
    return frame;
}

/* A packet whose JSON is made of three pieces; bytes may be in the middle one. */
static struct frame *packet(const struct codec *k, enum sio_type type, struct span ack,
                            struct span before, struct span value, struct span after)
{
    struct sio_attachments a = {0};
    struct buf head = {0}, lifted = {0};
    struct frame *frame;
    if (sio_lift(value, &lifted, &a)) {
        add_head(k, type == SIO_EVENT ? SIO_BINARY_EVENT : SIO_BINARY_ACK, a.count, ack, &head);
        buf_join(&head, before);
        buf_join(&head, buf_span(&lifted));
        buf_join(&head, after);
        frame = binary_packet(buf_span(&head), &a);
    } else {
        add_head(k, type, 0, ack, &head);
        const struct span parts[] = {buf_span(&head), before, value, after};
        frame = frame_text(parts, 4);
    }
    sio_attachments_fini(&a);
    buf_fini(&lifted);
    buf_fini(&head);
    return frame;
}

/* An event with one argument, and what more is to follow it. type: encoded, without its quotes. */
static struct frame *event_packet(const struct codec *k, struct span type, struct span data,
                                  struct span more)
{
    struct buf before = {0}, after = {0};
    buf_text(&before, "[\"");
    buf_join(&before, type);
    buf_text(&before, "\",");
    buf_join(&after, more);
    buf_char(&after, ']');
    struct frame *frame = packet(k, SIO_EVENT, none, buf_span(&before),
                                 data.len ? data : span_of("null"), buf_span(&after));
    buf_fini(&before);
    buf_fini(&after);
    return frame;
}

struct frame *namespace_event(const struct session *s, struct span args)
{
    return packet(s->codec, SIO_EVENT, none, none, args, none);
}

struct frame *namespace_ack(const struct session *s, const struct request *r, struct span args)
{
    return packet(s->codec, SIO_ACK, r->ref, none, args, none);
}

void namespace_disconnect(const struct codec *k, struct buf *frames)
{
    struct buf head = {0};
    add_head(k, SIO_DISCONNECT, 0, none, &head);
    frame_add_text(frames, buf_span(&head));
    buf_fini(&head);
}

struct frame *namespace_refusal(struct span name, const char *message, const char *more)
{
    struct buf text = {0};
    buf_char(&text, EIO_MESSAGE);
    sio_head_format(&text, SIO_CONNECT_ERROR, 0, name, none);
    buf_text(&text, "{\"message\":");
    json_encode(&text, span_of(message));
    buf_printf(&text, "%s}", more);
    struct span part = buf_span(&text);
    struct frame *frame = frame_text(&part, 1);
    buf_fini(&text);
    return frame;
}

/* --- the codec ------------------------------------------------------------------------------ */

static bool is_signal(const struct catalog *c, const struct event *e)
{
    const struct catalog_event *rule = catalog_event(c, e->type);
    return rule && rule->class == CATALOG_SIGNAL;
}

static const struct gateway *gateway_of_codec(const struct codec *k)
{
    return ((const struct namespace *)k)->gateway;
}

/* The last argument: from where a client can go on that comes back. It keeps the last that is a
 * string, so it must be ours, of whatever event. */
static void write_offset(const struct gateway *g, struct buf *out)
{
    if (!recover_is_on(g))
        return;
    buf_text(out, ",\"");
    recover_offset(g, out);
    buf_char(out, '"');
}

static void warn_reserved(struct span type)
{
    log_limited(LOG_KIND_RESERVED, LOG_WARNING,
                "%.*s: not sent to Socket.IO clients, who keep the name for themselves",
                (int)type.len, type.at);
}

/* The second argument. */
static void write_meta(const struct event *e, bool waited, struct buf *out)
{
    struct buf meta = {0};
    event_format_meta(e, &meta);
    if (waited) {
        buf_text(out, ",{\"offline\":true");
        *meta.at = meta.len > 2 ? ',' : ' ';
    } else {
        buf_char(out, ',');
    }
    buf_join(out, buf_span(&meta));
    buf_fini(&meta);
}

/* A client library would end its connection over a name that it keeps for itself. */
static struct frame *write_frame(const struct codec *k, const struct catalog *c,
                                 const struct event *e, bool waited)
{
    struct buf more = {0};
    if (sio_is_reserved(e->type)) {
        warn_reserved(e->type);
        return NULL;
    }
    if (c->socketio.meta || waited)
        write_meta(e, waited, &more);
    /* A signal may be overtaken, and what it said then would no longer be so. */
    if (!is_signal(c, e))
        write_offset(gateway_of_codec(k), &more);
    else if (recover_is_on(gateway_of_codec(k)))
        buf_text(&more, ",null");
    struct frame *frame = event_packet(k, e->type, e->data, buf_span(&more));
    buf_fini(&more);
    return frame;
}

static struct frame *event_frame(const struct codec *k, const struct catalog *c,
                                 const struct event *e, struct span text)
{
    (void)text;
    return write_frame(k, c, e, false);
}

static struct frame *waited_frame(const struct codec *k, const struct catalog *c,
                                  const struct event *e, struct span text)
{
    (void)text;
    return write_frame(k, c, e, true);
}

/* A client's callback stands after the last argument: where one is wanted, nothing is added. */
static struct frame *emit_frame(const struct codec *k, struct span args, struct span ack)
{
    struct json_walk w = json_walk(args);
    struct span name;
    struct buf all = {0};
    if (json_next_element(&w, &name) && sio_is_reserved(name)) {
        warn_reserved(name);
        return NULL;
    }
    buf_add(&all, args.at, args.len - 1);
    if (!ack.len)
        write_offset(gateway_of_codec(k), &all);
    buf_char(&all, ']');
    struct frame *frame = packet(k, SIO_EVENT, ack, none, buf_span(&all), none);
    buf_fini(&all);
    return frame;
}

/* The answer to CONNECT. */
static struct frame *welcome_frame(const struct codec *k, const struct session *s)
{
    const char *pid = recover_pid(s);
    struct buf text = {0};
    add_head(k, SIO_CONNECT, 0, none, &text);
    buf_printf(&text, "{\"sid\":\"%s\"", s->id);
    if (pid)
        buf_printf(&text, ",\"pid\":\"%s\"", pid);
    buf_char(&text, '}');
    struct span part = buf_span(&text);
    struct frame *frame = frame_text(&part, 1);
    buf_fini(&text);
    return frame;
}

/* The members of an object, in place of its braces. */
static void add_members(struct buf *out, const struct json *object)
{
    struct buf text = {0};
    json_write(object, &text);
    if (text.len > 2) {
        buf_char(out, ',');
        buf_add(out, text.at + 1, text.len - 2);
    }
    buf_fini(&text);
}

static struct frame *acknowledge(const struct codec *k, const struct request *r, struct span result)
{
    return packet(k, SIO_ACK, r->ref, span_of("["), result, span_of("]"));
}

static struct frame *reply_frame(const struct codec *k, const struct catalog *c,
                                 const struct request *r, const char *type, const struct json *data)
{
    struct buf text = {0};
    struct frame *frame = NULL;
    (void)c;
    if (r->ref.len) {
        buf_text(&text, "{\"ok\":true");
        if (data)
            add_members(&text, data);
        buf_char(&text, '}');
        frame = acknowledge(k, r, buf_span(&text));
    } else if (type) {
        if (data)
            json_write(data, &text);
        frame = event_packet(k, span_of(type), buf_span(&text), none);
    }
    buf_fini(&text);
    return frame;
}

static struct frame *error_frame(const struct codec *k, const struct catalog *c,
                                 const struct request *r, enum error_code code, const char *message,
                                 const struct json *detail)
{
    struct buf text = {0};
    struct frame *frame = NULL;
    buf_printf(&text, "{%s\"code\":\"%s\",\"message\":", r->ref.len ? "\"ok\":false," : "",
               error_name(code));
    json_encode(&text, span_of(message));
    if (detail) {
        buf_text(&text, ",\"data\":");
        json_write(detail, &text);
    }
    buf_char(&text, '}');
    if (r->ref.len)
        frame = acknowledge(k, r, buf_span(&text));
    else if (c->notices.error)
        frame = event_packet(k, span_of(c->notices.error), buf_span(&text), none);
    buf_fini(&text);
    return frame;
}

void namespace_init(struct namespace *nsp, const struct gateway *g, int number, struct span name)
{
    *nsp = (struct namespace){
        .codec =
            {
                .index = CODEC_SOCKETIO + number,
                .nsp = {span_text(name), name.len},
                .event = event_frame,
                .waited = waited_frame,
                .emit = emit_frame,
                .reply = reply_frame,
                .error = error_frame,
                .welcome = welcome_frame,
            },
        .gateway = g,
    };
}

void namespace_fini(struct namespace *nsp)
{
    free((void *)nsp->codec.nsp.at);
}
