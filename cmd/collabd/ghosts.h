/* Ghosts: what dead gateways left behind of presence, and its removal by whoever notices first. */
#ifndef GHOSTS_H
#define GHOSTS_H

#include "tidings.h"

/* Looks for owners whose lease has ended, other than `owner`, and has them gone: their users'
 * offline and leave events are told, once, however many look. claim_ms: nobody else sees to the
 * same owner for so long. */
void ghosts_look(struct gateway *g, struct span owner, int64_t claim_ms);

#endif
