#include "token.h"
#include "base64.h"
#include "clock.h"
#include "event.h"
#include "json.h"
#include "mem.h"
#include "room.h"
#include <assert.h>
#include <inttypes.h>
#include <jwt.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- The text: header.claims.signature, each in base64url (RFC 7515, section 3.1). --- */

enum part { PART_HEADER, PART_CLAIMS, PART_SIGNATURE, PART_COUNT };
static const char *const part_names[] = {"header", "claims", "signature"};

struct token {
    struct span parts[PART_COUNT];
    struct buf header; /* decoded: JSON objects */
    struct buf claims;
    struct span alg; /* encoded strings, quotes included; empty: none */
    struct span kid;
};

static int split(struct span text, struct span parts[PART_COUNT], struct fault *f)
{
    int count = 0;

    if (text.len == 0)
        return fault_set(f, "the token is empty");
    if (text.len > TOKEN_BYTES_MAX)
        return fault_set(f, "the token has %zu bytes, more than %d", text.len, TOKEN_BYTES_MAX);
    for (bool last = false; !last; count++) {
        const char *dot = memchr(text.at, '.', text.len);
        last = !dot;
        struct span part = {text.at, last ? text.len : (size_t)(dot - text.at)};
        if (count < PART_COUNT)
            parts[count] = part;
        text.at += part.len + !last;
        text.len -= part.len + !last;
    }
    if (count != PART_COUNT)
        return fault_set(f, "not a token: must have 3 parts with a dot between, found %d", count);
    for (int i = 0; i < PART_COUNT; i++)
        if (parts[i].len == 0)
            return fault_set(f, "the token's %s part is empty", part_names[i]);
    return 0;
}

static int decode_object(const struct token *t, enum part part, struct buf *json, struct fault *f)
{
    if (base64url_decode(json, t->parts[part], f) != 0 || json_check(buf_span(json), f) != 0)
        return fault_at(f, "%s", part_names[part]);
    if (json_type(buf_span(json)) != JSON_OBJECT)
        return fault_set(f, "%s: must be an object, found %s", part_names[part],
                         json_type_name(json_type(buf_span(json))));
    return 0;
}

static struct span unquoted(struct span string)
{
    return (struct span){string.at + 1, string.len - 2};
}

static void token_fini(struct token *t)
{
    buf_fini(&t->header);
    buf_fini(&t->claims);
}

/* Takes text apart. Whatever comes back, t is to be freed by token_fini(). */
static int token_init(struct token *t, struct span text, struct fault *f)
{
    struct buf signature = {0};

    *t = (struct token){0};
    if (split(text, t->parts, f) != 0 || decode_object(t, PART_HEADER, &t->header, f) != 0 ||
        decode_object(t, PART_CLAIMS, &t->claims, f) != 0)
        return -1;
    int result = base64url_decode(&signature, t->parts[PART_SIGNATURE], f);
    buf_fini(&signature);
    return result == 0 ? 0 : fault_at(f, "%s", part_names[PART_SIGNATURE]);
}

/* --- The header (RFC 7515, section 4), and the signature. --- */

static int take_header_text(const char *name, struct span value, struct span *out, struct fault *f)
{
    if (out->len != 0)
        return fault_set(f, "header: %s: given twice", name);
    if (json_type(value) != JSON_STRING)
        return fault_set(f, "header: %s: must be a string, found %s", name,
                         json_type_name(json_type(value)));
    *out = value;
    return 0;
}

static bool is_jwt(struct span type)
{
    struct span text = unquoted(type);

    return text.len == 3 && strncasecmp(text.at, "JWT", 3) == 0;
}

