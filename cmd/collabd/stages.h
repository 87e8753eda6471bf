/* What of the gateway needs no socket, from the hub to Redis: begun and ended in the order in which
 * the stages use each other. Who carries clients is begun after it and ended before. */
#ifndef STAGES_H
#define STAGES_H

#include "bus.h"

enum { STAGES_TICK_MS = 50 }; /* how often who runs the loop has the gateway's wheel turned */

/* Begins them. The gateway has its loop, settings, limits, keys and catalog already. */
void stages_begin(struct gateway *g);

/* Begins what needs Redis, and looks for it; see bus_open(). The address is used until the end. */
void stages_connect(struct gateway *g, const struct redis_address *address, bus_told *told,
                    void *ctx);

/* Nothing begins by itself any more. */
void stages_stop(struct gateway *g);

/* Leaves Redis. Every client must have gone. The loop has to be run to its end afterwards. */
void stages_disconnect(struct gateway *g);

/* Frees them, and the gateway's keys, catalog and settings. */
void stages_free(struct gateway *g);

#endif
