#include "mem.h"
#include "rconn.h"
#include "redis.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "redis_server.h"

enum { TIMEOUT_MS = 5000 };

struct trial {
    uv_loop_t loop;
    struct redis_address address;
    struct rconn *conn;
    int ready, closed, pushes, answers, lost;
    bool close_in_hook; /* or it was closed already */
    struct buf log;     /* all that came, in order */
};

/* --- writing down what comes --------------------------------------------------------------- */

static void write_reply(struct buf *b, const struct reply *r)
{
    switch (reply_kind(r)) {
    case REPLY_NIL:
        buf_text(b, "nil");
        break;
    case REPLY_TEXT:
        buf_join(b, reply_text(r));
        break;
    case REPLY_INTEGER:
        buf_printf(b, "%lld", (long long)reply_integer(r));
        break;
    case REPLY_ERROR:
        buf_printf(b, "!%.*s", (int)strcspn(reply_text(r).at, " "), reply_text(r).at);
        break;
    case REPLY_LIST:
        buf_char(b, '[');
        for (size_t i = 0; i < reply_count(r); i++) {
            buf_text(b, i > 0 ? "," : "");
            write_reply(b, reply_at(r, i));
        }
        buf_char(b, ']');
    }
}

static void on_ready(void *ctx)
{
    struct trial *t = ctx;

    t->ready++;
}

static void on_push(void *ctx, const struct reply *r)
{
    struct trial *t = ctx;

    t->pushes++;
    buf_text(&t->log, "push ");
    write_reply(&t->log, r);
    buf_char(&t->log, '\n');
    if (t->close_in_hook)
        rconn_close(t->conn);
}

static void on_closed(void *ctx, const char *why)
{
    struct trial *t = ctx;

    t->closed++;
    buf_printf(&t->log, "closed %s\n", why);
    if (t->close_in_hook)
        rconn_close(t->conn);
}

static const struct rconn_hooks hooks = {.ready = on_ready, .push = on_push, .closed = on_closed};

static void on_reply(void *arg, const struct reply *r)
{
    struct trial *t = arg;

    t->answers++;
    buf_text(&t->log, "reply ");
    if (r)
        write_reply(&t->log, r);
    else
        buf_text(&t->log, "lost");
    buf_char(&t->log, '\n');
}

/* Counts only: for many of them. */
static void on_counted(void *arg, const struct reply *r)
{
    struct trial *t = arg;

    t->answers++;
    t->lost += !r;
}

static void on_reply_close(void *arg, const struct reply *r)
{
    struct trial *t = arg;

    on_reply(arg, r);
    rconn_close(t->conn);
}

/* --- asking -------------------------------------------------------------------------------- */

static int split(const char *words, struct span argv[16])
{
    int argc = 0;

    while (*words != '\0') {
        size_t len = strcspn(words, " ");
        argv[argc++] = (struct span){words, len};
        words += len + (words[len] == ' ');
    }
    return argc;
}

static void command(struct trial *t, const char *words)
{
    struct span argv[16];
    int argc = split(words, argv);

    rconn_command(t->conn, on_reply, t, argc, argv);
}

static void subscription(struct trial *t, const char *words)
{
    struct span argv[16];
    int argc = split(words, argv);

    rconn_subscription(t->conn, on_reply, t, argc, argv);
}

static void assert_log(struct trial *t, const char *expected)
{
    assert_string_equal(t->log.at ? t->log.at : "", expected);
    buf_clear(&t->log);
}

static void open_url(struct trial *t, const char *url, int timeout_ms)
{
    struct fault f;

    assert_int_equal(redis_address_parse(&t->address, span_of(url), &f), 0);
    t->conn = rconn_open(&t->loop, &t->address.nodes[0], timeout_ms, &hooks, t);
}

static void open_ready(struct trial *t)
{
    open_url(t, server.url, TIMEOUT_MS);
    run_until(&t->loop, &t->ready, 1);
}

/* --- one trial for each test --------------------------------------------------------------- */

static int set_up(void **state)
{
    struct trial *t = mem_zero(sizeof(*t));

    uv_loop_init(&t->loop);
    *state = t;
    server_clean(&server);
    return 0;
}

static int tear_down(void **state)
{
    struct trial *t = *state;

    if (t->conn && t->closed == 0 && !t->close_in_hook)
        rconn_close(t->conn);
    end_loop(&t->loop);
    redis_address_fini(&t->address);
    buf_fini(&t->log);
    free(t);
    return 0;
}

/* --- commands ------------------------------------------------------------------------------ */

