/* The small application that the test suites of Engine.IO 4 and Socket.IO 5 talk to, over the
 * gateway's own modules, on a free port of 127.0.0.1 which its ready line names.
 *
 *     /engine.io/   says every message again
 *     /socket.io/   namespaces / and /custom: says "auth" with what a client's CONNECT came with,
 *                   says "message" again as "message-back", acknowledges "message-with-ack" with
 *                   its arguments, and on "go" tells the client to go
 *
 * It pings every 300 ms and waits 200 ms for the answer, or as its two arguments say (25s 20s). */
#include "catalog.h"
#include "clock.h"
#include "engineio.h"
#include "http.h"
#include "listen.h"
#include "mem.h"
#include "namespace.h"
#include "num.h"
#include "socketio.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TICK_MS = 10 };

static struct gateway gateway;
static uv_loop_t loop;

/* --- Engine.IO ------------------------------------------------------------------------------ */

static void *echo_opened(void *ctx, struct engine *e)
{
    (void)ctx;
    return e;
}

static void echo_message(void *user, struct span message, bool binary)
{
    struct buf frames = {0};
    const struct span parts[] = {{"4", 1}, message};
    if (binary) {
        frame_add_binary(&frames, message);
        link_put(&gateway, engine_link(user), frame_join(buf_span(&frames)));
    } else {
        link_put(&gateway, engine_link(user), frame_text(parts, 2));
    }
    buf_fini(&frames);
}

static void echo_closed(void *user)
{
    (void)user;
}

static const struct engine_user echo_user = {echo_opened, echo_message, echo_closed};

/* --- Socket.IO ------------------------------------------------------------------------------ */

static void admit(struct gateway *g, struct account *address, const char *token, struct span auth,
                  auth_done *done, void *arg)
{
    static const char name[] = "echo";
    (void)g;
    (void)address;
    (void)token;
    (void)auth;
    struct identity *who = mem_zero(sizeof(*who) + sizeof(name));
    who->device = who->rooms = who->publish = "";
    memcpy(who->user, name, sizeof(name));
    done(arg, who, 0, NULL);
}

/* An event of that name, with the arguments that follow the first of args. */
static void say(struct session *s, const char *name, struct span args)
{
    struct json_walk w = json_walk(args);
    struct span arg;
    struct buf text = {0};
    buf_printf(&text, "[\"%s\"", name);
    for (json_next_element(&w, &arg); json_next_element(&w, &arg);) {
        buf_char(&text, ',');
        buf_join(&text, arg);
    }
    buf_char(&text, ']');
    session_put(s, namespace_event(s, buf_span(&text)));
    buf_fini(&text);
}

static void joined(struct session *s, struct span auth)
{
    struct buf args = {0};
    session_welcome(s);
    buf_printf(&args, "[0,%.*s]", auth.len ? (int)auth.len : 2, auth.len ? auth.at : "{}");
    say(s, "auth", buf_span(&args));
    buf_fini(&args);
}

static void left(struct session *s)
{
    (void)s;
}

static void acknowledge(struct session *s, struct span args, const struct request *r)
{
    struct json_walk w = json_walk(args);
    struct span arg;
    struct buf text = {0};
    for (json_next_element(&w, &arg); json_next_element(&w, &arg);) {
        buf_char(&text, text.len ? ',' : '[');
        buf_join(&text, arg);
    }
    buf_text(&text, text.len ? "]" : "[]");
    session_put(s, namespace_ack(s, r, buf_span(&text)));
    buf_fini(&text);
}

static void event(struct session *s, struct span args, const struct request *r)
{
    struct json_walk w = json_walk(args);
    struct span name;
    json_next_element(&w, &name);
    if (span_is(name, "\"message\""))
        say(s, "message-back", args);
    else if (span_is(name, "\"message-with-ack\"") && r->ref.len)
        acknowledge(s, args, r);
    else if (span_is(name, "\"go\""))
        session_close(s, CLOSE_NORMAL);
}

static void acknowledged(struct session *s, struct span id, struct span args)
{
    (void)s;
    (void)id;
    (void)args;
}

static const struct socketio_app echo_app = {admit, joined, left, event, acknowledged};

/* --- the program ---------------------------------------------------------------------------- */

static bool leads_to_engine(void *ctx, struct span path)
{
    (void)ctx;
    return span_starts(path, "/engine.io/");
}

static void ring_alarm(struct wheel_timer *timer, void *ctx)
{
    struct alarm *alarm = (struct alarm *)timer;
    (void)ctx;
    alarm->ring(alarm);
}

static void turn_wheel(uv_timer_t *handle)
{
    (void)handle;
    wheel_turn(gateway.wheel, clock_steady_ms());
}

static void flush(uv_prepare_t *handle)
{
    (void)handle;
    outboxes_flush(gateway.outboxes);
}

static void stop(uv_signal_t *handle, int number)
{
    (void)number;
    uv_stop(handle->loop);
}

