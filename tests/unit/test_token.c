#include "../forge.h"
#include "token.h"
#include <dirent.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SECRET "0123456789abcdef0123456789abcdef"

enum { NOW = 1763660000 }; /* 2025-11-20T17:33:20Z */

/* Rings over files in a directory of the group's own. */
static struct {
    char dir[64];
    struct keyring *hmac;   /* the secret, without a name */
    struct keyring *public; /* the public RSA key, without a name */
    struct keyring *named;  /* h, rsa, p256, p384, p521, each with its private key */
    struct keyring *four;   /* four secrets without a name */
} t;

static void put(const char *name, const char *text)
{
    FILE *out = fopen(name, "w");

    fputs(text, out);
    fclose(out);
    chmod(name, 0600);
}

static void put_pair(const char *name, const char *curve)
{
    EVP_PKEY *pair = EVP_EC_gen(curve);
    FILE *out = fopen(name, "w");

    PEM_write_PrivateKey(out, pair, NULL, NULL, 0, NULL, NULL);
    fclose(out);
    chmod(name, 0600);
    EVP_PKEY_free(pair);
}

static struct keyring *ring_of(const char *path)
{
    struct keyring *k = keyring_new();
    struct fault f;

    if (keyring_add_path(k, path, &f) != 0)
        fprintf(stderr, "%s\n", f.text);
    return k;
}

static int set_up(void **state)
{
    struct fault f;

    (void)state;
    strcpy(t.dir, "/tmp/collab-token-XXXXXX");
    if (!mkdtemp(t.dir) || chdir(t.dir) != 0)
        return -1;
    put("h.key", SECRET);
    key_make("rsa", "rsa", &f);
    put_pair("p256", "P-256");
    put_pair("p384", "P-384");
    put_pair("p521", "P-521");
    t.hmac = ring_of("h.key");
    t.public = ring_of("rsa.pub");
    t.named = ring_of(t.dir);
    t.four = keyring_new();
    for (int i = 0; i < 4; i++) {
        char secret[] = SECRET;
        secret[0] = (char)('3' - i);
        put("h.key", secret);
        keyring_add_path(t.four, "h.key", &f);
    }
    return keyring_count(t.named) == 5 && keyring_count(t.four) == 4 ? 0 : -1;
}

static int tear_down(void **state)
{
    DIR *dir = opendir(".");
    struct dirent *entry;

    (void)state;
    while ((entry = readdir(dir)))
        unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    keyring_free(t.hmac);
    keyring_free(t.public);
    keyring_free(t.named);
    keyring_free(t.four);
    return chdir("/") != 0 || rmdir(t.dir) != 0;
}

static void make(struct buf *out, const char *header, const char *claims)
{
    forge(out, span_of(header), span_of(claims), span_of(SECRET));
}

#define HS256 "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"

static const struct token_rules no_rules = {0};

static void assert_refused(const struct keyring *k, const struct token_rules *rules,
                           struct span token, const char *why)
{
    struct fault f = {""};
    struct identity *who = token_verify(k, rules, token, NOW, &f);

    if (who)
        fail_msg("accepted, where expected: %s", why);
    assert_string_equal(f.text, why);
}

static struct identity *accepted(const struct keyring *k, const struct token_rules *rules,
                                 struct span token)
{
    struct fault f = {""};
    struct identity *who = token_verify(k, rules, token, NOW, &f);

    if (!who)
        fail_msg("%.*s: %s", (int)token.len, token.at, f.text);
    return who;
}

static struct identity *accepted_claims(const char *claims)
{
    struct buf token = {0};

    make(&token, HS256, claims);
    struct identity *who = accepted(t.hmac, &no_rules, buf_span(&token));
    buf_fini(&token);
    return who;
}

static void assert_patterns(const char *pattern, const char *expected)
{
    char all[64] = "";

    for (; *pattern; pattern = identity_next(pattern))
        strcat(strcat(all, " "), pattern);
    assert_string_equal(all, expected);
}

