/* Joins at random moments, each kept for a while: what it received, and when every frame of it came. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "clip.h"
#include "clock.h"
#include "crowd.h"
#include "session.h"
#include "urgent.h"

#define PATIENCE_NS 15000000000 /* a join without a keyframe by then has failed */
#define PIECE 16384             /* bytes of one read: pieces read together get the arrival time of the last */

struct join {
    int fd, greeted;
    int64_t at_ns, start_ns, key_ns; /* planned; before connect(); first keyframe here, 0: not yet */
    struct session *session;
    const char *error;
    struct frame *frames;
    size_t count, room;
    uint8_t *bytes; /* NULL: not kept */
    size_t size, space;
};

struct plan {
    struct target target;
    int count, hold_ms;
    double seconds;
    unsigned seed;
    char directory[256];
};

static void *grown(void *old, size_t bytes)
{
    void *p = realloc(old, bytes);
    if (!p)
        die("load: out of memory");
    return p;
}

static void on_frame(void *owner, const struct frame *frame)
{
    struct join *j = owner;
    if (j->count == j->room) {
        j->room = j->room ? 2 * j->room : 256;
        j->frames = grown(j->frames, j->room * sizeof *j->frames);
    }
    j->frames[j->count++] = *frame;
    if (!j->key_ns)
        j->key_ns = frame->arrived_ns;
}

static int keep(void *to, const uint8_t *p, size_t n)
{
    struct join *j = to;
    if (j->size + n > j->space) {
        j->space = 2 * (j->size + n);
        j->bytes = grown(j->bytes, j->space);
    }
    memcpy(j->bytes + j->size, p, n);
    j->size += n;
    return 1;
}

static void begin(struct join *j, const struct target *target, int epfd, int kept)
{
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = j};
    j->start_ns = mono_ns();
    j->fd = peer_connect(target, 0);
    if (j->fd < 0) {
        j->error = "the system refused a connection";
        return;
    }
    j->session = session_new(target, j->fd);
    j->session->flow.on_frame = on_frame;
    j->session->flow.owner = j;
    if (kept)
        session_tap(j->session, (struct outlet){keep, j});
    peer_note_arrival(j->fd);
    epoll_ctl(epfd, EPOLL_CTL_ADD, j->fd, &e);
}

static void serve(struct join *j, uint32_t events)
{
    static uint8_t buf[PIECE];
    int64_t arrived_ns;
    if (!j->greeted) {
        j->greeted = 1;
        if (events & (EPOLLERR | EPOLLHUP) || !session_greet(j->session))
            j->error = "the server does not answer";
    }
    while (!j->error) {
        ssize_t n = peer_receive(j->fd, buf, sizeof buf, &arrived_ns);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0)
            j->error = "the server closed the connection";
        else if (!session_feed(j->session, buf, (size_t)n, arrived_ns))
            j->error = j->session->flow.error;
    }
}

static void end(struct join *j, int number, FILE *log, const struct plan *plan)
{
    char path[300];
    fprintf(log, "{\"join\":%d,\"start_ns\":%lld,\"error\":\"%s\",\"frames\":[", number, (long long)j->start_ns,
            j->error ? j->error : "");
    for (size_t i = 0; i < j->count; i++) {
        const struct frame *f = &j->frames[i];
        fprintf(log, "%s[%u,%lld,%d,%.3f,%.3f,%lld]", i ? "," : "", f->number, (long long)f->stamp_ns, f->key,
                f->dts_ms, f->pts_ms, (long long)f->arrived_ns);
    }
    fputs("]}\n", log);
    snprintf(path, sizeof path, "%s/%d.%s", plan->directory, number, plan->target.ts ? "ts" : "flv");
    FILE *file = j->bytes ? fopen(path, "wb") : NULL;
    if (file) {
        fwrite(j->bytes, 1, j->size, file);
        fclose(file);
    }
    if (j->fd >= 0)
        close(j->fd);
    session_free(j->session);
    free(j->bytes);
    free(j->frames);
}

static void *run(void *argument)
{
    struct plan *plan = argument;
    char path[300];
    int epfd = epoll_create1(EPOLL_CLOEXEC), next = 0, left = 0, failed = 0;
    /* Join 0 is there from before the first to behind the last: it sees all that is published meanwhile. */
    struct join *joins = calloc((size_t)plan->count + 1, sizeof *joins);
    char *over = calloc((size_t)plan->count + 1, 1);
    struct epoll_event ready[64];
    snprintf(path, sizeof path, "%s/joins.jsonl", plan->directory);
    FILE *log = fopen(path, "w");
    if (!log)
        die("load: cannot write %s", path);
    urgent();
    begin(&joins[next++], &plan->target, epfd, 0);
    int64_t first_ns = mono_ns() + 1000000000;
    for (int i = 1; i <= plan->count; i++) { /* anywhere within its share of the time */
        double within = rand_r(&plan->seed) / (RAND_MAX + 1.0);
        joins[i].at_ns = first_ns + (int64_t)((i - 1 + within) * plan->seconds * 1e9 / plan->count);
    }
    while (left < plan->count) {
        int n = epoll_wait(epfd, ready, 64, 1);
        for (int i = 0; i < n; i++)
            serve(ready[i].data.ptr, ready[i].events);
        int64_t now = mono_ns();
        for (; next <= plan->count && joins[next].at_ns <= now; next++)
            begin(&joins[next], &plan->target, epfd, 1);
        for (int i = 1; i < next; i++) {
            struct join *j = &joins[i];
            int stayed = j->key_ns && now > j->key_ns + (int64_t)plan->hold_ms * 1000000;
            if (over[i] || (!stayed && !j->error && now < j->start_ns + PATIENCE_NS))
                continue;
            if (!j->key_ns && !j->error)
                j->error = "no keyframe came";
            failed += j->error != NULL;
            end(j, i, log, plan);
            over[i] = 1;
            left++;
        }
    }
    end(&joins[0], 0, log, plan);
    fclose(log);
    close(epfd);
    event("{\"event\":\"joins\",\"joins\":%d,\"failed\":%d}", plan->count, failed);
    free(joins);
    free(over);
    free(plan);
    return NULL;
}

void joins_start(const struct target *t, int count, double seconds, int hold_ms, int seed, const char *directory)
{
    pthread_t thread;
    struct plan *plan = malloc(sizeof *plan);
    *plan = (struct plan){.target = *t, .count = count, .hold_ms = hold_ms, .seconds = seconds, .seed = (unsigned)seed};
    snprintf(plan->directory, sizeof plan->directory, "%s", directory);
    if (pthread_create(&thread, NULL, run, plan) != 0)
        die("load: cannot start a thread");
    pthread_detach(thread);
}
