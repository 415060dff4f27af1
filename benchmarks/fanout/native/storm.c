/* A join storm: players arrive at a steady rate; each is timed from connect() to the last byte of the first keyframe
   tag at its socket. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clip.h"
#include "clock.h"
#include "crowd.h"
#include "session.h"
#include "tally.h"
#include "urgent.h"

#define PATIENCE_NS 5000000000 /* a joiner without a keyframe by then has failed */

struct joiner {
    int fd, greeted, done;
    int64_t start_ns, answered_ns, leave_ns;
    struct session *session;
};

struct plan {
    struct targets all;
    double per_second, seconds;
    int hold_ms;
};

static struct tally keyframe_ms, first_byte_ms;
static const char *first_error = "";

static void on_frame(void *owner, const struct frame *frame)
{
    struct joiner *j = owner;
    if (j->done || !frame->key)
        return;
    j->done = 1;
    tally_add(&keyframe_ms, (double)(frame->arrived_ns - j->start_ns) / 1e6);
    int64_t answered_ns = j->answered_ns ? j->answered_ns : frame->arrived_ns; /* both in one read */
    tally_add(&first_byte_ms, (double)(answered_ns - j->start_ns) / 1e6);
}

/* Returns 0 when the joiner has ended before its keyframe. */
static int serve(struct joiner *j, uint32_t events)
{
    static uint8_t buf[65536];
    int64_t arrived_ns;
    if (!j->greeted) {
        j->greeted = 1;
        if (events & (EPOLLERR | EPOLLHUP) || !session_greet(j->session))
            return 0;
    }
    for (;;) {
        ssize_t n = j->done ? recv(j->fd, NULL, 1 << 30, MSG_TRUNC | MSG_DONTWAIT)
                            : peer_receive(j->fd, buf, sizeof buf, &arrived_ns);
        if (n < 0 && errno == EAGAIN)
            return 1;
        if (n <= 0)
            return j->done;
        if (j->done)
            return 1;
        if (!session_feed(j->session, buf, (size_t)n, arrived_ns)) {
            first_error = j->session->flow.error;
            return 0;
        }
        if (j->session->joined && j->answered_ns == 0)
            j->answered_ns = arrived_ns;
    }
}

static void *run(void *argument)
{
    struct plan *plan = argument;
    int epfd = epoll_create1(EPOLL_CLOEXEC), count = (int)(plan->per_second * plan->seconds);
    int next = 0, oldest = 0, failed = 0;
    struct joiner **joiners = calloc((size_t)count + 1, sizeof *joiners);
    struct epoll_event ready[256];
    int64_t start = mono_ns(), worst_lag = 0;
    urgent(); /* a request that waits for this thread would count as the server's delay */
    tally_clear(&keyframe_ms);
    tally_clear(&first_byte_ms);
    while (oldest < count) {
        int64_t now = mono_ns();
        while (next < count && start + (int64_t)(next * 1e9 / plan->per_second) <= now) {
            struct joiner *j = joiners[next] = calloc(1, sizeof *j);
            struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = j};
            int64_t lag = now - start - (int64_t)(next++ * 1e9 / plan->per_second);
            worst_lag = lag > worst_lag ? lag : worst_lag;
            const struct target *target = targets_at(&plan->all, next - 1);
            j->start_ns = mono_ns();
            j->leave_ns = j->start_ns + (int64_t)plan->hold_ms * 1000000;
            j->fd = peer_connect(target, 0);
            if (j->fd < 0)
                continue;
            j->session = session_new(target, j->fd);
            j->session->flow.on_frame = on_frame;
            j->session->flow.owner = j;
            peer_note_arrival(j->fd);
            epoll_ctl(epfd, EPOLL_CTL_ADD, j->fd, &e);
        }
        while (oldest < next) { /* they leave in the order in which they came */
            struct joiner *j = joiners[oldest];
            int late = now > j->start_ns + PATIENCE_NS;
            if (j->fd >= 0 && (now < j->leave_ns || (!j->done && !late)))
                break;
            failed += !j->done;
            if (j->fd >= 0)
                close(j->fd);
            session_free(j->session);
            free(j);
            oldest++;
        }
        int n = epoll_wait(epfd, ready, 256, 1);
        for (int i = 0; i < n; i++) {
            struct joiner *j = ready[i].data.ptr;
            if (j->fd >= 0 && !serve(j, ready[i].events)) {
                close(j->fd);
                j->fd = -1;
            }
        }
    }
    FILE *to = stdout;
    flockfile(to);
    fprintf(to, "{\"event\":\"storm\",\"joins\":%d,\"failed\":%d,\"first_error\":\"%s\",\"late_ms_max\":%.3f,", count,
            failed, first_error, (double)worst_lag / 1e6);
    tally_print(to, "first_keyframe_ms", &keyframe_ms);
    fputc(',', to);
    tally_print(to, "first_byte_ms", &first_byte_ms);
    fputs("}\n", to);
    fflush(to);
    funlockfile(to);
    close(epfd);
    free(joiners);
    free(plan);
    return NULL;
}

void storm_start(const struct targets *all, double per_second, double seconds, int hold_ms)
{
    pthread_t thread;
    struct plan *plan = malloc(sizeof *plan);
    *plan = (struct plan){*all, per_second, seconds, hold_ms};
    if (pthread_create(&thread, NULL, run, plan) != 0)
        die("load: cannot start a thread");
    pthread_detach(thread);
}
