/* The catalogs of the examples: where each event goes, and what each message asks for. */
#include "catalog_file.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static struct catalog *load(const char *name)
{
    char path[64];
    struct fault f;

    snprintf(path, sizeof(path), "examples/%s/catalog.json", name);
    struct catalog *c = catalog_load(path, &f);
    if (!c) {
        fail_msg("%s", f.text);
        return NULL;
    }
    assert_string_equal(c->name, name);
    return c;
}

/* {'a': 1} for {"a": 1}, which is easier to read in C. */
static struct span json(const char *text)
{
    static char out[512];
    size_t len = strlen(text);

    assert_true(len < sizeof(out));
    for (size_t i = 0; i <= len; i++)
        out[i] = text[i] == '\'' ? '"' : text[i];
    return (struct span){out, len};
}

static const char *names(const struct route_rooms *rooms)
{
    static char text[1024];

    text[0] = '\0';
    for (int i = 0; i < rooms->count; i++) {
        if (i > 0)
            strcat(text, " ");
        strncat(text, rooms->at[i].at, rooms->at[i].len);
    }
    return text;
}

/* rooms: in order, or the fault; class, version: their words. */
struct event_row {
    const char *type, *data, *rooms;
    enum catalog_class class;
    enum catalog_version version;
};

static void hold_event(const struct catalog *c, const struct event_row *row)
{
    const struct catalog_event *e = catalog_event(c, span_of(row->type));
    struct route_rooms rooms;
    struct fault f;

    if (!e) {
        fail_msg("%s: no event has the type %s", c->name, row->type);
        return;
    }
    if (catalog_route(e, span_of(row->type), json(row->data), &rooms, &f) != 0) {
        assert_string_equal(f.text, row->rooms);
        return;
    }
    assert_string_equal(names(&rooms), row->rooms);
    if (e->class != row->class || e->version != row->version)
        fail_msg("%s: %s: class %d, version %d", c->name, row->type, e->class, e->version);
    for (int i = 0; i < rooms.count; i++)
        assert_non_null(catalog_room(c, rooms.at[i], NULL));
}

static void hold_events(const char *name, const struct event_row *rows, size_t count)
{
    struct catalog *c = load(name);

    for (size_t i = 0; i < count; i++)
        hold_event(c, &rows[i]);
    catalog_unref(c);
}

/* Where every event of an example goes is in its rows. */
static void hold_all_named(const char *name, const struct event_row *rows, size_t count)
{
    struct catalog *c = load(name);

    for (size_t i = 0; i < c->event_count; i++) {
        const char *type = c->events[i].type;
        size_t k = 0;
        while (k < count && catalog_event(c, span_of(rows[k].type)) != &c->events[i])
            k++;
        if (k == count && c->events[i].route.to_count != 0)
            fail_msg("%s: nothing tests %s", name, type);
    }
    catalog_unref(c);
}

struct message_row {
    const char *name, *data, *rooms;
    enum catalog_action action;
    const char *event, *reply; /* NULL: none */
};

static void hold_message(const struct catalog *c, const struct message_row *row)
{
    const struct catalog_message *m = catalog_message(c, span_of(row->name));
    struct route_rooms rooms;
    struct fault f;

    if (!m) {
        fail_msg("%s: no message has the name %s", c->name, row->name);
        return;
    }
    if (catalog_message_route(m, json(row->data), &rooms, &f) != 0)
        assert_string_equal(f.text, row->rooms);
    else
        assert_string_equal(names(&rooms), row->rooms);
    assert_int_equal(m->action, row->action);
    assert_string_equal(m->event ? m->event->type : "", row->event ? row->event : "");
    assert_string_equal(m->reply ? m->reply : "", row->reply ? row->reply : "");
}

static void hold_messages(const char *name, const struct message_row *rows, size_t count)
{
    struct catalog *c = load(name);

    for (size_t i = 0; i < count; i++)
        hold_message(c, &rows[i]);
    catalog_unref(c);
}

/* pattern, and who may join it */
struct room_row {
    const char *room;
    unsigned join;
    bool automatic, presence, offline;
};

