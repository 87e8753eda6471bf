/* --workers: several gateways on one port, so that more than one processor can be used. This
 * process starts them and serves nobody itself. It owns the port's number, the embedded Redis and
 * the service manager's ear; it says that it is ready when all are, hands signals on, and starts
 * another in place of one that ends, with a growing pause when that happens soon. */
#ifndef WORKERS_H
#define WORKERS_H

#include "fault.h"
#include "settings.h"
#include "status.h"
#include <stdbool.h>

/* In one of the workers: makes settings what it was told to be, instead of what it was told as one
 * of several; `worker` is its number. Elsewhere it does nothing. */
void worker_settle(struct settings *set);

/* Runs them until told to end. argc, argv: the program's. Returns 0, or -1 with a fault when the
 * port or Redis cannot be had; *status is how to end. */
int workers_run(const struct settings *set, int argc, char **argv, enum exit_status *status,
                struct fault *f);

#endif
