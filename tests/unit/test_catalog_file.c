#include "builtin.h"
#include "catalog_file.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static struct catalog *parse(const char *text)
{
    struct fault f;
    struct catalog *c = catalog_parse(span_of(text), "c.json", &f);

    if (!c)
        fail_msg("%s", f.text);
    return c;
}

/* --- Faults: what follows "c.json:1:" --- */

static void hold_faults(const char *const faults[][2], size_t count)
{
    struct fault f;

    for (size_t i = 0; i < count; i++) {
        char wanted[sizeof(f.text)];
        struct catalog *c = catalog_parse(span_of(faults[i][0]), "c.json", &f);
        if (c) {
            catalog_unref(c);
            fail_msg("taken: %s", faults[i][0]);
        }
        snprintf(wanted, sizeof(wanted), "c.json:1:%s", faults[i][1]);
        assert_string_equal(f.text, wanted);
    }
}

static void faults_of_the_whole(void **state)
{
    static const char *const faults[][2] = {
        {"[]", "1: a catalog must be an object, not an array"},
        {"{\"evnts\": {}}", "2: unknown key \"evnts\" in a catalog (did you mean events?)"},
        {"{\"port\": 80}",
         "2: unknown key \"port\" in a catalog: expected one of name, about, rooms, events, "
         "messages, unknown, presence, fields, notices, envelope, socketio, endpoints, auth, "
         "limits, heartbeat"},
        {"{\"rooms\": {}, \"rooms\": {}}", "15: key \"rooms\" stands there twice"},
        {"{\"name\": \"\"}", "10: name: must be a string of 1 to 64 bytes, not one of 0"},
        {"{\"rooms\": []}", "11: rooms: must be an object, not an array"},
        {"{\"events\": 1}", "12: events: must be an object, not 1"},
        {"{\"messages\": null}", "14: messages: must be an object, not null"},
        {"{\"unknown\": \"drop\"}", "13: unknown: must be one of refuse, ignore, not \"drop\""},
    };
    struct fault f;

    (void)state;
    hold_faults(faults, COUNT(faults));
    assert_null(catalog_parse(span_of("{\n \"name\": }"), "c.json", &f));
    assert_string_equal(f.text, "c.json:2:10: expected a value, found \"}\"");
}

#define ROOM(text) "{\"rooms\": {" text "}}"