static void hold_rooms(const char *name, const struct room_row *rows, size_t count)
{
    struct catalog *c = load(name);

    for (size_t i = 0; i < count; i++) {
        const struct catalog_room *r = catalog_room(c, span_of(rows[i].room), NULL);
        assert_non_null(r);
        if (r->join != (rows[i].join | CATALOG_GRANT) || r->automatic != rows[i].automatic ||
            r->presence != rows[i].presence || r->offline != rows[i].offline)
            fail_msg("%s: %s", name, rows[i].room);
    }
    catalog_unref(c);
}

#define ID_FAULT(type, field, value)                                                               \
    "event \"" type "\": data." field ": must be an id (letters, digits and . _ ~ @ -, or a "      \
    "whole number), not " value

enum { STORED = CATALOG_MEMBER | CATALOG_HELPER };

/* --- kanban --- */

static void kanban_events(void **state)
{
    static const struct event_row rows[] = {
        {"task:created", "{'taskId':'t1','projectId':'p1'}", "project:p1", CATALOG_KEPT,
         CATALOG_START},
        {"task:updated", "{'taskId':'t1','projectId':'p1','title':'x'}", "task:t1 project:p1",
         CATALOG_KEPT, CATALOG_NEXT},
        {"task:moved", "{'taskId':'t1','projectId':'p1','expectedVersion':4}", "project:p1",
         CATALOG_KEPT, CATALOG_NEXT},
        {"task:moved", "{'taskId':'t1','projectId':'p1','expectedVersion':'4'}",
         "event \"task:moved\": data.expectedVersion: must be a whole number, not \"4\"", 0, 0},
        {"task:deleted", "{'taskId':'t1','projectId':'p1'}", "project:p1", CATALOG_KEPT,
         CATALOG_END},
        {"task:deleted", "{'taskId':'t1'}", "event \"task:deleted\": data.projectId: is missing", 0,
         0},
        {"task:created", "{'taskId':'t1','projectId':'p:1'}",
         ID_FAULT("task:created", "projectId", "\"p:1\""), 0, 0},
        {"comment:created", "{'taskId':7,'commentId':'c1'}", "task:7", CATALOG_KEPT, 0},
        {"comment:updated", "{'taskId':'t1','commentId':'c1'}", "task:t1", CATALOG_KEPT, 0},
        {"comment:deleted", "{'taskId':'t1','commentId':'c1'}", "task:t1", CATALOG_KEPT, 0},
        {"member:joined", "{'workspaceId':'w1','userId':'u1'}", "workspace:w1", CATALOG_KEPT, 0},
        {"member:left", "{'workspaceId':'w1','userId':'u1'}", "workspace:w1", CATALOG_KEPT, 0},
        {"member:role_changed", "{'workspaceId':'w1','userId':'u1','role':'owner'}", "workspace:w1",
         CATALOG_KEPT, 0},
        {"presence:users_viewing", "{'taskId':'t1','users':['u1']}", "task:t1", CATALOG_LIVE, 0},
        {"typing:user_typing", "{'taskId':'t1'}", "task:t1", CATALOG_SIGNAL, 0},
        {"typing:user_stopped", "{'taskId':'t1','commentId':'c1'}", "task:t1", CATALOG_SIGNAL, 0},
        {"user:updated", "{'userId':'u1'}", "user:u1", CATALOG_KEPT, 0},
        {"presence:user_online", "{'userId':'u1'}",
         "event \"presence:user_online\": leads to no room by itself: name one", 0, 0},
        {"anything", "{}", "event \"anything\": leads to no room by itself: name one", 0, 0},
    };

    (void)state;
    hold_events("kanban", rows, COUNT(rows));
    hold_all_named("kanban", rows, COUNT(rows));
}

