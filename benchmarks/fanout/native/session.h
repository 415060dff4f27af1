/* All that one player says and hears, whatever its URL speaks: TLS, HTTP, WebSocket or RTMP, with FLV or TS in it. */
#ifndef FANOUT_SESSION_H
#define FANOUT_SESSION_H

#include "answer.h"
#include "flow.h"
#include "flv.h"
#include "peer.h"
#include "rtmpplay.h"
#include "tls.h"
#include "ts.h"
#include "websocket.h"

struct session {
    struct flow flow; /* its error, whether a keyframe has come; on_frame and owner are the caller's to set */
    int asked;        /* all has been said that makes the server send */
    int joined;       /* the server has agreed: HTTP status 200 or 101; in RTMP the first media message */

    /* private */
    const struct target *target;
    struct outlet media, tap;
    int fd, greeted;
    struct tls *tls;
    union {
        struct rtmpplay rtmp;
        struct {
            struct answer answer;
            struct websocket websocket;
            union {
                struct flv flv;
                struct ts ts;
            };
        };
    };
};

/* For a connected or connecting socket, which stays the caller's. Freed by session_free(). */
struct session *session_new(const struct target *t, int fd);
void session_free(struct session *s);

/* From now on `tap` takes the media too: the bytes of the FLV or TS stream, in RTMP an FLV file made of its messages. */
void session_tap(struct session *s, struct outlet tap);

/* The connect has ended (EPOLLOUT): say the first words. Returns 0 on failure. */
int session_greet(struct session *s);

/* Take the next bytes of the socket; answers what must be answered. Returns 0 once a rule is broken. */
int session_feed(struct session *s, const uint8_t *p, size_t n, int64_t arrived_ns);

/* Bytes after which a server wants to hear of their receipt (RTMP); 0: never. */
uint32_t session_ack_every(const struct session *s);

/* 1: the answer used chunked transfer coding. */
int session_chunked(const struct session *s);

/* An outlet to a socket; `at` points to its descriptor. Fails when not all can be sent at once. */
int say_to_socket(void *at, const uint8_t *p, size_t n);

#endif
