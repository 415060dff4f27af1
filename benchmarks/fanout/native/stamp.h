/*
 * The publish stamp: one SEI NAL unit (user_data_unregistered, H.264 D.2.7) put first into every video frame.
 *
 * Layout: 4 length, 06 05 28, 16 UUID, 16 hex digits of CLOCK_MONOTONIC nanoseconds, 8 hex digits of the
 * frame's number, 80. Hex digits, because raw bytes could form 00 00 0x and would need emulation prevention.
 */
#ifndef FANOUT_STAMP_H
#define FANOUT_STAMP_H

#include <stdint.h>
#include <string.h>

#define STAMP_SIZE 48
#define STAMP_AT 5 /* after frame type, packet type and composition offset of an AVC tag */
#define STAMP_UUID "fastflv-bench-01"

static inline void put_hex(uint8_t *p, uint64_t value, int digits)
{
    for (int i = digits - 1; i >= 0; i--, value >>= 4)
        p[i] = (uint8_t)"0123456789abcdef"[value & 15];
}

static inline int get_hex(const uint8_t *p, int digits, uint64_t *value)
{
    uint64_t v = 0;
    for (int i = 0; i < digits; i++) {
        uint8_t c = p[i];
        if (c >= '0' && c <= '9')
            v = v << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            v = v << 4 | (uint64_t)(c - 'a' + 10);
        else
            return 0;
    }
    *value = v;
    return 1;
}

static inline void stamp_write(uint8_t *p, int64_t ns, uint32_t number)
{
    static const uint8_t head[7] = {0, 0, 0, STAMP_SIZE - 4, 6, 5, 40};
    memcpy(p, head, 7);
    memcpy(p + 7, STAMP_UUID, 16);
    put_hex(p + 23, (uint64_t)ns, 16);
    put_hex(p + 39, number, 8);
    p[47] = 0x80;
}

/* Read the stamp of a video tag body; 0 when it has none. */
static inline int stamp_read(const uint8_t *body, uint32_t size, int64_t *ns, uint32_t *number)
{
    uint64_t a, b;
    const uint8_t *p = body + STAMP_AT;
    if (size < STAMP_AT + STAMP_SIZE || memcmp(p + 7, STAMP_UUID, 16) != 0)
        return 0;
    if (!get_hex(p + 23, 16, &a) || !get_hex(p + 39, 8, &b))
        return 0;
    *ns = (int64_t)a;
    *number = (uint32_t)b;
    return 1;
}

#endif
