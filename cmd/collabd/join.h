/* Joining and leaving rooms: who may, and the answers. */
#ifndef JOIN_H
#define JOIN_H

#include "session.h"

/* The rooms of a request: those that its message's templates make of its data, or the list that
 * its `rooms` argument is. Each is judged by itself; the reply tells what came of each. */
void join_rooms(struct session *s, const struct request *r);
void leave_rooms(struct session *s, const struct request *r);

/* The rooms of a request, one after the other: from templates, or from a list. */
struct room_list {
    struct route_rooms *routed; /* NULL: listed */
    int next;
    struct json_walk walk;
};

/* Finds them; false after refusing the request. routed must outlast the list. Then each as it was
 * written; it is a room only if join_read_room() says so, which takes the quotes off. */
bool join_find_rooms(struct session *s, const struct request *r, struct route_rooms *routed,
                     struct room_list *list);
bool join_next_room(struct room_list *list, struct span *room);
int join_read_room(const struct room_list *list, struct span *room, struct fault *f);

/* Joins the rooms that are joined by themselves on connect: the user's own, those that the token
 * names, those that the user is a member of. Calls done when it is through, maybe from within; what
 * waits in them is held back until away_begin(). */
typedef void join_done(void *arg);
void join_own_rooms(struct session *s, join_done *done, void *arg);

/* Redis can be asked again: joins those of them that could not be told before. */
void join_missing(struct session *s);

/* Its user has become a member of a room: joins it, if that is joined by itself. */
void join_member(struct session *s, struct span room);

/* The session, which may, is in a room from now on. */
void join_enter(struct session *s, struct span room);

/* Puts the session into a room at the word of one who is believed: nobody's leave is asked, neither
 * now nor when rights go. Takes it out of one. The client is not told. False: it was there before;
 * it was not, or may be in no more. */
bool join_place(struct session *s, struct span room);
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
