#include "peer.h"
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct networks read_networks(char **texts, size_t count)
{
    struct networks n;
    struct fault f;

    assert_int_equal(networks_parse(&n, &(struct opt_list){texts, count}, &f), 0);
    return n;
}

/* The name of who comes from an address; "unix": from none. */
static const char *name_of(const struct networks *n, const char *from, const char *forwarded)
{
    static char name[PEER_NAME_BYTES];
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    const struct sockaddr *end = NULL;
    bool direct;

    if (inet_pton(AF_INET, from, &v4.sin_addr) == 1)
        end = (const struct sockaddr *)&v4;
    else if (inet_pton(AF_INET6, from, &v6.sin6_addr) == 1)
        end = (const struct sockaddr *)&v6;
    peer_name(n, end, span_of(forwarded), name, &direct);
    return name;
}

static void an_address_is_itself_and_a_subscriber_one(void **state)
{
    struct networks none = {0};

    (void)state;
    assert_string_equal(name_of(&none, "192.0.2.7", ""), "192.0.2.7");
    assert_string_equal(name_of(&none, "::ffff:192.0.2.7", ""), "192.0.2.7");
    assert_string_equal(name_of(&none, "2001:db8:1:2:3:4:5:6", ""), "2001:db8:1:2::/64");
    assert_string_equal(name_of(&none, "2001:db8:1:2::9", ""), "2001:db8:1:2::/64");
    assert_string_equal(name_of(&none, "unix", ""), "");
}

static void anybody_can_write_a_header(void **state)
{
    struct networks none = {0};

    (void)state;
    assert_string_equal(name_of(&none, "192.0.2.7", "198.51.100.1"), "192.0.2.7");
    assert_string_equal(name_of(&none, "unix", "198.51.100.1"), "");
}

static void a_trusted_proxy_is_believed_up_to_the_first_that_is_not(void **state)
{
    char *texts[] = {"10.0.0.0/8", "2001:db8::/32", "192.0.2.128/25", "unix"};
    struct networks n = read_networks(texts, COUNT(texts));
    static const struct {
        const char *from, *forwarded, *name;
    } cases[] = {
        {"10.1.2.3", "198.51.100.1", "198.51.100.1"},
        {"10.1.2.3", "", "10.1.2.3"},
        {"10.1.2.3", "203.0.113.9, 198.51.100.1", "198.51.100.1"},
        {"10.1.2.3", "203.0.113.9 ,198.51.100.1,10.9.9.9 ", "198.51.100.1"},
        {"10.1.2.3", "198.51.100.1:4711", "198.51.100.1"},
        {"10.1.2.3", "[2001:db9::5]:4711", "2001:db9::/64"},
        {"10.1.2.3", "2001:db9::5", "2001:db9::/64"},
        {"10.1.2.3", "198.51.100.1, unknown", "10.1.2.3"},
        {"10.1.2.3", ",", "10.1.2.3"},
        {"10.1.2.3", "10.7.7.7", "10.7.7.7"},
        {"11.1.2.3", "198.51.100.1", "11.1.2.3"},
        {"192.0.2.127", "198.51.100.1", "192.0.2.127"},
        {"192.0.2.129", "198.51.100.1", "198.51.100.1"},
        {"2001:db8:9::1", "198.51.100.1", "198.51.100.1"},
        {"unix", "198.51.100.1", "198.51.100.1"},
        {"unix", "", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_string_equal(name_of(&n, cases[i].from, cases[i].forwarded), cases[i].name);
    networks_fini(&n);
}

static void an_address_that_is_written_out_has_the_same_name(void **state)
{
    char name[PEER_NAME_BYTES];

    (void)state;
    assert_true(peer_name_of(span_of("192.0.2.1"), name));
    assert_string_equal(name, "192.0.2.1");
    assert_true(peer_name_of(span_of("::ffff:192.0.2.1"), name));
    assert_string_equal(name, "192.0.2.1");
    assert_true(peer_name_of(span_of("2001:db8::1:2"), name));
    assert_string_equal(name, "2001:db8::/64");
    assert_false(peer_name_of(span_of("192.0.2.1/32"), name));
    assert_false(peer_name_of(span_of(""), name));
}

static void what_is_no_network(void **state)
{
    static const struct {
        char *text;
        const char *why;
    } bad[] = {
        {"example.org", "--trusted-proxy example.org: neither an IP address, nor a network like "
                        "10.0.0.0/8, nor unix"},
        {"10.0.0.0/33", "--trusted-proxy 10.0.0.0/33: out of range 0 to 32"},
        {"::/129", "--trusted-proxy ::/129: out of range 0 to 128"},
        {"::/", "--trusted-proxy ::/: not a whole number"},
    };
    struct networks n;
    struct fault f;

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        char *texts[] = {"10.0.0.1", bad[i].text};
        assert_int_equal(networks_parse(&n, &(struct opt_list){texts, 2}, &f), -1);
        assert_string_equal(f.text, bad[i].why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_itself_and_a_subscriber_one),
        cmocka_unit_test(anybody_can_write_a_header),
        cmocka_unit_test(a_trusted_proxy_is_believed_up_to_the_first_that_is_not),
        cmocka_unit_test(an_address_that_is_written_out_has_the_same_name),
        cmocka_unit_test(what_is_no_network),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
