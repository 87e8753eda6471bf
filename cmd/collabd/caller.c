#include "caller.h"
#include "action.h"
#include "auth.h"
#include "errands.h"
#include "throttle.h"

static void admit(struct gateway *g, struct account *address, const char *token, struct span auth,
                  auth_done *done, void *arg)
{
    struct span own, found = span_of(token);
    struct fault f;
    unsigned from = g->catalog->auth.from;
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