static void a_valid_token_names_its_bearer(void **state)
{
    struct identity *who = accepted_claims(
        "{\"sub\":\"u\\u00e41\",\"exp\":1763660001.9,\"rooms\":[\"project:*\",\"user:u1\"],"
        "\"publish\":\"project:p1\",\"role\":\"admin\",\"more\":{\"x\":1}}");

    (void)state;
    assert_string_equal(who->user, "u\xc3\xa4"
                                   "1");
    assert_patterns(who->rooms, " project:* user:u1");
    assert_patterns(who->publish, " project:p1");
    assert_int_equal(who->expires_s, NOW + 1);
    assert_true(who->admin);
    assert_true(identity_may_join(who, span_of("project:p9:x")));
    assert_false(identity_may_join(who, span_of("user:u2")));
    assert_true(identity_may_publish(who, span_of("project:p1")));
    assert_false(identity_may_publish(who, span_of("project:p2")));
    identity_free(who);
}

static void without_claims_there_are_no_rights(void **state)
{
    struct identity *who = accepted_claims("{\"userId\":\"u1\"}");

    (void)state;
    assert_string_equal(who->user, "u1");
    assert_patterns(who->rooms, " user:u1");
    assert_string_equal(who->publish, "");
    assert_int_equal(who->expires_s, 0);
    assert_false(who->admin);
    identity_free(who);

    who = accepted_claims("{\"sub\":\"u1\",\"rooms\":[],\"publish\":[],\"role\":\"Admin\"}");
    assert_string_equal(who->rooms, "");
    assert_string_equal(who->publish, "");
    assert_false(who->admin);
    identity_free(who);
}

/* A user called * would otherwise be let into every user's room. */
static void a_user_is_never_a_pattern(void **state)
{
    static const char *const claims[] = {
        "{\"sub\":\"*\"}",       "{\"sub\":\"u*\"}", "{\"sub\":\"a:*\"}",
        "{\"sub\":\"auth0|x\"}", "{\"sub\":\":\"}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        struct identity *who = accepted_claims(claims[i]);
        assert_string_equal(who->rooms, "");
        identity_free(who);
    }
}

static void sub_comes_before_user_id(void **state)
{
    struct identity *who = accepted_claims("{\"userId\":\"b\",\"sub\":\"a\"}");

    (void)state;
    assert_string_equal(who->user, "a");
    identity_free(who);
    who = accepted_claims("{\"userId\":9007199254740993}");
    assert_string_equal(who->user, "9007199254740993");
    identity_free(who);
}

