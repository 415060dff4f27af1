#define _GNU_SOURCE
#include "ts.h"

#include <string.h>

#include "octets.h"
#include "stamp.h"

enum { PACKET = 188, AVC = 0x1b, PMT_KIND = 0, FIRST_FREE_PID = 0x20, NULL_PID = 0x1fff };

void ts_init(struct ts *t, struct flow *flow)
{
    memset(t, 0, sizeof *t);
    t->flow = flow;
    t->tracks[0] = (struct ts_track){.counter = -1, .dts = -1}; /* PID 0: the PAT */
    t->count = 1;
}

static struct ts_track *track_of(struct ts *t, uint32_t pid)
{
    for (int i = 0; i < t->count; i++)
        if (t->tracks[i].pid == pid)
            return &t->tracks[i];
    return NULL;
}

static int add_track(struct ts *t, uint32_t pid, uint8_t kind)
{
    struct ts_track *known = track_of(t, pid);
    if (known)
        return known->kind == kind || flow_fail(t->flow, "a PID has changed its stream type");
    if (t->count == TS_TRACKS)
        return flow_fail(t->flow, "too many PIDs");
    t->tracks[t->count++] = (struct ts_track){.pid = (uint16_t)pid, .kind = kind, .counter = -1, .dts = -1};
    return 1;
}

/* A PAT or a PMT, each whole in one packet, as servers send them. */
static int section(struct ts *t, const struct ts_track *track, const uint8_t *p, uint32_t n)
{
    uint32_t pointer = n ? p[0] + 1u : 0;
    if (pointer == 0 || pointer + 12 > n)
        return flow_fail(t->flow, "a PSI section is cut off");
    p += pointer;
    n -= pointer;
    uint32_t size = (be16(p + 1) & 0xfff) + 3; /* from the table id to the CRC */
    if (size > n || size < 12 || p[0] != (track->pid == 0 ? 0 : 2))
        return flow_fail(t->flow, "a PSI section has a wrong size or table id");
    const uint8_t *end = p + size - 4;
    if (track->pid == 0) {
        for (p += 8; p + 4 <= end; p += 4)
            if (be16(p) != 0 && !add_track(t, be16(p + 2) & 0x1fff, PMT_KIND))
                return 0;
        return 1;
    }
    for (p += 12 + (be16(p + 10) & 0xfff); p + 5 <= end; p += 5 + (be16(p + 3) & 0xfff))
        if (!add_track(t, be16(p + 1) & 0x1fff, p[0]))
            return 0;
    return 1;
}

/* The access unit's type by its first slice: 5 of a keyframe, 1 of another; 0 when neither is among the kept bytes. */
static int slice_type(const uint8_t *p, uint32_t n)
{
    for (uint32_t i = 0; i + 3 < n; i++) {
        int kind = p[i + 3] & 31;
        if (p[i] == 0 && p[i + 1] == 0 && p[i + 2] == 1 && (kind == 1 || kind == 5))
            return kind;
    }
    return 0;
}

static int unit_ends(struct ts *t)
{
    t->in_unit = 0;
    int kind = slice_type(t->unit, t->unit_size);
    if (!kind)
        return flow_fail(t->flow, "no slice in an access unit");
    struct frame frame = {.key = kind == 5, .arrived_ns = t->arrived_ns, .read_ns = t->read_ns};
    frame.dts_ms = (double)t->unit_dts / 90;
    frame.pts_ms = (double)t->unit_pts / 90;
    const uint8_t *uuid = memmem(t->unit, t->unit_size, STAMP_UUID, 16);
    if (uuid && uuid + 40 <= t->unit + t->unit_size)
        stamp_read(uuid, &frame);
    return flow_frame(t->flow, &frame);
}

static int64_t clock33(const uint8_t *p)
{
    return (int64_t)(p[0] >> 1 & 7) << 30 | (int64_t)(be16(p + 1) >> 1) << 15 | be16(p + 3) >> 1;
}

