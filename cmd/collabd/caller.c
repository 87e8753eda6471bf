#include "caller.h"
#include "action.h"
#include "auth.h"
#include "away.h"
#include "errands.h"
#include "store_devices.h"
#include "throttle.h"

/* Empty: it doesn't say on which. */
static int find_device(struct span auth, struct span *device, struct fault *f)
{
    *device = (struct span){0};
    if (!json_get(auth, "device", device))
        return 0;
    if (json_type(*device) != JSON_STRING)
        return fault_set(f, "auth.device: must be a string");
    *device = json_inside(*device);
    return store_device_check(*device, f) == 0 ? 0 : fault_at(f, "auth");
}

static void admit(struct gateway *g, struct account *address, const char *token, struct span auth,
                  auth_done *done, void *arg)
{
    struct span own, device, found = span_of(token);
    struct fault f;
    unsigned from = g->catalog->auth.from;
    if (find_device(auth, &device, &f) != 0) {
        done(arg, NULL, ERROR_BAD_MESSAGE, f.text);
        return;
    }
    if (from & CATALOG_FROM_AUTH && json_get(auth, "token", &own)) {
        if (json_type(own) != JSON_STRING) {
            done(arg, NULL, ERROR_UNAUTHENTICATED, "auth.token: must be a string");
            return;
        }
        found = json_inside(own);
    }
    if (found.len) {
        auth_admit(g, address, found, done, arg);
        return;
    }
    auth_missing(g, from & (CATALOG_FROM_AUTH | CATALOG_FROM_QUERY | CATALOG_FROM_HEADER), &f);
    done(arg, NULL, ERROR_UNAUTHENTICATED, f.text);
}

static void joined(struct session *s, struct span auth)
{
    const struct request r = {.data = auth};
    struct span device;
    struct fault f;
    if (find_device(auth, &device, &f) == 0 && device.len)
        away_name(s, device, &f);
    action_welcome(s, &r);
}

static void event(struct session *s, struct span args, const struct request *r)
{
    struct json_walk w = json_walk(args);
    struct request asked = *r;
    struct span name;
    if (!throttle_message(s, r))
        return;
    json_next_element(&w, &name);
    json_next_element(&w, &asked.data);
    if (json_type(name) == JSON_STRING)
        action_do(s, json_inside(name), &asked);
    else
        session_refuse(s, r, ERROR_UNKNOWN_TYPE, "an event's name is a string here", NULL);
}

const struct socketio_app caller_app = {
    .admit = admit,
    .joined = joined,
    .left = action_goodbye,
    .event = event,
    .acknowledged = errands_acknowledged,
};