static int read_header(struct token *t, struct fault *f)
{
    struct json_walk walk = json_walk(buf_span(&t->header));
    struct span key, value, type = {0};
    int result = 0;

    while (result == 0 && json_next_member(&walk, &key, &value)) {
        if (json_string_is(key, "alg"))
            result = take_header_text("alg", value, &t->alg, f);
        else if (json_string_is(key, "kid"))
            result = take_header_text("kid", value, &t->kid, f);
        else if (json_string_is(key, "typ"))
            result = take_header_text("typ", value, &type, f);
        else if (json_string_is(key, "crit")) /* what it lists must be understood, or refused */
            result = fault_set(f, "header: crit: no extension is understood here");
    }
    if (result != 0)
        return -1;
    if (t->alg.len == 0)
        return fault_set(f, "header: alg: missing");
    if (type.len != 0 && !is_jwt(type))
        return fault_set(f, "header: typ: must be JWT, found %s", fault_quote(unquoted(type)));
    return 0;
}

/* The keys that may have signed a token: at most KEY_UNNAMED_MAX. */
struct candidates {
    const struct key *keys[KEY_UNNAMED_MAX];
    size_t count;
};

static int choose_named(struct candidates *c, const struct keyring *k, struct span kid,
                        struct fault *f)
{
    for (size_t i = 0; i < k->count; i++) {
        if (!k->at[i].kid || !json_string_is(kid, k->at[i].kid))
            continue;
        c->keys[c->count++] = &k->at[i];
        return 0;
    }
    return fault_set(f, "kid %s: there is no such key", fault_quote(unquoted(kid)));
}

static int choose_keys(struct candidates *c, const struct keyring *k, const struct token *t,
                       struct fault *f)
{
    *c = (struct candidates){0};
    if (k->count == 0)
        return fault_set(f, "there is no key to check the token with");
    if (t->kid.len != 0 && k->named != 0)
        return choose_named(c, k, t->kid, f);
    for (size_t i = 0; i < k->count; i++)
        if (!k->at[i].kid || k->count == 1)
            c->keys[c->count++] = &k->at[i];
    if (c->count == 0)
        return fault_set(f, "header: kid: missing, and there are %zu keys", k->count);
    return 0;
}

/* What libjwt can't read it calls invalid, just as a wrong signature. Without a key it only reads:
 * nothing of what comes back is used. */
static bool is_readable(const char *text)
{
    jwt_t *jwt;

    if (jwt_decode(&jwt, text, NULL, 0) != 0)
        return false;
    jwt_free(jwt);
    return true;
}

/* libjwt takes the algorithm from the token: the caller has checked that it is one of the key's.
 * It compares HMACs in constant time by jwt_strcmp(), in Debian's 1.10.2-1+deb12u1 as from 1.17 on;
 * the original 1.10.2 did not (CVE-2024-25189). */
static bool is_signed_by(const struct key *key, const char *text, struct span alg)
{
    char name[8];
    jwt_t *jwt;

    assert(alg.len < sizeof(name));
    memcpy(name, alg.at, alg.len);
    name[alg.len] = '\0';
    if (jwt_decode(&jwt, text, (const unsigned char *)key->checking.at, (int)key->checking.len) !=
        0) {
        ERR_clear_error(); /* left behind, it would be taken for a fault of the next TLS call */
        return false;
    }
    bool same = jwt_get_alg(jwt) == jwt_str_alg(name);
    jwt_free(jwt);
    return same;
}

/* Which of the reasons it is that no key matched; takes: one of them at least takes alg. */
static int refuse(const struct candidates *c, const char *text, struct span alg, bool takes,
                  struct fault *f)
{
    const struct key *key = c->keys[0];

    if (!takes && c->count == 1)
        return fault_set(f, "algorithm %s is not for %s (%s)", fault_quote(alg), key->title,
                         key_kind_name(key->kind));
    if (!takes)
        return fault_set(f, "algorithm %s is for none of the %zu keys", fault_quote(alg), c->count);
    if (!is_readable(text))
        return fault_set(f, "header or claims: hold a string or number that libjwt cannot read");
    if (c->count == 1)
        return fault_set(f, "the signature does not match %s", key->title);
    return fault_set(f, "the signature matches none of the %zu keys", c->count);
}

static int check_signature(const struct token *t, const struct keyring *k, struct span token,
                           struct fault *f)
{
    struct candidates c;
    struct span alg = unquoted(t->alg);
    bool takes = false, matches = false;

