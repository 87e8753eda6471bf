#include "listen.h"
#include "log.h"
#include "mem.h"
#include "num.h"
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utlist.h>

enum {
    BACKLOG = 4096,
    DEFER_S = 5,
    ACCEPTED_MAX = 32, /* at once */
    LOG_KIND_ACCEPT = 2,
};

/* One listening socket. */
struct port {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } u;
    struct listener *listener;
    struct port *next;
    bool unix_socket;
    bool tls;
    bool waits; /* somebody is at the door */
    char *url;
};

struct listener {
    struct gateway *gateway;
    struct proxieds *proxieds;
    struct port *ports;
    uv_idle_t again; /* lets those in who wait at a door */
    int accepted;    /* since it last did */
};

static const char HTTP[] = "http://", HTTPS[] = "https://", UNIX[] = "unix:";

/* --- addresses ---------------------------------------------------------------------------- */

bool listen_is_secure(const char *address)
{
    return strncmp(address, HTTPS, strlen(HTTPS)) == 0;
}

static struct span without_scheme(const char *address)
{
    struct span text = span_of(address);
    if (listen_is_secure(address))
        span_drop(&text, strlen(HTTPS));
    else if (span_starts(text, HTTP))
        span_drop(&text, strlen(HTTP));
    return text;
}

/* Cuts ":PORT" off the end of an address; one without brackets and with several colons is an IPv6
 * address without a port. */
static int take_port(struct span *address, int64_t *port, struct fault *f)
{
    const char *colon = memrchr(address->at, ':', address->len);
    if (!colon)
        return 0;
    struct span before = {address->at, (size_t)(colon - address->at)};
    bool bracketed = before.len && before.at[before.len - 1] == ']';
    if (!bracketed && memchr(before.at, ':', before.len))
        return 0;
    struct span digits = {colon + 1, address->len - before.len - 1};
    *address = before;
    return num_parse(digits, 0, 65535, port, f);
}

static int parse_address(struct span text, int64_t port, struct sockaddr_storage *out,
                         struct fault *f)
{
    if (span_starts(text, UNIX))
        return fault_set(f, "a Unix socket is unix:PATH, without a scheme and without TLS");
    if (take_port(&text, &port, f) != 0)
        return -1;
    if (text.len >= 2 && text.at[0] == '[' && text.at[text.len - 1] == ']')
        text = (struct span){text.at + 1, text.len - 2};
    char *host = span_text(text);
    int bad = uv_ip4_addr(host, (int)port, (struct sockaddr_in *)out) != 0 &&
              uv_ip6_addr(host, (int)port, (struct sockaddr_in6 *)out) != 0;
    free(host);
    return bad ? fault_set(f, "not an IP address, [IPv6 address] or unix:PATH") : 0;
}

static bool is_loopback(const struct sockaddr_storage *a)
{
    if (a->ss_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)a)->sin6_addr);
    return ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr) >> 24 == 127;
}

static int check_path(const char *path, struct fault *f)
{
    enum { PATH_BYTES_MAX = sizeof(((struct sockaddr_un *)0)->sun_path) - 1 };
    if (!*path)
        return fault_set(f, "the path is missing");
    if (strlen(path) > PATH_BYTES_MAX)
        return fault_set(f, "the path is longer than %d bytes", PATH_BYTES_MAX);
    return 0;
}

static int check_address(const struct settings *set, const char *address, struct fault *f)
{
    struct sockaddr_storage a = {0};
    if (strncmp(address, UNIX, strlen(UNIX)) == 0)
        return check_path(address + strlen(UNIX), f);
    if (parse_address(without_scheme(address), set->port, &a, f) != 0)
        return -1;
    if (!set->key_files.count && !is_loopback(&a))
        return fault_set(f, "beyond loopback only with --key-file");
    return 0;
}

int listen_check(const struct settings *set, struct fault *f)
{
    for (size_t i = 0; i < set->listen.count; i++)
        if (check_address(set, set->listen.at[i], f) != 0)
            return fault_at(f, "--listen %s", set->listen.at[i]);
    return 0;
}

static void write_address(int fd, struct buf *out)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6; /* the largest */
    } a = {0};
    socklen_t len = sizeof(a);
    char host[INET6_ADDRSTRLEN] = "";
    getsockname(fd, &a.any, &len);
    uv_ip_name(&a.any, host, sizeof(host));
    if (a.any.sa_family == AF_INET6)
        buf_printf(out, "[%s]:%d", host, ntohs(a.v6.sin6_port));
    else
        buf_printf(out, "%s:%d", host, ntohs(a.v4.sin_port));
}

static char *tcp_url(uv_tcp_t *tcp, bool tls)
{
    struct buf url = {0};
    uv_os_fd_t fd = -1;
    uv_fileno((uv_handle_t *)tcp, &fd);
    buf_text(&url, tls ? HTTPS : HTTP);
    write_address(fd, &url);
    return url.at;
}

/* --- accepting ---------------------------------------------------------------------------- */

static void discard(uv_handle_t *handle)
{
    free(handle);
}

