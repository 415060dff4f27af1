#define _GNU_SOURCE
#include "answer.h"

#include <stdlib.h>
#include <string.h>

#include "websocket.h"

enum { IN_HEAD, IN_RAW, IN_CHUNK_SIZE, IN_CHUNK, IN_CHUNK_END, AT_END };

void answer_init(struct answer *a, struct flow *flow, int status, struct outlet body)
{
    memset(a, 0, sizeof *a);
    a->flow = flow;
    a->status = status;
    a->body = body;
}

static int head_ends(struct answer *a)
{
    a->head[a->head_size] = 0;
    if (strncmp(a->head, "HTTP/1.", 7) != 0)
        return flow_fail(a->flow, "not an HTTP/1.x answer");
    if (atoi(a->head + 9) != a->status)
        return flow_fail(a->flow, a->status == 200 ? "HTTP status is not 200" : "HTTP status is not 101");
    if (a->status == 101) {
        const char *accept = strcasestr(a->head, "\r\nSec-WebSocket-Accept:");
        if (!accept || !strstr(accept, WEBSOCKET_ACCEPT "\r\n"))
            return flow_fail(a->flow, "Sec-WebSocket-Accept is missing or wrong");
        if (!strcasestr(a->head, "\r\nUpgrade: websocket\r\n"))
            return flow_fail(a->flow, "Upgrade is not websocket");
        a->state = IN_RAW;
    } else {
        const char *coding = strcasestr(a->head, "\r\nTransfer-Encoding:");
        a->chunked = coding && strcasestr(coding, "chunked") != NULL;
        a->state = a->chunked ? IN_CHUNK_SIZE : IN_RAW;
    }
    a->accepted = 1;
    a->head_size = 0;
    return 1;
}

static int feed_byte(struct answer *a, uint8_t c)
{
    if (a->head_size + 1 >= sizeof a->head)
        return flow_fail(a->flow, "HTTP header or chunk size line is too long");
    a->head[a->head_size++] = (char)c;
    if (a->state == IN_HEAD)
        return a->head_size < 4 || memcmp(a->head + a->head_size - 4, "\r\n\r\n", 4) != 0 || head_ends(a);
    if (a->state == IN_CHUNK_SIZE) {
        if (c != '\n')
            return 1;
        char *rest;
        a->head[a->head_size] = 0;
        a->chunk_left = strtoull(a->head, &rest, 16);
        if (rest == a->head || (*rest != '\r' && *rest != ';'))
            return flow_fail(a->flow, "chunk size is not hexadecimal");
        a->head_size = 0;
        a->state = a->chunk_left ? IN_CHUNK : AT_END;
        return 1;
    }
    if (a->state == IN_CHUNK_END) {
        if (c != (a->head_size == 1 ? '\r' : '\n'))
            return flow_fail(a->flow, "chunk does not end in CR LF");
        if (a->head_size == 2) {
            a->head_size = 0;
            a->state = IN_CHUNK_SIZE;
        }
    }
    if (a->state == AT_END)
        a->head_size = 0;
    return 1;
}

int answer_feed(void *at, const uint8_t *p, size_t n)
{
    struct answer *a = at;
    while (n && !a->flow->error) {
        if (a->state == IN_RAW)
            return a->body.feed(a->body.to, p, n);
        if (a->state == IN_CHUNK) {
            size_t take = a->chunk_left < n ? (size_t)a->chunk_left : n;
            if (!a->body.feed(a->body.to, p, take))
                return 0;
            p += take;
            n -= take;
            a->chunk_left -= take;
            if (a->chunk_left == 0)
                a->state = IN_CHUNK_END;
            continue;
        }
        if (!feed_byte(a, *p))
            return 0;
        p++;
        n--;
    }
    return a->flow->error == NULL;
}