static void faults_of_rooms(void **state)
{
    static const char *const faults[][2] = {
        {ROOM("\"task\": {}"), "12: rooms: \"task\": must be kind:id or longer"},
        {ROOM("\"\": {}"), "12: rooms: must be a string of 1 to 200 bytes, not one of 0"},
        {ROOM("\"a:{b.c}\": {}"),
         "12: rooms: \"a:{b.c}\": \"{b.c}\": a name is of letters, digits, _ and -"},
        {ROOM("\"a:{b}\": {}, \"a:{c}\": {}"),
         "25: rooms: \"a:{c}\" takes the same rooms as \"a:{b}\""},
        {ROOM("\"a:{b}\": []"), "21: a room must be an object, not an array"},
        {ROOM("\"a:{b}\": {\"jion\": 1}"),
         "22: unknown key \"jion\" in a room (did you mean join?)"},
        {ROOM("\"a:{b}\": {\"join\": 1}"),
         "30: join: must be a string or an array of strings, not 1"},
        {ROOM("\"a:{b}\": {\"join\": \"membr\"}"),
         "30: join: must be one of grant, self, any, member, helper, not \"membr\" (did you mean "
         "member?)"},
        {ROOM("\"a:{b}\": {\"join\": []}"), "30: join: must not be empty"},
        {ROOM("\"a:{b}:{c}\": {\"join\": \"self\"}"),
         "34: join: \"self\" is for patterns with one {name}, the user's"},
        {ROOM("\"a:b\": {\"join\": \"self\"}"),
         "28: join: \"self\" is for patterns with one {name}, the user's"},
        {ROOM("\"a:{b}:*\": {\"join\": \"self\"}"),
         "32: join: \"self\" is for patterns with one {name}, the user's"},
        {ROOM("\"a:{b}\": {\"roles\": \"owner\"}"),
         "31: roles: of no use without \"member\" in join"},
        {ROOM("\"a:{b}:c\": {\"parent\": \"a:{b}\"}"),
         "34: parent: of no use without \"member\" in join"},
        {ROOM("\"a:{b}:c\": {\"join\": \"member\", \"parent\": \"a\"}"),
         "52: parent: \"a\": must be kind:id or longer"},
        {ROOM("\"a:{b}:c\": {\"join\": \"member\", \"parent\": \"a:{x}\"}"),
         "52: parent: {x} is no name in a:{b}:c"},
        {ROOM("\"a:{b}\": {\"join\": \"member\", \"parent\": \"c:{b}\"}"),
         "50: parent: must have fewer segments than a:{b}"},
        {ROOM("\"a:{b}:c\": {\"join\": \"member\", \"parent\": \"d:{b}\"}, \"e:{b}\": {}"),
         "52: parent: no pattern in rooms takes \"d:{b}\" (did you mean e:{b}?)"},
        {ROOM("\"a:{b}\": {\"auto\": 1}"), "30: auto: must be true or false, not 1"},
        {ROOM("\"a:{b}\": {\"offline\": true}"),
         "33: offline: of no use without \"self\" or \"member\" in join"},
        {ROOM("\"a:{b}\": {\"offline\": true, \"join\": \"self\", \"history\": {\"length\": 0}}"),
         "33: offline: of no use without a history"},
        {ROOM("\"a:{b}\": {\"offline\": true, \"join\": \"self\"}"),
         "33: offline: of no use without auto"},
        {ROOM("\"a:{b}\": {\"history\": {\"length\": 1000001}}"),
         "44: length: out of range 0 to 1000000"},
        {ROOM("\"a:{b}\": {\"history\": {\"age\": \"1ms\"}}"), "41: age: out of range 1s to 3650d"},
        {ROOM("\"a:{b}\": {\"history\": {\"size\": 1}}"),
         "34: unknown key \"size\" in history: expected one of length, age"},
        {ROOM("\"a:{b}\": {\"members\": {\"added\": \"x\"}}"),
         "43: added: no event has the type \"x\""},
        {ROOM("\"a:{b}\": {\"members\": {\"added\": 1}}"),
         "43: added: must be the type of an event, not 1"},
    };

    (void)state;
    hold_faults(faults, COUNT(faults));
}

#define EVENT(text) "{\"rooms\": {\"a:{b}\": {}, \"*\": {}}, \"events\": {\"e\": {" text "}}}"

