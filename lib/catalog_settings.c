#include "catalog_settings.h"
#include "catalog_build.h"
#include "json.h"
#include <stdbool.h>
#include <string.h>

#define ROWS(rows)      rows, sizeof(rows) / sizeof((rows)[0])
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

enum {
    WORD_BYTES_MAX = 64, /* a name that the gateway uses */
    PATH_BYTES_MAX = 200,
    CLAIMS_MAX = 16,
};

/* --- presence --- */

#define PRESENCE(field) offsetof(struct catalog_presence, field)

/* The bits of enum catalog_reach. */
static const char *const reach_words[] = {"joined", "member", NULL};

/* NULL: a fault. */
static const char *read_reach_room(struct schema_reader *r, const char *key, struct span value)
{
    const char *room = schema_decode(r, key, value, 1, ROOM_BYTES_MAX);

    if (!room)
        return NULL;
    if (room_check(span_of(room), r->fault) != 0) {
        schema_because(r, key, value);
        return NULL;
    }
    if (!catalog_room(catalog_build(r)->c, span_of(room), NULL)) {
        schema_fault(r, value.at, "%s: no pattern in rooms takes %s", key,
                     fault_quote(span_of(room)));
        return NULL;
    }
    return room;
}

static int reach_word(struct span value)
{
    for (int i = 0; reach_words[i]; i++)
        if (json_string_is(value, reach_words[i]))
            return i;
    return -1;
}

/* Words, and rooms: no word is one. */
static int read_reach(struct schema_reader *r, const struct schema_row *row, struct span value,
                      void *into)
{
    struct catalog_presence *p = into;
    struct schema_list list;
    size_t count = 0;

    if (schema_list(r, row, value, &list) != 0)
        return -1;
    const char **rooms = arena_alloc(r->arena, (list.count + 1) * sizeof(rooms[0]));
    for (size_t i = 0; i < list.count; i++) {
        int word = reach_word(list.at[i]);
        if (word >= 0) {
            p->reach |= 1U << word;
            continue;
        }
        rooms[count] = read_reach_room(r, row->key, list.at[i]);
        if (!rooms[count++])
            return -1;
    }
    p->reach_rooms = rooms;
    return 0;
}

static const struct schema_row presence_rows[] = {
    {"online", catalog_read_own_event, PRESENCE(online), NULL, NULL, 0, 0},
    {"away", catalog_read_own_event, PRESENCE(away), NULL, NULL, 0, 0},
    {"offline", catalog_read_own_event, PRESENCE(offline), NULL, NULL, 0, 0},
    {"join", catalog_read_own_event, PRESENCE(join), NULL, NULL, 0, 0},
    {"leave", catalog_read_own_event, PRESENCE(leave), NULL, NULL, 0, 0},
    {"viewing", catalog_read_own_event, PRESENCE(viewing), NULL, NULL, 0, 0},
    {"count", catalog_read_own_event, PRESENCE(count), NULL, NULL, 0, 0},
    {"reach", read_reach, 0, "[\"joined\", \"member\"]", reach_words, 0, 0},
    {"grace", schema_ms, PRESENCE(grace_ms), "\"2s\"", NULL, 0, 300000},
    {"crowd", schema_count, PRESENCE(crowd), "100", NULL, 0, 1000000},
    {"period", schema_ms, PRESENCE(count_ms), "\"1s\"", NULL, 100, 3600000},
};

static int check_presence(struct schema_reader *r, struct span object, void *into)
{
    struct catalog_presence *p = into;

    (void)r;
    (void)object;
    p->on = true;
    return 0;
}

const struct schema catalog_presence_schema = {"presence", ROWS(presence_rows), check_presence};

/* --- fields, notices, envelope --- */

/* Two things must not have one name. */
static int check_distinct(struct schema_reader *r, struct span object,
                          const struct schema_row *rows, size_t count, const void *into)
{
    for (size_t i = 0; i < count; i++) {
        const char *a = *(const char *const *)((const char *)into + rows[i].offset);
        for (size_t j = 0; a && j < i; j++) {
            const char *b = *(const char *const *)((const char *)into + rows[j].offset);
            if (b && strcmp(a, b) == 0)
                return schema_fault(r, schema_place(object, rows[i].key).at,
                                    "%s: \"%s\" is the name for %s already", rows[i].key, a,
                                    rows[j].key);
        }
    }
    return 0;
}

#define FIELDS(field) offsetof(struct catalog_fields, field)
#define NAME(key, offset, preset)                                                                  \
    {                                                                                              \
        key, schema_name, offset, preset, NULL, 1, WORD_BYTES_MAX                                  \
    }

static const struct schema_row fields_rows[] = {
    NAME("user", FIELDS(user), "\"userId\""),        NAME("users", FIELDS(users), "\"users\""),
    NAME("viewing", FIELDS(viewing), "\"viewing\""), NAME("status", FIELDS(status), "\"status\""),
    NAME("role", FIELDS(role), "\"role\""),          NAME("count", FIELDS(count), "\"count\""),
    NAME("room", FIELDS(room), "\"room\""),
};

