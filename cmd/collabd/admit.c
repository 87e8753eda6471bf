#include "admit.h"
#include "authz.h"
#include "bus.h"
#include "mem.h"
#include "people.h"
#include "store_member.h"
#include <stdlib.h>
#include <string.h>

/* --- without asking ----------------------------------------------------------------------- */

static bool is_own_room(const struct catalog_room *rule, const struct session *s, struct span room)
{
    char own[ROOM_BYTES_MAX];
    struct fault f;
    int len = catalog_own_room(rule, span_of(s->who->user), own, &f);
    return len > 0 && span_equal(room, (struct span){own, (size_t)len});
}

/* A room of a kind that the catalog doesn't know is for grants alone. */
bool admit_is_free(const struct session *s, struct span room)
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

/* --- members ------------------------------------------------------------------------------ */

/* Somebody about whom Redis is being asked. */
struct judgement {
    struct session *session;
    struct catalog *catalog; /* that the roles are of */
    const char *const *roles;
    bool helper; /* the authorization helper has the last word */
    admit_done *done;
    void *arg;
    struct buf room;                     /* that is to be joined */
    struct buf where;                    /* the members of which are being looked at */
    char role[STORE_ROLE_BYTES_MAX + 1]; /* one that is not enough; empty: no member so far */
    uint64_t changes;                    /* that the user's rights had seen when it began */
};

static void judgement_end(struct judgement *j, enum admission result, const char *why)
{
    j->done(j->arg, result, why);
    session_unref(j->session);
    catalog_unref(j->catalog);
    buf_fini(&j->room);
    buf_fini(&j->where);
    free(j);
}

static bool has_role(const char *const *roles, struct span role)
{
    if (!roles)
        return true;
    for (; *roles; roles++)
        if (span_is(role, *roles))
            return true;
    return false;
}

/* Makes j->where the room in which members may be found too; false: there is none. */
static bool go_up(struct judgement *j)
{
    char parent[ROOM_BYTES_MAX];
    struct span where = buf_span(&j->where);
    const struct catalog_room *rule = catalog_room(j->catalog, where, NULL);
    int len = rule ? catalog_parent(rule, where, parent) : 0;
    if (len <= 0)
        return false;
    buf_clear(&j->where);
    buf_add(&j->where, parent, (size_t)len);
    return true;
}

static void ask(struct judgement *j);

/* What was told of while we asked may have come before the answer: ask anew. */
static void ask_from_the_start(struct judgement *j)
{
    buf_clear(&j->where);
    buf_join(&j->where, buf_span(&j->room));
    j->role[0] = '\0';
    j->changes = j->session->person->changes;
    ask(j);
}

static void helper_said(void *arg, enum authz_answer answer, const char *why)
{
    struct judgement *j = arg;
    if (session_is_closing(j->session) || !j->session->person)
        judgement_end(j, NOT_ADMITTED, "gone");
    else if (answer == AUTHZ_YES)
        judgement_end(j, ADMITTED, NULL);
    else
        judgement_end(j, answer == AUTHZ_NO ? NOT_ADMITTED : NOT_KNOWN, why);
}

static void refuse(struct judgement *j)
{
    struct session *s = j->session;
    char why[128];
    if (j->helper) {
        authz_ask(s->gateway->authz, span_of(s->who->user), buf_span(&j->room), helper_said, j);
        return;
    }
    if (j->role[0])
        snprintf(why, sizeof(why), "not allowed in this room as %s", j->role);
    else
        snprintf(why, sizeof(why), "not allowed in this room");
    judgement_end(j, NOT_ADMITTED, why);
}

static void take_role(void *arg, enum store_result result, struct span role, const char *why)
{
    struct judgement *j = arg;
    struct session *s = j->session;
    if (session_is_closing(s) || !s->person) {
        judgement_end(j, NOT_ADMITTED, "gone");
    } else if (result != STORE_DONE) {
        judgement_end(j, NOT_KNOWN, why);
    } else if (s->person->changes != j->changes) {
        ask_from_the_start(j);
    } else if (role.len && has_role(j->roles, role)) {
        judgement_end(j, ADMITTED, NULL);
    } else {
        if (role.len)
            snprintf(j->role, sizeof(j->role), "%.*s", (int)role.len, role.at);
        if (go_up(j))
            ask(j);
        else
            refuse(j);
    }
}

static void ask(struct judgement *j)
{
    struct session *s = j->session;
    store_member_get(bus_store(s->gateway->bus), buf_span(&j->where), span_of(s->who->user),
                     take_role, j);
}

/* NULL after calling done. */
static struct judgement *judgement_new(struct session *s, struct span room, admit_done *done,
                                       void *arg)
{
    if (!s->person) {
        done(arg, NOT_ADMITTED, "gone");
        return NULL;
    }
    struct judgement *j = mem_zero(sizeof(*j));
    j->session = session_ref(s);
    j->catalog = catalog_ref(s->gateway->catalog);
    j->done = done;
    j->arg = arg;
    buf_join(&j->room, room);
    return j;
}

void admit_member(struct session *s, struct span room, const char *const *roles, admit_done *done,
                  void *arg)
{
    struct judgement *j = judgement_new(s, room, done, arg);
    if (!j)
        return;
    j->roles = roles;
    ask_from_the_start(j);
}

/* Members, then whom the helper lets in. */
static void admit_asked(struct session *s, struct span room, const struct catalog_room *rule,
                        admit_done *done, void *arg)
{
    struct judgement *j = judgement_new(s, room, done, arg);
    if (!j)
        return;
    j->roles = rule->roles;
    j->helper = rule->join & CATALOG_HELPER && s->gateway->authz;
    if (rule->join & CATALOG_MEMBER)
        ask_from_the_start(j);
    else
        refuse(j);
}

void admit(struct session *s, struct span room, admit_done *done, void *arg)
{
    const struct catalog_room *rule = catalog_room(s->gateway->catalog, room, NULL);
    if (admit_is_free(s, room))
        done(arg, ADMITTED, NULL);
    else if (rule && rule->join & (CATALOG_MEMBER | CATALOG_HELPER))
        admit_asked(s, room, rule, done, arg);
    else
        done(arg, NOT_ADMITTED, "not allowed in this room");
}
