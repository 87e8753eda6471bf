#include "ws.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct fault f;

/* The example of RFC 6455, sections 1.2 and 1.3. */
#define KEY    "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
#define ANSWER "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"

static void reads_url(const char *text, struct ws_url expected)
{
    struct ws_url url = {0};
    if (ws_url_parse(&url, text, &f) < 0)
        fail_msg("%s", f.text);
    assert_int_equal(url.secure, expected.secure);
    assert_int_equal(url.port, expected.port);
    if (expected.socket)
        assert_string_equal(url.socket, expected.socket);
    else
        assert_string_equal(url.host, expected.host);
    assert_int_equal(!url.socket, !expected.socket);
    assert_string_equal(url.path, expected.path);
    assert_string_equal(url.authority, expected.authority);
    ws_url_fini(&url);
}

static void test_urls(void **state)
{
    (void)state;
    reads_url("ws://a", (struct ws_url){false, "a", 80, NULL, "/", "a"});
    reads_url("ws://a.b:4000/ws?x=1&y=/#z",
              (struct ws_url){false, "a.b", 4000, NULL, "/ws?x=1&y=/", "a.b:4000"});
    reads_url("ws://a?x", (struct ws_url){false, "a", 80, NULL, "/?x", "a"});
    reads_url("ws://a#x", (struct ws_url){false, "a", 80, NULL, "/", "a"});
    reads_url("wss://a/", (struct ws_url){true, "a", 443, NULL, "/", "a"});
    reads_url("ws://[::1]:65535/ws",
              (struct ws_url){false, "::1", 65535, NULL, "/ws", "[::1]:65535"});
    reads_url("wss://[::1]", (struct ws_url){true, "::1", 443, NULL, "/", "[::1]"});
    reads_url("ws+unix:/run/s", (struct ws_url){false, NULL, 0, "/run/s", "/", "localhost"});
    reads_url("ws+unix:s:/ws?x", (struct ws_url){false, NULL, 0, "s", "/ws?x", "localhost"});
    reads_url("ws+unix:///s:/ws", (struct ws_url){false, NULL, 0, "/s", "/ws", "localhost"});
}

static void refuses_url(const char *text, const char *why)
{
    struct ws_url url = {0};
    assert_int_equal(ws_url_parse(&url, text, &f), -1);
    if (!strstr(f.text, why))
        fail_msg("%s", f.text);
    ws_url_fini(&url);
}

static void test_bad_urls(void **state)
{
    (void)state;
    refuses_url("", "\"\": it must begin with ws://, wss:// or ws+unix:");
    refuses_url("http://a/", "\"http://a/\": it must begin with ws://, wss:// or ws+unix:");
    refuses_url("ws:a", "it must begin with");
    refuses_url("ws:///ws", "the host is missing");
    refuses_url("ws://:80/ws", "the host is missing");
    refuses_url("ws://[]/", "the host is missing");
    refuses_url("ws://u:p@a/ws", "a user or password has no place in it");
    refuses_url("ws://[::1/ws", "the ] is missing");
    refuses_url("ws://[::1]x/ws", "a port or a path is expected after the ]");
    refuses_url("ws://a:0/", "port: ");
    refuses_url("ws://a:65536/", "port: ");
    refuses_url("ws://a:/", "port: ");
    refuses_url("ws://a:8o/", "port: ");
    refuses_url("ws://a b/", "a character at byte 7");
    refuses_url("ws://a/\r\nX: y", "a character at byte 8");
    refuses_url("ws://a/\xc3\xa9", "a character at byte 8");
    refuses_url("ws+unix:", "the path of the socket is missing");
    refuses_url("ws+unix::/ws", "the path of the socket is missing");
    refuses_url("ws+unix:/s:ws", "must begin with /");
}

static void test_long_urls(void **state)
{
    (void)state;
    char url[20000] = "ws://a/";
    memset(url + 7, 'x', sizeof(url) - 8);
    refuses_url(url, "longer than 16384 bytes");
    memcpy(url, "ws+unix:", 8);
    url[8 + 108] = '\0';
    refuses_url(url, "the path of the socket is longer than 107 bytes");
}

