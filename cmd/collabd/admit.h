/* Who may be in a room: by the token's grants, and by what the catalog says of the room. */
#ifndef ADMIT_H
#define ADMIT_H

#include "session.h"

enum admission { ADMITTED, NOT_ADMITTED, NOT_KNOWN };

/* Decides, and calls done once: from within, or later. why says so in words when not ADMITTED;
 * NOT_KNOWN: what decides can't be asked now. room lasts for the call of admit() alone; arg tells
 * which it was. */
typedef void admit_done(void *arg, enum admission result, const char *why);
void admit(struct session *s, struct span room, admit_done *done, void *arg);

#endif