static void kanban_messages(void **state)
{
    static const struct message_row rows[] = {
        {"room:join", "{'workspaceId':'w1'}", "workspace:w1", CATALOG_JOIN, NULL, "subscribed"},
        {"room:join", "{'workspaceId':'w1','projectId':'p1','taskId':'t1'}",
         "workspace:w1 project:p1 task:t1", CATALOG_JOIN, NULL, "subscribed"},
        {"room:leave", "{'taskId':'t1','projectId':null}", "task:t1", CATALOG_LEAVE, NULL,
         "unsubscribed"},
        {"room:join", "{}", "", CATALOG_JOIN, NULL, "subscribed"},
        {"presence:update", "{'status':'away'}", "", CATALOG_PRESENCE, NULL, NULL},
        {"presence:update", "{'status':'busy'}",
         "data.status: must be one of online, away, offline, not \"busy\"", CATALOG_PRESENCE, NULL,
         NULL},
        {"presence:viewing", "{'taskId':'t1'}", "task:t1", CATALOG_VIEWING, NULL, NULL},
        {"typing:start", "{'taskId':'t1'}", "", CATALOG_SIGNALS, "typing:user_typing", NULL},
        {"typing:stop", "{'taskId':'t1'}", "", CATALOG_SIGNALS, "typing:user_stopped", NULL},
    };

    (void)state;
    hold_messages("kanban", rows, COUNT(rows));
}

static void kanban_settings(void **state)
{
    static const struct room_row rows[] = {
        {"user:u1", CATALOG_SELF, true, false, true}, {"workspace:w1", STORED, false, true, false},
        {"project:p1", STORED, false, true, false},   {"task:t1", STORED, false, true, false},
        {"repo:main", 0, false, false, false},
    };
    struct catalog *c = load("kanban");

    (void)state;
    hold_rooms("kanban", rows, COUNT(rows));
    assert_string_equal(catalog_room(c, span_of("workspace:w1"), NULL)->added->type,
                        "member:joined");
    assert_string_equal(c->presence.offline->type, "presence:user_offline");
    assert_string_equal(c->presence.viewing->type, "presence:users_viewing");
    assert_string_equal(c->notices.error, "connection:error");
    assert_string_equal(c->endpoints.socketio[0], "/socket.io/");
    assert_int_equal(c->heartbeat.ping_ms, 25000);
    assert_int_equal(c->heartbeat.silence_ms, 25000 + 20000);
    catalog_unref(c);
}

/* --- issues --- */

static void issues_events(void **state)
{
    static const struct event_row rows[] = {
        {"issue.created", "{'issueId':'i1','teamId':'t1'}", "team:t1", CATALOG_KEPT, CATALOG_START},
        {"issue.updated", "{'issueId':'i1','teamId':'t1'}", "team:t1 issue:i1", CATALOG_KEPT,
         CATALOG_NEXT},
        {"issue.archived", "{'issueId':'i1','teamId':'t1'}", "team:t1 issue:i1", CATALOG_KEPT,
         CATALOG_NEXT},
        {"issue.deleted", "{'issueId':'i1','teamId':'t1'}", "team:t1 issue:i1", CATALOG_KEPT,
         CATALOG_END},
        {"comment.created", "{'commentId':1,'issueId':'i1','teamId':'t1'}", "team:t1 issue:i1",
         CATALOG_KEPT, 0},
        {"comment.updated", "{'commentId':1,'issueId':'i1','teamId':'t1'}", "team:t1 issue:i1",
         CATALOG_KEPT, 0},
        {"comment.deleted", "{'commentId':1,'issueId':'i1','teamId':'t1'}", "team:t1 issue:i1",
         CATALOG_KEPT, 0},
        {"project.updated", "{'projectId':'p1'}", "project:p1", CATALOG_KEPT, 0},
        {"project.updated", "{'projectId':'p1','workspaceId':'w1'}", "workspace:w1 project:p1",
         CATALOG_KEPT, 0},
        {"cycle.updated", "{'cycleId':'c1','teamId':'t1'}", "team:t1 cycle:c1", CATALOG_KEPT, 0},
        {"notification", "{'userId':'u1','text':'x'}", "user:u1", CATALOG_KEPT, 0},
        {"user.typing", "{'issueId':'i1'}", "issue:i1", CATALOG_SIGNAL, 0},
        {"issue.updated", "{'issueId':true,'teamId':'t1'}",
         ID_FAULT("issue.updated", "issueId", "true"), 0, 0},
        {"issue.updated", "[]", "event \"issue.updated\": data: must be an object, not an array", 0,
         0},
    };

    (void)state;
    hold_events("issues", rows, COUNT(rows));
    hold_all_named("issues", rows, COUNT(rows));
}

