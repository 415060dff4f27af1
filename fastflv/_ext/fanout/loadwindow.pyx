"""The merge window that a load asks for: 0 while the thread has time, longer as far as the load needs it.

A longer window means less work, because the system call is most of the cost of a send. The work of the thread itself
chooses. A thread that waits for its core is as late as a busy one, but that counts only where it lasts: many who join
hold it up for moments, and a window would make those who watch wait longer than they do.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t

from fastflv._ext.core.atomics cimport store_relaxed
from fastflv._ext.core.sockets cimport worked_us

from fastflv import limits

cdef enum:
    LEVELS_MAX = 8

cdef int64_t[LEVELS_MAX] WINDOWS_US
cdef int32_t LEVELS = len(limits.AUTO_WINDOWS_MS)
cdef int64_t LOOK_US = limits.AUTO_LOOK_MS * 1000
cdef int64_t RAISE = limits.AUTO_BUSY_PERCENT
cdef int64_t FULL = limits.AUTO_FULL_PERCENT
cdef int64_t LOWER = limits.AUTO_FREE_PERCENT
cdef int32_t CALM_LOOKS = limits.AUTO_CALM_LOOKS
cdef int32_t LATE_LOOKS = limits.AUTO_LATE_LOOKS
cdef int64_t FRAME_US = limits.AUTO_FRAME_MS * 1000

for _i, _ms in enumerate(limits.AUTO_WINDOWS_MS):
    WINDOWS_US[_i] = _ms * 1000


cdef bint load_turn(Load* load, int64_t woke, int64_t now) noexcept nogil:
    """Count a turn of the calling thread, to which *load* belongs; return whether the window has changed."""
    cdef int64_t worked
    load.busy_us += now - woke
    if now - load.since_us < LOOK_US:
        return False
    worked = worked_us()
    load.own_us = worked - load.worked_us
    load.worked_us = worked
    return load_look(load, now)


cdef bint load_look(Load* load, int64_t now) noexcept nogil:
    """Choose the window after a turn, when it is due; return whether it has changed."""
    cdef int64_t span = now - load.since_us
    cdef int64_t busy = 100 * load.busy_us // span
    cdef int64_t own = 100 * load.own_us // span
    cdef int32_t before = load.level
    load.since_us = now
    load.busy_us = load.own_us = 0
    load.late = load.late + 1 if busy >= FULL else 0
    if own > RAISE or load.late == LATE_LOOKS:
        load.calm = load.late = 0
        # A thread whose own work fills its time may be behind by any amount: take the longest window at once.
        load.level = LEVELS - 1 if own > RAISE and busy >= FULL else min(load.level + 1, LEVELS - 1)
    elif load.level and own * WINDOWS_US[load.level] // max(WINDOWS_US[load.level - 1], FRAME_US) < LOWER:
        load.calm += 1
        if load.calm >= CALM_LOOKS:
            load.calm = 0
            load.level -= 1
    else:
        load.calm = 0
    store_relaxed(&load.window_us, WINDOWS_US[load.level])
    return load.level != before


@cython.final
cdef class LoadMeter:
    """The load of the event loop, which serves the players over TLS."""

    cdef Load load

    def __cinit__(self, double now):
        self.load.since_us = <int64_t>(now * 1000000)

    @property
    def window_ms(self):
        """The present window, ms."""
        return self.load.window_us // 1000

    def worked(self, double began, double now, double own):
        """Count the time from *began* to *now*, seconds of one clock; return whether the window has changed.

        *own*: of that, CPU time of the thread, seconds.
        """
        cdef int64_t now_us = <int64_t>(now * 1000000)
        self.load.busy_us += <int64_t>((now - began) * 1000000)
        self.load.own_us += <int64_t>(own * 1000000)
        return now_us - self.load.since_us >= LOOK_US and load_look(&self.load, now_us)
