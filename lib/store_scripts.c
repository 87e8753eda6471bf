#include "mem.h"
#include "slot.h"
#include "store_base.h"
#include <assert.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The assembler runs at the root of the tree. What appends is a script of its own, and a function
 * of the one for all other cases, which takes twice as long. */
#define SCRIPT(name)                                                                               \
    "store_script_" name ":\n"                                                                     \
    ".incbin \"lib/tell.lua\"\n"                                                                   \
    ".ascii \"local function run()\\n\"\n"                                                         \
    ".incbin \"lib/" name ".lua\"\n"                                                               \
    ".ascii \"end\\n\"\n"                                                                          \
    ".incbin \"lib/leave.lua\"\n"                                                                  \
    ".byte 0\n"
__asm__(".pushsection .rodata\n"
        "store_script_append:\n"
        ".incbin \"lib/tell.lua\"\n"
        ".ascii \"local history, epochs = KEYS[1], KEYS[2]\\n\"\n"
        ".ascii \"local text, length, age, now, channel = unpack(ARGV)\\n\"\n"
        ".incbin \"lib/append.lua\"\n"
        ".byte 0\n"
        "store_script_publish:\n"
        ".incbin \"lib/tell.lua\"\n"
        ".ascii \"local function append(history, epochs, text, length, age, now, channel)\\n\"\n"
        ".incbin \"lib/append.lua\"\n"
        ".ascii \"end\\n\"\n"
        ".incbin \"lib/version.lua\"\n"
        ".incbin \"lib/publish.lua\"\n"
        ".byte 0\n"
        "store_script_member:\n"
        ".incbin \"lib/tell.lua\"\n"
        ".ascii \"local function append(history, epochs, text, length, age, now, channel)\\n\"\n"
        ".incbin \"lib/append.lua\"\n"
        ".ascii \"end\\nlocal function run()\\n\"\n"
        ".incbin \"lib/member.lua\"\n"
        ".ascii \"end\\n\"\n"
        ".incbin \"lib/leave.lua\"\n"
        ".byte 0\n"
        /* clang-format off */
        SCRIPT("present")
        SCRIPT("count")
        SCRIPT("user")
        /* clang-format on */
        "store_script_step:\n"
        ".incbin \"lib/version.lua\"\n"
        ".incbin \"lib/step.lua\"\n"
        ".byte 0\n"
        "store_script_done:\n"
        ".incbin \"lib/done.lua\"\n"
        ".byte 0\n"
        "store_script_who:\n"
        ".incbin \"lib/who.lua\"\n"
        ".byte 0\n"
        "store_script_device:\n"
        ".incbin \"lib/device.lua\"\n"
        ".byte 0\n"
        ".popsection\n");

extern const char store_script_append[], store_script_publish[], store_script_member[],
    store_script_present[], store_script_count[], store_script_who[], store_script_user[],
    store_script_device[], store_script_step[], store_script_done[];

enum { SHA_CHARS = 40 };

static const struct {
    const char *name;
    const char *text;
} scripts[SCRIPT_COUNT] = {
    [SCRIPT_APPEND] = {"append", store_script_append},
    [SCRIPT_PUBLISH] = {"publish", store_script_publish},
    [SCRIPT_STEP] = {"step", store_script_step},
    [SCRIPT_STEP_DONE] = {"done", store_script_done},
    [SCRIPT_MEMBER] = {"member", store_script_member},
    [SCRIPT_PRESENT] = {"present", store_script_present},
    [SCRIPT_COUNT_USERS] = {"count", store_script_count},
    [SCRIPT_WHO] = {"who", store_script_who},
    [SCRIPT_USER] = {"user", store_script_user},
    [SCRIPT_DEVICE] = {"device", store_script_device},
};

/* What Redis calls a script. */
static struct span digest(enum store_script script)
{
    static char digests[SCRIPT_COUNT][SHA_CHARS + 1];
    char *out = digests[script];
    unsigned char bytes[SHA_CHARS / 2];

    if (out[0] == '\0') {
        const char *text = scripts[script].text;
        if (EVP_Digest(text, strlen(text), bytes, NULL, EVP_sha1(), NULL) != 1)
            abort();
        for (size_t i = 0; i < sizeof(bytes); i++)
            snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    }
    return span_of(out);
}

/* Once a connection, ahead of the first call, so that calls stay in order. */
static void load(struct store *s)
{
    s->scripts_loaded = true;
    for (size_t server = 0; server < redis_servers(s->redis); server++) {
        for (int i = 0; i < SCRIPT_COUNT; i++) {
            struct span words[] = {span_of("SCRIPT"), span_of("LOAD"), span_of(scripts[i].text)};
            redis_command_at(s->redis, server, NULL, NULL, 3, words);
        }
    }
}

void store_scripts_again(struct store *s)
{
    if (s->scripts_loaded)
        load(s);
}

/* --- words --------------------------------------------------------------------------------- */