static void claims_are_checked(void **state)
{
    static const char *const faults[][2] = {
        {"{}", "names no user: neither sub nor userId"},
        {"{\"sub\":\"\"}", "sub: must be a string of 1 to 200 bytes, found one of 0"},
        {"{\"sub\":\"\",\"userId\":\"a\"}",
         "sub: must be a string of 1 to 200 bytes, found one of 0"},
        {"{\"sub\":\"a\\n\"}", "sub: must hold no control characters"},
        {"{\"sub\":null}", "sub: must be a string, found null"},
        {"{\"userId\":{}}", "userId: must be a string, found an object"},
        {"{\"sub\":1.5}", "sub: must be a string, found a number"},
        {"{\"sub\":\"a\",\"rooms\":[\"k:1\",\"a b\"]}",
         "rooms: pattern \"a b\": only letters, digits and . _ ~ @ - may stand between the colons"},
        {"{\"sub\":\"a\",\"rooms\":\"lobby\"}",
         "rooms: pattern \"lobby\": must be kind:id or longer"},
        {"{\"sub\":\"a\",\"rooms\":[1]}", "rooms: must hold patterns, found a number"},
        {"{\"sub\":\"a\",\"rooms\":null}", "rooms: must hold patterns, found null"},
        {"{\"sub\":\"a\",\"publish\":{}}", "publish: must hold patterns, found an object"},
        {"{\"sub\":\"a\",\"publish\":[\"k:**\"]}",
         "publish: pattern \"k:**\": * may only end a segment"},
        {"{\"sub\":\"a\",\"exp\":1763660000}", "expired 2025-11-20T17:33:20Z (0 seconds ago)"},
        {"{\"sub\":\"a\",\"exp\":1763649200}", "expired 2025-11-20T14:33:20Z (3 hours ago)"},
        {"{\"sub\":\"a\",\"exp\":1763659939}", "expired 2025-11-20T17:32:19Z (1 minute ago)"},
        {"{\"sub\":\"a\",\"exp\":0}", "expired 1970-01-01T00:00:00Z (20412 days ago)"},
        {"{\"sub\":\"a\",\"exp\":1763660000000}",
         "exp: must be a number of seconds since 1970, found 1763660000000"},
        {"{\"sub\":\"a\",\"exp\":-1}", "exp: must be a number of seconds since 1970, found -1"},
        {"{\"sub\":\"a\",\"exp\":1.0000000000000000000000000000000000000000000000}",
         "exp: must be a number of seconds since 1970, found "
         "1.00000000000000000000000000000000000000"},
        {"{\"sub\":\"a\",\"exp\":\"1763660001\"}",
         "exp: must be a number of seconds since 1970, found a string"},
        {"{\"sub\":\"a\",\"nbf\":1763660001}",
         "not valid before 2025-11-20T17:33:21Z (in 1 second)"},
        {"{\"sub\":\"a\",\"nbf\":true}",
         "nbf: must be a number of seconds since 1970, found a boolean"},
        {"{\"sub\":\"a\",\"iat\":1763663600}",
         "issued in the future, 2025-11-20T18:33:20Z (in 1 hour)"},
        {"[]", "claims: must be an object, found an array"},
        {"{", "claims: column 2: expected a key or '}', found the end"},
        {"{\"sub\":\"a\",\"x\":1e999}",
         "header or claims: hold a string or number that libjwt cannot read"},
        {"{\"sub\":\"a\",\"x\":\"\\ud800\"}",
         "header or claims: hold a string or number that libjwt cannot read"},
    };
    struct buf token = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        make(&token, HS256, faults[i][0]);
        assert_refused(t.hmac, &no_rules, buf_span(&token), faults[i][1]);
    }
    buf_fini(&token);
}

static void leeway_is_granted_both_ways(void **state)
{
    struct token_rules rules = {.leeway_s = 30};
    struct buf token = {0};

    (void)state;
    make(&token, HS256, "{\"sub\":\"a\",\"exp\":1763659971,\"nbf\":1763660030,\"iat\":1763660030}");
    identity_free(accepted(t.hmac, &rules, buf_span(&token)));
    make(&token, HS256, "{\"sub\":\"a\",\"exp\":1763659970}");
    assert_refused(t.hmac, &rules, buf_span(&token),
                   "expired 2025-11-20T17:32:50Z (30 seconds ago)");
    make(&token, HS256, "{\"sub\":\"a\",\"nbf\":1763660031}");
    assert_refused(t.hmac, &rules, buf_span(&token),
                   "not valid before 2025-11-20T17:33:51Z (in 31 seconds)");
    buf_fini(&token);
}

