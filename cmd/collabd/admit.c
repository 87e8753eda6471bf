#include "admit.h"
#include <string.h>

static bool is_own_room(const struct catalog_room *rule, const struct session *s, struct span room)
{
    char own[ROOM_BYTES_MAX];
    struct fault f;
    int len = catalog_own_room(rule, span_of(s->who->user), own, &f);
    return len > 0 && span_equal(room, (struct span){own, (size_t)len});
}

/* A room of a kind that the catalog doesn't know is for grants alone. */
static bool is_admitted(const struct session *s, struct span room)
{
    const struct catalog_room *rule = catalog_room(s->gateway->catalog, room, NULL);
    if (!rule)
        return identity_may_join(s->who, room);
    if (rule->join & CATALOG_ANY)
        return true;
    if (rule->join & CATALOG_SELF && is_own_room(rule, s, room))
        return true;
    return rule->join & CATALOG_GRANT && identity_may_join(s->who, room);
}

void admit(struct session *s, struct span room, admit_done *done, void *arg)
{
    if (is_admitted(s, room))
        done(arg, ADMITTED, NULL);
    else
        done(arg, NOT_ADMITTED, "not allowed in this room");
}