static void replies_come_in_order(void **state)
{
    struct trial *t = *state;

    open_ready(t);
    command(t, "SET k v");
    command(t, "GET k");
    command(t, "GET none");
    command(t, "INCR n");
    command(t, "MGET k none n");
    command(t, "NOSUCH thing");
    command(t, "EVAL return{1,{'a',{}},false,'b'} 0");
    run_until(&t->loop, &t->answers, 7);
    assert_log(t, "reply OK\nreply v\nreply nil\nreply 1\nreply [v,nil,1]\nreply !ERR\n"
                  "reply [1,[a,[]],nil,b]\n");
    assert_int_equal(rconn_backlog(t->conn), 0);
}

static void commands_queued_before_it_is_ready_wait(void **state)
{
    struct trial *t = *state;

    open_url(t, server.url, TIMEOUT_MS);
    command(t, "PING");
    run_until(&t->loop, &t->answers, 1);
    assert_int_equal(t->ready, 1);
    assert_log(t, "reply PONG\n");
}

static void what_is_flushed_is_on_its_way(void **state)
{
    struct trial *t = *state;

    open_ready(t);
    rconn_flush(t->conn);
    command(t, "SET k v");
    command(t, "INCR n");
    rconn_flush(t->conn);
    rconn_close(t->conn);
    t->close_in_hook = true;
    assert_log(t, "reply lost\nreply lost\n");
    server_wait(&server, "GET n", "$1");
}

static void keep_text(void *arg, const struct reply *r)
{
    struct buf *b = arg;

    assert_non_null(r);
    assert_int_equal(reply_kind(r), REPLY_TEXT);
    assert_int_equal(reply_integer(r), 0);
    assert_int_equal(reply_count(r), 0);
    buf_join(b, reply_text(r));
}

/* Larger than what is read at once, and than what is kept; any byte, none at all. */
static void any_bytes_come_back(void **state)
{
    struct trial *t = *state;
    struct buf sent = {0};
    struct buf got = {0};

    open_ready(t);
    for (int i = 0; i < 3 * 1000 * 1000; i++)
        buf_char(&sent, (char)(i % 251));
    struct span large[] = {span_of("ECHO"), buf_span(&sent)};
    rconn_command(t->conn, keep_text, &got, 2, large);
    struct span none[] = {span_of("ECHO"), {NULL, 0}};
    rconn_command(t->conn, keep_text, &got, 2, none);
    command(t, "PING");
    assert_true(rconn_backlog(t->conn) > sent.len);
    run_until(&t->loop, &t->answers, 1);
    assert_true(span_equal(buf_span(&sent), buf_span(&got)));
    assert_int_equal(rconn_backlog(t->conn), 0);
    buf_fini(&sent);
    buf_fini(&got);
}

/* More than the socket takes at once. */
static void a_long_pipeline_goes_through(void **state)
{
    struct trial *t = *state;
    char payload[1000];

    open_ready(t);
    memset(payload, 'x', sizeof(payload));
    struct span set[] = {span_of("SET"), span_of("k"), {payload, sizeof(payload)}};
    for (int i = 0; i < 20000; i++)
        rconn_command(t->conn, on_counted, t, 3, set);
    run_until(&t->loop, &t->answers, 10000);
    for (int i = 0; i < 20000; i++)
        rconn_command(t->conn, on_counted, t, 3, set);
    run_until(&t->loop, &t->answers, 40000);
    assert_int_equal(t->lost, 0);
    assert_int_equal(rconn_backlog(t->conn), 0);
}

/* On a connection that never subscribed, a list is a list, whatever it begins with. */
static void a_list_that_looks_like_a_push_is_a_reply(void **state)
{
    struct trial *t = *state;

    open_ready(t);
    command(t, "RPUSH l message a b");
    command(t, "LRANGE l 0 -1");
    run_until(&t->loop, &t->answers, 2);
    assert_log(t, "reply 3\nreply [message,a,b]\n");
}

static struct trial *preparing;

static void on_prepare(uv_prepare_t *handle)
{
    uv_prepare_stop(handle);
    command(preparing, "PING");
}

/* After all else that a turn of the loop does, when only the waiting is left. */
static void what_is_queued_late_in_a_turn_leaves(void **state)
{
    struct trial *t = *state;
    uv_prepare_t prepare;

    open_ready(t);
    preparing = t;
    uv_prepare_init(&t->loop, &prepare);
    uv_prepare_start(&prepare, on_prepare);
    run_until(&t->loop, &t->answers, 1);
    assert_log(t, "reply PONG\n");
    uv_close((uv_handle_t *)&prepare, NULL);
    uv_run(&t->loop, UV_RUN_NOWAIT);
}

