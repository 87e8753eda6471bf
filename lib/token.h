/* Tokens: JSON Web Tokens (RFC 7519) signed with HS, RS or ES 256, 384 or 512.
 *
 * The key's own kind decides which algorithms it takes (a token's header only picks among
 * them), so no public key is ever used as an HMAC secret and "none" is never taken. The claims
 * exp, nbf, iat, aud and iss are checked here. Signatures are compared in constant time. */
#ifndef TOKEN_H
#define TOKEN_H

#include "buf.h"
#include "fault.h"
#include "key.h"
#include <stdbool.h>
#include <stdint.h>

enum { TOKEN_BYTES_MAX = 8192, TOKEN_LEEWAY_MAX_S = 30 };
#define TOKEN_TIME_MAX_S INT64_C(253402300799) /* the end of the year 9999 */

/* What a valid token says of its bearer. One allocation; freed by identity_free(). */
struct identity {
    int64_t expires_s;   /* seconds since 1970; 0: never */
    const char *device;  /* as the claim has it, which is not checked; "": there is none */
    const char *rooms;   /* patterns it may join; of a token without rooms, its user's own room */
    const char *publish; /* patterns it may publish to */
    bool admin;          /* role is "admin" */
    bool vouched;        /* somebody was asked who knows the user; of no token's making */
    char user[];         /* sub, else userId; 1-200 bytes, no control characters */
};

/* Patterns stand one behind the other, each with its NUL; an empty one is behind the last. Returns
 * the one behind. */
const char *identity_next(const char *pattern);

/* What tokens must say beside being signed; NULL means any. */
struct token_rules {
    const char *audience; /* aud is, or holds, this */
    const char *issuer;
    int leeway_s; /* for exp, nbf and iat; at most TOKEN_LEEWAY_MAX_S */
};

/* Checks a compact token, by the key that its kid names; without one, or where no key has a name,
 * by the keys without a name, or by the only one. Returns the identity, or NULL with a fault that
 * says exactly why: "expired 2026-11-20T18:00:00Z (3 hours ago)",
 * `algorithm "none" is not for key "k1" (HMAC)`, ... */
struct identity *token_verify(const struct keyring *k, const struct token_rules *rules,
                              struct span token, int64_t now_s, struct fault *f);
void identity_free(struct identity *who);

/* Whether the identity may join, or publish to, a (checked) room. */
bool identity_may_join(const struct identity *who, struct span room);
bool identity_may_publish(const struct identity *who, struct span room);

/* Signs claims (a JSON object) with the ring's first key, or the one named by kid (of a ring
 * without names, the first, and the token gets that kid); alg NULL means the key's usual one
 * (HS256, RS256, or the curve's). Appends the token to out. Returns 0 or -1. */
int token_sign(const struct keyring *k, const char *kid, const char *alg, struct span claims,
               struct buf *out, struct fault *f);

/* Decodes without checking the signature or a claim, for explaining: appends header and claims as
 * the JSON that they are. Returns 0, or -1 when it is no token at all. */
int token_peek(struct span token, struct buf *header, struct buf *claims, struct fault *f);

/* Appends a claim's time (seconds since 1970, up to TOKEN_TIME_MAX_S) as the faults above write it:
 * "2026-11-20T18:00:00Z (3 hours ago)", or "(in 5 minutes)". */
void token_format_time(int64_t time_s, int64_t now_s, struct buf *out);

#endif
