#include "catalog_file.h"
#include "builtin.h"
#include "catalog_build.h"
#include "catalog_events.h"
#include "catalog_messages.h"
#include "catalog_rooms.h"
#include "catalog_settings.h"
#include "json.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#define TOP(field) offsetof(struct catalog, field)
#define PART(key, schema)                                                                          \
    {                                                                                              \
#key, schema_object, TOP(key), "{}", &(schema), 0, 0                                       \
    }

enum { SCHEMAS_MAX = 32 };

static const char *const unknown_words[] = {"refuse", "ignore", NULL};

/* Rooms before what is routed to them. */
static const struct schema_row catalog_rows[] = {
    {"name", schema_text, TOP(name), "\"unnamed\"", NULL, 1, 64},
    {"about", schema_text, TOP(about), NULL, NULL, 0, CATALOG_ABOUT_BYTES_MAX},
    {"rooms", catalog_read_rooms, 0, "{}", &catalog_room_schema, 0, 0},
    {"events", catalog_read_events, 0, "{}", &catalog_event_schema, 0, 0},
    {"messages", catalog_read_messages, 0, "{}", &catalog_message_schema, 0, 0},
    {"unknown", schema_word, TOP(unknown), "\"refuse\"", unknown_words, 0, 0},
    {"presence", schema_object, TOP(presence), NULL, &catalog_presence_schema, 0, 0},
    PART(fields, catalog_fields_schema),
    PART(notices, catalog_notices_schema),
    PART(envelope, catalog_envelope_schema),
    PART(socketio, catalog_socketio_schema),
    PART(endpoints, catalog_endpoints_schema),
    PART(auth, catalog_auth_schema),
    PART(limits, catalog_limits_schema),
    {"heartbeat", schema_object, TOP(heartbeat), NULL, &catalog_heartbeat_schema, 0, 0},
};

static int check_catalog(struct schema_reader *r, struct span object, void *into)
{
    (void)object;
    (void)into;
    return catalog_check_parents(r) == 0 && catalog_resolve(r) == 0 ? 0 : -1;
}

static const struct schema catalog_schema = {
    "a catalog", catalog_rows, sizeof(catalog_rows) / sizeof(catalog_rows[0]), check_catalog};

static struct catalog *build(struct span text)
{
    struct buf compact = {0};

    json_compact(&compact, text);
    struct catalog *c = catalog_new(buf_span(&compact));
    buf_fini(&compact);
    return c;
}

struct catalog *catalog_parse(struct span text, const char *file, struct fault *f)
{
    struct catalog_build b = {0};
    struct schema_reader r = {.text = text, .file = file, .ctx = &b, .fault = f};
    struct fault wrong;
    const char *at;

    if (json_check_at(text, &at, &wrong) != 0) {
        schema_fault(&r, at, "%s", wrong.text);
        return NULL;
    }
    b.c = build(text);
    r.arena = &b.c->arena;
    if (schema_read(&r, &catalog_schema, json_trim(text), b.c) == 0)
        return b.c;
    catalog_unref(b.c);
    return NULL;
}

static int read_all(FILE *in, struct buf *out, struct fault *f)
{
    while (!feof(in)) {
        out->len += fread(buf_room(out, BUFSIZ), 1, BUFSIZ, in);
        if (ferror(in))
            return fault_set(f, "%s", uv_strerror(-errno));
        if (out->len > CATALOG_BYTES_MAX)
            return fault_set(f, "larger than 1m, which a catalog may be");
    }
    return 0;
}

struct catalog *catalog_load(const char *path, struct fault *f)
{
    struct catalog *c = NULL;
    struct buf text = {0};
    FILE *in = fopen(path, "re");

    if (!in) {
        fault_set(f, "%s: %s", path, uv_strerror(-errno));
        return NULL;
    }
    if (read_all(in, &text, f) != 0)
        fault_at(f, "%s", path);
    else
        c = catalog_parse(buf_span(&text), path, f);
    fclose(in);
    buf_fini(&text);
    return c;
}

struct catalog *catalog_builtin(void)
{
    struct fault f;
    struct catalog *c = catalog_parse(builtin_catalog(), "examples/kanban/catalog.json", &f);

    assert(c);
    return c;
}

/* A row whose arg is a schema leads to that. */
static bool has_schema(const struct schema_row *row)
{
    return row->read == schema_object || row->read == catalog_read_rooms ||
           row->read == catalog_read_events || row->read == catalog_read_messages;
}

static void tell(const struct schema *s, const struct schema_row *row, catalog_each_key *each,
                 void *arg)
{
    struct catalog_key key = {.object = s->name, .key = row->key};
    bool inner = has_schema(row);

    if (!inner && row->preset != schema_needed)
        key.preset = row->preset;
    if (!inner)
        key.words = row->arg;
    each(arg, &key);
}

void catalog_keys(catalog_each_key *each, void *arg)
{
    const struct schema *schemas[SCHEMAS_MAX] = {&catalog_schema};
    size_t count = 1;

    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < schemas[i]->row_count; k++) {
            const struct schema_row *row = &schemas[i]->rows[k];
            tell(schemas[i], row, each, arg);
            if (!has_schema(row))
                continue;
            assert(count < SCHEMAS_MAX);
            schemas[count++] = row->arg;
        }
    }
}
