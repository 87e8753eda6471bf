/* Files for browsers, from the directory that --www names: a page beside the gateway that it talks
 * to. It reads each file as it is asked for, and keeps nothing.
 *
 * What it gives out are regular files below that directory, and nothing else: no name that begins
 * with a dot, no symbolic link on the way, none larger than WWW_BYTES_MAX. */
#ifndef WWW_H
#define WWW_H

#include "fault.h"
#include "gateway.h"
#include "web.h"

enum { WWW_BYTES_MAX = 16 << 20 };

/* Whether there is such a directory, when one is named. Returns 0 or -1. */
int www_check(const struct gateway *g, struct fault *f);

/* Answers a request for a file, at once. False when it is none, or there is no such file: then it
 * is for another to answer. */
bool www_answer(const struct gateway *g, struct web_exchange *x);

#endif
