#include "restore.h"
#include "admit.h"
#include "bus.h"
#include "hub.h"
#include "join.h"
#include "mem.h"
#include "people.h"
#include "resume.h"
#include "room.h"
#include <stdlib.h>
#include <string.h>

/* A room of the session's, while it is found out where its client stands there. */
struct entry {
    struct restoring *all;
    char *room;
    int64_t since; /* serial number */
    bool kept;
    bool placed; /* by nobody's right (join.h) */
};

struct restoring {
    struct session *session;
    restore_done *done;
    void *arg;
    char *nsp, *pid, *offset;
    char *run;       /* of the offset; or, when nothing was heard since, of the record */
    uint64_t serial; /* likewise */
    char id[SESSION_ID_CHARS + 1];
    struct entry *entries;
    size_t count;
    struct resume_request resume;
    int outstanding;
    bool failed;
};

static struct gateway *gateway_of(const struct restoring *r)
{
    return r->session->gateway;
}

/* --- the end ------------------------------------------------------------------------------ */

static void restoring_free(struct restoring *r)
{
    for (size_t i = 0; i < r->count; i++)
        free(r->entries[i].room);
    for (size_t i = 0; i < r->resume.count; i++)
        free(r->resume.points[i].room);
    free(r->entries);
    free(r->resume.points);
    free(r->nsp);
    free(r->pid);
    free(r->offset);
    free(r->run);
    session_unref(r->session);
    free(r);
}

static void finish(struct restoring *r)
{
    struct session *s = r->session;
    bool good = !r->failed && !session_is_closing(s);
    if (good)
        session_rename(s, r->id);
    else if (s->link)
        join_leave_all(s);
    r->done(r->arg, good, span_of(r->pid), span_of(r->offset));
    restoring_free(r);
}

/* --- in its rooms ------------------------------------------------------------------------- */

static void resumed(void *arg, const struct resume_result *result)
{
    struct restoring *r = arg;
    r->failed |= !result->recovered;
    if (!--r->outstanding)
        finish(r);
}

static void settled(void *arg, enum store_result result, const char *why)
{
    struct restoring *r = arg;
    (void)why;
    r->failed |= result != STORE_DONE || session_is_closing(r->session);
    r->outstanding = 1;
    for (size_t i = 0; !r->failed && i < r->resume.count; i++) {
        r->outstanding++;
        resume_room(r->session, &r->resume.points[i], &r->resume, resumed, r);
    }
    if (!--r->outstanding)
        finish(r);
}

static void enter(struct restoring *r)
{
    struct gateway *g = gateway_of(r);
    struct span room;
    /* From here on what the client has is told by no offset that it knows. */
    store_session_drop(bus_store(g->bus), span_of(r->pid));
    for (size_t i = 0; i < r->count; i++) {
        room = span_of(r->entries[i].room);
        if (r->entries[i].placed)
            join_place(r->session, room);
        else
            join_enter(r->session, room);
    }
    for (size_t i = 0; i < r->resume.count; i++) {
        struct resume_point *point = &r->resume.points[i];
        point->sitting = hub_hold(g->hub, r->session, span_of(point->room));
    }
    bus_settle(g->bus, settled, r);
}

/* --- where the client stands -------------------------------------------------------------- */

static void all_known(struct restoring *r)
{
    if (--r->outstanding)
        return;
    if (r->failed || session_is_closing(r->session))
        finish((r->failed = true, r));
    else
        enter(r);
}

static void marked(void *arg, const struct place *at)
{
    struct entry *e = arg;
    struct restoring *r = e->all;
    struct resume_request *q = &r->resume;
    if (at)
        q->points[q->count++] = (struct resume_point){.room = mem_text(e->room), .since = *at};
    else
        r->failed = true;
    all_known(r);
}

static void judged(void *arg, enum admission result, const char *why)
{
    struct entry *e = arg;
    struct restoring *r = e->all;
    (void)why;
    r->failed |= result != ADMITTED;
    if (r->failed || !e->kept) {
        all_known(r);
        return;
    }
    uint64_t since = (uint64_t)e->since;
    struct store_mark mark = {span_of(r->run), span_of(e->room),
                              since > r->serial ? since : r->serial};
    store_mark_get(bus_store(gateway_of(r)->bus), &mark, marked, e);
}

static bool is_kept(const struct gateway *g, struct span room)
{
    const struct catalog_room *rule = catalog_room(g->catalog, room, NULL);
    return rule && rule->history_length;
}

static bool add_entry(struct restoring *r, struct span room, struct span since)
{
    struct fault f;
    int64_t serial;
    if (room_check(room, &f) != 0 || json_int(since, &serial) != 0 || serial < 0 ||
        r->count == (size_t)gateway_of(r)->limits.rooms)
        return false;
    r->entries = mem_resize(r->entries, (r->count + 1) * sizeof(*r->entries));
    r->entries[r->count++] =
        (struct entry){r, span_text(room), serial, is_kept(gateway_of(r), room), false};
    return true;
}