    if (choose_keys(&c, k, t, f) != 0)
        return -1;
    char *text = span_text(token);
    for (size_t i = 0; i < c.count && !matches; i++) {
        if (!key_takes(c.keys[i], alg))
            continue;
        takes = true;
        matches = is_signed_by(c.keys[i], text, alg);
    }
    int result = matches ? 0 : refuse(&c, text, alg, takes, f);
    free(text);
    return result;
}

/* --- The claims (RFC 7519, section 4). --- */

enum claim {
    CLAIM_SUB,
    CLAIM_USER_ID,
    CLAIM_EXP,
    CLAIM_NBF,
    CLAIM_IAT,
    CLAIM_AUD,
    CLAIM_ISS,
    CLAIM_ROOMS,
    CLAIM_PUBLISH,
    CLAIM_ROLE,
    CLAIM_DEVICE,
    CLAIM_COUNT
};
static const char *const claim_names[] = {"sub", "userId", "exp",     "nbf",  "iat",   "aud",
                                          "iss", "rooms",  "publish", "role", "device"};

struct claims {
    struct span at[CLAIM_COUNT]; /* JSON values; empty: absent */
};

/* The last of two with one name counts, as section 4 allows. */
static void read_claims(struct claims *c, struct span object)
{
    struct json_walk walk = json_walk(object);
    struct span key, value;

    *c = (struct claims){0};
    while (json_next_member(&walk, &key, &value))
        for (int i = 0; i < CLAIM_COUNT; i++)
            if (json_string_is(key, claim_names[i]))
                c->at[i] = value;
}

static bool has(const struct claims *c, enum claim claim)
{
    return c->at[claim].len != 0;
}

static bool is_string(const struct claims *c, enum claim claim)
{
    return has(c, claim) && json_type(c->at[claim]) == JSON_STRING;
}

/* Seconds since 1970, whose fraction is dropped. */
static int read_date(const struct claims *c, enum claim claim, int64_t *seconds, struct fault *f)
{
    char text[32] = "";
    struct span value = c->at[claim];

    if (json_type(value) != JSON_NUMBER)
        return fault_set(f, "%s: must be a number of seconds since 1970, found %s",
                         claim_names[claim], json_type_name(json_type(value)));
    if (value.len < sizeof(text))
        memcpy(text, value.at, value.len);
    double number = strtod(text, NULL);
    if (text[0] == '\0' || number < 0 || number > (double)TOKEN_TIME_MAX_S)
        return fault_set(f, "%s: must be a number of seconds since 1970, found %.*s",
                         claim_names[claim], value.len < 40 ? (int)value.len : 40, value.at);
    *seconds = (int64_t)number;
    return 0;
}

/* "1 second", "3 hours". */
static void add_age(struct buf *out, int64_t seconds)
{
    static const struct {
        const char *name;
        int64_t seconds;
    } units[] = {{"day", 86400}, {"hour", 3600}, {"minute", 60}, {"second", 1}};
    int i = 0;

    while (i < 3 && seconds < units[i].seconds)
        i++;
    int64_t count = seconds / units[i].seconds;
    buf_printf(out, "%" PRId64 " %s%s", count, units[i].name, count == 1 ? "" : "s");
}

void token_format_time(int64_t time_s, int64_t now_s, struct buf *out)
{
    char stamp[CLOCK_STAMP_BYTES];

    clock_stamp(time_s * 1000, stamp);
    buf_add(out, stamp, strlen("2026-11-20T18:00:00"));
    buf_text(out, now_s < time_s ? "Z (in " : "Z (");
    add_age(out, now_s < time_s ? time_s - now_s : now_s - time_s);
    buf_text(out, now_s < time_s ? ")" : " ago)");
}

static int wrong_time(const char *what, int64_t time_s, int64_t now_s, struct fault *f)
{
    struct buf when = {0};

    token_format_time(time_s, now_s, &when);
    fault_set(f, "%s %s", what, when.at);
    buf_fini(&when);
    return -1;
}