static void issues_messages(void **state)
{
    static const struct message_row rows[] = {
        {"subscribe", "{'rooms':['team:t1']}", "", CATALOG_JOIN, NULL, "subscribed"},
        {"unsubscribe", "['team:t1']", "", CATALOG_LEAVE, NULL, "unsubscribed"},
        {"ping", "", "", CATALOG_PING, NULL, "pong"},
        {"user.typing", "{'issueId':'i1'}", "", CATALOG_SIGNALS, "user.typing", NULL},
    };
    struct catalog *c = load("issues");

    (void)state;
    hold_messages("issues", rows, COUNT(rows));
    assert_null(catalog_message(c, span_of("issue.created")));
    assert_int_equal(c->unknown, CATALOG_IGNORE);
    catalog_unref(c);
}

static void issues_settings(void **state)
{
    static const struct room_row rows[] = {
        {"user:u1", CATALOG_SELF, true, false, true}, {"workspace:w1", STORED, false, false, false},
        {"team:t1", STORED, false, false, false},     {"issue:i1", STORED, false, false, false},
        {"project:p1", STORED, false, false, false},  {"cycle:c1", STORED, false, false, false},
    };
    struct catalog *c = load("issues");

    (void)state;
    hold_rooms("issues", rows, COUNT(rows));
    assert_null(catalog_room(c, span_of("repo:main"), NULL));
    assert_string_equal(c->notices.ack, "connection.ack");
    assert_string_equal(c->envelope.type, "type");
    assert_string_equal(c->envelope.data, "payload");
    assert_string_equal(c->envelope.time, "timestamp");
    assert_string_equal(c->envelope.user, "userId");
    assert_int_equal(c->envelope.errors, CATALOG_ERRORS_DATA);
    assert_string_equal(c->endpoints.websocket[0], "/ws");
    assert_string_equal(c->endpoints.stats[0], "/api/v1/ws/stats");
    assert_int_equal(c->auth.from, CATALOG_FROM_QUERY | CATALOG_FROM_HEADER);
    assert_int_equal(c->limits.client.count, 100);
    assert_int_equal(c->limits.client.period_ms, 60000);
    assert_int_equal(c->limits.authentication.count, 10);
    assert_int_equal(c->heartbeat.ping_ms, 30000);
    assert_int_equal(c->heartbeat.silence_ms, 60000);
    catalog_unref(c);
}

/* --- todo --- */

static void todo_events(void **state)
{
    static const struct event_row rows[] = {
        {"TASK_CREATED", "{'workspaceId':'w1','taskId':'t1'}", "workspace:w1", CATALOG_KEPT,
         CATALOG_START},
        {"TASK_UPDATED", "{'workspaceId':'w1','taskId':'t1','version':3}", "workspace:w1",
         CATALOG_KEPT, CATALOG_NEXT},
        {"TASK_COMPLETED", "{'workspaceId':'w1','taskId':'t1'}", "workspace:w1", CATALOG_KEPT,
         CATALOG_NEXT},
        {"TASK_MOVED", "{'workspaceId':'w1','taskId':'t1'}", "workspace:w1", CATALOG_KEPT,
         CATALOG_NEXT},
        {"TASK_DELETED", "{'workspaceId':'w1','taskId':'t1'}", "workspace:w1", CATALOG_KEPT,
         CATALOG_END},
        {"TASK_DELETED", "{'workspaceId':'w1'}", "event \"TASK_DELETED\": data.taskId: is missing",
         0, 0},
        {"WORKSPACE_CREATED", "{'workspaceId':'w1','userId':'u1'}", "user:u1", CATALOG_KEPT, 0},
        {"WORKSPACE_UPDATED", "{'workspaceId':'w1'}", "workspace:w1", CATALOG_KEPT, 0},
        {"WORKSPACE_DELETED", "{'workspaceId':'w1'}", "workspace:w1", CATALOG_KEPT, 0},
        {"WORKSPACE_MEMBER_ADDED", "{'workspaceId':'w1','userId':'u1'}", "workspace:w1 user:u1",
         CATALOG_KEPT, 0},
        {"WORKSPACE_MEMBER_REMOVED", "{'workspaceId':'w1','userId':'u1'}", "workspace:w1 user:u1",
         CATALOG_KEPT, 0},
        {"USER_TYPING", "{'workspaceId':'w1','taskId':'t1','isTyping':true}", "workspace:w1",
         CATALOG_SIGNAL, 0},
        {"USER_TYPING", "{'workspaceId':'w1','isTyping':'yes'}",
         "event \"USER_TYPING\": data.isTyping: must be a boolean, not \"yes\"", 0, 0},
        {"CURSOR_POSITION", "{'workspaceId':'w1','position':{'x':1,'y':2}}", "workspace:w1",
         CATALOG_SIGNAL, 0},
        {"USER_PRESENCE", "{'userId':'u1','status':'online'}",
         "event \"USER_PRESENCE\": leads to no room by itself: name one", 0, 0},
    };

    (void)state;
    hold_events("todo", rows, COUNT(rows));
    hold_all_named("todo", rows, COUNT(rows));
}

