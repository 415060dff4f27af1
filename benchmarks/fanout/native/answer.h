/* One HTTP/1.x answer, read incrementally: status line, headers, chunk framing if any; all checked. */
#ifndef FANOUT_ANSWER_H
#define FANOUT_ANSWER_H

#include "flow.h"

struct answer {
    struct flow *flow;  /* told of errors */
    struct outlet body; /* takes the bytes of the body */
    int status;         /* that is wanted: 200, or 101 for a WebSocket */
    int accepted;       /* the head has come and says yes */
    int chunked;        /* the body uses chunked transfer coding */

    /* private */
    int state;
    char head[4096];
    uint32_t head_size;
    uint64_t chunk_left;
};

void answer_init(struct answer *a, struct flow *flow, int status, struct outlet body);

/* Take the next bytes of the connection; `at` is a struct answer. Returns 0 once a rule is broken. */
int answer_feed(void *at, const uint8_t *p, size_t n);

#endif
