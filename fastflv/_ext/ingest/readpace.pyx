"""How much of a socket is read at once: what its bytes cost to handle decides, not how many there are."""

cimport cython

from fastflv import limits

cdef Py_ssize_t BYTES_MAX = limits.RECEIVE_BYTES
cdef Py_ssize_t BYTES_MIN = limits.READ_BYTES_MIN
cdef double READ_SECONDS = limits.READ_SECONDS
cdef double GAP_SECONDS = limits.READ_GAP_SECONDS


@cython.final
cdef class ReadPace:
    """Bounds the work of one read. The owner reads at most `room` bytes, and tells what that has cost.

    A peer whose bytes are cheap soon has the whole buffer; one whose bytes cost much is read in small pieces, one
    in each turn of the event loop, so that the others have their reads between them.
    """

    def __cinit__(self):
        self.room = limits.READ_FIRST_BYTES

    cpdef bint spent(self, Py_ssize_t size, double began, double ended) noexcept:
        """Note a read of *size* bytes from *began* to *ended*, seconds; return whether others come before the next.

        Reads that follow each other at once count together: a full socket is read many times in one turn.
        """
        cdef double seconds = ended - began
        if began - self.ended > GAP_SECONDS:
            self.spending = 0
        self.spending += seconds
        self.ended = ended
        if seconds > READ_SECONDS:
            self.room = max(BYTES_MIN, <Py_ssize_t>(size * READ_SECONDS / seconds))
        elif size >= self.room and 2 * seconds < READ_SECONDS:
            self.room = min(BYTES_MAX, 2 * self.room)
        if self.spending <= READ_SECONDS:
            return False
        self.spending = 0
        return True
