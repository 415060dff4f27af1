"""Figures of a publisher's media for monitoring: its newest GOP, and how evenly frames arrive. Header only.

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


cdef inline double figures_rate(const Figures* f, int64_t now_ms, uint64_t pictures) noexcept nogil:
    """Return the pictures a second that arrived since the keyframe before the newest one; 0 before two pictures.

    Counted in intervals between pictures. Silence beyond one interval counts too, so that the rate of a stream that
    stands still falls.
    """
    cdef double span = <double>(f.gop_wall_ms + f.frame_wall_ms - f.key_wall_ms)
    cdef double steps = <double>f.gop_pictures + <double>pictures - <double>f.key_pictures - 1
    if not f.keyed or steps < 1 or span <= 0:
        return 0.0
    span += max(<double>(now_ms - f.frame_wall_ms) - span / steps, 0.0)
    return 1000.0 * steps / span
