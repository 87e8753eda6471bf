#include "client.h"
#include "mem.h"
#include "protocol.h"
#include <dlfcn.h>
#include <netdb.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include <cmocka.h>

/* A server that plays a script: after the handshake it sends, byte for byte, what a test gave it,
 * and keeps what it hears. It runs on the client's own loop. */
struct peer {
    struct peer *prev, *next;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    };
    struct buf heard;
    bool open; /* the handshake is done */
    bool gone; /* the client hung up */
};

static struct {
    uv_loop_t loop;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } listener;
    uv_timer_t limit;
    struct peer *peers;
    char url[128];

    struct span script;
    size_t slice;        /* how much of the script leaves at once; 0: all of it */
    bool hang_up;        /* after the script */
    bool stays;          /* when the client closes; else the peer hangs up then */
    const char *refusal; /* sent in place of the handshake's answer */

    struct client_net *net;
    int opened, messages, closed;
    struct buf text; /* the messages, a | after each */
    size_t longest;
    int code; /* of the last close */
    struct buf why;
    const char *say_at_open;
    bool close_at_open, free_at_open;
} t;

static void on_peer_closed(uv_handle_t *handle)
{
    struct peer *p = handle->data;
    DL_DELETE(t.peers, p);
    buf_fini(&p->heard);
    free(p);
}

static void peer_close(struct peer *p)
{
    if (!uv_is_closing(&p->handle))
        uv_close(&p->handle, on_peer_closed);
}

static void on_sent(uv_write_t *request, int status)
{
    (void)status;
    free(request);
}

static void peer_send(struct peer *p, struct span bytes)
{
    size_t slice = t.slice ? t.slice : bytes.len;
    for (size_t sent = 0; sent < bytes.len; sent += slice) {
        size_t len = slice < bytes.len - sent ? slice : bytes.len - sent;
        uv_write_t *request = mem_alloc(sizeof(*request) + len);
        memcpy(request + 1, bytes.at + sent, len);
        uv_buf_t b = uv_buf_init((char *)(request + 1), (unsigned)len);
        assert_int_equal(uv_write(request, &p->stream, &b, 1, on_sent), 0);
    }
}

static void accept_key(const char *request, char out[32])
{
    const char *key = strstr(request, "Sec-WebSocket-Key: ");
    assert_non_null(key);
    key += strlen("Sec-WebSocket-Key: ");
    struct buf text = {0};
    buf_add(&text, key, strcspn(key, "\r"));
    buf_text(&text, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    unsigned char digest[SHA_DIGEST_LENGTH];
    SHA1((unsigned char *)text.at, text.len, digest);
    EVP_EncodeBlock((unsigned char *)out, digest, sizeof(digest));
    buf_fini(&text);
}

static void peer_answer(struct peer *p)
{
    if (t.refusal) {
        peer_send(p, span_of(t.refusal));
        return;
    }
    char key[32];
    accept_key(p->heard.at, key);
    struct buf text = {0};
    buf_printf(&text,
               "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
               "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
               key);
    p->open = true;
    peer_send(p, buf_span(&text));
    peer_send(p, t.script);
    buf_fini(&text);
    if (t.hang_up)
        peer_close(p);
}

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *b)
{
    struct peer *p = handle->data;
    *b = uv_buf_init(buf_room(&p->heard, hint), (unsigned)hint);
}

static bool is_closed_by_client(const struct peer *p)
{
    const char *end = p->open ? strstr(p->heard.at, "\r\n\r\n") : NULL;
    return end && (unsigned char)end[4] == 0x88;
}

static void on_heard(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
    (void)b;
    struct peer *p = stream->data;
    if (n < 0) {
        uv_read_stop(stream);
        p->gone = true;
        if (t.free_at_open)
            peer_close(p);
        return;
    }
    p->heard.len += (size_t)n;
    p->heard.at[p->heard.len] = '\0';
    if (!p->open && strstr(p->heard.at, "\r\n\r\n"))
        peer_answer(p);
    if (is_closed_by_client(p) && !t.stays)
        peer_close(p);
}

