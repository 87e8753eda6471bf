#include "tls.h"
#include "mem.h"
#include "secret.h"
#include <arpa/inet.h>
#include <assert.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SLICE_BYTES = 16 * 1024 }; /* a TLS record's worth */

struct tls {
    SSL *ssl;
    bool client;
    struct buf unsent; /* until the handshake is done */
    struct buf unsaid; /* what the socket has to send */
};

/* All sessions read from the one and write to the other. Between calls these are empty, so a
 * session that rests has no buffer. */
static struct {
    BIO *in, *out;
    int users;
} wire;

static void wire_take(SSL *ssl)
{
    if (wire.users++ == 0) {
        wire.in = BIO_new(BIO_s_mem());
        wire.out = BIO_new(BIO_s_mem());
        assert(wire.in && wire.out);
    }
    BIO_up_ref(wire.in);
    BIO_up_ref(wire.out);
    SSL_set_bio(ssl, wire.in, wire.out);
}

static void wire_give(void)
{
    if (--wire.users > 0)
        return;
    BIO_free(wire.in);
    BIO_free(wire.out);
}

static struct tls *session_new(SSL_CTX *context)
{
    struct tls *t = mem_zero(sizeof(*t));
    t->ssl = SSL_new(context);
    assert(t->ssl);
    wire_take(t->ssl);
    return t;
}

/* --- a client's ----------------------------------------------------------------------------- */

/* Reading the system's certificates takes its time, so all sessions share them. */
static struct {
    SSL_CTX *context;
    int users;
} trust;

