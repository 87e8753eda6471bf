#include "tls.h"
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* A server in memory, with a certificate of its own making that $SSL_CERT_FILE says to trust. */
static struct {
    char file[32], key_file[32];
    EVP_PKEY *key;
    X509 *certificate;
    SSL_CTX *context;
    SSL *ssl;
    BIO *in, *out;
    struct tls *client;
    struct buf plain; /* what the client got */
} t;

static void make_certificate(const char *names)
{
    t.key = EVP_EC_gen("P-256");
    t.certificate = X509_new();
    X509_set_version(t.certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(t.certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(t.certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(t.certificate), 3600);
    X509_NAME *name = X509_get_subject_name(t.certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0);
    X509_set_issuer_name(t.certificate, name);
    X509_set_pubkey(t.certificate, t.key);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
    X509_add_ext(t.certificate, extension, -1);
    X509_EXTENSION_free(extension);
    assert_true(X509_sign(t.certificate, t.key, EVP_sha256()) > 0);
}

static void trust_certificate(void)
{
    strcpy(t.file, "/tmp/test_tls.XXXXXX");
    FILE *file = fdopen(mkstemp(t.file), "w");
    assert_int_equal(PEM_write_X509(file, t.certificate), 1);
    fclose(file);
    setenv("SSL_CERT_FILE", t.file, 1);
}

static void start_server(void)
{
    t.context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(t.context, t.certificate);
    SSL_CTX_use_PrivateKey(t.context, t.key);
    t.ssl = SSL_new(t.context);
    t.in = BIO_new(BIO_s_mem());
    t.out = BIO_new(BIO_s_mem());
    SSL_set_bio(t.ssl, t.in, t.out);
    SSL_set_accept_state(t.ssl);
}

static int setup(void **state)
{
    (void)state;
    memset(&t, 0, sizeof(t));
    make_certificate("DNS:gateway.example,IP:127.0.0.1");
    trust_certificate();
    start_server();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(t.file);
    unlink(t.key_file);
    tls_free(t.client);
    SSL_free(t.ssl);
    SSL_CTX_free(t.context);
    X509_free(t.certificate);
    EVP_PKEY_free(t.key);
    buf_fini(&t.plain);
    return 0;
}

static void to_server(void)
{
    struct buf bytes = {0};
    tls_output(t.client, &bytes);
    if (bytes.len > 0)
        BIO_write(t.in, bytes.at, (int)bytes.len);
    buf_fini(&bytes);
}

/* Moves bytes both ways until there are none, in pieces to the client. */
static int exchange(int piece, struct fault *f)
{
    char bytes[32768];
    int result = 0;
    for (int n = 1; n > 0 && result == 0;) {
        to_server();
        SSL_do_handshake(t.ssl);
        n = BIO_read(t.out, bytes, piece < (int)sizeof(bytes) ? piece : (int)sizeof(bytes));
        if (n > 0)
            result = tls_input(t.client, (struct span){bytes, (size_t)n}, &t.plain, f);
    }
    to_server();
    return result;
}

static void connect_as(const char *host)
{
    struct fault f;
    t.client = tls_new(host, &f);
    assert_non_null(t.client);
}

static void talk(const char *host, int piece)
{
    struct fault f;
    char heard[32] = "";
    connect_as(host);
    tls_send(t.client, span_of("early")); /* waits for the handshake */
    assert_int_equal(exchange(piece, &f), 0);
    assert_int_equal(SSL_read(t.ssl, heard, sizeof(heard) - 1), 5);
    assert_string_equal(heard, "early");
    assert_int_equal(SSL_write(t.ssl, "answer", 6), 6);
    assert_int_equal(exchange(piece, &f), 0);
    assert_string_equal(t.plain.at, "answer");
}

static void test_name(void **state)
{
    (void)state;
    talk("gateway.example", 32768);
}

static void test_address(void **state)
{
    (void)state;
    talk("127.0.0.1", 32768);
}

static void test_pieces(void **state)
{
    (void)state;
    talk("gateway.example", 1);
}

/* Larger than a TLS record, both ways. */
static void test_much(void **state)
{
    (void)state;
    enum { MUCH = 100000 };
    struct fault f;
    char *much = malloc(MUCH);
    memset(much, 'x', MUCH);
    talk("gateway.example", 32768);

    tls_send(t.client, (struct span){much, MUCH});
    to_server();
    size_t heard = 0, n;
    while (SSL_read_ex(t.ssl, much, MUCH, &n))
        heard += n;
    assert_int_equal(heard, MUCH);

    buf_clear(&t.plain);
    assert_int_equal(SSL_write(t.ssl, much, MUCH), MUCH);
    assert_int_equal(exchange(32768, &f), 0);
    assert_int_equal(t.plain.len, MUCH);
    free(much);
}

static void refused(const char *host, const char *why)
{
    struct fault f = {""};
    connect_as(host);
    assert_int_equal(exchange(32768, &f), -1);
    assert_string_equal(f.text, why);
    assert_int_equal(t.plain.len, 0);
}

static void test_wrong_name(void **state)
{
    (void)state;
    refused("other.example", "TLS: certificate: hostname mismatch");
}

static void test_wrong_address(void **state)
{
    (void)state;
    refused("127.0.0.2", "TLS: certificate: IP address mismatch");
}

static void test_untrusted(void **state)
{
    (void)state;
    setenv("SSL_CERT_FILE", "/dev/null", 1);
    refused("gateway.example", "TLS: certificate: self-signed certificate");
}

static void test_no_tls(void **state)
{
    (void)state;
    struct fault f = {""};
    connect_as("gateway.example");
    assert_int_equal(tls_input(t.client, span_of("HTTP/1.1 400 Bad Request\r\n\r\n"), &t.plain, &f),
                     -1);
    assert_string_equal(f.text, "TLS: wrong version number");
}

/* What one end has to say is heard by the other, until neither has anything to say. */
static void converse(struct tls *a, struct tls *b, struct buf *heard_by_a, struct buf *heard_by_b)
{
    struct fault f = {""};
    for (bool said = true; said;) {
        struct buf bytes = {0};
        tls_output(a, &bytes);
        said = bytes.len > 0;
        assert_int_equal(tls_input(b, buf_span(&bytes), heard_by_b, &f), 0);
        buf_clear(&bytes);
        tls_output(b, &bytes);
        said = said || bytes.len > 0;
        assert_int_equal(tls_input(a, buf_span(&bytes), heard_by_a, &f), 0);
        buf_fini(&bytes);
    }
}

static void write_key(void)
{
    strcpy(t.key_file, "/tmp/test_tls.XXXXXX");
    FILE *file = fdopen(mkstemp(t.key_file), "w");
    assert_int_equal(PEM_write_PrivateKey(file, t.key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
}

/* Two servers' sessions side by side, so that one's bytes are not the other's. */
static void test_both_sides(void **state)
{
    (void)state;
    struct fault f = {""};
    struct tls *clients[2], *servers[2];
    struct buf heard[4] = {{0}};
    write_key();
    struct tls_identity *id = tls_identity_load(t.file, t.key_file, &f);
    assert_non_null(id);
    assert_true(tls_identity_expires_s(id) > time(NULL));
    for (int i = 0; i < 2; i++) {
        clients[i] = tls_new("gateway.example", &f);
        servers[i] = tls_accept(id);
        assert_false(tls_is_open(servers[i]));
        tls_send(clients[i], span_of(i ? "one" : "none"));
        tls_send(servers[i], span_of(i ? "two" : "nothing"));
    }
    tls_identity_free(id);
    for (int i = 1; i >= 0; i--) {
        converse(clients[i], servers[i], &heard[i], &heard[2 + i]);
        assert_true(tls_is_open(servers[i]) && tls_is_open(clients[i]));
        assert_false(tls_is_resumed(servers[i]) || tls_has_ended(servers[i]));
        tls_finish(clients[i]);
        converse(clients[i], servers[i], &heard[i], &heard[2 + i]);
        assert_true(tls_has_ended(servers[i]));
    }
    assert_string_equal(heard[0].at, "nothing");
    assert_string_equal(heard[1].at, "two");
    assert_string_equal(heard[2].at, "none");
    assert_string_equal(heard[3].at, "one");
    for (int i = 0; i < 4; i++)
        buf_fini(&heard[i]);
    for (int i = 0; i < 2; i++) {
        tls_free(clients[i]);
        tls_free(servers[i]);
    }
}

static void test_identities_that_are_none(void **state)
{
    (void)state;
    struct fault f;
    write_key();
    assert_null(tls_identity_load(t.key_file, t.key_file, &f));
    assert_non_null(strstr(f.text, ": holds no certificate that can be used"));
    EVP_PKEY_free(t.key);
    t.key = EVP_EC_gen("P-256");
    unlink(t.key_file);
    write_key();
    assert_null(tls_identity_load(t.file, t.key_file, &f));
    assert_non_null(strstr(f.text, ": is not the certificate's key"));
    chmod(t.key_file, 0640);
    assert_null(tls_identity_load(t.file, t.key_file, &f));
    assert_non_null(strstr(f.text, ": mode 0640 lets others read it"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_name),       TEST(test_address),
        TEST(test_pieces),     TEST(test_much),
        TEST(test_wrong_name), TEST(test_wrong_address),
        TEST(test_untrusted),  TEST(test_no_tls),
        TEST(test_both_sides), TEST(test_identities_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