static void on_connection(uv_stream_t *listener, int status)
{
    assert_int_equal(status, 0);
    struct peer *p = mem_zero(sizeof(*p));
    if (listener->type == UV_TCP)
        uv_tcp_init(&t.loop, &p->tcp);
    else
        uv_pipe_init(&t.loop, &p->pipe, 0);
    p->handle.data = p;
    DL_APPEND(t.peers, p);
    assert_int_equal(uv_accept(listener, &p->stream), 0);
    uv_read_start(&p->stream, on_alloc, on_heard);
}

static void on_open(struct client *c, void *ctx)
{
    assert_ptr_equal(ctx, &t);
    t.opened++;
    if (t.say_at_open)
        client_send(c, span_of(t.say_at_open));
    if (t.close_at_open)
        client_close(c);
    if (t.free_at_open)
        client_net_free(t.net);
}

static void on_message(struct client *c, void *ctx, struct span text)
{
    (void)c;
    assert_ptr_equal(ctx, &t);
    t.messages++;
    if (text.len > t.longest)
        t.longest = text.len;
    if (text.len < 1000)
        buf_join(&t.text, text);
    buf_char(&t.text, '|');
}

static void on_closed(struct client *c, void *ctx, int code, struct span why)
{
    (void)c;
    assert_ptr_equal(ctx, &t);
    t.closed++;
    t.code = code;
    buf_clear(&t.why);
    buf_join(&t.why, why);
}

static const struct client_hooks hooks = {on_open, on_message, on_closed};

static void on_limit(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("nothing happened for ten seconds");
}

/* Runs the loop until the counter has got there. */
static void until(const int *counter, int value)
{
    uv_timer_start(&t.limit, on_limit, 10000, 0);
    while (*counter < value)
        uv_run(&t.loop, UV_RUN_ONCE);
    uv_timer_stop(&t.limit);
}

static int setup(void **state)
{
    (void)state;
    memset(&t, 0, sizeof(t));
    uv_loop_init(&t.loop);
    uv_timer_init(&t.loop, &t.limit);
    t.net = client_net_new(&t.loop, 1000, &hooks);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    client_net_free(t.net);
    struct peer *p;
    DL_FOREACH (t.peers, p)
        peer_close(p);
    if (t.listener.handle.loop)
        uv_close(&t.listener.handle, NULL);
    uv_close((uv_handle_t *)&t.limit, NULL);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&t.loop), 0);
    buf_fini(&t.text);
    buf_fini(&t.why);
    return 0;
}

static void listen_tcp(const char *path)
{
    struct sockaddr_in address;
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_init(&t.loop, &t.listener.tcp);
    uv_tcp_bind(&t.listener.tcp, (struct sockaddr *)&address, 0);
    assert_int_equal(uv_listen(&t.listener.stream, 512, on_connection), 0);
    int len = sizeof(address);
    uv_tcp_getsockname(&t.listener.tcp, (struct sockaddr *)&address, &len);
    snprintf(t.url, sizeof(t.url), "ws://127.0.0.1:%d%s", ntohs(address.sin_port), path);
}

static struct client *connect_to(const char *url)
{
    struct fault f;
    struct client_target target = {.url = url};
    struct client *c = client_open(t.net, &target, &t, &f);
    assert_non_null(c);
    return c;
}

static void play(const char *script, size_t len)
{
    t.script = (struct span){script, len};
    listen_tcp("/");
    connect_to(t.url);
}

/* A script as a literal, which may hold NULs. */
#define PLAY(script) play(script, sizeof(script) - 1)

static void test_request(void **state)
{
    (void)state;
    listen_tcp("/ws?room=a:b#part");
    struct fault f;
    struct client_target target = {.url = t.url, .token = "abc.def", .protocol = "collab.v1"};
    assert_non_null(client_open(t.net, &target, &t, &f));
    until(&t.opened, 1);
    const char *request = t.peers->heard.at;
    assert_non_null(strstr(request, "GET /ws?room=a:b HTTP/1.1\r\n"));
    assert_non_null(strstr(request, "\r\nAuthorization: Bearer abc.def\r\n"));
    assert_non_null(strstr(request, "\r\nSec-WebSocket-Protocol: collab.v1\r\n"));
    assert_non_null(strstr(request, "\r\nHost: 127.0.0.1:"));
    assert_null(strstr(request, "permessage-deflate"));
}