/* --- who may, and where -------------------------------------------------------------------- */

static void ends_with(struct trial *t, const char *url, const char *expected)
{
    open_url(t, url, TIMEOUT_MS);
    run_until(&t->loop, &t->closed, 1);
    assert_int_equal(t->ready, 0);
    assert_log(t, expected);
}

static void no_server_is_told(void **state)
{
    ends_with(*state, "unix:/tmp/collab-test-none.sock", "closed no such file or directory\n");
}

static void a_closed_port_is_told(void **state)
{
    char url[64];

    snprintf(url, sizeof(url), "redis://127.0.0.1:%d", free_port());
    ends_with(*state, url, "closed connection refused\n");
}

static void an_unknown_host_is_told(void **state)
{
    struct trial *t = *state;

    open_url(t, "redis://no.such.host.invalid", TIMEOUT_MS);
    run_until(&t->loop, &t->closed, 1);
    assert_non_null(t->log.at);
    assert_memory_equal(t->log.at, "closed ", 7);
    assert_true(t->log.len > strlen("closed \n"));
}

static void closing_while_a_name_is_looked_up_is_safe(void **state)
{
    struct trial *t = *state;

    open_url(t, "redis://localhost", TIMEOUT_MS);
    command(t, "PING");
    rconn_close(t->conn);
    t->close_in_hook = true;
    while (uv_run(&t->loop, UV_RUN_DEFAULT) != 0)
        ;
    assert_int_equal(t->closed, 0);
    assert_log(t, "reply lost\n");
}

static void tcp_works(void **state)
{
    struct trial *t = *state;
    char url[64];

    snprintf(url, sizeof(url), "redis://localhost:%d", server.port);
    open_url(t, url, TIMEOUT_MS);
    run_until(&t->loop, &t->ready, 1);
    command(t, "PING");
    run_until(&t->loop, &t->answers, 1);
    assert_log(t, "reply PONG\n");
}

static void a_database_is_selected(void **state)
{
    struct trial *t = *state;
    char url[96];

    snprintf(url, sizeof(url), "%s?db=3", server.url);
    open_url(t, url, TIMEOUT_MS);
    run_until(&t->loop, &t->ready, 1);
    command(t, "SET here 1");
    command(t, "SELECT 0");
    command(t, "GET here");
    run_until(&t->loop, &t->answers, 3);
    assert_log(t, "reply OK\nreply OK\nreply nil\n");
}

static void a_database_that_is_none_is_told(void **state)
{
    char url[96];

    snprintf(url, sizeof(url), "%s?db=16", server.url);
    ends_with(*state, url, "closed ERR DB index is out of range\n");
}

static void url_for(char url[128], const char *userinfo)
{
    snprintf(url, 128, "unix://%s%s", userinfo, server.socket);
}

static void a_user_is_let_in(void **state)
{
    struct trial *t = *state;
    char url[128];

    server_do(&server, "ACL SETUSER ann on >s3cret~* +@all", "+OK");
    url_for(url, "ann:s3cret~*@");
    open_url(t, url, TIMEOUT_MS);
    run_until(&t->loop, &t->ready, 1);
    command(t, "ACL WHOAMI");
    run_until(&t->loop, &t->answers, 1);
    assert_log(t, "reply ann\n");
}

static void a_wrong_password_is_told(void **state)
{
    char url[128];

    url_for(url, "ann:wrong@");
    ends_with(*state, url,
              "closed WRONGPASS invalid username-password pair or user is disabled.\n");
}

static void a_missing_password_is_told(void **state)
{
    struct trial *t = *state;
    char url[128];

    server_do(&server, "CONFIG SET requirepass top", "+OK");
    ends_with(t, server.url, "closed NOAUTH Authentication required.\n");

    t->closed = 0;
    redis_address_fini(&t->address);
    url_for(url, ":top@");
    open_url(t, url, TIMEOUT_MS);
    run_until(&t->loop, &t->ready, 1);
    command(t, "PING");
    run_until(&t->loop, &t->answers, 1);
    assert_log(t, "reply PONG\n");
}

static void a_server_that_does_not_answer_is_given_up(void **state)
{
    struct trial *t = *state;

    kill(server.pid, SIGSTOP);
    open_url(t, server.url, 500);
    run_until(&t->loop, &t->closed, 1);
    kill(server.pid, SIGCONT);
    assert_log(t, "closed no answer within 500 ms\n");
}

