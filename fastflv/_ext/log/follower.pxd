"""Base of what is made from a log as it grows."""


cdef class Follower:
    # Told by the writer's thread after each publish of the log it is attached to.
    cdef int follow(self, bint urgent) except -1
    cdef int forget_key(self) except -1
    cdef int end(self) except -1
    cdef int fail(self) except -1
    # The headers before the newest keyframe of the followed log have changed; the keyframe was taken before.
    cdef int rekey(self) except -1
