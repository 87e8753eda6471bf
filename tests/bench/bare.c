/* bare: the upper bound that collabd is held against. Nothing but epoll: it takes WebSocket clients
 * (the path names the room), subscribes to their rooms in Redis, frames what comes once, gathers
 * it, and writes it to all members. It has no identity, no limits, no errors, and waits for a slow
 * reader. bare PORT: where Redis is; it prints where it listens itself. */
#include "buf.h"
#include "mem.h"
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uthash.h>

#define CHANNEL "collab:room:"

enum { READ_BYTES = 64 * 1024, EVENTS = 1024, REDIS_ITEMS = 3 };

struct member {
    struct member *next;
    struct room *room; /* NULL until the handshake */
    int fd;
};

struct room {
    UT_hash_handle hh;
    struct member *members;
    struct room *next_dirty;
    bool dirty;
    struct buf frames; /* for all members, since the last flush */
    char name[];
};

static struct {
    int epoll, listener, redis;
    struct buf from_redis;
    struct room *rooms, *dirty;
    char bytes[READ_BYTES];
} bare;

static void write_all(int fd, const char *at, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) {
            struct pollfd wait = {.fd = fd, .events = POLLOUT};
            poll(&wait, 1, -1);
        } else if (n < 0) {
            return; /* the member's end is read, too */
        } else {
            at += n;
            len -= (size_t)n;
        }
    }
}

