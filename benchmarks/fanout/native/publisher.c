/*
 * Publish one clip over RTMP as N streams, in real time, in a loop, each video frame stamped.
 *
 * usage: publisher CLIP ADDRESS PORT APP NAME [STREAMS [SPREAD_MS]]
 *
 * One stream is called NAME, several NAME0 NAME1 ... Their start is spread over SPREAD_MS, without it over one frame
 * interval, so that N publishers do not beat as one. Prints {"event":"publishing"} when all publish; each line on stdin
 * is answered by one JSON object with the counts since the last. The end of stdin is answered too once the server has
 * read all of it, and ends the program.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clip.h"
#include "clock.h"
#include "rtmp.h"
#include "urgent.h"

#define SPREAD_MS 40 /* one frame at 25 fps */

struct stream {
    struct rtmp rtmp;
    int64_t start_ns;
    uint32_t next;   /* index of the next tag of the clip */
    uint32_t rounds; /* loops done */
    uint32_t frames; /* video frames sent */
};

static struct clip clip;
static uint8_t *scratch;
static int64_t latest_ns, sent_frames, sent_tags, sent_bytes;

static int64_t due_ns(const struct stream *s)
{
    return s->start_ns + ((int64_t)s->rounds * clip.period_ms + clip.tags[s->next].at_ms) * 1000000;
}

static void send_headers(const struct stream *s)
{
    if (clip.script.size) {
        memcpy(scratch, "\2\0\15@setDataFrame", 16);
        memcpy(scratch + 16, clip.script.body, clip.script.size);
        rtmp_send(&s->rtmp, TAG_SCRIPT, 0, scratch, clip.script.size + 16);
    }
    rtmp_send(&s->rtmp, TAG_VIDEO, 0, clip.video_header.body, clip.video_header.size);
    if (clip.audio_header.size)
        rtmp_send(&s->rtmp, TAG_AUDIO, 0, clip.audio_header.body, clip.audio_header.size);
}

static void send_next(struct stream *s)
{
    const struct tag *t = &clip.tags[s->next];
    uint32_t time_ms = s->rounds * clip.period_ms + t->at_ms;
    int64_t now = mono_ns(), late = now - due_ns(s);
    /* The stamp is the moment of the write, not of the plan: a late publisher is not the server's delay. */
    uint32_t size = clip_write_body(scratch, t, now, s->frames);
    if (!rtmp_send(&s->rtmp, t->kind, time_ms, scratch, size))
        die("publisher: the server closed the connection");
    if (late > latest_ns)
        latest_ns = late;
    sent_bytes += size;
    sent_tags++;
    if (t->kind == TAG_VIDEO) {
        s->frames++;
        sent_frames++;
    }
    if (++s->next == clip.count) {
        s->next = 0;
        s->rounds++;
        while (recv(s->rtmp.fd, scratch, 4096, MSG_DONTWAIT) > 0) /* acknowledgements, unread they would fill up */
            ;
    }
}

static void report(void)
{
    printf("{\"event\":\"published\",\"frames\":%lld,\"tags\":%lld,\"bytes\":%lld,\"late_ms_max\":%.3f}\n",
           (long long)sent_frames, (long long)sent_tags, (long long)sent_bytes, (double)latest_ns / 1e6);
    fflush(stdout);
    sent_frames = sent_tags = sent_bytes = latest_ns = 0;
}

/* A socket that is closed with input unread is reset, and what it has sent may be lost. */
static void finish(const struct stream *s)
{
    struct pollfd in = {.fd = s->rtmp.fd, .events = POLLIN};
    shutdown(s->rtmp.fd, SHUT_WR);
    while (poll(&in, 1, 5000) == 1 && recv(s->rtmp.fd, scratch, 4096, 0) > 0)
        ;
}

int main(int argc, char **argv)
{
    if (argc < 6)
        die("usage: publisher CLIP ADDRESS PORT APP NAME [STREAMS]");
    clip = clip_load(argv[1]);
    scratch = malloc(clip.max_size + 4096);
    int count = argc > 6 ? atoi(argv[6]) : 1;
    int64_t spread_ns = (argc > 7 ? atoi(argv[7]) : SPREAD_MS) * (int64_t)1000000;
    struct stream *streams = calloc((size_t)count, sizeof *streams);
    for (int i = 0; i < count; i++) {
        char name[256];
        if (count == 1)
            snprintf(name, sizeof name, "%s", argv[5]);
        else
            snprintf(name, sizeof name, "%s%d", argv[5], i);
        streams[i].rtmp = rtmp_publish(argv[2], atoi(argv[3]), argv[4], name);
    }
    /* Servers close who falls silent behind a first packet, and the first waits for the last. */
    for (int i = 0; i < count; i++)
        send_headers(&streams[i]);
    urgent();
    int64_t start = mono_ns();
    for (int i = 0; i < count; i++)
        streams[i].start_ns = start + spread_ns * i / count;
    printf("{\"event\":\"publishing\",\"streams\":%d}\n", count);
    fflush(stdout);

    for (;;) {
        int64_t now = mono_ns(), soonest = INT64_MAX;
        for (int i = 0; i < count; i++) {
            while (due_ns(&streams[i]) <= now)
                send_next(&streams[i]);
            if (due_ns(&streams[i]) < soonest)
                soonest = due_ns(&streams[i]);
        }
        struct pollfd in = {.fd = 0, .events = POLLIN};
        struct timespec wait = as_timespec(soonest - mono_ns());
        if (ppoll(&in, 1, &wait, NULL) == 1) {
            char line[256];
            if (read(0, line, sizeof line) <= 0) {
                for (int i = 0; i < count; i++)
                    finish(&streams[i]);
                report();
                return 0;
            }
            report();
        }
    }
}
