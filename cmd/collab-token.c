/* collab-token: signs tokens, checks them, explains them, and makes the keys for it. */
#include "clock.h"
#include "embedded.h"
#include "event.h"
#include "json.h"
#include "num.h"
#include "room.h"
#include "token.h"
#include "tool.h"
#include "view.h"
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    INPUT_BYTES_MAX = 64 * 1024, /* of a token or of claims: more than can be used of either */
    EXPIRES_DEFAULT_S = 3600,
};

#define CENTURY_MS (36525 * INT64_C(86400000))

enum format { FORMAT_TEXT, FORMAT_JSON };

struct settings {
    struct opt_list key_files;
    char *user;
    struct opt_list rooms;
    struct opt_list publish;
    bool admin;
    char *expires;
    int64_t not_before_ms;
    char *audience;
    char *issuer;
    char *claims;
    char *kid;
    char *alg;
    int64_t leeway_ms;
    int format;
    int kind;
};

/* None has a preset, so that one given where it means nothing is noticed: see check_options(). */
#define AT(field) offsetof(struct settings, field)
static const struct opt rows[] = {
    {'k', "key-file", "PATH", OPT_LIST, AT(key_files), .env = "COLLAB_KEY_FILE",
     .help = "sign, verify: a key, or a directory of keys; may be repeated"},
    {'u', "user", "USER", OPT_TEXT, AT(user), .help = "sign: for whom the token is"},
    {'r', "room", "PATTERN", OPT_LIST, AT(rooms),
     .help = "sign: rooms it lets join; once for each pattern"},
    {'p', "publish", "PATTERN", OPT_LIST, AT(publish),
     .help = "sign: rooms it lets publish to; likewise"},
    {0, "admin", NULL, OPT_FLAG, AT(admin), .help = "sign: the role of an administrator"},
    {0, "expires", "TIME", OPT_TEXT, AT(expires),
     .help = "sign: how long it is valid, or never (default: 1h)"},
    {0, "not-before", "TIME", OPT_MS, AT(not_before_ms), .min = 1, .max = CENTURY_MS,
     .help = "sign: valid only after that long"},
    {0, "audience", "TEXT", OPT_TEXT, AT(audience), .help = "sign, verify: the aud it has to have"},
    {0, "issuer", "TEXT", OPT_TEXT, AT(issuer), .help = "sign, verify: the iss it has to have"},
    {0, "claims", "JSON|@FILE", OPT_TEXT, AT(claims), .help = "sign: further claims, an object"},
    {0, "kid", "NAME", OPT_TEXT, AT(kid),
     .help = "sign: the key of that name (default: the first)"},
    {0, "alg", "NAME", OPT_TEXT, AT(alg),
     .help = "sign: another algorithm of the key's, such as HS512"},
    {0, "leeway", "TIME", OPT_MS, AT(leeway_ms), .max = TOKEN_LEEWAY_MAX_S * 1000,
     .help = "verify: how far clocks may differ (default: 0s)"},
    {0, "format", "text|json", OPT_CHOICE, AT(format),
     .help = "verify, explain: how to print it (default: text)"},
    {0, "kind", "hmac|rsa|ec", OPT_CHOICE, AT(kind),
     .help = "keygen: what key to make (default: hmac)"},
};

static const struct opt_program program = {
    .name = "collab-token",
    .operands = "sign|verify|explain|keygen [FILE]",
    .purpose = "Signs tokens, checks or explains the one in FILE, or makes a key in FILE.",
    .rows = rows,
    .row_count = sizeof(rows) / sizeof(*rows),
};

static struct settings set;

/* --- Keys --- */

/* The key that collabd makes for development. */
static void add_development_key(struct keyring *ring)
{
    struct buf path = {0};
    struct fault f;

    if (embedded_state_dir(&path, &f) != 0)
        tool_fail(STATUS_USAGE, "no --key-file, and no development key: %s", f.text);
    buf_text(&path, "/dev.key");
    if (access(path.at, F_OK) != 0)
        tool_fail(STATUS_USAGE,
                  "no key: give --key-file or $COLLAB_KEY_FILE (collabd makes %s when it has none)",
                  path.at);
    if (keyring_add_path(ring, path.at, &f) != 0)
        tool_fail(STATUS_USAGE, "%s", f.text);
    buf_fini(&path);
}

static struct keyring *load_keys(void)
{
    struct keyring *ring = keyring_new();
    struct fault f;

    for (size_t i = 0; i < set.key_files.count; i++)
        if (keyring_add_path(ring, set.key_files.at[i], &f) != 0)
            tool_fail(STATUS_USAGE, "%s", f.text);
    if (set.key_files.count == 0)
        add_development_key(ring);
    return ring;
}

