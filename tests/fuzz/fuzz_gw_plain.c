/* Any messages, a line each, from a client of the plain protocol: whatever they say, it is told
 * nothing but whole frames of JSON, and once it has gone nothing of it is left. The first byte says
 * what client it is. */
#include "../unit/offline_gateway.h"

enum { NOT_AUTHENTICATED = 1, CATALOG_NAMES = 2, SLOW = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct offline *gateway(void)
{
    static const char catalog[] =
        "{\"rooms\":{\"b:{id}\":{\"join\":\"any\",\"presence\":true},\"*\":{}},"
        "\"events\":{\"t\":{\"need\":{\"id\":\"id\"},\"to\":\"b:{id}\",\"publish\":\"joined\"},"
        "\"s\":{\"class\":\"signal\",\"to\":\"b:{id}\",\"publish\":\"joined\",\"user\":\"userId\"},"
        "\"*\":{\"class\":\"live\"}},"
        "\"messages\":{\"enter\":{\"action\":\"join\",\"rooms\":\"b:{id}\"},"
        "\"put\":{\"action\":\"publish\",\"event\":\"t\"}},"
        "\"envelope\":{\"type\":\"t\",\"data\":\"d\"}}";
    static struct offline o;

    if (!o.gateway.loop)
        offline_open(&o, catalog);
    return &o;
}

static void enter(struct client *c, struct offline *o, int kind)
{
    static const char claims[] = "{\"sub\":\"ann\",\"rooms\":\"a:*\",\"publish\":\"a:*\"}";
    const char *protocol = kind & CATALOG_NAMES ? "" : PROTOCOL_NAME;

    if (kind & NOT_AUTHENTICATED)
        client_connect(c, o, (struct span){0}, protocol);
    else
        client_enter(c, o, claims, protocol);
}

static void frames_hold(struct client *c, int kind)
{
    struct ws_frame frame;
    struct span type;
    struct fault f;

    while (client_next(c, &frame)) {
        if (frame.opcode != WS_TEXT)
            continue;
        assert(json_check(frame.payload, &f) == 0 && json_type(frame.payload) == JSON_OBJECT);
        assert(json_get(frame.payload, kind & CATALOG_NAMES ? "t" : "type", &type));
    }
}

static void play(struct offline *o, struct client *c, int kind, struct span lines)
{
    while (lines.len != 0) {
        const char *end = memchr(lines.at, '\n', lines.len);
        struct span line = {lines.at, end ? (size_t)(end - lines.at) : lines.len};
        span_drop(&lines, line.len + (end != NULL));
        client_say(c, line);
        c->blocked = kind & SLOW && !c->blocked;
        outboxes_flush(o->gateway.outboxes);
        frames_hold(c, kind);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct offline *o = gateway();
    const int64_t *metrics = o->gateway.metrics.value;
    int kind = size != 0 ? data[0] : 0;
    struct client fuzzed, other;

    enter(&other, o, 0);
    client_say(&other, span_of("{\"type\":\"subscribe\",\"data\":[\"a:1\",\"b:1\"]}"));
    enter(&fuzzed, o, kind);
    if (size > 1)
        play(o, &fuzzed, kind, (struct span){(const char *)data + 1, size - 1});
    uv_run(o->gateway.loop, UV_RUN_NOWAIT);
    outboxes_flush(o->gateway.outboxes);
    frames_hold(&other, 0);
    client_leave(&fuzzed);
    client_leave(&other);
    assert(metrics[M_CONNECTIONS] == 0 && metrics[M_SESSIONS] == 0 && metrics[M_JOINS] == 0);
    assert(metrics[M_ROOMS] == 0 && metrics[M_OUTBOX_BYTES] == 0);
    return 0;
}
