/* The connection of one player: where to, and when bytes came. */
#ifndef FANOUT_PEER_H
#define FANOUT_PEER_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum speech { SPEAK_HTTP, SPEAK_WEBSOCKET, SPEAK_RTMP };

struct target {
    struct sockaddr_in to;
    int tls;            /* https or wss */
    enum speech speech; /* by the scheme */
    int ts;             /* the path ends in .ts: MPEG-TS, else FLV */
    char request[1024]; /* HTTP and WebSocket */
    size_t request_size;
    char url[256], app[128], name[128]; /* RTMP: all before the stream's name, and the two parts of the path */
};

/* url is SCHEME://127.0.0.1:PORT/PATH with http, https, ws, wss or rtmp (path APP/STREAM); close_wanted adds
   "Connection: close" to an HTTP request. Exits when it is none of these. */
void target_init(struct target *t, const char *url, int close_wanted);

/* The streams of a run: players take them in turn. */
struct targets {
    struct target *each;
    int count;
};

/* A "{N}" in the URL stands for 0 to N-1, a target each; without it there is one. Never freed. */
void targets_init(struct targets *all, const char *url, int close_wanted);

/* A target for each line of a file. Never freed; exits when the file cannot be read, or names none. */
void targets_read(struct targets *all, const char *file, int close_wanted);

const struct target *targets_at(const struct targets *all, int player);

/* Start a non-blocking connect; -1 when the system refuses. Source addresses 127.0.0.2, .3, ... are used in turn,
   20,000 connections each, so that local ports do not run out. `buffer` > 0 fixes the receive buffer, bytes. */
int peer_connect(const struct target *t, int buffer);

/* Ask the kernel to note when bytes arrive. */
void peer_note_arrival(int fd);

/* recv that also tells when the last byte read had arrived at the socket, CLOCK_MONOTONIC nanoseconds: that is
   before this program had a chance to run, so its own load is not counted as the server's delay. */
ssize_t peer_receive(int fd, void *buf, size_t n, int64_t *arrived_ns);

#endif
