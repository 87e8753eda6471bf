/* Who may be in a room: by the token's grants, and by what the catalog says of the room. */
#ifndef ADMIT_H
#define ADMIT_H

#include "session.h"

enum admission { ADMITTED, NOT_ADMITTED, NOT_KNOWN };

/* Decides, and calls done once: from within, or later. why says so in words when not ADMITTED;
 * NOT_KNOWN: what decides can't be asked now. room lasts for the call of admit() alone; arg tells
 * which it was. Of a session that has gone meanwhile it says NOT_ADMITTED. */
typedef void admit_done(void *arg, enum admission result, const char *why);
void admit(struct session *s, struct span room, admit_done *done, void *arg);

/* Decides the same way whether the user is a member of a room, or of one whose members are members
 * there, in one of some roles (NULL-terminated; NULL: any). */
void admit_member(struct session *s, struct span room, const char *const *roles, admit_done *done,
                  void *arg);

/* Whether nobody has to be asked: by the token, or by what the catalog says of everybody. */
bool admit_is_free(const struct session *s, struct span room);

#endif
