/* One MPEG transport stream, read incrementally and checked (ISO/IEC 13818-1): sync bytes, PAT and PMT before media,
   continuity of media, PES headers, order of decode times. */
#ifndef FANOUT_TS_H
#define FANOUT_TS_H

#include "flow.h"

#define TS_TRACKS 8
#define TS_KEPT 2048 /* bytes of an access unit that are looked at: past parameter sets and the encoder's own SEI */

struct ts_track {
    uint16_t pid;
    uint8_t kind; /* stream type of the PMT; 0 for PAT and PMT */
    int counter;  /* the last continuity counter, -1 before the first packet */
    int64_t dts;  /* 90 kHz, -1 before the first */
};

struct ts {
    struct flow *flow; /* told of frames and errors */
    uint64_t packets;  /* whole packets read */

    /* private */
    struct ts_track tracks[TS_TRACKS]; /* the PAT's first */
    int count;
    uint8_t packet[188], unit[TS_KEPT];
    uint32_t have, unit_size;
    int in_unit;
    int64_t unit_pts, unit_dts; /* 90 kHz */
    int64_t arrived_ns, read_ns; /* of the unit's newest packet */
};

void ts_init(struct ts *t, struct flow *flow);

/* Take the next bytes of the stream; `at` is a struct ts. Returns 0 once a rule is broken. */
int ts_feed(void *at, const uint8_t *p, size_t n);

#endif