static void faults_of_events(void **state)
{
    static const char *const faults[][2] = {
        {"{\"events\": {\"\": {}}}",
         "13: events: must be a string of 1 to 128 bytes, not one of 0"},
        {"{\"events\": {\"a\\n\": {}}}", "13: events: must have no control characters"},
        {"{\"events\": {\"a\": {}, \"a\": {}}}", "22: events: \"a\" stands there twice"},
        {"{\"events\": {\"a\": 1}}", "18: an event must be an object, not a number"},
        {EVENT("\"clas\": 1"), "52: unknown key \"clas\" in an event (did you mean class?)"},
        {EVENT("\"class\": \"stored\""),
         "61: class: must be one of kept, live, signal, not \"stored\""},
        {EVENT("\"to\": 1"), "58: to: must be a string or an array of strings, not 1"},
        {EVENT("\"to\": [\"a:{b}\", 1]"), "68: to: must be an array of strings, not 1"},
        {EVENT("\"to\": \"a\""), "58: to: \"a\": must be kind:id or longer"},
        {EVENT("\"to\": \"c:{b}\""),
         "58: to: no pattern in rooms takes \"c:{b}\" (did you mean a:{b}?)"},
        {EVENT("\"to\": \"room:{b}\""), "58: to: no pattern in rooms takes \"room:{b}\""},
        {EVENT("\"to\": [\"a:{b}\", \"a:{b}\"]"), "68: to: \"a:{b}\" stands there twice"},
        {EVENT("\"to\": [\"a:1\",\"a:2\",\"a:3\",\"a:4\",\"a:5\",\"a:6\",\"a:7\",\"a:8\",\"a:9\","
               "\"a:10\",\"a:11\",\"a:12\",\"a:13\",\"a:14\",\"a:15\",\"a:16\",\"a:17\"]"),
         "162: to: more than 16 rooms"},
        {EVENT("\"to\": \"a:{x}\", \"need\": {\"x\": \"bool\"}"),
         "58: to: \"a:{x}\": {x} is of the kind \"bool\", of which no room can be made"},
        {EVENT("\"need\": 1"), "60: need: must be an object, or an array of names, not 1"},
        {EVENT("\"need\": [1]"), "61: need: must be an array of strings, not 1"},
        {EVENT("\"need\": [\"x\", \"x\"]"), "66: need: \"x\" stands there twice"},
        {EVENT("\"need\": \"x\", \"may\": [\"x\"]"), "73: may: \"x\" stands there twice"},
        {EVENT("\"need\": [\"x y\"]"),
         "61: need: must be a name of letters, digits, _ and -, or such names with dots between "
         "them, not \"x y\""},
        {EVENT("\"need\": {\"x\": \"int\"}"),
         "66: x: must be one of any, id, cuid, uuid, ulid, string, number, integer, bool, object, "
         "array, not \"int\" (did you mean integer?)"},
        {EVENT("\"need\": {\"x\": 1}"),
         "66: x: must be a kind of field, or an array of words, not 1"},
        {EVENT("\"need\": {\"x\": []}"), "66: x: must not be empty"},
        {EVENT("\"publish\": \"all\""),
         "63: publish: must be one of none, grant, joined, member, not \"all\""},
        {EVENT("\"publish\": [\"none\", \"member\"]"), "63: publish: \"none\" must stand alone"},
        {EVENT("\"roles\": \"owner\", \"publish\": \"joined\""),
         "61: roles: of no use without \"member\" in publish"},
        {EVENT("\"user\": \"a.b\""), "60: user: must be a field of the data itself, not \"a.b\""},
        {EVENT("\"entity\": \"a:{b}\""), "62: entity: of no use without version"},
        {EVENT("\"version\": \"next\""), "63: version: needs an entity, whose version it is"},
        {EVENT("\"version\": \"next\", \"entity\": \"x:{y}\""),
         "81: entity: {y} must be in need, for a version"},
        {EVENT("\"version\": \"next\", \"entity\": \"x:{y}\", \"need\": [\"y\"], \"class\": "
               "\"live\""),
         "63: version: only events of the class \"kept\" have one"},
        {EVENT("\"conflict\": \"last\""), "64: conflict: of no use without version"},
        {EVENT("\"expect\": \"v\""), "62: expect: of no use without version"},
        {EVENT("\"expect\": \"v\", \"need\": {\"v\": \"string\"}"),
         "62: expect: v must be of the kind \"integer\""},
        {EVENT("\"expires\": \"5s\""), "63: expires: of no use without the class \"signal\""},
        {EVENT("\"then\": \"e\""), "60: then: of no use without the class \"signal\""},
        {EVENT("\"rate\": \"1/1s\""), "60: rate: of no use without the class \"signal\""},
        {EVENT("\"class\": \"signal\", \"then\": \"e\""), "79: then: must be another event"},
        {EVENT("\"class\": \"signal\", \"then\": \"f\"}, \"g\": {\"class\": \"signal\", \"then\": "
               "\"f\"}, \"f\": {"),
         "79: then: \"f\" is what follows g already"},
        {EVENT("\"class\": \"signal\", \"then\": \"f*\"}, \"f*\": {"),
         "79: then: must be one event, not a family"},
    };

    (void)state;
    hold_faults(faults, COUNT(faults));
}