/* --- Input --- */

/* A file's bytes, or standard input's ("-"). */
static void read_input(const char *file, const char *what, struct buf *out)
{
    bool is_standard = strcmp(file, "-") == 0;
    const char *name = is_standard ? "standard input" : file;
    FILE *in = is_standard ? stdin : fopen(file, "re");

    if (is_standard && isatty(STDIN_FILENO))
        tool_say("reading %s from the terminal", what);
    if (in)
        out->len = fread(buf_room(out, INPUT_BYTES_MAX), 1, INPUT_BYTES_MAX, in);
    if (!in || ferror(in))
        tool_fail(STATUS_USAGE, "%s: %s", name, uv_strerror(-errno));
    if (!is_standard)
        fclose(in);
}

static struct span read_token(const char *file, struct buf *out)
{
    read_input(file ? file : "-", "a token", out);
    struct span token = buf_span(out);
    if (token.len > 0 && token.at[token.len - 1] == '\n')
        token.len--;
    if (token.len > 0 && token.at[token.len - 1] == '\r')
        token.len--;
    return token;
}

/* --- sign --- */

struct draft {
    struct buf json;     /* the object without its closing bracket */
    struct span further; /* --claims, an object */
};

/* Begins a claim that an option gives: nothing else may give it too. */
static void begin_claim(struct draft *d, const char *name, const char *option)
{
    struct span other;

    if (json_get(d->further, name, &other))
        tool_fail(STATUS_USAGE, "--claims: %s is given by %s too", name, option);
    buf_printf(&d->json, "%s\"%s\":", d->json.len > 1 ? "," : "", name);
}

static void add_text(struct draft *d, const char *name, const char *option, const char *text)
{
    if (!text)
        return;
    begin_claim(d, name, option);
    json_encode(&d->json, span_of(text));
}

static void add_patterns(struct draft *d, const char *name, const char *option,
                         const struct opt_list *patterns)
{
    struct fault f;

    if (patterns->count == 0)
        return;
    begin_claim(d, name, option);
    for (size_t i = 0; i < patterns->count; i++) {
        struct span pattern = span_of(patterns->at[i]);
        if (room_check_pattern(pattern, &f) != 0)
            tool_fail(STATUS_USAGE, "%s: %s", option, f.text);
        buf_char(&d->json, i == 0 ? '[' : ',');
        json_encode(&d->json, pattern);
    }
    buf_char(&d->json, ']');
}

static void add_seconds(struct draft *d, const char *name, const char *option, int64_t seconds)
{
    begin_claim(d, name, option);
    buf_printf(&d->json, "%" PRId64, seconds);
}

/* Unless something is said about it, a token of ours expires. */
static void add_expiry(struct draft *d, int64_t now_s)
{
    struct span other;
    struct fault f;
    int64_t ms = EXPIRES_DEFAULT_S * 1000;

    if (!set.expires && json_get(d->further, "exp", &other))
        return;
    if (set.expires && strcmp(set.expires, "never") == 0)
        return;
    if (set.expires && num_parse_ms(span_of(set.expires), 1000, CENTURY_MS, &ms, &f) != 0)
        tool_fail(STATUS_USAGE, "--expires=%s: %s", set.expires, f.text);
    add_seconds(d, "exp", "--expires", now_s + ms / 1000);
}

static void add_further(struct draft *d)
{
    struct json_walk walk = json_walk(d->further);
    struct span key, value;

    while (json_next_member(&walk, &key, &value)) {
        if (d->json.len > 1)
            buf_char(&d->json, ',');
        buf_join(&d->json, key);
        buf_char(&d->json, ':');
        buf_join(&d->json, value);
    }
}

static void check_user(const struct draft *d)
{
    struct span other;
    struct fault f;

    if (set.user && event_check_user(span_of(set.user), &f) != 0)
        tool_fail(STATUS_USAGE, "--user: %s", f.text);
    if (!set.user && !json_get(d->further, "sub", &other) &&
        !json_get(d->further, "userId", &other))
        tool_fail(STATUS_USAGE, "--user is missing: for whom is the token?");
}

