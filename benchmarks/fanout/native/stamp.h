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

#include "flow.h"

#define STAMP_SIZE 48
#define STAMP_AT 5 /* after frame type, packet type and composition offset of an AVC tag */
#define STAMP_UUID "fastflv-bench-01"
#define FRAME_LIMIT 4000000 /* bytes: far above any frame of the clip */

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

/* Read the stamp from its UUID on (16 bytes, then 24 digits) into a frame; 0 when it is not one. */
static inline int stamp_read(const uint8_t *uuid, struct frame *frame)
{
    uint64_t ns, number;
    if (memcmp(uuid, STAMP_UUID, 16) != 0 || !get_hex(uuid + 16, 16, &ns) || !get_hex(uuid + 32, 8, &number))
        return 0;
    frame->stamp_ns = (int64_t)ns;
    frame->number = (uint32_t)number;
    return 1;
}

/* A whole body of FLV or RTMP video has come, of which the first `kept` bytes are there, with the time of its tag or
   message: tell of the frame in it. */
static inline int video_body(struct flow *flow, const uint8_t *body, uint32_t size, uint32_t kept, uint32_t dts_ms)
{
    if (size < STAMP_AT || body[1] != 1)
        return 1;
    struct frame frame = {.key = body[0] >> 4 == 1, .arrived_ns = flow->arrived_ns, .read_ns = flow->read_ns};
    int32_t offset_ms = (int32_t)((uint32_t)(body[2] << 16 | body[3] << 8 | body[4]) << 8) >> 8; /* 24 bits, signed */
    frame.dts_ms = dts_ms;
    frame.pts_ms = frame.dts_ms + offset_ms;
    if ((size < kept ? size : kept) >= STAMP_AT + STAMP_SIZE)
        stamp_read(body + STAMP_AT + 7, &frame);
    return flow_frame(flow, &frame);
}

#endif
