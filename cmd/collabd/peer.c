#include "peer.h"
#include "mem.h"
#include "num.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALL_BITS = 128, MAPPED_BITS = 96, SUBSCRIBER_BYTES = 8 /* a /64 */ };

static void map(struct in6_addr *out, struct in_addr v4)
{
    memset(out, 0, sizeof(*out));
    out->s6_addr[10] = out->s6_addr[11] = 0xff;
    memcpy(out->s6_addr + 12, &v4, sizeof(v4));
}

static bool parse_address(struct span text, struct in6_addr *out)
{
    char host[INET6_ADDRSTRLEN];
    struct in_addr v4;
    if (!text.len || text.len >= sizeof(host) || memchr(text.at, '\0', text.len))
        return false;
    memcpy(host, text.at, text.len);
    host[text.len] = '\0';
    if (inet_pton(AF_INET, host, &v4) == 1) {
        map(out, v4);
        return true;
    }
    return inet_pton(AF_INET6, host, out) == 1;
}

/* --- networks ----------------------------------------------------------------------------- */

static int parse_network(struct span text, struct network *out, struct fault *f)
{
    const char *slash = memchr(text.at, '/', text.len);
    struct span host = {text.at, slash ? (size_t)(slash - text.at) : text.len};
    int64_t bits = ALL_BITS;
    if (!parse_address(host, &out->address))
        return fault_set(f, "neither an IP address, nor a network like 10.0.0.0/8, nor unix");
    bool v4 = IN6_IS_ADDR_V4MAPPED(&out->address);
    if (slash) {
        struct span digits = {slash + 1, text.len - host.len - 1};
        if (num_parse(digits, 0, v4 ? ALL_BITS - MAPPED_BITS : ALL_BITS, &bits, f) != 0)
            return -1;
        bits += v4 ? MAPPED_BITS : 0;
    }
    out->bits = (int)bits;
    return 0;
}

int networks_parse(struct networks *n, const struct opt_list *list, struct fault *f)
{
    struct networks parsed = {0};
    parsed.at = mem_zero((list->count + 1) * sizeof(*parsed.at));
    for (size_t i = 0; i < list->count; i++) {
        struct span text = span_of(list->at[i]);
        if (span_is(text, "unix")) {
            parsed.unix_sockets = true;
        } else if (parse_network(text, &parsed.at[parsed.count++], f) != 0) {
            networks_fini(&parsed);
            return fault_at(f, "--trusted-proxy %s", list->at[i]);
        }
    }
    *n = parsed;
    return 0;
}

void networks_fini(struct networks *n)
{
    free(n->at);
    *n = (struct networks){0};
}

static bool is_in(const struct network *n, const struct in6_addr *a)
{
    int bytes = n->bits / 8, rest = n->bits % 8;
    if (memcmp(n->address.s6_addr, a->s6_addr, (size_t)bytes) != 0)
        return false;
    return !rest || (n->address.s6_addr[bytes] ^ a->s6_addr[bytes]) >> (8 - rest) == 0;
}

static bool is_trusted(const struct networks *n, const struct in6_addr *a)
{
    for (size_t i = 0; i < n->count; i++)
        if (is_in(&n->at[i], a))
            return true;
    return false;
}

/* --- who it is ---------------------------------------------------------------------------- */

/* Takes the last item off a list. */
static struct span take_last(struct span *list)
{
    const char *comma = memrchr(list->at, ',', list->len);
    size_t before = comma ? (size_t)(comma - list->at) : 0;
    struct span item = {list->at + before, list->len - before};
    list->len = before;
    if (comma)
        span_drop(&item, 1);
    while (item.len && (item.at[0] == ' ' || item.at[0] == '\t'))
        span_drop(&item, 1);
    while (item.len && (item.at[item.len - 1] == ' ' || item.at[item.len - 1] == '\t'))
        item.len--;
    return item;
}

/* Some proxies add the port: 192.0.2.1:4711, [2001:db8::1]:4711. */
static struct span without_port(struct span item)
{
    const char *end;
    if (item.len && item.at[0] == '[') {
        end = memchr(item.at, ']', item.len);
        return end ? (struct span){item.at + 1, (size_t)(end - item.at) - 1} : item;
    }
    end = memchr(item.at, ':', item.len);
    if (end && memrchr(item.at, ':', item.len) == end)
        item.len = (size_t)(end - item.at);
    return item;
}

static void write_name(const struct in6_addr *a, char name[PEER_NAME_BYTES])
{
    struct in6_addr subscriber = {0};
    if (IN6_IS_ADDR_V4MAPPED(a)) {
        inet_ntop(AF_INET, a->s6_addr + 12, name, PEER_NAME_BYTES);
        return;
    }
    memcpy(subscriber.s6_addr, a->s6_addr, SUBSCRIBER_BYTES);
    inet_ntop(AF_INET6, &subscriber, name, INET6_ADDRSTRLEN);
    strcat(name, "/64");
}

bool peer_name_of(struct span address, char name[PEER_NAME_BYTES])
{
    struct in6_addr a;
    if (!parse_address(address, &a))
        return false;
    write_name(&a, name);
    return true;
}

/* Whether there is an address. */
static bool read_end(const struct sockaddr *from, struct in6_addr *out)
{
    if (from && from->sa_family == AF_INET)
        map(out, ((const struct sockaddr_in *)(const void *)from)->sin_addr);
    else if (from && from->sa_family == AF_INET6)
        *out = ((const struct sockaddr_in6 *)(const void *)from)->sin6_addr;
    else
        return false;
    return true;
}

bool peer_is_proxy(const struct networks *trusted, const struct sockaddr *from)
{
    struct in6_addr at;
    return read_end(from, &at) ? is_trusted(trusted, &at) : trusted->unix_sockets;
}

void peer_name(const struct networks *trusted, const struct sockaddr *from, struct span forwarded,
               char name[PEER_NAME_BYTES], bool *direct)
{
    struct in6_addr at, before;
    bool known = read_end(from, &at);
    bool believed = peer_is_proxy(trusted, from);
    *direct = !believed;
    name[0] = '\0';
    while (believed && forwarded.len) {
        if (!parse_address(without_port(take_last(&forwarded)), &before))
            break;
        at = before;
        known = true;
        believed = is_trusted(trusted, &at);
    }
    if (known)
        write_name(&at, name);
}
