/* The playing half of RTMP: simple handshake, connect, createStream, play; then chunks to messages to frames. */
#ifndef FANOUT_RTMPPLAY_H
#define FANOUT_RTMPPLAY_H

#include "flow.h"

#define RTMP_CSIDS 64 /* chunk stream ids of one byte: servers use no others */
#define RTMP_KEPT 256 /* bytes of a message that are looked at: a command's name and code, a frame's stamp */

struct rtmp_channel {
    uint32_t time_ms, delta_ms, size, at, stream_id;
    uint8_t type, seen, extended, kept[RTMP_KEPT];
    uint8_t *whole; /* with a tap: the message as an FLV tag; owned */
};

struct rtmpplay {
    struct flow *flow; /* told of frames and errors */
    struct outlet say; /* takes what goes to the server */
    struct outlet tap; /* when its feed is set: takes the media as an FLV file */
    const char *app, *name, *url;
    int asked;          /* play has been sent */
    int media;          /* an audio or video message has come */
    uint64_t messages;  /* whole messages read */
    uint64_t received;  /* bytes of the connection, handshake included */
    uint32_t ack_every; /* the server's window acknowledgement size, bytes; 0: none asked */

    /* private */
    int state, tapped;
    uint64_t acked;
    uint32_t have, chunk_size, chunk_left, stream_id, last_ms[2];
    uint8_t header[16], s1[1536];
    struct rtmp_channel *in, channels[RTMP_CSIDS];
};

void rtmpplay_init(struct rtmpplay *r, struct flow *flow, struct outlet say);
void rtmpplay_free(struct rtmpplay *r);

/* Connected: say C0 and C1. */
int rtmpplay_start(struct rtmpplay *r);

/* Take the next bytes of the connection; `at` is a struct rtmpplay. Returns 0 once a rule is broken. */
int rtmpplay_feed(void *at, const uint8_t *p, size_t n);

/* Acknowledge that many bytes (RTMP 1.0, 5.4.3). */
int rtmp_acknowledge(struct outlet say, uint64_t received);

#endif