static void test_long_token(void **state)
{
    (void)state;
    listen_tcp("/ws");
    struct fault f;
    char token[8193];
    memset(token, 'x', sizeof(token) - 1);
    token[sizeof(token) - 1] = '\0';
    struct client_target target = {.url = t.url, .token = token};
    assert_non_null(client_open(t.net, &target, &t, &f));
    until(&t.opened, 1);
    assert_non_null(strstr(t.peers->heard.at, token));
}

static void test_messages(void **state)
{
    (void)state;
    PLAY("\x81\x05"
         "hello"
         "\x82\x02"
         "\x01\x02"
         "\x81\x00"
         "\x81\x03"
         "end");
    until(&t.messages, 4);
    assert_string_equal(t.text.at, "hello|\x01\x02||end|");
}

/* Whatever the pieces in which bytes arrive: the handshake's answer is cut too. */
static void test_slices(void **state)
{
    (void)state;
    t.slice = 1;
    PLAY("\x81\x05"
         "hello"
         "\x81\x03"
         "end");
    until(&t.messages, 2);
    assert_string_equal(t.text.at, "hello|end|");
}

/* A control frame may stand between the fragments of a message. */
static void test_fragments(void **state)
{
    (void)state;
    PLAY("\x01\x03"
         "one"
         "\x89\x02hi"
         "\x00\x03"
         "two"
         "\x80\x05"
         "three"
         "\x81\x04"
         "last");
    until(&t.messages, 2);
    assert_string_equal(t.text.at, "onetwothree|last|");
}

static void add_long_header(struct buf *script, size_t len)
{
    buf_char(script, '\x81');
    buf_char(script, 127);
    for (int shift = 56; shift >= 0; shift -= 8)
        buf_char(script, (char)(len >> shift));
}

static void test_long_message(void **state)
{
    (void)state;
    enum { LONG = 300000 };
    struct buf script = {0};
    add_long_header(&script, LONG);
    memset(buf_room(&script, LONG), 'x', LONG);
    script.len += LONG;
    buf_text(&script, "\x81\x03"
                      "end");
    play(script.at, script.len);
    until(&t.messages, 2);
    assert_int_equal(t.longest, LONG);
    assert_string_equal(t.text.at, "|end|");
    buf_fini(&script);
}

/* It is refused by its header; nothing is kept of it. */
static void test_too_long_message(void **state)
{
    (void)state;
    struct buf script = {0};
    add_long_header(&script, 16 * 1024 * 1024 + 1);
    play(script.at, script.len);
    until(&t.closed, 1);
    assert_int_equal(t.code, CLOSE_TOO_BIG);
    assert_string_equal(t.why.at, "a message is larger than 16 MiB");
    assert_int_equal(t.messages, 0);
    buf_fini(&script);
}

/* Nor does it help to send it in fragments. */
static void test_too_many_fragments(void **state)
{
    (void)state;
    enum { FRAGMENT = 1024 * 1024 };
    struct buf script = {0};
    for (int i = 0; i < 17; i++) {
        add_long_header(&script, FRAGMENT);
        script.at[script.len - 10] = i == 0 ? '\x01' : '\x00';
        memset(buf_room(&script, FRAGMENT), 'x', FRAGMENT);
        script.len += FRAGMENT;
    }
    play(script.at, script.len);
    until(&t.closed, 1);
    assert_int_equal(t.code, CLOSE_TOO_BIG);
    assert_int_equal(t.messages, 0);
    buf_fini(&script);
}

/* Undoes the mask of the first frame that a peer heard after the request. */
static struct span heard_frame(struct peer *p, unsigned char *opcode)
{
    char *at = strstr(p->heard.at, "\r\n\r\n") + 4;
    while (p->heard.at + p->heard.len - at < 6 ||
           p->heard.at + p->heard.len - at < 6 + (at[1] & 127)) {
        assert_false(p->gone);
        uv_run(&t.loop, UV_RUN_ONCE);
        at = strstr(p->heard.at, "\r\n\r\n") + 4;
    }
    assert_true(at[1] & 128);
    *opcode = (unsigned char)at[0];
    size_t len = at[1] & 127;
    assert_in_range(len, 0, 125);
    for (size_t i = 0; i < len; i++)
        at[6 + i] ^= at[2 + i % 4];
    return (struct span){at + 6, len};
}

