"""The timeline of a stream, which repairs the timestamps of its publishers.

A publisher's 32-bit milliseconds become a 64-bit time that starts near 0 at the first publish and continues over
reconnects. Valid timestamps keep their steps, and audio and video are shifted together. Invalid ones are repaired once,
here, so that all players see the same time:

- a step back within a track by less than `BACK_STEP_MS`: the tag gets the last time of the track;
- a larger step back, or a step ahead beyond `AHEAD_STEP_MS` that the wall clock does not confirm: the timeline
  continues by the track's last step, in a new epoch. The other track joins the epoch when its own
  timestamps jump, so both keep their distance;
- a wrap at 24 bits (encoders that lose the extended timestamp) or at 32 bits: the timeline continues exactly.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.string cimport memset

from fastflv import limits

cdef int64_t BACK_STEP_MS = limits.TIME_BACK_STEP_MS
cdef int64_t AHEAD_STEP_MS = limits.TIME_AHEAD_STEP_MS
cdef int64_t SPREAD_MS = limits.TIME_TRACK_SPREAD_MS
cdef int64_t SCRIPT_AHEAD_MS = limits.TIME_SCRIPT_AHEAD_MS
cdef int64_t FIRST_STEP_MS = limits.TIME_FIRST_STEP_MS

cdef enum:
    WRAP_24 = 1 << 24


cdef void timeline_restart(Timeline* t, int64_t gap_ms) noexcept nogil:
    """Start a publisher, whose first tag is stamped *gap_ms* after the greatest time given out."""
    cdef int i
    for i in range(2):
        t.tracks[i].started = False
    t.started = False
    if t.epoch:
        t.out += gap_ms


cdef void timeline_shift(Timeline* t, int64_t offset_ms) noexcept nogil:
    """Take timestamps of another clock from the next tag on: *offset_ms* more, modulo 2**32, is the stream's own time.

    The tags that follow are stamped as if the publisher had never changed. JITTER_OFF passes them as they are.
    """
    cdef int i
    cdef TrackClock* clock
    t.offset = offset_ms
    for i in range(2):
        clock = &t.tracks[i]
        if clock.started:
            clock.unwrapped = clock.out - offset_ms
            clock.raw = <uint32_t>clock.unwrapped
            clock.offset = offset_ms
            clock.epoch = t.epoch


cdef void timeline_set_mode(Timeline* t, int mode) noexcept nogil:
    """Repair timestamps as *mode* says from the next tag on.

    JITTER_OFF keeps no clocks, so a repair that follows it goes on from the last time passed through.
    """
    cdef int i
    if t.mode == JITTER_OFF and mode != JITTER_OFF:
        for i in range(2):
            t.tracks[i].started = False
            # The times of before JITTER_OFF may lie ahead: no tag is held at them.
            t.tracks[i].out = min(t.tracks[i].out, t.out)
        t.started = False
        t.out += FIRST_STEP_MS
    t.mode = mode


cdef int64_t timeline_stamp(Timeline* t, int track, uint32_t raw, int64_t now_ms) noexcept nogil:
    """Return the repaired time of a tag in ms. *track*: 0 audio, 1 video. *now_ms*: monotonic clock."""
    cdef TrackClock* clock = &t.tracks[track]
    cdef int64_t step, value, waited
    cdef TrackClock* other = &t.tracks[1 - track]
    if t.mode == JITTER_OFF:
        t.out = raw
        return raw
    if not t.started:
        t.started = True
        t.offset = t.out - <int64_t>raw
        t.epoch += 1
        start_track(t, clock, raw, now_ms)
        return give(t, clock, clock.unwrapped + clock.offset, now_ms)
    if not clock.started:
        # The second track takes the offset of the first, so that their distance stays as sent.
        start_track(t, clock, raw, now_ms)
        clock.unwrapped = other.unwrapped + <int32_t>(raw - other.raw)
        clock.offset = other.offset
        clock.epoch = other.epoch
        value = clock.unwrapped + clock.offset
        # It may lie ahead by the spread and by the time that the first track has been silent.
        waited = max(<int64_t>0, now_ms - other.now)
        if t.mode == JITTER_FULL and (value < t.out - SPREAD_MS or value > t.out + SPREAD_MS + waited):
            rebase(t, clock, t.out)
            value = t.out
        return give(t, clock, value, now_ms)
    step = <int32_t>(raw - clock.raw)
    clock.raw = raw
    if t.mode == JITTER_FULL:
        if step < 0 and step + WRAP_24 >= 0 and step + WRAP_24 <= AHEAD_STEP_MS:
            step += WRAP_24
        waited = now_ms - clock.now
        if step < -BACK_STEP_MS or (step > AHEAD_STEP_MS and step > waited + AHEAD_STEP_MS):
            clock.unwrapped += step
            if clock.epoch != t.epoch:
                # The other track jumped before: join its epoch where that puts this tag near it.
                value = clock.unwrapped + t.offset
                if value > t.out - SPREAD_MS and value < t.out + SPREAD_MS:
                    clock.offset = t.offset
                    clock.epoch = t.epoch
                    return give(t, clock, value, now_ms)
            rebase(t, clock, clock.out + clock.step)
            return give(t, clock, clock.unwrapped + clock.offset, now_ms)
    if 0 < step <= AHEAD_STEP_MS:
        clock.step = step
    clock.unwrapped += step
    return give(t, clock, clock.unwrapped + clock.offset, now_ms)


cdef int64_t timeline_peek(const Timeline* t, int track, uint32_t raw) noexcept nogil:
    """Return the time for a tag without media: the last time of its track. The timeline stays as it is.

    Encoders send sequence headers with timestamp 0 in the middle of a stream, so their own is not used.
    """
    if t.mode == JITTER_OFF:
        return raw
    return t.tracks[track].out if t.tracks[track].started else t.out


cdef int64_t timeline_place(const Timeline* t, uint32_t raw, int64_t now_ms) noexcept nogil:
    """Return the time for script data: its own, by the clock of the track whose last timestamp is nearest to *raw*.

    The timeline stays as it is. A time before the last frames of both tracks, or further ahead of the newest frame than
    the wall clock confirms, is a claim of another clock: it comes out as the time of the newest frame.
    """
    cdef const TrackClock* clock
    cdef int64_t step, value
    cdef int64_t least = t.out
    cdef int64_t most = t.out + SCRIPT_AHEAD_MS
    cdef int64_t waited = -1
    cdef int64_t nearest = <int64_t>1 << 40
    cdef int i
    value = t.out
    if t.mode == JITTER_OFF:
        value += <int32_t>(raw - <uint32_t>t.out)
    else:
        for i in range(2):
            clock = &t.tracks[i]
            if not clock.started:
                continue
            step = <int32_t>(raw - clock.raw)
            if abs_ms(step) < nearest:
                nearest = abs_ms(step)
                value = clock.unwrapped + clock.offset + step
            least = min(least, clock.out)
            waited = now_ms - clock.now if waited < 0 else min(waited, now_ms - clock.now)
        most += max(waited, <int64_t>0)
    # A track that has been lost does not hold the bound back.
    least = max(least, t.out - SPREAD_MS)
    return max(value, <int64_t>0) if least - BACK_STEP_MS <= value <= most else t.out


cdef inline int64_t abs_ms(int64_t value) noexcept nogil:
    return -value if value < 0 else value


cdef inline void start_track(Timeline* t, TrackClock* clock, uint32_t raw, int64_t now_ms) noexcept nogil:
    clock.started = True
    clock.raw = raw
    clock.unwrapped = raw
    clock.offset = t.offset
    clock.epoch = t.epoch
    clock.step = FIRST_STEP_MS
    clock.now = now_ms


cdef inline void rebase(Timeline* t, TrackClock* clock, int64_t value) noexcept nogil:
    """Open a new epoch in which the present tag of *clock* comes out at *value*."""
    clock.offset = value - clock.unwrapped
    t.offset = clock.offset
    t.epoch += 1
    clock.epoch = t.epoch
    t.repairs += 1


cdef inline int64_t give(Timeline* t, TrackClock* clock, int64_t value, int64_t now_ms) noexcept nogil:
    # clock.out starts at 0 and survives a restart: time is never below 0 and never goes back over a reconnect.
    if value < clock.out and (t.mode == JITTER_FULL or value < 0):
        value = clock.out
        t.clamped += 1
    clock.out = value
    clock.now = now_ms
    if value > t.out:
        t.out = value
    return value


@cython.final
cdef class TimelineProbe:
    """A timeline of its own, stamped one tag at a time. Called by tests alone: a StreamWriter hides its timeline."""

    cdef Timeline timeline

    def __cinit__(self, int mode=JITTER_FULL):
        memset(&self.timeline, 0, sizeof(Timeline))
        self.timeline.mode = mode

    @property
    def repairs(self):
        return self.timeline.repairs

    @property
    def clamped(self):
        return self.timeline.clamped

    def restart(self, int64_t gap_ms):
        timeline_restart(&self.timeline, gap_ms)

    def stamp(self, int track, uint32_t raw, int64_t now_ms):
        if track != 0 and track != 1:
            raise ValueError("track is 0 (audio) or 1 (video)")
        return timeline_stamp(&self.timeline, track, raw, now_ms)

    def place(self, uint32_t raw, int64_t now_ms):
        return timeline_place(&self.timeline, raw, now_ms)