#define MESSAGE(text) "{\"rooms\": {\"a:{b}\": {}}, \"messages\": {\"m\": {" text "}}}"

static void faults_of_messages(void **state)
{
    static const char *const faults[][2] = {
        {MESSAGE(""), "44: a message must have the key action"},
        {MESSAGE("\"action\": \"jion\""),
         "55: action: must be one of authenticate, join, leave, presence, viewing, signal, "
         "publish, sync, who, acknowledge, ping, close, not \"jion\" (did you mean join?)"},
        {MESSAGE("\"action\": \"ping\"}, \"m\": {"), "64: messages: \"m\" stands there twice"},
        {MESSAGE("\"action\": \"ping\", \"rooms\": \"a:{b}\""),
         "72: rooms: of no use without an action that takes rooms"},
        {MESSAGE("\"action\": \"join\", \"rooms\": \"b:{b}\""),
         "72: rooms: no pattern in rooms takes \"b:{b}\" (did you mean a:{b}?)"},
        {MESSAGE("\"action\": \"join\", \"event\": \"e\""),
         "72: event: of no use without the action \"publish\" or \"signal\""},
        {MESSAGE("\"action\": \"publish\", \"event\": \"e\""),
         "75: event: no event has the type \"e\""},
        {MESSAGE("\"action\": \"join\", \"arguments\": 1"),
         "76: arguments: must be an object, not 1"},
        {MESSAGE("\"action\": \"join\", \"arguments\": {\"status\": \"s\"}"),
         "77: arguments: join takes rooms since, not \"status\""},
        {MESSAGE("\"action\": \"close\", \"arguments\": {\"status\": \"s\"}"),
         "78: arguments: close takes none, not \"status\""},
        {MESSAGE("\"action\": \"join\", \"arguments\": {\"rooms\": \"\"}"),
         "86: rooms: must be a string of 1 to 128 bytes, not one of 0"},
        {MESSAGE("\"action\": \"join\", \"reply\": true"),
         "72: reply: must be a string, or null to leave it out, not true"},
    };

    (void)state;
    hold_faults(faults, COUNT(faults));
}

#define PRESENCE(text)   "{\"events\": {\"e\": {\"publish\": \"grant\"}}, \"presence\": {" text "}}"
#define PART(name, text) "{\"" name "\": {" text "}}"

static void faults_of_settings(void **state)
{
    static const char *const faults[][2] = {
        {PRESENCE("\"online\": \"x\""), "64: online: no event has the type \"x\""},
        {PRESENCE("\"online\": \"e\""),
         "30: publish: must be \"none\": as \"online\", \"e\" is the gateway's own to say"},
        {PRESENCE("\"reach\": \"all\""), "63: reach: room \"all\": must be kind:id or longer"},
        {PRESENCE("\"reach\": \"a:all\""), "63: reach: no pattern in rooms takes \"a:all\""},
        {PRESENCE("\"grace\": \"6m\""), "63: grace: out of range 0s to 5m"},
        {PART("fields", "\"user\": \"users\""),
         "12: users: \"users\" is the name for user already"},
        {PART("notices", "\"gap\": \"error\""), "21: gap: \"error\" is the name for error already"},
        {PART("envelope", "\"type\": null"), "23: type: must be a string, not null"},
        {PART("envelope", "\"data\": \"type\""), "23: data: \"type\" is the name for type already"},
        {PART("envelope", "\"errors\": \"in\""),
         "25: errors: must be one of top, data, not \"in\""},
        {PART("socketio", "\"namespaces\": \"admin\""),
         "29: namespaces: \"admin\" must begin with / and have no space and none of ? # % , \" \\"},
        {PART("endpoints", "\"websocket\": \"/a b\""),
         "29: websocket: \"/a b\" must begin with / and have no space and none of ? # % , \" \\"},
        {PART("endpoints", "\"websocket\": \"/health\""),
         "15: health: /health is the path of websocket already"},
        {PART("endpoints", "\"socketio\": \"/io\""), "28: socketio: must end with /"},
        {PART("auth", "\"from\": \"cookie\""),
         "19: from: must be one of query, header, protocol, auth, message, not \"cookie\""},
        {PART("auth", "\"from\": \"query\", \"within\": \"5s\""),
         "38: within: of no use without \"message\" in from"},
        {PART("auth", "\"claims\": []"), "21: claims: must be an object, not an array"},
        {PART("auth", "\"claims\": {\"a\": []}"),
         "27: a: must be a string, a number, true or false, not an array"},
        {PART("auth", "\"helper\": \"instead\""),
         "21: helper: \"instead\" is of no use without claims"},
        {PART("limits", "\"client\": \"100\""),
         "23: client: must be a rate as a string, such as \"100/1m\", not \"100\""},
        {PART("limits", "\"message\": 100"),
         "24: message: must be a size as a string, such as \"256k\", not 100"},
        {PART("limits", "\"connections\": 0"), "28: connections: out of range 1 to 4000000"},
        {PART("heartbeat", "\"ping\": \"30s\""), "15: heartbeat must have the key silence"},
        {PART("heartbeat", "\"ping\": \"30s\", \"silence\": \"30s\""),
         "42: silence: must be longer than ping"},
    };

    (void)state;
    hold_faults(faults, COUNT(faults));
}