static void test_request(void **state)
{
    (void)state;
    const struct ws_request plain = {"a:80", "/ws?x=1", NULL, NULL};
    const struct ws_request full = {"a", "/", "tok.en", "collab.v1"};
    struct buf out = {0};
    char key[WS_KEY_BYTES], other[WS_KEY_BYTES];
    ws_request_format(&plain, &out, key);
    assert_int_equal(strlen(key), 24);
    assert_memory_equal(out.at, "GET /ws?x=1 HTTP/1.1\r\nHost: a:80\r\n", 34);
    assert_non_null(strstr(out.at, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"));
    assert_non_null(strstr(out.at, "\r\nSec-WebSocket-Version: 13\r\n"));
    assert_non_null(strstr(out.at, key));
    assert_null(strstr(out.at, "Authorization"));
    assert_null(strstr(out.at, "Protocol"));
    assert_string_equal(out.at + out.len - 4, "\r\n\r\n");

    buf_clear(&out);
    ws_request_format(&full, &out, other);
    assert_string_not_equal(key, other);
    assert_non_null(strstr(out.at, "\r\nSec-WebSocket-Protocol: collab.v1\r\n"));
    assert_non_null(strstr(out.at, "\r\nAuthorization: Bearer tok.en\r\n"));
    buf_fini(&out);
}

static void test_answer(void **state)
{
    (void)state;
    static const char *const good[] = {
        ANSWER ACCEPT "\r\n",
        "HTTP/1.1 101 \r\nupgrade:WebSocket\r\nCONNECTION: keep-alive , upgrade\r\n" ACCEPT "\r\n",
        ANSWER "Sec-WebSocket-Protocol: collab.v1\r\n" ACCEPT "\r\n",
        ANSWER "X\r\n: x\r\n" ACCEPT "\r\n",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        struct buf bytes = {0};
        buf_text(&bytes, good[i]);
        buf_text(&bytes, "\x81\x00"); /* a frame may follow at once */
        ssize_t len = ws_answer_parse(buf_span(&bytes), KEY, "collab.v1", &f);
        assert_int_equal(len, strlen(good[i]));
        buf_fini(&bytes);
    }
}

/* As long as it isn't whole, it is waited for. */
static void test_answer_in_parts(void **state)
{
    (void)state;
    static const char whole[] = ANSWER ACCEPT "\r\n";
    for (size_t len = 0; len < sizeof(whole) - 1; len++)
        assert_int_equal(ws_answer_parse((struct span){whole, len}, KEY, NULL, &f), 0);
}

static void refused(const char *answer, const char *why)
{
    assert_int_equal(ws_answer_parse(span_of(answer), KEY, NULL, &f), -1);
    if (!strstr(f.text, why))
        fail_msg("%s: %s", answer, f.text);
}

static void test_answer_refused(void **state)
{
    (void)state;
    refused("HTTP/1.1 401 Unauthorized\r\n\r\n", "HTTP status 401");
    refused("HTTP/1.0 503 \r\n\r\n", "HTTP status 503");
    refused("HTTP/1.1 200 OK\r\n" ACCEPT "\r\n", "HTTP status 200");
    refused("HTTP/1.1 abc\r\n\r\n", "not HTTP");
    refused("HTTP/2.0 101 Switching Protocols\r\n\r\n", "not HTTP");
    refused("SSH-2.0-OpenSSH_9.2\r\n", "not HTTP but \"SSH-2.0");
    refused("HTTP/1.1 101 x\r\nConnection: Upgrade\r\n" ACCEPT "\r\n",
            "upgrades to something else");
    refused("HTTP/1.1 101 x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n" ACCEPT "\r\n",
            "upgrades to something else");
    refused("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: close\r\n" ACCEPT "\r\n",
            "upgrades to something else");
    refused(ANSWER "\r\n", "another key");
    refused(ANSWER "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n", "another key");
    refused(ANSWER ACCEPT "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", "extension");
    refused(ANSWER ACCEPT "Sec-WebSocket-Protocol: chat\r\n\r\n", "the protocol \"chat\"");
}

static void test_answer_without_end(void **state)
{
    (void)state;
    struct buf bytes = {0};
    buf_text(&bytes, "HTTP/1.1 101 x\r\nX: ");
    memset(buf_room(&bytes, 20000), 'x', 20000);
    bytes.len += 20000;
    assert_int_equal(ws_answer_parse(buf_span(&bytes), KEY, NULL, &f), -1);
    assert_non_null(strstr(f.text, "no end"));
    buf_fini(&bytes);
}

static ssize_t parse(const char *bytes, size_t len, struct ws_frame *frame, size_t *missing)
{
    return ws_frame_parse((struct span){bytes, len}, frame, missing, &f);
}

static void test_frames(void **state)
{
    (void)state;
    struct ws_frame frame;
    size_t missing;
    assert_int_equal(parse("\x81\x05hello\x81", 8, &frame, &missing), 7);
    assert_int_equal(frame.opcode, WS_TEXT);
    assert_true(frame.final);
    assert_true(span_is(frame.payload, "hello"));
    assert_int_equal(parse("\x02\x00", 2, &frame, &missing), 2);
    assert_int_equal(frame.opcode, WS_BINARY);
    assert_false(frame.final);
    assert_int_equal(frame.payload.len, 0);
    assert_int_equal(parse("\x80\x01x", 3, &frame, &missing), 3);
    assert_int_equal(frame.opcode, WS_CONTINUATION);
    assert_int_equal(parse("\x88\x02\x03\xe8", 4, &frame, &missing), 4);
    assert_int_equal(frame.opcode, WS_CLOSE);
    assert_int_equal(parse("\x89\x00", 2, &frame, &missing), 2);
    assert_int_equal(frame.opcode, WS_PING);
    assert_int_equal(parse("\x8a\x00", 2, &frame, &missing), 2);
    assert_int_equal(frame.opcode, WS_PONG);
}

/* Whatever the length and its form: as long as bytes are missing, it says how many at least. */
static void frame_of(size_t header_len, const char *header, size_t len)
{
    struct ws_frame frame;
    struct buf bytes = {0};
    buf_add(&bytes, header, header_len);
    memset(buf_room(&bytes, len), 'x', len);
    bytes.len += len;
    for (size_t have = 0; have < bytes.len;) {
        size_t missing = 0;
        assert_int_equal(parse(bytes.at, have, &frame, &missing), 0);
        assert_in_range(missing, 1, bytes.len - have);
        have += missing;
    }
    size_t missing;
    assert_int_equal(parse(bytes.at, bytes.len, &frame, &missing), bytes.len);
    assert_int_equal(frame.payload.len, len);
    buf_fini(&bytes);
}

static void test_lengths(void **state)
{
    (void)state;
    frame_of(2, "\x81\x7d", 125);
    frame_of(4, "\x81\x7e\x00\x7e", 126);
    frame_of(4, "\x81\x7e\xff\xff", 65535);
    frame_of(10, "\x81\x7f\0\0\0\0\0\x01\0\0", 65536);
}

static void breaks(const char *bytes, size_t len, const char *why)
{
    struct ws_frame frame;
    size_t missing;
    assert_int_equal(parse(bytes, len, &frame, &missing), -1);
    if (!strstr(f.text, why))
        fail_msg("%s", f.text);
}

static void test_broken_frames(void **state)
{
    (void)state;
    breaks("\xc1\x00", 2, "reserved bits");
    breaks("\x91\x00", 2, "reserved bits");
    breaks("\x83\x00", 2, "reserved opcode 3");
    breaks("\x87\x00", 2, "reserved opcode 7");
    breaks("\x8b\x00", 2, "reserved opcode 11");
    breaks("\x8f\x00", 2, "reserved opcode 15");
    breaks("\x09\x00", 2, "control frame");
    breaks("\x88\x7e\x00\x7e", 4, "control frame");
    breaks("\x81\x85", 2, "masked");
    breaks("\x81\x7f\x80\0\0\0\0\0\0\0", 10, "out of range");
    breaks("\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 10, "out of range");
}

/* What we send, unmasked by hand. */
static void sent(size_t len, size_t header_len, const char *header)
{
    struct buf out = {0};
    char *payload = malloc(len + 1);
    for (size_t i = 0; i < len; i++)
        payload[i] = (char)i;
    ws_frame_format(&out, WS_TEXT, (struct span){payload, len});
    assert_int_equal(out.len, header_len + 4 + len);
    assert_memory_equal(out.at, header, header_len);
    const char *mask = out.at + header_len;
    for (size_t i = 0; i < len; i++)
        assert_int_equal((char)(mask[4 + i] ^ mask[i % 4]), payload[i]);
    buf_fini(&out);
    free(payload);
}

static void test_sent_frames(void **state)
{
    (void)state;
    sent(0, 2, "\x81\x80");
    sent(1, 2, "\x81\x81");
    sent(125, 2, "\x81\xfd");
    sent(126, 4, "\x81\xfe\x00\x7e");
    sent(65535, 4, "\x81\xfe\xff\xff");
    sent(65536, 10, "\x81\xff\0\0\0\0\0\x01\0\0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),           cmocka_unit_test(test_bad_urls),
        cmocka_unit_test(test_long_urls),      cmocka_unit_test(test_request),
        cmocka_unit_test(test_answer),         cmocka_unit_test(test_answer_in_parts),
        cmocka_unit_test(test_answer_refused), cmocka_unit_test(test_answer_without_end),
        cmocka_unit_test(test_frames),         cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_broken_frames),  cmocka_unit_test(test_sent_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
