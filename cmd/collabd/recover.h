/* Recovery: what a session needs to go on elsewhere is kept in Redis, and what it had last can be
 * told, so that its client misses nothing though this process is killed.
 *
 * The client is given a private id, and with each event an offset, which is the same for all who
 * get that event: this process' run and its serial number, RUN.SERIAL. The serial number grows
 * with each kept event that is delivered in a room which such a session is in, and a mark in Redis
 * says which event of the room that was. So an offset stands for a place in each room. restore.h
 * is the way back.
 *
 * Off while the catalog keeps nothing in any room. While a session is being brought up to date in
 * a room, an offset says too much of it: for that time it has no record. */
#ifndef RECOVER_H
#define RECOVER_H

#include "keeper.h"
#include "session.h"

enum { RECOVER_PID_CHARS = 32, RECOVER_RUN_CHARS = 16, RECOVER_MS = 120000 };

struct recoveries;
struct recoveries *recoveries_new(struct gateway *g);
void recoveries_free(struct recoveries *all);

bool recover_is_on(const struct gateway *g);

/* Appends the offset of now. */
void recover_offset(const struct gateway *g, struct buf *out);

/* Begins to keep the session. pid, offset: what its client came back with; empty: it is new. */
void recover_begin(struct session *s, struct span pid, struct span offset);

/* Its private id; NULL: it is not kept. */
const char *recover_pid(const struct session *s);

/* It is over here; or for good. Called before it leaves its rooms. */
void recover_end(struct session *s, bool for_good);

/* What hub and bus tell it. */
extern const struct keeper recover_keeper;

/* Writes what has changed, before anything is sent to clients. */
void recover_flush(struct gateway *g);

#endif
