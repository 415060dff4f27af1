"""Base of what is made from a log as it grows."""


cdef class Follower:
    """Base of what is made from a log as it grows, in the same thread: the same media in another container."""

    cdef int follow(self, bint urgent) except -1:
        """New tags were published. *urgent*: they do not wait for a video frame to ride with."""
        return 0

    cdef int forget_key(self) except -1:
        """Nobody starts from the last GOP any more: its publisher is gone."""
        return 0

    cdef int rekey(self) except -1:
        """The headers before the newest keyframe have changed."""
        return 0

    cdef int end(self) except -1:
        """The log has ended."""
        return 0

    cdef int fail(self) except -1:
        """It raised an error, and is told no more."""
        return 0