static void todo_messages(void **state)
{
    static const struct message_row rows[] = {
        {"AUTHENTICATE", "{'token':'x.y.z'}", "", CATALOG_AUTHENTICATE, NULL, NULL},
        {"AUTHENTICATE", "{}", "data.token: is missing", CATALOG_AUTHENTICATE, NULL, NULL},
        {"PING", "", "", CATALOG_PING, NULL, "PONG"},
        {"DISCONNECT", "{}", "", CATALOG_CLOSE, NULL, NULL},
        {"TASK_CREATED", "{}", "", CATALOG_PUBLISH, "TASK_CREATED", NULL},
        {"TASK_UPDATED", "{}", "", CATALOG_PUBLISH, "TASK_UPDATED", NULL},
        {"TASK_COMPLETED", "{}", "", CATALOG_PUBLISH, "TASK_COMPLETED", NULL},
        {"TASK_MOVED", "{}", "", CATALOG_PUBLISH, "TASK_MOVED", NULL},
        {"TASK_DELETED", "{}", "", CATALOG_PUBLISH, "TASK_DELETED", NULL},
        {"USER_PRESENCE", "{'status':'away'}", "", CATALOG_PRESENCE, NULL, NULL},
        {"USER_TYPING", "{}", "", CATALOG_SIGNALS, "USER_TYPING", NULL},
        {"CURSOR_POSITION", "{}", "", CATALOG_SIGNALS, "CURSOR_POSITION", NULL},
        {"SYNC_REQUEST", "{'since':'1-2'}", "", CATALOG_SYNC, NULL, "SYNC_RESPONSE"},
        {"SYNC_REQUEST", "{'workspaceId':'w1'}", "workspace:w1", CATALOG_SYNC, NULL,
         "SYNC_RESPONSE"},
    };

    (void)state;
    hold_messages("todo", rows, COUNT(rows));
}

static void todo_settings(void **state)
{
    static const struct room_row rows[] = {
        {"user:u1", CATALOG_SELF, true, false, true},
        {"workspace:w1", STORED, true, true, true},
    };
    struct catalog *c = load("todo");
    const struct catalog_room *workspace = catalog_room(c, span_of("workspace:w1"), NULL);

    (void)state;
    hold_rooms("todo", rows, COUNT(rows));
    assert_int_equal(workspace->history_ms, 7 * 86400000);
    assert_string_equal(workspace->added->type, "WORKSPACE_MEMBER_ADDED");
    assert_int_equal(catalog_event(c, span_of("TASK_UPDATED"))->conflict, CATALOG_MERGE);
    assert_int_equal(catalog_event(c, span_of("TASK_MOVED"))->conflict, CATALOG_LAST);
    assert_int_equal(c->unknown, CATALOG_IGNORE);
    assert_int_equal(c->auth.from,
                     CATALOG_FROM_MESSAGE | CATALOG_FROM_HEADER | CATALOG_FROM_PROTOCOL);
    assert_int_equal(c->auth.within_ms, 10000);
    assert_string_equal(c->envelope.time, "timestamp");
    assert_string_equal(c->endpoints.websocket[0], "/api/v1/ws");
    assert_string_equal(c->endpoints.health[0], "/api/v1/ws/health");
    assert_string_equal(c->endpoints.metrics[0], "/api/v1/ws/metrics");
    assert_int_equal(c->limits.connections, 10000);
    assert_int_equal(c->heartbeat.ping_ms, 30000);
    assert_int_equal(c->heartbeat.silence_ms, 60000);
    catalog_unref(c);
}

/* --- tenants --- */

