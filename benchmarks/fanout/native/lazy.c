/* Players that read slowly or never: what they cost the server and the others, and what they get themselves. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "clip.h"
#include "clock.h"
#include "crowd.h"
#include "session.h"

#define BUFFER 16384 /* bytes of receive buffer: little, so that the server sees the stall soon */
#define STEP_MS 100  /* between two reads of a slow player */
#define PATIENCE_MS 5000

struct lazy {
    struct target target;
    int players, kept;
    size_t step_bytes;
    char directory[256];
};

struct player {
    int fd;                  /* -1: the server closed it */
    struct session *session; /* NULL: its bytes are dropped unread */
    FILE *media, *frames;
};

static atomic_int standing, gone, broken;

static int keep(void *to, const uint8_t *p, size_t n)
{
    return fwrite(p, 1, n, ((struct player *)to)->media) == n;
}

static void on_frame(void *owner, const struct frame *f)
{
    fprintf(((struct player *)owner)->frames, "%u %lld %d %.3f %.3f %lld\n", f->number, (long long)f->stamp_ns, f->key,
            f->dts_ms, f->pts_ms, (long long)f->read_ns);
}

static void begin_keeping(struct player *p, const struct lazy *l, int number)
{
    char path[300];
    snprintf(path, sizeof path, "%s/slow-%d.%s", l->directory, number, l->target.ts ? "ts" : "flv");
    p->media = fopen(path, "wb");
    snprintf(path, sizeof path, "%s/slow-%d.frames", l->directory, number);
    p->frames = fopen(path, "w");
    if (!p->media || !p->frames)
        die("load: cannot write %s", path);
    session_tap(p->session, (struct outlet){keep, p});
    p->session->flow.on_frame = on_frame;
    p->session->flow.owner = p;
}

/* Say all that makes the server send, and not read on: after an HTTP request that is nothing at all. */
static int ask(struct player *p)
{
    uint8_t buf[1024];
    struct session *s = p->session;
    struct pollfd wait = {.fd = p->fd, .events = POLLOUT};
    int ok = poll(&wait, 1, PATIENCE_MS) == 1 && session_greet(s);
    wait.events = POLLIN;
    while (ok && !s->asked) {
        ssize_t n = poll(&wait, 1, PATIENCE_MS) == 1 ? recv(p->fd, buf, sizeof buf, MSG_DONTWAIT) : 0;
        ok = n > 0 && session_feed(s, buf, (size_t)n, mono_ns());
    }
    return ok;
}

static void leave(struct player *p)
{
    close(p->fd);
    p->fd = -1;
    standing--;
    gone++;
}

/* Somebody who never reads hears only of an abort, or of an end that had room to come. */
static void look(struct player *p)
{
    struct pollfd at = {.fd = p->fd, .events = POLLRDHUP};
    if (poll(&at, 1, 0) == 1)
        leave(p);
}

/* Read no more than the share of one step. */
static void sip(struct player *p, size_t share)
{
    static uint8_t buf[65536];
    for (size_t n; share > 0; share -= n) {
        size_t most = share < sizeof buf ? share : sizeof buf;
        ssize_t got = recv(p->fd, p->session ? buf : NULL, p->session ? most : share,
                           MSG_DONTWAIT | (p->session ? 0 : MSG_TRUNC));
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0) {
            leave(p);
            return;
        }
        n = (size_t)got < share ? (size_t)got : share;
        if (p->session && !p->session->flow.error && !session_feed(p->session, buf, (size_t)got, mono_ns())) {
            broken++;
            fprintf(stderr, "load: a slow player: %s\n", p->session->flow.error);
        }
    }
}

static void *run(void *argument)
{
    struct lazy *l = argument;
    struct player *players = calloc((size_t)l->players, sizeof *players);
    int open = 0, lost = 0;
    for (int i = 0; i < l->players; i++) {
        struct player *p = &players[open];
        *p = (struct player){.fd = peer_connect(&l->target, BUFFER)};
        if (p->fd < 0) {
            lost++;
            continue;
        }
        p->session = session_new(&l->target, p->fd);
        if (open < l->kept)
            begin_keeping(p, l, open);
        if (!ask(p)) {
            close(p->fd);
            lost++;
            continue;
        }
        if (open++ >= l->kept) {
            session_free(p->session);
            p->session = NULL;
        }
        standing++;
    }
    event("{\"event\":\"lazy\",\"players\":%d,\"failed\":%d}", open, lost);
    for (;;) {
        struct timespec step = as_timespec(STEP_MS * 1000000);
        nanosleep(&step, NULL);
        for (int i = 0; i < open; i++) {
            if (players[i].fd >= 0 && l->step_bytes)
                sip(&players[i], l->step_bytes);
            else if (players[i].fd >= 0)
                look(&players[i]);
            if (players[i].media) {
                fflush(players[i].media);
                fflush(players[i].frames);
            }
        }
    }
    return NULL;
}

void lazy_start(const struct target *t, int players, double bytes_per_second, int kept, const char *directory)
{
    pthread_t thread;
    struct lazy *l = malloc(sizeof *l);
    *l = (struct lazy){.target = *t, .players = players, .kept = kept < players ? kept : players};
    l->step_bytes = (size_t)(bytes_per_second * STEP_MS / 1000);
    snprintf(l->directory, sizeof l->directory, "%s", directory);
    if (pthread_create(&thread, NULL, run, l) != 0)
        die("load: cannot start a thread");
    pthread_detach(thread);
}

void lazy_report(void)
{
    event("{\"event\":\"lazies\",\"standing\":%d,\"gone\":%d,\"broken\":%d}", standing, gone, broken);
}
