/* Headers of the PROXY protocol. */
#include "proxy.h"
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static struct sockaddr_storage from;
static struct fault f;

static struct span bytes_of(const char *at, size_t len)
{
    return (struct span){at, len};
}

/* The header's length, having seen that it is none while a byte is missing, and the same one with
 * others behind it. */
static ssize_t parse(const char *at, size_t len)
{
    for (size_t n = 0; n < len; n++)
        assert_int_equal(proxy_parse(bytes_of(at, n), &from, &f), 0);
    char *more = malloc(len + 2);
    memcpy(more, at, len);
    memcpy(more + len, "\r\n", 2);
    ssize_t result = proxy_parse(bytes_of(more, len + 2), &from, &f);
    free(more);
    assert_int_equal(proxy_parse(bytes_of(at, len), &from, &f), result);
    return result;
}

static void assert_from(const char *wanted)
{
    char address[INET6_ADDRSTRLEN] = "", text[64];
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&from;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&from;
    if (from.ss_family == AF_INET)
        inet_ntop(AF_INET, &v4->sin_addr, address, sizeof(address));
    else
        inet_ntop(AF_INET6, &v6->sin6_addr, address, sizeof(address));
    snprintf(text, sizeof(text), "%s %d", address,
             ntohs(from.ss_family == AF_INET ? v4->sin_port : v6->sin6_port));
    assert_string_equal(text, wanted);
}

#define PARSE(text) parse(text, sizeof(text) - 1)

static void test_lines(void **state)
{
    (void)state;
    assert_int_equal(PARSE("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"), 45);
    assert_from("192.0.2.1 56324");
    assert_int_equal(PARSE("PROXY TCP6 2001:db8::1 2001:db8::2 65535 0\r\n"), 44);
    assert_from("2001:db8::1 65535");
    assert_int_equal(PARSE("PROXY UNKNOWN\r\n"), 15);
    assert_int_equal(from.ss_family, AF_UNSPEC);
    assert_int_equal(PARSE("PROXY UNKNOWN whatever is here\r\n"), 32);
    assert_int_equal(from.ss_family, AF_UNSPEC);
}

static void refused(struct span bytes, const char *why)
{
    assert_int_equal(proxy_parse(bytes, &from, &f), -1);
    assert_string_equal(f.text, why);
}

static void test_lines_that_are_none(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "TCP4",
        "TCP4 ",
        "TCP5 192.0.2.1 192.0.2.2 1 2",
        "tcp4 192.0.2.1 192.0.2.2 1 2",
        " TCP4 192.0.2.1 192.0.2.2 1 2",
        "TCP4  192.0.2.1 192.0.2.2 1 2",
        "TCP4 192.0.2.1 192.0.2.2 1 2 ",
        "TCP4 192.0.2.1 192.0.2.2 1 2 3",
        "TCP4 192.0.2.1 192.0.2.2 1",
        "TCP4 192.0.2.1 192.0.2.2 1 65536",
        "TCP4 192.0.2.1 192.0.2.2 01 2",
        "TCP4 192.0.2.1 192.0.2.2 -1 2",
        "TCP4 192.0.2.1 192.0.2.2 1\t2",
        "TCP4 192.0.2.256 192.0.2.2 1 2",
        "TCP4 192.0.2 192.0.2.2 1 2",
        "TCP4 2001:db8::1 2001:db8::2 1 2",
        "TCP6 192.0.2.1 192.0.2.2 1 2",
        "TCP6 2001:db8::1%eth0 2001:db8::2 1 2",
        "TCP6 [2001:db8::1] [2001:db8::2] 1 2",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char line[128];
        int len = snprintf(line, sizeof(line), "PROXY %s\r\n", bad[i]);
        refused(bytes_of(line, (size_t)len), "PROXY: a line that names no two addresses and ports");
    }
    refused(span_of("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n"),
            "PROXY: a line that does not end with CR and LF");
    refused(span_of("GET / HTTP/1.1\r\n"), "PROXY: the header is missing");
    refused(span_of("PROXZ"), "PROXY: the header is missing");
}

static void test_a_line_may_have_107_bytes(void **state)
{
    (void)state;
    char line[120];
    snprintf(line, sizeof(line), "PROXY UNKNOWN %091d\r\n", 0);
    assert_int_equal(parse(line, 107), 107);
    snprintf(line, sizeof(line), "PROXY UNKNOWN %092d\r\n", 0);
    refused(bytes_of(line, 108), "PROXY: a line of more than 107 bytes");
    refused(bytes_of(line, 107), "PROXY: a line of more than 107 bytes");
}

#define V4 "\xc0\0\2\1\xc6\x33\x64\2\xdc\4\1\xbb"
#define V6                                                                                         \
    "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2\xdc\4\1\xbb"

static void test_binary(void **state)
{
    (void)state;
    assert_int_equal(PARSE(SIGNATURE "\x21\x11\0\x0c" V4), 28);
    assert_from("192.0.2.1 56324");
    assert_int_equal(PARSE(SIGNATURE "\x21\x21\0\x24" V6), 52);
    assert_from("2001:db8::1 56324");
    assert_int_equal(PARSE(SIGNATURE "\x21\x21\0\x27" V6 "\4\0\0"), 55);
    assert_from("2001:db8::1 56324");
    /* The proxy's own, with and without addresses; of another kind. */
    assert_int_equal(PARSE(SIGNATURE "\x20\x11\0\x0c" V4), 28);
    assert_int_equal(from.ss_family, AF_UNSPEC);
    assert_int_equal(PARSE(SIGNATURE "\x20\0\0\0"), 16);
    assert_int_equal(PARSE(SIGNATURE "\x21\0\0\1x"), 17);
    assert_int_equal(PARSE(SIGNATURE "\x21\x12\0\x0c" V4), 28);
    assert_int_equal(from.ss_family, AF_UNSPEC);
}

#define REFUSED(text, why) refused(bytes_of(text, sizeof(text) - 1), why)

static void test_binary_that_is_none(void **state)
{
    (void)state;
    REFUSED(SIGNATURE "\x11\x11\0\x0c" V4, "PROXY: neither version 2 nor a command that it has");
    REFUSED(SIGNATURE "\x22\x11\0\x0c" V4, "PROXY: neither version 2 nor a command that it has");
    REFUSED(SIGNATURE "\x21\x11\0\x0b" V4, "PROXY: a header too short for its addresses");
    REFUSED(SIGNATURE "\x21\x21\0\x0c" V4, "PROXY: a header too short for its addresses");
    REFUSED(SIGNATURE "\x21\x31\0\x0c" V4, "PROXY: a header too short for its addresses");
    REFUSED(SIGNATURE "\x21\x10\0\x0c" V4, "PROXY: addresses of an unknown kind");
    REFUSED(SIGNATURE "\x21\x01\0\x0c" V4, "PROXY: addresses of an unknown kind");
    REFUSED(SIGNATURE "\x21\x13\0\x0c" V4, "PROXY: addresses of an unknown kind");
    REFUSED(SIGNATURE "\x21\x41\0\x0c" V4, "PROXY: addresses of an unknown kind");
    REFUSED(SIGNATURE "\x21\x11\x0f\xf1", "PROXY: a header of more than 4096 bytes");
    REFUSED("\r\n\r\n\r\n", "PROXY: the header is missing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_lines_that_are_none),
        cmocka_unit_test(test_a_line_may_have_107_bytes),
        cmocka_unit_test(test_binary),
        cmocka_unit_test(test_binary_that_is_none),
    };
    return cmocka_run_group_tests_name("proxy", tests, NULL, NULL);
}
