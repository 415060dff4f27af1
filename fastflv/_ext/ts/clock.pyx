"""The clock of a TS.

The PCR follows the pictures, a fixed lead before each; where there are few, audio brings it. It never
goes back and no two are further apart than the standard allows, except where the stream itself
jumps: then the discontinuity is signalled.

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
    """Time in TS of an FLV time."""
    return BASE + ms * 90


cdef void clock_picture(Clock* clock, int64_t dts_ms, int64_t cts_ms, int64_t* dts, int64_t* pts) noexcept nogil:
    """Give the times of a picture: it is never decoded after it is shown, nor before the one it follows."""
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
    """The PCR that fits a picture."""
    return ticks_of(dts_ms) - LEAD


cdef int64_t clock_for_audio(const Clock* clock, int64_t first_ms, bint alone) noexcept nogil:
    """The PCR that fits an audio PES whose first frame is of *first_ms*; *alone*: there is no video.

    Beside video, audio may run ahead; the PCR must not, or the next picture comes too late for it.
    """
    return ticks_of(first_ms if alone else clock.audio_ms - clock.lag_ms) - LEAD


cdef void clock_plan(const Clock* clock, int64_t pcr, bint own, bint key, bint riding, Beat* beat) noexcept nogil:
    """Plan for an entry that *pcr* fits. *own*: it is of the PCR's track. *riding*: one that is follows at once."""
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
            # Audio is ahead; a player may start here all the same.
            beat.pcr = clock.pcr + 1
        else:
            beat.alone = (gap - 1) // STEP
    elif not riding and gap >= EARLY:
        beat.alone = (gap + STEP - 1) // STEP


cdef int64_t clock_tick(Clock* clock, const Beat* beat) noexcept nogil:
    """Give the time of the next PCR of an entry."""
    if clock.started and not beat.restarts:
        clock.pcr = min(clock.pcr + STEP, beat.pcr)
    else:
        clock.pcr = beat.pcr
    clock.started = True
    return clock.pcr
