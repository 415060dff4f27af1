"""The timeline of a stream: timestamps of publishers in, repaired milliseconds out."""

from libc.stdint cimport int64_t, uint32_t

cdef struct TrackClock:
    bint started           # a tag of this track was stamped in this session
    uint32_t raw           # last timestamp as sent, ms modulo 2**32
    int64_t offset         # out = raw unwrapped + offset
    int64_t unwrapped      # raw as 64-bit
    int64_t out            # last time given out, ms
    int64_t step           # last sane step between two tags, ms
    int64_t now            # wall clock of the last tag, ms
    int epoch              # which repair `offset` belongs to

cdef struct Timeline:
    TrackClock tracks[2]   # 0 audio, 1 video
    int64_t out            # greatest time given out on any track, ms
    int64_t offset         # of the newest epoch
    int epoch              # counts repairs
    bint started           # a tag was stamped since the last restart
    int mode               # JITTER_*
    int64_t repairs        # jumps removed since creation
    int64_t clamped        # tags raised because they went backwards on their track

cdef enum:
    JITTER_FULL = 0        # starts near 0, jumps are removed
    JITTER_ZERO = 1        # starts near 0, jumps are kept
    JITTER_OFF = 2         # timestamps are used as sent

cdef void timeline_set_mode(Timeline* t, int mode) noexcept nogil
cdef void timeline_shift(Timeline* t, int64_t offset_ms) noexcept nogil
cdef void timeline_restart(Timeline* t, int64_t gap_ms) noexcept nogil
cdef int64_t timeline_stamp(Timeline* t, int track, uint32_t raw, int64_t now_ms) noexcept nogil
cdef int64_t timeline_place(const Timeline* t, uint32_t raw, int64_t now_ms) noexcept nogil
cdef int64_t timeline_peek(const Timeline* t, int track, uint32_t raw) noexcept nogil


cdef inline int64_t timeline_lead(const Timeline* t, int track) noexcept nogil:
    """Return the last time of *track* less the clock of its arrival, ms."""
    return t.tracks[track].out - t.tracks[track].now