static int check_expiry(const struct claims *c, int leeway_s, int64_t now_s, int64_t *expires_s,
                        struct fault *f)
{
    *expires_s = 0;
    if (!has(c, CLAIM_EXP))
        return 0;
    if (read_date(c, CLAIM_EXP, expires_s, f) != 0)
        return -1;
    return now_s < *expires_s + leeway_s ? 0 : wrong_time("expired", *expires_s, now_s, f);
}

static int check_past(const struct claims *c, enum claim claim, int leeway_s, int64_t now_s,
                      const char *what, struct fault *f)
{
    int64_t date;

    if (!has(c, claim))
        return 0;
    if (read_date(c, claim, &date, f) != 0)
        return -1;
    return now_s >= date - leeway_s ? 0 : wrong_time(what, date, now_s, f);
}

static bool array_holds(struct span array, const char *text)
{
    struct json_walk walk = json_walk(array);
    struct span element;

    while (json_next_element(&walk, &element))
        if (json_type(element) == JSON_STRING && json_string_is(element, text))
            return true;
    return false;
}

static int check_audience(const struct claims *c, const char *wanted, struct fault *f)
{
    const char *quoted = fault_quote(span_of(wanted));
    struct span aud = c->at[CLAIM_AUD];

    if (is_string(c, CLAIM_AUD)) {
        if (json_string_is(aud, wanted))
            return 0;
        return fault_set(f, "not for %s: its audience is %s", quoted, fault_quote(unquoted(aud)));
    }
    if (!has(c, CLAIM_AUD))
        return fault_set(f, "not for %s: it names no audience", quoted);
    if (json_type(aud) != JSON_ARRAY)
        return fault_set(f, "aud: must be a string or an array, found %s",
                         json_type_name(json_type(aud)));
    if (!array_holds(aud, wanted))
        return fault_set(f, "not for %s: it is not among its audiences", quoted);
    return 0;
}

static int check_issuer(const struct claims *c, const char *wanted, struct fault *f)
{
    const char *quoted = fault_quote(span_of(wanted));

    if (!is_string(c, CLAIM_ISS))
        return fault_set(f, "not from %s: it names no issuer", quoted);
    if (!json_string_is(c->at[CLAIM_ISS], wanted))
        return fault_set(f, "not from %s: its issuer is %s", quoted,
                         fault_quote(unquoted(c->at[CLAIM_ISS])));
    return 0;
}

static int check_rules(const struct claims *c, const struct token_rules *rules, int64_t now_s,
                       int64_t *expires_s, struct fault *f)
{
    int leeway_s = rules->leeway_s;

    assert(leeway_s >= 0 && leeway_s <= TOKEN_LEEWAY_MAX_S);
    if (check_expiry(c, leeway_s, now_s, expires_s, f) != 0 ||
        check_past(c, CLAIM_NBF, leeway_s, now_s, "not valid before", f) != 0 ||
        check_past(c, CLAIM_IAT, leeway_s, now_s, "issued in the future,", f) != 0)
        return -1;
    if (rules->audience && check_audience(c, rules->audience, f) != 0)
        return -1;
    if (rules->issuer && check_issuer(c, rules->issuer, f) != 0)
        return -1;
    return 0;
}

/* --- The identity. --- */

static int read_user(const struct claims *c, struct buf *user, struct fault *f)
{
    enum claim claim = has(c, CLAIM_SUB) ? CLAIM_SUB : CLAIM_USER_ID;
    int64_t number;

    if (!has(c, claim))
        return fault_set(f, "names no user: neither sub nor userId");
    struct span value = c->at[claim];
    if (json_type(value) == JSON_STRING)
        json_decode(value, user);
    else if (json_type(value) == JSON_NUMBER && json_int(value, &number) == 0)
        buf_join(user, value);
    else
        return fault_set(f, "%s: must be a string, found %s", claim_names[claim],
                         json_type_name(json_type(value)));
    if (event_check_user(buf_span(user), f) != 0)
        return fault_at(f, "%s", claim_names[claim]);
    buf_char(user, '\0');
    return 0;
}