static void test_send(void **state)
{
    (void)state;
    listen_tcp("/");
    t.say_at_open = "{\"type\":\"ping\"}";
    connect_to(t.url);
    until(&t.opened, 1);
    unsigned char opcode;
    assert_true(span_is(heard_frame(t.peers, &opcode), t.say_at_open));
    assert_int_equal(opcode, 0x81);
}

/* A message may be queued before the connection is there; here as a binary one. */
static void test_send_early(void **state)
{
    (void)state;
    listen_tcp("/");
    struct fault f;
    struct client_target target = {.url = t.url, .binary = true};
    struct client *c = client_open(t.net, &target, &t, &f);
    client_send(c, span_of("early"));
    until(&t.opened, 1);
    unsigned char opcode;
    assert_true(span_is(heard_frame(t.peers, &opcode), "early"));
    assert_int_equal(opcode, 0x82);
}

/* What was queued still leaves, then the close frame with code 1000. */
static void test_close(void **state)
{
    (void)state;
    listen_tcp("/");
    t.close_at_open = true;
    t.stays = true;
    connect_to(t.url);
    until(&t.opened, 1);
    unsigned char opcode;
    struct span frame = heard_frame(t.peers, &opcode);
    assert_int_equal(opcode, 0x88);
    assert_memory_equal(frame.at, "\x03\xe8", 2);
    peer_send(t.peers, (struct span){"\x88\x02\x03\xe8", 4});
    until(&t.closed, 1);
    assert_int_equal(t.code, CLOSE_NORMAL);
}

static void test_close_early(void **state)
{
    (void)state;
    listen_tcp("/");
    struct client *waiting = connect_to(t.url);
    client_close(waiting);
    until(&t.closed, 1);
    assert_int_equal(t.code, CLOSE_NORMAL);
    t.refusal = " "; /* no answer, and so it stays connecting */
    struct client *connecting = connect_to(t.url);
    while (!t.peers)
        uv_run(&t.loop, UV_RUN_ONCE);
    client_close(connecting);
    until(&t.closed, 2);
    assert_int_equal(t.code, CLOSE_NORMAL);
    assert_int_equal(t.opened, 0);
}

/* A peer that never answers is left after a while. */
static void test_close_unanswered(void **state)
{
    (void)state;
    listen_tcp("/");
    t.close_at_open = true;
    t.stays = true;
    connect_to(t.url);
    until(&t.closed, 1);
    assert_int_equal(t.code, CLOSE_NORMAL);
}

static void test_peer_close(void **state)
{
    (void)state;
    PLAY("\x88\x09\x11\x94"
         "no room");
    until(&t.closed, 1);
    assert_int_equal(t.code, 4500);
    assert_string_equal(t.why.at, "no room");
}

static void test_peer_close_without_code(void **state)
{
    (void)state;
    PLAY("\x88\x00");
    until(&t.closed, 1);
    assert_int_equal(t.code, 1005);
    assert_int_equal(t.why.len, 0);
}

static void test_peer_restarts(void **state)
{
    (void)state;
    const char *reason = close_reason(CLOSE_RESTART);
    struct buf script = {0};
    buf_printf(&script, "\x88%c%c%c%s", (int)strlen(reason) + 2, CLOSE_RESTART >> 8,
               CLOSE_RESTART & 255, reason);
    play(script.at, script.len);
    until(&t.closed, 1);
    assert_int_equal(t.code, CLOSE_RESTART);
    assert_string_equal(t.why.at, reason);
    buf_fini(&script);
}

static void test_lost(void **state)
{
    (void)state;
    t.hang_up = true;
    PLAY("\x81\x03"
         "end");
    until(&t.closed, 1);
    assert_string_equal(t.text.at, "end|");
    assert_int_equal(t.code, 1006);
    assert_string_equal(t.why.at, "connection lost");
}

