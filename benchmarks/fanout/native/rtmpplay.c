#define _GNU_SOURCE
#include "rtmpplay.h"

#include <stdlib.h>
#include <string.h>

#include "clip.h"
#include "rtmpwire.h"
#include "stamp.h"

enum { IN_HANDSHAKE, IN_HEADER, IN_PAYLOAD };
enum { SET_CHUNK_SIZE = 1, ACKNOWLEDGEMENT = 3, USER_CONTROL = 4, ACK_WINDOW = 5, COMMAND = 20 };
enum { PING = 6, PONG = 7 }; /* user control events */

#define OUR_CHUNK 128 /* bytes: the default, we never set it */
#define CONNECT 1     /* transactions */
#define CREATE_STREAM 2
#define PLAY 3

void rtmpplay_init(struct rtmpplay *r, struct flow *flow, struct outlet say)
{
    memset(r, 0, sizeof *r);
    r->flow = flow;
    r->say = say;
    r->chunk_size = 128;
}

void rtmpplay_free(struct rtmpplay *r)
{
    for (int i = 0; i < RTMP_CSIDS; i++)
        free(r->channels[i].whole);
}

static int say(struct outlet to, uint8_t csid, uint8_t type, uint32_t stream_id, const uint8_t *body, uint32_t size)
{
    uint8_t wire[1200];
    struct message m = {.csid = csid, .type = type, .stream_id = stream_id, .body = body, .size = size};
    return to.feed(to.to, wire, message_write(wire, &m, OUR_CHUNK));
}

static int command(struct rtmpplay *r, uint32_t stream_id, const uint8_t *body, const uint8_t *end)
{
    return say(r->say, 3, COMMAND, stream_id, body, (uint32_t)(end - body)) ||
           flow_fail(r->flow, "a command could not be sent");
}

int rtmp_acknowledge(struct outlet to, uint64_t received)
{
    uint8_t body[4];
    put32(body, (uint32_t)received);
    return say(to, 2, ACKNOWLEDGEMENT, 0, body, 4);
}

int rtmpplay_start(struct rtmpplay *r)
{
    uint8_t hello[1 + HANDSHAKE];
    write_c0c1(hello);
    return r->say.feed(r->say.to, hello, sizeof hello);
}

/* S0, S1 and S2 come as 3,073 bytes, of which S1 goes back. */
static size_t handshake(struct rtmpplay *r, const uint8_t *p, size_t n)
{
    size_t i = 0;
    for (; i < n && r->have < 1 + 2 * HANDSHAKE; i++, r->have++) {
        if (r->have == 0 && p[i] != 3)
            flow_fail(r->flow, "RTMP version is not 3");
        if (r->have >= 1 && r->have < 1 + HANDSHAKE)
            r->s1[r->have - 1] = p[i];
    }
    if (r->have < 1 + 2 * HANDSHAKE)
        return i;
    uint8_t body[900];
    r->state = IN_HEADER;
    r->have = 0;
    if (!r->say.feed(r->say.to, r->s1, HANDSHAKE))
        flow_fail(r->flow, "the handshake could not be sent");
    else
        command(r, 0, body, amf_connect(body, r->app, r->url, "LNX 9,0,124,2"));
    return i;
}

static int answered(struct rtmpplay *r, const uint8_t *p, uint32_t n)
{
    uint8_t body[400], *q;
    double transaction = n >= 19 ? amf_read_number(p + 11) : 0;
    if (transaction == CONNECT) {
        q = amf_null(amf_number(amf_string(body, "createStream"), CREATE_STREAM));
        return command(r, 0, body, q);
    }
    if (transaction != CREATE_STREAM)
        return 1;
    if (n < 29 || p[19] != 5 || p[20] != 0)
        return flow_fail(r->flow, "createStream is answered without a number");
    r->stream_id = (uint32_t)amf_read_number(p + 21);
    q = amf_null(amf_number(amf_string(body, "play"), PLAY));
    q = amf_number(amf_string(q, r->name), -2000); /* live, or recorded when there is no live */
    r->asked = 1;
    return command(r, r->stream_id, body, q);
}

static int media(struct rtmpplay *r, const struct rtmp_channel *c)
{
    uint32_t *last = &r->last_ms[c->type == TAG_VIDEO];
    if (c->stream_id != r->stream_id)
        return flow_fail(r->flow, "media on another message stream than createStream gave");
    if (c->time_ms < *last)
        return flow_fail(r->flow, "timestamp of a track ran backwards");
    *last = c->time_ms;
    r->media = 1;
    return c->type != TAG_VIDEO || video_body(r->flow, c->kept, c->size, RTMP_KEPT, c->time_ms);
}

/* Give a whole message of audio, video or data to the tap. */
static void tap(struct rtmpplay *r, const struct rtmp_channel *c)
{
    static const uint8_t head[13] = {'F', 'L', 'V', 1, 5, 0, 0, 0, 9};
    uint8_t *p = c->whole;
    p[0] = c->type;
    put24(p + 1, c->size);
    put24(p + 4, c->time_ms & 0xffffff);
    p[7] = (uint8_t)(c->time_ms >> 24);
    put24(p + 8, 0);
    put32(p + 11 + c->size, c->size + 11);
    if (!r->tapped)
        r->tap.feed(r->tap.to, head, sizeof head);
    r->tapped = 1;
    r->tap.feed(r->tap.to, p, c->size + 15);
}

