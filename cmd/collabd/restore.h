/* Restoring: the way back for a session that recover.h has kept, on whatever node. */
#ifndef RESTORE_H
#define RESTORE_H

#include "recover.h"

/* Puts a new session, of an identified client, into the rooms of the one that the client had, and
 * sends what it missed there; the session then has that one's id. Rooms are judged again. done:
 * called once, later; unless restored, the session is in no room. auth: the client's,
 * with pid and offset. False, and done is not called, when it asks for nothing of the kind. */
typedef void restore_done(void *arg, bool restored, struct span pid, struct span offset);
bool restore(struct session *s, struct span nsp, struct span auth, restore_done *done, void *arg);

#endif
