#include "control.h"
#include "admit.h"
#include "bus.h"
#include "hub.h"
#include "join.h"
#include "log.h"
#include "node.h"
#include "people.h"
#include "room.h"
#include "session.h"
#include "throttle.h"
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

enum { LOG_KIND_BAD_CONTROL = 4, REASON_BYTES_MAX = 100 };

/* An order, its texts decoded; what it doesn't have is empty. */
struct order {
    struct buf word, room, user, role, connection, address, node, reason, answer;
    bool has_role;
    int64_t code;
};

static void order_fini(struct order *o)
{
    buf_fini(&o->word);
    buf_fini(&o->room);
    buf_fini(&o->user);
    buf_fini(&o->role);
    buf_fini(&o->connection);
    buf_fini(&o->address);
    buf_fini(&o->node);
    buf_fini(&o->reason);
    buf_fini(&o->answer);
}

static bool read_text(struct span object, const char *name, struct buf *out)
{
    struct span value;
    if (!json_get(object, name, &value))
        return true;
    if (json_type(value) != JSON_STRING)
        return false;
    json_decode(value, out);
    return true;
}

static int read_order(struct span text, struct order *o, struct fault *f)
{
    struct span code;
    if (json_check(text, f) != 0)
        return -1;
    text = json_trim(text);
    if (!read_text(text, "do", &o->word) || !read_text(text, "room", &o->room) ||
        !read_text(text, "user", &o->user) || !read_text(text, "role", &o->role) ||
        !read_text(text, "connection", &o->connection) ||
        !read_text(text, "address", &o->address) || !read_text(text, "node", &o->node) ||
        !read_text(text, "reason", &o->reason) || !read_text(text, "answer", &o->answer))
        return fault_set(f, "a field is no string");
    o->has_role = json_get(text, "role", &code);
    if (json_get(text, "code", &code) && json_int(code, &o->code) != 0)
        return fault_set(f, "code: must be a whole number");
    return o->room.len ? room_check(buf_span(&o->room), f) : 0;
}

/* --- rights ------------------------------------------------------------------------------- */

/* Whether members of `above` are members of the room, by the catalog. */
static bool is_under(const struct catalog *c, struct span room, struct span above)
{
    char names[2][ROOM_BYTES_MAX];
    for (int i = 0; !span_equal(room, above); i ^= 1) {
        const struct catalog_room *rule = catalog_room(c, room, NULL);
        int len = rule ? catalog_parent(rule, room, names[i]) : 0;
        if (len <= 0)
            return false;
        room = (struct span){names[i], (size_t)len};
    }
    return true;
}

static bool is_role_enough(const struct catalog *c, struct span room, const struct order *o)
{
    const struct catalog_room *rule = catalog_room(c, room, NULL);
    if (!o->has_role || !rule || !(rule->join & CATALOG_MEMBER))
        return false;
    const char *const *role = rule->roles;
    for (; role && *role; role++)
        if (span_is(buf_span(&o->role), *role))
            return true;
    return !role;
}

/* The rooms that the session may have been in by that right alone are left, at once. */
static void end_rights(struct session *s, const struct order *o)
{
    const struct catalog *c = s->gateway->catalog;
    for (uint32_t i = s->seat_count; i-- > 0;) {
        struct span room = hub_seat_room(s, i);
        if (!is_under(c, room, buf_span(&o->room)) || s->seats[i].placed ||
            admit_is_free(s, room) || is_role_enough(c, room, o))
            continue;
        join_end(s, room, "a membership has changed");
    }
}

static void member_changed(struct gateway *g, const struct order *o)
{
    struct person *p = people_find(g, buf_span(&o->user));
    struct session *s;
    if (!p)
        return;
    p->changes++;
    DL_FOREACH2 (p->sessions, s, same_next)
        end_rights(s, o);
}

/* Who is there need not come again to be in a room that is joined by itself. */
static void member_added(struct gateway *g, const struct order *o)
{
    struct person *p = people_find(g, buf_span(&o->user));
    struct session *s;
    if (!p || !is_role_enough(g->catalog, buf_span(&o->room), o))
        return;
    DL_FOREACH2 (p->sessions, s, same_next)
        join_member(s, buf_span(&o->room));
}

