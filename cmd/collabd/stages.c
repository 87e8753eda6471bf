#include "stages.h"
#include "authz.h"
#include "clock.h"
#include "control.h"
#include "deflate.h"
#include "expiry.h"
#include "fading.h"
#include "hub.h"
#include "neighbours.h"
#include "node.h"
#include "presence.h"
#include "recover.h"
#include "resume.h"
#include "revise.h"
#include "signals.h"
#include "throttle.h"
#include "tidings.h"

static void ring_alarm(struct wheel_timer *timer, void *ctx)
{
    struct alarm *alarm = (struct alarm *)timer;
    (void)ctx;
    alarm->ring(alarm);
}

void stages_begin(struct gateway *g)
{
    g->wheel = wheel_new(STAGES_TICK_MS, clock_steady_ms(), ring_alarm, NULL);
    g->outboxes = outboxes_new(&g->metrics, link_send);
    g->deflate = g->settings.compress == COMPRESS_ON ? deflate_new() : NULL;
    g->keeper = &recover_keeper;
    g->hub = hub_new(g, bus_room_gone, g);
    g->node = node_new(g);
    g->throttle = throttle_new(g);
    g->tidings = tidings_new(g);
    g->presence = presence_new(g);
    g->revision = revision_new(g);
    g->authz = authz_new(g, revise);
    g->signaller = signaller_new(g);
    g->expiries = expiries_new(g);
    g->fading = fading_new(g);
}

void stages_connect(struct gateway *g, const struct redis_address *address, bus_told *told,
                    void *ctx)
{
    g->bus = bus_open(g, address, told, ctx);
    g->resumes = resumes_new(g);
    bus_hear(g->bus, control_message);
    neighbours_begin(g);
    g->recoveries = recoveries_new(g);
}

void stages_stop(struct gateway *g)
{
    presence_stop(g->presence);
    tidings_stop(g->tidings);
    authz_stop(g->authz);
    bus_stop(g->bus);
    revision_stop(g->revision);
    signaller_stop(g->signaller);
    expiries_stop(g->expiries);
    fading_stop(g->fading);
}

void stages_disconnect(struct gateway *g)
{
    throttle_free(g->throttle);
    neighbours_end(g);
    bus_close(g->bus);
    resumes_free(g->resumes);
    recoveries_free(g->recoveries);
    node_free(g->node);
}

void stages_free(struct gateway *g)
{
    presence_free(g->presence);
    tidings_free(g->tidings);
    authz_free(g->authz);
    revision_free(g->revision);
    signaller_free(g->signaller);
    expiries_free(g->expiries);
    fading_free(g->fading);
    hub_free(g->hub);
    outboxes_free(g->outboxes);
    deflate_free(g->deflate);
    wheel_free(g->wheel);
    accounts_fini(&g->accounts);
    networks_fini(&g->trusted_proxies);
    keyring_free(g->keys);
    catalog_unref(g->catalog);
    opt_free(&settings_program, &g->settings);
}
