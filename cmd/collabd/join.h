/* Being in rooms: how a session comes into one and goes out of it, at its own request or without,
 * and what keeps it there. What the rest of the gateway must know of that, it tells. */
#ifndef JOIN_H
#define JOIN_H

#include "session.h"

/* Joins the rooms that are joined by themselves on connect: the user's own, those that the token
 * names, those that the user is a member of. Calls done when it is through, maybe from within; what
 * waits in them is held back until away_begin(). */
typedef void join_done(void *arg);
void join_own_rooms(struct session *s, join_done *done, void *arg);

/* Redis can be asked again: joins those of them that could not be told before. */
void join_missing(struct session *s);

/* Its user has become a member of a room: joins it, if that is joined by itself. */
void join_member(struct session *s, struct span room);

/* The session, which may, is in a room from now on. The client is not told. */
void join_enter(struct session *s, struct span room);

/* The same at the word of one who is believed: nobody's leave is asked, neither now nor when rights
 * go. False if it was there before, or may be in no more rooms. */
bool join_place(struct session *s, struct span room);

/* Takes the session out of a room, if it is there; whether it was. The client is not told. */
bool join_leave(struct session *s, struct span room);

/* Ends a join that the client has no right to any more, and tells it so. Whether it was there. */
bool join_end(struct session *s, struct span room, const char *why);

/* Judges anew in which rooms a session may be; those that it has no right to be in any more it
 * leaves. One that nobody can say of now is kept, or left (strict) unless it is Redis that is away:
 * all is judged again when that is back. */
enum join_doubt { JOIN_KEEP, JOIN_STRICT };
void join_review(struct session *s, enum join_doubt doubt);

/* The client has gone: it leaves every room. */
void join_leave_all(struct session *s);

#endif
