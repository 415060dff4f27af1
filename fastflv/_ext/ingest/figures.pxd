"""Figures of a publisher's media for monitoring: its newest GOP, and how evenly frames arrive.

Kept in a few integers a frame; rates and milliseconds are made of them when somebody asks.
"""

from libc.stdint cimport int64_t, uint64_t


cdef struct Figures:
    # All zero for a new publisher. Belongs to the writer that keeps it.
    bint keyed                 # a keyframe came
    int64_t key_pos            # of the newest keyframe, in the log
    int64_t key_dts_ms
    int64_t key_wall_ms        # clock of its arrival
    uint64_t key_pictures      # pictures of the stream before it
    int64_t gop_ms             # of the newest whole GOP, by the time of the stream; 0: none yet
    int64_t gop_wall_ms        # and by the clock of arrival
    int64_t gop_bytes          # its tags in the log, sound too
    uint64_t gop_pictures
    bint timed                 # a frame came
    int64_t frame_wall_ms      # clock of the newest frame's arrival
    int64_t transit_ms         # arrival of the newest frame less its time
    int64_t jitter             # mean deviation of that between two frames, 1/16 ms
    uint64_t pictures          # of the default track
    uint64_t reordered         # of them shown before one that was sent earlier
    int64_t shown_ms           # latest time at which one of them is shown
    int64_t picture_dts_ms     # of the newest
    int64_t step_ms            # its time less that of the one before
    int64_t step_mean          # mean of such steps, 1/16 ms
    int64_t step_change        # mean difference between two steps in a row, 1/16 ms
    int64_t repairs            # repairs of the timeline, as counted last
    int64_t repaired           # of this publisher
    int64_t repaired_wall_ms   # clock of the newest


cdef inline void figures_frame(Figures* f, int64_t dts_ms, int64_t now_ms) noexcept nogil:
    """Note the arrival of a frame. Spec: RFC 3550, 6.4.1 and A.8, in milliseconds."""
    cdef int64_t transit = now_ms - dts_ms
    cdef int64_t moved = transit - f.transit_ms
    f.transit_ms = transit
    f.frame_wall_ms = now_ms
    if not f.timed:
        f.timed = True
        return
    f.jitter += (moved if moved > 0 else -moved) - ((f.jitter + 8) >> 4)


cdef inline void figures_picture(Figures* f, int64_t dts_ms, int64_t shown_ms) noexcept nogil:
    """Note a picture of the default track, which is shown at *shown_ms*."""
    cdef int64_t step = dts_ms - f.picture_dts_ms
    cdef int64_t change = step - f.step_ms
    f.pictures += 1
    f.picture_dts_ms = dts_ms
    if f.pictures == 1:
        f.shown_ms = shown_ms
        return
    if shown_ms < f.shown_ms:
        f.reordered += 1
    else:
        f.shown_ms = shown_ms
    f.step_ms = step
    if f.pictures == 2:
        f.step_mean = step << 4
        return
    f.step_mean += step - ((f.step_mean + 8) >> 4)
    f.step_change += (change if change > 0 else -change) - ((f.step_change + 8) >> 4)


cdef inline void figures_repairs(Figures* f, int64_t repairs, int64_t now_ms) noexcept nogil:
    """Note how many *repairs* the timeline has made since its creation."""
    if repairs != f.repairs:
        f.repaired += repairs - f.repairs
        f.repairs = repairs
        f.repaired_wall_ms = now_ms


cdef inline void figures_key(
    Figures* f, int64_t pos, int64_t dts_ms, int64_t now_ms, uint64_t pictures
) noexcept nogil:
    """Note a keyframe at the log position *pos*, before which the stream had *pictures*."""
    if f.keyed:
        f.gop_ms = dts_ms - f.key_dts_ms
        f.gop_wall_ms = now_ms - f.key_wall_ms
        f.gop_bytes = pos - f.key_pos
        f.gop_pictures = pictures - f.key_pictures
    f.keyed = True
    f.key_pos = pos
    f.key_dts_ms = dts_ms
    f.key_wall_ms = now_ms
    f.key_pictures = pictures


cdef class PublisherFigures:
    cdef readonly double frame_rate
    cdef readonly int64_t key_interval_ms
    cdef readonly int64_t key_age_ms
    cdef readonly int64_t gop_bytes
    cdef readonly double jitter_ms
    cdef readonly uint64_t pictures
    cdef readonly uint64_t reordered
    cdef readonly double step_ms
    cdef readonly double step_change_ms
    cdef readonly int64_t repaired
    cdef readonly int64_t repair_age_ms


# now_ms: monotonic clock. pictures: of the stream.
cdef PublisherFigures read_figures(const Figures* f, int64_t now_ms, uint64_t pictures)