static int check_fields(struct schema_reader *r, struct span object, void *into)
{
    return check_distinct(r, object, ROWS(fields_rows), into);
}

const struct schema catalog_fields_schema = {"fields", ROWS(fields_rows), check_fields};

#define NOTICES(field) offsetof(struct catalog_notices, field)

static const struct schema_row notices_rows[] = {
    NAME("ack", NOTICES(ack), "\"connection.ack\""),
    NAME("error", NOTICES(error), "\"error\""),
    NAME("gap", NOTICES(gap), "\"gap\""),
};

static int check_notices(struct schema_reader *r, struct span object, void *into)
{
    return check_distinct(r, object, ROWS(notices_rows), into);
}

const struct schema catalog_notices_schema = {"notices", ROWS(notices_rows), check_notices};

#define ENVELOPE(field) offsetof(struct catalog_envelope, field)

static const char *const errors_words[] = {"top", "data", NULL};

/* The names, then the rest. */
static const struct schema_row envelope_rows[] = {
    {"type", schema_text, ENVELOPE(type), "\"type\"", NULL, 1, WORD_BYTES_MAX},
    {"data", schema_text, ENVELOPE(data), "\"data\"", NULL, 1, WORD_BYTES_MAX},
    NAME("id", ENVELOPE(id), "\"id\""),
    NAME("room", ENVELOPE(room), "\"room\""),
    NAME("rooms", ENVELOPE(rooms), "\"rooms\""),
    NAME("user", ENVELOPE(user), "\"user\""),
    NAME("time", ENVELOPE(time), "\"time\""),
    NAME("version", ENVELOPE(version), "\"version\""),
    NAME("ref", ENVELOPE(ref), "\"ref\""),
    NAME("offline", ENVELOPE(offline), "\"offline\""),
    {"errors", schema_word, ENVELOPE(errors), "\"top\"", errors_words, 0, 0},
};

static int check_envelope(struct schema_reader *r, struct span object, void *into)
{
    return check_distinct(r, object, envelope_rows, COUNT_OF(envelope_rows) - 1, into);
}

const struct schema catalog_envelope_schema = {"envelope", ROWS(envelope_rows), check_envelope};

/* --- socketio, endpoints --- */

/* What can be a path of a URL as it is, and a namespace of Socket.IO, which a comma ends. */
static bool is_path(const char *path)
{
    if (*path != '/')
        return false;
    for (; *path != '\0'; path++)
        if (*path <= ' ' || *path > '~' || strchr("?#%,\"\\", *path))
            return false;
    return true;
}

static int read_paths(struct schema_reader *r, const struct schema_row *row, struct span value,
                      void *into)
{
    const char *const *paths;

    if (schema_texts(r, row, value, into) != 0)
        return -1;
    for (paths = *(const char *const **)into; *paths; paths++)
        if (!is_path(*paths))
            return schema_fault(r, value.at,
                                "%s: %s must begin with / and have no space and none of ? # %% , "
                                "\" \\",
                                row->key, fault_quote(span_of(*paths)));
    return 0;
}

#define SOCKETIO(field) offsetof(struct catalog_socketio, field)

static const struct schema_row socketio_rows[] = {
    {"namespaces", read_paths, SOCKETIO(namespaces), "\"/\"", NULL, 1, PATH_BYTES_MAX},
    {"meta", schema_bool, SOCKETIO(meta), "false", NULL, 0, 0},
};
const struct schema catalog_socketio_schema = {"socketio", ROWS(socketio_rows), NULL};

#define ENDPOINTS(field) offsetof(struct catalog_endpoints, field)
#define PATHS(key, field, preset)                                                                  \
    {                                                                                              \
        key, read_paths, ENDPOINTS(field), preset, NULL, 1, PATH_BYTES_MAX                         \
    }

static const struct schema_row endpoints_rows[] = {
    PATHS("websocket", websocket, "\"/ws\""),      PATHS("socketio", socketio, "\"/socket.io/\""),
    PATHS("health", health, "\"/health\""),        PATHS("metrics", metrics, "\"/metrics\""),
    PATHS("stats", stats, "\"/api/v1/ws/stats\""), PATHS("events", events, "\"/api/v1/events\""),
};

static const char *const *paths_of(const void *into, size_t row)
{
    return *(const char *const *const *)((const char *)into + endpoints_rows[row].offset);
}

/* Which endpoint before a row has the path; the row itself when none has. */
static size_t owner(const void *into, size_t row, const char *path)
{
    for (size_t i = 0; i < row; i++)
        for (const char *const *other = paths_of(into, i); *other; other++)
            if (strcmp(*other, path) == 0)
                return i;
    return row;
}

