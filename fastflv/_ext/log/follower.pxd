"""Followers: objects that take each publish of a log."""


cdef class Follower:
    # Called by the writer's thread for the log that it is attached to; `follow` after each publish.
    cdef int follow(self, bint urgent) except -1
    cdef int forget_key(self) except -1
    cdef int end(self) except -1
    cdef int fail(self) except -1
    # The headers before the newest keyframe have changed; `follow` took the keyframe before.
    cdef int rekey(self) except -1
