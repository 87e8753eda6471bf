#include "ws.h"
#include "ident.h"
#include "mem.h"
#include "num.h"
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

enum {
    URL_BYTES_MAX = 16 * 1024, /* a token may stand in it */
    ANSWER_BYTES_MAX = 16 * 1024,
    CONTROL_BYTES_MAX = 125, /* section 5.5 */
    FINAL = 0x80,
    RESERVED = 0x70,
    OPCODE = 0x0f,
    MASKED = 0x80,
    LENGTH = 0x7f,
    LENGTH_16 = 126,
    LENGTH_64 = 127,
};

void ws_url_fini(struct ws_url *url)
{
    free(url->host);
    free(url->socket);
    free(url->path);
    free(url->authority);
}

static int check_characters(const char *url, struct fault *f)
{
    if (strlen(url) > URL_BYTES_MAX)
        return fault_set(f, "longer than %d bytes", URL_BYTES_MAX);
    for (const char *c = url; *c; c++)
        if (*c <= ' ' || *c > '~')
            return fault_set(f, "a character at byte %zu that must be percent-encoded",
                             (size_t)(c - url + 1));
    return 0;
}

/* ws+unix:SOCKET[:/path] */
static int parse_unix(struct ws_url *url, const char *rest, struct fault *f)
{
    size_t len = strcspn(rest, ":");
    size_t most = sizeof((struct sockaddr_un *)0)->sun_path - 1;
    if (len == 0)
        return fault_set(f, "the path of the socket is missing");
    if (len > most)
        return fault_set(f, "the path of the socket is longer than %zu bytes", most);
    url->socket = mem_copy(rest, len);
    url->authority = mem_text("localhost");
    url->path = mem_text(rest[len] ? rest + len + 1 : "/");
    return *url->path == '/' ? 0 : fault_set(f, "what follows the socket must begin with /");
}

/* Takes the host off a host[:port]; an IPv6 address stands in brackets. */
static int parse_host(struct ws_url *url, struct span *authority, struct fault *f)
{
    bool bracketed = authority->len > 0 && *authority->at == '[';
    const char *stop = memchr(authority->at, bracketed ? ']' : ':', authority->len);
    if (bracketed && !stop)
        return fault_set(f, "the ] is missing");
    struct span host = {authority->at + bracketed, 0};
    host.len = (size_t)((stop ? stop : authority->at + authority->len) - host.at);
    if (host.len == 0)
        return fault_set(f, "the host is missing");
    url->host = mem_copy(host.at, host.len);
    authority->len -= host.len + 2 * bracketed;
    authority->at = host.at + host.len + bracketed;
    return 0;
}

static int parse_port(struct ws_url *url, struct span text, struct fault *f)
{
    int64_t port = url->secure ? 443 : 80;
    if (text.len > 0 && *text.at != ':')
        return fault_set(f, "a port or a path is expected after the ]");
    if (text.len > 0 && num_parse((struct span){text.at + 1, text.len - 1}, 1, 65535, &port, f) < 0)
        return fault_at(f, "port");
    url->port = (int)port;
    return 0;
}

/* host[:port][/path][?query] */
static int parse_authority(struct ws_url *url, const char *rest, struct fault *f)
{
    struct span authority = {rest, strcspn(rest, "/?#")};
    if (memchr(authority.at, '@', authority.len))
        return fault_set(f, "a user or password has no place in it");
    url->authority = mem_copy(authority.at, authority.len);
    rest += authority.len;
    struct buf path = {0};
    buf_printf(&path, "%s%.*s", *rest == '/' ? "" : "/", (int)strcspn(rest, "#"), rest);
    url->path = path.at;
    if (parse_host(url, &authority, f) < 0)
        return -1;
    return parse_port(url, authority, f);
}

static int parse_url(struct ws_url *url, const char *text, struct fault *f)
{
    if (check_characters(text, f) < 0)
        return -1;
    if (span_starts(span_of(text), "ws+unix:"))
        return parse_unix(url, text + (span_starts(span_of(text), "ws+unix://") ? 10 : 8), f);
    url->secure = span_starts(span_of(text), "wss://");
    if (!url->secure && !span_starts(span_of(text), "ws://"))
        return fault_set(f, "it must begin with ws://, wss:// or ws+unix:");
    return parse_authority(url, text + strlen(url->secure ? "wss://" : "ws://"), f);
}

