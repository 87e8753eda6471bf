/* TLS, between what accepts connections and what reads their requests: a connection that speaks it
 * is shaken hands with, within bounds of time and number, and handed on as one end of a pair of
 * sockets. What comes out of the pair's other end leaves encrypted, what comes in enters it in
 * plain; so all that follows knows nothing of TLS. One that does not speak it is handed on as it
 * is. */
#ifndef SECURE_H
#define SECURE_H

#include "http.h"
#include "visitor.h"

struct secures;
struct secures *secures_new(struct gateway *g, struct https *https);
void secures_free(struct secures *s);

/* Takes a visitor over that has entered. */
void secure_take(struct secures *s, struct visitor *v);

/* Ends those whose handshake is not done; ends all at once. They are gone after a turn of the loop.
 */
void secures_drain(struct secures *s);
void secures_end_all(struct secures *s);

/* How many there are; one that was closed is, until its client has what was sent to it. */
size_t secures_count(const struct secures *s);

#endif