/* --- kicking ------------------------------------------------------------------------------ */

static bool is_meant(const struct session *s, const struct order *o)
{
    return !o->connection.len || span_is(buf_span(&o->connection), s->id);
}

static bool carry_out(struct session *s, const struct order *o)
{
    static const struct request unasked;
    const char *reason = o->reason.len ? o->reason.at : close_reason(CLOSE_KICKED);
    if (session_is_closing(s) || !is_meant(s, o))
        return false;
    if (o->room.len)
        return join_end(s, buf_span(&o->room), reason);
    session_refuse(s, &unasked, ERROR_FORBIDDEN, reason, NULL);
    session_close(s, o->code ? (enum close_code)o->code : CLOSE_KICKED);
    return true;
}

/* How many it concerned here. */
static int kick(struct gateway *g, const struct order *o)
{
    struct person *p = people_find(g, buf_span(&o->user));
    struct session *s;
    int count = 0;
    if (o->user.len) {
        if (p)
            DL_FOREACH2 (p->sessions, s, same_next)
                count += carry_out(s, o);
    } else if (o->connection.len) {
        s = session_find(g, buf_span(&o->connection));
        count += s && carry_out(s, o);
    }
    return count;
}

/* --- limits ------------------------------------------------------------------------------- */

/* How much was counted here of those who are named. */
static int reset(struct gateway *g, const struct order *o)
{
    struct session *s = session_find(g, buf_span(&o->connection));
    char address[PEER_NAME_BYTES];
    int count = s ? throttle_reset_client(s) : 0;
    if (o->user.len)
        count += throttle_reset_user(g, buf_span(&o->user));
    if (o->room.len)
        count += throttle_reset_room(g, buf_span(&o->room));
    if (peer_name_of(buf_span(&o->address), address))
        count += throttle_reset_address(g, span_of(address));
    return count;
}

/* --- the end ------------------------------------------------------------------------------ */

/* As an operator on this machine would have it. */
static int drain(struct gateway *g, const struct order *o)
{
    bool meant = span_is(buf_span(&o->node), node_name(g->node)) && !g->draining;
    if (meant)
        kill(getpid(), SIGTERM);
    return meant;
}

/* --- answering ---------------------------------------------------------------------------- */

static void answer(struct gateway *g, const struct order *o, int count)
{
    struct json *document = json_new_object();
    struct buf text = {0};
    if (o->answer.len) {
        json_add_text(document, "node", node_name(g->node));
        json_add_number(document, "count", count);
        json_write(document, &text);
        store_answer(bus_store(g->bus), buf_span(&o->answer), buf_span(&text));
    }
    json_free(document);
    buf_fini(&text);
}

/* --- what comes --------------------------------------------------------------------------- */

static int obey(struct gateway *g, const struct order *o, struct fault *f)
{
    if (span_is(buf_span(&o->word), "member"))
        member_changed(g, o);
    else if (span_is(buf_span(&o->word), "added"))
        member_added(g, o);
    else if (span_is(buf_span(&o->word), "kick") && (!o->code || close_is_own(o->code)))
        answer(g, o, kick(g, o));
    else if (span_is(buf_span(&o->word), "reset"))
        answer(g, o, reset(g, o));
    else if (span_is(buf_span(&o->word), "drain"))
        answer(g, o, drain(g, o));
    else
        return fault_set(f, "no such order");
    return 0;
}

void control_message(void *ctx, enum store_channel channel, struct span text)
{
    struct gateway *g = ctx;
    struct order o = {0};
    struct fault f;
    if (channel != STORE_CONTROL)
        return;
    if (read_order(text, &o, &f) != 0 || obey(g, &o, &f) != 0)
        log_limited(LOG_KIND_BAD_CONTROL, LOG_WARNING, "control: %s", f.text);
    order_fini(&o);
}

void control_up(struct gateway *g)
{
    struct session *s, *next;
    TABLE_EACH (&g->sessions, s, next) {
        if (!s->who)
            continue;
        join_review(s, JOIN_KEEP);
        join_missing(s);
    }
}
