/* The authorization helper: a program of the operator's that says who may connect and join. It is
 * a co-process, asked by a JSON object on a line of its standard input,
 *
 *     {"id":7,"ask":"join","user":"ann","room":"project:p1"}
 *
 * ("connect" has no room) and answers on its standard output, in any order,
 *
 *     {"id":7,"allow":true,"for":30}
 *
 * where `for` are seconds for which the answer may be used again. Whatever goes wrong means no: no
 * answer in time, an answer that is none, no helper. It is started anew when it ends, at growing
 * intervals. Nothing waits for it but those whom it is asked about.
 *
 * Unasked it may say that a user's rights have changed, or everybody's:
 *
 *     {"changed":"ann"}
 *     {"changed":true}
 *
 * What it answered before holds no longer then. */
#ifndef AUTHZ_H
#define AUTHZ_H

#include "gateway.h"

struct authz;
/* changed: the helper says so, of a user; of everybody, when that is empty. */
typedef void authz_changed(struct gateway *g, struct span user);
/* NULL when the settings name no helper; then nobody is let in by it. */
struct authz *authz_new(struct gateway *g, authz_changed *changed);
void authz_stop(struct authz *a); /* ends the helper; NULL: nothing */
void authz_free(struct authz *a); /* NULL: nothing */

enum authz_answer { AUTHZ_YES, AUTHZ_NO, AUTHZ_SILENT };

/* Asks, and calls done once, from within or later. room empty: whether the user may connect. */
typedef void authz_done(void *arg, enum authz_answer answer, const char *why);
void authz_ask(struct authz *a, struct span user, struct span room, authz_done *done, void *arg);

/* How many questions wait for their answer. */
size_t authz_load(const struct authz *a);

#endif
