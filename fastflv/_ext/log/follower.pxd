"""Followers: objects that take each publish of a log."""


from libc.stdint cimport int64_t


cdef class Follower:
    # Called by the writer's thread for the log that it is attached to; `follow` after each publish.
    cdef int follow(self, bint urgent) except -1
    cdef int forget_key(self) except -1
    # Players of the log are told times from another epoch on, from the next tag on.
    cdef int set_epoch(self, int64_t epoch_ms) except -1
    cdef int end(self) except -1
    cdef int fail(self) except -1
    # The headers before the newest keyframe have changed; `follow` took the keyframe before.
    cdef int rekey(self) except -1
