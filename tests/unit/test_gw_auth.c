/* Where a request carries its token; keys; what a wrong token is followed by. */
#include "auth.h"
#include "catalog_file.h"
#include "clock.h"
#include "limit.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* --- finding it ---------------------------------------------------------------------------- */

enum { EVERYWHERE = CATALOG_FROM_QUERY | CATALOG_FROM_HEADER | CATALOG_FROM_PROTOCOL };

static void assert_found_in(unsigned places, const char *query, const char *authorization,
                            const char *protocols, const char *token)
{
    const struct auth_request r = {span_of(query), span_of(authorization), span_of(protocols)};
    struct span found = auth_find(&r, places);

    if (!span_is(found, token))
        fail_msg("%s | %s | %s: found \"%.*s\"", query, authorization, protocols, (int)found.len,
                 found.at);
}

static void assert_found(const char *query, const char *authorization, const char *protocols,
                         const char *token)
{
    assert_found_in(EVERYWHERE, query, authorization, protocols, token);
}

static void a_token_in_the_query(void **state)
{
    (void)state;
    assert_found("token=t", "", "", "t");
    assert_found("a=b&token=t&c=d", "", "", "t");
    assert_found("a&&token=t&token=u", "", "", "t");
    assert_found("token=a.b-c_d", "", "", "a.b-c_d");
    assert_found("", "", "", "");
    assert_found("token", "", "", "");
    assert_found("token=", "", "", "");
    assert_found("Token=t", "", "", "");
    assert_found("mytoken=t&tokens=t&x=token=t", "", "", "");
}

static void a_token_in_the_header(void **state)
{
    (void)state;
    assert_found("", "Bearer t", "", "t");
    assert_found("", "bearer t", "", "t");
    assert_found("", "BEARER   t", "", "t");
    assert_found("", "Bearer", "", "");
    assert_found("", "Bearer ", "", "");
    assert_found("", "Bearert", "", "");
    assert_found("", "Basic dXNlcjpwYXNz", "", "");
    assert_found("", " Bearer t", "", "");
}

static void a_token_among_the_subprotocols(void **state)
{
    (void)state;
    assert_found("", "", "collab.v1, bearer.t", "t");
    assert_found("", "", "bearer.t,collab.v1", "t");
    assert_found("", "", "collab.v1,  bearer.t\t , x", "t");
    assert_found("", "", "bearer.", "");
    assert_found("", "", "Bearer.t", "");
    assert_found("", "", "xbearer.t, collab.v1", "");
    assert_found("", "", ",,,", "");
}

static void the_first_place_that_has_one_counts(void **state)
{
    (void)state;
    assert_found("token=q", "Bearer h", "bearer.p", "q");
    assert_found("token=", "Bearer h", "bearer.p", "h");
    assert_found("x=y", "Basic h", "bearer.p", "p");
}

static void other_places_than_those_asked_for_count_for_nothing(void **state)
{
    (void)state;
    assert_found_in(CATALOG_FROM_QUERY, "token=q", "Bearer h", "bearer.p", "q");
    assert_found_in(CATALOG_FROM_HEADER, "token=q", "Bearer h", "bearer.p", "h");
    assert_found_in(CATALOG_FROM_PROTOCOL, "token=q", "Bearer h", "bearer.p", "p");
    assert_found_in(CATALOG_FROM_QUERY | CATALOG_FROM_PROTOCOL, "", "Bearer h", "bearer.p", "p");
    assert_found_in(CATALOG_FROM_HEADER, "token=q", "", "bearer.p", "");
    assert_found_in(CATALOG_FROM_AUTH | CATALOG_FROM_MESSAGE, "token=q", "Bearer h", "bearer.p",
                    "");
}

/* --- keys and checks ----------------------------------------------------------------------- */

static char dir[] = "/tmp/test-gw-auth-XXXXXX";
static struct gateway gateway;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

