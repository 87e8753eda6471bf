#include "key.h"
#include "ident.h"
#include "mem.h"
#include "secret.h"
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

enum { MADE_SECRET_CHARS = 104 }; /* 520 bits: enough for HS512 (RFC 7518, section 3.2) */

/* The kinds and their algorithms, the usual one first. */
static const struct {
    const char *name;
    const char *algorithms[4];
} kinds[] = {
    [KEY_HMAC] = {"HMAC", {"HS256", "HS384", "HS512"}},
    [KEY_RSA] = {"RSA", {"RS256", "RS384", "RS512"}},
    [KEY_P256] = {"EC P-256", {"ES256"}},
    [KEY_P384] = {"EC P-384", {"ES384"}},
    [KEY_P521] = {"EC P-521", {"ES512"}},
};

bool key_takes(const struct key *key, struct span algorithm)
{
    for (const char *const *a = kinds[key->kind].algorithms; *a; a++)
        if (span_is(algorithm, *a))
            return true;
    return false;
}

const char *key_algorithm(const struct key *key)
{
    return kinds[key->kind].algorithms[0];
}

const char *key_kind_name(enum key_kind kind)
{
    return kinds[kind].name;
}

static void key_fini(struct key *key)
{
    free(key->kid);
    free(key->title);
    secret_wipe(&key->checking);
    secret_wipe(&key->signing);
}

struct keyring *keyring_new(void)
{
    return mem_zero(sizeof(struct keyring));
}

void keyring_free(struct keyring *k)
{
    if (!k)
        return;
    for (size_t i = 0; i < k->count; i++)
        key_fini(&k->at[i]);
    free(k->at);
    free(k);
}

size_t keyring_count(const struct keyring *k)
{
    return k->count;
}

static struct key *find_kid(const struct keyring *k, const char *kid)
{
    for (size_t i = 0; i < k->count; i++)
        if (k->at[i].kid && strcmp(k->at[i].kid, kid) == 0)
            return &k->at[i];
    return NULL;
}

/* A private key and its public one under one name are one key. Returns whether they are that, and
 * merges them. */
static bool merge(struct key *old, struct key *new)
{
    if (old->kind != new->kind || !span_equal(buf_span(&old->checking), buf_span(&new->checking)))
        return false;
    if (old->signing.len == 0) {
        struct buf none = old->signing;
        old->signing = new->signing;
        new->signing = none;
    }
    return true;
}

/* Takes the key over, also when it fails. */
static int add(struct keyring *k, struct key *key, struct fault *f)
{
    struct key *old = key->kid ? find_kid(k, key->kid) : NULL;
    int result = 0;

    if (!old && !key->kid && k->count - k->named == KEY_UNNAMED_MAX)
        result = fault_set(f, "more than %d keys without a name: put them into a directory",
                           KEY_UNNAMED_MAX);
    if (old && !merge(old, key))
        result = fault_set(f, "another key has the name %s", fault_quote(span_of(key->kid)));
    if (old || result != 0) {
        key_fini(key);
        return result;
    }
    k->at = mem_resize(k->at, (k->count + 1) * sizeof(*k->at));
    k->at[k->count++] = *key;
    k->named += key->kid != NULL;
    return 0;
}

/* For OpenSSL, which would ask for the passphrase on the terminal. */
static int no_passphrase(char *to, int size, int writing, void *arg)
{
    (void)to;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

/* The bytes of a memory BIO, which is freed. */
static void take_bio(BIO *bio, struct buf *out)
{
    char *at;
    long len = BIO_get_mem_data(bio, &at);

    buf_add(out, at, (size_t)len);
    BIO_free(bio);
}

static void write_public(EVP_PKEY *pair, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());

    PEM_write_bio_PUBKEY(bio, pair);
    take_bio(bio, out);
}

static void write_private(EVP_PKEY *pair, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());

    PEM_write_bio_PrivateKey(bio, pair, NULL, NULL, 0, NULL, NULL);
    take_bio(bio, out);
}

