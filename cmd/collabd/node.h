/* This node among the others: its name, its state, its record in Redis. */
#ifndef NODE_H
#define NODE_H

#include "gateway.h"
#include "json.h"

struct node;
struct node *node_new(struct gateway *g);
void node_free(struct node *n);

/* As the settings have it, or the random one; it lasts as long as the node. */
const char *node_name(const struct node *n);

/* Where it listens, as URLs separated by blanks: from now on it is ready, and renews its record
 * in Redis every NODE_RECORD_MS; it lasts NODE_LEASE_MS. */
enum { NODE_RECORD_MS = 2000, NODE_LEASE_MS = 10000 };
void node_announce(struct node *n, struct span addresses);

/* Puts the catalog in force into Redis, where the tools find it. Nodes that have another are told
 * of in the log and among the reasons of health. */
void node_share_catalog(struct node *n);

/* Takes the record back, as far as Redis can be reached, and calls done. */
void node_withdraw(struct node *n, void (*done)(void *arg), void *arg);

/* Adds the state: "live", "ready", "degraded" and the "reasons" for what is not as it should be.
 * Returns whether it is ready. */
bool node_add_health(const struct node *n, struct json *object);

/* Adds the record: who it is, state, metrics, rates a second. */
void node_add_record(const struct node *n, struct json *object);

#endif
