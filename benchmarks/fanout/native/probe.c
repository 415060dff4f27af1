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
#include "session.h"
#include "tally.h"
#include "urgent.h"

struct sample {
    int fd, greeted, closed;
    uint32_t last; /* number of the newest frame */
    int counted;   /* frames have been numbered since the start */
    struct session *session;
};

static const struct targets *targets;
static struct sample *samples;
static int total;
static double pace;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct tally arrival_ms, read_ms;
static int64_t begin_ns;
static long long frames, missing, repeated, unstamped;

static void on_frame(void *owner, const struct frame *frame)
{
    struct sample *s = owner;
    uint32_t number = frame->number;
    if (frame->stamp_ns == 0) {
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
    if (begin_ns && frame->stamp_ns >= begin_ns) { /* older frames are the join's backlog, not a delay */
        tally_add(&arrival_ms, (double)(frame->arrived_ns - frame->stamp_ns) / 1e6);
        tally_add(&read_ms, (double)(frame->read_ns - frame->stamp_ns) / 1e6);
    }
}

static void serve(struct sample *s, uint32_t events)
{
    static uint8_t buf[65536];
    int64_t arrived_ns;
    if (!s->greeted) {
        s->greeted = 1;
        if (events & (EPOLLERR | EPOLLHUP) || !session_greet(s->session))
            s->closed = 1;
    }
    while (!s->closed) {
        ssize_t n = peer_receive(s->fd, buf, sizeof buf, &arrived_ns);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            s->closed = 1;
            return;
        }
        if (!s->session->flow.error)
            session_feed(s->session, buf, (size_t)n, arrived_ns);
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
            const struct target *to = targets_at(targets, next);
            struct sample *s = &samples[next++];
            struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = s};
            s->fd = peer_connect(to, 0);
            s->closed = s->fd < 0;
            if (s->closed)
                continue;
            s->session = session_new(to, s->fd);
            s->session->flow.on_frame = on_frame;
            s->session->flow.owner = s;
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

void probe_start(const struct targets *all, int count, double per_second)
{
    pthread_t thread;
    targets = all;
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
        n += !samples[i].closed && samples[i].session && samples[i].session->flow.key_seen;
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
        const struct session *session = samples[i].session;
        chunked += session && session_chunked(session);
        if (session && session->flow.error) {
            broken++;
            error = session->flow.error;
        } else {
            closed += samples[i].closed;
        }
    }
    fprintf(to, "\"probe\":{\"players\":%d,\"closed\":%d,\"broken\":%d,\"chunked\":%d,\"first_error\":\"%s\",", total,
            closed, broken, chunked, error);
    fprintf(to, "\"tls\":\"%s\",", tls_kind());
    fprintf(to, "\"frames\":%lld,\"missing\":%lld,\"repeated\":%lld,\"unstamped\":%lld,", frames, missing, repeated,
            unstamped);
    tally_print(to, "delay_ms", &arrival_ms);
    fputc(',', to);
    tally_print(to, "read_delay_ms", &read_ms);
    fputc('}', to);
    pthread_mutex_unlock(&lock);
}