/* --- subscribing --------------------------------------------------------------------------- */

static void each_channel_is_confirmed_then_the_command(void **state)
{
    struct trial *t = *state;

    open_ready(t);
    subscription(t, "SUBSCRIBE a b");
    subscription(t, "PSUBSCRIBE c*");
    subscription(t, "SSUBSCRIBE d");
    subscription(t, "UNSUBSCRIBE a");
    run_until(&t->loop, &t->answers, 4);
    assert_log(t, "push [subscribe,a,1]\npush [subscribe,b,2]\nreply [subscribe,b,2]\n"
                  "push [psubscribe,c*,3]\nreply [psubscribe,c*,3]\n"
                  "push [ssubscribe,d,1]\nreply [ssubscribe,d,1]\n"
                  "push [unsubscribe,a,2]\nreply [unsubscribe,a,2]\n");

    t->pushes = 0;
    server_do(&server, "PUBLISH a no", ":0");
    server_do(&server, "PUBLISH b one", ":1");
    server_do(&server, "PUBLISH cc two", ":1");
    server_do(&server, "SPUBLISH d three", ":1");
    run_until(&t->loop, &t->pushes, 3);
    assert_log(t, "push [message,b,one]\npush [pmessage,c*,cc,two]\npush [smessage,d,three]\n");
}

static void a_ping_is_answered_among_pushes(void **state)
{
    struct trial *t = *state;

    open_ready(t);
    subscription(t, "SUBSCRIBE a");
    command(t, "PING");
    subscription(t, "SUBSCRIBE b");
    command(t, "PING");
    run_until(&t->loop, &t->answers, 4);
    assert_log(t, "push [subscribe,a,1]\nreply [subscribe,a,1]\nreply [pong,]\n"
                  "push [subscribe,b,2]\nreply [subscribe,b,2]\nreply [pong,]\n");
}

/* An error answers a command of three channels as a whole: what comes after must still find its
 * own command. */
static void a_refused_subscription_puts_nothing_out_of_step(void **state)
{
    struct trial *t = *state;
    char url[128];

    server_do(&server, "ACL SETUSER bob on >pw resetchannels &a &d +subscribe +psubscribe +ping",
              "+OK");
    url_for(url, "bob:pw@");
    open_url(t, url, TIMEOUT_MS);
    run_until(&t->loop, &t->ready, 1);
    subscription(t, "SUBSCRIBE a");
    subscription(t, "SUBSCRIBE a b c");
    subscription(t, "PSUBSCRIBE x*");
    subscription(t, "SSUBSCRIBE a");
    command(t, "PING");
    subscription(t, "SUBSCRIBE d");
    run_until(&t->loop, &t->answers, 6);
    assert_log(t, "push [subscribe,a,1]\nreply [subscribe,a,1]\nreply !NOPERM\nreply !NOPERM\n"
                  "reply !NOPERM\nreply [pong,]\npush [subscribe,d,2]\nreply [subscribe,d,2]\n");
    server_do(&server, "PUBLISH d one", ":1");
    run_until(&t->loop, &t->pushes, 3);
    assert_log(t, "push [message,d,one]\n");
}

static void a_user_who_may_do_nothing_is_told(void **state)
{
    char url[128];

    server_do(&server, "ACL SETUSER eve on >pw", "+OK");
    url_for(url, "eve:pw@");
    ends_with(*state, url,
              "closed NOPERM this user has no permissions to run the 'ping' command\n");
}

/* --- the end ------------------------------------------------------------------------------- */

static void what_is_outstanding_is_told_after_the_loss(void **state)
{
    struct trial *t = *state;

    open_ready(t);
    subscription(t, "SUBSCRIBE a");
    run_until(&t->loop, &t->answers, 1);
    buf_clear(&t->log);
    kill(server.pid, SIGSTOP);
    command(t, "PING");
    subscription(t, "SUBSCRIBE b c");
    rconn_command(t->conn, NULL, NULL, 1, &(struct span){"PING", 4});
    uv_run(&t->loop, UV_RUN_NOWAIT);
    server_kill(&server);
    run_until(&t->loop, &t->answers, 3);
    /* A socket with unread bytes in it is reset by the end of its owner. */
    bool reset = strstr(t->log.at, "reset") != NULL;
    assert_log(t, reset ? "closed connection reset by peer\nreply lost\nreply lost\n"
                        : "closed connection closed by the server\nreply lost\nreply lost\n");
    assert_int_equal(t->closed, 1);
}