static void let_come(struct port *p, uv_stream_t *client)
{
    struct visitor v = {.stream = client, .tls = p->tls};
    int len = sizeof(v.end);
    if (!p->unix_socket) {
        uv_tcp_nodelay((uv_tcp_t *)client, 1);
        uv_tcp_getpeername((uv_tcp_t *)client, &v.end.any, &len);
    }
    proxied_take(p->listener->proxieds, &v);
}

static void accept_one(struct port *p)
{
    struct gateway *g = p->listener->gateway;
    uv_stream_t *client = mem_zero(p->unix_socket ? sizeof(uv_pipe_t) : sizeof(uv_tcp_t));
    if (p->unix_socket)
        uv_pipe_init(g->loop, (uv_pipe_t *)client, 0);
    else
        uv_tcp_init(g->loop, (uv_tcp_t *)client);
    p->waits = false;
    p->listener->accepted++;
    if (uv_accept(&p->u.stream, client) != 0) {
        uv_close((uv_handle_t *)client, discard);
        return;
    }
    let_come(p, client);
}

static void on_again(uv_idle_t *again)
{
    struct listener *l = again->data;
    struct port *p;
    uv_idle_stop(again);
    l->accepted = 0;
    LL_FOREACH (l->ports, p)
        if (p->waits)
            accept_one(p);
}

/* Who comes in is let in by turns, in which what others wait for is done: else a crowd at the door
 * would hold up all who are inside, and need the memory of all their handshakes at once. libuv
 * waits with whom it has accepted until it is asked for them. */
static void on_connection(uv_stream_t *server, int status)
{
    struct port *p = server->data;
    struct listener *l = p->listener;
    if (status < 0) {
        log_limited(LOG_KIND_ACCEPT, LOG_WARNING, "%s: cannot accept: %s", p->url,
                    uv_strerror(status));
    } else if (l->accepted < ACCEPTED_MAX) {
        accept_one(p);
    } else {
        p->waits = true;
        uv_idle_start(&l->again, on_again);
    }
}

/* --- binding ------------------------------------------------------------------------------ */

/* A socket that shares its port. Returns -1 with errno set. */
static int open_shared(int family)
{
    int on = 1;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Before it is bound. */
static int share_port(struct port *p, int family, struct fault *f)
{
    int fd = open_shared(family);
    int error = fd < 0 ? uv_translate_sys_error(errno) : uv_tcp_open(&p->u.tcp, fd);
    if (!error)
        return 0;
    if (fd >= 0)
        close(fd);
    return fault_set(f, "%s", uv_strerror(error));
}

/* Whom another process that ended has turned away from it, it gets again. */
static void open_doors(uv_os_fd_t fd)
{
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, &on, sizeof(on));
}

/* Says which port it was where the address has none of its own. libuv tells of one in use when it
 * is listened to. */
static int bind_failed(struct span text, int64_t port, int error, struct fault *f)
{
    int64_t own = -1;
    if (take_port(&text, &own, f) == 0 && own < 0)
        return fault_set(f, "port %d: %s", (int)port, uv_strerror(error));
    return fault_set(f, "%s", uv_strerror(error));
}

static int bind_tcp(struct port *p, struct span text, struct fault *f)
{
    struct gateway *g = p->listener->gateway;
    struct sockaddr_storage a = {0};
    int defer_s = DEFER_S;
    uv_os_fd_t fd;
    if (parse_address(text, g->settings.port, &a, f) != 0)
        return -1;
    bool shared = g->settings.reuse_port;
    if (shared && share_port(p, a.ss_family, f) != 0)
        return -1;
    int error = uv_tcp_bind(&p->u.tcp, (struct sockaddr *)&a, 0);
    if (error)
        return bind_failed(text, g->settings.port, error, f);
    uv_fileno(&p->u.handle, &fd);
    if (shared)
        open_doors(fd);
    else /* Clients speak first: the kernel wakes us when the request is there. */
        setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer_s, sizeof(defer_s));
    return 0;
}

/* A socket on which nobody listens any more is what a killed process leaves. A file that is none
 * refuses connections too, and is somebody's. */
