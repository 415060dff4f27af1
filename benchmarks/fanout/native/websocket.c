#include "websocket.h"

#include <string.h>

#include "octets.h"

enum { CONTINUED = 0, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };
enum { IN_HEAD, IN_PAYLOAD, CLOSED };

void websocket_init(struct websocket *w, struct flow *flow, struct outlet payload, struct outlet say)
{
    memset(w, 0, sizeof *w);
    w->flow = flow;
    w->payload = payload;
    w->say = say;
}

static int pong(struct websocket *w)
{
    uint8_t frame[6 + sizeof w->control] = {0x80 | PONG, (uint8_t)(0x80 | w->control_at)}; /* a mask of zeros */
    memcpy(frame + 6, w->control, w->control_at);
    return w->say.feed(w->say.to, frame, 6 + w->control_at) || flow_fail(w->flow, "the pong could not be sent");
}

static int frame_ends(struct websocket *w)
{
    w->state = w->opcode == CLOSE ? CLOSED : IN_HEAD;
    w->have = 0;
    return w->opcode != PING || pong(w);
}

static uint32_t head_needs(const struct websocket *w)
{
    uint32_t code = w->have < 2 ? 0 : w->head[1] & 127;
    return code == 127 ? 10 : code == 126 ? 4 : 2;
}

static int head_ends(struct websocket *w)
{
    const uint8_t *p = w->head;
    int fin = p[0] >> 7, code = p[1] & 127, control = (p[0] & 8) != 0;
    w->opcode = p[0] & 15;
    w->control_at = 0;
    w->left = code < 126 ? (uint64_t)code : code == 126 ? be16(p + 2) : (uint64_t)be32(p + 2) << 32 | be32(p + 6);
    if (p[0] & 0x70)
        return flow_fail(w->flow, "a reserved bit of a WebSocket frame is set");
    if (p[1] & 0x80)
        return flow_fail(w->flow, "the server masked a WebSocket frame");
    if ((code == 126 && w->left < 126) || (code == 127 && (w->left < 65536 || w->left >> 63)))
        return flow_fail(w->flow, "WebSocket length is not in its shortest form");
    if (control) {
        if (w->opcode > PONG)
            return flow_fail(w->flow, "unknown WebSocket opcode");
        if (!fin || w->left > sizeof w->control)
            return flow_fail(w->flow, "WebSocket control frame is long or in pieces");
    } else {
        if (w->opcode != CONTINUED && w->opcode != BINARY)
            return flow_fail(w->flow, "WebSocket frame is not binary");
        if ((w->opcode == CONTINUED) != w->inside)
            return flow_fail(w->flow, "WebSocket message is continued wrongly");
        w->inside = !fin;
    }
    w->state = IN_PAYLOAD;
    return w->left > 0 || frame_ends(w);
}

int websocket_feed(void *at, const uint8_t *p, size_t n)
{
    struct websocket *w = at;
    while (n && w->state != CLOSED) {
        if (w->state == IN_HEAD) {
            w->head[w->have++] = *p++;
            n--;
            if (w->have >= 2 && w->have == head_needs(w) && !head_ends(w))
                return 0;
            continue;
        }
        size_t take = w->left < n ? (size_t)w->left : n;
        if (w->opcode & 8) {
            memcpy(w->control + w->control_at, p, take);
            w->control_at += (uint32_t)take;
        } else if (!w->payload.feed(w->payload.to, p, take)) {
            return 0;
        }
        p += take;
        n -= take;
        w->left -= take;
        if (w->left == 0 && !frame_ends(w))
            return 0;
    }
    return 1;
}