static int set_up(void **state)
{
    struct fault f;

    (void)state;
    strcpy(dir + strlen(dir) - 6, "XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    setenv("XDG_STATE_HOME", dir, 1);
    memset(&gateway, 0, sizeof(gateway));
    gateway.catalog = catalog_parse(span_of("{}"), "catalog", &f);
    limits_settle(&gateway.limits, &gateway.settings, gateway.catalog);
    return !gateway.catalog ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    keyring_free(gateway.keys);
    catalog_unref(gateway.catalog);
    accounts_fini(&gateway.accounts);
    return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Standard error is silent while keys are loaded: the token that is printed is for people. */
static int load(struct fault *f)
{
    int kept = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);

    fflush(stderr);
    dup2(null, STDERR_FILENO);
    int result = auth_load(&gateway, f);
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(null);
    return result;
}

static struct identity *check(struct account *from, const char *claims, struct fault *f)
{
    struct buf token = {0};

    assert_int_equal(token_sign(gateway.keys, NULL, NULL, span_of(claims), &token, f), 0);
    struct identity *who = auth_check(&gateway, from, buf_span(&token), f);
    buf_fini(&token);
    return who;
}

static void without_a_key_one_is_made_and_kept(void **state)
{
    char path[64];
    struct stat first, second;
    struct fault f;

    (void)state;
    snprintf(path, sizeof(path), "%s/collab/dev.key", dir);
    assert_true(auth_is_development(&gateway));
    assert_int_equal(load(&f), 0);
    assert_int_equal(stat(path, &first), 0);
    assert_int_equal(first.st_mode & 07777, 0600);

    struct identity *who = check(NULL, "{\"sub\":\"ann\"}", &f);
    assert_non_null(who);
    assert_string_equal(who->user, "ann");
    identity_free(who);

    keyring_free(gateway.keys);
    gateway.keys = NULL;
    assert_int_equal(load(&f), 0);
    assert_int_equal(stat(path, &second), 0);
    assert_int_equal(first.st_ino, second.st_ino);
}

static void a_key_that_is_not_there_is_a_fault(void **state)
{
    char name[] = "/nonexistent/key";
    char *names[] = {name};
    struct fault f;

    (void)state;
    gateway.settings.key_files = (struct opt_list){names, 1};
    assert_false(auth_is_development(&gateway));
    assert_int_equal(load(&f), -1);
    assert_string_equal(f.text, "/nonexistent/key: no such file or directory");
}

static void audience_and_issuer_are_the_settings(void **state)
{
    char audience[] = "app", issuer[] = "idp";
    struct fault f;

    (void)state;
    assert_int_equal(load(&f), 0);
    gateway.settings.audience = audience;
    gateway.settings.issuer = issuer;
    assert_null(check(NULL, "{\"sub\":\"ann\",\"iss\":\"idp\"}", &f));
    assert_string_equal(f.text, "not for \"app\": it names no audience");
    assert_null(check(NULL, "{\"sub\":\"ann\",\"aud\":\"app\"}", &f));
    assert_string_equal(f.text, "not from \"idp\": it names no issuer");
    identity_free(check(NULL, "{\"sub\":\"ann\",\"aud\":\"app\",\"iss\":\"idp\"}", &f));
    assert_int_equal(gateway.metrics.value[M_AUTH_FAILURES], 2);
}

/* Ten failures in a minute by default; who succeeds is not counted. */
static void after_so_many_failures_an_address_has_to_wait(void **state)
{
    struct account *from = account_hold(
        account_get(&gateway.accounts, ACCOUNT_ADDRESS, span_of("192.0.2.1"), clock_steady_ms()));
    struct account *other = account_hold(
        account_get(&gateway.accounts, ACCOUNT_ADDRESS, span_of("192.0.2.2"), clock_steady_ms()));
    struct fault f;

    (void)state;
    assert_int_equal(load(&f), 0);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(auth_wait_ms(&gateway, from), 0);
        assert_null(check(from, "{\"sub\":\"ann\",\"exp\":1}", &f));
        identity_free(check(other, "{\"sub\":\"ann\"}", &f));
    }
    int64_t wait_ms = auth_wait_ms(&gateway, from);
    assert_true(wait_ms > 0 && wait_ms <= 60000);
    assert_int_equal(auth_wait_ms(&gateway, other), 0);
    assert_int_equal(auth_wait_ms(&gateway, NULL), 0);
    account_release(from);
    account_release(other);
}

static void assert_missing(unsigned places, const char *text)
{
    struct fault f;

    assert_int_equal(auth_missing(&gateway, places, &f), -1);
    assert_string_equal(f.text, text);
}

static void who_shows_none_is_told_where_it_may_be(void **state)
{
    (void)state;
    assert_missing(EVERYWHERE, "a token is needed: token in the query or Authorization: Bearer or "
                               "the subprotocol bearer.TOKEN");
    assert_missing(CATALOG_FROM_AUTH, "a token is needed: auth.token");
    assert_missing(0, "a token is needed, and none is taken in this way");
    assert_int_equal(gateway.metrics.value[M_AUTH_FAILURES], 3);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_in_the_query),
        cmocka_unit_test(a_token_in_the_header),
        cmocka_unit_test(a_token_among_the_subprotocols),
        cmocka_unit_test(the_first_place_that_has_one_counts),
        cmocka_unit_test(other_places_than_those_asked_for_count_for_nothing),
        T(without_a_key_one_is_made_and_kept),
        T(a_key_that_is_not_there_is_a_fault),
        T(audience_and_issuer_are_the_settings),
        T(after_so_many_failures_an_address_has_to_wait),
        T(who_shows_none_is_told_where_it_may_be),
    };
    return cmocka_run_group_tests_name("auth", tests, NULL, NULL);
}
