#include "catalog.h"
#include "json.h"
#include "mem.h"
#include "near.h"
#include <assert.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { GUESSES_MAX = 256 }; /* names looked at for likeness: a client may make us do it */

/* A name, and what it means. */
struct entry {
    const void *value;
    UT_hash_handle hh;
};

struct catalog_index {
    struct entry *events;
    struct entry *messages;
    const struct catalog_event **families; /* the longest prefix first */
    size_t family_count;
    const struct catalog_room *rooms[CATALOG_ROOMS_MAX]; /* the most special first */
    size_t room_count;
};

/* --- Life --- */

static void digest(struct span text, char out[CATALOG_DIGEST_CHARS + 1])
{
    unsigned char bytes[CATALOG_DIGEST_CHARS / 2];

    if (EVP_Digest(text.at, text.len, bytes, NULL, EVP_sha256(), NULL) != 1)
        abort();
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

struct catalog *catalog_new(struct span text)
{
    struct catalog *c = mem_zero(sizeof(*c));

    c->refs = 1;
    c->index = arena_alloc(&c->arena, sizeof(*c->index));
    c->text = (struct span){arena_text(&c->arena, text), text.len};
    digest(text, c->digest);
    return c;
}

struct catalog *catalog_ref(struct catalog *c)
{
    c->refs++;
    return c;
}

void catalog_unref(struct catalog *c)
{
    if (!c || --c->refs > 0)
        return;
    HASH_CLEAR(hh, c->index->events);
    HASH_CLEAR(hh, c->index->messages);
    arena_fini(&c->arena);
    free(c);
}

/* --- Names --- */

static const void *find_text(struct entry *entries, struct span name)
{
    struct entry *found;

    HASH_FIND(hh, entries, name.at, name.len, found);
    return found ? found->value : NULL;
}

/* The text of a name with escapes; false when they are wrong. */
static bool decode(struct span name, struct buf *text)
{
    struct buf quoted = {0};
    struct fault unsaid;

    buf_printf(&quoted, "\"%.*s\"", (int)name.len, name.at);
    bool good = json_check(buf_span(&quoted), &unsaid) == 0;
    if (good)
        json_decode(buf_span(&quoted), text);
    buf_fini(&quoted);
    return good;
}

static const void *find(struct entry *entries, struct span name)
{
    const void *found = NULL;
    struct buf text = {0};

    if (name.len == 0 || !memchr(name.at, '\\', name.len))
        return find_text(entries, name);
    if (decode(name, &text))
        found = find_text(entries, buf_span(&text));
    buf_fini(&text);
    return found;
}

static bool add(struct catalog *c, struct entry **entries, const char *name, const void *value)
{
    if (find_text(*entries, span_of(name)))
        return false;
    struct entry *e = arena_alloc(&c->arena, sizeof(*e));
    e->value = value;
    HASH_ADD_KEYPTR(hh, *entries, name, strlen(name), e);
    return true;
}

/* --- Events --- */

static bool is_family(const char *type)
{
    return type[strlen(type) - 1] == '*';
}

static void add_family(struct catalog *c, const struct catalog_event *e)
{
    struct catalog_index *x = c->index;
    size_t i = x->family_count;

    x->families = arena_append(&c->arena, x->families, i, sizeof(x->families[0]));
    for (; i > 0 && strlen(x->families[i - 1]->type) < strlen(e->type); i--)
        x->families[i] = x->families[i - 1];
    x->families[i] = e;
    x->family_count++;
}

bool catalog_add_event(struct catalog *c, struct catalog_event *e)
{
    if (!add(c, &c->index->events, e->type, e))
        return false;
    if (is_family(e->type))
        add_family(c, e);
    return true;
}

static const struct catalog_event *find_family(const struct catalog_index *x, struct span type)
{
    for (size_t i = 0; i < x->family_count; i++) {
        const char *family = x->families[i]->type;
        size_t prefix = strlen(family) - 1;
        if (type.len >= prefix && memcmp(type.at, family, prefix) == 0)
            return x->families[i];
    }
    return NULL;
}

const struct catalog_event *catalog_event(const struct catalog *c, struct span type)
{
    const struct catalog_event *e = find(c->index->events, type);

    if (e && !is_family(e->type))
        return e;
    return find_family(c->index, type);
}

int catalog_no_event(const struct catalog *c, struct span type, struct fault *f)
{
    const char *nearest = NULL;
    int least = NEAR_NOT;

    for (size_t i = 0; i < c->event_count && i < GUESSES_MAX; i++) {
        int far = near_distance(type, c->events[i].type);
        if (far >= least || !find_text(c->index->events, span_of(c->events[i].type)))
            continue;
        least = far;
        nearest = c->events[i].type;
    }
    if (!nearest)
        return fault_set(f, "no event has the type %s", fault_quote(type));
    return fault_set(f, "no event has the type %s (did you mean %s?)", fault_quote(type), nearest);
}

/* Says whose fault it is. */
static int blame(struct span type, struct fault *f)
{
    return fault_at(f, "event %s", fault_quote(type));
}

int catalog_check(const struct catalog_event *e, struct span type, struct span data,
                  struct fault *f)
{
    return route_check(&e->route, data, f) == 0 ? 0 : blame(type, f);
}

int catalog_route(const struct catalog_event *e, struct span type, struct span data,
                  struct route_rooms *out, struct fault *f)
{
    if (route_find(&e->route, data, out, f) != 0)
        return blame(type, f);
    if (out->count == 0) {
        route_none(&e->route, f);
        return blame(type, f);
    }
    return 0;
}

int catalog_entity(const struct catalog_event *e, struct span data, char entity[ROOM_BYTES_MAX],
                   struct fault *f)
{
    return e->entity ? route_expand(&e->route, e->entity, data, entity, f) : 0;
}

/* Appends the members but those of a name. Returns whether there were any. */
static bool add_others(struct span object, const char *name, struct buf *out)
{
    struct json_walk w = json_walk(object);
    struct span key, value;
    bool any = false;

    while (json_next_member(&w, &key, &value)) {
        if (json_string_is(key, name))
            continue;
        buf_text(out, any ? "," : "");
        buf_join(out, key);
        buf_char(out, ':');
        buf_join(out, value);
        any = true;
    }
    return any;
}

void catalog_add_user(const struct catalog_event *e, struct span data, struct span user,
                      struct buf *out)
{
    if (!e->user || (data.len != 0 && json_type(data) != JSON_OBJECT)) {
        buf_join(out, data);
        return;
    }
    buf_char(out, '{');
    if (add_others(data, e->user, out))
        buf_char(out, ',');
    json_encode(out, span_of(e->user));
    buf_char(out, ':');
    json_encode(out, user);
    buf_char(out, '}');
}

/* --- Leaving out --- */

static const void *strike(struct entry **entries, struct span name)
{
    struct entry *found;

    HASH_FIND(hh, *entries, name.at, name.len, found);
    if (found)
        HASH_DEL(*entries, found);
    return found ? found->value : NULL;
}

static void strike_family(struct catalog_index *x, const struct catalog_event *e)
{
    size_t kept = 0;

    for (size_t i = 0; i < x->family_count; i++)
        if (x->families[i] != e)
            x->families[kept++] = x->families[i];
    x->family_count = kept;
}

static void strike_presence(struct catalog_presence *p, const struct catalog_event *e)
{
    const struct catalog_event **const told[] = {
        &p->online, &p->away, &p->offline, &p->join, &p->leave, &p->viewing, &p->count,
    };

    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
        if (*told[i] == e)
            *told[i] = NULL;
}

int catalog_leave_out(struct catalog *c, struct span name, struct fault *f)
{
    const struct catalog_event *e = strike(&c->index->events, name);
    const struct catalog_message *m = strike(&c->index->messages, name);

    if (!e && !m)
        return fault_set(f, "no event and no message has the name %s", fault_quote(name));
    for (size_t i = 0; e && i < c->message_count; i++)
        if (c->messages[i].event == e)
            strike(&c->index->messages, span_of(c->messages[i].name));
    if (e) {
        strike_family(c->index, e);
        strike_presence(&c->presence, e);
    }
    return 0;
}

/* --- Rooms --- */

const struct catalog_room *catalog_add_room(struct catalog *c, const struct catalog_room *r)
{
    struct catalog_index *x = c->index;
    size_t i = x->room_count;

    while (i > 0 && shape_compare(&x->rooms[i - 1]->pattern, &r->pattern) > 0)
        i--;
    if (i > 0 && shape_compare(&x->rooms[i - 1]->pattern, &r->pattern) == 0)
        return x->rooms[i - 1];
    assert(x->room_count < CATALOG_ROOMS_MAX);
    memmove(&x->rooms[i + 1], &x->rooms[i], (x->room_count - i) * sizeof(x->rooms[0]));
    x->rooms[i] = r;
    x->room_count++;
    return NULL;
}

const struct catalog_room *catalog_room(const struct catalog *c, struct span room,
                                        struct span captures[SHAPE_SEGMENTS_MAX])
{
    const struct catalog_index *x = c->index;

    for (size_t i = 0; i < x->room_count; i++)
        if (shape_takes(&x->rooms[i]->pattern, room, captures))
            return x->rooms[i];
    return NULL;
}

int catalog_parent(const struct catalog_room *r, struct span room, char parent[ROOM_BYTES_MAX])
{
    struct span captures[SHAPE_SEGMENTS_MAX];

    if (!r->parent || !shape_takes(&r->pattern, room, captures))
        return 0;
    int len = shape_expand(r->parent, captures, parent);
    return len > 0 ? len : 0;
}

int catalog_own_room(const struct catalog_room *r, struct span user, char room[ROOM_BYTES_MAX],
                     struct fault *f)
{
    assert((r->join & CATALOG_SELF) != 0);
    if (!room_is_segment(user))
        return fault_set(f, "user %s: only letters, digits and . _ ~ @ - can stand in a room",
                         fault_quote(user));
    int len = shape_expand(&r->pattern, &user, room);
    return len >= 0 ? len
                    : fault_set(f, "user %s: too long for a room of 200 bytes", fault_quote(user));
}

/* --- Messages --- */

static const struct {
    const char *word;
} actions[] = {
#define X(name, word, reply, rooms, event, arguments) [name] = {word},
    CATALOG_ACTIONS(X)
#undef X
};

static const char *const arguments[] = {
#define X(name, word) [name] = word,
    CATALOG_ARGUMENTS(X)
#undef X
};

bool catalog_add_message(struct catalog *c, struct catalog_message *m)
{
    return add(c, &c->index->messages, m->name, m);
}

const struct catalog_message *catalog_message(const struct catalog *c, struct span name)
{
    return find(c->index->messages, name);
}

int catalog_message_route(const struct catalog_message *m, struct span data,
                          struct route_rooms *out, struct fault *f)
{
    return route_find(&m->route, data, out, f);
}

bool catalog_take(const struct catalog_message *m, enum catalog_argument argument, struct span data,
                  struct span *value)
{
    assert(m->arguments[argument]);
    return json_find(data, m->arguments[argument], value) && json_type(*value) != JSON_NULL;
}

const char *catalog_action_word(enum catalog_action action)
{
    return actions[action].word;
}

const char *catalog_argument_word(enum catalog_argument argument)
{
    return arguments[argument];
}

/* --- Claims --- */

static bool claim_is(const struct catalog_claim *claim, struct span value)
{
    if (!claim->text)
        return span_equal(value, claim->value);
    return json_type(value) == JSON_STRING && json_string_is(value, claim->text);
}

int catalog_check_claims(const struct catalog *c, struct span claims, struct fault *f)
{
    for (size_t i = 0; i < c->auth.claim_count; i++) {
        const struct catalog_claim *claim = &c->auth.claims[i];
        struct span value;
        if (!json_find(claims, claim->path, &value))
            return fault_set(f, "claim %s: is missing", claim->path);
        if (!claim_is(claim, value))
            return fault_set(f, "claim %s: must be %.*s", claim->path, (int)claim->value.len,
                             claim->value.at);
    }
    return 0;
}

int catalog_address(const struct catalog *c, struct event *e, struct route_rooms *routed,
                    struct fault *f)
{
    const struct catalog_event *rule = catalog_event(c, e->type);

    if (!rule)
        return e->room_count != 0 ? 0 : fault_set(f, "room: an event needs a room to go to");
    if (e->room_count != 0)
        return catalog_check(rule, e->type, e->data, f);
    if (catalog_route(rule, e->type, e->data, routed, f) != 0)
        return -1;
    for (; e->room_count < routed->count; e->room_count++)
        e->rooms[e->room_count] = routed->at[e->room_count];
    return 0;
}

bool catalog_has_path(const char *const *paths, struct span path)
{
    for (; *paths; paths++)
        if (span_is(path, *paths))
            return true;
    return false;
}