static void audience_and_issuer_must_fit(void **state)
{
    static const struct {
        const char *claims;
        const char *why; /* NULL: accepted */
    } rows[] = {
        {"{\"sub\":\"a\",\"aud\":\"collab\",\"iss\":\"me\"}", NULL},
        {"{\"sub\":\"a\",\"aud\":[1,\"x\",\"colla\\u0062\"],\"iss\":\"me\"}", NULL},
        {"{\"sub\":\"a\",\"iss\":\"me\"}", "not for \"collab\": it names no audience"},
        {"{\"sub\":\"a\",\"aud\":\"web\",\"iss\":\"me\"}",
         "not for \"collab\": its audience is \"web\""},
        {"{\"sub\":\"a\",\"aud\":[\"web\"],\"iss\":\"me\"}",
         "not for \"collab\": it is not among its audiences"},
        {"{\"sub\":\"a\",\"aud\":7,\"iss\":\"me\"}",
         "aud: must be a string or an array, found a number"},
        {"{\"sub\":\"a\",\"aud\":\"collab\"}", "not from \"me\": it names no issuer"},
        {"{\"sub\":\"a\",\"aud\":\"collab\",\"iss\":[\"me\"]}",
         "not from \"me\": it names no issuer"},
        {"{\"sub\":\"a\",\"aud\":\"collab\",\"iss\":\"you\"}",
         "not from \"me\": its issuer is \"you\""},
    };
    struct token_rules rules = {.audience = "collab", .issuer = "me"};
    struct buf token = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        make(&token, HS256, rows[i].claims);
        if (rows[i].why)
            assert_refused(t.hmac, &rules, buf_span(&token), rows[i].why);
        else
            identity_free(accepted(t.hmac, &rules, buf_span(&token)));
    }
    buf_fini(&token);
}

static void headers_are_checked(void **state)
{
    static const char *const faults[][2] = {
        {"{}", "header: alg: missing"},
        {"{\"alg\":null}", "header: alg: must be a string, found null"},
        {"{\"alg\":\"none\"}", "algorithm \"none\" is not for the key (HMAC)"},
        {"{\"alg\":\"hs256\"}", "algorithm \"hs256\" is not for the key (HMAC)"},
        {"{\"alg\":\"HS\\u003256\"}", "algorithm \"HS\\\\u003256\" is not for the key (HMAC)"},
        {"{\"alg\":\"\"}", "algorithm \"\" is not for the key (HMAC)"},
        {"{\"alg\":\"RS256\"}", "algorithm \"RS256\" is not for the key (HMAC)"},
        {"{\"alg\":\"HS384\"}", "the signature does not match the key"},
        {"{\"alg\":\"HS256\",\"alg\":\"HS256\"}", "header: alg: given twice"},
        {"{\"alg\":\"HS256\",\"\\u0061lg\":\"none\"}", "header: alg: given twice"},
        {"{\"alg\":\"HS256\",\"kid\":\"a\",\"kid\":\"a\"}", "header: kid: given twice"},
        {"{\"alg\":\"HS256\",\"kid\":1}", "header: kid: must be a string, found a number"},
        {"{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", "header: crit: no extension is understood here"},
        {"{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", "header: typ: must be JWT, found \"at+jwt\""},
        {"[\"HS256\"]", "header: must be an object, found an array"},
        {"x", "header: column 1: expected a value, found \"x\""},
    };
    struct buf token = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        make(&token, faults[i][0], "{\"sub\":\"a\"}");
        assert_refused(t.hmac, &no_rules, buf_span(&token), faults[i][1]);
    }
    make(&token, "{\"alg\":\"HS256\",\"typ\":\"jwt\",\"kid\":\"any\",\"x\":1}", "{\"sub\":\"a\"}");
    identity_free(accepted(t.hmac, &no_rules, buf_span(&token)));
    buf_fini(&token);
}

static void text_is_checked(void **state)
{
    static const char *const faults[][2] = {
        {"", "the token is empty"},
        {"x", "not a token: must have 3 parts with a dot between, found 1"},
        {"..", "the token's header part is empty"},
        {"e30.", "not a token: must have 3 parts with a dot between, found 2"},
        {"e30.e30.", "the token's signature part is empty"},
        {"e30..x", "the token's claims part is empty"},
        {"e30.e30.x.y.z", "not a token: must have 3 parts with a dot between, found 5"},
        {"e30=.e30.x", "header: byte 3 is \"=\", which is not base64url"},
        {"e 30.e30.x", "header: byte 1 is \" \", which is not base64url"},
        {"e3+.e30.x", "header: byte 2 is \"+\", which is not base64url"},
        {"e30.e30.xxxxx", "signature: does not end as base64url does: is it cut short?"},
        {"e31.e30.x", "header: does not end as base64url does: is it cut short?"},
        {"e30.e30.xx", "signature: does not end as base64url does: is it cut short?"},
    };
    char big[TOKEN_BYTES_MAX + 1];

    (void)state;
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        assert_refused(t.hmac, &no_rules, span_of(faults[i][0]), faults[i][1]);
    memset(big, 'a', sizeof(big));
    assert_refused(t.hmac, &no_rules, (struct span){big, sizeof(big)},
                   "the token has 8193 bytes, more than 8192");
    assert_refused(t.hmac, &no_rules, (struct span){"e30\0.e30.xxxx", 13},
                   "header: byte 3 is \"\\x00\", which is not base64url");
}