static void there_are_256_patterns_at_most(void **state)
{
    struct buf text = {0};
    struct fault f;

    (void)state;
    for (int last = 255; last <= 256; last++) {
        buf_text(&text, "{\"rooms\": {");
        for (int i = 0; i <= last; i++)
            buf_printf(&text, "%s\"k%d:{x}\": {}", i > 0 ? "," : "", i);
        buf_text(&text, "}}");
        struct catalog *c = catalog_parse(buf_span(&text), "c.json", &f);
        assert_int_equal(c != NULL, last == 255);
        catalog_unref(c);
        buf_clear(&text);
    }
    assert_string_equal(f.text, "c.json:1:11: rooms: at most 256, found 257");
    buf_fini(&text);
}

/* --- What is read --- */

static void an_empty_catalog_has_what_is_usual(void **state)
{
    struct catalog *c = parse("{}");

    (void)state;
    assert_string_equal(c->name, "unnamed");
    assert_int_equal(c->unknown, CATALOG_REFUSE);
    assert_false(c->presence.on);
    assert_string_equal(c->fields.user, "userId");
    assert_string_equal(c->notices.ack, "connection.ack");
    assert_string_equal(c->envelope.data, "data");
    assert_int_equal(c->envelope.errors, CATALOG_ERRORS_TOP);
    assert_string_equal(c->socketio.namespaces[0], "/");
    assert_null(c->socketio.namespaces[1]);
    assert_string_equal(c->endpoints.socketio[0], "/socket.io/");
    assert_int_equal(c->auth.from, CATALOG_FROM_QUERY | CATALOG_FROM_HEADER |
                                       CATALOG_FROM_PROTOCOL | CATALOG_FROM_AUTH |
                                       CATALOG_FROM_MESSAGE);
    assert_int_equal(c->limits.client.count, 0);
    assert_int_equal(c->heartbeat.ping_ms, 0);
    catalog_unref(c);
}

static void a_room_says_who_may_join(void **state)
{
    struct catalog *c = parse("{\"rooms\": {\"a:{b}\": {}, \"c:{d}\": {\"join\": [\"any\", "
                              "\"member\"], \"roles\": [\"owner\"], \"auto\": true, \"history\": "
                              "{\"length\": 5, \"age\": \"1h\"}}}}");

    (void)state;
    assert_int_equal(c->rooms[0].join, CATALOG_GRANT);
    assert_int_equal(c->rooms[0].history_length, 1000);
    assert_int_equal(c->rooms[0].history_ms, 7 * 86400000);
    assert_false(c->rooms[0].automatic);
    assert_int_equal(c->rooms[1].join, CATALOG_GRANT | CATALOG_ANY | CATALOG_MEMBER);
    assert_string_equal(c->rooms[1].roles[0], "owner");
    assert_null(c->rooms[1].roles[1]);
    assert_true(c->rooms[1].automatic);
    assert_int_equal(c->rooms[1].history_length, 5);
    assert_int_equal(c->rooms[1].history_ms, 3600000);
    catalog_unref(c);
}

