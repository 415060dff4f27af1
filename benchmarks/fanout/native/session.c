#include "session.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "clip.h"
#include "clock.h"

int say_to_socket(void *at, const uint8_t *p, size_t n)
{
    return send(*(const int *)at, p, n, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)n;
}

/* What the server said, TLS taken off. */
static int hear(void *at, const uint8_t *p, size_t n)
{
    struct session *s = at;
    int ok = 0;
    if (s->target->speech == SPEAK_RTMP) {
        ok = rtmpplay_feed(&s->rtmp, p, n);
        s->asked = s->rtmp.asked;
        s->joined = s->rtmp.media;
    } else {
        ok = answer_feed(&s->answer, p, n);
        s->joined = s->answer.accepted;
    }
    return ok;
}

/* The bytes of an FLV or TS stream, all framing taken off. */
static int take_media(void *at, const uint8_t *p, size_t n)
{
    struct session *s = at;
    if (s->tap.feed)
        s->tap.feed(s->tap.to, p, n);
    return s->media.feed(s->media.to, p, n);
}

struct session *session_new(const struct target *t, int fd)
{
    struct session *s = calloc(1, sizeof *s);
    if (!s)
        die("load: out of memory");
    s->target = t;
    s->fd = fd;
    struct outlet say = {say_to_socket, &s->fd};
    if (t->tls) {
        s->tls = tls_new((struct outlet){hear, s}, say);
        say = (struct outlet){tls_say, s->tls};
    }
    if (t->speech == SPEAK_RTMP) {
        rtmpplay_init(&s->rtmp, &s->flow, say);
        s->rtmp.app = t->app;
        s->rtmp.name = t->name;
        s->rtmp.url = t->url;
        return s;
    }
    s->media = (struct outlet){t->ts ? ts_feed : flv_feed, t->ts ? (void *)&s->ts : (void *)&s->flv};
    struct outlet media = {take_media, s};
    if (t->ts)
        ts_init(&s->ts, &s->flow);
    else
        flv_init(&s->flv, &s->flow);
    if (t->speech == SPEAK_WEBSOCKET) {
        websocket_init(&s->websocket, &s->flow, media, say);
        media = (struct outlet){websocket_feed, &s->websocket};
    }
    answer_init(&s->answer, &s->flow, t->speech == SPEAK_WEBSOCKET ? 101 : 200, media);
    return s;
}

void session_free(struct session *s)
{
    if (s)
        tls_free(s->tls);
    if (s && s->target->speech == SPEAK_RTMP)
        rtmpplay_free(&s->rtmp);
    free(s);
}

void session_tap(struct session *s, struct outlet tap)
{
    if (s->target->speech == SPEAK_RTMP)
        s->rtmp.tap = tap;
    else
        s->tap = tap;
}

/* The connection, with TLS or without, carries words now. */
static int begin(struct session *s)
{
    s->greeted = 1;
    if (s->target->speech == SPEAK_RTMP)
        return rtmpplay_start(&s->rtmp) || flow_fail(&s->flow, "the handshake could not be sent");
    const uint8_t *request = (const uint8_t *)s->target->request;
    struct outlet say = {say_to_socket, &s->fd};
    if (s->tls)
        say = (struct outlet){tls_say, s->tls};
    s->asked = 1;
    return say.feed(say.to, request, s->target->request_size) || flow_fail(&s->flow, "the request could not be sent");
}

int session_greet(struct session *s)
{
    return s->tls ? tls_start(s->tls) : begin(s);
}

int session_feed(struct session *s, const uint8_t *p, size_t n, int64_t arrived_ns)
{
    s->flow.arrived_ns = arrived_ns;
    s->flow.read_ns = mono_ns();
    if (!s->tls)
        return hear(s, p, n);
    if (!tls_feed(s->tls, p, n))
        return flow_fail(&s->flow, "TLS failed");
    return s->greeted || !tls_open(s->tls) || begin(s);
}

uint32_t session_ack_every(const struct session *s)
{
    return s->target->speech == SPEAK_RTMP ? s->rtmp.ack_every : 0;
}

int session_chunked(const struct session *s)
{
    return s->target->speech != SPEAK_RTMP && s->answer.chunked;
}