static void closing_in_the_closed_hook_ends_what_is_outstanding(void **state)
{
    struct trial *t = *state;

    open_ready(t);
    t->close_in_hook = true;
    command(t, "CLIENT KILL TYPE normal SKIPME no");
    command(t, "PING");
    command(t, "PING");
    run_until(&t->loop, &t->closed, 1);
    assert_log(t, "reply 1\nclosed connection closed by the server\nreply lost\nreply lost\n");
}

static void closing_in_a_reply_ends_the_others(void **state)
{
    struct trial *t = *state;
    struct span ping = span_of("PING");

    open_ready(t);
    rconn_command(t->conn, on_reply_close, t, 1, &ping);
    command(t, "PING");
    t->close_in_hook = true; /* so that it isn't closed again at the end */
    run_until(&t->loop, &t->answers, 2);
    assert_log(t, "reply PONG\nreply lost\n");
    assert_int_equal(t->closed, 0);
}

static void on_lost_ask_again(void *arg, const struct reply *r)
{
    assert_null(r);
    command(arg, "PING");
}

static void asking_while_it_ends_is_in_vain(void **state)
{
    struct trial *t = *state;
    struct span ping = span_of("PING");

    open_ready(t);
    rconn_command(t->conn, on_lost_ask_again, t, 1, &ping);
    t->close_in_hook = true;
    rconn_close(t->conn);
    assert_log(t, "reply lost\n");
}

static void closing_in_a_push_stops_all_others(void **state)
{
    struct trial *t = *state;

    open_ready(t);
    subscription(t, "SUBSCRIBE a b c");
    t->close_in_hook = true;
    run_until(&t->loop, &t->answers, 1);
    assert_log(t, "push [subscribe,a,1]\nreply lost\n");
    assert_int_equal(t->closed, 0);
}

static void closing_before_it_is_connected_calls_no_hook(void **state)
{
    struct trial *t = *state;

    open_url(t, "unix:/tmp/collab-test-none.sock", TIMEOUT_MS);
    command(t, "PING");
    rconn_close(t->conn);
    t->close_in_hook = true;
    while (uv_run(&t->loop, UV_RUN_DEFAULT) != 0)
        ;
    assert_int_equal(t->closed, 0);
    assert_log(t, "reply lost\n");
}

/* --- a server of ours, for what a real one seldom does ------------------------------------- */

struct puppet {
    uv_pipe_t listener;
    uv_pipe_t peer;
    const char *words; /* said byte by byte, once it has heard something */
    bool hangs_up;
    char path[64];
};

static void on_puppet_room(uv_handle_t *handle, size_t size, uv_buf_t *b)
{
    static char room[65536];

    (void)handle;
    (void)size;
    *b = uv_buf_init(room, sizeof(room));
}

static void on_puppet_heard(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
    struct puppet *p = stream->data;

    (void)b;
    if (n < 0) {
        uv_read_stop(stream);
        return;
    }
    for (; *p->words != '\0'; p->words++) {
        uv_buf_t byte = uv_buf_init((char *)p->words, 1);
        assert_int_equal(uv_try_write(stream, &byte, 1), 1);
    }
    if (p->hangs_up && !uv_is_closing((uv_handle_t *)stream))
        uv_close((uv_handle_t *)stream, NULL);
}

static void on_puppet_called(uv_stream_t *listener, int status)
{
    struct puppet *p = listener->data;

    assert_int_equal(status, 0);
    uv_pipe_init(listener->loop, &p->peer, 0);
    p->peer.data = p;
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&p->peer), 0);
    uv_read_start((uv_stream_t *)&p->peer, on_puppet_room, on_puppet_heard);
}

static void puppet_start(struct puppet *p, struct trial *t, const char *words)
{
    char url[80];

    p->words = words;
    snprintf(p->path, sizeof(p->path), "%s/puppet.sock", server.dir);
    unlink(p->path);
    uv_pipe_init(&t->loop, &p->listener, 0);
    p->listener.data = p;
    assert_int_equal(uv_pipe_bind(&p->listener, p->path), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&p->listener, 8, on_puppet_called), 0);
    snprintf(url, sizeof(url), "unix:%s", p->path);
    open_url(t, url, TIMEOUT_MS);
}

static void puppet_end(struct puppet *p, struct trial *t)
{
    uv_close((uv_handle_t *)&p->listener, NULL);
    if (!uv_is_closing((uv_handle_t *)&p->peer))
        uv_close((uv_handle_t *)&p->peer, NULL);
    uv_run(&t->loop, UV_RUN_NOWAIT);
}

