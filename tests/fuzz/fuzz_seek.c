/* Any bytes as what a server answers to who asks who serves: somebody is found, who makes sense, or
 * it is told why not, once.
 *
 * The first byte says whom the URL names: a server, several, sentinels. Then come the answers, each
 * to one command, with a NUL between them; the last is followed by the end of the connection. */
#include "mem.h"
#include "seek.h"
#include "slot.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { IDLE_TURNS = 8 }; /* of the loop, after which the one that asks waits for more to come */

static uv_loop_t loop;
static uv_tcp_t listener;
static struct redis_address addresses[3];

/* --- the server ---------------------------------------------------------------------------- */

static struct span answers; /* that are left */
static uv_tcp_t *peer;      /* who asks; NULL: nobody */
static bool greeted, moved;

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

/* By a reset, so that no port is kept for the connection. */
static void hang_up(void)
{
    if (peer)
        uv_tcp_close_reset(peer, on_closed);
    peer = NULL;
}

static void answer(struct span text)
{
    uv_buf_t out = uv_buf_init((char *)text.at, (unsigned)text.len);
    if (text.len > 0)
        uv_try_write((uv_stream_t *)peer, &out, 1);
}

static void answer_next(void)
{
    const char *end = memchr(answers.at, '\0', answers.len);
    size_t len = end ? (size_t)(end - answers.at) : answers.len;
    answer((struct span){answers.at, len});
    span_drop(&answers, end ? len + 1 : len);
    if (!end)
        hang_up();
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *to)
{
    static char bytes[4096];
    (void)handle;
    (void)size;
    *to = uv_buf_init(bytes, sizeof(bytes));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
    (void)bytes;
    assert(stream == (uv_stream_t *)peer);
    moved = true;
    if (n < 0) {
        hang_up();
    } else if (!greeted) {
        greeted = true;
        answer(span_of("+PONG\r\n"));
    } else if (n > 0) {
        answer_next();
    }
}

static void on_connection(uv_stream_t *stream, int status)
{
    assert(status == 0 && !peer);
    moved = true;
    peer = mem_alloc(sizeof(*peer));
    uv_tcp_init(&loop, peer);
    uv_accept(stream, (uv_stream_t *)peer);
    uv_read_start((uv_stream_t *)peer, on_alloc, on_read);
}

/* Of several servers, and of the sentinels, the second is one that nobody reaches. */
static void name_it(struct redis_address *a, const char *format, int port)
{
    struct buf url = {0};
    struct fault f;
    buf_printf(&url, format, port, port);
    int bad = redis_address_parse(a, buf_span(&url), &f);
    assert(bad == 0);
    (void)bad;
    buf_fini(&url);
}

static void listen_once(void)
{
    struct sockaddr_in at;
    int len = sizeof(at);
    if (addresses[0].count > 0)
        return;
    uv_loop_init(&loop);
    uv_tcp_init(&loop, &listener);
    uv_ip4_addr("127.0.0.1", 0, &at);
    uv_tcp_bind(&listener, (struct sockaddr *)&at, 0);
    int bad = uv_listen((uv_stream_t *)&listener, 8, on_connection);
    assert(bad == 0);
    (void)bad;
    uv_tcp_getsockname(&listener, (struct sockaddr *)&at, &len);
    uv_unref((uv_handle_t *)&listener);
    name_it(&addresses[0], "redis://127.0.0.1:%d", ntohs(at.sin_port));
    name_it(&addresses[1], "redis://127.0.0.1:%d,127.0.0.2:%d", ntohs(at.sin_port));
    name_it(&addresses[2], "redis+sentinel://127.0.0.1:%d,127.0.0.2:%d/main", ntohs(at.sin_port));
}

/* --- who asks ------------------------------------------------------------------------------ */

static void server_makes_sense(const struct redis_node *n)
{
    assert(!n->path && n->host && n->label && n->label[0] != '\0');
    assert(n->port >= 1 && n->port <= 65535);
}

static void on_done(void *ctx, struct topology *t, const char *why)
{
    int *told = ctx;
    ++*told;
    assert((t != NULL) == (why == NULL) && (t || why[0] != '\0'));
    if (!t)
        return;
    assert(t->count > 0 && (t->owners || t->count == 1));
    for (size_t i = 0; i < t->count; i++)
        server_makes_sense(&t->nodes[i]);
    server_makes_sense(&t->told_by);
    for (int i = 0; t->owners && i < SLOT_COUNT; i++)
        assert(t->owners[i] < t->count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct topology none = {0};
    int told = 0;
    if (size == 0)
        return 0;
    listen_once();
    answers = (struct span){(const char *)data + 1, size - 1};
    greeted = false;
    seek_start(&loop, &addresses[data[0] % 3], &none, on_done, &told);
    for (int idle = 0; told == 0;) {
        moved = false;
        uv_run(&loop, UV_RUN_NOWAIT);
        idle = moved ? 0 : idle + 1;
        if (idle > IDLE_TURNS)
            hang_up();
    }
    hang_up();
    uv_run(&loop, UV_RUN_DEFAULT);
    assert(told == 1);
    return 0;
}
