#include "proxy.h"
#include "num.h"
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* --- version 1: a line ---------------------------------------------------------------------- */

enum { LINE_BYTES_MAX = 107 }; /* with its CR and LF (section 2.1) */

/* Takes a word that one blank ends, or the end. */
static struct span take_word(struct span *line)
{
    const char *blank = memchr(line->at, ' ', line->len);
    struct span word = {line->at, blank ? (size_t)(blank - line->at) : line->len};
    span_drop(line, word.len + (blank ? 1 : 0));
    return word;
}

static bool read_port(struct span word, in_port_t *out)
{
    int64_t port;
    struct fault f;
    bool padded = word.len > 1 && word.at[0] == '0';
    if (padded || num_parse(word, 0, 65535, &port, &f) != 0)
        return false;
    *out = htons((uint16_t)port);
    return true;
}

static bool read_address(int family, struct span word, void *out)
{
    char text[INET6_ADDRSTRLEN];
    if (word.len >= sizeof(text) || memchr(word.at, '\0', word.len))
        return false;
    memcpy(text, word.at, word.len);
    text[word.len] = '\0';
    return inet_pton(family, text, out) == 1;
}

/* "SOURCE DESTINATION SOURCE_PORT DESTINATION_PORT" */
static bool read_ends(int family, struct span line, struct sockaddr_storage *from)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)from;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)from;
    bool is_v4 = family == AF_INET;
    struct in6_addr to;
    in_port_t to_port;
    void *address = is_v4 ? (void *)&v4->sin_addr : (void *)&v6->sin6_addr;
    in_port_t *port = is_v4 ? &v4->sin_port : &v6->sin6_port;
    from->ss_family = (sa_family_t)family;
    return read_address(family, take_word(&line), address) &&
           read_address(family, take_word(&line), &to) && read_port(take_word(&line), port) &&
           read_port(take_word(&line), &to_port) && !line.len && line.at[-1] != ' ';
}

/* line: without "PROXY ", CR and LF. */
static int read_line(struct span line, struct sockaddr_storage *from, struct fault *f)
{
    struct span family = take_word(&line);
    if (span_is(family, "UNKNOWN"))
        return 0;
    if (span_is(family, "TCP4") && read_ends(AF_INET, line, from))
        return 0;
    if (span_is(family, "TCP6") && read_ends(AF_INET6, line, from))
        return 0;
    return fault_set(f, "PROXY: a line that names no two addresses and ports");
}

static ssize_t parse_line(struct span bytes, struct sockaddr_storage *from, struct fault *f)
{
    size_t most = bytes.len < LINE_BYTES_MAX ? bytes.len : LINE_BYTES_MAX;
    const char *end = memchr(bytes.at, '\n', most);
    if (!end)
        return most < LINE_BYTES_MAX ? 0 : fault_set(f, "PROXY: a line of more than 107 bytes");
    struct span line = {bytes.at, (size_t)(end - bytes.at)};
    if (line.at[line.len - 1] != '\r')
        return fault_set(f, "PROXY: a line that does not end with CR and LF");
    line.len--;
    span_drop(&line, strlen("PROXY "));
    return read_line(line, from, f) == 0 ? end + 1 - bytes.at : -1;
}

/* --- version 2: binary ---------------------------------------------------------------------- */

enum {
    HEAD_BYTES = 16,
    COMMAND_LOCAL = 0x20,
    COMMAND_PROXY = 0x21,
    TCP4 = 0x11,
    UDP4 = 0x12,
    TCP6 = 0x21,
    UDP6 = 0x22,
    UNIX_LAST = 0x32,
    TCP4_BYTES = 12,
    TCP6_BYTES = 36,
    UNIX_BYTES = 216,
};

static const char SIGNATURE[] = "\r\n\r\n\0\r\nQUIT\n";
enum { SIGNATURE_BYTES = sizeof(SIGNATURE) - 1 };

static void copy_v4(struct sockaddr_storage *from, const char *at)
{
    struct sockaddr_in *a = (struct sockaddr_in *)from;
    a->sin_family = AF_INET;
    memcpy(&a->sin_addr, at, sizeof(a->sin_addr));
    memcpy(&a->sin_port, at + 2 * sizeof(a->sin_addr), sizeof(a->sin_port));
}

static void copy_v6(struct sockaddr_storage *from, const char *at)
{
    struct sockaddr_in6 *a = (struct sockaddr_in6 *)from;
    a->sin6_family = AF_INET6;
    memcpy(&a->sin6_addr, at, sizeof(a->sin6_addr));
    memcpy(&a->sin6_port, at + 2 * sizeof(a->sin6_addr), sizeof(a->sin6_port));
}

/* Behind the addresses may stand what concerns nobody here. */
static int read_body(int kind, struct span body, struct sockaddr_storage *from, struct fault *f)
{
    size_t least = kind <= UDP4 ? TCP4_BYTES : kind <= UDP6 ? TCP6_BYTES : UNIX_BYTES;
    if (kind == 0)
        return 0;
    if (kind < TCP4 || kind > UNIX_LAST || (kind & 15) < 1 || (kind & 15) > 2)
        return fault_set(f, "PROXY: addresses of an unknown kind");
    if (body.len < least)
        return fault_set(f, "PROXY: a header too short for its addresses");
    if (kind == TCP4)
        copy_v4(from, body.at);
    if (kind == TCP6)
        copy_v6(from, body.at);
    return 0;
}

static ssize_t parse_binary(struct span bytes, struct sockaddr_storage *from, struct fault *f)
{
    if (bytes.len < HEAD_BYTES)
        return 0;
    const unsigned char *head = (const unsigned char *)bytes.at;
    int command = head[12], kind = head[13];
    size_t len = (size_t)head[14] << 8 | head[15];
    if (command != COMMAND_LOCAL && command != COMMAND_PROXY)
        return fault_set(f, "PROXY: neither version 2 nor a command that it has");
    if (HEAD_BYTES + len > PROXY_BYTES_MAX)
        return fault_set(f, "PROXY: a header of more than %d bytes", PROXY_BYTES_MAX);
    if (bytes.len < HEAD_BYTES + len)
        return 0;
    struct span body = {bytes.at + HEAD_BYTES, len};
    if (command == COMMAND_PROXY && read_body(kind, body, from, f) != 0)
        return -1;
    return (ssize_t)(HEAD_BYTES + len);
}

/* --- both ----------------------------------------------------------------------------------- */

/* Whether bytes begin with what a header begins with, or may once more have come. */
static bool may_begin(struct span bytes, const char *with, size_t len)
{
    return memcmp(bytes.at, with, bytes.len < len ? bytes.len : len) == 0;
}

ssize_t proxy_parse(struct span bytes, struct sockaddr_storage *from, struct fault *f)
{
    static const char word[] = "PROXY ";
    memset(from, 0, sizeof(*from));
    if (!bytes.len)
        return 0;
    if (may_begin(bytes, SIGNATURE, SIGNATURE_BYTES))
        return parse_binary(bytes, from, f);
    if (!may_begin(bytes, word, strlen(word)))
        return fault_set(f, "PROXY: the header is missing");
    return bytes.len < strlen(word) ? 0 : parse_line(bytes, from, f);
}
