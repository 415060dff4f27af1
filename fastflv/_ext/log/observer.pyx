"""Followers that call Python code when a log has grown."""

cimport cython
from libc.stdint cimport int64_t

from fastflv._ext.core.atomics cimport load_relaxed
from fastflv._ext.log.follower cimport Follower
from fastflv._ext.log.medialog cimport MediaLog


@cython.final
cdef class LogObserver(Follower):
    """Calls *on_publish* with `urgent` (see Follower) after each publish, and with True at the end of the log."""

    cdef object on_publish

    def __init__(self, on_publish):
        self.on_publish = on_publish

    cdef int follow(self, bint urgent) except -1:
        self.on_publish(urgent)
        return 0

    cdef int end(self) except -1:
        self.on_publish(True)
        return 0


@cython.final
cdef class BehindObserver(Follower):
    """Calls *on_behind* after a publish that brings the head of *log* more than *behind_ms* past `read_ms`.

    The owner reads the log by a clock, and sets `read_ms` to the time up to which it has read.
    """

    cdef MediaLog log
    cdef object on_behind
    cdef int64_t behind_ms
    cdef public int64_t read_ms

    def __init__(self, MediaLog log not None, on_behind, int64_t behind_ms):
        self.log = log
        self.on_behind = on_behind
        self.behind_ms = behind_ms
        self.read_ms = load_relaxed(&log.log.head_dts)

    cdef int follow(self, bint urgent) except -1:
        if load_relaxed(&self.log.log.head_dts) - self.read_ms > self.behind_ms:
            self.on_behind()
        return 0