/* Every change of one character is noticed. */
static void a_changed_token_is_refused(void **state)
{
    struct buf token = {0};
    struct fault f;

    (void)state;
    make(&token, HS256, "{\"sub\":\"a\"}");
    identity_free(accepted(t.hmac, &no_rules, buf_span(&token)));
    for (size_t i = 0; i < token.len; i++) {
        char was = token.at[i];
        token.at[i] = was == 'A' ? 'B' : 'A';
        assert_null(token_verify(t.hmac, &no_rules, buf_span(&token), NOW, &f));
        token.at[i] = was;
    }
    for (size_t len = 0; len < token.len; len++)
        assert_null(token_verify(t.hmac, &no_rules, (struct span){token.at, len}, NOW, &f));
    buf_fini(&token);
}

/* The oldest trick: a public key is known to all, so it must be no secret. */
static void a_public_key_is_no_secret(void **state)
{
    struct key *key = &t.public->at[0];
    struct buf token = {0};

    (void)state;
    forge(&token, span_of(HS256), span_of("{\"sub\":\"a\"}"), buf_span(&key->checking));
    assert_refused(t.public, &no_rules, buf_span(&token),
                   "algorithm \"HS256\" is not for the key (RSA)");
    buf_fini(&token);
}

static void sign(const char *kid, const char *alg, struct buf *token)
{
    struct fault f;

    buf_clear(token);
    if (token_sign(t.named, kid, alg, span_of("{\"sub\":\"a\",\"big\":9007199254740993}"), token,
                   &f) != 0)
        fail_msg("%s %s: %s", kid, alg, f.text);
}

static void what_is_signed_is_accepted(void **state)
{
    static const char *const pairs[][2] = {
        {"h", "HS256"},   {"h", "HS384"},    {"h", "HS512"},    {"rsa", "RS256"},  {"rsa", "RS384"},
        {"rsa", "RS512"}, {"p256", "ES256"}, {"p384", "ES384"}, {"p521", "ES512"},
    };
    struct buf token = {0}, header = {0}, claims = {0};
    struct fault f;

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        char expected[80];
        sign(pairs[i][0], pairs[i][1], &token);
        identity_free(accepted(t.named, &no_rules, buf_span(&token)));

        assert_int_equal(token_peek(buf_span(&token), &header, &claims, &f), 0);
        snprintf(expected, sizeof(expected), "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"JWT\"}",
                 pairs[i][1], pairs[i][0]);
        assert_string_equal(header.at, expected);
        assert_string_equal(claims.at, "{\"big\":9007199254740993,\"sub\":\"a\"}");
        buf_clear(&header);
        buf_clear(&claims);
    }
    buf_fini(&token);
    buf_fini(&header);
    buf_fini(&claims);
}

static void the_key_has_a_usual_algorithm(void **state)
{
    static const char *const pairs[][2] = {{"h", "eyJhbGciOiJIUzI1NiI"},
                                           {"rsa", "eyJhbGciOiJSUzI1NiI"},
                                           {"p384", "eyJhbGciOiJFUzM4NCI"}};
    struct buf token = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        sign(pairs[i][0], NULL, &token);
        assert_true(span_starts(buf_span(&token), pairs[i][1]));
    }
    buf_fini(&token);
}

