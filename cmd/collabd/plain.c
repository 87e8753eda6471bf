#include "plain.h"
#include "action.h"

enum { REF_BYTES_MAX = 64 };

static struct frame *event_frame(const struct event *e, struct span text)
{
    (void)e;
    return frame_text(&text, 1);
}

static struct frame *finish(struct json *message, const struct request *r)
{
    struct buf text = {0};
    if (r && r->ref.len)
        json_add_raw(message, "ref", r->ref);
    json_write(message, &text);
    json_free(message);
    struct span part = buf_span(&text);
    struct frame *frame = frame_text(&part, 1);
    buf_fini(&text);
    return frame;
}

static void add_document(struct json *message, const char *name, const struct json *document)
{
    struct buf text = {0};
    json_write(document, &text);
    json_add_raw(message, name, buf_span(&text));
    buf_fini(&text);
}

static struct frame *reply_frame(const struct request *r, const char *type, const struct json *data)
{
    struct json *message = json_new_object();
    json_add_text(message, "type", type);
    if (data)
        add_document(message, "data", data);
    return finish(message, r);
}

static struct frame *error_frame(const struct request *r, enum error_code code, const char *text,
                                 const struct json *detail)
{
    struct json *message = json_new_object();
    json_add_text(message, "type", "error");
    json_add_text(message, "code", error_name(code));
    json_add_text(message, "message", text);
    if (detail)
        add_document(message, "data", detail);
    return finish(message, r);
}

static struct frame *close_frame(enum close_code code)
{
    return frame_close(code, close_reason(code));
}

const struct codec plain_codec = {
    .index = CODEC_PLAIN,
    .event = event_frame,
    .reply = reply_frame,
    .error = error_frame,
    .ping = frame_ping,
    .close = close_frame,
};

static void refuse(struct session *s, const struct request *r, const char *message)
{
    session_refuse(s, r, ERROR_BAD_MESSAGE, message, NULL);
}

/* The ref, which goes back as it came: a string or a number, and a short one. */
static bool read_ref(struct span message, struct request *r)
{
    struct span ref;
    if (!json_get(message, "ref", &ref))
        return true;
    enum json_type type = json_type(ref);
    if ((type != JSON_STRING && type != JSON_NUMBER) || ref.len > REF_BYTES_MAX)
        return false;
    r->ref = ref;
    return true;
}

void plain_receive(struct session *s, struct span text)
{
    struct request r = {0};
    struct span type;
    struct fault f;
    s->gateway->metrics.value[M_MESSAGES_IN]++;
    if (json_check(text, &f) != 0) {
        refuse(s, &r, f.text);
        return;
    }
    text = json_trim(text);
    if (json_type(text) != JSON_OBJECT) {
        refuse(s, &r, "a message is a JSON object with a type");
        return;
    }
    if (!read_ref(text, &r)) {
        refuse(s, &r, "ref: must be a string or a number of at most 64 bytes");
        return;
    }
    if (!json_get(text, "type", &type) || json_type(type) != JSON_STRING) {
        refuse(s, &r, "type: must be a string");
        return;
    }
    json_get(text, "data", &r.data);
    action_do(s, type, &r);
}