static void what_the_gateway_says_no_client_publishes(void **state)
{
    struct catalog *c = parse("{\"rooms\": {\"a:{b}\": {\"members\": {\"added\": \"in\"}}},"
                              " \"events\": {\"in\": {}, \"on\": {\"publish\": \"none\"}, "
                              "\"free\": {}, \"to\": {\"publish\": [\"joined\", \"member\"]}},"
                              " \"presence\": {\"online\": \"on\", \"reach\": [\"member\", "
                              "\"a:all\"]}}");

    (void)state;
    assert_ptr_equal(c->rooms[0].added, &c->events[0]);
    assert_ptr_equal(c->presence.online, &c->events[1]);
    assert_int_equal(c->events[0].publish, 0);
    assert_int_equal(c->events[1].publish, 0);
    assert_int_equal(c->events[2].publish, CATALOG_GRANT);
    assert_int_equal(c->events[3].publish, CATALOG_GRANT | CATALOG_JOINED | CATALOG_MEMBER);
    assert_true(c->presence.on);
    assert_int_equal(c->presence.reach, CATALOG_REACH_MEMBER);
    assert_string_equal(c->presence.reach_rooms[0], "a:all");
    assert_null(c->presence.reach_rooms[1]);
    catalog_unref(c);
}

static void a_signal_and_its_end_know_each_other(void **state)
{
    struct catalog *c = parse("{\"events\": {\"on\": {\"class\": \"signal\", \"then\": \"off\"},"
                              " \"off\": {\"class\": \"signal\"}}}");

    (void)state;
    assert_ptr_equal(c->events[0].then, &c->events[1]);
    assert_ptr_equal(c->events[1].ends, &c->events[0]);
    assert_null(c->events[0].ends);
    assert_int_equal(c->events[0].expires_ms, 5000);
    catalog_unref(c);
}

/* --- Files --- */

static void a_file_is_read(void **state)
{
    char path[] = "/tmp/catalog-XXXXXX";
    int fd = mkstemp(path);
    struct fault f;
    char wanted[sizeof(f.text)];

    (void)state;
    assert_int_equal(write(fd, "{\"name\": 5}", 11), 11);
    assert_null(catalog_load(path, &f));
    snprintf(wanted, sizeof(wanted), "%s:1:10: name: must be a string, not 5", path);
    assert_string_equal(f.text, wanted);

    assert_int_equal(ftruncate(fd, CATALOG_BYTES_MAX + 1), 0);
    assert_null(catalog_load(path, &f));
    snprintf(wanted, sizeof(wanted), "%s: larger than 1m, which a catalog may be", path);
    assert_string_equal(f.text, wanted);
    close(fd);
    unlink(path);

    assert_null(catalog_load(path, &f));
    snprintf(wanted, sizeof(wanted), "%s: no such file or directory", path);
    assert_string_equal(f.text, wanted);
    assert_null(catalog_load("/", &f));
    assert_string_equal(f.text, "/: illegal operation on a directory");
}

/* So the library was built after the file was last changed. */
static void the_builtin_is_kanban(void **state)
{
    struct fault f;
    struct catalog *file = catalog_load("examples/kanban/catalog.json", &f);
    struct catalog *builtin = catalog_builtin();

    (void)state;
    assert_non_null(file);
    assert_string_equal(file->digest, builtin->digest);
    assert_string_equal(builtin->name, "kanban");
    assert_true(builtin_catalog().len > builtin->text.len);
    catalog_unref(file);
    catalog_unref(builtin);
}

