/* The publishing half of RTMP, as little as servers need: simple handshake, connect, publish, media messages. */
#ifndef FANOUT_RTMP_H
#define FANOUT_RTMP_H

#include <stdint.h>

#include "clip.h"

struct rtmp {
    int fd;
    uint32_t stream_id; /* as createStream answered */
};

/* Connect to 127.0.0.1:port and publish app/name; blocks until the server said NetStream.Publish.Start.
   Exits with one line on stderr when the server refuses or is silent for ten seconds. */
struct rtmp rtmp_publish(const char *address, int port, const char *app, const char *name);

/* Send one media message (kind 8, 9 or 18) in one write; returns 0 when the connection is gone. */
int rtmp_send(const struct rtmp *r, uint8_t kind, uint32_t time_ms, const uint8_t *body, uint32_t size);

#endif
