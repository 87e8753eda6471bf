#include "rconn.h"
#include "mem.h"
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    READ_BYTES = 16 * 1024,      /* hiredis moves what is left of them, once a kilobyte */
    READS_AT_ONCE = 4,           /* then others on the loop have their turn */
    BLOCK_BYTES = 64 * 1024,     /* kept for replies; a larger one has memory of its own */
    SPARE_BYTES = 1024 * 1024,   /* more than this is not kept for what is queued or was read */
    LIST_MAX = 16 * 1024 * 1024, /* elements; more is no answer to anything we ask */
    WAITING_MIN = 64,            /* a power of 2 */
};

/* --- replies ------------------------------------------------------------------------------ */

struct reply {
    enum reply_kind kind;
    union {
        struct span text;
        int64_t integer;
        struct {
            struct reply *at;
            size_t count;
        } list;
    };
};

enum reply_kind reply_kind(const struct reply *r)
{
    return r->kind;
}

struct span reply_text(const struct reply *r)
{
    return r->kind == REPLY_TEXT || r->kind == REPLY_ERROR ? r->text : (struct span){0};
}

int64_t reply_integer(const struct reply *r)
{
    return r->kind == REPLY_INTEGER ? r->integer : 0;
}

size_t reply_count(const struct reply *r)
{
    return r->kind == REPLY_LIST ? r->list.count : 0;
}

const struct reply *reply_at(const struct reply *r, size_t i)
{
    assert(i < reply_count(r));
    return &r->list.at[i];
}

/* Where one reply is built, to be dropped as a whole: hiredis' own objects would take eight
 * allocations for each message. */
struct block {
    struct block *older;
    size_t used;
    size_t size;
    char bytes[];
};

struct arena {
    struct block *newest;
};

static struct block *arena_grow(struct arena *a, size_t bytes)
{
    size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
    struct block *b = mem_alloc(sizeof(*b) + size);

    *b = (struct block){.older = a->newest, .size = size};
    a->newest = b;
    return b;
}

static void *arena_take(struct arena *a, size_t bytes)
{
    struct block *b = a->newest;
    size_t whole = (bytes + 7) & ~(size_t)7;

    if (!b || b->size - b->used < whole)
        b = arena_grow(a, whole);
    void *at = b->bytes + b->used;
    b->used += whole;
    return at;
}

static void arena_pop(struct arena *a)
{
    struct block *b = a->newest;

    a->newest = b->older;
    free(b);
}

static void arena_clear(struct arena *a)
{
    while (a->newest && (a->newest->older || a->newest->size > BLOCK_BYTES))
        arena_pop(a);
    if (a->newest)
        a->newest->used = 0;
}

static void arena_fini(struct arena *a)
{
    while (a->newest)
        arena_pop(a);
}

/* hiredis' reader calls these as it reads; an element's place is in its list already. */
static struct reply *place(const redisReadTask *task, enum reply_kind kind)
{
    struct reply *r;

    if (task->parent)
        r = &((struct reply *)task->parent->obj)->list.at[task->idx];
    else
        r = arena_take(task->privdata, sizeof(*r));
    r->kind = kind;
    return r;
}

static void *make_text(const redisReadTask *task, char *text, size_t len)
{
    struct reply *r = place(task, task->type == REDIS_REPLY_ERROR ? REPLY_ERROR : REPLY_TEXT);
    char *copy = arena_take(task->privdata, len);

    memcpy(copy, text, len);
    r->text = (struct span){copy, len};
    return r;
}

static void *make_list(const redisReadTask *task, int count)
{
    if (count < 0 || count > LIST_MAX)
        return NULL;
    struct reply *r = place(task, REPLY_LIST);
    r->list.count = (size_t)count;
    r->list.at = arena_take(task->privdata, (size_t)count * sizeof(*r));
    return r;
}

static void *make_integer(const redisReadTask *task, long long value)
{
    struct reply *r = place(task, REPLY_INTEGER);

    r->integer = value;
    return r;
}

static void *make_nil(const redisReadTask *task)
{
    return place(task, REPLY_NIL);
}

static redisReplyObjectFunctions makers = {
    .createString = make_text,
    .createArray = make_list,
    .createInteger = make_integer,
    .createNil = make_nil,
};

/* --- commands that wait for their replies ------------------------------------------------- */

