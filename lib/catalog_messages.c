#include "catalog_messages.h"
#include "catalog_build.h"
#include "json.h"
#include <string.h>

#define MESSAGE(field) offsetof(struct catalog_message, field)
#define ROWS(rows)     rows, sizeof(rows) / sizeof((rows)[0])

static const struct {
    const char *reply;
    bool rooms, event;
    const char *arguments;
} actions[] = {
#define X(name, word, reply, rooms, event, arguments) [name] = {reply, rooms, event, arguments},
    CATALOG_ACTIONS(X)
#undef X
};

static const char *const action_words[] = {
#define X(name, word, reply, rooms, event, arguments) word,
    CATALOG_ACTIONS(X)
#undef X
        NULL,
};

/* What every catalog has, unless it gives the name a meaning of its own. */
static const struct {
    const char *name;
    enum catalog_action action;
} protocol_messages[] = {
    {"authenticate", CATALOG_AUTHENTICATE},
    {"subscribe", CATALOG_JOIN},
    {"unsubscribe", CATALOG_LEAVE},
    {"presence", CATALOG_PRESENCE},
    {"viewing", CATALOG_VIEWING},
    {"signal", CATALOG_SIGNALS},
    {"publish", CATALOG_PUBLISH},
    {"sync", CATALOG_SYNC},
    {"who", CATALOG_WHO},
    {"acknowledge", CATALOG_ACKNOWLEDGE},
    {"ping", CATALOG_PING},
};
enum { PROTOCOL_MESSAGES = sizeof(protocol_messages) / sizeof(protocol_messages[0]) };

static bool has_argument(enum catalog_action action, enum catalog_argument argument)
{
    const char *word = catalog_argument_word(argument);
    const char *found = strstr(actions[action].arguments, word);

    return found && (found[strlen(word)] == ' ' || found[strlen(word)] == '\0');
}

static void preset_message(struct catalog_message *m)
{
    m->reply = actions[m->action].reply;
    for (int i = 0; i < CATALOG_ARGUMENT_COUNT; i++)
        if (has_argument(m->action, i))
            m->arguments[i] = catalog_argument_word(i);
}

static int read_action(struct schema_reader *r, const struct schema_row *row, struct span value,
                       void *into)
{
    struct catalog_message *m = into;
    int action;

    if (schema_word(r, row, value, &action) != 0)
        return -1;
    m->action = (enum catalog_action)action;
    preset_message(m);
    return 0;
}

static int no_argument(struct schema_reader *r, const struct catalog_message *m, struct span key)
{
    const char *arguments = actions[m->action].arguments;

    return schema_fault(r, key.at, "arguments: %s takes %s, not %s", catalog_action_word(m->action),
                        *arguments != '\0' ? arguments : "none",
                        fault_quote((struct span){key.at + 1, key.len - 2}));
}

static int read_argument(struct schema_reader *r, struct catalog_message *m, struct span key,
                         struct span value)
{
    for (int i = 0; i < CATALOG_ARGUMENT_COUNT; i++) {
        struct schema_row row = {.key = catalog_argument_word(i)};
        if (m->arguments[i] && json_string_is(key, row.key))
            return catalog_read_path(r, &row, value, &m->arguments[i]);
    }
    return no_argument(r, m, key);
}

static int read_arguments(struct schema_reader *r, const struct schema_row *row, struct span value,
                          void *into)
{
    struct json_walk w = json_walk(value);
    struct span key, one;
    size_t count;

    if (schema_size(r, row, value, SIZE_MAX, &count) != 0)
        return -1;
    while (json_next_member(&w, &key, &one))
        if (read_argument(r, into, key, one) != 0)
            return -1;
    return 0;
}

/* The action first: it says what the others may be. */
static const struct schema_row message_rows[] = {
    {"about", schema_text, MESSAGE(about), NULL, NULL, 0, CATALOG_ABOUT_BYTES_MAX},
    {"action", read_action, 0, schema_needed, action_words, 0, 0},
    {"need", catalog_read_fields, MESSAGE(route), NULL, NULL, 0, 0},
    {"may", catalog_read_fields, MESSAGE(route), NULL, NULL, 0, 0},
    {"rooms", catalog_read_templates, MESSAGE(route), NULL, NULL, 0, 0},
    {"event", catalog_read_event, MESSAGE(event), NULL, NULL, 0, 0},
    {"arguments", read_arguments, 0, NULL, NULL, 0, 0},
    {"reply", schema_name, MESSAGE(reply), NULL, NULL, 1, CATALOG_NAME_BYTES_MAX},
};

static int check_message(struct schema_reader *r, struct span object, void *into)
{
    static const char *const of_rooms[] = {"rooms", NULL};
    static const char *const of_events[] = {"event", NULL};
    const struct catalog_message *m = into;

    if (!actions[m->action].rooms &&
        catalog_of_no_use(r, object, of_rooms, "an action that takes rooms") != 0)
        return -1;
    if (!actions[m->action].event &&
        catalog_of_no_use(r, object, of_events, "the action \"publish\" or \"signal\"") != 0)
        return -1;
    return 0;
}

const struct schema catalog_message_schema = {"a message", ROWS(message_rows), check_message};

static int read_message(struct schema_reader *r, struct catalog_message *m, struct span key,
                        struct span value)
{
    m->name = schema_decode(r, "messages", key, 1, EVENT_TYPE_BYTES_MAX);
    if (!m->name)
        return -1;
    if (!catalog_add_message(catalog_build(r)->c, m))
        return schema_fault(r, key.at, "messages: %s stands there twice",
                            fault_quote(span_of(m->name)));
    return schema_read(r, &catalog_message_schema, value, m);
}

static void add_protocol_messages(struct catalog *c, struct catalog_message *messages)
{
    for (size_t i = 0; i < PROTOCOL_MESSAGES; i++) {
        struct catalog_message *m = &messages[c->message_count];
        *m = (struct catalog_message){.name = protocol_messages[i].name,
                                      .action = protocol_messages[i].action};
        preset_message(m);
        if (catalog_add_message(c, m))
            c->message_count++;
    }
}

int catalog_read_messages(struct schema_reader *r, const struct schema_row *row, struct span value,
                          void *into)
{
    struct catalog *c = catalog_build(r)->c;
    struct json_walk w = json_walk(value);
    struct span key, one;
    size_t count;

    (void)into;
    if (schema_size(r, row, value, SIZE_MAX, &count) != 0)
        return -1;
    count += PROTOCOL_MESSAGES;
    struct catalog_message *messages = arena_alloc(r->arena, count * sizeof(*messages));
    c->messages = messages;
    while (json_next_member(&w, &key, &one))
        if (read_message(r, &messages[c->message_count++], key, one) != 0)
            return -1;
    add_protocol_messages(c, messages);
    return 0;
}