static SSL_CTX *trust_take(void)
{
    if (trust.users++ > 0)
        return trust.context;
    trust.context = SSL_CTX_new(TLS_client_method());
    assert(trust.context);
    SSL_CTX_set_min_proto_version(trust.context, TLS1_2_VERSION);
    SSL_CTX_set_verify(trust.context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_default_verify_paths(trust.context);
    return trust.context;
}

static void trust_give(void)
{
    if (--trust.users == 0)
        SSL_CTX_free(trust.context);
}

static bool is_address(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

/* Says which name the certificate must bear; a name goes to the server too. */
static int expect_host(SSL *ssl, const char *host)
{
    if (is_address(host))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host);
    return SSL_set1_host(ssl, host) && SSL_set_tlsext_host_name(ssl, host);
}

struct tls *tls_new(const char *host, struct fault *f)
{
    struct tls *t = session_new(trust_take());
    t->client = true;
    SSL_set_connect_state(t->ssl);
    if (!expect_host(t->ssl, host)) {
        fault_set(f, "TLS: %s can be no server's name", host);
        tls_free(t);
        return NULL;
    }
    return t;
}

/* --- a server's ----------------------------------------------------------------------------- */

struct tls_identity {
    SSL_CTX *context;
    int64_t expires_s;
};

/* https://ssl-config.mozilla.org/guidelines, "intermediate", less those that need parameters for
 * finite fields. */
static const char CIPHERS[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                              "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                              "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
static const char GROUPS[] = "X25519:P-256:P-384";

/* A client that offers protocols and not ours hears that there is none for it (RFC 7301, 3.2). */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *offered, unsigned int len, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";
    (void)ssl;
    (void)arg;
    for (unsigned int at = 0; at < len; at += offered[at] + 1u) {
        if (offered[at] != ours[0] || memcmp(offered + at, ours, ours[0] + 1u) != 0)
            continue;
        *out = offered + at + 1;
        *out_len = offered[at];
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static SSL_CTX *server_context(void)
{
    SSL_CTX *c = SSL_CTX_new(TLS_server_method());
    assert(c);
    SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
    SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF); /* tickets need none */
    SSL_CTX_set_num_tickets(c, 1);
    SSL_CTX_set_alpn_select_cb(c, choose_protocol, NULL);
    int ok = SSL_CTX_set_cipher_list(c, CIPHERS) && SSL_CTX_set1_groups_list(c, GROUPS);
    assert(ok);
    (void)ok;
    return c;
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

static int64_t expiry_s(const X509 *certificate)
{
    struct tm end;
    return ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) ? timegm(&end) : 0;
}

/* The first is the server's, the others lead from it to the root. */
static int use_chain(struct tls_identity *id, BIO *pem)
{
    X509 *own = PEM_read_bio_X509_AUX(pem, NULL, no_passphrase, NULL), *next;
    int ok = own && SSL_CTX_use_certificate(id->context, own);
    if (own)
        id->expires_s = expiry_s(own);
    X509_free(own);
    while (ok && (next = PEM_read_bio_X509(pem, NULL, no_passphrase, NULL)))
        ok = SSL_CTX_add0_chain_cert(id->context, next) == 1;
    return ok ? 0 : -1;
}

static int use_certificate(struct tls_identity *id, const char *path, struct fault *f)
{
    struct buf text = {0};
    int result = secret_load(path, false, &text, f);
    if (result == 0) {
        BIO *pem = BIO_new_mem_buf(text.at, (int)text.len);
        if (use_chain(id, pem) != 0)
            result = fault_set(f, "holds no certificate that can be used");
        BIO_free(pem);
    }
    buf_fini(&text);
    ERR_clear_error();
    return result;
}

static int use_key(struct tls_identity *id, const char *path, struct fault *f)
{
    struct buf text = {0};
    int result = secret_load(path, true, &text, f);
    if (result == 0) {
        BIO *pem = BIO_new_mem_buf(text.at, (int)text.len);
        EVP_PKEY *key = PEM_read_bio_PrivateKey(pem, NULL, no_passphrase, NULL);
        if (!key && memmem(text.at, text.len, "ENCRYPTED", strlen("ENCRYPTED")))
            result = fault_set(f, "has a passphrase: only a key without one can be used");
        else if (!key)
            result = fault_set(f, "holds no private key that can be read");
        else if (!SSL_CTX_use_PrivateKey(id->context, key))
            result = fault_set(f, "is not the certificate's key");
        EVP_PKEY_free(key);
        BIO_free(pem);
    }
    secret_wipe(&text);
    ERR_clear_error();
    return result;
}

struct tls_identity *tls_identity_load(const char *certificate, const char *key, struct fault *f)
{
    struct tls_identity *id = mem_zero(sizeof(*id));
    id->context = server_context();
    int result = 0;
    if (use_certificate(id, certificate, f) != 0)
        result = fault_at(f, "%s", certificate);
    else if (use_key(id, key, f) != 0)
        result = fault_at(f, "%s", key);
    if (result == 0)
        return id;
    tls_identity_free(id);
    return NULL;
}

void tls_identity_free(struct tls_identity *id)
{
    if (!id)
        return;
    SSL_CTX_free(id->context);
    free(id);
}

int64_t tls_identity_expires_s(const struct tls_identity *id)
{
    return id->expires_s;
}

struct tls *tls_accept(const struct tls_identity *id)
{
    struct tls *t = session_new(id->context);
    SSL_set_accept_state(t->ssl);
    return t;
}

/* --- both ----------------------------------------------------------------------------------- */

void tls_free(struct tls *t)
{
    if (!t)
        return;
    SSL_free(t->ssl);
    wire_give();
    if (t->client)
        trust_give();
    buf_fini(&t->unsent);
    buf_fini(&t->unsaid);
    free(t);
}

bool tls_is_open(const struct tls *t)
{
    return SSL_is_init_finished(t->ssl);
}

bool tls_is_resumed(const struct tls *t)
{
    return SSL_session_reused(t->ssl);
}

bool tls_has_ended(const struct tls *t)
{
    return SSL_get_shutdown(t->ssl) & SSL_RECEIVED_SHUTDOWN;
}

static int explain(const struct tls *t, struct fault *f)
{
    long verdict = SSL_get_verify_result(t->ssl);
    unsigned long error = ERR_get_error();
    const char *reason = ERR_reason_error_string(error);
    ERR_clear_error();
    if (verdict != X509_V_OK)
        return fault_set(f, "TLS: certificate: %s", X509_verify_cert_error_string(verdict));
    return fault_set(f, "TLS: %s", reason ? reason : "the session broke off");
}

/* Whether a call of OpenSSL that didn't succeed only lacks bytes from the other side. */
static bool wants_more(const struct tls *t, int result)
{
    return SSL_get_error(t->ssl, result) == SSL_ERROR_WANT_READ;
}

static int shake_hands(struct tls *t, struct fault *f)
{
    ERR_clear_error();
    int result = SSL_do_handshake(t->ssl);
    if (result != 1 && !wants_more(t, result))
        return explain(t, f);
    return 0;
}

static int decrypt(struct tls *t, struct buf *plain, struct fault *f)
{
    for (;;) {
        ERR_clear_error();
        char *to = buf_room(plain, SLICE_BYTES);
        int n = SSL_read(t->ssl, to, SLICE_BYTES);
        if (n <= 0) {
            bool ended = SSL_get_error(t->ssl, n) == SSL_ERROR_ZERO_RETURN;
            return ended || wants_more(t, n) ? 0 : explain(t, f);
        }
        plain->len += (size_t)n;
        plain->at[plain->len] = '\0';
    }
}

/* Takes what was written off the wire. */
static void collect(struct tls *t)
{
    size_t waiting = BIO_ctrl_pending(wire.out);
    if (waiting == 0)
        return;
    int n = BIO_read(wire.out, buf_room(&t->unsaid, waiting), (int)waiting);
    if (n > 0)
        t->unsaid.len += (size_t)n;
}

int tls_input(struct tls *t, struct span bytes, struct buf *plain, struct fault *f)
{
    assert(bytes.len <= INT_MAX);
    BIO_write(wire.in, bytes.at, (int)bytes.len);
    int result = SSL_is_init_finished(t->ssl) ? 0 : shake_hands(t, f);
    if (result == 0 && SSL_is_init_finished(t->ssl))
        result = decrypt(t, plain, f);
    BIO_reset(wire.in);
    collect(t);
    return result;
}

void tls_send(struct tls *t, struct span plain)
{
    buf_join(&t->unsent, plain);
}

void tls_finish(struct tls *t)
{
    if (SSL_is_init_finished(t->ssl))
        SSL_shutdown(t->ssl);
    ERR_clear_error();
    collect(t);
}

/* Writing to memory, OpenSSL takes all it is given. */
static void encrypt(struct tls *t)
{
    for (size_t done = 0; done < t->unsent.len;) {
        size_t left = t->unsent.len - done;
        int n =
            SSL_write(t->ssl, t->unsent.at + done, left < SLICE_BYTES ? (int)left : SLICE_BYTES);
        if (n <= 0)
            break; /* a broken session: tls_input() says so */
        done += (size_t)n;
    }
    ERR_clear_error();
    buf_fini(&t->unsent);
}

void tls_output(struct tls *t, struct buf *out)
{
    struct fault ignored; /* a failed handshake was told by tls_input() */
    if (!SSL_is_init_finished(t->ssl))
        shake_hands(t, &ignored);
    if (SSL_is_init_finished(t->ssl) && t->unsent.len > 0)
        encrypt(t);
    collect(t);
    buf_join(out, buf_span(&t->unsaid));
    buf_fini(&t->unsaid);
}