/* Subscribing commands, in pairs, and what their confirmations begin with. */
static const struct {
    const char *command;
    const char *push;
} verbs[] = {
    {"SUBSCRIBE", "subscribe"},   {"UNSUBSCRIBE", "unsubscribe"},
    {"PSUBSCRIBE", "psubscribe"}, {"PUNSUBSCRIBE", "punsubscribe"},
    {"SSUBSCRIBE", "ssubscribe"}, {"SUNSUBSCRIBE", "sunsubscribe"},
};
enum { VERB_COUNT = sizeof(verbs) / sizeof(verbs[0]), VERB_NONE = VERB_COUNT };

struct waiting {
    reply_fn *fn;
    void *arg;
    size_t bytes; /* of the command */
    int verb;     /* VERB_NONE: answered by one ordinary reply */
    int answers;  /* pushes to come */
};

/* A ring. */
struct queue {
    struct waiting *at;
    size_t size; /* a power of 2, or 0 */
    size_t first;
    size_t count;
    size_t bytes; /* of all */
};

static void queue_grow(struct queue *q)
{
    size_t size = q->size != 0 ? q->size * 2 : WAITING_MIN;
    struct waiting *at = mem_alloc(size * sizeof(*at));

    for (size_t i = 0; i < q->count; i++)
        at[i] = q->at[(q->first + i) & (q->size - 1)];
    free(q->at);
    q->at = at;
    q->size = size;
    q->first = 0;
}

static void queue_push(struct queue *q, struct waiting w)
{
    if (q->count == q->size)
        queue_grow(q);
    q->at[(q->first + q->count) & (q->size - 1)] = w;
    q->count++;
    q->bytes += w.bytes;
}

static struct waiting queue_pop(struct queue *q)
{
    struct waiting w = q->at[q->first];

    q->first = (q->first + 1) & (q->size - 1);
    q->count--;
    q->bytes -= w.bytes;
    return w;
}

/* --- the connection ----------------------------------------------------------------------- */

struct rconn {
    uv_poll_t poll;
    uv_idle_t queued; /* active while there is something to flush */
    uv_timer_t timer; /* until ready */
    uv_getaddrinfo_t lookup;
    int open;   /* handles, and the lookup: the memory goes after them */
    int events; /* that poll waits for */

    const struct redis_node *node;
    const struct rconn_hooks *hooks;
    void *ctx;
    int timeout_ms;

    redisContext *redis;
    struct arena arena;
    struct queue waiting;
    struct buf out;
    size_t written; /* bytes of out that are */

    bool connected;
    bool subscribes; /* so pushes are to be expected */
    bool stopped;
    struct fault refused; /* why connecting failed at once; empty: it didn't */
};

static void release(struct rconn *c)
{
    if (--c->open > 0)
        return;
    /* The descriptor goes last: the loop must have forgotten it before its number is used anew. */
    if (c->redis)
        redisFree(c->redis);
    arena_fini(&c->arena);
    free(c->waiting.at);
    buf_fini(&c->out);
    free(c);
}

static void on_handle_closed(uv_handle_t *handle)
{
    release(handle->data);
}

static void close_handle(uv_handle_t *handle)
{
    if (handle->type != UV_UNKNOWN_HANDLE)
        uv_close(handle, on_handle_closed);
}

static void stop(struct rconn *c)
{
    if (c->stopped)
        return;
    c->stopped = true;
    if (c->lookup.data)
        uv_cancel((uv_req_t *)&c->lookup);
    close_handle((uv_handle_t *)&c->poll);
    close_handle((uv_handle_t *)&c->queued);
    close_handle((uv_handle_t *)&c->timer);
}

static void end_waiting(struct rconn *c)
{
    while (c->waiting.count > 0) {
        struct waiting w = queue_pop(&c->waiting);
        if (w.fn)
            w.fn(w.arg, NULL);
    }
}

static void fail(struct rconn *c, const char *why)
{
    if (c->stopped)
        return;
    stop(c);
    c->hooks->closed(c->ctx, why);
    end_waiting(c);
}

/* hiredis' "Connection refused" ends a sentence of ours: "unix:/run/x.sock: connection refused". */
static void set_why(struct fault *f, const char *text)
{
    bool capital = text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a' && text[1] <= 'z';

    fault_set(f, "%c%s", capital ? text[0] | 0x20 : text[0], text + 1);
}

static void fail_with_error(struct rconn *c, const struct reply *r)
{
    struct fault f;

    fault_set(&f, "%.*s", (int)r->text.len, r->text.at);
    fail(c, f.text);
}

/* --- writing ------------------------------------------------------------------------------ */

static void on_poll(uv_poll_t *handle, int status, int events);
static void take_in(struct rconn *c);