static void judge_all(struct restoring *r)
{
    r->resume.points = mem_alloc((r->count + 1) * sizeof(*r->resume.points));
    r->outstanding = 1;
    for (size_t i = 0; i < r->count; i++) {
        struct entry *e = &r->entries[i];
        r->outstanding++;
        if (e->placed)
            judged(e, ADMITTED, NULL);
        else
            admit(r->session, span_of(e->room), judged, e);
    }
    all_known(r);
}

/* --- the record --------------------------------------------------------------------------- */

static bool has(struct span record, const char *name, const char *text)
{
    struct span value;
    return json_get(record, name, &value) && json_type(value) == JSON_STRING &&
           json_string_is(value, text);
}

/* RUN.SERIAL */
static bool read_offset(struct restoring *r)
{
    struct span serial = span_of(r->offset);
    int64_t number;
    if (serial.len <= RECOVER_RUN_CHARS || serial.at[RECOVER_RUN_CHARS] != '.')
        return false;
    span_drop(&serial, RECOVER_RUN_CHARS + 1);
    if (!serial.len || json_int(serial, &number) != 0 || number < 0)
        return false;
    r->run = span_text((struct span){r->offset, RECOVER_RUN_CHARS});
    r->serial = (uint64_t)number;
    return true;
}

/* The marks are of the run that has written the record. A client that has heard nothing from it
 * has an offset from before, or none: it stands where it was when it joined. */
static bool find_standing(struct restoring *r, struct span record)
{
    struct span run;
    if (!json_get(record, "run", &run) || json_type(run) != JSON_STRING)
        return false;
    if (!has(record, "came", r->offset))
        return read_offset(r) && has(record, "run", r->run);
    r->run = span_text(json_inside(run));
    return true;
}

static void read_placed(struct restoring *r, struct span record)
{
    struct span list, room;
    if (!json_get(record, "placed", &list))
        return;
    for (struct json_walk w = json_walk(list); json_next_element(&w, &room);)
        for (size_t i = 0; i < r->count; i++)
            r->entries[i].placed |= span_is(json_inside(room), r->entries[i].room);
}

static bool read_record(struct restoring *r, struct span record)
{
    struct span sid, rooms, room, since;
    struct fault f;
    if (json_check(record, &f) != 0 || !has(record, "user", r->session->who->user) ||
        !has(record, "nsp", r->nsp) || !json_get(record, "sid", &sid) ||
        json_type(sid) != JSON_STRING || json_inside(sid).len != SESSION_ID_CHARS ||
        !json_get(record, "rooms", &rooms) || !find_standing(r, record))
        return false;
    memcpy(r->id, json_inside(sid).at, SESSION_ID_CHARS);
    for (struct json_walk w = json_walk(rooms); json_next_member(&w, &room, &since);)
        if (json_type(since) != JSON_NUMBER || !add_entry(r, json_inside(room), since))
            return false;
    read_placed(r, record);
    return true;
}

static void got_record(void *arg, enum store_result result, struct span record)
{
    struct restoring *r = arg;
    r->failed = result != STORE_DONE || !record.len || session_is_closing(r->session) ||
                !read_record(r, record);
    if (r->failed)
        finish(r);
    else
        judge_all(r);
}

static bool is_pid(struct span text)
{
    size_t good = 0;
    while (good < text.len && ((text.at[good] >= 'a' && text.at[good] <= 'z') ||
                               (text.at[good] >= '2' && text.at[good] <= '7')))
        good++;
    return good == RECOVER_PID_CHARS && good == text.len;
}

/* A string of auth's without escapes; empty when it has none of that name. */
static struct span text_in(struct span auth, const char *name)
{
    struct span value;
    bool there = json_get(auth, name, &value) && json_type(value) == JSON_STRING;
    return there ? json_inside(value) : (struct span){0};
}

bool restore(struct session *s, struct span nsp, struct span auth, restore_done *done, void *arg)
{
    struct gateway *g = s->gateway;
    struct span pid = auth.len ? text_in(auth, "pid") : (struct span){0};
    if (!is_pid(pid) || !recover_is_on(g) || !bus_is_up(g->bus))
        return false;
    people_enter(s); /* so that it hears of rights that go meanwhile */
    struct restoring *r = mem_zero(sizeof(*r));
    r->session = session_ref(s);
    r->done = done;
    r->arg = arg;
    r->nsp = span_text(nsp);
    r->pid = span_text(pid);
    r->offset = span_text(text_in(auth, "offset"));
    store_session_get(bus_store(g->bus), pid, got_record, r);
    return true;
}
