#include <stdlib.h>

#include "clip.h"
#include "tls.h"

void tls_setup(void)
{
    die("load: this program was built without OpenSSL");
}

struct tls *tls_new(struct outlet plain, struct outlet wire)
{
    (void)plain, (void)wire;
    abort();
}

void tls_free(struct tls *t)
{
    (void)t;
}

int tls_start(struct tls *t)
{
    (void)t;
    abort();
}

int tls_feed(struct tls *t, const uint8_t *p, size_t n)
{
    (void)t, (void)p, (void)n;
    abort();
}

int tls_open(const struct tls *t)
{
    (void)t;
    abort();
}

int tls_say(void *at, const uint8_t *p, size_t n)
{
    (void)at, (void)p, (void)n;
    abort();
}

const char *tls_kind(void)
{
    return "";
}
