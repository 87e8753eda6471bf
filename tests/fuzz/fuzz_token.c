/* The first byte says what the rest is: t, a token; h, the header or c, the claims of one that is
 * signed; s, the signature of one for an EC key. */
#include "../forge.h"
#include "event.h"
#include "room.h"
#include "token.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECRET "0123456789abcdef0123456789abcdef"
#define PUBLIC                                                                                     \
    "-----BEGIN PUBLIC KEY-----\n"                                                                 \
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAErvf5XIKzLE7+VEXbfsqTjeBdLntd\n"                           \
    "+W+awIAy36Zp+UT2qYol+5BN4E/q2A6CgaMBCPQYRDdw00wLfZCu/QqoJA==\n"                               \
    "-----END PUBLIC KEY-----\n"

enum { NOW = 1763660000 };

static struct keyring *hmac, *ec;

static struct keyring *ring_of(const char *text)
{
    char path[] = "/tmp/collab-fuzz-XXXXXX";
    struct keyring *k = keyring_new();
    struct fault f;
    int fd = mkstemp(path);

    assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    if (keyring_add_path(k, path, &f) != 0)
        abort();
    unlink(path);
    return k;
}

static void end(void)
{
    keyring_free(hmac);
    keyring_free(ec);
}

static void begin(void)
{
    hmac = ring_of(SECRET);
    ec = ring_of(PUBLIC);
    atexit(end);
}

static void patterns_hold(const char *pattern)
{
    struct fault f;

    for (; *pattern; pattern = identity_next(pattern))
        assert(room_check_pattern(span_of(pattern), &f) == 0);
}

static void identity_holds(const struct identity *who)
{
    struct fault f;

    assert(event_check_user(span_of(who->user), &f) == 0);
    assert(who->expires_s == 0 || who->expires_s > NOW);
    patterns_hold(who->rooms);
    patterns_hold(who->publish);
}

/* Returns whether it was accepted. */
static bool verify(const struct keyring *k, struct span token)
{
    static const struct token_rules rules = {.audience = "a", .issuer = "i"};
    static const struct token_rules none = {0};
    struct fault f = {""};

    identity_free(token_verify(k, &rules, token, NOW, &f));
    struct identity *who = token_verify(k, &none, token, NOW, &f);
    if (who)
        identity_holds(who);
    else
        assert(f.text[0] != '\0');
    identity_free(who);
    return who != NULL;
}

static void any_token(struct span text)
{
    struct buf header = {0}, claims = {0};
    struct fault f;

    token_peek(text, &header, &claims, &f);
    buf_fini(&header);
    buf_fini(&claims);
    verify(hmac, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf token = {0};

    if (size == 0)
        return 0;
    if (!hmac)
        begin();
    struct span rest = {(const char *)data + 1, size - 1};
    switch (data[0]) {
    case 'h':
        forge(&token, rest, span_of("{\"sub\":\"u\"}"), span_of(SECRET));
        verify(hmac, buf_span(&token));
        break;
    case 'c':
        forge(&token, span_of("{\"alg\":\"HS256\"}"), rest, span_of(SECRET));
        verify(hmac, buf_span(&token));
        break;
    case 's':
        buf_text(&token, "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ1In0.");
        forge_part(&token, rest);
        assert(!verify(ec, buf_span(&token)));
        break;
    default:
        any_token(rest);
    }
    buf_fini(&token);
    return 0;
}
