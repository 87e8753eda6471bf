/* SIGHUP: settings, catalog, keys and certificate are read afresh. What is wrong with any of them
 * changes nothing at all. */
#ifndef RELOAD_H
#define RELOAD_H

#include "gateway.h"

/* The catalog that the settings name, or the one built in. NULL with a fault. */
struct catalog *reload_catalog(const struct settings *set, struct fault *f);

/* Which proxies are trusted. -1 with a fault. */
int reload_proxies(const struct settings *set, struct networks *out, struct fault *f);

/* What is shown where TLS is spoken; NULL where it is not. -1 with a fault. */
int reload_identity(const struct settings *set, struct tls_identity **out, struct fault *f);

/* argc, argv: as opt_parse() left them. -1 with a fault, and all is as it was. What is only looked
 * at when the gateway starts keeps its effect: where it listens, Redis, the node's name. */
int reload(struct gateway *g, int argc, char **argv, struct fault *f);

#endif