static void tenants_events(void **state)
{
    static const struct event_row rows[] = {
        {"task:created", "{'tenantId':'t1','projectId':'p1','taskId':1}", "tenant:t1:project:p1",
         CATALOG_KEPT, 0},
        {"task:updated", "{'tenantId':'t1','projectId':'p1','taskId':1}", "tenant:t1:project:p1",
         CATALOG_KEPT, 0},
        {"task:deleted", "{'tenantId':'t1','projectId':'p1','taskId':1}", "tenant:t1:project:p1",
         CATALOG_KEPT, 0},
        {"task:deleted", "{'tenantId':'t1:project:p2','projectId':'p1','taskId':1}",
         ID_FAULT("task:deleted", "tenantId", "\"t1:project:p2\""), 0, 0},
        {"bug:created", "{'tenantId':'t1','projectId':'p1','bugId':1}", "tenant:t1:project:p1",
         CATALOG_KEPT, 0},
        {"bug:updated", "{'tenantId':'t1','projectId':'p1','bugId':1}", "tenant:t1:project:p1",
         CATALOG_KEPT, 0},
        {"feature:created", "{'tenantId':'t1','projectId':'p1','featureId':1}",
         "tenant:t1:project:p1", CATALOG_KEPT, 0},
        {"feature:updated", "{'tenantId':'t1','projectId':'p1','featureId':1}",
         "tenant:t1:project:p1", CATALOG_KEPT, 0},
        {"message:new", "{'tenantId':'t1','channelId':'c1','text':'hi'}", "tenant:t1:channel:c1",
         CATALOG_KEPT, 0},
        {"notification:new", "{'userId':'u1'}", "user:u1", CATALOG_KEPT, 0},
        {"typing:start", "{'tenantId':'t1','channelId':'c1'}", "tenant:t1:channel:c1",
         CATALOG_SIGNAL, 0},
        {"typing:stop", "{'tenantId':'t1','channelId':'c1'}", "tenant:t1:channel:c1",
         CATALOG_SIGNAL, 0},
        {"typing:stop", "{'channelId':'c1'}", "event \"typing:stop\": data.tenantId: is missing", 0,
         0},
    };

    (void)state;
    hold_events("tenants", rows, COUNT(rows));
    hold_all_named("tenants", rows, COUNT(rows));
}

static void tenants_messages(void **state)
{
    static const struct message_row rows[] = {
        {"join:project", "{'tenantId':'t1','projectId':'p1'}", "tenant:t1:project:p1", CATALOG_JOIN,
         NULL, "subscribed"},
        {"join:project", "{'projectId':'p1'}", "data.tenantId: is missing", CATALOG_JOIN, NULL,
         "subscribed"},
        {"leave:project", "{'tenantId':'t1','projectId':'p1'}", "tenant:t1:project:p1",
         CATALOG_LEAVE, NULL, "unsubscribed"},
        {"join:channel", "{'tenantId':'t1','channelId':'c1'}", "tenant:t1:channel:c1", CATALOG_JOIN,
         NULL, "subscribed"},
        {"leave:channel", "{'tenantId':'t1','channelId':'c1'}", "tenant:t1:channel:c1",
         CATALOG_LEAVE, NULL, "unsubscribed"},
        {"message:send", "{}", "", CATALOG_PUBLISH, "message:new", "published"},
        {"typing:start", "{}", "", CATALOG_SIGNALS, "typing:start", NULL},
        {"typing:stop", "{}", "", CATALOG_SIGNALS, "typing:stop", NULL},
        {"status:update", "{'status':'away'}", "", CATALOG_PRESENCE, NULL, NULL},
        {"room:who", "{'tenantId':'t1','channelId':'c1'}", "tenant:t1:channel:c1", CATALOG_WHO,
         NULL, "who"},
    };

    (void)state;
    hold_messages("tenants", rows, COUNT(rows));
}

