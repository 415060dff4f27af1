/* A sample of the players: every byte is parsed and checked, and each frame's delay since its publish is noted. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "clip.h"
#include "clock.h"
#include "crowd.h"
#include "tally.h"
#include "urgent.h"
#include "wire.h"

struct sample {
    int fd, asked, closed;
    int64_t arrived_ns, read_ns;
    uint32_t last; /* number of the newest frame */
    int counted;   /* frames have been numbered since the start */
    struct wire wire;
};

static struct target target;
static struct sample *samples;
static int total;
static double pace;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct tally arrival_ms, read_ms;
static int64_t begin_ns;
static long long frames, missing, repeated, unstamped;

static void on_frame(void *owner, int64_t stamp_ns, uint32_t number, int key)
{
    struct sample *s = owner;
    (void)key;
    if (stamp_ns == 0) {
        unstamped++;
        return;
    }
    if (s->counted && number != s->last + 1) {
        if (number > s->last)
            missing += number - s->last - 1;
        else
            repeated++;
    }
    s->counted = 1;
    s->last = number;
    frames++;
    if (begin_ns && stamp_ns >= begin_ns) { /* older frames are the join's backlog, not a delay */
        tally_add(&arrival_ms, (double)(s->arrived_ns - stamp_ns) / 1e6);
        tally_add(&read_ms, (double)(s->read_ns - stamp_ns) / 1e6);
    }
}

static void serve(struct sample *s, uint32_t events)
{
    static uint8_t buf[65536];
    if (!s->asked) {
        s->asked = 1;
        if (events & (EPOLLERR | EPOLLHUP) || !peer_request(&target, s->fd))
            s->closed = 1;
    }
    while (!s->closed) {
        ssize_t n = peer_receive(s->fd, buf, sizeof buf, &s->arrived_ns);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            s->closed = 1;
            return;
        }
        s->read_ns = mono_ns();
        if (!s->wire.error)
            wire_feed(&s->wire, buf, (size_t)n);
    }
}

static void *run(void *unused)
{
    int epfd = epoll_create1(EPOLL_CLOEXEC), next = 0;
    int64_t start = mono_ns();
    struct epoll_event ready[64];
    urgent();
    for (;;) {
        while (next < total && (double)(mono_ns() - start) * 1e-9 * pace >= next) {
            struct sample *s = &samples[next++];
            struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = s};
            wire_init(&s->wire, on_frame, s);
            s->fd = peer_connect(&target, 0);
            s->closed = s->fd < 0;
            if (s->closed)
                continue;
            peer_note_arrival(s->fd);
            epoll_ctl(epfd, EPOLL_CTL_ADD, s->fd, &e);
        }
        int n = epoll_wait(epfd, ready, 64, next < total ? 5 : -1);
        pthread_mutex_lock(&lock);
        for (int i = 0; i < n; i++)
            serve(ready[i].data.ptr, ready[i].events);
        pthread_mutex_unlock(&lock);
    }
    return unused;
}

void probe_start(const struct target *t, int count, double per_second)
{
    pthread_t thread;
    target = *t;
    total = count;
    pace = per_second;
    samples = calloc((size_t)count + 1, sizeof *samples);
    if (count && pthread_create(&thread, NULL, run, NULL) != 0)
        die("load: cannot start a thread");
}

int probe_flowing(void)
{
    int n = 0;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < total; i++)
        n += samples[i].wire.key_seen && !samples[i].closed;
    pthread_mutex_unlock(&lock);
    return n;
}

void probe_begin(void)
{
    pthread_mutex_lock(&lock);
    tally_clear(&arrival_ms);
    tally_clear(&read_ms);
    frames = missing = repeated = unstamped = 0;
    begin_ns = mono_ns();
    pthread_mutex_unlock(&lock);
}

void probe_end(FILE *to)
{
    int closed = 0, broken = 0, chunked = 0;
    const char *error = "";
    pthread_mutex_lock(&lock);
    for (int i = 0; i < total; i++) {
        closed += samples[i].closed;
        chunked += samples[i].wire.chunked;
        if (samples[i].wire.error) {
            broken++;
            error = samples[i].wire.error;
        }
    }
    fprintf(to, "\"probe\":{\"players\":%d,\"closed\":%d,\"broken\":%d,\"chunked\":%d,\"first_error\":\"%s\",", total,
            closed, broken, chunked, error);
    fprintf(to, "\"frames\":%lld,\"missing\":%lld,\"repeated\":%lld,\"unstamped\":%lld,", frames, missing, repeated,
            unstamped);
    tally_print(to, "delay_ms", &arrival_ms);
    fputc(',', to);
    tally_print(to, "read_delay_ms", &read_ms);
    fputc('}', to);
    pthread_mutex_unlock(&lock);
}
