/* collab-kick: sends clients away, or out of a room, on whichever gateway they are; lifts the
 * limits that they are over; has a gateway drain. */
#include "event.h"
#include "json.h"
#include "protocol.h"
#include "room.h"
#include "tool.h"
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>

enum { REASON_BYTES_MAX = 100 };

struct settings {
    char *user;
    char *connection;
    char *room;
    char *address;
    char *drain;
    bool reset;
    int64_t code;
    char *reason;
    int64_t limit_ms;
    bool quiet;
    char *redis;
};

#define AT(field) offsetof(struct settings, field)
static const struct opt rows[] = {
    {'u', "user", "USER", OPT_TEXT, AT(user), .help = "all connections of a user"},
    {'c', "connection", "ID", OPT_TEXT, AT(connection), .help = "one connection"},
    {'r', "room", "ROOM", OPT_TEXT, AT(room),
     .help = "only out of this room; else they are disconnected"},
    {0, "reset", NULL, OPT_FLAG, AT(reset),
     .help = "nobody goes, but what was counted against their rates is forgotten"},
    {'a', "address", "ADDRESS", OPT_TEXT, AT(address),
     .help = "with --reset: what was counted of this IP address"},
    {0, "drain", "NODE", OPT_TEXT, AT(drain), .help = "have this gateway drain and end"},
    {0, "code", "CODE", OPT_INT, AT(code), .min = 4000, .max = 4999,
     .help = "the close code: below 4500 they come back, from 4500 on they don't (else 4501)"},
    {0, "reason", "TEXT", OPT_TEXT, AT(reason), .help = "why, as the client is told"},
    {'W', "limit", "TIME", OPT_MS, AT(limit_ms), .preset = "5s", .min = 1, .max = INT64_MAX,
     .help = "wait so long for all gateways to answer, else end with status 6"},
    {'q', "quiet", NULL, OPT_FLAG, AT(quiet), .help = "do not say how many it concerned"},
    {0, "redis", "URL", OPT_TEXT, AT(redis), .help = "where Redis is (else $COLLAB_REDIS)"},
};

static const struct opt_program program = {
    .name = "collab-kick",
    .operands = "",
    .purpose = "Disconnects users or connections, ends joins in a room, lifts limits.",
    .rows = rows,
    .row_count = sizeof(rows) / sizeof(*rows),
};

static struct {
    struct settings set;
    struct store *store;
    struct buf order;
    int64_t expected; /* answers; -1: not known yet */
    int64_t answers;
    int64_t concerned;
} kick = {.expected = -1};

static void check_names(const struct settings *set)
{
    struct in6_addr any;
    struct fault f;

    if (set->user && event_check_user(span_of(set->user), &f) != 0)
        tool_fail(STATUS_USAGE, "--user: %s", f.text);
    if (set->room && room_check(span_of(set->room), &f) != 0)
        tool_fail(STATUS_USAGE, "--room: %s", f.text);
    if (set->address && inet_pton(AF_INET, set->address, &any) != 1 &&
        inet_pton(AF_INET6, set->address, &any) != 1)
        tool_fail(STATUS_USAGE, "--address: %s: not an IP address",
                  fault_quote(span_of(set->address)));
    if (set->drain && !room_is_segment(span_of(set->drain)))
        tool_fail(STATUS_USAGE, "--drain: only letters, digits and . _ ~ @ -");
    if (set->reason && span_of(set->reason).len > REASON_BYTES_MAX)
        tool_fail(STATUS_USAGE, "--reason: more than %d bytes", REASON_BYTES_MAX);
}

