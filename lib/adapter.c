#include "adapter.h"
#include "json.h"
#include "pack.h"
#include "sio.h"

/* Types of packets (sio.h) that are events. */
enum { PACKET_EVENT = 2, PACKET_BINARY_EVENT = 5 };

/* --- reading ------------------------------------------------------------------------------- */

int adapter_read(struct span message, struct buf *out, struct fault *f)
{
    if (message.len > ADAPTER_BYTES_MAX)
        return fault_set(f, "longer than %d bytes", ADAPTER_BYTES_MAX);
    if (message.len == 0 || message.at[0] != '{')
        return pack_read(message, out, f);
    if (json_check(message, f) != 0)
        return -1;
    buf_join(out, json_trim(message));
    return 0;
}

static bool is_of(struct span value, enum json_type type)
{
    return value.len > 0 && json_type(value) == type;
}

/* Where JSON.stringify() leaves `undefined` out MessagePack has null: both are absent. */
static struct span member(struct span object, const char *name)
{
    struct span value = {0};

    if (!json_get(object, name, &value) || json_type(value) == JSON_NULL)
        return (struct span){0};
    return value;
}

static int take_list(struct span object, const char *name, struct span *out, struct fault *f)
{
    struct json_walk w;
    struct span first, value = member(object, name);

    *out = (struct span){0};
    if (value.len == 0)
        return 0;
    if (json_type(value) != JSON_ARRAY)
        return fault_set(f, "%s: must be a list", name);
    w = json_walk(value);
    if (json_next_element(&w, &first))
        *out = value;
    return 0;
}

/* Without its quotes; empty when absent. */
static int take_text(struct span object, const char *name, struct span *out, struct fault *f)
{
    struct span value = member(object, name);

    *out = (struct span){0};
    if (value.len > 0 && json_type(value) != JSON_STRING)
        return fault_set(f, "%s: must be a string", name);
    if (value.len > 0)
        *out = json_inside(value);
    return 0;
}

static int take_target(struct span opts, struct adapter_target *to, struct fault *f)
{
    if (!is_of(opts, JSON_OBJECT))
        return fault_set(f, "opts: must be an object");
    if (take_list(opts, "rooms", &to->rooms, f) != 0)
        return -1;
    return take_list(opts, "except", &to->except, f);
}

static void take_flags(struct span opts, struct adapter_event *e)
{
    struct span flags = member(opts, "flags");
    struct span timeout, is_volatile;

    if (!is_of(flags, JSON_OBJECT))
        return;
    is_volatile = member(flags, "volatile");
    timeout = member(flags, "timeout");
    e->is_volatile = span_is(is_volatile, "true");
    if (!is_of(timeout, JSON_NUMBER) || json_int(timeout, &e->timeout_ms) != 0 || e->timeout_ms < 0)
        e->timeout_ms = 0;
}

static int take_args(struct span packet, struct span *args, struct fault *f)
{
    struct json_walk w;
    struct span name;

    *args = member(packet, "data");
    if (!is_of(*args, JSON_ARRAY))
        return fault_set(f, "data: must be a list");
    w = json_walk(*args);
    if (!json_next_element(&w, &name) ||
        (json_type(name) != JSON_STRING && json_type(name) != JSON_NUMBER))
        return fault_set(f, "data: must begin with the event's name");
    return 0;
}

static int take_packet(struct span packet, struct span opts, struct adapter_event *e,
                       struct fault *f)
{
    int64_t type = 0;

    if (!is_of(packet, JSON_OBJECT))
        return fault_set(f, "packet: must be an object");
    struct span number = member(packet, "type");
    if (!is_of(number, JSON_NUMBER) || json_int(number, &type) != 0 ||
        (type != PACKET_EVENT && type != PACKET_BINARY_EVENT))
        return fault_set(f, "packet: is no event");
    if (take_text(packet, "nsp", &e->nsp, f) != 0 || take_args(packet, &e->args, f) != 0)
        return -1;
    if (e->nsp.len == 0)
        e->nsp = span_of("/");
    take_flags(opts, e);
    return take_target(opts, &e->to, f);
}

int adapter_event_parse(struct span text, struct adapter_event *e, struct fault *f)
{
    struct span uid, packet, opts;
    struct json_walk w = json_walk(text);

    *e = (struct adapter_event){0};
    if (json_type(text) != JSON_ARRAY || !json_next_element(&w, &uid) ||
        !json_next_element(&w, &packet) || !json_next_element(&w, &opts))
        return fault_set(f, "must be a list of the sender, a packet and options");
    if (json_type(uid) != JSON_STRING)
        return fault_set(f, "the sender must be a string");
    e->uid = json_inside(uid);
    return take_packet(packet, opts, e, f);
}

