"""What monitoring reads of the figures of a publisher."""

cimport cython
from libc.stdint cimport int64_t, uint64_t


@cython.final
cdef class PublisherFigures:
    """Figures of a publisher's media at one moment.

    - `frame_rate`: pictures a second that arrive, over the newest GOP and what follows it; 0 before the first keyframe.
    - `key_interval_ms`: time between the two newest keyframes by the stream; 0 before the second.
    - `key_age_ms`: time since the newest keyframe arrived; -1 before the first.
    - `gop_bytes`: bytes of the tags between the two newest keyframes, sound included.
    - `jitter_ms`: mean deviation of the time between two frames from what their timestamps say (RFC 3550, 6.4.1), of
      pictures, or of sound where there are none. Reads that gather frames show in it.
    - `pictures`: pictures of the default track.
    - `reordered`: how many of them are shown before one that was sent earlier, as B-frames are.
    - `step_ms`: mean time from one picture to the next by the stream, over the last ones; 0 before the second.
    - `step_change_ms`: mean difference between two such times in a row; about 1 at most for a constant frame rate.
    - `repaired`: times that the timeline has changed: jumps that were removed, and times that went back.
    - `repair_age_ms`: time since the newest of them; -1 without any.
    """


cdef PublisherFigures read_figures(const Figures* f, int64_t now_ms, uint64_t pictures):
    cdef PublisherFigures read = PublisherFigures.__new__(PublisherFigures)
    read.frame_rate = rate_of(f, now_ms, pictures)
    read.key_interval_ms = f.gop_ms
    read.key_age_ms = now_ms - f.key_wall_ms if f.keyed else -1
    read.gop_bytes = f.gop_bytes
    read.jitter_ms = f.jitter / 16.0
    read.pictures = f.pictures
    read.reordered = f.reordered
    read.step_ms = f.step_mean / 16.0
    read.step_change_ms = f.step_change / 16.0
    read.repaired = f.repaired
    read.repair_age_ms = now_ms - f.repaired_wall_ms if f.repaired else -1
    return read


cdef double rate_of(const Figures* f, int64_t now_ms, uint64_t pictures) noexcept nogil:
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
