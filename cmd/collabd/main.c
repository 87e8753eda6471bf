/* collabd, the gateway: settings, keys, Redis, sockets, the loop, the end. */
#include "api.h"
#include "auth.h"
#include "bus.h"
#include "caller.h"
#include "clock.h"
#include "control.h"
#include "drain.h"
#include "embedded.h"
#include "listen.h"
#include "log.h"
#include "neighbours.h"
#include "node.h"
#include "notify.h"
#include "plain.h"
#include "presence.h"
#include "recover.h"
#include "reload.h"
#include "session.h"
#include "stages.h"
#include "status.h"
#include "workers.h"
#include "www.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

struct collabd {
    struct gateway gateway;
    uv_loop_t loop;
    struct embedded *embedded; /* NULL: a Redis was named */
    struct redis_address redis;
    struct websockets *websockets;
    struct socketio *socketio;
    struct engines *engines;
    struct https *https;
    struct secures *secures;
    struct proxieds *proxieds;
    struct web_route routes[4];
    struct drain drain;
    uv_prepare_t before_block;
    uv_timer_t tick;
    uv_timer_t watchdog;
    uv_signal_t terminate, interrupt, hangup;
    bool announced;
    int argc; /* as opt_parse() left them */
    char **argv;
};

static _Noreturn void fail(enum exit_status status, const struct fault *f)
{
    fprintf(stderr, "collabd: %s\n", f->text);
    exit(status);
}

/* --- settings ----------------------------------------------------------------------------- */

static void read_settings(struct settings *set, int argc, char **argv)
{
    struct fault f;
    int first = argc;
    enum opt_result result = opt_parse(&settings_program, set, argc, argv, &first, &f);
    if (result == OPT_HELP || result == OPT_HELP_ALL)
        opt_help(&settings_program, result == OPT_HELP_ALL, stdout);
    if (result == OPT_VERSION)
        printf("collabd %s\n", COLLAB_VERSION);
    if (result == OPT_HELP || result == OPT_HELP_ALL || result == OPT_VERSION)
        exit(fflush(stdout) == 0 ? STATUS_OK : STATUS_NO);
    if (result == OPT_WRONG)
        fail(STATUS_USAGE, &f);
    worker_settle(set);
}

static void hang_up(uv_signal_t *handle, int number)
{
    struct collabd *d = handle->data;
    struct gateway *g = &d->gateway;
    struct fault f;
    (void)number;
    notify_reloading();
    if (reload(g, d->argc, d->argv, &f) != 0) {
        log_error("SIGHUP: nothing is changed: %s", f.text);
        notify_ready("a reload failed");
        return;
    }
    notify_ready("reloaded");
    log_info("SIGHUP: catalog %s, %.12s", g->catalog->name, g->catalog->digest);
    node_share_catalog(g->node);
    neighbours_up(g);
}

/* --- Redis -------------------------------------------------------------------------------- */

static int read_redis(struct collabd *d, struct fault *f)
{
    const char *named = d->gateway.settings.redis;
    return named ? redis_address_parse(&d->redis, span_of(named), f) : 0;
}

/* One of our own, where none was named. */
static void start_redis(struct collabd *d)
{
    struct fault f;
    struct buf url = {0};
    if (d->gateway.settings.redis)
        return;
    d->embedded = embedded_start(&f);
    if (!d->embedded)
        fail(STATUS_UNREACHABLE, &f);
    embedded_supervise(d->embedded, &d->loop);
    embedded_url(&url);
    if (redis_address_parse(&d->redis, buf_span(&url), &f) != 0)
        fail(STATUS_UNREACHABLE, &f);
    buf_fini(&url);
}

static void announce(struct collabd *d)
{
    struct buf addresses = {0};
    listen_addresses(d->drain.listener, &addresses);
    node_announce(d->gateway.node, buf_span(&addresses));
    printf("ready %s\n", addresses.at);
    fflush(stdout);
    notify_ready(addresses.at);
    buf_fini(&addresses);
}

/* The first answer about Redis, good or bad, is what being ready waits for. */
static void redis_told(void *ctx, const char *why)
{
    struct collabd *d = ctx;
    if (why)
        log_warning("degraded: %s", why);
    else
        log_info("%s: connected", d->redis.label);
    if (!why) {
        node_share_catalog(d->gateway.node);
        store_scripts_put(bus_store(d->gateway.bus));
        control_up(&d->gateway);
        presence_up(d->gateway.presence);
        neighbours_up(&d->gateway);
    }
    if (!d->announced && !d->gateway.draining)
        announce(d);
    d->announced = true;
}