static bool is_stale(const struct sockaddr_un *a)
{
    struct stat st;
    if (lstat(a->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool refused =
        connect(fd, (const struct sockaddr *)a, sizeof(*a)) != 0 && errno == ECONNREFUSED;
    close(fd);
    return refused;
}

/* libuv says of a directory that is missing what it says of one that is locked. */
static int bind_error(const char *path, int error)
{
    struct buf dir = {0};
    const char *slash = strrchr(path, '/');
    struct stat st;
    if (error != UV_EACCES || !slash)
        return error;
    buf_add(&dir, path, (size_t)(slash - path) + 1);
    if (stat(dir.at, &st) != 0)
        error = uv_translate_sys_error(errno);
    buf_fini(&dir);
    return error;
}

static int bind_unix(struct port *p, const char *path, struct fault *f)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    if (is_stale(&a))
        unlink(path);
    int error = uv_pipe_bind(&p->u.pipe, path);
    return error ? fault_set(f, "%s", uv_strerror(bind_error(path, error))) : 0;
}

static void port_closed(uv_handle_t *handle)
{
    struct port *p = handle->data;
    free(p->url);
    free(p);
}

static struct port *open_port(struct listener *l, const char *text, struct fault *f)
{
    struct port *p = mem_zero(sizeof(*p));
    p->listener = l;
    p->tls = listen_is_secure(text);
    p->unix_socket = strncmp(text, UNIX, strlen(UNIX)) == 0;
    if (p->unix_socket)
        uv_pipe_init(l->gateway->loop, &p->u.pipe, 0);
    else
        uv_tcp_init(l->gateway->loop, &p->u.tcp);
    p->u.handle.data = p;
    int failed = p->unix_socket ? bind_unix(p, text + strlen(UNIX), f)
                                : bind_tcp(p, without_scheme(text), f);
    int error = failed ? 0 : uv_listen(&p->u.stream, BACKLOG, on_connection);
    if (error && p->unix_socket)
        failed = fault_set(f, "%s", uv_strerror(error));
    else if (error)
        failed = bind_failed(without_scheme(text), l->gateway->settings.port, error, f);
    if (failed) {
        fault_at(f, "--listen %s", text);
        uv_close(&p->u.handle, port_closed);
        return NULL;
    }
    p->url = p->unix_socket ? mem_text(text) : tcp_url(&p->u.tcp, p->tls);
    return p;
}

int listen_reserve(const struct settings *set, const char *address, struct buf *out,
                   struct fault *f)
{
    struct sockaddr_storage a = {0};
    if (strncmp(address, UNIX, strlen(UNIX)) == 0) {
        fault_set(f, "--listen %s: several processes cannot share a Unix socket", address);
        return -1;
    }
    if (parse_address(without_scheme(address), set->port, &a, f) != 0)
        return fault_at(f, "--listen %s", address);
    int on = 1, fd = open_shared(a.ss_family);
    socklen_t len =
        a.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (fd >= 0 && bind(fd, (struct sockaddr *)&a, len) == 0) {
        buf_text(out, listen_is_secure(address) ? HTTPS : "");
        write_address(fd, out);
        return fd;
    }
    bind_failed(without_scheme(address), set->port, uv_translate_sys_error(errno), f);
    fault_at(f, "--listen %s", address);
    if (fd >= 0)
        close(fd);
    return -1;
}

struct listener *listen_open(struct gateway *g, struct proxieds *proxieds, struct fault *f)
{
    struct listener *l = mem_zero(sizeof(*l));
    l->gateway = g;
    l->proxieds = proxieds;
    uv_idle_init(g->loop, &l->again);
    l->again.data = l;
    for (size_t i = 0; i < g->settings.listen.count; i++) {
        struct port *p = open_port(l, g->settings.listen.at[i], f);
        if (!p) {
            listen_close(l);
            return NULL;
        }
        LL_APPEND(l->ports, p);
    }
    return l;
}

/* The kernel asks a program for the index of the socket that gets a connection (socket(7),
 * SO_ATTACH_REUSEPORT_CBPF). Sockets are numbered in the order in which they began to listen: those
 * of our own kind first, then as many of who takes over. Where the program names one that is not
 * there, the kernel chooses as if there were none. */
static void turn_away(uv_os_fd_t fd, uint32_t own)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM)),
        BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, own),
        BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, own),
        BPF_STMT(BPF_RET | BPF_A, 0),
    };
    const struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
    setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program));
}

void listen_turn_away(const struct listener *l)
{
    const struct port *p;
    uv_os_fd_t fd;
    const struct settings *set = &l->gateway->settings;
    LL_FOREACH (l->ports, p)
        if (!p->unix_socket && uv_fileno(&p->u.handle, &fd) == 0)
            turn_away(fd, set->worker ? (uint32_t)set->workers : 1);
}

static void take_in(struct port *p, int fd)
{
    uv_tcp_t *client = mem_zero(sizeof(*client));
    uv_tcp_init(p->listener->gateway->loop, client);
    if (uv_tcp_open(client, fd) != 0) {
        close(fd);
        uv_close((uv_handle_t *)client, discard);
        return;
    }
    let_come(p, (uv_stream_t *)client);
}

/* Closing would end the connections of those who wait to be let in. */
static void let_in(struct port *p)
{
    uv_os_fd_t fd;
    int client;
    if (p->waits)
        accept_one(p);
    if (p->unix_socket || uv_fileno(&p->u.handle, &fd) != 0)
        return;
    while ((client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        take_in(p, client);
}

static void listener_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void listen_close(struct listener *l)
{
    struct port *p, *tmp;
    if (l->gateway->settings.reuse_port)
        LL_FOREACH (l->ports, p)
            let_in(p);
    LL_FOREACH_SAFE (l->ports, p, tmp)
        uv_close(&p->u.handle, port_closed);
    uv_close((uv_handle_t *)&l->again, listener_closed);
}

void listen_addresses(const struct listener *l, struct buf *out)
{
    const struct port *p;
    LL_FOREACH (l->ports, p)
        buf_printf(out, "%s%s", p == l->ports ? "" : " ", p->url);
}
