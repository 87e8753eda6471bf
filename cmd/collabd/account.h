/* Accounts of what an address, a user or a room has used up of its limits: the window of its rate,
 * and the connections that are open. Knows no limit, no client and no Redis.
 *
 * An account is there while somebody holds it, or its window is open; of those that nobody holds
 * the oldest go first when they become too many. */
#ifndef ACCOUNT_H
#define ACCOUNT_H

#include "buf.h"
#include "rate.h"
#include "table.h"

enum account_kind { ACCOUNT_ADDRESS, ACCOUNT_USER, ACCOUNT_ROOM };

struct account {
    struct table_node node; /* by name */
    struct accounts *all;
    struct account *prev, *next;           /* in all->idle, while nobody holds it */
    struct account *news_prev, *news_next; /* in all->news */
    struct rate_window window;
    enum account_kind kind;
    uint32_t connections;
    uint32_t visits; /* connections that are no client's yet (visitor.h) */
    int64_t news;    /* of users and rooms: taken from the window since account_news() */
    uint32_t asked;  /* throttle.c's: answers of Redis that are due */
    uint32_t stale;  /* and how many of those count no more */
    uint32_t holders;
    char name[]; /* a letter for the kind, a colon, and the name */
};

struct accounts {
    struct table by_name;
    struct account *idle; /* the oldest first */
    struct account *news; /* those of users and rooms from whose windows something was taken */
    size_t idle_count;
};
enum { ACCOUNTS_IDLE_MAX = 65536 };

/* Nobody holds one any more. */
void accounts_fini(struct accounts *all);

/* Finds or makes one. It may go when the next is made, unless it is held. */
struct account *account_get(struct accounts *all, enum account_kind kind, struct span name,
                            int64_t now_ms);
/* NULL: there is none. */
struct account *account_find(const struct accounts *all, enum account_kind kind, struct span name);

/* Keeps it until it is released as often as it was held. Returns a. */
struct account *account_hold(struct account *a);
void account_release(struct account *a);

/* rate_take() from its window, noted as news if it worked. */
bool account_take(struct account *a, const struct rate *r, int64_t now_ms);

/* How much was taken since the last such call; the account is no news then. */
int64_t account_news(struct account *a);

#endif
