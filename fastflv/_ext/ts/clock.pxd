"""The clock of a TS: PCRs, and the times of pictures. Times are 90 kHz ticks unless named ms."""

from libc.stdint cimport int64_t

cdef struct Clock:
    bint started               # a PCR was written
    int64_t pcr                # the last one
    bint pictured              # there was a picture
    int64_t video_dts          # of the last picture
    int64_t shift              # pictures are decoded this much before their FLV time, for negative offsets
    bint heard                 # there was an audio frame
    int64_t audio_ms           # FLV time of the newest
    int64_t lag_ms             # audio was ahead of video by this at the last picture, 0 or more

cdef struct Beat:
    # What an entry has to do for the clock.
    int64_t pcr                # that fits the entry
    int64_t alone              # PCR packets before its PES; `clock_tick` gives their times
    bint timed                 # the PES carries `pcr`
    bint restarts              # the clock does not go on from the last one

cdef int64_t ticks_of(int64_t ms) noexcept nogil
cdef void clock_picture(Clock* clock, int64_t dts_ms, int64_t cts_ms, int64_t* dts, int64_t* pts) noexcept nogil
cdef int64_t clock_for_picture(const Clock* clock, int64_t dts_ms) noexcept nogil
cdef int64_t clock_for_audio(const Clock* clock, int64_t first_ms, bint alone) noexcept nogil
cdef void clock_plan(const Clock* clock, int64_t pcr, bint own, bint key, bint riding, Beat* beat) noexcept nogil
cdef int64_t clock_tick(Clock* clock, const Beat* beat) noexcept nogil