static int64_t time_of(const char *text)
{
    int64_t ms;
    struct fault f;
    if (num_parse_ms(span_of(text), 1, 3600 * 1000, &ms, &f) == 0)
        return ms;
    fprintf(stderr, "eio-echo: %s: %s\n", text, f.text);
    exit(2);
}

static void set_up_settings(int argc, char **argv)
{
    static char *address = "127.0.0.1:0";
    static const char *const namespaces[] = {"/", "/custom", NULL};
    static const char *const paths[] = {"/socket.io/", NULL};
    static struct catalog catalog = {
        .socketio = {.namespaces = namespaces},
        .endpoints = {.socketio = paths},
    };
    gateway.catalog = &catalog;
    int64_t ping_ms = argc == 3 ? time_of(argv[1]) : 300;
    int64_t pong_ms = argc == 3 ? time_of(argv[2]) : 200;
    gateway.settings = (struct settings){
        .listen = {&address, 1},
        .body_bytes_max = 1 << 20,
        .header_bytes_max = 1 << 14,
        .outbox_bytes_max = 1 << 20,
        .outbox_ms_max = 30000,
        .handshake_ms = 10000,
    };
    gateway.limits = (struct limits){
        .user_connections = INT64_MAX,
        .address_connections = INT64_MAX,
        .client_rate = {RATE_OFF, 1},
        .user_rate = {RATE_OFF, 1},
        .auth_rate = {RATE_OFF, 1},
        .connections = 10000,
        .message_bytes = 1000000,
        .auth_ms = 1000,
        .ping_ms = ping_ms,
        .silence_ms = ping_ms + pong_ms,
    };
}

/* What there is, in the order in which it is made. */
struct echo {
    struct socketio *socketio;
    struct engines *engines, *echoes;
    struct web_site echo_site;
    struct web_route routes[3];
    struct websockets *websockets;
    struct https *https;
    struct secures *secures;
    struct proxieds *proxieds;
    struct listener *listener;
    uv_timer_t tick;
    uv_prepare_t before_block;
    uv_signal_t terminate;
};

static void set_up_stages(struct echo *e)
{
    struct fault f;
    gateway.loop = &loop;
    gateway.wheel = wheel_new(TICK_MS, clock_steady_ms(), ring_alarm, NULL);
    gateway.outboxes = outboxes_new(&gateway.metrics, link_send);
    e->socketio = socketio_new(&gateway, &echo_app);
    e->engines = engines_new(&gateway, &socketio_user, e->socketio);
    e->echoes = engines_new(&gateway, &echo_user, NULL);
    e->echo_site = engines_site;
    e->echo_site.leads = leads_to_engine;
    e->routes[0] = (struct web_route){&e->echo_site, e->echoes};
    e->routes[1] = (struct web_route){&engines_site, e->engines};
    e->websockets = websockets_new(&gateway, &f);
    if (e->websockets) {
        e->https = https_new(&gateway, e->websockets, e->routes);
        e->secures = secures_new(&gateway, e->https);
        e->proxieds = proxieds_new(&gateway, e->secures);
        e->listener = listen_open(&gateway, e->proxieds, &f);
    }
    if (e->listener)
        return;
    fprintf(stderr, "eio-echo: %s\n", f.text);
    exit(1);
}

static void set_up_loop(struct echo *e)
{
    signal(SIGPIPE, SIG_IGN);
    uv_loop_init(&loop);
    uv_timer_init(&loop, &e->tick);
    uv_timer_start(&e->tick, turn_wheel, TICK_MS, TICK_MS);
    uv_prepare_init(&loop, &e->before_block);
    uv_prepare_start(&e->before_block, flush);
    uv_signal_init(&loop, &e->terminate);
    uv_signal_start(&e->terminate, stop, SIGTERM);
}

static void take_down(struct echo *e)
{
    listen_close(e->listener);
    proxieds_end_all(e->proxieds);
    https_end_all(e->https);
    websockets_free(e->websockets);
    uv_run(&loop, UV_RUN_NOWAIT);
    secures_end_all(e->secures);
    engines_free(e->engines);
    engines_free(e->echoes);
    socketio_free(e->socketio);
    uv_close((uv_handle_t *)&e->tick, NULL);
    uv_close((uv_handle_t *)&e->before_block, NULL);
    uv_close((uv_handle_t *)&e->terminate, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    proxieds_free(e->proxieds);
    secures_free(e->secures);
    https_free(e->https);
    outboxes_free(gateway.outboxes);
    wheel_free(gateway.wheel);
    uv_loop_close(&loop);
}

int main(int argc, char **argv)
{
    static struct echo e;
    struct buf address = {0};
    set_up_settings(argc, argv);
    set_up_loop(&e);
    set_up_stages(&e);
    listen_addresses(e.listener, &address);
    printf("ready %s\n", address.at);
    fflush(stdout);
    buf_fini(&address);
    uv_run(&loop, UV_RUN_DEFAULT);
    take_down(&e);
    return 0;
}