/* --- the loop ----------------------------------------------------------------------------- */

static void finish_turn(uv_prepare_t *handle)
{
    struct collabd *d = handle->data;
    websockets_read_on(d->websockets);
    recover_flush(&d->gateway);
    outboxes_flush(d->gateway.outboxes);
}

static void turn_wheel(uv_timer_t *handle)
{
    struct gateway *g = handle->data;
    wheel_turn(g->wheel, clock_steady_ms());
    links_check(g);
}

static void say_alive(uv_timer_t *handle)
{
    (void)handle;
    notify_alive();
}

/* --- the end ------------------------------------------------------------------------------ */

static void drained(struct drain *drain)
{
    uv_stop(drain->gateway->loop);
}

static void say_goodbye(uv_signal_t *handle, int number)
{
    struct collabd *d = handle->data;
    log_info("%s: closing %lld connections", number == SIGINT ? "SIGINT" : "SIGTERM",
             (long long)d->gateway.metrics.value[M_CONNECTIONS]);
    notify_stopping();
    drain_begin(&d->drain, number == SIGINT);
}

/* --- set-up and take-down ----------------------------------------------------------------- */

/* As many descriptors as may be had: a connection is one, or three by TLS. */
static void raise_descriptor_limit(const struct gateway *g)
{
    enum { OF_TLS = 3 };
    struct rlimit most;
    int64_t wanted = g->limits.connections * (g->identity ? OF_TLS : 1);
    if (getrlimit(RLIMIT_NOFILE, &most) != 0)
        return;
    most.rlim_cur = most.rlim_max;
    setrlimit(RLIMIT_NOFILE, &most);
    if (most.rlim_max < (rlim_t)wanted)
        log_warning("the limit of open files, %llu, is below what all connections may take, %lld",
                    (unsigned long long)most.rlim_max, (long long)wanted);
}

static void set_up_loop(struct collabd *d)
{
    uv_loop_t *loop = &d->loop;
    int64_t watchdog_ms = notify_watchdog_ms();
    uv_loop_init(loop);
    uv_prepare_init(loop, &d->before_block);
    uv_timer_init(loop, &d->tick);
    uv_timer_init(loop, &d->watchdog);
    uv_signal_init(loop, &d->terminate);
    uv_signal_init(loop, &d->interrupt);
    uv_signal_init(loop, &d->hangup);
    d->tick.data = &d->gateway;
    d->before_block.data = d->terminate.data = d->interrupt.data = d->hangup.data = d;
    signal(SIGPIPE, SIG_IGN);
    uv_signal_start(&d->terminate, say_goodbye, SIGTERM);
    uv_signal_start(&d->interrupt, say_goodbye, SIGINT);
    uv_signal_start(&d->hangup, hang_up, SIGHUP);
    uv_prepare_start(&d->before_block, finish_turn);
    if (watchdog_ms)
        uv_timer_start(&d->watchdog, say_alive, 0, (uint64_t)watchdog_ms / 2 + 1);
    uv_timer_start(&d->tick, turn_wheel, STAGES_TICK_MS, STAGES_TICK_MS);
}

static void set_up_routes(struct collabd *d)
{
    struct web_route *route = d->routes;
    *route++ = (struct web_route){&plain_site, &d->gateway};
    *route++ = (struct web_route){&engines_site, d->engines};
    *route++ = (struct web_route){&api_site, &d->gateway};
    *route = (struct web_route){0};
}

static void set_up_stages(struct collabd *d)
{
    struct gateway *g = &d->gateway;
    struct fault f;
    g->loop = &d->loop;
    stages_begin(g);
    d->websockets = websockets_new(g, &f);
    if (!d->websockets)
        fail(STATUS_UNREACHABLE, &f);
    d->socketio = socketio_new(g, &caller_app);
    d->engines = engines_new(g, &socketio_user, d->socketio);
    set_up_routes(d);
    d->https = https_new(g, d->websockets, d->routes);
    d->secures = secures_new(g, d->https);
    d->proxieds = proxieds_new(g, d->secures);
    d->drain = (struct drain){
        .gateway = g,
        .listener = listen_open(g, d->proxieds, &f),
        .proxieds = d->proxieds,
        .secures = d->secures,
        .https = d->https,
        .engines = d->engines,
        .done = drained,
    };
    if (!d->drain.listener) {
        embedded_stop(d->embedded);
        fail(STATUS_USAGE, &f);
    }
    drain_init(&d->drain);
    stages_connect(g, &d->redis, redis_told, d);
}

