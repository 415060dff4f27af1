/* The client's side of TLS, over bytes that the caller receives and sends: so that their times of arrival are kept.
   tls.c needs OpenSSL; tls_absent.c stands in where a program is built without it. */
#ifndef FANOUT_TLS_H
#define FANOUT_TLS_H

#include "flow.h"

struct tls;

/* Once, before threads start; exits when this program was built without OpenSSL. */
void tls_setup(void);

/* `plain` takes what the peer said, `wire` what is to be sent to it. NULL when out of memory. */
struct tls *tls_new(struct outlet plain, struct outlet wire);
void tls_free(struct tls *t);

/* Begin the handshake. */
int tls_start(struct tls *t);

/* Take the next bytes of the connection. Returns 0 on failure. */
int tls_feed(struct tls *t, const uint8_t *p, size_t n);

/* Returns 1 when the handshake has ended; then tls_say() encrypts and sends. `at` is a struct tls. */
int tls_open(const struct tls *t);
int tls_say(void *at, const uint8_t *p, size_t n);

/* Version and cipher, such as "TLSv1.3 TLS_AES_128_GCM_SHA256", of the newest handshake in this process. */
const char *tls_kind(void);

#endif