static void ends_it_with(void **state, struct puppet p, const char *words, const char *expected)
{
    struct trial *t = *state;

    puppet_start(&p, t, words);
    run_until(&t->loop, &t->closed, 1);
    assert_log(t, expected);
    puppet_end(&p, t);
}

static void what_is_no_redis_is_told(void **state)
{
    ends_it_with(state, (struct puppet){0}, "HTTP/1.1 400 Bad Request\r\n\r\n",
                 "closed protocol error, got \"H\" as reply type byte\n");
}

/* As Redis does when it has all the clients that it wants. */
static void last_words_are_told(void **state)
{
    ends_it_with(state, (struct puppet){.hangs_up = true}, "-ERR max number of clients reached\r\n",
                 "closed ERR max number of clients reached\n");
}

static void a_reply_to_nothing_is_told(void **state)
{
    ends_it_with(state, (struct puppet){0}, "+PONG\r\n+MORE\r\n",
                 "closed protocol error: a reply to no command\n");
}

static void a_list_beyond_reason_is_refused(void **state)
{
    ends_it_with(state, (struct puppet){0}, "*2000000000\r\n", "closed out of memory\n");
}

/* A shard's channels have moved: the server unsubscribes unasked, between our command and its
 * answer. */
static void an_unasked_unsubscription_answers_no_command(void **state)
{
    struct trial *t = *state;
    struct puppet p = {0};

    puppet_start(&p, t,
                 "+PONG\r\n"
                 "*3\r\n$12\r\nsunsubscribe\r\n$1\r\nx\r\n:0\r\n"
                 "*3\r\n$10\r\nssubscribe\r\n$1\r\na\r\n:1\r\n"
                 "*3\r\n$12\r\nsunsubscribe\r\n$1\r\na\r\n:0\r\n"
                 "*2\r\n$4\r\npong\r\n$0\r\n\r\n"
                 "*3\r\n$8\r\nsmessage\r\n$1\r\na\r\n$0\r\n\r\n");
    subscription(t, "SSUBSCRIBE a");
    command(t, "PING");
    run_until(&t->loop, &t->pushes, 4);
    assert_log(t, "push [sunsubscribe,x,0]\npush [ssubscribe,a,1]\nreply [ssubscribe,a,1]\n"
                  "push [sunsubscribe,a,0]\nreply [pong,]\npush [smessage,a,]\n");
    puppet_end(&p, t);
}

#define TRIAL(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIAL(replies_come_in_order),
        TRIAL(commands_queued_before_it_is_ready_wait),
        TRIAL(any_bytes_come_back),
        TRIAL(a_long_pipeline_goes_through),
        TRIAL(what_is_flushed_is_on_its_way),
        TRIAL(a_list_that_looks_like_a_push_is_a_reply),
        TRIAL(what_is_queued_late_in_a_turn_leaves),
        TRIAL(no_server_is_told),
        TRIAL(a_closed_port_is_told),
        TRIAL(an_unknown_host_is_told),
        TRIAL(closing_while_a_name_is_looked_up_is_safe),
        TRIAL(tcp_works),
        TRIAL(a_database_is_selected),
        TRIAL(a_database_that_is_none_is_told),
        TRIAL(a_user_is_let_in),
        TRIAL(a_wrong_password_is_told),
        TRIAL(a_missing_password_is_told),
        TRIAL(a_server_that_does_not_answer_is_given_up),
        TRIAL(each_channel_is_confirmed_then_the_command),
        TRIAL(a_ping_is_answered_among_pushes),
        TRIAL(a_refused_subscription_puts_nothing_out_of_step),
        TRIAL(a_user_who_may_do_nothing_is_told),
        TRIAL(what_is_outstanding_is_told_after_the_loss),
        TRIAL(closing_in_the_closed_hook_ends_what_is_outstanding),
        TRIAL(closing_in_a_reply_ends_the_others),
        TRIAL(asking_while_it_ends_is_in_vain),
        TRIAL(closing_in_a_push_stops_all_others),
        TRIAL(closing_before_it_is_connected_calls_no_hook),
        TRIAL(what_is_no_redis_is_told),
        TRIAL(last_words_are_told),
        TRIAL(a_reply_to_nothing_is_told),
        TRIAL(a_list_beyond_reason_is_refused),
        TRIAL(an_unasked_unsubscription_answers_no_command),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, start_tcp_server, end_server);
}
