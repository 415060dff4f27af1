/* The connection of one player: where to, what to ask, and when bytes came. */
#ifndef FANOUT_PEER_H
#define FANOUT_PEER_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct target {
    struct sockaddr_in to;
    char request[1024];
    size_t request_size;
};

/* address is "127.0.0.1:8080"; close_wanted adds "Connection: close". */
void target_init(struct target *t, const char *address, const char *path, int close_wanted);

/* Start a non-blocking connect; -1 when the system refuses. Source addresses 127.0.0.2, .3, ... are used in turn,
   20,000 connections each, so that local ports do not run out. `buffer` > 0 fixes the receive buffer, bytes. */
int peer_connect(const struct target *t, int buffer);

/* The connect has ended (EPOLLOUT): send the request. Returns 0 on failure. */
int peer_request(const struct target *t, int fd);

/* Ask the kernel to note when bytes arrive. */
void peer_note_arrival(int fd);

/* recv that also tells when the last byte read had arrived at the socket, CLOCK_MONOTONIC nanoseconds: that is
   before this program had a chance to run, so its own load is not counted as the server's delay. */
ssize_t peer_receive(int fd, void *buf, size_t n, int64_t *arrived_ns);

#endif
