/* Tokens made by other means than lib/token.c has: right ones and wrong ones, for its tests. */
#ifndef FORGE_H
#define FORGE_H

#include "buf.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>

/* Appends bytes in base64url without padding. */
static inline void forge_part(struct buf *out, struct span bytes)
{
    unsigned char *to = (unsigned char *)buf_room(out, bytes.len / 3 * 4 + 5);
    int len = EVP_EncodeBlock(to, (const unsigned char *)bytes.at, (int)bytes.len);

    while (len > 0 && to[len - 1] == '=')
        len--;
    for (int i = 0; i < len; i++)
        to[i] = to[i] == '+' ? '-' : to[i] == '/' ? '_' : to[i];
    to[len] = '\0';
    out->len += (size_t)len;
}

/* Appends ".SIGNATURE" of what stands there: HS256 with that secret. */
static inline void forge_hs256(struct buf *out, struct span secret)
{
    unsigned char mac[32];

    HMAC(EVP_sha256(), secret.at, (int)secret.len, (unsigned char *)out->at, out->len, mac, NULL);
    buf_char(out, '.');
    forge_part(out, (struct span){(char *)mac, sizeof(mac)});
}

/* A token with any bytes for header and claims, in place of what is in out. */
static inline void forge(struct buf *out, struct span header, struct span claims,
                         struct span secret)
{
    buf_clear(out);
    forge_part(out, header);
    buf_char(out, '.');
    forge_part(out, claims);
    forge_hs256(out, secret);
}

#endif
