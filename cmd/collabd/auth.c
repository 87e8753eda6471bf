#include "auth.h"
#include "authz.h"
#include "bus.h"
#include "catalog.h"
#include "clock.h"
#include "embedded.h"
#include "mem.h"
#include "protocol.h"
#include "web.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
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
        return fault_at(f, "no --key-file, and none can be made");
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

/* --- letting in --------------------------------------------------------------------------- */

/* Somebody about whom it is not decided yet. */
struct asking {
    struct gateway *gateway;
    struct account *address; /* held; NULL: none is known */
    struct identity *who;
    auth_done *done;
    void *arg;
};

static void asking_free(struct asking *a)
{
    if (a->address)
        account_release(a->address);
    free(a);
}

static void let_in(void *arg)
{
    struct asking *a = arg;
    a->done(a->arg, a->who, 0, NULL);
    asking_free(a);
}

static void refuse(struct asking *a, enum error_code code, const char *why)
{
    if (code != ERROR_UNAVAILABLE)
        count_failure(a->gateway, a->address);
    identity_free(a->who);
    a->done(a->arg, NULL, code, why);
    asking_free(a);
}

static void helper_said(void *arg, enum authz_answer answer, const char *why)
{
    struct asking *a = arg;
    if (answer == AUTHZ_YES)
        bus_await(a->gateway->bus, let_in, a);
    else
        refuse(a, answer == AUTHZ_NO ? ERROR_FORBIDDEN : ERROR_UNAVAILABLE, why);
}

static void ask_helper(struct asking *a)
{
    a->who->vouched = true;
    authz_ask(a->gateway->authz, span_of(a->who->user), (struct span){0}, helper_said, a);
}

static bool has_claims(const struct catalog *c, struct span token, struct fault *f)
{
    struct buf header = {0}, claims = {0};
    bool good = !c->auth.claim_count || (token_peek(token, &header, &claims, f) == 0 &&
                                         catalog_check_claims(c, buf_span(&claims), f) == 0);
    buf_fini(&header);
    buf_fini(&claims);
    return good;
}

void auth_let_in(struct gateway *g, struct account *address, struct span token,
                 struct identity *who, auth_done *done, void *arg)
{
    struct asking *a = mem_alloc(sizeof(*a));
    struct fault f;
    bool good = has_claims(g->catalog, token, &f);
    bool always = g->catalog->auth.helper == CATALOG_HELPER_ALWAYS;
    bool instead = g->catalog->auth.helper == CATALOG_HELPER_INSTEAD && g->authz;
    *a = (struct asking){g, address, who, done, arg};
    if (address)
        account_hold(address);
    if (good ? always : instead)
        ask_helper(a);
    else if (good)
        bus_await(g->bus, let_in, a);
    else
        refuse(a, ERROR_UNAUTHENTICATED, f.text);
}

void auth_admit(struct gateway *g, struct account *address, struct span token, auth_done *done,
                void *arg)
{
    struct fault f;
    struct identity *who = auth_check(g, address, token, &f);
    if (who)
        auth_let_in(g, address, token, who, done, arg);
    else
        done(arg, NULL, ERROR_UNAUTHENTICATED, f.text);
}

/* --- finding the token -------------------------------------------------------------------- */

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