/* What RFC 6455 doesn't allow (a reserved opcode) ends the connection, and nothing else. */
static void test_broken_frame(void **state)
{
    (void)state;
    PLAY("\x83\x03"
         "end");
    until(&t.closed, 1);
    assert_int_equal(t.code, 1002);
    assert_string_equal(t.why.at, "a frame has the reserved opcode 3");
    assert_int_equal(t.messages, 0);
}

static void test_refused(void **state)
{
    (void)state;
    t.refusal = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
    PLAY("");
    until(&t.closed, 1);
    assert_int_equal(t.code, 0);
    assert_string_equal(t.why.at, "HTTP status 401");
}

static void test_redirect(void **state)
{
    (void)state;
    t.refusal = "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n";
    PLAY("");
    until(&t.closed, 1);
    assert_int_equal(t.code, 0);
    assert_string_equal(t.why.at, "HTTP status 302");
}

static void test_no_http(void **state)
{
    (void)state;
    t.refusal = "SSH-2.0-OpenSSH_9.2\r\n\r\n";
    PLAY("");
    until(&t.closed, 1);
    assert_int_equal(t.code, 0);
    assert_memory_equal(t.why.at, "no WebSocket: ", strlen("no WebSocket: "));
}

/* The answer to another client's key. */
static void test_wrong_key(void **state)
{
    (void)state;
    t.refusal = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    PLAY("");
    until(&t.closed, 1);
    assert_int_equal(t.code, 0);
    assert_int_equal(t.opened, 0);
}

static void test_connection_refused(void **state)
{
    (void)state;
    listen_tcp("/");
    uv_close(&t.listener.handle, NULL);
    uv_run(&t.loop, UV_RUN_NOWAIT);
    t.listener.handle.loop = NULL;
    connect_to(t.url);
    until(&t.closed, 1);
    assert_int_equal(t.code, 0);
    assert_string_equal(t.why.at, "connection refused");
}

static void test_unknown_host(void **state)
{
    (void)state;
    connect_to("ws://nowhere.invalid/");
    until(&t.closed, 1);
    assert_int_equal(t.code, 0);
    assert_string_equal(t.why.at, "unknown host");
}

/* In place of libuv's: the name "two" has two addresses, and only at the second one listens. */
static uv_getaddrinfo_t *two_request;
static uv_getaddrinfo_cb two_asked;

static void answer_two(uv_timer_t *timer)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
    struct addrinfo *first, *second;
    const char *port = strrchr(t.url, ':') + 1;
    uv_close((uv_handle_t *)timer, NULL);
    assert_int_equal(getaddrinfo("127.0.0.2", strtok((char *)port, "/"), &hints, &first), 0);
    assert_int_equal(getaddrinfo("127.0.0.1", port, &hints, &second), 0);
    first->ai_next = second;
    two_asked(two_request, 0, first);
}

int uv_getaddrinfo(uv_loop_t *loop, uv_getaddrinfo_t *request, uv_getaddrinfo_cb asked,
                   const char *name, const char *service, const struct addrinfo *hints)
{
    static uv_timer_t timer;
    if (strcmp(name, "two") != 0) {
        int (*real)(uv_loop_t *, uv_getaddrinfo_t *, uv_getaddrinfo_cb, const char *, const char *,
                    const struct addrinfo *);
        *(void **)&real = dlsym(RTLD_NEXT, "uv_getaddrinfo");
        return real(loop, request, asked, name, service, hints);
    }
    two_request = request;
    two_asked = asked;
    uv_timer_init(loop, &timer);
    return uv_timer_start(&timer, answer_two, 0, 0);
}

static void test_next_address(void **state)
{
    (void)state;
    listen_tcp("/");
    char url[64];
    snprintf(url, sizeof(url), "ws://two:%s", strrchr(t.url, ':') + 1);
    connect_to(url);
    until(&t.opened, 1);
}

static void test_no_address_answers(void **state)
{
    (void)state;
    snprintf(t.url, sizeof(t.url), "ws://127.0.0.1:1");
    connect_to("ws://two:1/");
    until(&t.closed, 1);
    assert_int_equal(t.code, 0);
    assert_string_equal(t.why.at, "connection refused");
}