static void watch(int fd, void *what)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};
    if (epoll_ctl(bare.epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        err(1, "epoll_ctl");
}

/* --- Redis --- */

static void subscribe(const char *room)
{
    char text[512];
    size_t len = strlen(CHANNEL) + strlen(room);
    int n = snprintf(text, sizeof(text), "*2\r\n$9\r\nSUBSCRIBE\r\n$%zu\r\n%s%s\r\n", len, CHANNEL,
                     room);
    write_all(bare.redis, text, (size_t)n);
}

/* One item of a push: a length and a text, or a number. Returns what follows, NULL when it isn't
 * there yet. */
static const char *take_item(const char *at, const char *end, struct span *item)
{
    const char *line = memchr(at, '\n', (size_t)(end - at));
    if (!line)
        return NULL;
    *item = (struct span){0};
    if (*at == ':')
        return line + 1;
    size_t len = strtoul(at + 1, NULL, 10);
    if ((size_t)(end - line - 1) < len + 2)
        return NULL;
    *item = (struct span){line + 1, len};
    return line + 1 + len + 2;
}

static void frame(struct room *room, struct span text)
{
    buf_char(&room->frames, '\x81');
    if (text.len < 126) {
        buf_char(&room->frames, (char)text.len);
    } else {
        const char length[] = {126, (char)(text.len >> 8), (char)text.len};
        buf_add(&room->frames, length, sizeof(length));
    }
    buf_join(&room->frames, text);
    if (room->dirty)
        return;
    room->dirty = true;
    room->next_dirty = bare.dirty;
    bare.dirty = room;
}

static void take_push(const struct span *items)
{
    if (!span_is(items[0], "message"))
        return;
    size_t prefix = strlen(CHANNEL);
    struct room *room;
    HASH_FIND(hh, bare.rooms, items[1].at + prefix, items[1].len - prefix, room);
    if (room)
        frame(room, items[2]);
}

static void read_redis(void)
{
    struct buf *in = &bare.from_redis;
    ssize_t n = recv(bare.redis, buf_room(in, READ_BYTES), READ_BYTES, 0);
    if (n <= 0)
        errx(1, "Redis is gone");
    in->len += (size_t)n;
    const char *at = in->at, *end = in->at + in->len;
    for (;;) {
        struct span items[REDIS_ITEMS] = {{0}};
        const char *next = memchr(at, '\n', (size_t)(end - at));
        next = next ? next + 1 : NULL;
        for (int i = 0; i < REDIS_ITEMS && next; i++)
            next = take_item(next, end, &items[i]);
        if (!next)
            break;
        take_push(items);
        at = next;
    }
    buf_drop(in, (size_t)(at - in->at));
}

static void flush(void)
{
    for (struct room *room = bare.dirty; room; room = room->next_dirty) {
        for (struct member *m = room->members; m; m = m->next)
            write_all(m->fd, room->frames.at, room->frames.len);
        buf_clear(&room->frames);
        room->dirty = false;
    }
    bare.dirty = NULL;
}

/* --- members --- */

static struct room *room_named(const char *name, size_t len)
{
    struct room *room;
    HASH_FIND(hh, bare.rooms, name, len, room);
    if (room)
        return room;
    room = mem_zero(sizeof(*room) + len + 1);
    memcpy(room->name, name, len);
    HASH_ADD_KEYPTR(hh, bare.rooms, room->name, len, room);
    subscribe(room->name);
    return room;
}

/* The request comes in one piece from those who use this. */
static void shake_hands(struct member *m, char *request, size_t len)
{
    static const char id[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    request[len] = '\0';
    const char *path = request + strlen("GET /");
    char *key = strstr(request, "Sec-WebSocket-Key: ");
    if (!key)
        errx(1, "no WebSocket handshake");
    key += strlen("Sec-WebSocket-Key: ");
    char text[24 + sizeof(id)], accept[32], answer[256];
    unsigned char digest[SHA_DIGEST_LENGTH];
    snprintf(text, sizeof(text), "%.24s%s", key, id);
    SHA1((unsigned char *)text, strlen(text), digest);
    EVP_EncodeBlock((unsigned char *)accept, digest, sizeof(digest));
    int n = snprintf(answer, sizeof(answer),
                     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                     accept);
    write_all(m->fd, answer, (size_t)n);
    m->room = room_named(path, strcspn(path, " "));
    m->next = m->room->members;
    m->room->members = m;
}

static void drop(struct member *m)
{
    struct member **at = m->room ? &m->room->members : NULL;
    while (at && *at != m)
        at = &(*at)->next;
    if (at)
        *at = m->next;
    close(m->fd);
    free(m);
}

static void read_member(struct member *m)
{
    ssize_t n = recv(m->fd, bare.bytes, READ_BYTES - 1, 0);
    if (n <= 0)
        drop(m);
    else if (!m->room)
        shake_hands(m, bare.bytes, (size_t)n);
}

static void accept_member(void)
{
    struct member *m = mem_zero(sizeof(*m));
    m->fd = accept4(bare.listener, NULL, NULL, SOCK_CLOEXEC);
    if (m->fd < 0)
        err(1, "accept");
    watch(m->fd, m);
}

/* --- */

static int open_socket(int port, bool listens)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct sockaddr *any = (const struct sockaddr *)&address;
    int result = listens ? bind(fd, any, sizeof(address)) : connect(fd, any, sizeof(address));
    if (result < 0 || (listens && listen(fd, 4096) < 0))
        err(1, "port %d", port);
    return fd;
}

static void set_up(int redis_port)
{
    struct sockaddr_in address = {0};
    socklen_t len = sizeof(address);
    bare.epoll = epoll_create1(EPOLL_CLOEXEC);
    bare.redis = open_socket(redis_port, false);
    bare.listener = open_socket(0, true);
    watch(bare.redis, &bare.redis);
    watch(bare.listener, &bare.listener);
    getsockname(bare.listener, (struct sockaddr *)&address, &len);
    printf("ready http://127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
}

static void handle(void *what)
{
    if (what == &bare.redis)
        read_redis();
    else if (what == &bare.listener)
        accept_member();
    else
        read_member(what);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        errx(2, "usage: bare PORT-OF-REDIS");
    set_up((int)strtol(argv[1], NULL, 10));
    for (;;) {
        struct epoll_event events[EVENTS];
        int n = epoll_wait(bare.epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++)
            handle(events[i].data.ptr);
        flush();
    }
}