static int curve_kind(EVP_PKEY *pair, enum key_kind *kind, struct fault *f)
{
    static const struct {
        const char *group;
        enum key_kind kind;
    } curves[] = {{"prime256v1", KEY_P256}, {"secp384r1", KEY_P384}, {"secp521r1", KEY_P521}};
    char group[64] = "";

    EVP_PKEY_get_group_name(pair, group, sizeof(group), NULL);
    for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
        if (strcmp(group, curves[i].group) != 0)
            continue;
        *kind = curves[i].kind;
        return 0;
    }
    return fault_set(f, "an EC key must be on the curve P-256, P-384 or P-521, found %s",
                     group[0] != '\0' ? group : "one without a name");
}

static int pair_kind(EVP_PKEY *pair, enum key_kind *kind, struct fault *f)
{
    int bits = EVP_PKEY_get_bits(pair);

    switch (EVP_PKEY_get_base_id(pair)) {
    case EVP_PKEY_RSA:
        *kind = KEY_RSA;
        if (bits < KEY_RSA_BITS_MIN)
            return fault_set(f, "an RSA key must have %d bits at least, found %d", KEY_RSA_BITS_MIN,
                             bits);
        return 0;
    case EVP_PKEY_EC:
        return curve_kind(pair, kind, f);
    default:
        return fault_set(f, "must be an RSA or EC key, found %s", EVP_PKEY_get0_type_name(pair));
    }
}

/* Reads the private key of a PEM text, else the public one. */
static EVP_PKEY *read_pair(struct span pem, bool *private)
{
    BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.len);
    EVP_PKEY *pair = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);

    *private = pair != NULL;
    if (!pair) {
        BIO_reset(bio);
        pair = PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
    }
    BIO_free(bio);
    ERR_clear_error();
    return pair;
}

static bool holds(struct span text, const char *part)
{
    return memmem(text.at, text.len, part, strlen(part)) != NULL;
}

static int parse_pem(struct key *key, struct span text, struct fault *f)
{
    bool private;
    EVP_PKEY *pair = read_pair(text, &private);

    if (!pair && holds(text, "ENCRYPTED"))
        return fault_set(f, "has a passphrase: only a key without one can be used");
    if (!pair)
        return fault_set(f, "holds no private or public key that can be read");
    int result = pair_kind(pair, &key->kind, f);
    if (result == 0)
        write_public(pair, &key->checking);
    if (result == 0 && private)
        write_private(pair, &key->signing);
    EVP_PKEY_free(pair);
    return result;
}

static int parse_secret(struct key *key, struct span text, struct fault *f)
{
    if (text.len > 0 && text.at[text.len - 1] == '\n')
        text.len--;
    if (text.len < KEY_SECRET_BYTES_MIN)
        return fault_set(f, "a secret must have %d bytes at least, found %zu", KEY_SECRET_BYTES_MIN,
                         text.len);
    key->kind = KEY_HMAC;
    buf_join(&key->checking, text);
    buf_join(&key->signing, text);
    return 0;
}

static int parse_key(struct key *key, struct span text, struct fault *f)
{
    return holds(text, "-----BEGIN ") ? parse_pem(key, text, f) : parse_secret(key, text, f);
}

/* Reads the key in an open file. */
static int load(struct key *key, int fd, const struct stat *st, const char *path, struct fault *f)
{
    struct buf text = {0};

    int result = secret_read(fd, st, &text, f);
    if (result == 0)
        result = parse_key(key, buf_span(&text), f);
    secret_wipe(&text);
    if (result != 0)
        return -1;
    return secret_check_access(st, key->signing.len != 0, path, f);
}

static int add_file(struct keyring *k, int fd, const struct stat *st, const char *path, char *kid,
                    struct fault *f)
{
    struct key key = {.kid = kid};
    struct buf title = {0};

    if (kid)
        buf_printf(&title, "key %s", fault_quote(span_of(kid)));
    else
        buf_text(&title, "the key");
    key.title = title.at;
    if (load(&key, fd, st, path, f) != 0) {
        key_fini(&key);
        return -1;
    }
    return add(k, &key, f);
}

static char *kid_of(const char *name)
{
    const char *dot = strrchr(name, '.');

    return mem_copy(name, dot ? (size_t)(dot - name) : strlen(name));
}

static int add_entry(struct keyring *k, int dir, const char *dir_path, const char *name,
                     struct fault *f)
{
    struct stat st;
    struct buf path = {0};