static int add_pattern(struct span value, struct buf *strings, struct fault *f)
{
    size_t start = strings->len;

    if (json_type(value) != JSON_STRING)
        return fault_set(f, "must hold patterns, found %s", json_type_name(json_type(value)));
    json_decode(value, strings);
    if (room_check_pattern((struct span){strings->at + start, strings->len - start}, f) != 0)
        return -1;
    buf_char(strings, '\0');
    return 0;
}

/* Patterns, or one of them, not as an array. */
static int read_patterns(const struct claims *c, enum claim claim, struct buf *strings,
                         struct fault *f)
{
    struct json_walk walk = json_walk(c->at[claim]);
    struct span element;

    if (json_type(c->at[claim]) != JSON_ARRAY) {
        int result = add_pattern(c->at[claim], strings, f);
        return result == 0 ? 0 : fault_at(f, "%s", claim_names[claim]);
    }
    while (json_next_element(&walk, &element))
        if (add_pattern(element, strings, f) != 0)
            return fault_at(f, "%s", claim_names[claim]);
    return 0;
}

/* A user whose name can't stand in a room's has none: it must never be taken for a pattern. */
static void add_own_room(struct buf *strings)
{
    struct buf room = {0};
    struct fault unsaid;

    buf_printf(&room, "user:%s", strings->at);
    if (room_check(buf_span(&room), &unsaid) == 0)
        buf_add(strings, room.at, room.len + 1);
    buf_fini(&room);
}

/* Other issuers may mean something else by it: what is no string, or has a NUL, is none. */
static void read_device(const struct claims *c, struct buf *strings)
{
    struct buf device = {0};

    if (is_string(c, CLAIM_DEVICE))
        json_decode(c->at[CLAIM_DEVICE], &device);
    if (device.len > 0 && !memchr(device.at, '\0', device.len))
        buf_join(strings, buf_span(&device));
    buf_char(strings, '\0');
    buf_fini(&device);
}

/* The strings of an identity: the user, the device, rooms, publish. */
static int read_grants(const struct claims *c, struct buf *strings, struct fault *f)
{
    if (read_user(c, strings, f) != 0)
        return -1;
    read_device(c, strings);
    if (!has(c, CLAIM_ROOMS))
        add_own_room(strings);
    else if (read_patterns(c, CLAIM_ROOMS, strings, f) != 0)
        return -1;
    buf_char(strings, '\0');
    if (has(c, CLAIM_PUBLISH) && read_patterns(c, CLAIM_PUBLISH, strings, f) != 0)
        return -1;
    buf_char(strings, '\0');
    return 0;
}

const char *identity_next(const char *pattern)
{
    return pattern + strlen(pattern) + 1;
}

static struct identity *identity_new(struct span strings)
{
    struct identity *who = mem_zero(offsetof(struct identity, user) + strings.len);

    memcpy(who->user, strings.at, strings.len);
    who->device = who->user + strlen(who->user) + 1;
    who->rooms = who->device + strlen(who->device) + 1;
    for (who->publish = who->rooms; *who->publish;)
        who->publish = identity_next(who->publish);
    who->publish++;
    return who;
}

static struct identity *identify(struct span object, const struct token_rules *rules, int64_t now_s,
                                 struct fault *f)
{
    struct claims claims;
    struct buf strings = {0};
    struct identity *who = NULL;
    int64_t expires_s;

    read_claims(&claims, object);
    if (check_rules(&claims, rules, now_s, &expires_s, f) == 0 &&
        read_grants(&claims, &strings, f) == 0) {
        who = identity_new(buf_span(&strings));
        who->expires_s = expires_s;
        who->admin =
            is_string(&claims, CLAIM_ROLE) && json_string_is(claims.at[CLAIM_ROLE], "admin");
    }
    buf_fini(&strings);
    return who;
}

struct identity *token_verify(const struct keyring *k, const struct token_rules *rules,
                              struct span token, int64_t now_s, struct fault *f)
{
    struct token t;
    struct identity *who = NULL;