void store_word_end(struct store_words *w)
{
    assert(w->count < STORE_WORDS_MAX);
    w->ends[w->count++] = w->text.len;
}

void store_word(struct store_words *w, struct span word)
{
    buf_join(&w->text, word);
    store_word_end(w);
}

void store_word_number(struct store_words *w, int64_t number)
{
    buf_printf(&w->text, "%" PRId64, number);
    store_word_end(w);
}

void store_word_key(struct store_words *w, const char *prefix, struct span about)
{
    buf_text(&w->text, prefix);
    buf_char(&w->text, '{');
    buf_join(&w->text, about);
    buf_char(&w->text, '}');
    store_word_end(w);
}

void store_word_channel(struct store *s, struct store_words *w, struct span about,
                        const char *prefix, struct span rest)
{
    if (redis_is_cluster(s->redis)) {
        struct buf key = {0};
        unsigned slot = slot_of(store_key(&key, "", about));
        bool is_own = rest.len == 0 || slot_of(rest) == slot;
        buf_fini(&key);
        if (is_own)
            buf_printf(&w->text, "%u ", slot_tag(slot));
        else
            buf_text(&w->text, "- ");
    }
    buf_text(&w->text, prefix);
    store_word(w, rest);
}

struct span store_word_at(const struct store_words *w, int i)
{
    size_t from = i > 0 ? w->ends[i - 1] : 0;

    return (struct span){w->text.at + from, w->ends[i] - from};
}

/* --- calls --------------------------------------------------------------------------------- */

/* The words are kept until Redis has known the script. */
struct script_call {
    struct store *store;
    enum store_script script;
    reply_fn *fn;
    void *arg;
    char *text; /* of all words, which stand behind each other */
    int count;
    uint32_t ends[];
};

static struct span word_of(const struct script_call *c, int i)
{
    uint32_t from = i > 0 ? c->ends[i - 1] : 0;

    return (struct span){c->text + from, c->ends[i] - from};
}

static void send_script(const struct script_call *c, const char *command, struct span script,
                        reply_fn *fn, void *arg)
{
    struct span argv[2 + STORE_WORDS_MAX] = {span_of(command), script};

    for (int i = 0; i < c->count; i++)
        argv[2 + i] = word_of(c, i);
    redis_command(c->store->redis, fn, arg, 2 + c->count, argv);
}

/* {"left", answer, {channel, text, ...}}: what is of other slots is told from here. */
static const struct reply *tell_left(struct store *s, const struct reply *r)
{
    if (!r || reply_count(r) != 3 || !span_is(reply_text(reply_at(r, 0)), "left"))
        return r;
    const struct reply *left = reply_at(r, 2);
    for (size_t i = 0; i + 1 < reply_count(left); i += 2)
        store_tell(s, NULL, NULL, reply_text(reply_at(left, i)), reply_text(reply_at(left, i + 1)));
    return reply_at(r, 1);
}

static void script_call_free(struct script_call *c)
{
    free(c->text);
    free(c);
}

/* Of a script sent as its text. */
static void on_text(void *arg, const struct reply *r)
{
    struct script_call *c = arg;

    c->fn(c->arg, tell_left(c->store, r));
    script_call_free(c);
}

static void on_script(void *arg, const struct reply *r)
{
    struct script_call *c = arg;

    if (r && reply_kind(r) == REPLY_ERROR && span_starts(reply_text(r), "NOSCRIPT")) {
        send_script(c, "EVAL", span_of(scripts[c->script].text), on_text, c);
        return;
    }
    on_text(arg, r);
}

/* Many may be under way: each takes what its words take, and no more. */
static struct script_call *script_call_new(const struct store_words *w)
{
    struct script_call *c = mem_zero(sizeof(*c) + (size_t)w->count * sizeof(c->ends[0]));

    c->count = w->count;
    c->text = mem_copy(w->text.at, w->text.len);
    assert(w->text.len <= UINT32_MAX);
    for (int i = 0; i < w->count; i++)
        c->ends[i] = (uint32_t)w->ends[i];
    return c;
}

void store_script(struct store *s, enum store_script script, reply_fn *fn, void *arg,
                  struct store_words *w)
{
    struct script_call *c = script_call_new(w);

    c->store = s;
    c->script = script;
    c->fn = fn;
    c->arg = arg;
    buf_fini(&w->text);
    *w = (struct store_words){.count = 0};
    if (!s->scripts_loaded && redis_is_up(s->redis))
        load(s);
    send_script(c, "EVALSHA", digest(script), on_script, c);
}

void store_scripts_put(struct store *s)
{
    struct span words[2 + 2 * SCRIPT_COUNT] = {span_of("HSET"), span_of(SCRIPTS_KEY)};

    for (int i = 0; i < SCRIPT_COUNT; i++) {
        words[2 + 2 * i] = span_of(scripts[i].name);
        words[3 + 2 * i] = span_of(scripts[i].text);
    }
    redis_command(s->redis, NULL, NULL, 2 + 2 * SCRIPT_COUNT, words);
}
