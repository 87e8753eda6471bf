/* People: the users who have a session on this node, each with its sessions. */
#ifndef PEOPLE_H
#define PEOPLE_H

#include "session.h"
#include "table.h"

struct person {
    struct table_node node;   /* by user */
    struct session *sessions; /* linked by same_prev, same_next */
    uint32_t count;
    uint64_t
        changes; /* of rights that were told of: what was asked before one is to be asked anew */
    char user[];
};

/* The session's user is known; once more is no harm. */
void people_enter(struct session *s);
void people_leave(struct session *s);

/* NULL: no session here is of that user. */
struct person *people_find(const struct gateway *g, struct span user);

#endif
