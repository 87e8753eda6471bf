/* What the parts of the store share: the names in Redis, the store itself, and calls that wait for
 * several replies. For lib/store_*.c alone. */
#ifndef STORE_BASE_H
#define STORE_BASE_H

#include "store.h"

/* Names in Redis. Those that end with a colon are followed by a room or an id. */
#define ROOM_CHANNEL     "collab:room:"
#define PROBE_CHANNEL    "collab:probe:"
#define CONTROL_CHANNEL  "collab:control"
#define ANSWER_CHANNEL   "collab:answer:"
#define PRESENCE_CHANNEL "collab:presence"
#define SLOT_CHANNEL     "collab:slot:"
#define NODE_KEY         "collab:node:"
#define NODES_KEY        "collab:nodes"
#define CATALOG_KEY      "collab:catalog"
#define SCRIPTS_KEY      "collab:scripts"
#define OWNERS_KEY       "collab:owners"
#define LEASE_KEY        "collab:lease:"
#define CLAIM_KEY        "collab:claim:"
#define COUNT_KEY        "collab:count:"
#define SESSION_KEY      "collab:session:"

/* These hold a room, an entity, a user or an owner, in braces: what is in one script stays
 * together. */
#define HISTORY_KEY      "collab:history:"
#define EPOCH_KEY        "collab:epoch:"
#define ONCE_KEY         "collab:once:"
#define ENTITY_KEY       "collab:entity:"
#define STEP_KEY         "collab:step:"
#define MARKS_KEY        "collab:marks:"
#define MEMBERS_KEY      "collab:members:"
#define MEMBER_OF_KEY    "collab:member-of:"
#define SINCE_KEY        "collab:since:"
#define DEVICES_KEY      "collab:devices:"
#define OWNED_KEY        "collab:owned:"
#define PRESENT_KEY      "collab:present:"
#define VIEWING_KEY      "collab:viewing:"
#define USER_KEY         "collab:user:"
#define TOLD_COUNT_KEY   "collab:told-count:"
#define TOLD_VIEWING_KEY "collab:told-viewing:"

/* Channels of Socket.IO's adapter begin with a prefix, one of these, and the namespace. */
#define ADAPTER_BROADCAST "#"
#define ADAPTER_REQUEST   "-request#"
#define ADAPTER_RESPONSE  "-response#"

enum { STORE_PROBE_CHARS = 16, STORE_KEY_MS = 7 * 86400000 /* of what is kept nowhere */ };

struct ask;
struct pattern;
struct adapter;

struct store {
    struct redis *redis;
    const struct store_hooks *hooks;
    void *ctx;
    uv_timer_t end; /* never runs: once it is closed, the memory goes */

    struct ask *asks; /* the first `sent` of them are on their way, in one command or more */
    struct ask **asks_end;
    size_t sent;
    size_t unanswered;   /* commands */
    size_t singly;       /* so many are to be sent one by one: which of them was refused? */
    char *refusal;       /* of what was asked for since the last settling; NULL: none */
    bool refusal_is_old; /* a settling has told it */
    bool sending;        /* send_asks() is at it */
    struct pattern *patterns;
    bool slots_listened;      /* of a cluster, all of them */
    struct adapter *adapters; /* that were ever listened to */

    char probe[sizeof(PROBE_CHANNEL) + STORE_PROBE_CHARS];
    char answer[sizeof(ANSWER_CHANNEL) + STORE_PROBE_CHARS];
    bool scripts_loaded;

    struct span from;  /* of the event that is being handed up */
    struct buf signal; /* the text of one that had a `from` */
    struct buf name;   /* for one call */
    struct buf text;
};

