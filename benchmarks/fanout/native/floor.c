/*
 * The floor: what a one-thread server costs when it does nothing but the system calls.
 *
 * usage: floor CLIP PORT WINDOW_MS
 *
 * Paces the clip itself (no ingest), appends the tags to one contiguous log, and at the end of each window makes
 * one send() per player from that log: no chunk framing, no request parsing, no queue, no state but an offset.
 * WINDOW_MS 0 sends at each video frame. A player that joins gets headers and the newest GOP. The stamp is the
 * frame's planned time, so that a loop that falls behind shows it as delay.
 * Prints {"event":"listening"}; the end of stdin ends it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clip.h"
#include "clock.h"

#define LOG_BYTES (1L << 30) /* of address space: over four hours at 500 kbit/s, touched only as it grows */

enum { ID_STDIN = -1, ID_LISTEN = -2, ID_TIMER = -3 };

static struct clip clip;
static uint8_t *mem, *start_block;
static size_t head, newest_gop, start_size;
static int *fds, players, epfd;
static int *vacant, vacancies; /* slots of players that left */
static size_t *offsets;

static void add(int fd, uint32_t events, int id)
{
    struct epoll_event e = {.events = events, .data.u64 = (uint64_t)(int64_t)id};
    epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &e);
}

static void push(int i)
{
    ssize_t n = send(fds[i], mem + offsets[i], head - offsets[i], MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0)
        offsets[i] += (size_t)n; /* the rest goes with the next window */
}

static void push_all(void)
{
    for (int i = 0; i < players; i++)
        if (fds[i] >= 0 && offsets[i] < head)
            push(i);
}

static void welcome(int fd)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: video/x-flv\r\nConnection: close\r\n\r\n";
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    int slot = vacancies ? vacant[--vacancies] : players++;
    fds[slot] = fd;
    offsets[slot] = newest_gop;
    send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL | MSG_MORE);
    send(fd, start_block, start_size, MSG_NOSIGNAL | MSG_MORE);
    add(fd, EPOLLIN | EPOLLRDHUP | EPOLLET, slot);
    push(slot);
}

static void drain(int i)
{
    char skip[4096];
    ssize_t n = recv(fds[i], skip, sizeof skip, MSG_DONTWAIT);
    if (n > 0)
        n = recv(fds[i], skip, sizeof skip, MSG_DONTWAIT); /* the request and the end may come in one event */
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        close(fds[i]);
        fds[i] = -1;
        vacant[vacancies++] = i;
    }
}

static void make_start_block(void)
{
    start_block = malloc(13 + 3 * 64 + clip.script.size + clip.video_header.size + clip.audio_header.size);
    memcpy(start_block, "FLV\1\5\0\0\0\11\0\0\0\0", 13);
    start_size = 13;
    const struct tag *all[3] = {&clip.script, &clip.video_header, &clip.audio_header};
    for (int i = 0; i < 3; i++)
        if (all[i]->size)
            start_size += clip_write_tag(start_block + start_size, all[i], 0, 0, 0);
}

/* Append every tag that is due; returns 1 when a video frame was among them. */
static int append_due(int64_t start, uint32_t *next, uint32_t *rounds, uint32_t *frames, int64_t *soonest)
{
    int video = 0;
    int64_t now = mono_ns();
    for (;;) {
        const struct tag *t = &clip.tags[*next];
        uint32_t time_ms = *rounds * clip.period_ms + t->at_ms;
        int64_t due = start + (int64_t)time_ms * 1000000;
        if (due > now) {
            *soonest = due;
            return video;
        }
        if (head + t->size + 64 > LOG_BYTES)
            die("floor: the log is full");
        if (t->key)
            newest_gop = head;
        head += clip_write_tag(mem + head, t, time_ms, due, t->kind == TAG_VIDEO ? (*frames)++ : 0);
        video |= t->kind == TAG_VIDEO;
        if (++*next == clip.count) {
            *next = 0;
            ++*rounds;
        }
    }
}

static int listen_on(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 4096) != 0)
        die("floor: port %d is in use", port);
    return fd;
}

int main(int argc, char **argv)
{
    if (argc < 4)
        die("usage: floor CLIP PORT WINDOW_MS");
    clip = clip_load(argv[1]);
    int64_t window = atoll(argv[3]) * 1000000;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    int room = 1 << 20;
    fds = malloc(sizeof *fds * (size_t)room);
    vacant = malloc(sizeof *vacant * (size_t)room);
    offsets = malloc(sizeof *offsets * (size_t)room);
    mem = mmap(NULL, LOG_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mem == MAP_FAILED)
        die("floor: no address space for the log");
    make_start_block();
    epfd = epoll_create1(0);
    int listener = listen_on(atoi(argv[2])), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    add(0, EPOLLIN, ID_STDIN);
    add(listener, EPOLLIN, ID_LISTEN);
    add(timer, EPOLLIN, ID_TIMER);
    puts("{\"event\":\"listening\"}");
    fflush(stdout);

    int64_t start = mono_ns(), window_end = start + window, soonest = start;
    uint32_t next = 0, rounds = 0, frames = 0;
    struct epoll_event ready[256];
    char line[64];
    for (;;) {
        int video = append_due(start, &next, &rounds, &frames, &soonest);
        if (window == 0 && video)
            push_all();
        if (window > 0 && mono_ns() >= window_end) {
            push_all();
            while (window_end <= mono_ns())
                window_end += window;
        }
        int64_t wake = window > 0 && window_end < soonest ? window_end : soonest;
        struct itimerspec when = {.it_value = as_timespec(wake)};
        timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
        int n = epoll_wait(epfd, ready, 256, -1);
        for (int i = 0; i < n; i++) {
            int id = (int)(int64_t)ready[i].data.u64, fd;
            if (id >= 0)
                drain(id);
            else if (id == ID_LISTEN)
                while (players < room && (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
                    welcome(fd);
            else if (id == ID_STDIN && read(0, line, sizeof line) <= 0)
                return 0;
        }
    }
}