static int message_ends(struct rtmpplay *r, const struct rtmp_channel *c)
{
    const uint8_t *p = c->kept;
    uint32_t kept = c->size < RTMP_KEPT ? c->size : RTMP_KEPT;
    r->messages++;
    if (c->whole && c->size && (c->type == TAG_AUDIO || c->type == TAG_VIDEO || c->type == TAG_SCRIPT))
        tap(r, c);
    switch (c->type) {
    case SET_CHUNK_SIZE:
        r->chunk_size = c->size == 4 ? be32(p) : 0;
        return (r->chunk_size > 0 && r->chunk_size <= FRAME_LIMIT) || flow_fail(r->flow, "chunk size out of bounds");
    case ACK_WINDOW:
        r->ack_every = c->size == 4 ? be32(p) : 0;
        return 1;
    case USER_CONTROL:
        if (c->size == 6 && be16(p) == PING) {
            uint8_t pong[6] = {0, PONG};
            memcpy(pong + 2, p + 2, 4);
            return say(r->say, 2, USER_CONTROL, 0, pong, 6) || flow_fail(r->flow, "the pong could not be sent");
        }
        return 1;
    case COMMAND:
        if (kept >= 10 && memcmp(p, "\2\0\7_result", 10) == 0)
            return answered(r, p, kept);
        if (kept >= 9 && memcmp(p, "\2\0\6_error", 9) == 0)
            return flow_fail(r->flow, "a command was answered with _error");
        if (memmem(p, kept, "NetStream.Play.StreamNotFound", 29) || memmem(p, kept, "NetStream.Play.Failed", 21))
            return flow_fail(r->flow, "play was refused");
        return 1;
    case TAG_AUDIO:
    case TAG_VIDEO:
        return media(r, c);
    case 22:
        return flow_fail(r->flow, "aggregate messages are not read");
    default:
        return 1;
    }
}

/* Bytes of the chunk header at hand, so far as can be told. */
static uint32_t header_needs(const struct rtmpplay *r)
{
    static const uint8_t by_format[4] = {12, 8, 4, 1};
    const uint8_t *p = r->header;
    uint32_t need = by_format[p[0] >> 6];
    if (need == 1)
        return r->channels[p[0] & 63].extended ? 5 : 1;
    return need + (r->have >= 4 && be24(p + 1) == 0xffffff ? 4 : 0);
}

static int header_ends(struct rtmpplay *r)
{
    const uint8_t *p = r->header;
    int format = p[0] >> 6, csid = p[0] & 63;
    struct rtmp_channel *c = r->in = &r->channels[csid];
    if (csid < 2)
        return flow_fail(r->flow, "chunk stream id above 63");
    if (format != 0 && !c->seen)
        return flow_fail(r->flow, "the first chunk of a chunk stream has no full header");
    if (format != 3 && c->at > 0)
        return flow_fail(r->flow, "a message begins before the last on its chunk stream has ended");
    if (format < 3) {
        uint32_t time_ms = be24(p + 1);
        c->extended = time_ms == 0xffffff;
        if (c->extended)
            time_ms = be32(p + r->have - 4);
        c->delta_ms = time_ms; /* a type 3 chunk after a type 0 repeats its time as a difference: 5.3.1.2.4 */
        c->time_ms = format == 0 ? time_ms : c->time_ms + time_ms;
    } else if (c->at == 0) {
        c->time_ms += c->delta_ms;
    }
    if (format < 2) {
        c->size = be24(p + 4);
        c->type = p[7];
    }
    if (format == 0)
        c->stream_id = (uint32_t)p[8] | (uint32_t)p[9] << 8 | (uint32_t)p[10] << 16 | (uint32_t)p[11] << 24;
    if (c->size > FRAME_LIMIT)
        return flow_fail(r->flow, "message size out of bounds");
    c->seen = 1;
    r->chunk_left = c->size - c->at < r->chunk_size ? c->size - c->at : r->chunk_size;
    r->have = 0;
    r->state = r->chunk_left ? IN_PAYLOAD : IN_HEADER;
    return r->chunk_left > 0 || message_ends(r, c);
}

static size_t payload(struct rtmpplay *r, const uint8_t *p, size_t n)
{
    struct rtmp_channel *c = r->in;
    uint32_t take = r->chunk_left < n ? r->chunk_left : (uint32_t)n;
    if (r->tap.feed && c->at == 0) {
        free(c->whole);
        c->whole = malloc(c->size + 15);
    }
    if (c->whole)
        memcpy(c->whole + 11 + c->at, p, take);
    if (c->at < RTMP_KEPT)
        memcpy(c->kept + c->at, p, RTMP_KEPT - c->at < take ? RTMP_KEPT - c->at : take);
    c->at += take;
    r->chunk_left -= take;
    if (r->chunk_left > 0)
        return take;
    r->state = IN_HEADER;
    if (c->at == c->size) {
        c->at = 0;
        message_ends(r, c);
    }
    return take;
}

int rtmpplay_feed(void *at, const uint8_t *p, size_t n)
{
    struct rtmpplay *r = at;
    r->received += n;
    while (n && !r->flow->error) {
        size_t used = 1;
        if (r->state == IN_HANDSHAKE) {
            used = handshake(r, p, n);
        } else if (r->state == IN_PAYLOAD) {
            used = payload(r, p, n);
        } else {
            r->header[r->have++] = *p;
            if (r->have >= header_needs(r))
                header_ends(r);
        }
        p += used;
        n -= used;
    }
    if (r->ack_every && r->received - r->acked >= r->ack_every) {
        r->acked = r->received;
        if (!rtmp_acknowledge(r->say, r->received))
            return flow_fail(r->flow, "the acknowledgement could not be sent");
    }
    return r->flow->error == NULL;
}