int ws_url_parse(struct ws_url *url, const char *text, struct fault *f)
{
    if (parse_url(url, text, f) < 0)
        return fault_at(f, "%s", fault_quote(span_of(text)));
    return 0;
}

void ws_request_format(const struct ws_request *r, struct buf *out, char key[WS_KEY_BYTES])
{
    unsigned char random[16];
    ident_bytes(random, sizeof(random));
    EVP_EncodeBlock((unsigned char *)key, random, sizeof(random));
    buf_printf(out,
               "GET %s HTTP/1.1\r\n"
               "Host: %s\r\n"
               "Upgrade: websocket\r\n"
               "Connection: Upgrade\r\n"
               "Sec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Key: %s\r\n",
               r->path, r->authority, key);
    if (r->protocol)
        buf_printf(out, "Sec-WebSocket-Protocol: %s\r\n", r->protocol);
    if (r->token)
        buf_printf(out, "Authorization: Bearer %s\r\n", r->token);
    buf_text(out, "\r\n");
}

static struct span trim(struct span s)
{
    while (s.len > 0 && (*s.at == ' ' || *s.at == '\t'))
        s.at++, s.len--;
    while (s.len > 0 && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
        s.len--;
    return s;
}

static bool same(struct span a, const char *b)
{
    return a.len == strlen(b) && strncasecmp(a.at, b, a.len) == 0;
}

/* Takes the line at the start of head, without its CRLF. */
static struct span next_line(struct span *head)
{
    const char *end = memmem(head->at, head->len, "\r\n", 2);
    struct span line = {head->at, (size_t)(end - head->at)};
    head->at += line.len + 2;
    head->len -= line.len + 2;
    return line;
}

/* The value of a header; empty when it isn't there. */
static struct span header(struct span head, const char *name)
{
    while (head.len > 0) {
        struct span line = next_line(&head);
        const char *colon = memchr(line.at, ':', line.len);
        if (!colon || !same((struct span){line.at, (size_t)(colon - line.at)}, name))
            continue;
        size_t past = (size_t)(colon + 1 - line.at);
        return trim((struct span){line.at + past, line.len - past});
    }
    return (struct span){0};
}

/* Whether a list that commas separate has that word in it. */
static bool lists(struct span list, const char *word)
{
    while (list.len > 0) {
        const char *comma = memchr(list.at, ',', list.len);
        size_t len = comma ? (size_t)(comma - list.at) : list.len;
        if (same(trim((struct span){list.at, len}), word))
            return true;
        len += comma != NULL;
        list.at += len;
        list.len -= len;
    }
    return false;
}

/* Section 4.2.2, point 5.4. */
static bool answers_key(struct span answer, const char *key)
{
    static const char id[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char text[WS_KEY_BYTES + sizeof(id)];
    unsigned char digest[SHA_DIGEST_LENGTH];
    unsigned char expected[4 * (SHA_DIGEST_LENGTH / 3 + 1) + 1];
    size_t len = strlen(key) + sizeof(id) - 1;
    memcpy(text, key, strlen(key));
    memcpy(text + strlen(key), id, sizeof(id));
    SHA1((const unsigned char *)text, len, digest);
    EVP_EncodeBlock(expected, digest, sizeof(digest));
    return span_is(answer, (const char *)expected);
}

static int check_status(struct span line, struct fault *f)
{
    int64_t status;
    if (line.len < 12 || strncmp(line.at, "HTTP/1.", 7) != 0 || line.at[8] != ' ' ||
        num_parse((struct span){line.at + 9, 3}, 100, 999, &status, f) < 0)
        return fault_set(f, "no WebSocket: the answer is not HTTP but %s", fault_quote(line));
    if (status != 101)
        return fault_set(f, "HTTP status %d", (int)status);
    return 0;
}

static int check_headers(struct span head, const char *key, const char *protocol, struct fault *f)
{
    struct span chosen = header(head, "Sec-WebSocket-Protocol");
    if (!same(header(head, "Upgrade"), "websocket") ||
        !lists(header(head, "Connection"), "upgrade"))
        return fault_set(f, "no WebSocket: the answer upgrades to something else");
    if (!answers_key(header(head, "Sec-WebSocket-Accept"), key))
        return fault_set(f, "no WebSocket: the answer is to another key");
    if (header(head, "Sec-WebSocket-Extensions").len > 0)
        return fault_set(f, "no WebSocket: the answer has an extension that wasn't asked for");
    if (chosen.len > 0 && !(protocol && span_is(chosen, protocol)))
        return fault_set(f, "no WebSocket: the answer has the protocol %s, which wasn't asked for",
                         fault_quote(chosen));
    return 0;
}

ssize_t ws_answer_parse(struct span bytes, const char *key, const char *protocol, struct fault *f)
{
    const char *end = memmem(bytes.at, bytes.len, "\r\n\r\n", 4);
    if (!end && bytes.len > ANSWER_BYTES_MAX)
        return fault_set(f, "no WebSocket: the answer has no end");
    if (!end && bytes.len >= 5 && strncmp(bytes.at, "HTTP/", 5) != 0)
        return fault_set(f, "no WebSocket: the answer is not HTTP but %s", fault_quote(bytes));
    if (!end)
        return 0;
    struct span head = {bytes.at, (size_t)(end + 2 - bytes.at)};
    if (check_status(next_line(&head), f) < 0 || check_headers(head, key, protocol, f) < 0)
        return -1;
    return end + 4 - bytes.at;
}

static int check_start(unsigned char first, unsigned char second, struct fault *f)
{
    unsigned opcode = first & OPCODE;
    bool control = opcode >= WS_CLOSE;
    if (first & RESERVED)
        return fault_set(f, "a frame has reserved bits set");
    if ((opcode > WS_BINARY && !control) || opcode > WS_PONG)
        return fault_set(f, "a frame has the reserved opcode %u", opcode);
    if (control && (!(first & FINAL) || (second & LENGTH) > CONTROL_BYTES_MAX))
        return fault_set(f, "a control frame is fragmented or too long");
    if (second & MASKED)
        return fault_set(f, "a frame is masked, as a server's must not be");
    return 0;
}

static size_t big_endian(const char *at, size_t bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < bytes; i++)
        n = n << 8 | (unsigned char)at[i];
    return n;
}

ssize_t ws_frame_parse(struct span bytes, struct ws_frame *frame, size_t *missing, struct fault *f)
{
    if (bytes.len < 2) {
        *missing = 2 - bytes.len;
        return 0;
    }
    unsigned char first = (unsigned char)bytes.at[0];
    unsigned char second = (unsigned char)bytes.at[1];
    if (check_start(first, second, f) < 0)
        return -1;
    size_t len = second & LENGTH;
    size_t extra = len == LENGTH_16 ? 2 : len == LENGTH_64 ? 8 : 0;
    if (bytes.len < 2 + extra) {
        *missing = 2 + extra - bytes.len;
        return 0;
    }
    if (extra > 0)
        len = big_endian(bytes.at + 2, extra);
    if (len > SSIZE_MAX - WS_HEADER_BYTES_MAX)
        return fault_set(f, "a frame's length is out of range");
    size_t whole = 2 + extra + len;
    if (bytes.len < whole) {
        *missing = whole - bytes.len;
        return 0;
    }
    *frame = (struct ws_frame){first & OPCODE, first & FINAL, {bytes.at + 2 + extra, len}};
    return (ssize_t)whole;
}

static void add_length(struct buf *out, size_t len)
{
    if (len < LENGTH_16) {
        buf_char(out, (char)(MASKED | len));
        return;
    }
    int bytes = len <= UINT16_MAX ? 2 : 8;
    buf_char(out, (char)(MASKED | (bytes == 2 ? LENGTH_16 : LENGTH_64)));
    for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8)
        buf_char(out, (char)((uint64_t)len >> shift));
}

void ws_frame_format(struct buf *out, enum ws_opcode opcode, struct span payload)
{
    char mask[4];
    ident_bytes(mask, sizeof(mask));
    buf_char(out, (char)(FINAL | opcode));
    add_length(out, payload.len);
    buf_add(out, mask, sizeof(mask));
    char *to = buf_room(out, payload.len);
    for (size_t i = 0; i < payload.len; i++)
        to[i] = payload.at[i] ^ mask[i % 4];
    out->len += payload.len;
    out->at[out->len] = '\0';
}
