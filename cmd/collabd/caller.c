#include "caller.h"
#include "action.h"
#include "auth.h"
#include "throttle.h"

static struct identity *admit(struct gateway *g, struct account *address, const char *token,
                              struct span auth, struct fault *f)
{
    struct span own, found = span_of(token);
    unsigned from = g->catalog->auth.from;
    if (from & CATALOG_FROM_AUTH && json_get(auth, "token", &own)) {
        if (json_type(own) != JSON_STRING) {
            fault_set(f, "auth.token: must be a string");
            return NULL;
        }
        found = json_inside(own);
    }
    if (found.len)
        return auth_check_client(g, address, found, f);
    auth_missing(g, from & (CATALOG_FROM_AUTH | CATALOG_FROM_QUERY | CATALOG_FROM_HEADER), f);
    return NULL;
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
};
