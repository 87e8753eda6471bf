#include "eio.h"
#include "base64.h"
#include <inttypes.h>
#include <string.h>

enum { SEPARATOR = 0x1e, BINARY = 'b' };

static struct span after_first(struct span s)
{
    return (struct span){s.at + 1, s.len - 1};
}

static int parse_binary(struct span text, struct eio_packet *p, struct buf *bytes, struct fault *f)
{
    buf_clear(bytes);
    if (base64_decode(bytes, text) != 0)
        return fault_set(f, "a binary packet is not base64");
    *p = (struct eio_packet){EIO_MESSAGE, true, buf_span(bytes)};
    return 0;
}

int eio_parse(struct span text, struct eio_packet *p, struct buf *bytes, struct fault *f)
{
    if (text.len == 0)
        return fault_set(f, "a packet is empty");
    if (text.at[0] == BINARY)
        return parse_binary(after_first(text), p, bytes, f);
    if (text.at[0] < EIO_OPEN || text.at[0] > EIO_NOOP)
        return fault_set(f, "no packet begins as %s does", fault_quote(text));
    *p = (struct eio_packet){(enum eio_type)text.at[0], false, after_first(text)};
    return 0;
}

bool eio_next(struct span *payload, struct span *packet)
{
    if (!payload->at)
        return false;
    const char *end = memchr(payload->at, SEPARATOR, payload->len);
    *packet = (struct span){payload->at, end != NULL ? (size_t)(end - payload->at) : payload->len};
    if (end)
        span_drop(payload, packet->len + 1);
    else
        *payload = (struct span){0};
    return true;
}

static void separate(struct buf *payload)
{
    if (payload->len != 0)
        buf_char(payload, SEPARATOR);
}

void eio_add(struct buf *payload, struct span packet)
{
    separate(payload);
    buf_join(payload, packet);
}

void eio_add_binary(struct buf *payload, struct span bytes)
{
    separate(payload);
    buf_char(payload, BINARY);
    base64_encode(payload, bytes);
}

void eio_open_format(const struct eio_handshake *h, struct buf *out)
{
    buf_printf(out,
               "%c{\"sid\":\"%s\",\"upgrades\":[%s],\"pingInterval\":%" PRId64
               ",\"pingTimeout\":%" PRId64 ",\"maxPayload\":%" PRId64 "}",
               EIO_OPEN, h->sid, h->upgrades ? "\"websocket\"" : "", h->ping_interval_ms,
               h->ping_timeout_ms, h->payload_bytes_max);
}
