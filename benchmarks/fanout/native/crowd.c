/* Most players: only their bytes are counted. MSG_TRUNC drops the bytes inside the kernel, without a copy. */
#define _GNU_SOURCE
#include "crowd.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clip.h"
#include "clock.h"
#include "tally.h"

enum { CONNECTING, WAITING, FLOWING, GONE };

struct player {
    int fd;
    _Atomic int state;
    _Atomic uint64_t bytes;
    uint64_t mark; /* bytes when the measurement began */
};

static struct target target;
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
    p->state = GONE;
}

static void first_bytes(struct player *p)
{
    char head[4096];
    ssize_t n = recv(p->fd, head, sizeof head, MSG_DONTWAIT);
    if (n < 12 || strncmp(head, "HTTP/1.", 7) != 0 || strncmp(head + 9, "200", 3) != 0) {
        leave(p);
        return;
    }
    p->bytes += (uint64_t)n;
    p->state = FLOWING;
    flowing++;
}

static void serve(struct player *p, uint32_t events)
{
    if (p->state == GONE)
        return;
    if (p->state == CONNECTING) {
        if (events & (EPOLLERR | EPOLLHUP) || !peer_request(&target, p->fd)) {
            leave(p);
            return;
        }
        p->state = WAITING;
    }
    if (!(events & EPOLLIN))
        return;
    if (p->state == WAITING) {
        first_bytes(p);
        if (p->state == GONE)
            return;
    }
    /* Edge-triggered, one call an event: bytes that come after it raise the next event. */
    ssize_t n = recv(p->fd, NULL, 1 << 30, MSG_TRUNC | MSG_DONTWAIT);
    receives++;
    if (n > 0)
        p->bytes += (uint64_t)n;
    else if (n == 0 || errno != EAGAIN)
        leave(p);
}

static void *run(void *unused)
{
    int epfd = epoll_create1(EPOLL_CLOEXEC), next = 0;
    int64_t start = mono_ns();
    struct epoll_event ready[512];
    for (;;) {
        while (next < total && (double)(mono_ns() - start) * 1e-9 * pace >= next) {
            struct player *p = &players[next++];
            p->fd = peer_connect(&target, 0);
            if (p->fd < 0) {
                p->state = GONE;
                refused++;
                continue;
            }
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

void crowd_start(const struct target *t, int count, double per_second, int nap_ms)
{
    pthread_t thread;
    target = *t;
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
