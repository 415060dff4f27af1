"""A follower that tells Python code that a log has grown."""

cimport cython

from fastflv._ext.log.follower cimport Follower


@cython.final
cdef class LogObserver(Follower):
    """Calls *tell* with whether it is urgent, after each publish and at the end of the log it is attached to."""

    cdef object tell

    def __init__(self, tell):
        self.tell = tell

    cdef int follow(self, bint urgent) except -1:
        self.tell(urgent)
        return 0

    cdef int end(self) except -1:
        self.tell(True)
        return 0
