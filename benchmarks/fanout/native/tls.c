#include "tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "clip.h"

/* In the order in which browsers offer them. */
#define SUITES_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define SUITES_12 \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:" \
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"

struct tls {
    SSL *ssl;
    BIO *in, *out; /* owned by ssl */
    struct outlet plain, wire;
};

static SSL_CTX *context;
static char kind[96];
static atomic_flag kind_known = ATOMIC_FLAG_INIT;
static atomic_int kind_written;

void tls_setup(void)
{
    context = SSL_CTX_new(TLS_client_method());
    if (!context || !SSL_CTX_set_ciphersuites(context, SUITES_13) || !SSL_CTX_set_cipher_list(context, SUITES_12))
        die("load: OpenSSL cannot make a context");
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL); /* the certificate is the harness's own */
}

struct tls *tls_new(struct outlet plain, struct outlet wire)
{
    struct tls *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->ssl = SSL_new(context);
    t->in = BIO_new(BIO_s_mem());
    t->out = BIO_new(BIO_s_mem());
    if (!t->ssl || !t->in || !t->out)
        die("load: out of memory");
    SSL_set_bio(t->ssl, t->in, t->out);
    SSL_set_connect_state(t->ssl);
    t->plain = plain;
    t->wire = wire;
    return t;
}

void tls_free(struct tls *t)
{
    if (t)
        SSL_free(t->ssl);
    free(t);
}

static int flush(struct tls *t)
{
    char *bytes;
    long n = BIO_get_mem_data(t->out, &bytes);
    int ok = n <= 0 || t->wire.feed(t->wire.to, (const uint8_t *)bytes, (size_t)n);
    (void)BIO_reset(t->out);
    return ok;
}

/* Whether a call of OpenSSL that did not succeed only waits for more bytes. */
static int waits(struct tls *t, int result)
{
    int why = SSL_get_error(t->ssl, result);
    ERR_clear_error();
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_ZERO_RETURN;
}

static int shake(struct tls *t)
{
    int result = SSL_do_handshake(t->ssl);
    int ok = result == 1 || waits(t, result);
    if (result == 1 && !atomic_flag_test_and_set(&kind_known)) {
        snprintf(kind, sizeof kind, "%s %s", SSL_get_version(t->ssl), SSL_get_cipher_name(t->ssl));
        kind_written = 1;
    }
    return flush(t) && ok;
}

int tls_start(struct tls *t)
{
    return shake(t);
}

int tls_feed(struct tls *t, const uint8_t *p, size_t n)
{
    uint8_t plain[16384];
    if (BIO_write(t->in, p, (int)n) != (int)n)
        return 0;
    if (!SSL_is_init_finished(t->ssl))
        return shake(t);
    for (;;) {
        int got = SSL_read(t->ssl, plain, sizeof plain);
        if (got <= 0)
            return flush(t) && waits(t, got);
        if (!t->plain.feed(t->plain.to, plain, (size_t)got))
            return 0;
    }
}

int tls_open(const struct tls *t)
{
    return SSL_is_init_finished(t->ssl);
}

int tls_say(void *at, const uint8_t *p, size_t n)
{
    struct tls *t = at;
    return SSL_write(t->ssl, p, (int)n) == (int)n && flush(t);
}

const char *tls_kind(void)
{
    return kind_written ? kind : "";
}
