/* What a client asks of the history of rooms: a page of it, on request, in one reply. */
#ifndef SYNC_H
#define SYNC_H

#include "session.h"

/* Of the rooms that the message names, or else of all that the session is in:
 * - since: {"ROOM":"ID",...}, or a time for all of them (RFC 3339, or milliseconds since 1970):
 *   what came after it;
 * - before: the same: what came before it;
 * - limit: events of each room at most, by default 100;
 * - order: "oldest" or "newest" first. */
void sync_rooms(struct session *s, const struct request *r);

#endif
