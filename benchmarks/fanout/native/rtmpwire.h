/* What both halves of RTMP write: AMF0 values, and messages cut into chunks (RTMP 1.0, 5.3.1). */
#ifndef FANOUT_RTMPWIRE_H
#define FANOUT_RTMPWIRE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "octets.h"

enum { HANDSHAKE = 1536 }; /* bytes of C1, C2, S1 and S2 */

static inline uint8_t *amf_name(uint8_t *p, const char *s)
{
    size_t n = strlen(s);
    *p++ = (uint8_t)(n >> 8);
    *p++ = (uint8_t)n;
    memcpy(p, s, n);
    return p + n;
}

static inline uint8_t *amf_string(uint8_t *p, const char *s)
{
    *p++ = 2;
    return amf_name(p, s);
}

static inline uint8_t *amf_null(uint8_t *p)
{
    *p++ = 5;
    return p;
}

static inline uint8_t *amf_number(uint8_t *p, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, 8);
    *p++ = 0;
    for (int shift = 56; shift >= 0; shift -= 8)
        *p++ = (uint8_t)(bits >> shift);
    return p;
}

static inline double amf_read_number(const uint8_t *p)
{
    uint64_t bits = (uint64_t)be32(p) << 32 | be32(p + 4);
    double v;
    memcpy(&v, &bits, 8);
    return v;
}

/* The connect command, transaction 1; returns its end. */
static inline uint8_t *amf_connect(uint8_t *p, const char *app, const char *url, const char *version)
{
    p = amf_number(amf_string(p, "connect"), 1);
    *p++ = 3;
    p = amf_string(amf_name(p, "app"), app);
    p = amf_string(amf_name(p, "type"), "nonprivate");
    p = amf_string(amf_name(p, "flashVer"), version);
    p = amf_string(amf_name(p, "tcUrl"), url);
    memcpy(p, "\0\0\x09", 3);
    return p + 3;
}

/* C0 and C1 of the simple handshake, 1537 bytes. */
static inline void write_c0c1(uint8_t *p)
{
    memset(p, 0, 9);
    p[0] = 3;
    for (int i = 9; i < 1 + HANDSHAKE; i++)
        p[i] = (uint8_t)(i * 7);
}

struct message {
    uint8_t csid, type; /* chunk stream 2 to 63 */
    uint32_t time_ms;   /* below 0xffffff: no extended timestamp is written */
    uint32_t stream_id;
    const uint8_t *body;
    uint32_t size;
};

/* Bytes that message_write needs at most. */
static inline uint32_t message_room(uint32_t size, uint32_t chunk)
{
    return size + 12 + size / chunk + 1;
}

/* Write a message as chunks of types 0 and 3; returns the bytes written. */
static inline uint32_t message_write(uint8_t *out, const struct message *m, uint32_t chunk)
{
    uint8_t *p = out;
    *p++ = m->csid;
    put24(p, m->time_ms);
    put24(p + 3, m->size);
    p[6] = m->type;
    for (int i = 0; i < 4; i++)
        p[7 + i] = (uint8_t)(m->stream_id >> 8 * i); /* little-endian, alone of all fields */
    p += 11;
    for (uint32_t at = 0; at < m->size; at += chunk) {
        uint32_t n = m->size - at < chunk ? m->size - at : chunk;
        if (at)
            *p++ = 0xc0 | m->csid;
        memcpy(p, m->body + at, n);
        p += n;
    }
    return (uint32_t)(p - out);
}

#endif
