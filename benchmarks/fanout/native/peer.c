#define _GNU_SOURCE
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clip.h"
#include "clock.h"
#include "websocket.h"

#define PER_SOURCE 20000 /* connections; Linux hands out 28,232 ports an address by default */

static atomic_int connects;

static const struct {
    const char *name;
    int tls;
    enum speech speech;
} schemes[] = {{"http://", 0, SPEAK_HTTP},
               {"https://", 1, SPEAK_HTTP},
               {"ws://", 0, SPEAK_WEBSOCKET},
               {"wss://", 1, SPEAK_WEBSOCKET},
               {"rtmp://", 0, SPEAK_RTMP}};

/* Point at what follows the scheme, and note what the scheme says. */
static const char *take_scheme(struct target *t, const char *url)
{
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t n = strlen(schemes[i].name);
        if (strncmp(url, schemes[i].name, n) == 0) {
            t->tls = schemes[i].tls;
            t->speech = schemes[i].speech;
            return url + n;
        }
    }
    die("load: not an http, https, ws, wss or rtmp URL: %s", url);
}

void target_init(struct target *t, const char *url, int close_wanted)
{
    char host[64], upgrade[160] = "";
    memset(t, 0, sizeof *t);
    const char *address = take_scheme(t, url), *path = strchr(address, '/'), *colon = strchr(address, ':');
    if (!path || !colon || colon > path || (size_t)(colon - address) >= sizeof host)
        die("load: the URL is not SCHEME://HOST:PORT/PATH: %s", url);
    snprintf(host, sizeof host, "%.*s", (int)(colon - address), address);
    t->to.sin_family = AF_INET;
    t->to.sin_port = htons((uint16_t)atoi(colon + 1));
    if (inet_pton(AF_INET, host, &t->to.sin_addr) != 1 || ntohl(t->to.sin_addr.s_addr) >> 24 != 127)
        die("load: %s is not a loopback address", host);
    if (t->speech == SPEAK_RTMP) {
        const char *slash = strrchr(path, '/');
        if (slash == path || strlen(url) >= sizeof t->app)
            die("load: the URL is not rtmp://HOST:PORT/APP/STREAM, or is long: %s", url);
        snprintf(t->app, sizeof t->app, "%.*s", (int)(slash - path - 1), path + 1);
        snprintf(t->name, sizeof t->name, "%s", slash + 1);
        snprintf(t->url, sizeof t->url, "%.*s", (int)(slash - url), url);
        return;
    }
    size_t end = strcspn(path, "?");
    t->ts = end > 3 && strncmp(path + end - 3, ".ts", 3) == 0;
    if (t->speech == SPEAK_WEBSOCKET)
        snprintf(upgrade, sizeof upgrade,
                 "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: " WEBSOCKET_KEY "\r\n");
    else if (close_wanted)
        snprintf(upgrade, sizeof upgrade, "Connection: close\r\n");
    int n = snprintf(t->request, sizeof t->request,
                     "GET %s HTTP/1.1\r\nHost: %.*s\r\nUser-Agent: fanout-load\r\nAccept: */*\r\n%s\r\n", path,
                     (int)(path - address), address, upgrade);
    if (n >= (int)sizeof t->request)
        die("load: the URL is long: %s", url);
    t->request_size = (size_t)n;
}

void targets_init(struct targets *all, const char *url, int close_wanted)
{
    const char *open = strchr(url, '{'), *end = open ? strchr(open, '}') : NULL;
    char text[512];
    all->count = end ? atoi(open + 1) : 1;
    if (all->count < 1 || strlen(url) > sizeof text - 16)
        die("load: the URL is long, or names no stream: %s", url);
    all->each = calloc((size_t)all->count, sizeof *all->each);
    if (!all->each)
        die("load: out of memory");
    for (int i = 0; i < all->count; i++) {
        if (end)
            snprintf(text, sizeof text, "%.*s%d%s", (int)(open - url), url, i, end + 1);
        target_init(&all->each[i], end ? text : url, close_wanted);
    }
}

void targets_read(struct targets *all, const char *file, int close_wanted)
{
    FILE *from = fopen(file, "r");
    char line[1024];
    if (!from)
        die("load: cannot read %s", file);
    *all = (struct targets){NULL, 0};
    while (fgets(line, sizeof line, from)) {
        line[strcspn(line, "\n")] = 0;
        all->each = realloc(all->each, (size_t)(all->count + 1) * sizeof *all->each);
        if (!all->each)
            die("load: out of memory");
        target_init(&all->each[all->count++], line, close_wanted);
    }
    fclose(from);
    if (!all->count)
        die("load: %s names no stream", file);
}

const struct target *targets_at(const struct targets *all, int player)
{
    return &all->each[player % all->count];
}

int peer_connect(const struct target *t, int buffer)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0)
        return -1;
    int source = 2 + atomic_fetch_add(&connects, 1) / PER_SOURCE;
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000000u | (uint32_t)source)};
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* TLS and RTMP say several things before they play */
    if (buffer > 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) == 0) {
        if (connect(fd, (const struct sockaddr *)&t->to, sizeof t->to) == 0 || errno == EINPROGRESS)
            return fd;
    }
    close(fd);
    return -1;
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