/* --- The manual page names every key, with its default --- */

struct manual {
    char *text;
    int missing;
};

/* The part of the page about an object: from its .Ss or .Sh to the next. */
static struct span section(const char *text, const char *object)
{
    char heading[64];

    snprintf(heading, sizeof(heading), "\n.\\\" %s\n", object);
    const char *at = strstr(text, heading);
    if (!at)
        return (struct span){0};
    const char *end = strstr(at + strlen(heading), "\n.S");
    return (struct span){at, end ? (size_t)(end - at) : strlen(at)};
}

/* The item about a key, to the one about the next. */
static struct span item(struct span part, const char *key)
{
    char heading[64];

    snprintf(heading, sizeof(heading), "\n.It Cm %s\n", key);
    const char *at = part.len != 0 ? memmem(part.at, part.len, heading, strlen(heading)) : NULL;
    if (!at)
        return (struct span){0};
    struct span rest = {at + 1, (size_t)(part.at + part.len - at) - 1};
    const char *end = memmem(rest.at, rest.len, "\n.It Cm ", 8);
    if (end)
        rest.len = (size_t)(end - rest.at);
    return rest;
}

static bool holds(struct span text, const char *word)
{
    return memmem(text.at, text.len, word, strlen(word)) != NULL;
}

/* Whether each word of a default is there. */
static bool holds_preset(struct span text, const char *preset)
{
    char words[128];
    bool all = true;

    snprintf(words, sizeof(words), "%s", preset);
    for (char *word = strtok(words, "\"[], "); word; word = strtok(NULL, "\"[], "))
        all = all && holds(text, word);
    return all;
}

static void look_up(void *arg, const struct catalog_key *key)
{
    struct manual *m = arg;
    struct span found = item(section(m->text, key->object), key->key);
    bool good = found.len != 0 && (!key->preset || holds_preset(found, key->preset));

    for (const char *const *word = key->words; word && *word; word++)
        good = good && holds(found, *word);
    if (good)
        return;
    print_error("%s in %s, its default or one of its words is not in the manual page\n", key->key,
                key->object);
    m->missing++;
}

static char *read_page(void)
{
    FILE *in = fopen("man/collab-catalog.5", "re");
    struct buf text = {0};

    assert_non_null(in);
    while (!feof(in))
        text.len += fread(buf_room(&text, BUFSIZ), 1, BUFSIZ, in);
    fclose(in);
    buf_char(&text, '\0');
    return text.at;
}

static void the_manual_page_names_every_key(void **state)
{
    struct manual m = {.text = read_page()};

    (void)state;
    catalog_keys(look_up, &m);
    assert_int_equal(m.missing, 0);
    free(m.text);
}

static void count_key(void *arg, const struct catalog_key *key)
{
    (void)key;
    (*(int *)arg)++;
}

/* ... and no other. */
static void the_manual_page_names_no_other_key(void **state)
{
    char *text = read_page();
    int keys = 0, items = 0;

    (void)state;
    catalog_keys(count_key, &keys);
    for (const char *at = strstr(text, "\n.It Cm "); at; at = strstr(at + 1, "\n.It Cm "))
        items++;
    assert_int_equal(items, keys);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_of_the_whole),
        cmocka_unit_test(faults_of_rooms),
        cmocka_unit_test(faults_of_events),
        cmocka_unit_test(faults_of_messages),
        cmocka_unit_test(faults_of_settings),
        cmocka_unit_test(there_are_256_patterns_at_most),
        cmocka_unit_test(an_empty_catalog_has_what_is_usual),
        cmocka_unit_test(a_room_says_who_may_join),
        cmocka_unit_test(what_the_gateway_says_no_client_publishes),
        cmocka_unit_test(a_signal_and_its_end_know_each_other),
        cmocka_unit_test(a_file_is_read),
        cmocka_unit_test(the_builtin_is_kanban),
        cmocka_unit_test(the_manual_page_names_every_key),
        cmocka_unit_test(the_manual_page_names_no_other_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
