/* The slots of a Redis Cluster: which one a key is in, and what a server says of one that it does
 * not serve (redis.io/docs/reference/cluster-spec). Keeps nothing, connects to nothing. */
#ifndef SLOT_H
#define SLOT_H

#include "buf.h"

enum { SLOT_COUNT = 16384 };

/* The slot of a key or a sharded channel: of what stands between its first braces, if anything
 * does. */
unsigned slot_of(struct span key);

/* The number that stands for a slot: the least whose decimal digits are of it. The first call
 * makes the table of all, which takes a few milliseconds. */
unsigned slot_tag(unsigned slot);

/* What an error says of where to go instead. */
enum redirect_kind {
    REDIRECT_NONE,  /* another error */
    REDIRECT_MOVED, /* the slot is served there */
    REDIRECT_ASK,   /* this command is to go there, after ASKING; the slot is moving */
    REDIRECT_AGAIN, /* half of the keys have moved: the same, a little later */
    REDIRECT_DOWN,  /* the cluster serves nobody */
};
struct redirect {
    enum redirect_kind kind;
    struct span host; /* empty: the one that answered. Good as long as the error's text. */
    int port;
};
struct redirect redirect_parse(struct span error);

#endif