/* Check a PES header; `*skip` becomes its size, `*pts` the time when it is shown. */
static int pes_begins(struct ts *t, struct ts_track *track, const uint8_t *p, uint32_t n, uint32_t *skip, int64_t *pts)
{
    if (n < 9 || be24(p) != 1 || p[6] >> 6 != 2)
        return flow_fail(t->flow, "no PES header where a unit starts");
    uint32_t flags = p[7] >> 6;
    *skip = 9u + p[8];
    if (flags < 2 || p[8] < (flags == 3 ? 10 : 5) || *skip > n)
        return flow_fail(t->flow, "a PES header has no time or is cut off");
    int64_t dts = clock33(p + (flags == 3 ? 14 : 9));
    if (dts < track->dts)
        return flow_fail(t->flow, "decode time of a track ran backwards");
    track->dts = dts;
    *pts = clock33(p + 9);
    return 1;
}

static int payload(struct ts *t, struct ts_track *track, int starts, const uint8_t *p, uint32_t n)
{
    if (track->kind == PMT_KIND)
        return !starts || section(t, track, p, n);
    uint32_t skip = 0;
    int64_t pts = 0;
    if (starts) {
        /* Only the next unit's start tells for sure that one has ended; its time is that of its last packet. */
        if (track->kind == AVC && t->in_unit && !unit_ends(t))
            return 0;
        if (!pes_begins(t, track, p, n, &skip, &pts))
            return 0;
    }
    if (track->kind != AVC)
        return 1;
    if (starts) {
        t->in_unit = 1;
        t->unit_size = 0;
        t->unit_dts = track->dts;
        t->unit_pts = pts;
    } else if (!t->in_unit) {
        return flow_fail(t->flow, "video does not begin with a PES header");
    }
    uint32_t keep = TS_KEPT - t->unit_size < n - skip ? TS_KEPT - t->unit_size : n - skip;
    memcpy(t->unit + t->unit_size, p + skip, keep);
    t->unit_size += keep;
    t->arrived_ns = t->flow->arrived_ns;
    t->read_ns = t->flow->read_ns;
    return 1;
}

static int packet(struct ts *t)
{
    const uint8_t *p = t->packet;
    uint32_t pid = be16(p + 1) & 0x1fff, control = p[3] >> 4 & 3, at = 4;
    int counter = p[3] & 15, jumps = 0;
    if (p[0] != 0x47)
        return flow_fail(t->flow, "TS sync byte is missing");
    t->packets++;
    if (pid == NULL_PID || (pid > 0 && pid < FIRST_FREE_PID)) /* stuffing; tables that players do not need */
        return 1;
    if (p[1] & 0x80 || p[3] & 0xc0)
        return flow_fail(t->flow, "a TS packet is marked as damaged or scrambled");
    struct ts_track *track = track_of(t, pid);
    if (!track)
        return flow_fail(t->flow, "a PID came before the table that names it");
    if (control & 2) {
        at += 1 + p[4];
        if (at > PACKET)
            return flow_fail(t->flow, "adaptation field is longer than its packet");
        jumps = p[4] > 0 && p[5] & 0x80;
    }
    if (!(control & 1)) /* no payload, so the counter stays */
        return 1;
    /* Of the tables' counters SRS makes 0 each time, and players do not mind. */
    if (track->kind != PMT_KIND && track->counter >= 0 && !jumps && counter != ((track->counter + 1) & 15))
        return flow_fail(t->flow, "continuity counter jumped");
    track->counter = counter;
    return payload(t, track, p[1] & 0x40, p + at, PACKET - at);
}

int ts_feed(void *at, const uint8_t *p, size_t n)
{
    struct ts *t = at;
    while (n) {
        size_t take = PACKET - t->have < n ? PACKET - t->have : n;
        memcpy(t->packet + t->have, p, take);
        t->have += (uint32_t)take;
        p += take;
        n -= take;
        if (t->have < PACKET)
            return 1;
        t->have = 0;
        if (!packet(t))
            return 0;
    }
    return 1;
}
