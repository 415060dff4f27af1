"""Followers: objects that take each publish of a log."""


from libc.stdint cimport int64_t


cdef class Follower:
    """Base of muxers and observers, which take each publish of a log in the writer's thread."""

    cdef int follow(self, bint urgent) except -1:
        """Take new tags. *urgent*: they are not held back to be sent with later tags."""
        return 0

    cdef int forget_key(self) except -1:
        """Withdraw the start until the next keyframe: the publisher left."""
        return 0

    cdef int rekey(self) except -1:
        """Take changed headers of the newest keyframe."""
        return 0

    cdef int set_epoch(self, int64_t epoch_ms) except -1:
        """Tell players the time since *epoch_ms*, from the next tag on."""
        return 0

    cdef int end(self) except -1:
        """End: no more tags will be published."""
        return 0

    cdef int fail(self) except -1:
        """Clean up after `follow` raised an error; the log has detached this follower."""
        return 0
