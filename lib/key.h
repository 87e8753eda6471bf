/* The keys that tokens are signed with: files read into a ring of them, and new ones made.
 *
 * What a file holds decides the key's kind, and the kind which algorithms it takes. A ring owns
 * its keys and wipes them when it goes. No fault shows anything of a key but its name. */
#ifndef KEY_H
#define KEY_H

#include "buf.h"
#include "fault.h"
#include <stdbool.h>

enum {
    KEY_SECRET_BYTES_MIN = 32,
    KEY_RSA_BITS_MIN = 2048,
    KEY_UNNAMED_MAX = 4, /* keys of a ring without a kid; each is tried */
};

enum key_kind { KEY_HMAC, KEY_RSA, KEY_P256, KEY_P384, KEY_P521 };

struct key {
    char *kid;   /* NULL: none */
    char *title; /* for messages: `key "k1"`, or "the key" */
    enum key_kind kind;
    struct buf checking; /* the secret, or the public key as PEM */
    struct buf signing;  /* the secret, or the private key as PEM; empty: it is public */
};

/* Keys, each with a `kid` or without, in the order in which they were added. */
struct keyring {
    struct key *at;
    size_t count;
    size_t named; /* of them, with a kid */
};

struct keyring *keyring_new(void);
void keyring_free(struct keyring *k); /* NULL: nothing */

/* Adds a key file: an HMAC secret (its bytes less one trailing newline, at least 32 of them) or a
 * PEM key (RSA of at least 2048 bits; EC P-256, P-384 or P-521), private or public. It must be a
 * regular file of ours or root's. A secret or private key that others than its owner may read is
 * refused, and a public one that others may write. Of a directory, every regular file that doesn't
 * begin with a dot is added, in order of name, with its name less its last extension as kid; a
 * private key and its own public one may share a kid. Returns 0 or -1. */
int keyring_add_path(struct keyring *k, const char *path, struct fault *f);
size_t keyring_count(const struct keyring *k);

/* Whether the key takes an algorithm ("ES256"). The one that is usual for it. Its kind's name. */
bool key_takes(const struct key *key, struct span algorithm);
const char *key_algorithm(const struct key *key);
const char *key_kind_name(enum key_kind kind);

/* Makes a key of kind "hmac", "rsa" or "ec" (P-256): file (mode 0600, must not exist), and for a
 * pair also file.pub. Returns 0 or -1, and then neither is there. */
int key_make(const char *kind, const char *path, struct fault *f);

#endif
