/* What every parser tells: whole video frames as they come, and the first rule that was broken. */
#ifndef FANOUT_FLOW_H
#define FANOUT_FLOW_H

#include <stddef.h>
#include <stdint.h>

struct frame {
    int64_t stamp_ns;   /* publish time, CLOCK_MONOTONIC; 0 without a stamp */
    uint32_t number;    /* as stamped */
    int key;            /* 1: a keyframe */
    int64_t arrived_ns; /* its last byte came to the socket */
    int64_t read_ns;    /* its last byte was read */
    double dts_ms;      /* decode time of the container, milliseconds */
    double pts_ms;      /* likewise when it is shown */
};

struct flow {
    void (*on_frame)(void *owner, const struct frame *frame); /* NULL: nobody asks */
    void *owner;
    const char *error;           /* the first rule that was broken, or NULL; nothing is parsed after it */
    int key_seen;                /* a keyframe has come */
    int64_t arrived_ns, read_ns; /* of the bytes at hand */
};

/* Where a layer hands its bytes on to; returns 0 once a rule is broken. */
struct outlet {
    int (*feed)(void *to, const uint8_t *p, size_t n);
    void *to;
};

static inline int flow_fail(struct flow *f, const char *rule)
{
    if (!f->error)
        f->error = rule;
    return 0;
}

static inline int flow_frame(struct flow *f, const struct frame *frame)
{
    if (!frame->key && !f->key_seen)
        return flow_fail(f, "the first frame is not a keyframe");
    f->key_seen = 1;
    if (f->on_frame)
        f->on_frame(f->owner, frame);
    return 1;
}

#endif