static void draft_claims(struct draft *d)
{
    int64_t now_s = clock_wall_ms() / 1000;
    struct span other;

    check_user(d);
    buf_char(&d->json, '{');
    add_text(d, "sub", "--user", set.user);
    add_text(d, "role", "--admin", set.admin ? "admin" : NULL);
    add_patterns(d, "rooms", "--room", &set.rooms);
    add_patterns(d, "publish", "--publish", &set.publish);
    add_text(d, "aud", "--audience", set.audience);
    add_text(d, "iss", "--issuer", set.issuer);
    if (!json_get(d->further, "iat", &other))
        add_seconds(d, "iat", NULL, now_s);
    if (set.not_before_ms != 0)
        add_seconds(d, "nbf", "--not-before", now_s + set.not_before_ms / 1000);
    add_expiry(d, now_s);
    add_further(d);
    buf_char(&d->json, '}');
}

/* What --claims gives; the text stays in `text`. */
static struct span read_claims(struct buf *text)
{
    struct fault f;

    if (!set.claims)
        buf_text(text, "{}");
    else if (set.claims[0] == '@')
        read_input(set.claims + 1, "claims", text);
    else
        buf_text(text, set.claims);
    if (json_check(buf_span(text), &f) != 0)
        tool_fail(STATUS_USAGE, "--claims: %s", f.text);
    if (json_type(buf_span(text)) != JSON_OBJECT)
        tool_fail(STATUS_USAGE, "--claims: must be an object, found %s",
                  json_type_name(json_type(buf_span(text))));
    return buf_span(text);
}

static enum exit_status sign(const char *file)
{
    struct keyring *ring = load_keys();
    struct buf text = {0}, token = {0};
    struct draft d = {.further = read_claims(&text)};
    struct fault f;

    (void)file;
    draft_claims(&d);
    if (token_sign(ring, set.kid, set.alg, buf_span(&d.json), &token, &f) != 0)
        tool_fail(STATUS_USAGE, "%s", f.text);
    tool_out(buf_span(&token));
    buf_fini(&token);
    buf_fini(&text);
    buf_fini(&d.json);
    keyring_free(ring);
    return STATUS_OK;
}

/* --- verify --- */

static void show_patterns(struct buf *out, const char *title, const char *pattern)
{
    buf_text(out, title);
    if (!*pattern)
        buf_text(out, " none");
    for (; *pattern; pattern = identity_next(pattern))
        buf_printf(out, " %s", pattern);
    buf_char(out, '\n');
}

static void print_identity(const struct identity *who, int64_t now_s)
{
    struct buf out = {0};

    buf_text(&out, "user     ");
    view_tame(span_of(who->user), &out);
    buf_char(&out, '\n');
    show_patterns(&out, "rooms   ", who->rooms);
    show_patterns(&out, "publish ", who->publish);
    buf_printf(&out, "admin    %s\nexpires  ", who->admin ? "yes" : "no");
    if (who->expires_s == 0)
        buf_text(&out, "never");
    else
        token_format_time(who->expires_s, now_s, &out);
    tool_out(buf_span(&out));
    buf_fini(&out);
}

static void push_patterns(struct json *array, const char *pattern)
{
    for (; *pattern; pattern = identity_next(pattern))
        json_push_span(array, span_of(pattern));
}

static void print_identity_json(const struct identity *who)
{
    struct json *object = json_new_object();
    struct buf out = {0};

    json_add_text(object, "user", who->user);
    push_patterns(json_add_array(object, "rooms"), who->rooms);
    push_patterns(json_add_array(object, "publish"), who->publish);
    json_add_bool(object, "admin", who->admin);
    if (who->expires_s == 0)
        json_add_null(object, "expires_s");
    else
        json_add_number(object, "expires_s", (double)who->expires_s);
    json_write(object, &out);
    tool_out(buf_span(&out));
    json_free(object);
    buf_fini(&out);
}

static enum exit_status verify(const char *file)
{
    struct keyring *ring = load_keys();
    struct token_rules rules = {set.audience, set.issuer, (int)(set.leeway_ms / 1000)};
    struct buf text = {0};
    struct fault f;

    struct span token = read_token(file, &text);
    int64_t now_s = clock_wall_ms() / 1000;
    struct identity *who = token_verify(ring, &rules, token, now_s, &f);
    if (!who)
        tool_say("%s", f.text);
    else if (set.format == FORMAT_JSON)
        print_identity_json(who);
    else
        print_identity(who, now_s);
    enum exit_status status = who ? STATUS_OK : STATUS_NO;
    identity_free(who);
    buf_fini(&text);
    keyring_free(ring);
    return status;
}

/* --- explain --- */

/* exp, nbf and iat say more as a date. */
static bool is_time(struct span key, struct span value, int64_t *seconds)
{
    bool named =
        json_string_is(key, "exp") || json_string_is(key, "nbf") || json_string_is(key, "iat");

    return named && json_int(value, seconds) == 0 && *seconds >= 0 && *seconds <= TOKEN_TIME_MAX_S;
}