static void check_usage(void)
{
    const struct settings *set = &kick.set;
    bool anybody = set->user || set->connection;

    check_names(set);
    if (set->drain && (anybody || set->room || set->address || set->reset))
        tool_fail(STATUS_USAGE, "--drain is of a whole gateway: nobody can be named beside it");
    if (set->reset && !anybody && !set->room && !set->address)
        tool_fail(STATUS_USAGE, "whose? --user, --connection, --address or --room");
    if (!set->reset && !set->drain && !anybody)
        tool_fail(STATUS_USAGE, "whom? --user or --connection");
    if (!set->reset && set->address)
        tool_fail(STATUS_USAGE, "--address is for --reset");
    if ((set->reset || set->drain) && (set->code || set->reason))
        tool_fail(STATUS_USAGE, "--code and --reason are for those who are sent away");
    if (set->room && set->code)
        tool_fail(STATUS_USAGE, "--code is of a connection's end: no --room can stand beside it");
}

/* What is done to them. */
static const char *verb(void)
{
    if (kick.set.reset)
        return "reset";
    return kick.set.drain ? "drain" : "kick";
}

/* What is said of those whom it concerned. */
static const char *participle(void)
{
    if (kick.set.reset)
        return "reset";
    if (kick.set.drain)
        return "draining";
    return kick.set.room ? "left" : "disconnected";
}

static void add_text(const char *name, const char *text)
{
    if (!text)
        return;
    buf_printf(&kick.order, ",\"%s\":", name);
    json_encode(&kick.order, span_of(text));
}

static void write_order(void)
{
    const struct settings *set = &kick.set;

    buf_printf(&kick.order, "{\"do\":\"%s\"", verb());
    add_text("user", set->user);
    add_text("connection", set->connection);
    add_text("room", set->room);
    add_text("address", set->address);
    add_text("node", set->drain);
    add_text("reason", set->reason);
    if (set->code)
        buf_printf(&kick.order, ",\"code\":%" PRId64, set->code);
}

static void stop_when_answered(void)
{
    struct buf line = {0};

    if (kick.expected < 0 || kick.answers < kick.expected)
        return;
    if (!kick.set.quiet) {
        buf_printf(&line, "{\"%s\":%" PRId64 "}", participle(), kick.concerned);
        tool_out(buf_span(&line));
        buf_fini(&line);
    }
    tool_stop(kick.concerned > 0 ? STATUS_OK : STATUS_NO);
}

static void on_message(void *ctx, enum store_channel channel, struct span text)
{
    struct fault f;
    struct span value;
    int64_t count = 0;

    (void)ctx;
    if (channel != STORE_ANSWER || json_check(text, &f) != 0)
        return;
    if (json_get(text, "count", &value))
        json_int(value, &count);
    kick.answers++;
    kick.concerned += count;
    stop_when_answered();
}

static void on_sent(void *arg, enum store_result result, int64_t nodes, const char *why)
{
    (void)arg;
    if (result != STORE_DONE) {
        tool_not_done(result, why);
        return;
    }
    kick.expected = nodes;
    stop_when_answered();
}

static void on_settled(void *arg, enum store_result result, const char *why)
{
    (void)arg;
    if (result == STORE_DONE)
        store_control(kick.store, buf_span(&kick.order), on_sent, NULL);
    else if (result == STORE_REFUSED)
        tool_not_done(result, why);
}

static void on_up(void *ctx)
{
    (void)ctx;
    store_listen_channel(kick.store, STORE_ANSWER);
    store_settle(kick.store, on_settled, NULL);
}

static void on_down(void *ctx, const char *why)
{
    (void)ctx;
    tool_unreachable(why);
}

int main(int argc, char **argv)
{
    static const struct store_hooks hooks = {.up = on_up, .down = on_down, .message = on_message};
    tool_start(&program, &kick.set, argc, argv);

    check_usage();
    write_order();
    tool_limit(kick.set.limit_ms);
    kick.store = store_open(tool_loop(), tool_redis(kick.set.redis), &hooks, NULL);
    int status = tool_run();
    store_close(kick.store);
    buf_fini(&kick.order);
    opt_free(&program, &kick.set);
    return status;
}