static void tenants_settings(void **state)
{
    static const struct room_row rows[] = {
        {"user:u1", CATALOG_SELF, true, false, true},
        {"tenant:t1", STORED, true, true, false},
        {"tenant:t1:project:p1", STORED, false, true, false},
        {"tenant:t1:channel:c1", STORED, false, true, false},
    };
    struct catalog *c = load("tenants");
    struct fault f;

    (void)state;
    hold_rooms("tenants", rows, COUNT(rows));
    assert_null(catalog_room(c, span_of("tenant:t1:secret:s1"), NULL));
    assert_int_equal(c->auth.from, CATALOG_FROM_AUTH | CATALOG_FROM_HEADER | CATALOG_FROM_QUERY);
    assert_int_equal(catalog_check_claims(c, json("{'email_verified':true}"), &f), 0);
    assert_int_equal(catalog_check_claims(c, json("{'email_verified':false}"), &f), -1);
    assert_int_equal(c->auth.helper, CATALOG_HELPER_INSTEAD);
    assert_string_equal(c->presence.online->type, "user:status");
    assert_string_equal(c->presence.count->type, "room:users");
    assert_int_equal(c->heartbeat.ping_ms, 25000);
    catalog_unref(c);
}

/* --- versions --- */

static void versions_events(void **state)
{
    static const struct event_row rows[] = {
        {"task:created", "{'projectId':'p1','taskId':'t1'}", "project:p1", CATALOG_KEPT,
         CATALOG_START},
        {"task:updated", "{'projectId':'p1','taskId':'t1'}", "project:p1", CATALOG_KEPT,
         CATALOG_NEXT},
        {"task:status_changed", "{'projectId':'p1','taskId':'t1'}", "project:p1", CATALOG_KEPT,
         CATALOG_NEXT},
        {"task:deleted", "{'projectId':'p1','taskId':'t1'}", "project:p1", CATALOG_KEPT,
         CATALOG_END},
        {"comment:created", "{'projectId':'p1','taskId':'t1'}", "project:p1", CATALOG_KEPT,
         CATALOG_SAME},
        {"comment:updated", "{'projectId':'p1','taskId':'t1'}", "project:p1", CATALOG_KEPT,
         CATALOG_SAME},
        {"comment:deleted", "{'projectId':'p1','taskId':'t1'}", "project:p1", CATALOG_KEPT,
         CATALOG_SAME},
        {"task:updated", "{'projectId':'p1'}", "event \"task:updated\": data.taskId: is missing", 0,
         0},
    };

    (void)state;
    hold_events("versions", rows, COUNT(rows));
    hold_all_named("versions", rows, COUNT(rows));
}

static void versions_messages(void **state)
{
    static const struct message_row rows[] = {
        {"join:project", "{'projectId':'p1'}", "project:p1", CATALOG_JOIN, NULL, NULL},
        {"join:project", "{}", "data.projectId: is missing", CATALOG_JOIN, NULL, NULL},
        {"leave:project", "{'projectId':'p1'}", "project:p1", CATALOG_LEAVE, NULL, NULL},
    };

    (void)state;
    hold_messages("versions", rows, COUNT(rows));
}

static void versions_settings(void **state)
{
    static const struct room_row rows[] = {{"project:p1", STORED, false, true, false}};
    struct catalog *c = load("versions");
    char entity[ROOM_BYTES_MAX];
    struct fault f;

    (void)state;
    hold_rooms("versions", rows, COUNT(rows));
    const struct catalog_event *e = catalog_event(c, span_of("task:updated"));
    assert_int_equal(catalog_entity(e, json("{'projectId':'p1','taskId':'t1'}"), entity, &f), 7);
    assert_memory_equal(entity, "task:t1", 7);
    assert_int_equal(e->conflict, CATALOG_REJECT);
    assert_string_equal(c->notices.error, "error");
    assert_string_equal(c->presence.join->type, "presence:join");
    assert_string_equal(c->presence.leave->type, "presence:leave");
    catalog_unref(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kanban_events),     cmocka_unit_test(kanban_messages),
        cmocka_unit_test(kanban_settings),   cmocka_unit_test(issues_events),
        cmocka_unit_test(issues_messages),   cmocka_unit_test(issues_settings),
        cmocka_unit_test(todo_events),       cmocka_unit_test(todo_messages),
        cmocka_unit_test(todo_settings),     cmocka_unit_test(tenants_events),
        cmocka_unit_test(tenants_messages),  cmocka_unit_test(tenants_settings),
        cmocka_unit_test(versions_events),   cmocka_unit_test(versions_messages),
        cmocka_unit_test(versions_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
