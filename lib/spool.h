/* A spool: records that wait in a directory for the next run of the same program, in order.
 *
 * One run at a time has it. A run reads what waits (spool_path(), lines of text), adds what is to
 * wait from now on, what it could not get rid of first, and commits: only then does the one take
 * the place of the other, on the disk before spool_commit() returns. A run that is killed has
 * changed nothing. */
#ifndef SPOOL_H
#define SPOOL_H

#include "buf.h"
#include "fault.h"

struct spool;

/* Makes the directory (mode 0700) if it isn't there. NULL with a fault; one is that another run
 * has it. */
struct spool *spool_open(const char *dir, struct fault *f);

/* Gives the directory up to the next run; what was not committed is dropped. NULL: nothing. */
void spool_close(struct spool *s);

/* The file of what waits; NULL: nothing does. */
char *spool_path(struct spool *s);

/* Adds a record, of one line. Returns 0, or -1 with a fault: then commit will fail too. */
int spool_add(struct spool *s, struct span record, struct fault *f);

/* How many were added. */
size_t spool_count(const struct spool *s);

/* What was added is what waits from now on, in place of what did. Once, at the end. Returns 0, or
 * -1 with a fault. */
int spool_commit(struct spool *s, struct fault *f);

#endif