    if (token_init(&t, token, f) == 0 && read_header(&t, f) == 0 &&
        check_signature(&t, k, token, f) == 0)
        who = identify(buf_span(&t.claims), rules, now_s, f);
    token_fini(&t);
    return who;
}

void identity_free(struct identity *who)
{
    free(who);
}

static bool may(const char *pattern, struct span room)
{
    for (; *pattern; pattern = identity_next(pattern))
        if (room_matches(span_of(pattern), room))
            return true;
    return false;
}

bool identity_may_join(const struct identity *who, struct span room)
{
    return may(who->rooms, room);
}

bool identity_may_publish(const struct identity *who, struct span room)
{
    return may(who->publish, room);
}

/* --- Making and looking. --- */

static const struct key *signing_key(const struct keyring *k, const char *kid, const char *alg,
                                     struct fault *f)
{
    const struct key *key = NULL;

    for (size_t i = 0; i < k->count && !key; i++)
        if (!kid || k->named == 0 || (k->at[i].kid && strcmp(k->at[i].kid, kid) == 0))
            key = &k->at[i];
    if (!key && k->count != 0)
        fault_set(f, "kid %s: there is no such key", fault_quote(span_of(kid)));
    else if (!key)
        fault_set(f, "there is no key to sign with");
    else if (key->signing.len == 0)
        fault_set(f, "%s is a public key, which cannot sign", key->title);
    else if (alg && !key_takes(key, span_of(alg)))
        fault_set(f, "algorithm %s is not for %s (%s)", fault_quote(span_of(alg)), key->title,
                  key_kind_name(key->kind));
    else
        return key;
    return NULL;
}

static int check_claims(struct span claims, struct fault *f)
{
    if (claims.len > TOKEN_BYTES_MAX)
        return fault_set(f, "%zu bytes, more than a token can hold", claims.len);
    if (json_check(claims, f) != 0)
        return -1;
    if (json_type(claims) != JSON_OBJECT)
        return fault_set(f, "must be an object, found %s", json_type_name(json_type(claims)));
    return 0;
}

static int encode(jwt_t *jwt, struct buf *out, struct fault *f)
{
    char *text = jwt_encode_str(jwt);
    int result = 0;

    ERR_clear_error();
    if (!text)
        return fault_set(f, "libjwt could not sign");
    if (strlen(text) > TOKEN_BYTES_MAX)
        result = fault_set(f, "the token would have %zu bytes, more than %d", strlen(text),
                           TOKEN_BYTES_MAX);
    else
        buf_text(out, text);
    free(text);
    return result;
}

int token_sign(const struct keyring *k, const char *kid, const char *alg, struct span claims,
               struct buf *out, struct fault *f)
{
    const struct key *key = signing_key(k, kid, alg, f);
    jwt_t *jwt;

    if (!key)
        return -1;
    if (check_claims(claims, f) != 0)
        return fault_at(f, "claims");
    jwt_new(&jwt);
    char *text = span_text(claims);
    const char *name = key->kid ? key->kid : kid;
    int result = 0;
    if (jwt_add_grants_json(jwt, text) != 0)
        result = fault_set(f, "claims: a name given twice, or what libjwt cannot write");
    else if (name && jwt_add_header(jwt, "kid", name) != 0)
        result = fault_set(f, "kid %s: must be UTF-8", fault_quote(span_of(name)));
    jwt_set_alg(jwt, jwt_str_alg(alg ? alg : key_algorithm(key)),
                (const unsigned char *)key->signing.at, (int)key->signing.len);
    if (result == 0)
        result = encode(jwt, out, f);
    jwt_free(jwt);
    free(text);
    return result;
}

int token_peek(struct span token, struct buf *header, struct buf *claims, struct fault *f)
{
    struct token t;
    int result = token_init(&t, token, f);

    if (result == 0) {
        buf_join(header, buf_span(&t.header));
        buf_join(claims, buf_span(&t.claims));
    }
    token_fini(&t);
    return result;
}
