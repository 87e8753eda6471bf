#include "sio.h"
#include "base64.h"
#include "json.h"
#include <string.h>

static const char BINARY_KEY[] = "\"$binary\"";

/* --- reading a packet ---------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t count_digits(struct span s)
{
    size_t n = 0;

    while (n < s.len && is_digit(s.at[n]))
        n++;
    return n;
}

static int take_type(struct span *rest, struct sio_packet *p, struct fault *f)
{
    if (rest->len == 0 || rest->at[0] < '0' || rest->at[0] > '0' + SIO_BINARY_ACK)
        return fault_set(f, "no packet has the type of %s", fault_quote(*rest));
    p->type = (enum sio_type)(rest->at[0] - '0');
    span_drop(rest, 1);
    return 0;
}

static int take_attachments(struct span *rest, struct sio_packet *p, struct fault *f)
{
    if (p->type != SIO_BINARY_EVENT && p->type != SIO_BINARY_ACK)
        return 0;
    size_t n = count_digits(*rest);
    if (n == 0 || n == rest->len || rest->at[n] != '-')
        return fault_set(f, "a binary packet does not say how many attachments it has");
    for (size_t i = 0; i < n && p->attachments <= SIO_ATTACHMENTS_MAX; i++)
        p->attachments = p->attachments * 10 + (rest->at[i] - '0');
    if (p->attachments > SIO_ATTACHMENTS_MAX)
        return fault_set(f, "more than %d attachments", SIO_ATTACHMENTS_MAX);
    span_drop(rest, n + 1);
    return 0;
}

static int take_namespace(struct span *rest, struct sio_packet *p, struct fault *f)
{
    p->nsp = span_of("/");
    if (rest->len == 0 || rest->at[0] != '/')
        return 0;
    const char *comma = memchr(rest->at, ',', rest->len);
    p->nsp = (struct span){rest->at, comma ? (size_t)(comma - rest->at) : rest->len};
    if (p->nsp.len > SIO_NAMESPACE_BYTES_MAX)
        return fault_set(f, "a namespace is longer than %d bytes", SIO_NAMESPACE_BYTES_MAX);
    span_drop(rest, p->nsp.len + (comma ? 1 : 0));
    return 0;
}

static int take_ack(struct span *rest, struct sio_packet *p, struct fault *f)
{
    size_t n = count_digits(*rest);

    if (n > SIO_ACK_DIGITS_MAX)
        return fault_set(f, "an ack id is longer than %d digits", SIO_ACK_DIGITS_MAX);
    p->ack = (struct span){rest->at, n};
    span_drop(rest, n);
    return 0;
}

bool sio_is_reserved(struct span name)
{
    static const char *const reserved[] = {"connect",       "connect_error", "disconnect",
                                           "disconnecting", "newListener",   "removeListener"};

    if (name.len >= 2 && name.at[0] == '"')
        name = (struct span){name.at + 1, name.len - 2};
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
        if (span_is(name, reserved[i]))
            return true;
    return false;
}

static int check_event(struct span payload, struct fault *f)
{
    struct json_walk w = json_walk(payload);
    struct span name;

    if (json_type(payload) != JSON_ARRAY || !json_next_element(&w, &name))
        return fault_set(f, "an event is a list that begins with its name");
    if (json_type(name) == JSON_NUMBER)
        return 0;
    if (json_type(name) != JSON_STRING)
        return fault_set(f, "an event's name is %s, not a string", json_type_name(json_type(name)));
    if (sio_is_reserved(name))
        return fault_set(f, "the name %s is reserved", fault_quote(name));
    return 0;
}

static int check_payload(const struct sio_packet *p, struct fault *f)
{
    enum json_type type = json_type(p->payload);

    switch (p->type) {
    case SIO_CONNECT:
    case SIO_CONNECT_ERROR:
        return type == JSON_OBJECT ? 0 : fault_set(f, "what comes with it is no object");
    case SIO_DISCONNECT:
        return fault_set(f, "a disconnect packet comes with more");
    case SIO_ACK:
    case SIO_BINARY_ACK:
        return type == JSON_ARRAY ? 0 : fault_set(f, "an acknowledgement is a list");
    case SIO_EVENT:
    case SIO_BINARY_EVENT:
        break;
    }
    return check_event(p->payload, f);
}

static int take_payload(struct span rest, struct sio_packet *p, struct fault *f)
{
    if (rest.len == 0) {
        if (p->type <= SIO_DISCONNECT)
            return 0;
        return fault_set(f, "a packet ends before its JSON");
    }
    if (json_check(rest, f) != 0)
        return -1;
    p->payload = json_trim(rest);
    return check_payload(p, f);
}

int sio_parse(struct span text, struct sio_packet *p, struct fault *f)
{
    *p = (struct sio_packet){0};
    if (take_type(&text, p, f) != 0 || take_attachments(&text, p, f) != 0 ||
        take_namespace(&text, p, f) != 0 || take_ack(&text, p, f) != 0)
        return -1;
    return take_payload(text, p, f);
}

/* --- writing ------------------------------------------------------------------------------- */

