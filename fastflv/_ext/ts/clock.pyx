"""The clock of a TS.

The PCR follows the pictures, a fixed lead before each; where pictures are rare, audio carries it. PCRs never go back
and are never further apart than the standard allows. Where the stream itself jumps, the discontinuity is signalled.

Spec: ISO 13818-1, 2.4.2.1 (system clock), 2.4.3.5 (discontinuity_indicator), 2.7.2 (intervals).
"""

from libc.stdint cimport int64_t

from fastflv import limits

cdef int64_t BASE = limits.TS_BASE_MS * 90
cdef int64_t LEAD = limits.TS_PCR_LEAD_MS * 90
cdef int64_t STEP = limits.TS_PCR_MS * 90
cdef int64_t EARLY = limits.TS_PCR_EARLY_MS * 90
cdef int64_t FILL = limits.TS_PCR_FILL_MAX * limits.TS_PCR_MS * 90
cdef int64_t RESTART = limits.TS_RESTART_MS * 90
cdef int64_t SHIFT_MAX = limits.TS_SHIFT_MS * 90


cdef int64_t ticks_of(int64_t ms) noexcept nogil:
    """Return the TS time of an FLV time, 90 kHz."""
    return BASE + ms * 90


cdef void clock_picture(Clock* clock, int64_t dts_ms, int64_t cts_ms, int64_t* dts, int64_t* pts) noexcept nogil:
    """Compute the times of a picture: decoded before or when it is shown, and after the picture before it."""
    cdef int64_t time
    if -cts_ms * 90 > clock.shift:
        clock.shift = min(-cts_ms * 90, SHIFT_MAX)
    time = ticks_of(dts_ms) - clock.shift
    if clock.pictured and time <= clock.video_dts < time + RESTART:
        time = clock.video_dts + 1
    clock.pictured = True
    clock.video_dts = time
    clock.lag_ms = max(clock.audio_ms - dts_ms, 0) if clock.heard else 0
    dts[0] = time
    pts[0] = max(ticks_of(dts_ms + cts_ms), time)


cdef int64_t clock_for_picture(const Clock* clock, int64_t dts_ms) noexcept nogil:
    """Return the PCR that suits a picture."""
    return ticks_of(dts_ms) - LEAD


cdef int64_t clock_for_audio(const Clock* clock, int64_t first_ms, bint alone) noexcept nogil:
    """Return the PCR that suits an audio PES whose first frame is of *first_ms*; *alone*: there is no video.

    Audio may run ahead of video. The PCR must not, or the next picture would be late.
    """
    return ticks_of(first_ms if alone else clock.audio_ms - clock.lag_ms) - LEAD


cdef void clock_plan(const Clock* clock, int64_t pcr, bint own, bint key, bint riding, Beat* beat) noexcept nogil:
    """Plan the PCRs of an entry that *pcr* suits.

    *own*: the entry is of the track that carries the PCR. *riding*: an entry of that track follows in the same pass.
    """
    cdef int64_t gap = pcr - clock.pcr
    beat.pcr = pcr
    beat.alone = 0
    beat.timed = False
    beat.restarts = clock.started and not -RESTART <= gap <= FILL
    if beat.restarts or not clock.started:
        beat.timed = own
        beat.alone = not own and not riding
    elif own:
        beat.timed = gap > 0 or key
        if gap <= 0:
            # Audio is ahead; the entry needs a PCR all the same, because players start here.
            beat.pcr = clock.pcr + 1
        else:
            beat.alone = (gap - 1) // STEP
    elif not riding and gap >= EARLY:
        beat.alone = (gap + STEP - 1) // STEP


cdef int64_t clock_tick(Clock* clock, const Beat* beat) noexcept nogil:
    """Return the next PCR of an entry."""
    if clock.started and not beat.restarts:
        clock.pcr = min(clock.pcr + STEP, beat.pcr)
    else:
        clock.pcr = beat.pcr
    clock.started = True
    return clock.pcr
