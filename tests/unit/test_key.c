#include "key.h"
#include "secret.h"
#include <dirent.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SECRET_31 "0123456789abcdef0123456789abcde"
#define SECRET    SECRET_31 "f"

/* Each test has an empty directory, which is its working directory: so faults name short paths. */
static char scratch[64];

static int enter_scratch(void **state)
{
    (void)state;
    strcpy(scratch, "/tmp/collab-key-XXXXXX");
    return !mkdtemp(scratch) || chdir(scratch) != 0;
}

static void remove_files(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    while ((entry = readdir(dir)))
        unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
}

static int leave_scratch(void **state)
{
    (void)state;
    if (access("keys", F_OK) == 0) {
        remove_files("keys");
        rmdir("keys/sub");
        rmdir("keys");
    }
    remove_files(".");
    return chdir("/") != 0 || rmdir(scratch) != 0;
}

static void put(const char *name, mode_t mode, const char *text, size_t len)
{
    FILE *out = fopen(name, "w");

    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, len, out), len);
    fclose(out);
    assert_int_equal(chmod(name, mode), 0);
}

static void put_text(const char *name, mode_t mode, const char *text)
{
    put(name, mode, text, strlen(text));
}

static void put_pair(const char *name, EVP_PKEY *pair, const EVP_CIPHER *cipher)
{
    FILE *out = fopen(name, "w");

    assert_non_null(pair);
    PEM_write_PrivateKey(out, pair, cipher, NULL, 0, NULL, cipher ? "1234" : NULL);
    fclose(out);
    chmod(name, 0600);
    EVP_PKEY_free(pair);
}

static struct keyring *ring;

static void add(const char *path)
{
    struct fault f;

    if (keyring_add_path(ring, path, &f) != 0)
        fail_msg("%s", f.text);
}

static void refused(const char *path, const char *why)
{
    struct fault f;
    size_t count = keyring_count(ring);

    assert_int_equal(keyring_add_path(ring, path, &f), -1);
    assert_string_equal(f.text, why);
    assert_true(keyring_count(ring) <= count + 2);
}

static void with_ring(void (*test)(void))
{
    ring = keyring_new();
    test();
    keyring_free(ring);
}

static void secrets(void)
{
    put_text("a", 0600, SECRET);
    put_text("b", 0400, SECRET "\n");
    put("c", 0600, SECRET "\0\n\n", 35);
    put_text("short", 0600, SECRET_31 "\n");
    put_text("empty", 0600, "");
    add("a");
    add("b");
    add("c");
    refused("short", "short: a secret must have 32 bytes at least, found 31");
    refused("empty", "empty: a secret must have 32 bytes at least, found 0");
    assert_int_equal(keyring_count(ring), 3);
    assert_int_equal(ring->at[0].kind, KEY_HMAC);
    assert_int_equal(ring->at[1].checking.len, 32);
    assert_int_equal(ring->at[2].checking.len, 34);
    assert_memory_equal(ring->at[2].signing.at, SECRET "\0\n", 34);
    assert_null(ring->at[0].kid);
}

static void a_secret_loses_one_newline(void **state)
{
    (void)state;
    with_ring(secrets);
}

static void open_files(void)
{
    put_text("a", 0644, SECRET);
    put_text("b", 0620, SECRET);
    put_text("big", 0600, "");
    assert_int_equal(truncate("big", SECRET_FILE_BYTES_MAX + 1), 0);
    assert_int_equal(mkfifo("fifo", 0600), 0);
    refused("a", "a: mode 0644 lets others read it: chmod 600 a");
    refused("b", "b: mode 0620 lets others change it: chmod 600 b");
    refused("big", "big: larger than any key");
    refused("fifo", "fifo: neither a file nor a directory");
    refused("none", "none: no such file or directory");
    assert_int_equal(keyring_count(ring), 0);
}

static void files_are_held_to_their_modes(void **state)
{
    (void)state;
    with_ring(open_files);
}

static void strangers(void)
{
    if (geteuid() != 0)
        skip();
    put_text("a", 0600, SECRET);
    assert_int_equal(chown("a", 12345, 12345), 0);
    refused("a", "a: belongs to user 12345, and not to us (0) or root");
}

static void files_of_strangers_are_refused(void **state)
{
    (void)state;
    with_ring(strangers);
}

static void pairs(void)
{
    struct fault f;

    put_pair("p256", EVP_EC_gen("P-256"), NULL);
    put_pair("p384", EVP_EC_gen("P-384"), NULL);
    put_pair("p521", EVP_EC_gen("P-521"), NULL);
    assert_int_equal(key_make("rsa", "rsa", &f), 0);
    assert_int_equal(chmod("rsa.pub", 0666), 0);
    add("p256");
    add("p384");
    add("p521");
    refused("rsa.pub", "rsa.pub: mode 0666 lets others change it: chmod 644 rsa.pub");
    assert_int_equal(chmod("rsa.pub", 0644), 0);
    add("rsa.pub");
    static const char *const algorithms[] = {"ES256", "ES384", "ES512", "RS256"};
    for (int i = 0; i < 4; i++)
        assert_string_equal(key_algorithm(&ring->at[i]), algorithms[i]);
    assert_int_not_equal(ring->at[0].signing.len, 0);
    assert_int_equal(ring->at[3].signing.len, 0);
    assert_int_equal(chmod("p256", 0640), 0);
    refused("p256", "p256: mode 0640 lets others read it: chmod 600 p256");
}

