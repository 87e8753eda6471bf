/* Where a Redis deployment is: the URL that names it, and the servers in it.
 *
 * Owns the syntax, and what may be shown of a URL: never the password. Connects to nothing. */
#ifndef REDIS_URL_H
#define REDIS_URL_H

#include "fault.h"

/* One server, and as whom to speak to it. */
struct redis_node {
    char *path; /* of a Unix socket; else NULL, and host and port count */
    char *host;
    int port;
    int db;
    char *user; /* NULL: none */
    char *password;
    char *label; /* its address without the password, for messages */
};

struct redis_address {
    struct redis_node *nodes; /* at least one: servers, or sentinels */
    size_t count;
    char *master;           /* whom the sentinels watch; NULL: these are no sentinels */
    struct redis_node like; /* user, password and db of the servers; it is no server itself */
    char *label;            /* the URL without the password */
};

/* redis://[user:password@]host[:port][,host[:port]]...[/db] (percent-encoding decoded, IPv6 host in
 * brackets), unix://[user:password@]/path or unix:path; each with ?db=N. Of sentinels:
 * redis+sentinel://[user:password@]host[:port][,host[:port]].../master[/db]; user, password and db
 * are those of the master, and the sentinels' own follow as ?sentinel-user=, &sentinel-password=.
 * Returns 0, or -1 with a fault that shows no password. */
int redis_address_parse(struct redis_address *a, struct span url, struct fault *f);
void redis_address_fini(struct redis_address *a);

/* Another server of the same deployment: its host and port, the rest as of `like`. */
void redis_node_at(struct redis_node *n, struct span host, int port, const struct redis_node *like);
void redis_node_copy(struct redis_node *to, const struct redis_node *from);
void redis_node_fini(struct redis_node *n);
bool redis_node_is(const struct redis_node *n, struct span host, int port);

#endif
