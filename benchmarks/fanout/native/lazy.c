/* Players that read slowly or never: what they cost the server, and the others. */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
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
    int players;
    size_t step_bytes;
};

/* Say all that makes the server send, and not read on: after an HTTP request that is nothing at all. */
static int ask(const struct target *target, int fd)
{
    uint8_t buf[1024];
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    struct session *s = session_new(target, fd);
    int ok = poll(&wait, 1, PATIENCE_MS) == 1 && session_greet(s);
    wait.events = POLLIN;
    while (ok && !s->asked) {
        ssize_t n = poll(&wait, 1, PATIENCE_MS) == 1 ? recv(fd, buf, sizeof buf, MSG_DONTWAIT) : 0;
        ok = n > 0 && session_feed(s, buf, (size_t)n, 0);
    }
    session_free(s);
    return ok;
}

static void *run(void *argument)
{
    struct lazy *l = argument;
    int *fds = calloc((size_t)l->players, sizeof *fds), open = 0, lost = 0;
    for (int i = 0; i < l->players; i++) {
        int fd = peer_connect(&l->target, BUFFER);
        if (fd >= 0 && ask(&l->target, fd))
            fds[open++] = fd;
        else
            lost++;
    }
    event("{\"event\":\"lazy\",\"players\":%d,\"failed\":%d}", open, lost);
    while (l->step_bytes) {
        struct timespec step = as_timespec(STEP_MS * 1000000);
        nanosleep(&step, NULL);
        for (int i = 0; i < open; i++)
            recv(fds[i], NULL, l->step_bytes, MSG_TRUNC | MSG_DONTWAIT);
    }
    return NULL; /* the connections stay open until the program ends */
}

void lazy_start(const struct target *t, int players, double bytes_per_second)
{
    pthread_t thread;
    struct lazy *l = malloc(sizeof *l);
    *l = (struct lazy){*t, players, (size_t)(bytes_per_second * STEP_MS / 1000)};
    if (pthread_create(&thread, NULL, run, l) != 0)
        die("load: cannot start a thread");
    pthread_detach(thread);
}
