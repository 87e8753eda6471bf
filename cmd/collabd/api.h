/* The HTTP side: what each path answers. Knows requests and answers, not sockets. */
#ifndef API_H
#define API_H

#include "web.h"

/* Takes every path: those that the catalog names, and, to say so, those where nothing is. ctx: the
 * gateway. */
extern const struct web_site api_site;

#endif
