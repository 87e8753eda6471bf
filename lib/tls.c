#include "tls.h"
#include "mem.h"
#include <arpa/inet.h>
#include <assert.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdlib.h>

enum { SLICE_BYTES = 16 * 1024 }; /* a TLS record's worth */

struct tls {
    SSL *ssl;
    BIO *in, *out; /* owned by ssl */
    struct buf unsent;
};

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
    struct tls *t = mem_zero(sizeof *t);
    t->ssl = SSL_new(trust_take());
    t->in = BIO_new(BIO_s_mem());
    t->out = BIO_new(BIO_s_mem());
    assert(t->ssl && t->in && t->out);
    SSL_set_bio(t->ssl, t->in, t->out);
    SSL_set_connect_state(t->ssl);
    if (!expect_host(t->ssl, host)) {
        fault_set(f, "TLS: %s can be no server's name", host);
        tls_free(t);
        return NULL;
    }
    return t;
}

void tls_free(struct tls *t)
{
    if (!t)
        return;
    SSL_free(t->ssl);
    trust_give();
    buf_fini(&t->unsent);
    free(t);
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

int tls_input(struct tls *t, struct span bytes, struct buf *plain, struct fault *f)
{
    assert(bytes.len <= INT_MAX);
    BIO_write(t->in, bytes.at, (int)bytes.len);
    if (!SSL_is_init_finished(t->ssl) && shake_hands(t, f) < 0)
        return -1;
    return SSL_is_init_finished(t->ssl) ? decrypt(t, plain, f) : 0;
}

void tls_send(struct tls *t, struct span plain)
{
    buf_join(&t->unsent, plain);
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
    buf_clear(&t->unsent);
}

void tls_output(struct tls *t, struct buf *out)
{
    struct fault ignored; /* a failed handshake was told by tls_input() */
    if (!SSL_is_init_finished(t->ssl))
        shake_hands(t, &ignored);
    if (SSL_is_init_finished(t->ssl))
        encrypt(t);
    size_t waiting = BIO_ctrl_pending(t->out);
    if (waiting == 0)
        return;
    int n = BIO_read(t->out, buf_room(out, waiting), (int)waiting);
    if (n > 0)
        out->len += (size_t)n;
}
