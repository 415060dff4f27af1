#define _GNU_SOURCE
#include "rtmp.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "rtmpwire.h"

#define CHUNK 60000 /* bytes: above any frame of the clip, below the 65,536 that SRS accepts */

static int send_all(int fd, const uint8_t *p, size_t n)
{
    while (n) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return 0;
        p += sent;
        n -= (size_t)sent;
    }
    return 1;
}

static int send_message(int fd, uint8_t csid, uint8_t type, uint32_t time_ms, uint32_t stream_id, uint32_t chunk,
                        const uint8_t *body, uint32_t size)
{
    struct message m = {csid, type, time_ms, stream_id, body, size};
    if (time_ms >= 0xffffff)
        die("publisher: over 4.6 hours; the extended timestamp is not written");
    uint8_t *wire = malloc(message_room(size, chunk));
    int ok = send_all(fd, wire, message_write(wire, &m, chunk));
    free(wire);
    return ok;
}

/* Read until `needle` has come, and return what follows it in the buffer. The answers are short, so that no chunk
   header can fall into the bytes that are looked at. */
static uint8_t *await(int fd, uint8_t *buf, size_t *have, size_t room, const char *needle, size_t after)
{
    for (;;) {
        uint8_t *hit = memmem(buf, *have, needle, strlen(needle));
        if (hit && hit + strlen(needle) + after <= buf + *have)
            return hit + strlen(needle);
        uint8_t *bad = memmem(buf, *have, "_error", 6);
        ssize_t n = bad || *have == room ? -1 : recv(fd, buf + *have, room - *have, 0);
        if (n <= 0)
            die("publisher: the server did not answer with %s", needle);
        *have += (size_t)n;
    }
}

static void handshake(int fd)
{
    uint8_t c[1 + HANDSHAKE], s[1 + 2 * HANDSHAKE];
    size_t have = 0;
    write_c0c1(c);
    send_all(fd, c, sizeof c);
    while (have < sizeof s) {
        ssize_t n = recv(fd, s + have, sizeof s - have, 0);
        if (n <= 0)
            die("publisher: no RTMP handshake answer");
        have += (size_t)n;
    }
    send_all(fd, s + 1, HANDSHAKE);
}

struct rtmp rtmp_publish(const char *address, int port, const char *app, const char *name)
{
    struct rtmp r = {.fd = socket(AF_INET, SOCK_STREAM, 0), .stream_id = 1};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval patience = {.tv_sec = 10};
    int on = 1;
    inet_pton(AF_INET, address, &to.sin_addr);
    setsockopt(r.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(r.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(r.fd, (struct sockaddr *)&to, sizeof to) != 0)
        die("publisher: cannot connect to %s:%d", address, port);
    handshake(r.fd);

    uint8_t body[1024], *p, answer[16384];
    size_t have = 0;
    char url[256];
    snprintf(url, sizeof url, "rtmp://%s:%d/%s", address, port, app);
    uint8_t size[4] = {0, 0, CHUNK >> 8, CHUNK & 255};
    send_message(r.fd, 2, 1, 0, 0, 128, size, 4);

    p = amf_connect(body, app, url, "FMLE/3.0");
    send_message(r.fd, 3, 20, 0, 0, CHUNK, body, (uint32_t)(p - body));
    await(r.fd, answer, &have, sizeof answer, "_result", 0);

    have = 0;
    p = amf_null(amf_number(amf_string(body, "releaseStream"), 2));
    p = amf_string(p, name);
    send_message(r.fd, 3, 20, 0, 0, CHUNK, body, (uint32_t)(p - body));
    p = amf_null(amf_number(amf_string(body, "FCPublish"), 3));
    p = amf_string(p, name);
    send_message(r.fd, 3, 20, 0, 0, CHUNK, body, (uint32_t)(p - body));
    p = amf_null(amf_number(amf_string(body, "createStream"), 4));
    send_message(r.fd, 3, 20, 0, 0, CHUNK, body, (uint32_t)(p - body));
    /* AMF number 4.0 is 40 10 00...: the answer to createStream, not to the two calls before it */
    for (;;) {
        uint8_t *hit = await(r.fd, answer, &have, sizeof answer, "_result", 19);
        int number = hit[1] == 0x40 && hit[2] == 0x10 && hit[9] == 5 && hit[10] == 0;
        if (number) {
            r.stream_id = (uint32_t)amf_read_number(hit + 11);
            break;
        }
        have = (size_t)(answer + have - hit);
        memmove(answer, hit, have);
    }

    have = 0;
    p = amf_null(amf_number(amf_string(body, "publish"), 5));
    p = amf_string(amf_string(p, name), "live");
    send_message(r.fd, 3, 20, 0, r.stream_id, CHUNK, body, (uint32_t)(p - body));
    await(r.fd, answer, &have, sizeof answer, "NetStream.Publish.Start", 0);
    return r;
}

int rtmp_send(const struct rtmp *r, uint8_t kind, uint32_t time_ms, const uint8_t *body, uint32_t size)
{
    return send_message(r->fd, kind == TAG_VIDEO ? 6 : kind == TAG_AUDIO ? 4 : 5, kind, time_ms, r->stream_id, CHUNK,
                        body, size);
}
