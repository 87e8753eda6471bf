#include "base64.h"
#include <stdint.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Writes four digits for one to three bytes. */
static void encode_group(char to[4], const unsigned char *at, size_t n)
{
    uint32_t bits = (uint32_t)at[0] << 16;
    bits |= n > 1 ? (uint32_t)at[1] << 8 : 0;
    bits |= n > 2 ? (uint32_t)at[2] : 0;
    to[0] = digits[bits >> 18];
    to[1] = digits[bits >> 12 & 63];
    to[2] = '=';
    to[3] = '=';
    if (n > 1)
        to[2] = digits[bits >> 6 & 63];
    if (n > 2)
        to[3] = digits[bits & 63];
}

void base64_encode(struct buf *out, struct span bytes)
{
    size_t chars = (bytes.len + 2) / 3 * 4;
    char *to = buf_room(out, chars);

    for (size_t i = 0; i < bytes.len; i += 3, to += 4)
        encode_group(to, (const unsigned char *)bytes.at + i,
                     bytes.len - i < 3 ? bytes.len - i : 3);
    *to = '\0';
    out->len += chars;
}

/* The value of a digit; -1: it is none. */
static int value_of(char c, const char last[2])
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == last[0] ? 62 : c == last[1] ? 63 : -1;
}

/* Appends what digits without padding stand for, the last two of the alphabet being given. Returns
 * 0; or -1, with nothing appended, and where it is wrong. No bits may be left beyond the last byte,
 * so that bytes have one spelling. */
static int decode(struct buf *out, struct span text, const char last[2], size_t *at)
{
    char *to = buf_room(out, text.len / 4 * 3 + 3);
    unsigned bits = 0; /* those that make no byte yet are the lowest */
    int count = 0;

    for (*at = 0; *at < text.len; ++*at) {
        int value = value_of(text.at[*at], last);
        if (value < 0)
            break;
        bits = bits << 6 | (unsigned)value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            *to++ = (char)(bits >> count & 0xff);
        }
    }
    bool right = *at == text.len && count < 6 && (bits & ((1U << count) - 1)) == 0;
    if (right)
        out->len = (size_t)(to - out->at);
    out->at[out->len] = '\0';
    return right ? 0 : -1;
}

int base64_decode(struct buf *out, struct span text)
{
    size_t at;

    if (text.len % 4 != 0)
        return -1;
    for (int i = 0; i < 2 && text.len > 0 && text.at[text.len - 1] == '='; i++)
        text.len--;
    return decode(out, text, "+/", &at);
}

int base64url_decode(struct buf *out, struct span text, struct fault *f)
{
    size_t at;

    if (decode(out, text, "-_", &at) == 0)
        return 0;
    if (at < text.len)
        return fault_set(f, "byte %zu is %s, which is not base64url", at,
                         fault_quote((struct span){text.at + at, 1}));
    return fault_set(f, "does not end as base64url does: is it cut short?");
}
