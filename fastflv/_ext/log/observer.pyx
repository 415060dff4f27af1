"""A follower that calls Python code when a log has grown."""

cimport cython

from fastflv._ext.log.follower cimport Follower


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
