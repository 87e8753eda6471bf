/* An answer that waits for Redis: the session is held, and what the answer needs is kept. */
#ifndef REPLY_H
#define REPLY_H

#include "session.h"

struct waiting {
    struct session *session;
    struct catalog *catalog; /* that the message is of */
    struct request request;  /* its ref is the waiting's own; its data is gone */
    struct json *data;       /* of the reply; NULL: none so far */
};

/* data: taken over. A tree is many small pieces: of an answer that many wait for at once it is
 * better made when it is due. */
struct waiting *reply_wait(struct session *s, const struct request *r, struct json *data);

/* Answers, and frees. */
void reply_done(struct waiting *w);
/* The same, of another type than the message's own. */
void reply_done_as(struct waiting *w, const char *type);
void reply_refused(struct waiting *w, enum error_code code, const char *why);
/* The same, with what was gathered for the reply as detail. */
void reply_refused_all(struct waiting *w, enum error_code code, const char *why);

/* Says in the reply that it holds for this node alone, and why. */
void reply_degraded(struct waiting *w, const char *why);

#endif