static int check_endpoints(struct schema_reader *r, struct span object, void *into)
{
    const struct catalog_endpoints *endpoints = into;

    for (size_t i = 0; i < COUNT_OF(endpoints_rows); i++) {
        for (const char *const *path = paths_of(into, i); *path; path++) {
            size_t other = owner(into, i, *path);
            if (other != i)
                return schema_fault(r, schema_place(object, endpoints_rows[i].key).at,
                                    "%s: %s is the path of %s already", endpoints_rows[i].key,
                                    *path, endpoints_rows[other].key);
        }
    }
    for (const char *const *path = endpoints->socketio; *path; path++)
        if ((*path)[strlen(*path) - 1] != '/')
            return schema_fault(r, schema_place(object, "socketio").at,
                                "socketio: must end with /");
    return 0;
}

const struct schema catalog_endpoints_schema = {"endpoints", ROWS(endpoints_rows), check_endpoints};

/* --- auth --- */

#define AUTH(field) offsetof(struct catalog_auth, field)

/* The bits of enum catalog_source. */
static const char *const from_words[] = {"query", "header", "protocol", "auth", "message", NULL};
static const char *const helper_words[] = {"never", "always", "instead", NULL};

static int read_claim(struct schema_reader *r, const struct schema_row *row, struct span key,
                      struct span value, struct catalog_claim *claim)
{
    enum json_type type = json_type(value);

    if (catalog_read_path(r, row, key, &claim->path) != 0)
        return -1;
    if (type != JSON_STRING && type != JSON_NUMBER && type != JSON_BOOL)
        return schema_wrong(r, claim->path, value, "a string, a number, true or false");
    claim->value = (struct span){arena_text(r->arena, value), value.len};
    if (type != JSON_STRING)
        return 0;
    claim->text = schema_decode(r, claim->path, value, 0, CATALOG_NAME_BYTES_MAX);
    return claim->text ? 0 : -1;
}

static int read_claims(struct schema_reader *r, const struct schema_row *row, struct span value,
                       void *into)
{
    struct catalog_auth *auth = into;
    struct json_walk w = json_walk(value);
    struct span key, one;
    size_t count;

    if (schema_size(r, row, value, CLAIMS_MAX, &count) != 0)
        return -1;
    struct catalog_claim *claims = arena_alloc(r->arena, count * sizeof(*claims));
    auth->claims = claims;
    while (json_next_member(&w, &key, &one))
        if (read_claim(r, row, key, one, &claims[auth->claim_count++]) != 0)
            return -1;
    return 0;
}

static const struct schema_row auth_rows[] = {
    {"from", schema_words, AUTH(from),
     "[\"query\", \"header\", \"protocol\", \"auth\", \"message\"]", from_words, 0, 0},
    {"within", schema_ms, AUTH(within_ms), NULL, NULL, 100, 300000},
    {"claims", read_claims, 0, NULL, NULL, 0, 0},
    {"helper", schema_word, AUTH(helper), "\"never\"", helper_words, 0, 0},
};

static int check_auth(struct schema_reader *r, struct span object, void *into)
{
    static const char *const within[] = {"within", NULL};
    const struct catalog_auth *auth = into;

    if ((auth->from & CATALOG_FROM_MESSAGE) == 0 &&
        catalog_of_no_use(r, object, within, "\"message\" in from") != 0)
        return -1;
    if (auth->helper == CATALOG_HELPER_INSTEAD && auth->claim_count == 0)
        return schema_fault(r, schema_place(object, "helper").at,
                            "helper: \"instead\" is of no use without claims");
    return 0;
}

const struct schema catalog_auth_schema = {"auth", ROWS(auth_rows), check_auth};

/* --- limits, heartbeat --- */

#define LIMITS(field) offsetof(struct catalog_limits, field)
#define RATE(key, field)                                                                           \
    {                                                                                              \
        key, schema_rate, LIMITS(field), NULL, NULL, 1, 1000000000                                 \
    }
#define MOST(key, field)                                                                           \
    {                                                                                              \
        key, schema_count, LIMITS(field), NULL, NULL, 1, 4000000                                   \
    }

static const struct schema_row limits_rows[] = {
    RATE("client", client),
    RATE("user", user),
    RATE("room", room),
    RATE("authentication", authentication),
    MOST("connections", connections),
    MOST("user_connections", user_connections),
    MOST("address_connections", address_connections),
    MOST("rooms", rooms),
    {"message", schema_bytes, LIMITS(message_bytes), NULL, NULL, 1024, 64 << 20},
};
const struct schema catalog_limits_schema = {"limits", ROWS(limits_rows), NULL};

#define HEARTBEAT(field) offsetof(struct catalog_heartbeat, field)

static const struct schema_row heartbeat_rows[] = {
    {"ping", schema_ms, HEARTBEAT(ping_ms), schema_needed, NULL, 100, 3600000},
    {"silence", schema_ms, HEARTBEAT(silence_ms), schema_needed, NULL, 200, 7200000},
};

static int check_heartbeat(struct schema_reader *r, struct span object, void *into)
{
    const struct catalog_heartbeat *h = into;

    if (h->silence_ms <= h->ping_ms)
        return schema_fault(r, schema_place(object, "silence").at,
                            "silence: must be longer than ping");
    return 0;
}

const struct schema catalog_heartbeat_schema = {"heartbeat", ROWS(heartbeat_rows), check_heartbeat};
