/* One HTTP-FLV response, read incrementally: status line, headers, chunk framing if any, FLV tags; all checked. */
#ifndef FANOUT_WIRE_H
#define FANOUT_WIRE_H

#include <stddef.h>
#include <stdint.h>

struct wire {
    /* told of each whole video frame: number and publish time as stamped (0, 0 without a stamp) */
    void (*on_frame)(void *owner, int64_t stamp_ns, uint32_t number, int key);
    void *owner;

    int chunked;        /* the response uses chunked transfer coding */
    int status;         /* HTTP status, 0 until known */
    const char *error;  /* the first rule that was broken, or NULL; nothing is parsed after it */
    uint64_t tags;      /* whole tags read */
    int key_seen;       /* a keyframe has come */

    /* private */
    int state;
    char head[4096];
    uint32_t head_size;
    uint64_t chunk_left;
    uint8_t part[128];
    uint32_t have, want, body_size, body_at, last_ms[2];
    int flv_state, kind;
};

void wire_init(struct wire *w, void (*on_frame)(void *, int64_t, uint32_t, int), void *owner);

/* Take the next bytes of the connection. Returns 0 once a rule is broken. */
int wire_feed(struct wire *w, const uint8_t *p, size_t n);

#endif