/* The words of a command, being put together. */
enum { STORE_WORDS_MAX = 256 };
struct store_words {
    struct buf text;
    size_t ends[STORE_WORDS_MAX];
    int count;
};
void store_word(struct store_words *w, struct span word);
void store_word_end(struct store_words *w); /* of what was added to w->text */
void store_word_number(struct store_words *w, int64_t number);
/* A name with what it is about in braces, so that on a cluster all of that stays together. */
void store_word_key(struct store_words *w, const char *prefix, struct span about);
/* A channel to publish on, prefix and rest, for a script whose keys have `about` in their braces.
 */
void store_word_channel(struct store *s, struct store_words *w, struct span about,
                        const char *prefix, struct span rest);
/* The two names that appending to a room's history takes. */
void store_word_history(struct store_words *w, struct span room);
/* What a script needs to know of the terms: mode, expected version, conflict, fields. */
void store_word_terms(struct store_words *w, const struct store_terms *t);
/* The copy for a room as it is kept: without its id, and so without what stands before that. split:
 * in two words, between which the version goes. */
void store_word_copy(struct store_words *w, const struct event *e, int room, bool split);
struct span store_word_at(const struct store_words *w, int i);

enum store_script {
    SCRIPT_APPEND,
    SCRIPT_PUBLISH,
    SCRIPT_STEP,
    SCRIPT_STEP_DONE,
    SCRIPT_MEMBER,
    SCRIPT_PRESENT,
    SCRIPT_COUNT_USERS,
    SCRIPT_WHO,
    SCRIPT_USER,
    SCRIPT_DEVICE,
    SCRIPT_COUNT,
};

/* Runs a script, taking over its words, of which the first is the number of keys. Redis gets the
 * text only when it hasn't got it. */
void store_script(struct store *s, enum store_script script, reply_fn *fn, void *arg,
                  struct store_words *w);

/* Scripts that were needed, to a server that came later. */
void store_scripts_again(struct store *s);

/* Publishes. The name is that of a channel without a cluster. In a cluster it is published twice:
 * on the room's sharded channel, and on its slot's, with the name before it, where those listen who
 * want more than single rooms. */
void store_tell(struct store *s, reply_fn *fn, void *arg, struct span name, struct span text);

/* A name made of a prefix and what follows it; good until the next call. */
struct span store_name(struct store *s, const char *prefix, struct span rest);

/* The same into a buffer of the caller's, emptied before; a brace that the prefix opened is closed.
 */
struct span store_key(struct buf *b, const char *prefix, struct span rest);

/* The text under a key; empty when there is none. */
void store_get(struct store *s, struct span key, store_text *got, void *arg);

/* What is asked of the subscribing connection, in the order in which it was asked. */
enum ask_kind { LISTEN, UNLISTEN, LISTEN_PATTERN, LISTEN_SHARD, UNLISTEN_SHARD, SETTLE };

/* Nothing while down. */
void store_ask(struct store *s, enum ask_kind kind, struct span channel);

/* What came on a channel that is none of collab's. */
void store_adapter_take(struct store *s, struct span channel, struct span message);
void store_adapters_free(struct store *s);

/* A call that ends, with a store_done, when all its replies are there. done may be NULL. */
struct store_call {
    struct redis *redis;
    store_done *done;
    void *arg;
    int waiting; /* replies to come */
    enum store_result result;
    char *why; /* Redis' words when it refused */
};

/* replies: how many store_call_reply() is to wait for, of those who use that. */
struct store_call *store_call(struct store *s, store_done *done, void *arg, int replies);

/* Takes down what a reply says of how the call went: NULL, or an error, is what it ends with. */
void store_call_note(struct store_call *c, const struct reply *r);

/* Calls done, and frees it. */
void store_call_end(struct store_call *c);

/* Calls each for what stands in the braces of every key that begins so, is of that type, and
 * matches a pattern of room.h there; then ends the call. */
void store_scan(struct store *s, const char *prefix, const char *type, struct span pattern,
                store_room *each, struct store_call *call);

/* The reply_fn of a call whose replies say nothing but whether it worked. */
void store_call_reply(void *arg, const struct reply *r);

#endif