static void close_handle(uv_handle_t *handle)
{
    uv_close(handle, NULL);
}

static void take_down(struct collabd *d)
{
    struct gateway *g = &d->gateway;
    stages_stop(g);
    proxieds_end_all(d->proxieds);
    https_end_all(d->https);
    websockets_close(d->websockets);
    uv_run(&d->loop, UV_RUN_NOWAIT);
    secures_end_all(d->secures);
    engines_free(d->engines);
    socketio_free(d->socketio);
    stages_disconnect(g);
    embedded_stop(d->embedded);
    close_handle((uv_handle_t *)&d->before_block);
    close_handle((uv_handle_t *)&d->tick);
    close_handle((uv_handle_t *)&d->watchdog);
    close_handle((uv_handle_t *)&d->drain.timer);
    close_handle((uv_handle_t *)&d->terminate);
    close_handle((uv_handle_t *)&d->interrupt);
    close_handle((uv_handle_t *)&d->hangup);
    uv_run(&d->loop, UV_RUN_DEFAULT);
    websockets_free(d->websockets);
    proxieds_free(d->proxieds);
    secures_free(d->secures);
    https_free(d->https);
    tls_identity_free(g->identity);
    redis_address_fini(&d->redis);
    stages_free(g);
    uv_loop_close(&d->loop);
}

/* What --check found good, in words. */
static int check_passed(struct collabd *d)
{
    struct gateway *g = &d->gateway;
    printf("catalog %s, %.12s: %zu rooms, %zu events, %zu messages\n", g->catalog->name,
           g->catalog->digest, g->catalog->room_count, g->catalog->event_count,
           g->catalog->message_count);
    catalog_unref(g->catalog);
    keyring_free(g->keys);
    networks_fini(&g->trusted_proxies);
    tls_identity_free(g->identity);
    redis_address_fini(&d->redis);
    opt_free(&settings_program, &g->settings);
    return STATUS_OK;
}

static int supervise(struct gateway *g, int argc, char **argv)
{
    enum exit_status status;
    struct fault f;
    if (workers_run(&g->settings, argc, argv, &status, &f) != 0)
        fail(status, &f);
    keyring_free(g->keys);
    tls_identity_free(g->identity);
    networks_fini(&g->trusted_proxies);
    catalog_unref(g->catalog);
    opt_free(&settings_program, &g->settings);
    return (int)status;
}

/* All that a setting can be found wrong for before it is used. The key of development mode is made
 * later: a check makes nothing. */
static int read_what_is_set(struct collabd *d, struct fault *f)
{
    struct gateway *g = &d->gateway;
    struct settings *set = &g->settings;
    g->catalog = reload_catalog(set, f);
    if (!g->catalog)
        return -1;
    limits_settle(&g->limits, set, g->catalog);
    g->connections_room = g->limits.connections;
    if (reload_proxies(set, &g->trusted_proxies, f) != 0 || listen_check(set, f) != 0 ||
        www_check(g, f) != 0 || reload_identity(set, &g->identity, f) != 0 || read_redis(d, f) != 0)
        return -1;
    return set->check && auth_is_development(g) ? 0 : auth_load(g, f);
}

int main(int argc, char **argv)
{
    static struct collabd d;
    struct settings *set = &d.gateway.settings;
    struct fault f;
    read_settings(set, argc, argv);
    d.argc = argc;
    d.argv = argv;
    log_open("collabd", (enum log_level)set->log_level, set->log_format == 1);
    if (read_what_is_set(&d, &f) != 0)
        fail(STATUS_USAGE, &f);
    if (set->check)
        return check_passed(&d);
    if (set->workers && !set->worker)
        return supervise(&d.gateway, argc, argv);
    raise_descriptor_limit(&d.gateway);
    set_up_loop(&d);
    start_redis(&d);
    set_up_stages(&d);
    uv_run(&d.loop, UV_RUN_DEFAULT);
    take_down(&d);
    return STATUS_OK;
}