/* Only a change is worth telling: libuv makes two system calls of it. */
static void watch(struct rconn *c, int events)
{
    if (c->events != events)
        uv_poll_start(&c->poll, events, on_poll);
    c->events = events;
}

static void all_written(struct rconn *c)
{
    c->written = 0;
    if (c->out.cap > SPARE_BYTES)
        buf_fini(&c->out);
    else
        buf_clear(&c->out);
}

static void flush(struct rconn *c)
{
    size_t left = c->out.len - c->written;
    ssize_t n = send(c->redis->fd, c->out.at + c->written, left, MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        int error = errno;
        /* A server that turns us away says why before it goes. */
        take_in(c);
        fail(c, uv_strerror(-error));
        return;
    }
    if (n > 0)
        c->written += (size_t)n;
    if (c->written == c->out.len)
        all_written(c);
    watch(c, c->out.len > 0 ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

/* What goes wrong here goes wrong again in the loop's next turn, and is seen to then. */
void rconn_flush(struct rconn *c)
{
    size_t left = c->out.len - c->written;
    ssize_t n =
        c->connected && left ? send(c->redis->fd, c->out.at + c->written, left, MSG_NOSIGNAL) : 0;

    if (n > 0)
        c->written += (size_t)n;
    if (c->written == c->out.len)
        all_written(c);
}

/* An idle handle, as it keeps the loop from waiting when something is queued after this point of
 * its turn. */
static void on_queued(uv_idle_t *handle)
{
    struct rconn *c = handle->data;

    uv_idle_stop(handle);
    if (c->connected && c->out.len > 0)
        flush(c);
}

static char *put_count(char *to, char mark, size_t n)
{
    char digits[24];
    char *at = digits + sizeof(digits);

    do
        *--at = (char)('0' + n % 10);
    while ((n /= 10) != 0);
    size_t len = (size_t)(digits + sizeof(digits) - at);
    *to++ = mark;
    memcpy(to, at, len);
    memcpy(to + len, "\r\n", 2);
    return to + len + 2;
}

/* Appends a command (RESP: an array of bulk strings) and returns its length. */
static size_t encode(struct buf *out, int argc, const struct span *argv)
{
    enum { FRAME_BYTES = 32 }; /* beside the bytes themselves: a count and two line ends */
    size_t most = FRAME_BYTES;

    for (int i = 0; i < argc; i++)
        most += argv[i].len + FRAME_BYTES;
    char *start = buf_room(out, most);
    char *to = put_count(start, '*', (size_t)argc);
    for (int i = 0; i < argc; i++) {
        to = put_count(to, '$', argv[i].len);
        if (argv[i].len > 0)
            memcpy(to, argv[i].at, argv[i].len);
        memcpy(to + argv[i].len, "\r\n", 2);
        to += argv[i].len + 2;
    }
    size_t len = (size_t)(to - start);
    out->len += len;
    return len;
}

static void enqueue(struct rconn *c, struct waiting w, int argc, const struct span *argv)
{
    if (c->stopped) {
        if (w.fn)
            w.fn(w.arg, NULL);
        return;
    }
    if (c->written > SPARE_BYTES && c->written > c->out.len / 2) {
        buf_drop(&c->out, c->written);
        c->written = 0;
    }
    bool idle = c->out.len == 0;
    w.bytes = encode(&c->out, argc, argv);
    queue_push(&c->waiting, w);
    if (idle && c->connected)
        uv_idle_start(&c->queued, on_queued);
}

void rconn_command(struct rconn *c, reply_fn *fn, void *arg, int argc, const struct span *argv)
{
    enqueue(c, (struct waiting){.fn = fn, .arg = arg, .verb = VERB_NONE}, argc, argv);
}

void rconn_subscription(struct rconn *c, reply_fn *fn, void *arg, int argc, const struct span *argv)
{
    struct waiting w = {.fn = fn, .arg = arg, .answers = argc - 1};

    while (w.verb < VERB_COUNT && !span_is(argv[0], verbs[w.verb].command))
        w.verb++;
    assert(w.verb < VERB_COUNT && argc > 1);
    c->subscribes = true;
    enqueue(c, w, argc, argv);
}

/* How many answers the first of the two has is not known before; none of them looks like the
 * second's. */
void rconn_leave_shard(struct rconn *c, reply_fn *fn, void *arg)
{
    static const struct span all = {"SUNSUBSCRIBE", 12}, ping = {"PING", 4};

    c->subscribes = true;
    if (!c->stopped)
        encode(&c->out, 1, &all);
    enqueue(c, (struct waiting){.fn = fn, .arg = arg, .verb = VERB_NONE}, 1, &ping);
    if (!c->stopped && c->connected)
        uv_idle_start(&c->queued, on_queued);
}

size_t rconn_backlog(const struct rconn *c)
{
    return c->waiting.bytes;
}

/* --- reading ------------------------------------------------------------------------------ */

static bool is_message(struct span word)
{
    return span_is(word, "message") || span_is(word, "pmessage") || span_is(word, "smessage");
}

static int find_verb(struct span word)
{
    int verb = 0;

    while (verb < VERB_COUNT && !span_is(word, verbs[verb].push))
        verb++;
    return verb;
}

static void answer_first(struct rconn *c, const struct reply *r)
{
    struct waiting w = queue_pop(&c->waiting);

    if (w.fn)
        w.fn(w.arg, r);
}

/* Redis also unsubscribes of its own accord, where a shard's channels move: such a push belongs to
 * no command. */
static void confirm(struct rconn *c, int verb, const struct reply *r)
{
    c->hooks->push(c->ctx, r);
    if (c->stopped || c->waiting.count == 0)
        return;
    struct waiting *w = &c->waiting.at[c->waiting.first];
    if (w->verb == verb && --w->answers == 0)
        answer_first(c, r);
}

static bool take_push(struct rconn *c, const struct reply *r)
{
    if (r->kind != REPLY_LIST || r->list.count < 3)
        return false;
    struct span word = reply_text(&r->list.at[0]);
    if (is_message(word)) {
        c->hooks->push(c->ctx, r);
        return true;
    }
    int verb = find_verb(word);
    if (verb == VERB_NONE)
        return false;
    confirm(c, verb, r);
    return true;
}

static void take_reply(struct rconn *c, const struct reply *r)
{
    if (c->subscribes && take_push(c, r))
        return;
    if (c->waiting.count > 0)
        answer_first(c, r);
    else if (r->kind == REPLY_ERROR)
        fail_with_error(c, r);
    else
        fail(c, "protocol error: a reply to no command");
}

static void take_replies(struct rconn *c)
{
    void *reply = NULL;

    while (!c->stopped) {
        if (redisReaderGetReply(c->redis->reader, &reply) != REDIS_OK) {
            struct fault f;
            set_why(&f, c->redis->reader->errstr);
            fail(c, f.text);
            return;
        }
        if (!reply)
            return;
        take_reply(c, reply);
        arena_clear(&c->arena);
    }
}

static void take_in(struct rconn *c)
{
    char bytes[READ_BYTES];

    for (int i = 0; i < READS_AT_ONCE && !c->stopped; i++) {
        ssize_t n = read(c->redis->fd, bytes, sizeof(bytes));
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n < 0) {
            fail(c, uv_strerror(-errno));
            return;
        }
        if (n == 0) {
            fail(c, "connection closed by the server");
            return;
        }
        redisReaderFeed(c->redis->reader, bytes, (size_t)n);
        take_replies(c);
        if ((size_t)n < sizeof(bytes))
            return;
    }
}

/* --- connecting --------------------------------------------------------------------------- */

static void on_setting(void *arg, const struct reply *r)
{
    if (r && r->kind == REPLY_ERROR)
        fail_with_error(arg, r);
}

static void on_pong(void *arg, const struct reply *r)
{
    struct rconn *c = arg;

    if (r && r->kind == REPLY_ERROR)
        fail_with_error(c, r);
    if (!r || c->stopped)
        return;
    uv_timer_stop(&c->timer);
    c->hooks->ready(c->ctx);
}

/* The PING tells a server that answers from one that asks for a password, is loading, or only has
 * its connections accepted by the kernel. */
static void greet(struct rconn *c)
{
    const struct redis_node *n = c->node;
    char db[16];

    if (n->password && n->user) {
        struct span auth[] = {span_of("AUTH"), span_of(n->user), span_of(n->password)};
        rconn_command(c, on_setting, c, 3, auth);
    } else if (n->password) {
        struct span auth[] = {span_of("AUTH"), span_of(n->password)};
        rconn_command(c, on_setting, c, 2, auth);
    }
    if (n->db != 0) {
        snprintf(db, sizeof(db), "%d", n->db);
        struct span select[] = {span_of("SELECT"), span_of(db)};
        rconn_command(c, on_setting, c, 2, select);
    }
    struct span ping = span_of("PING");
    rconn_command(c, on_pong, c, 1, &ping);
}

static int connect_error(const struct rconn *c)
{
    int error = 0;
    socklen_t len = sizeof(error);

    if (getsockopt(c->redis->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        error = errno;
    return error;
}

static void finish_connecting(struct rconn *c)
{
    int error = connect_error(c);

    if (error != 0) {
        fail(c, uv_strerror(-error));
        return;
    }
    c->connected = true;
    if (!c->node->path)
        redisEnableKeepAlive(c->redis);
    flush(c);
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct rconn *c = handle->data;

    if (!c->connected) {
        finish_connecting(c);
    } else if (status < 0) {
        take_in(c);
        fail(c, "connection lost");
    } else {
        if ((events & UV_WRITABLE) != 0)
            flush(c);
        if ((events & UV_READABLE) != 0 && !c->stopped)
            take_in(c);
    }
}

static void on_timer(uv_timer_t *handle)
{
    struct rconn *c = handle->data;
    struct fault f = c->refused;

    if (f.text[0] == '\0')
        fault_set(&f, "%s within %d ms", c->connected ? "no answer" : "no connection",
                  c->timeout_ms);
    fail(c, f.text);
}

/* host: an address, for which nothing has to be looked up; NULL: a Unix socket. */
static int start_connecting(struct rconn *c, const char *host, struct fault *f)
{
    c->redis =
        host ? redisConnectNonBlock(host, c->node->port) : redisConnectUnixNonBlock(c->node->path);
    if (!c->redis || c->redis->err != 0) {
        set_why(f, c->redis ? c->redis->errstr : "out of memory");
        return -1;
    }
    fcntl(c->redis->fd, F_SETFD, FD_CLOEXEC);
    c->redis->reader->fn = &makers;
    c->redis->reader->privdata = &c->arena;
    c->redis->reader->maxbuf = SPARE_BYTES;
    int error = uv_poll_init(c->timer.loop, &c->poll, c->redis->fd);
    if (error != 0)
        return fault_set(f, "%s", uv_strerror(error));
    c->open++;
    watch(c, UV_WRITABLE);
    return 0;
}

static const struct addrinfo *choose(const struct addrinfo *found)
{
    const struct addrinfo *at = found;

    while (at && at->ai_family != AF_INET)
        at = at->ai_next;
    return at ? at : found;
}

static void on_looked_up(uv_getaddrinfo_t *lookup, int status, struct addrinfo *found)
{
    struct rconn *c = lookup->data;
    char host[NI_MAXHOST] = "";
    struct fault f;

    lookup->data = NULL;
    if (status == 0) {
        const struct addrinfo *a = choose(found);
        getnameinfo(a->ai_addr, a->ai_addrlen, host, sizeof(host), NULL, 0, NI_NUMERICHOST);
        uv_freeaddrinfo(found);
    }
    if (!c->stopped && status != 0)
        fail(c, uv_strerror(status));
    else if (!c->stopped && start_connecting(c, host, &f) != 0)
        fail(c, f.text);
    release(c);
}

static bool is_address(const char *host)
{
    char bytes[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static int start_lookup(struct rconn *c, struct fault *f)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    int error =
        uv_getaddrinfo(c->timer.loop, &c->lookup, on_looked_up, c->node->host, NULL, &hints);

    if (error != 0)
        return fault_set(f, "%s", uv_strerror(error));
    c->lookup.data = c;
    c->open++;
    return 0;
}

static int start(struct rconn *c, struct fault *f)
{
    const struct redis_node *n = c->node;

    if (!n->path && !is_address(n->host))
        return start_lookup(c, f);
    return start_connecting(c, !n->path ? n->host : NULL, f);
}

struct rconn *rconn_open(uv_loop_t *loop, const struct redis_node *node, int timeout_ms,
                         const struct rconn_hooks *hooks, void *ctx)
{
    struct rconn *c = mem_zero(sizeof(*c));

    c->node = node;
    c->hooks = hooks;
    c->ctx = ctx;
    c->timeout_ms = timeout_ms;
    uv_idle_init(loop, &c->queued);
    uv_timer_init(loop, &c->timer);
    c->queued.data = c->timer.data = c->poll.data = c;
    c->open = 2;
    greet(c);
    bool started = start(c, &c->refused) == 0;
    uv_timer_start(&c->timer, on_timer, started ? (uint64_t)timeout_ms : 0, 0);
    return c;
}

void rconn_close(struct rconn *c)
{
    stop(c);
    end_waiting(c);
}
