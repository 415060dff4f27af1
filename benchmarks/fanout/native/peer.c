#define _GNU_SOURCE
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clip.h"
#include "clock.h"

#define PER_SOURCE 20000 /* connections; Linux hands out 28,232 ports an address by default */

static atomic_int connects;

void target_init(struct target *t, const char *address, const char *path, int close_wanted)
{
    char host[64];
    const char *colon = strchr(address, ':');
    memset(t, 0, sizeof *t);
    if (!colon || (size_t)(colon - address) >= sizeof host)
        die("load: the address is not HOST:PORT: %s", address);
    snprintf(host, sizeof host, "%.*s", (int)(colon - address), address);
    t->to.sin_family = AF_INET;
    t->to.sin_port = htons((uint16_t)atoi(colon + 1));
    if (inet_pton(AF_INET, host, &t->to.sin_addr) != 1 || ntohl(t->to.sin_addr.s_addr) >> 24 != 127)
        die("load: %s is not a loopback address", host);
    t->request_size = (size_t)snprintf(t->request, sizeof t->request,
                                       "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: fanout-load\r\nAccept: */*\r\n%s\r\n",
                                       path, address, close_wanted ? "Connection: close\r\n" : "");
}

int peer_connect(const struct target *t, int buffer)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0)
        return -1;
    int source = 2 + atomic_fetch_add(&connects, 1) / PER_SOURCE;
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000000u | (uint32_t)source)};
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (buffer > 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) == 0) {
        if (connect(fd, (const struct sockaddr *)&t->to, sizeof t->to) == 0 || errno == EINPROGRESS)
            return fd;
    }
    close(fd);
    return -1;
}

int peer_request(const struct target *t, int fd)
{
    return send(fd, t->request, t->request_size, MSG_NOSIGNAL) == (ssize_t)t->request_size;
}

void peer_note_arrival(int fd)
{
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
}

ssize_t peer_receive(int fd, void *buf, size_t n, int64_t *arrived_ns)
{
    char control[64];
    struct iovec part = {.iov_base = buf, .iov_len = n};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t got = recvmsg(fd, &m, MSG_DONTWAIT);
    int64_t now = mono_ns();
    *arrived_ns = now;
    if (got <= 0)
        return got;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec t;
            memcpy(&t, CMSG_DATA(c), sizeof t);
            int64_t age = clock_ns(CLOCK_REALTIME) - ((int64_t)t.tv_sec * 1000000000 + t.tv_nsec);
            if (age > 0)
                *arrived_ns = now - age;
        }
    }
    return got;
}