    buf_printf(&path, "%s/%s", dir_path, name);
    int fd = secret_open(dir, name, &st, f);
    int result = fd < 0 ? -1 : 0;
    if (fd >= 0 && S_ISREG(st.st_mode))
        result = add_file(k, fd, &st, path.at, kid_of(name), f);
    if (fd >= 0)
        close(fd);
    if (result != 0)
        fault_at(f, "%s", path.at);
    buf_fini(&path);
    return result;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_directory(struct keyring *k, int dir, const struct stat *st, const char *path,
                         struct fault *f)
{
    struct dirent **entries;
    size_t before = k->count;
    int result = 0;

    if (secret_check_owner(st, f) != 0 ||
        secret_check_mode(st, 022, "change", "go-w", path, f) != 0)
        return fault_at(f, "%s", path);
    int count = scandirat(dir, ".", &entries, is_visible, by_name);
    if (count < 0)
        return fault_set(f, "%s: %s", path, uv_strerror(-errno));
    for (int i = 0; i < count; i++) {
        if (result == 0)
            result = add_entry(k, dir, path, entries[i]->d_name, f);
        free(entries[i]);
    }
    free(entries);
    if (result == 0 && k->count == before)
        return fault_set(f, "%s: no key in this directory", path);
    return result;
}

int keyring_add_path(struct keyring *k, const char *path, struct fault *f)
{
    struct stat st;
    int fd = secret_open(AT_FDCWD, path, &st, f);
    int result;

    if (fd < 0)
        return fault_at(f, "%s", path);
    if (S_ISDIR(st.st_mode)) {
        result = add_directory(k, fd, &st, path, f);
    } else {
        result = add_file(k, fd, &st, path, NULL, f);
        if (result != 0)
            fault_at(f, "%s", path);
    }
    close(fd);
    return result;
}

static int write_all(int fd, struct span text)
{
    while (text.len > 0) {
        ssize_t n = write(fd, text.at, text.len);
        if (n < 0)
            return -1;
        text.at += n;
        text.len -= (size_t)n;
    }
    return fsync(fd);
}

static int write_new(const char *path, mode_t mode, struct span text, struct fault *f)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

    if (fd < 0 && errno == EEXIST)
        return fault_set(f, "%s: exists, and was left as it is", path);
    if (fd < 0)
        return fault_set(f, "%s: %s", path, uv_strerror(-errno));
    int result = write_all(fd, text);
    if (result != 0) {
        fault_set(f, "%s: %s", path, uv_strerror(-errno));
        unlink(path);
    }
    close(fd);
    return result;
}

static int write_pair(const char *path, struct span private, struct span public, struct fault *f)
{
    struct buf public_path = {0};

    buf_printf(&public_path, "%s.pub", path);
    int result = write_new(public_path.at, 0644, public, f);
    if (result == 0) {
        result = write_new(path, 0600, private, f);
        if (result != 0)
            unlink(public_path.at);
    }
    buf_fini(&public_path);
    return result;
}

static int make_pair(EVP_PKEY *pair, const char *path, struct fault *f)
{
    struct buf private = {0}, public = {0};

    assert(pair);
    write_private(pair, &private);
    write_public(pair, &public);
    EVP_PKEY_free(pair);
    int result = write_pair(path, buf_span(&private), buf_span(&public), f);
    secret_wipe(&private);
    buf_fini(&public);
    return result;
}

static int make_secret(const char *path, struct fault *f)
{
    char secret[MADE_SECRET_CHARS + 1];

    ident_random(secret, MADE_SECRET_CHARS);
    secret[MADE_SECRET_CHARS] = '\n';
    int result = write_new(path, 0600, (struct span){secret, sizeof(secret)}, f);
    OPENSSL_cleanse(secret, sizeof(secret));
    return result;
}

int key_make(const char *kind, const char *path, struct fault *f)
{
    if (strcmp(kind, "hmac") == 0)
        return make_secret(path, f);
    if (strcmp(kind, "rsa") == 0)
        return make_pair(EVP_RSA_gen(KEY_RSA_BITS_MIN), path, f);
    assert(strcmp(kind, "ec") == 0);
    return make_pair(EVP_EC_gen("P-256"), path, f);
}
