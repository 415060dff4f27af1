/* The frames of one WebSocket, as a player gets them (RFC 6455, 5.2): headers are checked, payload is passed on. */
#ifndef FANOUT_WEBSOCKET_H
#define FANOUT_WEBSOCKET_H

#include "flow.h"

/* The RFC's own example of a key and the answer to it (1.3): no digest to compute. */
#define WEBSOCKET_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define WEBSOCKET_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

struct websocket {
    struct flow *flow;     /* told of errors */
    struct outlet payload; /* takes what binary messages carry */
    struct outlet say;     /* takes pongs to the server */

    /* private */
    uint8_t head[10], control[125];
    uint32_t have, control_at;
    uint64_t left;
    int state, opcode, inside;
};

void websocket_init(struct websocket *w, struct flow *flow, struct outlet payload, struct outlet say);

/* Take the next bytes after the handshake; `at` is a struct websocket. Returns 0 once a rule is broken. */
int websocket_feed(void *at, const uint8_t *p, size_t n);

#endif
