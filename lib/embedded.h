/* The embedded default: a private redis-server for a gateway to which none was named.
 *
 * It listens on a Unix socket in the run directory alone, keeps an append-only file in the state
 * directory, and ends with the process that started it, however that ends. One at a time for each
 * run directory: a lock file, which the server inherits, says who holds it. */
#ifndef EMBEDDED_H
#define EMBEDDED_H

#include "fault.h"
#include <uv.h>

/* The run directory: $XDG_RUNTIME_DIR/collab, else /tmp/collab-UID; made with mode 0700 when
 * missing, refused when it is another user's or open to others. Appends its path. Returns 0 or -1.
 */
int embedded_run_dir(struct buf *path, struct fault *f);

/* The state directory: $XDG_STATE_HOME/collab, else $HOME/.local/state/collab; made likewise. */
int embedded_state_dir(struct buf *path, struct fault *f);

/* Appends the URL of the embedded socket ("unix:///run/user/1000/collab/redis.sock"), whether or
 * not anything listens there. Returns whether a socket is there. */
bool embedded_url(struct buf *url);

struct embedded;

/* Starts the server and waits until it answers. NULL with a fault when it can't be had: no
 * redis-server on PATH, another process holds the lock (its pid is named), it ended at once. */
struct embedded *embedded_start(struct fault *f);

/* Starts it again, with back-off, whenever it ends by itself. Uses SIGCHLD on this loop. */
void embedded_supervise(struct embedded *e, uv_loop_t *loop);

/* Ends the server (SIGTERM, so that it saves) and waits for its end. e may be NULL. */
void embedded_stop(struct embedded *e);

#endif