/* While its name is being looked up, a client may be closed, and the net freed. */
static void test_close_while_resolving(void **state)
{
    (void)state;
    struct client *c = connect_to("ws://localhost:1/");
    uv_run(&t.loop, UV_RUN_NOWAIT);
    client_close(c);
    until(&t.closed, 1);
    assert_int_equal(t.code, CLOSE_NORMAL);
    connect_to("ws://localhost:1/"); /* for teardown() */
    uv_run(&t.loop, UV_RUN_NOWAIT);
}

/* The net may be freed in a hook; the clients go with it, without another. */
static void test_free_in_hook(void **state)
{
    (void)state;
    t.free_at_open = true;
    listen_tcp("/");
    connect_to(t.url);
    connect_to(t.url);
    until(&t.opened, 1);
    while (t.peers)
        uv_run(&t.loop, UV_RUN_ONCE);
    assert_int_equal(t.closed, 0);
    t.net = client_net_new(&t.loop, 1, &hooks);
}

static void test_unix(void **state)
{
    (void)state;
    char directory[] = "/tmp/test_client.XXXXXX";
    assert_non_null(mkdtemp(directory));
    char path[64];
    snprintf(path, sizeof(path), "%s/socket", directory);
    snprintf(t.url, sizeof(t.url), "ws+unix:%s:/ws", path);

    connect_to(t.url);
    until(&t.closed, 1);
    assert_int_equal(t.code, 0);
    assert_string_equal(t.why.at, "no such file or directory");

    uv_pipe_init(&t.loop, &t.listener.pipe, 0);
    uv_pipe_bind(&t.listener.pipe, path);
    assert_int_equal(uv_listen(&t.listener.stream, 8, on_connection), 0);
    t.script = (struct span){"\x81\x02hi", 4};
    connect_to(t.url);
    until(&t.messages, 1);
    assert_non_null(strstr(t.peers->heard.at, "GET /ws HTTP/1.1\r\n"));
    assert_non_null(strstr(t.peers->heard.at, "\r\nHost: localhost\r\n"));

    uv_close(&t.listener.handle, NULL);
    uv_run(&t.loop, UV_RUN_NOWAIT);
    t.listener.handle.loop = NULL;
    unlink(path);
    assert_int_equal(rmdir(directory), 0);
}

/* More than connect at a time: all get there. */
static void test_many(void **state)
{
    (void)state;
    enum { MANY = 700 };
    t.script = (struct span){"\x81\x02hi", 4};
    listen_tcp("/");
    for (int i = 0; i < MANY; i++)
        connect_to(t.url);
    until(&t.messages, MANY);
    assert_int_equal(t.opened, MANY);
    assert_int_equal(t.closed, 0);
}

static void test_bad_url(void **state)
{
    (void)state;
    struct fault f;
    struct client_target target = {.url = "http://a/"};
    assert_null(client_open(t.net, &target, &t, &f));
    assert_string_equal(f.text, "\"http://a/\": it must begin with ws://, wss:// or ws+unix:");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_request),
        TEST(test_long_token),
        TEST(test_messages),
        TEST(test_slices),
        TEST(test_fragments),
        TEST(test_long_message),
        TEST(test_too_long_message),
        TEST(test_too_many_fragments),
        TEST(test_send),
        TEST(test_send_early),
        TEST(test_close),
        TEST(test_close_unanswered),
        TEST(test_close_early),
        TEST(test_peer_close),
        TEST(test_peer_close_without_code),
        TEST(test_peer_restarts),
        TEST(test_lost),
        TEST(test_broken_frame),
        TEST(test_refused),
        TEST(test_redirect),
        TEST(test_no_http),
        TEST(test_wrong_key),
        TEST(test_connection_refused),
        TEST(test_unknown_host),
        TEST(test_next_address),
        TEST(test_no_address_answers),
        TEST(test_close_while_resolving),
        TEST(test_free_in_hook),
        TEST(test_unix),
        TEST(test_many),
        TEST(test_bad_url),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
