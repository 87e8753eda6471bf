/* Random names: connections, nodes, keys. From getrandom(2), so they can't be guessed. */
#ifndef IDENT_H
#define IDENT_H

#include <stddef.h>

/* Writes `chars` characters of a-z and 2-7 (RFC 4648 base32, 5 bits each) and a NUL. */
void ident_random(char *out, size_t chars);

/* Fills bytes with randomness of the kernel's. */
void ident_bytes(void *out, size_t bytes);

/* A random fraction in [0, 1), for jitter; not for secrets. */
double ident_jitter(void);

#endif
