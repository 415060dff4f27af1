/* Most players: once the server has agreed to send, only their bytes are counted. MSG_TRUNC drops the bytes inside the
   kernel, without a copy; with TLS they are dropped as they come, encrypted. */
#define _GNU_SOURCE
#include "crowd.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clip.h"
#include "clock.h"
#include "session.h"
#include "tally.h"

enum { CONNECTING, WAITING, FLOWING, GONE };

struct player {
    int fd;
    _Atomic int state;
    _Atomic uint64_t bytes;
    uint64_t mark;           /* bytes when the measurement began */
    uint64_t acknowledged;   /* bytes of which an RTMP server has heard */
    uint32_t ack_every;      /* bytes after which it wants to; 0: never */
    struct session *session; /* until the player flows */
};

static const struct targets *targets;
static struct player *players;
static int total;
static double pace;
static int64_t nap_ns;
static atomic_int flowing, gone, refused;
static atomic_llong receives;
static long long receives_mark;

static void leave(struct player *p)
{
    if (p->state == WAITING || p->state == CONNECTING)
        refused++;
    else
        gone++;
    close(p->fd);
    session_free(p->session);
    p->session = NULL;
    p->state = GONE;
}

/* Talk until the server has agreed to send. */
static void join(struct player *p)
{
    uint8_t head[4096];
    while (!p->session->joined) {
        ssize_t n = recv(p->fd, head, sizeof head, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0 || !session_feed(p->session, head, (size_t)n, 0)) {
            leave(p);
            return;
        }
        p->bytes += (uint64_t)n;
    }
    p->ack_every = session_ack_every(p->session);
    session_free(p->session);
    p->session = NULL;
    p->state = FLOWING;
    flowing++;
}

static void serve(struct player *p, uint32_t events)
{
    if (p->state == GONE)
        return;
    if (p->state == CONNECTING) {
        if (events & (EPOLLERR | EPOLLHUP) || !session_greet(p->session)) {
            leave(p);
            return;
        }
        p->state = WAITING;
    }
    if (!(events & EPOLLIN))
        return;
    if (p->state == WAITING) {
        join(p);
        if (p->state != FLOWING)
            return;
    }
    /* Edge-triggered, one call an event: bytes that come after it raise the next event. */
    ssize_t n = recv(p->fd, NULL, 1 << 30, MSG_TRUNC | MSG_DONTWAIT);
    receives++;
    if (n > 0)
        p->bytes += (uint64_t)n;
    else if (n == 0 || errno != EAGAIN)
        leave(p);
    if (p->ack_every && p->bytes - p->acknowledged >= p->ack_every) {
        p->acknowledged = p->bytes;
        rtmp_acknowledge((struct outlet){say_to_socket, &p->fd}, p->bytes);
    }
}

static void *run(void *unused)
{
    int epfd = epoll_create1(EPOLL_CLOEXEC), next = 0;
    int64_t start = mono_ns();
    struct epoll_event ready[512];
    for (;;) {
        while (next < total && (double)(mono_ns() - start) * 1e-9 * pace >= next) {
            const struct target *to = targets_at(targets, next);
            struct player *p = &players[next++];
            p->fd = peer_connect(to, 0);
            if (p->fd < 0) {
                p->state = GONE;
                refused++;
                continue;
            }
            p->session = session_new(to, p->fd);
            struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = p};
            epoll_ctl(epfd, EPOLL_CTL_ADD, p->fd, &e);
        }
        if (nap_ns > 0) {
            struct timespec nap = as_timespec(nap_ns);
            nanosleep(&nap, NULL);
        }
        int n;
        do {
            n = epoll_wait(epfd, ready, 512, nap_ns > 0 ? 0 : next < total ? 1 : -1);
            for (int i = 0; i < n; i++)
                serve(ready[i].data.ptr, ready[i].events);
        } while (nap_ns > 0 && n == 512);
    }
    return unused;
}

void crowd_start(const struct targets *all, int count, double per_second, int nap_ms)
{
    pthread_t thread;
    targets = all;
    total = count;
    pace = per_second;
    nap_ns = (int64_t)nap_ms * 1000000;
    players = calloc((size_t)count + 1, sizeof *players);
    if (count && pthread_create(&thread, NULL, run, NULL) != 0)
        die("load: cannot start a thread");
}

int crowd_flowing(void)
{
    return flowing;
}

void crowd_begin(void)
{
    for (int i = 0; i < total; i++)
        players[i].mark = players[i].bytes;
    receives_mark = receives;
    gone = 0;
}

void crowd_end(FILE *to, double seconds)
{
    struct tally rates = {0};
    for (int i = 0; i < total; i++)
        if (players[i].state == FLOWING)
            tally_add(&rates, (double)(players[i].bytes - players[i].mark) * 8 / seconds);
    fprintf(to, "\"crowd\":{\"players\":%d,\"flowing\":%zu,\"refused\":%d,\"gone\":%d,\"receives\":%lld,", total,
            rates.count, refused, gone, receives - receives_mark);
    fprintf(to, "\"rate_min\":%.0f,\"rate_median\":%.0f,\"rate_max\":%.0f}", tally_at(&rates, 0),
            tally_at(&rates, 0.5), tally_at(&rates, 1));
    free(rates.values);
}
