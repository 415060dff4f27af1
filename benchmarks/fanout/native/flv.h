/* One FLV stream, read incrementally and checked: file header, tag headers, back pointers, order of timestamps. */
#ifndef FANOUT_FLV_H
#define FANOUT_FLV_H

#include "flow.h"

struct flv {
    struct flow *flow; /* told of frames and errors */
    uint64_t tags;     /* whole tags read */

    /* private */
    uint8_t part[128];
    uint32_t have, want, body_size, body_at, last_ms[2];
    int state, kind;
};

void flv_init(struct flv *v, struct flow *flow);

/* Take the next bytes of the file; `at` is a struct flv. Returns 0 once a rule is broken. */
int flv_feed(void *at, const uint8_t *p, size_t n);

#endif