static void add_tame_json(struct buf *out, struct span value)
{
    struct buf compact = {0};

    json_compact(&compact, value);
    view_tame(buf_span(&compact), out);
    buf_fini(&compact);
}

static void print_members(const char *title, struct span object, int64_t now_s)
{
    struct json_walk walk = json_walk(object);
    struct span key, value;
    struct buf line = {0};
    int64_t seconds;

    while (json_next_member(&walk, &key, &value)) {
        buf_clear(&line);
        buf_printf(&line, "%s ", title);
        view_tame((struct span){key.at + 1, key.len - 2}, &line);
        buf_char(&line, ' ');
        add_tame_json(&line, value);
        if (is_time(key, value, &seconds)) {
            buf_char(&line, ' ');
            token_format_time(seconds, now_s, &line);
        }
        tool_out(buf_span(&line));
    }
    buf_fini(&line);
}

static void print_parts_json(struct span header, struct span claims)
{
    struct buf out = {0};

    buf_text(&out, "{\"header\":");
    json_compact(&out, header);
    buf_text(&out, ",\"claims\":");
    json_compact(&out, claims);
    buf_char(&out, '}');
    tool_out(buf_span(&out));
    buf_fini(&out);
}

static enum exit_status explain(const char *file)
{
    struct buf text = {0}, header = {0}, claims = {0};
    struct fault f;

    struct span token = read_token(file, &text);
    int64_t now_s = clock_wall_ms() / 1000;
    if (token_peek(token, &header, &claims, &f) != 0)
        tool_fail(STATUS_NO, "%s", f.text);
    if (set.format == FORMAT_JSON) {
        print_parts_json(buf_span(&header), buf_span(&claims));
    } else {
        print_members("header", buf_span(&header), now_s);
        print_members("claims", buf_span(&claims), now_s);
    }
    tool_flush();
    tool_say("nothing of this was checked: anyone can write such a token");
    buf_fini(&text);
    buf_fini(&header);
    buf_fini(&claims);
    return STATUS_OK;
}

/* --- keygen --- */

static enum exit_status keygen(const char *file)
{
    static const char *const kinds[] = {"hmac", "rsa", "ec"};
    struct fault f;

    if (!file)
        tool_fail(STATUS_USAGE, "keygen: which FILE is the key to be written to?");
    if (key_make(kinds[set.kind], file, &f) != 0)
        tool_fail(STATUS_USAGE, "%s", f.text);
    return STATUS_OK;
}

/* --- The commands --- */

static const struct command {
    const char *name;
    enum exit_status (*run)(const char *file);
    bool takes_file;
    const char *options; /* all that it understands, each between blanks */
} commands[] = {
    {"sign", sign, false,
     " key-file user room publish admin expires not-before audience issuer claims kid alg "},
    {"verify", verify, true, " key-file audience issuer leeway format "},
    {"explain", explain, true, " format "},
    {"keygen", keygen, true, " kind "},
};

static bool is_given(const struct opt *row)
{
    const char *at = (const char *)&set + row->offset;

    switch (row->kind) {
    case OPT_FLAG:
        return *(const bool *)at;
    case OPT_TEXT:
        return *(char *const *)at != NULL;
    case OPT_LIST:
        return ((const struct opt_list *)at)->count != 0;
    case OPT_CHOICE:
        return *(const int *)at != 0;
    default:
        return *(const int64_t *)at != 0;
    }
}

/* A variable is for all commands, so it may also be set for those that have no use for it. */
static void check_options(const struct command *c)
{
    char name[32];

    for (size_t i = 0; i < program.row_count; i++) {
        snprintf(name, sizeof(name), " %s ", rows[i].name);
        if (!rows[i].env && is_given(&rows[i]) && !strstr(c->options, name))
            tool_fail(STATUS_USAGE, "--%s is no option of %s", rows[i].name, c->name);
    }
}

int main(int argc, char **argv)
{
    int first = tool_start(&program, &set, argc, argv);
    const struct command *c = &commands[tool_command(
        argv[first], commands, sizeof(commands) / sizeof(*commands), sizeof(*commands))];
    const char *file = argv[first + 1];

    check_options(c);
    if (file && (!c->takes_file || argv[first + 2]))
        tool_fail(STATUS_USAGE, "%s takes %s", c->name, c->takes_file ? "one FILE" : "no FILE");
    enum exit_status status = c->run(file);
    opt_free(&program, &set);
    return status;
}
