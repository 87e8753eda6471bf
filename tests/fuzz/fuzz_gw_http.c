/* Any bytes over a connection that was just accepted: what is answered is HTTP, and when the client
 * has gone, so has the connection, a WebSocket too. */
#include "../unit/offline_gateway.h"
#include "api.h"
#include "http.h"
#include "mem.h"
#include <sys/socket.h>

enum { TURNS = 4, TURNS_MAX = 1000, INPUT_BYTES_MAX = 65536 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct offline offline;
static struct https *https;

static void set_up(void)
{
    static struct web_route routes[3];
    struct gateway *g = &offline.gateway;
    struct fault f;

    offline_open(&offline, "{\"rooms\":{\"*\":{}},\"events\":{\"*\":{\"class\":\"live\"}}}");
    routes[0] = (struct web_route){&plain_site, g};
    routes[1] = (struct web_route){&api_site, g};
    struct websockets *websockets = websockets_new(g, &f);
    assert(websockets);
    https = https_new(g, websockets, routes);
}

/* The gateway's end of a connection; ours is returned. */
static int connect_client(void)
{
    int ends[2];
    uv_pipe_t *pipe = mem_zero(sizeof(*pipe));

    int failed = socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends);
    assert(failed == 0);
    uv_pipe_init(offline.gateway.loop, pipe, 0);
    uv_pipe_open(pipe, ends[0]);
    struct visitor v = {.stream = (uv_stream_t *)pipe};
    bool entered = visitor_enter(&offline.gateway, &v);
    assert(entered);
    http_take(https, &v);
    return ends[1];
}

static bool is_idle(void)
{
    return https_count(https) == 0 && offline.gateway.metrics.value[M_CONNECTIONS] == 0;
}

/* Some turns of the loop, until nothing is open any more; what is answered meanwhile is taken. */
static void turn(int times, int fd, struct buf *answer)
{
    char bytes[65536];
    ssize_t n = 0;

    for (int i = 0; i < times && (!is_idle() || n > 0); i++) {
        outboxes_flush(offline.gateway.outboxes);
        uv_run(offline.gateway.loop, UV_RUN_NOWAIT);
        n = read(fd, bytes, sizeof(bytes));
        if (n > 0)
            buf_add(answer, bytes, (size_t)n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf answer = {0};

    if (!https)
        set_up();
    int fd = connect_client();
    if (size > INPUT_BYTES_MAX)
        size = INPUT_BYTES_MAX;
    ssize_t n = write(fd, data, size);
    assert(n == (ssize_t)size);
    turn(TURNS, fd, &answer);
    shutdown(fd, SHUT_WR);
    turn(TURNS_MAX, fd, &answer);
    close(fd);
    assert(is_idle());
    assert(answer.len == 0 || span_starts(buf_span(&answer), "HTTP/1.1 "));
    buf_fini(&answer);
    return 0;
}