static void the_kid_picks_the_key(void **state)
{
    struct buf token = {0};

    (void)state;
    make(&token, "{\"alg\":\"HS256\",\"kid\":\"\\u0068\"}", "{\"sub\":\"a\"}");
    identity_free(accepted(t.named, &no_rules, buf_span(&token)));
    make(&token, "{\"alg\":\"HS256\",\"kid\":\"k9\"}", "{\"sub\":\"a\"}");
    assert_refused(t.named, &no_rules, buf_span(&token), "kid \"k9\": there is no such key");
    make(&token, "{\"alg\":\"HS256\",\"kid\":\"rsa\"}", "{\"sub\":\"a\"}");
    assert_refused(t.named, &no_rules, buf_span(&token),
                   "algorithm \"HS256\" is not for key \"rsa\" (RSA)");
    make(&token, HS256, "{\"sub\":\"a\"}");
    assert_refused(t.named, &no_rules, buf_span(&token),
                   "header: kid: missing, and there are 5 keys");
    make(&token, "{\"alg\":\"ES256\",\"kid\":\"p384\"}", "{\"sub\":\"a\"}");
    assert_refused(t.named, &no_rules, buf_span(&token),
                   "algorithm \"ES256\" is not for key \"p384\" (EC P-384)");
    buf_fini(&token);
}

static void keys_without_a_name_are_all_tried(void **state)
{
    struct buf token = {0};

    (void)state;
    make(&token, HS256, "{\"sub\":\"a\"}"); /* signed with the last of the four */
    identity_free(accepted(t.four, &no_rules, buf_span(&token)));
    token.at[token.len - 2] ^= 1;
    assert_refused(t.four, &no_rules, buf_span(&token), "the signature matches none of the 4 keys");
    make(&token, "{\"alg\":\"ES256\"}", "{\"sub\":\"a\"}");
    assert_refused(t.four, &no_rules, buf_span(&token),
                   "algorithm \"ES256\" is for none of the 4 keys");
    struct keyring *none = keyring_new();
    assert_refused(none, &no_rules, buf_span(&token), "there is no key to check the token with");
    keyring_free(none);
    buf_fini(&token);
}

/* Of the right length and of others, and with the numbers that ECDSA excludes. */
static void malformed_signatures_are_refused(void **state)
{
    static const char *const kids[] = {"rsa", "p256", "p384", "p521"};
    static const size_t lengths[] = {1, 32, 63, 64, 65, 95, 96, 97, 131, 132, 133, 255, 256, 257};
    static const char fills[] = {0, 1, (char)0xff};
    struct buf token = {0};
    struct fault f;
    char bytes[257];

    (void)state;
    for (size_t i = 0; i < 4 * 14 * 3; i++) {
        sign(kids[i % 4], NULL, &token);
        token.len = (size_t)(strrchr(token.at, '.') + 1 - token.at);
        memset(bytes, fills[i / 4 / 14], sizeof(bytes));
        forge_part(&token, (struct span){bytes, lengths[i / 4 % 14]});
        assert_null(token_verify(t.named, &no_rules, buf_span(&token), NOW, &f));
        assert_true(span_starts(span_of(f.text), "the signature does not match key \""));
    }
    buf_fini(&token);
}

static void what_cannot_be_signed_is_said(void **state)
{
    static const struct {
        const char *kid, *alg, *claims, *why;
    } rows[] = {
        {"k9", NULL, "{}", "kid \"k9\": there is no such key"},
        {"rsa", "HS256", "{}", "algorithm \"HS256\" is not for key \"rsa\" (RSA)"},
        {"h", "none", "{}", "algorithm \"none\" is not for key \"h\" (HMAC)"},
        {"h", NULL, "[]", "claims: must be an object, found an array"},
        {"h", NULL, "{", "claims: column 2: expected a key or '}', found the end"},
        {"h", NULL, "{\"a\":1,\"a\":2}", "claims: a name given twice, or what libjwt cannot write"},
    };
    struct buf out = {0};
    struct fault f;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(
            token_sign(t.named, rows[i].kid, rows[i].alg, span_of(rows[i].claims), &out, &f), -1);
        assert_string_equal(f.text, rows[i].why);
    }
    assert_int_equal(token_sign(t.public, NULL, NULL, span_of("{}"), &out, &f), -1);
    assert_string_equal(f.text, "the key is a public key, which cannot sign");
    assert_int_equal(token_sign(t.hmac, "\xff", NULL, span_of("{}"), &out, &f), -1);
    assert_string_equal(f.text, "kid \"\\xff\": must be UTF-8");
    assert_int_equal(out.len, 0);
    buf_fini(&out);
}