/* --- requests ------------------------------------------------------------------------------ */

static int take_type(struct span text, enum adapter_type *type, struct fault *f)
{
    struct span value = member(text, "type");
    int64_t n = 0;

    if (!is_of(value, JSON_NUMBER) || json_int(value, &n) != 0 || n < ADAPTER_SOCKETS ||
        n > ADAPTER_BROADCAST)
        return fault_set(f, "type: no request has that");
    *type = (enum adapter_type)n;
    return 0;
}

static int take_id(struct span text, struct span *id, struct fault *f)
{
    *id = member(text, "requestId");
    if (id->len > 0 && json_type(*id) != JSON_STRING)
        return fault_set(f, "requestId: must be a string");
    return 0;
}

/* Whom it concerns. Old servers name one connection, and one room. */
static int take_subject(struct span text, struct adapter_request *r, struct fault *f)
{
    struct span opts = member(text, "opts");

    if (opts.len > 0)
        return take_target(opts, &r->to, f) == 0 ? take_list(text, "rooms", &r->names, f) : -1;
    if (take_text(text, "sid", &r->sid, f) != 0)
        return -1;
    if (r->sid.len == 0)
        return fault_set(f, "opts: must be an object");
    r->names = member(text, "room");
    return 0;
}

int adapter_request_parse(struct span text, struct adapter_request *r, struct fault *f)
{
    *r = (struct adapter_request){0};
    if (json_type(text) != JSON_OBJECT)
        return fault_set(f, "must be an object");
    if (take_type(text, &r->type, f) != 0 || take_text(text, "uid", &r->uid, f) != 0 ||
        take_id(text, &r->id, f) != 0)
        return -1;
    switch (r->type) {
    case ADAPTER_SOCKETS:
        return take_list(text, "rooms", &r->to.rooms, f);
    case ADAPTER_JOIN:
    case ADAPTER_LEAVE:
    case ADAPTER_DISCONNECT:
        r->closes = span_is(member(text, "close"), "true");
        return take_subject(text, r, f);
    case ADAPTER_FETCH:
        return take_target(member(text, "opts"), &r->to, f);
    case ADAPTER_BROADCAST:
        return take_packet(member(text, "packet"), member(text, "opts"), &r->event, f);
    default:
        return 0;
    }
}

/* --- writing ------------------------------------------------------------------------------- */

static void add_rooms(struct buf *out, const struct event *e)
{
    for (int i = 0; i < e->room_count; i++)
        buf_printf(out, "%s\"%.*s\"", i > 0 ? "," : "", (int)e->rooms[i].len, e->rooms[i].at);
}

void adapter_event_note(const struct event *e, bool meta, struct buf *out)
{
    struct event copy = *e;

    if (sio_is_reserved(e->type))
        return;
    copy.room = e->rooms[0];
    buf_text(out, "[[\"");
    buf_join(out, e->type);
    buf_text(out, "\",");
    buf_join(out, e->data.len > 0 ? e->data : span_of("null"));
    if (meta) {
        buf_char(out, ',');
        event_format_meta(&copy, out);
    }
    buf_text(out, "],[");
    add_rooms(out, e);
    buf_text(out, "]]");
}

static void read_note(struct span note, struct span *args, struct span *rooms)
{
    struct json_walk w = json_walk(note);

    json_next_element(&w, args);
    json_next_element(&w, rooms);
}

void adapter_event_write(struct span note, struct span nsp, struct buf *out)
{
    struct span args, rooms;
    struct buf text = {0};

    read_note(note, &args, &rooms);
    buf_printf(&text, "[\"" ADAPTER_UID "\",{\"type\":%d,\"data\":", PACKET_EVENT);
    buf_join(&text, args);
    buf_text(&text, ",\"nsp\":");
    json_encode(&text, nsp);
    buf_text(&text, "},{\"rooms\":");
    buf_join(&text, rooms);
    buf_text(&text, ",\"except\":[],\"flags\":{}}]");
    pack_write(buf_span(&text), out);
    buf_fini(&text);
}

struct span adapter_event_room(struct span note)
{
    struct span args, rooms, room = {0}, more;

    read_note(note, &args, &rooms);
    struct json_walk w = json_walk(rooms);
    json_next_element(&w, &room);
    if (json_next_element(&w, &more))
        return (struct span){0};
    return json_inside(room);
}

void adapter_ack_write(struct span id, struct span value, struct buf *out)
{
    struct buf text = {0};

    buf_printf(&text, "{\"type\":%d,\"requestId\":", ADAPTER_ACK);
    buf_join(&text, id);
    buf_text(&text, ",\"packet\":");
    buf_join(&text, value);
    buf_char(&text, '}');
    pack_write(buf_span(&text), out);
    buf_fini(&text);
}
