#include "auth.h"
#include "catalog.h"
#include "clock.h"
#include "embedded.h"
#include "protocol.h"
#include "web.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static const char DEVELOPMENT_CLAIMS[] =
    "{\"sub\":\"dev\",\"rooms\":[\"*\"],\"publish\":[\"*\"],\"role\":\"admin\"}";

bool auth_is_development(const struct gateway *g)
{
    return g->settings.key_files.count == 0;
}

struct keyring *auth_read_keys(const struct settings *set, struct fault *f)
{
    struct keyring *keys = keyring_new();
    int failed = 0;
    for (size_t i = 0; i < set->key_files.count && !failed; i++)
        failed = keyring_add_path(keys, set->key_files.at[i], f);
    if (!failed && keyring_count(keys) == 0)
        failed = fault_set(f, "--key-file: no key in it");
    if (!failed)
        return keys;
    keyring_free(keys);
    return NULL;
}

static int print_token(struct gateway *g, const char *path, struct fault *f)
{
    struct buf token = {0};
    int failed = token_sign(g->keys, NULL, NULL, span_of(DEVELOPMENT_CLAIMS), &token, f);
    if (!failed)
        fprintf(stderr,
                "collabd: development mode: no --key-file, so tokens are checked with %s\n"
                "collabd: a token for user dev, every room, publishing, administration:\n%s\n",
                path, token.at);
    buf_fini(&token);
    return failed;
}

static int load_development(struct gateway *g, struct fault *f)
{
    struct buf path = {0};
    if (embedded_state_dir(&path, f) != 0) {
        buf_fini(&path);
        return -1;
    }
    buf_text(&path, "/dev.key");
    int failed = access(path.at, F_OK) != 0 && key_make("hmac", path.at, f) != 0;
    if (!failed)
        failed = keyring_add_path(g->keys, path.at, f);
    if (!failed && !g->settings.worker)
        failed = print_token(g, path.at, f);
    buf_fini(&path);
    return failed ? -1 : 0;
}

int auth_load(struct gateway *g, struct fault *f)
{
    g->keys = auth_is_development(g) ? keyring_new() : auth_read_keys(&g->settings, f);
    if (!g->keys)
        return -1;
    return auth_is_development(g) ? load_development(g, f) : 0;
}

int64_t auth_wait_ms(const struct gateway *g, const struct account *address)
{
    return address ? rate_wait_ms(&address->window, &g->limits.auth_rate, clock_steady_ms()) : 0;
}

int auth_too_often(struct gateway *g, int64_t wait_ms, struct fault *f)
{
    struct buf wait = {0};
    g->metrics.value[M_AUTH_LIMITED]++;
    num_format_ms(&wait, wait_ms < 1000 ? wait_ms : (wait_ms + 999) / 1000 * 1000);
    fault_set(f, "too many attempts to authenticate from this address; allowed again in %s",
              wait.at);
    buf_fini(&wait);
    return -1;
}

static void count_failure(struct gateway *g, struct account *address)
{
    g->metrics.value[M_AUTH_FAILURES]++;
    if (address)
        account_take(address, &g->limits.auth_rate, clock_steady_ms());
}

struct identity *auth_check(struct gateway *g, struct account *address, struct span token,
                            struct fault *f)
{
    struct token_rules rules = {
        .audience = g->settings.audience,
        .issuer = g->settings.issuer,
        .leeway_s = (int)(g->settings.leeway_ms / 1000),
    };
    struct identity *who = token_verify(g->keys, &rules, token, clock_wall_ms() / 1000, f);
    if (who)
        return who;
    count_failure(g, address);
    return NULL;
}

struct identity *auth_check_client(struct gateway *g, struct account *address, struct span token,
                                   struct fault *f)
{
    struct identity *who = auth_check(g, address, token, f);
    struct buf header = {0}, claims = {0};
    bool good = who && (!g->catalog->auth.claim_count ||
                        (token_peek(token, &header, &claims, f) == 0 &&
                         catalog_check_claims(g->catalog, buf_span(&claims), f) == 0));
    buf_fini(&header);
    buf_fini(&claims);
    if (good || !who)
        return who;
    count_failure(g, address);
    identity_free(who);
    return NULL;
}

static struct span without(struct span s, const char *prefix)
{
    size_t n = strlen(prefix);
    return (struct span){s.at + n, s.len - n};
}

static struct span in_header(struct span value)
{
    static const char scheme[] = "Bearer ";
    if (value.len < strlen(scheme) || strncasecmp(value.at, scheme, strlen(scheme)) != 0)
        return (struct span){0};
    value = without(value, scheme);
    while (value.len && value.at[0] == ' ')
        value = without(value, " ");
    return value;
}

static struct span in_protocols(struct span protocols)
{
    while (protocols.len) {
        struct span item = web_item(&protocols);
        if (span_starts(item, PROTOCOL_BEARER))
            return without(item, PROTOCOL_BEARER);
    }
    return (struct span){0};
}

struct span auth_find(const struct auth_request *r, unsigned places)
{
    struct span token = {0};
    if (places & CATALOG_FROM_QUERY)
        token = web_query(r->query, "token");
    if (!token.len && places & CATALOG_FROM_HEADER)
        token = in_header(r->authorization);
    if (!token.len && places & CATALOG_FROM_PROTOCOL)
        token = in_protocols(r->protocols);
    return token;
}

int auth_missing(struct gateway *g, unsigned places, struct fault *f)
{
    static const struct {
        enum catalog_source place;
        const char *words;
    } all[] = {
        {CATALOG_FROM_AUTH, "auth.token"},
        {CATALOG_FROM_QUERY, "token in the query"},
        {CATALOG_FROM_HEADER, "Authorization: Bearer"},
        {CATALOG_FROM_PROTOCOL, "the subprotocol " PROTOCOL_BEARER "TOKEN"},
    };
    struct buf text = {0};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (places & all[i].place)
            buf_printf(&text, "%s%s", text.len ? " or " : "", all[i].words);
    g->metrics.value[M_AUTH_FAILURES]++;
    fault_set(f, "a token is needed%s%s", text.len ? ": " : ", and none is taken in this way",
              text.len ? text.at : "");
    buf_fini(&text);
    return -1;
}
