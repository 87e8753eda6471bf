/* Files that hold keys: opened, looked at and read with care. A file is looked at by its
 * descriptor, so that it can't be another one by the time it is read. */
#ifndef SECRET_H
#define SECRET_H

#include "buf.h"
#include "fault.h"
#include <sys/stat.h>

enum { SECRET_FILE_BYTES_MAX = 64 * 1024 };

/* Opens name in the directory dir (AT_FDCWD: as a path) to read, and says what it is. Returns a
 * descriptor, or -1 with a fault. */
int secret_open(int dir, const char *name, struct stat *st, struct fault *f);

/* It must be ours or root's; and have none of these bits of mode, by which others could do `what`:
 * the fault says which mode to give the file instead. */
int secret_check_owner(const struct stat *st, struct fault *f);
int secret_check_mode(const struct stat *st, mode_t bits, const char *what, const char *mode,
                      const char *path, struct fault *f);

/* The same two by what is in the file: a secret nobody else may read or change; what is none nobody
 * else may change. */
int secret_check_access(const struct stat *st, bool secret, const char *path, struct fault *f);

/* Appends what is in a regular file of ours or root's, such that no growing of out leaves a copy
 * behind. Returns 0 or -1. */
int secret_read(int fd, const struct stat *st, struct buf *out, struct fault *f);

/* Opens, checks and reads. The caller wipes out. */
int secret_load(const char *path, bool secret, struct buf *out, struct fault *f);

/* Frees a secret, and leaves nothing of it. */
void secret_wipe(struct buf *b);

#endif