static void pairs_are_told_by_type_and_curve(void **state)
{
    (void)state;
    with_ring(pairs);
}

static void wrong_pairs(void)
{
    put_pair("small", EVP_RSA_gen(1024), NULL);
    put_pair("curve", EVP_EC_gen("secp256k1"), NULL);
    put_pair("ed", EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), NULL);
    put_pair("locked", EVP_EC_gen("P-256"), EVP_aes_128_cbc());
    put_text("broken", 0600, "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n");
    refused("small", "small: an RSA key must have 2048 bits at least, found 1024");
    refused("curve",
            "curve: an EC key must be on the curve P-256, P-384 or P-521, found secp256k1");
    refused("ed", "ed: must be an RSA or EC key, found ED25519");
    refused("locked", "locked: has a passphrase: only a key without one can be used");
    refused("broken", "broken: holds no private or public key that can be read");
}

static void other_pairs_are_refused(void **state)
{
    (void)state;
    with_ring(wrong_pairs);
}

static void directory(void)
{
    struct fault f;

    assert_int_equal(mkdir("keys", 0700), 0);
    refused("keys", "keys: no key in this directory");
    assert_int_equal(mkdir("keys/sub", 0700), 0);
    put_text("keys/.hidden", 0644, "x");
    put_text("keys/2025.old.key", 0600, SECRET);
    assert_int_equal(key_make("ec", "keys/2026", &f), 0);
    add("keys");
    assert_int_equal(keyring_count(ring), 2);
    assert_string_equal(ring->at[0].kid, "2025.old");
    assert_string_equal(ring->at[1].kid, "2026");
    assert_string_equal(ring->at[1].title, "key \"2026\"");
    assert_int_not_equal(ring->at[1].signing.len, 0);

    put_text("keys/2026.key", 0600, SECRET);
    refused("keys", "keys/2026.key: another key has the name \"2026\"");
    assert_int_equal(chmod("keys", 0770), 0);
    refused("keys", "keys: mode 0770 lets others change it: chmod go-w keys");
}

static void a_directory_names_its_keys(void **state)
{
    (void)state;
    with_ring(directory);
}

static void one_bad_file(void)
{
    assert_int_equal(mkdir("keys", 0700), 0);
    put_text("keys/a.key", 0600, SECRET);
    put_text("keys/b.key", 0640, SECRET);
    refused("keys", "keys/b.key: mode 0640 lets others read it: chmod 600 keys/b.key");
}

static void a_directory_is_as_good_as_its_files(void **state)
{
    (void)state;
    with_ring(one_bad_file);
}

static void unnamed(void)
{
    put_text("a", 0600, SECRET);
    for (int i = 0; i < KEY_UNNAMED_MAX; i++)
        add("a");
    refused("a", "a: more than 4 keys without a name: put them into a directory");
}

static void keys_without_a_name_are_few(void **state)
{
    (void)state;
    with_ring(unnamed);
}

static void kinds(void)
{
    put_text("a", 0600, SECRET);
    add("a");
    assert_true(key_takes(&ring->at[0], span_of("HS256")));
    assert_true(key_takes(&ring->at[0], span_of("HS512")));
    static const char *const others[] = {"", "none", "hs256", "HS", "HS2567", "RS256", "ES256"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(key_takes(&ring->at[0], span_of(others[i])));
}

static void a_key_takes_the_algorithms_of_its_kind(void **state)
{
    (void)state;
    with_ring(kinds);
}

static mode_t mode_of(const char *name)
{
    struct stat st;

    assert_int_equal(stat(name, &st), 0);
    return st.st_mode & 0777;
}

static void keys_are_made_once(void **state)
{
    struct fault f;

    (void)state;
    assert_int_equal(key_make("hmac", "h", &f), 0);
    assert_int_equal(mode_of("h"), 0600);
    assert_int_equal(access("h.pub", F_OK), -1);
    assert_int_equal(key_make("hmac", "h", &f), -1);
    assert_string_equal(f.text, "h: exists, and was left as it is");

    assert_int_equal(key_make("ec", "e", &f), 0);
    assert_int_equal(mode_of("e"), 0600);
    assert_int_equal(mode_of("e.pub") & 0600, 0600);
    assert_int_equal(unlink("e.pub"), 0);
    assert_int_equal(key_make("ec", "e", &f), -1);
    assert_string_equal(f.text, "e: exists, and was left as it is");
    assert_int_equal(access("e.pub", F_OK), -1);
    assert_int_equal(key_make("ec", "none/e", &f), -1);
    assert_string_equal(f.text, "none/e.pub: no such file or directory");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, enter_scratch, leave_scratch)
    const struct CMUnitTest tests[] = {
        TEST(a_secret_loses_one_newline),
        TEST(files_are_held_to_their_modes),
        TEST(files_of_strangers_are_refused),
        TEST(pairs_are_told_by_type_and_curve),
        TEST(other_pairs_are_refused),
        TEST(a_directory_names_its_keys),
        TEST(a_directory_is_as_good_as_its_files),
        TEST(keys_without_a_name_are_few),
        TEST(a_key_takes_the_algorithms_of_its_kind),
        TEST(keys_are_made_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
