#include "slot.h"
#include "num.h"
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* CRC-16/XMODEM: polynomial 0x1021, from 0, four bits at a time. */
static unsigned crc16(struct span bytes)
{
    static const uint16_t table[16] = {
        0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7,
        0x8108, 0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad, 0xe1ce, 0xf1ef,
    };
    unsigned crc = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        unsigned byte = (unsigned char)bytes.at[i];
        crc = table[(crc >> 12 ^ byte >> 4) & 15] ^ (crc << 4 & 0xffff);
        crc = table[(crc >> 12 ^ byte) & 15] ^ (crc << 4 & 0xffff);
    }
    return crc;
}

unsigned slot_of(struct span key)
{
    const char *open = key.len > 0 ? memchr(key.at, '{', key.len) : NULL;

    if (open) {
        size_t left = key.len - (size_t)(open + 1 - key.at);
        const char *close = left > 0 ? memchr(open + 1, '}', left) : NULL;
        if (close && close > open + 1)
            key = (struct span){open + 1, (size_t)(close - open - 1)};
    }
    return crc16(key) % SLOT_COUNT;
}

unsigned slot_tag(unsigned slot)
{
    static uint32_t tags[SLOT_COUNT]; /* one more each; 0: not found yet */
    static unsigned found;
    char digits[12];

    for (unsigned n = 0; found < SLOT_COUNT; n++) {
        int len = snprintf(digits, sizeof(digits), "%u", n);
        uint32_t *tag = &tags[crc16((struct span){digits, (size_t)len}) % SLOT_COUNT];
        if (*tag != 0)
            continue;
        *tag = n + 1;
        found++;
    }
    return tags[slot] - 1;
}

/* " 3999 host:port", the host perhaps empty or an IPv6 address. */
static struct redirect parse_target(enum redirect_kind kind, struct span rest)
{
    static const struct redirect none = {REDIRECT_NONE, {NULL, 0}, 0};
    struct redirect r = {.kind = kind};
    int64_t port;
    struct fault f;
    const char *blank = rest.len > 0 ? memchr(rest.at, ' ', rest.len) : NULL;

    if (!blank)
        return none;
    span_drop(&rest, (size_t)(blank + 1 - rest.at));
    const char *colon = rest.len > 0 ? memrchr(rest.at, ':', rest.len) : NULL;
    if (!colon)
        return none;
    r.host = (struct span){rest.at, (size_t)(colon - rest.at)};
    span_drop(&rest, r.host.len + 1);
    if (num_parse(rest, 1, 65535, &port, &f) != 0)
        return none;
    r.port = (int)port;
    return r;
}

struct redirect redirect_parse(struct span error)
{
    static const struct {
        const char *begin;
        enum redirect_kind kind;
    } kinds[] = {
        {"MOVED ", REDIRECT_MOVED},
        {"ASK ", REDIRECT_ASK},
        {"TRYAGAIN", REDIRECT_AGAIN},
        {"CLUSTERDOWN", REDIRECT_DOWN},
    };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (!span_starts(error, kinds[i].begin))
            continue;
        if (kinds[i].kind >= REDIRECT_AGAIN)
            return (struct redirect){.kind = kinds[i].kind};
        span_drop(&error, strlen(kinds[i].begin));
        return parse_target(kinds[i].kind, error);
    }
    return (struct redirect){REDIRECT_NONE, {NULL, 0}, 0};
}
