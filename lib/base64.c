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
static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Reads n digits (2 to 4) as n - 1 bytes. False when one is none, or bits are left over. */
static bool decode_group(char *to, const char *at, size_t n)
{
    uint32_t bits = 0;

    for (size_t i = 0; i < 4; i++) {
        int value = i < n ? value_of(at[i]) : 0;
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
    }
    for (size_t i = 0; i < n - 1; i++)
        to[i] = (char)(bits >> (16 - 8 * i) & 0xff);
    return n == 4 || (bits & (n == 3 ? 0xffU : 0xffffU)) == 0;
}

int base64_decode(struct buf *out, struct span text)
{
    size_t len = out->len, padding = 0;

    if (text.len % 4 != 0)
        return -1;
    while (padding < 2 && padding < text.len && text.at[text.len - 1 - padding] == '=')
        padding++;
    char *to = buf_room(out, text.len / 4 * 3);
    for (size_t i = 0; i < text.len; i += 4) {
        size_t n = i + 4 == text.len ? 4 - padding : 4;
        if (!decode_group(to, text.at + i, n)) {
            out->at[len] = '\0';
            return -1;
        }
        to += n - 1;
    }
    *to = '\0';
    out->len = len + text.len / 4 * 3 - padding;
    return 0;
}