void sio_head_format(struct buf *out, enum sio_type type, int attachments, struct span nsp,
                     struct span ack)
{
    buf_char(out, (char)('0' + type));
    if (type == SIO_BINARY_EVENT || type == SIO_BINARY_ACK)
        buf_printf(out, "%d-", attachments);
    if (!span_is(nsp, "/")) {
        buf_join(out, nsp);
        buf_char(out, ',');
    }
    buf_join(out, ack);
}

/* --- binary data among JSON ---------------------------------------------------------------- */

void sio_attachments_fini(struct sio_attachments *a)
{
    for (int i = 0; i < a->count; i++)
        buf_fini(&a->bytes[i]);
    a->count = 0;
}

/* An array or object that is being copied. */
struct level {
    struct json_walk rest;
    bool is_object;
    bool begun; /* something of it was written */
};

/* Copying a value, with some of its objects in another form. */
struct swap {
    /* 1: it was written; 0: it is none of those; -1: the whole can't be done. */
    int (*object)(struct swap *s, struct span object);
    struct buf *out;
    struct sio_attachments *attachments;
    struct level levels[JSON_DEPTH]; /* as deep as json_check() lets a value be */
    int depth;
};

/* Writes a value; of one that goes on inside, the beginning, and that is the innermost level. */
static int begin(struct swap *s, struct span value)
{
    enum json_type type = json_type(value);

    if (type == JSON_OBJECT) {
        int swapped = s->object(s, value);
        if (swapped != 0)
            return swapped > 0 ? 0 : -1;
    } else if (type != JSON_ARRAY) {
        buf_join(s->out, value);
        return 0;
    }
    s->levels[s->depth++] = (struct level){json_walk(value), type == JSON_OBJECT, false};
    buf_char(s->out, type == JSON_OBJECT ? '{' : '[');
    return 0;
}

/* The next value of the innermost level, after writing what stands before it; or the level's end.
 */
static bool next(struct swap *s, struct span *value)
{
    struct level *l = &s->levels[s->depth - 1];
    struct span key = {0};

    if (l->is_object ? !json_next_member(&l->rest, &key, value)
                     : !json_next_element(&l->rest, value)) {
        buf_char(s->out, l->is_object ? '}' : ']');
        s->depth--;
        return false;
    }
    if (l->begun)
        buf_char(s->out, ',');
    l->begun = true;
    if (l->is_object) {
        buf_join(s->out, key);
        buf_char(s->out, ':');
    }
    return true;
}

static int copy(struct swap *s, struct span value)
{
    if (begin(s, value) != 0)
        return -1;
    while (s->depth > 0)
        if (next(s, &value) && begin(s, value) != 0)
            return -1;
    return 0;
}

static int fill_object(struct swap *s, struct span object)
{
    struct span mark, num;
    int64_t n;

    if (!json_get(object, "_placeholder", &mark) || !span_is(mark, "true"))
        return 0;
    if (!json_get(object, "num", &num) || json_type(num) != JSON_NUMBER || json_int(num, &n) != 0 ||
        n < 0 || n >= s->attachments->count)
        return -1;
    buf_printf(s->out, "{%s:\"", BINARY_KEY);
    base64_encode(s->out, buf_span(&s->attachments->bytes[n]));
    buf_text(s->out, "\"}");
    return 1;
}

int sio_fill(struct span value, const struct sio_attachments *a, struct buf *out, struct fault *f)
{
    struct swap s = {.object = fill_object, .out = out, .attachments = (struct sio_attachments *)a};

    return copy(&s, value) == 0 ? 0 : fault_set(f, "a placeholder stands for no attachment");
}

/* The base64 of an object whose only member it is. */
static bool find_binary(struct span object, struct span *text)
{
    struct json_walk w = json_walk(object);
    struct span key, value, more;

    if (!json_next_member(&w, &key, &value) || !span_is(key, BINARY_KEY) ||
        json_type(value) != JSON_STRING || json_next_member(&w, &key, &more))
        return false;
    *text = (struct span){value.at + 1, value.len - 2};
    return true;
}

static int lift_object(struct swap *s, struct span object)
{
    struct sio_attachments *a = s->attachments;
    struct span text;
    struct buf bytes = {0};

    /* The sender's own would be taken for one of ours. */
    if (json_get(object, "_placeholder", &text))
        return -1;
    if (!find_binary(object, &text) || base64_decode(&bytes, text) != 0) {
        buf_fini(&bytes);
        return 0;
    }
    if (a->count == SIO_ATTACHMENTS_MAX) {
        buf_fini(&bytes);
        return -1;
    }
    buf_printf(s->out, "{\"_placeholder\":true,\"num\":%d}", a->count);
    a->bytes[a->count++] = bytes;
    return 1;
}

bool sio_lift(struct span value, struct buf *out, struct sio_attachments *a)
{
    struct swap s;
    size_t len = out->len;

    if (!span_holds(value, BINARY_KEY, NULL))
        return false;
    s = (struct swap){.object = lift_object, .out = out, .attachments = a};
    if (copy(&s, value) == 0 && a->count > 0)
        return true;
    sio_attachments_fini(a);
    out->len = len;
    out->at[len] = '\0';
    return false;
}
