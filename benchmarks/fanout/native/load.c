/*
 * The load client: N players on loopback, a sample of them parsed and timed, the rest counted.
 *
 * usage: load URL PLAYERS SAMPLE JOINS_PER_SECOND [keep|close [NAP_MS]]
 *
 * The URL tells what they speak: http, https, ws, wss or rtmp; a path that ends in .ts carries MPEG-TS, any other FLV.
 * A "{N}" in it stands for 0 to N-1: players take these streams in turn; storm, joins and lazy play the first.
 * Prints {"event":"ready",...} when every player has had media. Commands, one a line, on stdin:
 *   begin                       start a measurement
 *   end                         answer with {"event":"measured",...}
 *   status                      answer with {"event":"status",...}
 *   comers FILE                 URLs, one a line, that the players of a storm ask for in turn instead
 *   storm RATE SECONDS HOLD_MS  RATE joins a second; {"event":"storm",...} when the last has left
 *   joins COUNT SECONDS HOLD_MS SEED DIRECTORY  as many joins within that time, each kept; {"event":"joins",...} at the end
 *   lazy PLAYERS BYTES_A_SECOND [KEPT DIRECTORY]  players that read slowly (0: never); {"event":"lazy",...} when connected
 *   lazies                      answer with {"event":"lazies",...}
 * The end of stdin ends it.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clip.h"
#include "clock.h"
#include "crowd.h"
#include "tls.h"

static struct targets targets, comers;
static int64_t begin_ns, begin_cpu_ns;
static int close_wanted;

void event(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    flockfile(stdout);
    vprintf(format, args);
    putchar('\n');
    fflush(stdout);
    funlockfile(stdout);
    va_end(args);
}

static void measured(void)
{
    double seconds = (double)(mono_ns() - begin_ns) / 1e9;
    double cpu = (double)(own_cpu_ns() - begin_cpu_ns) / 1e9;
    flockfile(stdout);
    printf("{\"event\":\"measured\",\"seconds\":%.3f,\"client_cpu_percent\":%.1f,", seconds, 100 * cpu / seconds);
    crowd_end(stdout, seconds);
    putchar(',');
    probe_end(stdout);
    puts("}");
    fflush(stdout);
    funlockfile(stdout);
}

static void command(const char *line)
{
    double a = 0, b = 0;
    int c = 0, players = 0, seed = 0;
    char text[201];
    if (strncmp(line, "begin", 5) == 0) {
        crowd_begin();
        probe_begin();
        begin_ns = mono_ns();
        begin_cpu_ns = own_cpu_ns();
    } else if (strncmp(line, "end", 3) == 0) {
        measured();
    } else if (strncmp(line, "status", 6) == 0) {
        event("{\"event\":\"status\",\"flowing\":%d}", crowd_flowing() + probe_flowing());
    } else if (sscanf(line, "comers %200s", text) == 1) {
        targets_read(&comers, text, close_wanted);
    } else if (sscanf(line, "storm %lf %lf %d", &a, &b, &c) == 3) {
        storm_start(comers.count ? &comers : &(struct targets){targets.each, 1}, a, b, c);
    } else if (sscanf(line, "joins %d %lf %d %d %200s", &players, &a, &c, &seed, text) == 5) {
        joins_start(targets.each, players, a, c, seed, text);
    } else if (strncmp(line, "lazies", 6) == 0) {
        lazy_report();
    } else if (sscanf(line, "lazy %d %lf %d %200s", &players, &a, &c, text) == 4) {
        lazy_start(targets.each, players, a, c, text);
    } else if (sscanf(line, "lazy %d %lf", &players, &a) == 2) {
        lazy_start(targets.each, players, a, 0, "");
    } else {
        event("{\"event\":\"error\",\"text\":\"unknown command\"}");
    }
}

int main(int argc, char **argv)
{
    if (argc < 5)
        die("usage: load URL PLAYERS SAMPLE JOINS_PER_SECOND [keep|close [NAP_MS]]");
    int players = atoi(argv[2]), sample = atoi(argv[3]), ready = 0;
    double pace = atof(argv[4]);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < (rlim_t)players + 64)
        die("load: %d players need an open-file limit of %d (ulimit -n)", players, players + 64);
    if (sample > players)
        sample = players;
    setvbuf(stdin, NULL, _IONBF, 0); /* poll() must see the second of two lines */
    close_wanted = argc > 5 && strcmp(argv[5], "close") == 0;
    targets_init(&targets, argv[1], close_wanted);
    if (targets.each->tls)
        tls_setup();
    int64_t start = mono_ns();
    crowd_start(&targets, players - sample, pace, argc > 6 ? atoi(argv[6]) : 0);
    probe_start(&targets, sample, pace * sample / (players > 0 ? players : 1)); /* among the crowd, not before it */

    char line[256];
    for (;;) {
        struct pollfd in = {.fd = 0, .events = POLLIN};
        if (poll(&in, 1, ready ? -1 : 20) == 1) {
            if (!fgets(line, sizeof line, stdin))
                return 0;
            command(line);
        }
        if (!ready && crowd_flowing() + probe_flowing() >= players) {
            ready = 1;
            event("{\"event\":\"ready\",\"players\":%d,\"seconds\":%.3f}", players, (double)(mono_ns() - start) / 1e9);
        }
    }
}