static void a_token_has_a_size(void **state)
{
    struct buf claims = {0}, out = {0};
    struct fault f;

    (void)state;
    buf_text(&claims, "{\"sub\":\"");
    for (int i = 0; i < 6200; i++)
        buf_char(&claims, 'a');
    buf_text(&claims, "\"}");
    assert_int_equal(token_sign(t.hmac, NULL, NULL, buf_span(&claims), &out, &f), -1);
    assert_string_equal(f.text, "the token would have 8361 bytes, more than 8192");
    while (claims.len <= TOKEN_BYTES_MAX)
        buf_char(&claims, ' ');
    assert_int_equal(token_sign(t.hmac, NULL, NULL, buf_span(&claims), &out, &f), -1);
    assert_string_equal(f.text, "claims: 8193 bytes, more than a token can hold");
    buf_fini(&claims);
    buf_fini(&out);
}

static void a_name_for_a_key_without_one(void **state)
{
    struct buf out = {0}, header = {0}, claims = {0};
    struct fault f;

    (void)state;
    assert_int_equal(token_sign(t.hmac, "k1", NULL, span_of("{\"sub\":\"a\"}"), &out, &f), 0);
    assert_int_equal(token_peek(buf_span(&out), &header, &claims, &f), 0);
    assert_string_equal(header.at, "{\"alg\":\"HS256\",\"kid\":\"k1\",\"typ\":\"JWT\"}");
    buf_fini(&out);
    buf_fini(&header);
    buf_fini(&claims);
}

static void looking_needs_no_key(void **state)
{
    struct buf header = {0}, claims = {0};
    struct fault f;

    (void)state;
    assert_int_equal(token_peek(span_of("eyAifSI6MX0.e30.eHh4"), &header, &claims, &f), 0);
    assert_string_equal(header.at, "{ \"}\":1}");
    assert_string_equal(claims.at, "{}");
    assert_int_equal(token_peek(span_of("e30.W10.eHh4"), &header, &claims, &f), -1);
    assert_string_equal(f.text, "claims: must be an object, found an array");
    buf_fini(&header);
    buf_fini(&claims);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_valid_token_names_its_bearer),
        cmocka_unit_test(without_claims_there_are_no_rights),
        cmocka_unit_test(a_user_is_never_a_pattern),
        cmocka_unit_test(sub_comes_before_user_id),
        cmocka_unit_test(claims_are_checked),
        cmocka_unit_test(leeway_is_granted_both_ways),
        cmocka_unit_test(audience_and_issuer_must_fit),
        cmocka_unit_test(headers_are_checked),
        cmocka_unit_test(text_is_checked),
        cmocka_unit_test(a_changed_token_is_refused),
        cmocka_unit_test(a_public_key_is_no_secret),
        cmocka_unit_test(what_is_signed_is_accepted),
        cmocka_unit_test(the_key_has_a_usual_algorithm),
        cmocka_unit_test(the_kid_picks_the_key),
        cmocka_unit_test(keys_without_a_name_are_all_tried),
        cmocka_unit_test(malformed_signatures_are_refused),
        cmocka_unit_test(what_cannot_be_signed_is_said),
        cmocka_unit_test(a_token_has_a_size),
        cmocka_unit_test(a_name_for_a_key_without_one),
        cmocka_unit_test(looking_needs_no_key),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
